// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two devices of one vault and a store that lies in every way that we know. After every step: neither device has
//! lost anything (AVAIL), both come to the same once the store is honest (INT), and nothing that the store was given,
//! and no file of either device, has anything that was planted in records, names, tags or passwords (CONF).
//!
//! Every eighth attack is tried, each on another answer; `AURA_HOSTILE_ALL=1` tries all of them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

mod support;

use std::sync::Arc;

use aura_protocol::id::RecordId;
use aura_testkit::canary::{Canaries, Canary};
use aura_testkit::hostile::Mallory;
use aura_testkit::hostile::attack::{Act, Attack, Endpoint, When};
use aura_testkit::seed::Seed;
use aura_testkit::transcript::{RecordedStore, Transcript};
use aura_vault::record::{Attachment, Draft, Kind};
use aura_vault::search::Typing;
use serde_json::json;
use support::pair::Device;
use support::{Bench, PASSWORD, START_MS, fields};

/// Attacks in one vault; then another one begins.
const ROUNDS: usize = 16;
/// Of so many attacks one is tried.
const ONE_IN: usize = 8;

struct World {
    bench: Bench,
    mallory: Mallory,
    transcript: Transcript,
    canaries: Canaries,
    marks: [Canary; 7],
    laptop: Device,
    phone: Device,
    written: Vec<RecordId>,
}

impl World {
    fn new(seed: u64) -> Self {
        // The vault's own randomness begins at small numbers, and is of the same make: a marker must be no nonce.
        let mut seed = Seed::new(u64::MAX - seed);
        let mut canaries = Canaries::new();
        let places = [
            "a title",
            "a text",
            "a tag",
            "a file's name",
            "a file",
            "an origin",
            "behind the second lock",
        ];
        let marks = places.map(|place| canaries.plant(place, &mut seed));
        let second = canaries.plant("the second password", &mut seed).text;
        canaries.plant_text("the password", PASSWORD);
        let bench = Bench::new();
        let (mut laptop, kit) = Device::first(&bench, Some(&second));
        canaries.plant_text("the recovery code", &kit.recovery_code);
        laptop.vault.unlock_second(&second).unwrap();
        let (mallory, transcript) = (Mallory::new(seed.clone()), Transcript::new());
        laptop.sync(&RecordedStore::new(&mallory, &transcript));
        let mut phone = Device::join(&bench, "phone", (laptop.vault.id(), &kit), &mallory);
        phone.vault.unlock_second(&second).unwrap();
        phone.sync(&RecordedStore::new(&mallory, &transcript));
        let written = Vec::new();
        Self { bench, mallory, transcript, canaries, marks, laptop, phone, written }
    }

    /// A note with every marker that has a place in it, and a login behind the second lock, turn by turn.
    fn draft(&self) -> Draft {
        let [title, text, tag, name, file, origin, second] = &self.marks;
        if self.written.len() % 3 == 2 {
            let fields =
                json!({"name": second.text, "username": second.text, "notes": second.text});
            return draft(Kind::Login, &origin.text, fields);
        }
        let fields = json!({
            "name": title.text, "text": text.text.repeat(9), "keywords": {&tag.text: true},
        });
        let mut draft = draft(Kind::Note, &origin.text, fields);
        draft.attachments.push(Attachment {
            name: name.text.clone(),
            media_type: "text/plain".to_owned(),
            content: Arc::new([&file.bytes[..], file.text.as_bytes()].concat().repeat(50)),
        });
        draft
    }

    fn write(&mut self) {
        let id = self.laptop.session().add(&self.draft()).unwrap();
        self.written.push(id);
        let changed = fields(json!({"description": self.marks[1].text}));
        self.phone.session().edit(self.written[0], &changed, &[]).ok();
    }

    /// Both sync with the store, as it is now.
    fn sync(&mut self) {
        let remote = RecordedStore::new(&self.mallory, &self.transcript);
        for device in [&mut self.laptop, &mut self.phone] {
            device.sync(&remote);
        }
    }

    /// AVAIL: the laptop has all that it wrote. CONF: what the store was given says nothing.
    fn look(&self, at: &str) {
        for id in &self.written {
            assert!(self.laptop.session().get(*id).unwrap().is_some(), "AVAIL: {at}");
        }
        let given = self.transcript.take_given();
        assert!(!given.is_empty(), "{at}");
        self.canaries.assert_absent(&format!("what the store was given, {at}"), &given);
    }

    /// Once the store is honest both have everything, and say the same.
    fn heal(&mut self, at: &str) {
        self.mallory.attack(&[]);
        for _ in 0..2 {
            self.sync();
        }
        assert_eq!(self.laptop.state(), self.phone.state(), "INT: {at}");
        for id in &self.written {
            assert!(self.phone.session().get(*id).unwrap().is_some(), "AVAIL: {at}");
        }
        self.look(at);
        let files = self.canaries.assert_absent_under(self.bench.dir.path());
        assert!(files > 20, "{files} files were looked at");
    }
}

fn draft(kind: Kind, origin: &str, value: serde_json::Value) -> Draft {
    Draft {
        kind,
        category: kind.category(),
        source: "test",
        source_id: Some(origin.to_owned()),
        time_ms: Some(START_MS),
        fields: fields(value),
        attachments: Vec::new(),
    }
}

/// Attacks INT-01, INT-05, INT-06, INT-09, INT-12, FRK-01, FRK-02, DEV-01, AVL-02, LOG-07: to the vault as a whole.
#[test]
fn a_vault_over_a_store_that_lies_loses_nothing_and_tells_nothing() {
    let one_in = if std::env::var_os("AURA_HOSTILE_ALL").is_some() { 1 } else { ONE_IN };
    let attacks = Act::every()
        .into_iter()
        .flat_map(|act| Endpoint::ALL.map(|on| Attack { on, when: When::Always, act }));
    // One more for each act, so that all answers have their turn.
    let chosen = attacks
        .enumerate()
        .filter(|(at, _)| (at + at / Endpoint::ALL.len()).is_multiple_of(one_in));
    let chosen: Vec<Attack> = chosen.map(|(_, attack)| attack).collect();
    for (number, attacks) in (1..).zip(chosen.chunks(ROUNDS)) {
        let mut world = World::new(number);
        world.write();
        world.heal("before");
        for attack in attacks {
            let at = format!("{attack:?}");
            world.write();
            world.mallory.attack(&[*attack]);
            world.sync();
            world.look(&at);
            world.heal(&at);
        }
        // Looking proves something only where there is something to be found.
        let session = world.phone.session();
        let shown = session.get(world.written[0]).unwrap().unwrap();
        let shown = serde_json::to_string(&shown.fields).unwrap();
        assert!(world.canaries.found(shown.as_bytes()).is_some(), "{shown}");
        assert!(!session.search(&world.marks[0].text, Typing::Done, 99).unwrap().is_empty());
        for device in [&world.laptop, &world.phone] {
            let report = device.session().verify(&mut |_| {}).unwrap();
            assert!(report.is_ok(), "{:?}", report.problems);
        }
    }
}

/// CONF: a store that keeps a record as it is would be found out.
#[test]
fn what_is_planted_is_found_where_it_is_not_sealed() {
    let world = World::new(1);
    let draft = world.draft();
    let text = serde_json::to_string(&draft.fields).unwrap();
    let found = world.canaries.found(text.as_bytes()).unwrap();
    assert!(found.starts_with("a title, ") || found.starts_with("a text, "), "{found}");
    let folder = world.bench.dir.path().join("leak");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("entry"), text).unwrap();
    let looks = || world.canaries.assert_absent_under(world.bench.dir.path());
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(looks)).is_err());
}
