// SPDX-License-Identifier: MIT OR Apache-2.0
//! Somebody with a hand on the vault's folder changes or swaps single files: what comes of it is an error, or
//! what there was before, and never something else.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aura_store::local::LocalStore;
use aura_vault::home::Home;
use aura_vault::record::Attachment;
use aura_vault::search::Typing;
use aura_vault::vault::{Unlocked, Vault};
use support::{Bench, PASSWORD, START_MS, note, owner, password};

/// The open vault, if it opens at all.
fn opened(bench: &Bench) -> Option<Vault<Unlocked>> {
    let folder = Home::new(&bench.home()).store();
    let store = LocalStore::open(&folder, Box::new(|| START_MS)).ok()?;
    let vault = Vault::load(&bench.home(), Arc::new(store)).ok()?;
    vault.unlock(&password(PASSWORD), bench.environment()).ok()
}

/// Files that stand in the folder itself: keys, marks, caches, what is remembered.
fn small_files(home: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(home).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// Attack PHY-05: bytes of each small file of the vault's folder, at its beginning, in its middle and at its end.
#[test]
fn phy_05_a_changed_file_is_told_or_of_no_consequence() {
    let bench = Bench::new();
    let (vault, _) = bench.create_with(Some("a second one for what is nobody's business"));
    let id = owner(&vault).add(&note("a", "a title", "some text")).unwrap();
    vault.lock().1.unwrap();
    let files = small_files(&bench.home());
    assert!(files.len() > 5, "{files:?}");
    let (mut told, mut harmless) = (0, 0);
    for file in files {
        let whole = fs::read(&file).unwrap();
        for at in [0, whole.len() / 2, whole.len().saturating_sub(1)] {
            let mut changed = whole.clone();
            let Some(byte) = changed.get_mut(at) else { continue };
            *byte ^= 1;
            fs::write(&file, changed).unwrap();
            if let Some(vault) = opened(&bench) {
                let at = format!("byte {at} of {}", file.display());
                let record = owner(&vault).get(id).unwrap().unwrap();
                assert_eq!(record.fields["name"], "a title", "{at}");
                assert_eq!(owner(&vault).search("text", Typing::Done, 9).unwrap().len(), 1, "{at}");
                assert!(owner(&vault).verify(&mut |_| {}).unwrap().is_ok(), "{at}");
                drop(vault.lock());
                harmless += 1;
            } else {
                told += 1;
            }
            fs::write(&file, &whole).unwrap();
            // Counted as a wrong password, it would make the next one wait.
            drop(fs::remove_file(Home::new(&bench.home()).attempts()));
        }
    }
    assert!(told > 5 && harmless > 2, "{told} told, {harmless} harmless");
    let vault = opened(&bench).unwrap();
    assert!(owner(&vault).verify(&mut |_| {}).unwrap().is_ok());
}

fn chunk_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found =
        entries.flat_map(|path| if path.is_dir() { chunk_files(&path) } else { vec![path] });
    found.collect()
}

/// Attack INT-08: two files of one size trade their places in the store. Neither is shown under the other's name.
#[test]
fn int_08_no_file_is_shown_under_anothers_name() {
    let bench = Bench::new();
    let (vault, _) = bench.create();
    let add = |name: &str, byte: u8| {
        let mut draft = note(name, name, "some text");
        draft.attachments.push(Attachment {
            name: format!("{name}.txt"),
            media_type: "text/plain".to_owned(),
            content: Arc::new(vec![byte; 30_000]),
        });
        owner(&vault).add(&draft).unwrap()
    };
    let ids = [add("will", 1), add("shopping", 2)];
    vault.lock().1.unwrap();
    let files = chunk_files(&Home::new(&bench.home()).store().join("chunks"));
    let [one, other] = &files[..] else { panic!("{files:?}") };
    let (first, second) = (fs::read(one).unwrap(), fs::read(other).unwrap());
    assert!(first.len() == second.len() && first != second);
    fs::write(one, second).unwrap();
    fs::write(other, first).unwrap();
    let vault = opened(&bench).unwrap();
    let session = owner(&vault);
    for id in ids {
        let record = session.get(id).unwrap().unwrap();
        let mut out = Vec::new();
        let read = session.attachment(id, record.attachments[0].id, &mut out);
        assert!(read.is_err() && out.is_empty(), "{read:?}, {} bytes", out.len());
    }
    let report = session.verify(&mut |_| {}).unwrap();
    assert_eq!(report.problems.len(), 2, "{report:?}");
}
