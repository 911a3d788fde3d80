// SPDX-License-Identifier: MIT OR Apache-2.0
//! CONF with the real programs: two devices and a folder between them. Markers are planted in everything that only
//! the person may read; after every step they are looked for, in every form, in the folder and in every file that
//! either device keeps: its store, what it has seen, its stores, its views; and in what the daemon says.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use std::fs;
use std::time::SystemTime;

use aura_e2e::{Done, Person};
use aura_testkit::canary::{Canaries, Canary};
use aura_testkit::seed::Seed;
use tempfile::TempDir;

struct Scene {
    seed: Seed,
    canaries: Canaries,
    /// Not in the folder: the secret key lies beside the vault.
    keys: Canaries,
    folder: TempDir,
}

impl Scene {
    fn new() -> Self {
        // Another one each time: what is somewhere by chance is not there the next time.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
        let number = u64::try_from(now % u128::from(u64::MAX)).unwrap();
        let (canaries, keys) = (Canaries::new(), Canaries::new());
        Self { seed: Seed::new(number), canaries, keys, folder: tempfile::tempdir().unwrap() }
    }

    fn plant(&mut self, place: &str) -> Canary {
        self.canaries.plant(place, &mut self.seed)
    }

    fn text(&mut self, place: &str) -> String {
        self.plant(place).text
    }

    fn store(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    /// CONF: neither the folder nor anything that the devices keep says what was planted.
    fn look(&self, devices: &[&Person]) {
        let there = self.canaries.assert_absent_under(self.folder.path());
        assert!(there > 3, "{there} files in the folder");
        self.keys.assert_absent_under(self.folder.path());
        for device in devices {
            let files = self.canaries.assert_absent_under(&device.home());
            assert!(files > 8, "{files} files of a device");
        }
    }
}

/// What stands under a heading of the kit.
fn of_kit(person: &Person, section: &str) -> String {
    let kit = fs::read_to_string(person.path("kit.txt")).unwrap();
    let line = kit.lines().skip_while(|line| !line.starts_with(section)).nth(1);
    line.unwrap().trim().to_owned()
}

fn second<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&["--second-password-file", "second"], args].concat()
}

/// Somebody whose two passwords are planted, with a vault that syncs with the folder.
fn nora(scene: &mut Scene) -> Person {
    let nora = Person::without_vault();
    fs::write(nora.path("password"), scene.text("the password")).unwrap();
    fs::write(nora.path("second"), scene.text("the second password")).unwrap();
    nora.does(second(&["init", "--no-verify-kit", "--kit", "kit.txt"]));
    scene.canaries.plant_text("the recovery code", &of_kit(&nora, "Recovery code"));
    scene.keys.plant_text("the secret key", &of_kit(&nora, "Secret key"));
    nora
}

/// Records with a marker in every place; returns a title to search for.
fn fill(scene: &mut Scene, nora: &Person) -> String {
    let (title, text) = (scene.text("a title"), scene.text("a text"));
    let (file, tag) = (scene.plant("a file"), scene.text("a tag"));
    let name = format!("{}.bin", scene.text("a file's name"));
    let bytes = [&file.bytes[..], file.text.as_bytes()].concat().repeat(3000);
    fs::write(nora.path(&name), bytes).unwrap();
    let tag = format!("keywords.{tag}=true");
    let args = ["add", "note", "--title", &title, "--text", &text, "--file", &name, &tag];
    let id = nora.asks(args)["id"].as_str().unwrap().to_owned();
    let changed = format!("text={}", scene.text("an edit"));
    nora.does(["edit", &id, &changed]);

    let login = scene.text("a login behind the second lock");
    let health = scene.text("an observation behind the second lock");
    nora.does(["add", "login", "--title", &login]);
    nora.does(["add", "observation", "--title", &health, "--text", &health]);

    let mail = scene.text("a mail");
    let mbox = format!(
        "From a@example.org Thu Jan  1 00:00:00 2026\nFrom: {mail}@example.org\nSubject: {mail}\n\
         Message-ID: <{mail}@example.org>\n\n{mail}\n\n"
    );
    let export = format!("{}.mbox", scene.text("an export's name"));
    fs::write(nora.path(&export), mbox).unwrap();
    nora.types(["import", &export]);
    assert_eq!(nora.lists(["search", &mail]).len(), 1);
    nora.does(["rm", &id]);
    nora.does(["undo", &id]);
    title
}

fn syncs(person: &Person) {
    person.does(["sync"]);
}

/// Attacks TRF-08, SID-03.
#[test]
fn no_file_of_a_folder_or_a_device_says_what_was_planted() {
    let mut scene = Scene::new();
    let nora = nora(&mut scene);
    nora.does(["lock", "--stop"]);
    let daemon = nora.watches_daemon();
    nora.does(second(&["unlock", "--second"]));
    nora.does(["store", "add", scene.store()]);
    syncs(&nora);
    scene.look(&[&nora]);
    let title = fill(&mut scene, &nora);
    syncs(&nora);
    scene.look(&[&nora]);

    let phone = Person::without_vault();
    for name in ["password", "second"] {
        fs::copy(nora.path(name), phone.path(name)).unwrap();
    }
    fs::write(phone.path("secret-key"), of_kit(&nora, "Secret key")).unwrap();
    let joined = phone.asks(["join", scene.store(), "--secret-key-file", "secret-key"]);
    let device = joined["device"].as_str().unwrap().to_owned();
    scene.look(&[&nora, &phone]);
    // What is looked for is there for whoever may read it.
    assert_eq!(phone.lists(["search", &title]).len(), 1);
    let own = scene.text("a title on the phone");
    phone.adds(&own, &scene.text("a text on the phone")).unwrap();
    phone.does(second(&["unlock", "--second"]));
    syncs(&phone);
    syncs(&nora);
    nora.does(["device", "confirm", &device]);
    assert_eq!(nora.lists(["search", &own]).len(), 1);
    syncs(&nora);
    syncs(&phone);
    scene.look(&[&nora, &phone]);

    // Wrong passwords and what was asked are remembered, but not in words.
    let query = scene.text("a query");
    assert_eq!(nora.lists(["search", &query]).len(), 0);
    nora.does(["lock"]);
    let wrong = scene.text("a wrong password");
    fs::write(nora.path("wrong"), &wrong).unwrap();
    let refused = nora.tries(["--password-file", "wrong", "unlock"]);
    assert!(refused.code == 3 && !refused.err.contains(&wrong), "{refused:?}");
    scene.look(&[&nora, &phone]);
    std::thread::sleep(std::time::Duration::from_secs(1));
    nora.does(["unlock"]);
    nora.does(["verify", "--rebuild"]);
    syncs(&nora);
    scene.look(&[&nora, &phone]);
    nora.does(["lock", "--stop"]);
    phone.does(["lock", "--stop"]);
    let said = Done::of(&daemon.wait_with_output().unwrap());
    scene.canaries.assert_absent("what the daemon said", format!("{said:?}").as_bytes());
    scene.look(&[&nora, &phone]);

    // Looking proves something: an export into the folder would have been found.
    nora.does(second(&["export", "--all", "out"]));
    let found = std::panic::catch_unwind(|| scene.canaries.assert_absent_under(&nora.path("out")));
    assert!(found.is_err());
}
