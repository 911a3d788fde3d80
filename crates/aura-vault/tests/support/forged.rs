// SPDX-License-Identifier: MIT OR Apache-2.0
//! Snapshots that a thief bends, who has a listed device's keys.

use std::collections::BTreeMap;

use aura_crypto::sign::LabelledSigner as _;
use aura_protocol::authority::{Claim, SignedStatement, Statement};
use aura_protocol::codec::{Encode as _, Extra};
use aura_protocol::entry::ChunkAdded;
use aura_protocol::head::Position;
use aura_protocol::id::{CollectionId, DeviceId, FeedId, Hash, RecordId};
use aura_protocol::store::LocalLog;
use aura_store::local::LocalStore;
use aura_vault::feed::{Batch, Commit, open};
use aura_vault::intake::Outcome;
use aura_vault::keyring::Purpose;
use aura_vault::op::{Carried, Carry, Change, Op};
use aura_vault::record::Category;
use aura_vault::vault::Kit;

use super::pair::Device;
use super::snapshots::{DAY_MS, Scene, add, compact, edit, scene};
use super::thief::Thief;
use super::{Bench, START_MS, note};

/// Without the phone.
pub struct Robbed {
    pub bench: Bench,
    pub laptop: Device,
    pub server: LocalStore,
    pub kit: Kit,
}

/// A snapshot, as somebody writes it.
#[derive(Clone)]
pub struct Forged {
    pub carries: Vec<Carry>,
    pub added: Vec<ChunkAdded>,
    /// What is said of chunks after its end.
    pub later: Vec<ChunkAdded>,
    /// Before so many of its ops the range has an entry that says nothing of it.
    pub breaks: Vec<usize>,
    /// What it says that it covers beside what is there.
    pub more: Vec<(FeedId, Position)>,
    /// Whether it covers its own feed alone.
    pub is_own: bool,
    /// Whether it says that other feeds have other entries than they have.
    pub is_fork: bool,
}

impl Forged {
    pub fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut forged = self.clone();
        change(&mut forged);
        forged
    }

    /// The one with this many ops, so many records after the first.
    pub fn carry(&mut self, ops: usize, skip: usize) -> &mut Carry {
        let mut found = self.carries.iter_mut().filter(|carry| carry.ops.len() == ops);
        found.nth(skip).unwrap()
    }

    /// Each record after the one before, and the end after the last.
    pub fn linked(mut self) -> Self {
        let mut last = None;
        for carry in &mut self.carries {
            carry.after = last;
            last = carry.record;
        }
        self
    }
}

/// A note that was read from somewhere.
fn import(device: &Device, title: &str, text: &str) -> RecordId {
    let session = device.session();
    let (run, mut importer) = session.importer().unwrap();
    let outcome = importer.take(&note("imported", title, text)).unwrap();
    importer.finish(run, &serde_json::json!({})).unwrap();
    let (Outcome::New(id) | Outcome::Merged(id) | Outcome::Unchanged(id)) = outcome;
    id
}

pub fn texts(carried: &mut Carried) -> &mut BTreeMap<String, Option<String>> {
    let Change::Write { fields, .. } = &mut carried.op.change else { panic!("no write") };
    fields
}

/// The notes' collection, and what an honest snapshot of it has: this device makes one.
pub fn honest(bench: &Bench, other: &Device, thief: &Thief) -> (CollectionId, Forged) {
    assert!(compact(bench, other).changes > 0);
    let (device, incarnation) = other.vault.life();
    let mut of_notes = thief.keyring.collections(Purpose::Category(Category::Notes));
    let collection = of_notes.next().unwrap();
    let feed = FeedId { collection, device, incarnation };
    let feeds = LocalLog::feeds(other.store.as_ref()).unwrap();
    let upto = feeds.iter().find(|(of, _)| *of == feed).unwrap().1.number;
    let (mut carries, mut added) = (Vec::new(), Vec::new());
    for number in 1..=upto {
        let entry = LocalLog::entry(other.store.as_ref(), feed, number).unwrap();
        added.extend(entry.header().added.clone());
        for op in open(&entry, &thief.keyring, thief.vault).unwrap() {
            if let Change::Carry(carry) = op.change {
                carries.push(carry);
            }
        }
    }
    (
        collection,
        Forged {
            carries,
            added,
            later: Vec::new(),
            breaks: Vec::new(),
            more: Vec::new(),
            is_own: false,
            is_fork: false,
        },
    )
}

impl Thief {
    /// Writes a snapshot, and says that it covers everything up to where the store goes.
    pub fn snapshot(&mut self, of: CollectionId, forged: Forged) -> Hash {
        let mut entropy = Bench::new().environment().entropy.as_ref()();
        let clock = self.pen.tick(START_MS + 200 * DAY_MS);
        let mut covered = LocalLog::feeds(self.store.as_ref()).unwrap();
        covered.retain(|(feed, _)| feed.collection == of);
        covered.retain(|(feed, _)| forged.more.iter().all(|(other, _)| feed != other));
        covered.extend(forged.more);
        covered.sort_unstable_by_key(|(feed, _)| *feed);
        let (feed, first) = (self.pen.feed(of), self.pen.next_number(of));
        covered.retain(|(other, _)| !forged.is_own || *other == feed);
        for (_, at) in covered.iter_mut().filter(|(other, _)| forged.is_fork && *other != feed) {
            at.hash = Hash([7; 32]);
        }
        let op = |carry| Op { clock, author: String::new(), change: Change::Carry(carry) };
        let mut batches = vec![Batch {
            collection: of,
            ops: Vec::new(),
            added: forged.added,
            dropped: Vec::new(),
        }];
        for (at, carry) in forged.carries.into_iter().enumerate() {
            if forged.breaks.contains(&at) {
                let empty = || Batch {
                    collection: of,
                    ops: Vec::new(),
                    added: Vec::new(),
                    dropped: Vec::new(),
                };
                batches.extend([empty(), empty()]);
            }
            batches.last_mut().unwrap().ops.push(op(carry));
        }
        let last = first + batches.len() as u64 - 1;
        for batch in batches {
            self.write(&Commit { batches: vec![batch], ..Commit::default() }, entropy.as_mut());
        }
        let claim = Claim::Base { feed, range: (first, last), covered };
        let statement =
            Statement { vault: Some(self.vault), claim, clock, extra: Extra::default() };
        let payload = statement.to_bytes();
        let id = Hash::of(&[&payload]);
        let signature = self.sign.sign(SignedStatement::label(&statement.claim), &payload);
        let signatures = vec![(self.sign.verifying_key(), signature)];
        let statements = vec![SignedStatement { payload, signatures }];
        let later =
            Batch { collection: of, ops: Vec::new(), added: forged.later, dropped: Vec::new() };
        let batches = if later.added.is_empty() { Vec::new() } else { vec![later] };
        self.write(&Commit { statements, batches, ..Commit::default() }, entropy.as_mut());
        id
    }

    /// Says something.
    pub fn say(&mut self, claim: Claim) {
        let mut entropy = Bench::new().environment().entropy.as_ref()();
        let clock = self.pen.tick(START_MS + 200 * DAY_MS);
        let said = Statement { vault: Some(self.vault), claim, clock, extra: Extra::default() };
        let payload = said.to_bytes();
        let signature = self.sign.sign(SignedStatement::label(&said.claim), &payload);
        let signatures = vec![(self.sign.verifying_key(), signature)];
        let statements = vec![SignedStatement { payload, signatures }];
        self.write(&Commit { statements, ..Commit::default() }, entropy.as_mut());
    }
}

/// A scene with a note whose old text is kept, one that both devices edited at once, one that was deleted lately, the phone in the hands of a thief, and an honest snapshot for the thief
/// to bend. Also who the phone is.
pub fn stolen() -> (Robbed, Thief, DeviceId, (CollectionId, Forged)) {
    let mut scene = scene();
    let lately = add(&scene.laptop, "lately", "one");
    edit(&scene.laptop, lately, "two");
    let both = add(&scene.laptop, "both", "one");
    scene.laptop.sync(&scene.server);
    scene.phone.sync(&scene.server);
    edit(&scene.laptop, both, "of the laptop");
    edit(&scene.phone, both, "of the phone");
    let trashed = add(&scene.laptop, "trashed", "one");
    ["two", "three"].into_iter().for_each(|text| edit(&scene.laptop, trashed, text));
    scene.laptop.session().remove(trashed).unwrap();
    import(&scene.laptop, "one", "first");
    // Of this one nothing is shown in the end; only the next import needs it.
    let imported = import(&scene.laptop, "one", "second");
    edit(&scene.laptop, imported, "of the person");
    import(&scene.laptop, "other", "second");
    scene.laptop.sync(&scene.server);
    scene.phone.sync(&scene.server);
    scene.laptop.sync(&scene.server);
    let phone_id = scene.phone.vault.life().0;
    // It never reaches anybody.
    let joined = (scene.laptop.vault.id(), &scene.kit);
    let other = Device::join(&scene.bench, "other", joined, &scene.server);
    let Scene { bench, laptop, phone, server, kit, .. } = scene;
    let thief = Thief::of(phone.store, phone.vault, &kit);
    let honest = honest(&bench, &other, &thief);
    (Robbed { bench, laptop, server, kit }, thief, phone_id, honest)
}
