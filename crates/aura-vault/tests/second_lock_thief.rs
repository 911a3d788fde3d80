// SPDX-License-Identifier: MIT OR Apache-2.0
//! Somebody with the first password, the secret key and all files, but not the second password: opens
//! whatever the root key leads to, and finds nothing of what is behind the second lock.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

mod support;

use std::path::Path;
use std::sync::Arc;

use aura_crypto::kdf::Argon2Params;
use aura_crypto::key::{DatabaseKey, SecretKey};
use aura_crypto::slot::{self, SlotSecrets};
use aura_protocol::authority::{Recipient, SlotKind};
use aura_protocol::id::CollectionId;
use aura_vault::db::Db;
use aura_vault::feed;
use aura_vault::home::Home;
use aura_vault::keyring::{Keyring, RootKeys, ViewKeys};
use aura_vault::op::{Change, Compression, Op, encode_body};
use aura_vault::record::{Attachment, Category, Draft, Kind};
use aura_vault::search::{Index, Keys, Params, Query, Scope, Typing};
use rusqlite::types::ValueRef;
use serde_json::json;
use support::{Bench, PASSWORD, fields, load, note, owner, password};

const SECOND: &str = "a second one for what is nobody's business";
/// In every part of a record, each another one.
const WORDS: [&str; 6] =
    ["zebratitle", "zebratext", "zebralogin", "zebrafile", "zebrabytes", "zebraorigin"];

/// What the first password, the secret key and the files lead to.
struct Thief {
    keyring: Keyring,
    views: ViewKeys,
}

impl Thief {
    fn new(home: &Path) -> Self {
        let vault = load(home);
        let (id, home) = (vault.id(), Home::new(home));
        let text = std::fs::read_to_string(home.secret_key()).unwrap();
        let secret_key = SecretKey::parse(text.trim()).unwrap();
        let (root, generation) = vault
            .roster()
            .slots()
            .iter()
            .find_map(|(slot_id, listed)| {
                let SlotKind::Password(params) = listed.kind else { return None };
                let secret = slot::password_secret(PASSWORD, &secret_key, &params, &id, slot_id);
                let secrets = SlotSecrets::derive(&secret.unwrap(), &id, slot_id);
                let wraps = vault.roster().wraps().iter();
                let (_, generation, sealed) =
                    wraps.clone().find(|(to, ..)| *to == Recipient::Slot(*slot_id))?;
                let place = (&id, slot_id, *generation);
                let root = slot::unwrap_from_slot(&secrets, &listed.keys, place, sealed).unwrap();
                Some((root, *generation))
            })
            .unwrap();
        let mut keyring = Keyring::new(id, RootKeys::derive(root, id, generation));
        let views = keyring.load_file(&std::fs::read(home.keyring()).unwrap()).unwrap();
        Self { keyring, views }
    }

    /// Every op that any key opens; how many entries did not open.
    fn ops(&self, home: &Path) -> (Vec<Op>, u64) {
        let vault = load(home);
        let (mut ops, mut sealed) = (Vec::new(), 0);
        for (feed, position) in vault.log().feeds().unwrap() {
            if feed.collection == CollectionId::AUTHORITY {
                continue;
            }
            for number in 0..position.number {
                let entry = vault.log().read(feed, number, 1).unwrap().remove(0);
                match feed::open(&entry, &self.keyring, vault.id()) {
                    Ok(opened) => ops.extend(opened),
                    Err(_) => sealed += 1,
                }
            }
        }
        (ops, sealed)
    }

    fn index_keys(&self, bench: &Bench, vault: aura_protocol::id::VaultId) -> Keys {
        Keys {
            vault,
            search: self.views.search_key(),
            hedge: self.keyring.roots().search_hedge(),
            entropy: (bench.environment().entropy)(),
        }
    }
}

fn has_word(bytes: &[u8]) -> Option<&'static str> {
    let has = |word: &&str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
    WORDS.into_iter().find(|word| has(word))
}

/// Every value of every table.
fn dump(path: &Path, key: &DatabaseKey) -> Result<Vec<u8>, rusqlite::Error> {
    let hex: String = key.dangerous_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let database = rusqlite::Connection::open(path)?;
    database.pragma_update(None, "key", format!("x'{hex}'"))?;
    database.pragma_update(None, "cipher_hmac_algorithm", "HMAC_SHA256")?;
    database.pragma_update(None, "cipher_page_size", 8192)?;
    let mut tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let tables: Vec<String> = tables.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut all = Vec::new();
    for table in tables {
        let mut statement = database.prepare(&format!("SELECT * FROM {table}"))?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                match row.get_ref(column)? {
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => all.extend_from_slice(bytes),
                    other => all.extend(format!("{other:?}").bytes()),
                }
                all.push(b'\n');
            }
        }
    }
    Ok(all)
}

fn finding() -> Draft {
    let mut draft = Draft {
        kind: Kind::Observation,
        category: Category::Health,
        source_id: Some("zebraorigin".to_owned()),
        fields: fields(json!({"name": "zebratitle", "text": "zebratext ".repeat(900)})),
        ..note("a", "", "")
    };
    draft.attachments.push(Attachment {
        name: "zebrafile.pdf".to_owned(),
        media_type: "application/pdf".to_owned(),
        content: Arc::new(b"zebrabytes ".repeat(900)),
    });
    draft
}

fn login() -> Draft {
    Draft {
        kind: Kind::Login,
        category: Category::Credentials,
        fields: fields(json!({"name": "zebralogin"})),
        ..note("b", "", "")
    }
}

fn fill(vault: &aura_vault::vault::Vault<aura_vault::vault::Unlocked>) {
    let session = owner(vault);
    session.add(&note("n", "Plain", "giraffe")).unwrap();
    let (run, mut importer) = session.importer().unwrap();
    importer.take(&finding()).unwrap();
    importer.finish(run, &json!({"read": 1})).unwrap();
    let login = session.add(&login()).unwrap();
    session.edit(login, &fields(json!({"name": "zebralogin once more"})), &[]).unwrap();
    session.tick().unwrap();
}

#[test]
fn the_root_key_alone_leads_to_nothing_behind_the_second_lock() {
    let bench = Bench::new();
    let (vault, _) = bench.create_with(Some(SECOND));
    let id = vault.id();
    fill(&vault);
    // Shut and opened again in between, so that caches are written on the way.
    vault.lock_second().unwrap();
    vault.unlock_second(SECOND).unwrap();
    let (locked, finished) = vault.lock();
    finished.unwrap();
    drop(locked);
    let home = bench.home();
    let thief = Thief::new(&home);

    let (ops, sealed) = thief.ops(&home);
    assert_eq!(sealed, 3, "the finding, the login and its edit");
    let seen = encode_body(&ops, Compression::None);
    assert_eq!(has_word(&seen), None, "in the log");
    assert!(
        ops.iter().any(|op| matches!(&op.change, Change::Write { fields, .. }
        if fields.values().flatten().any(|value| value.contains("giraffe")))),
        "the log was read"
    );

    let place = Home::new(&home);
    let first = dump(&place.database(), &thief.views.database_key()).unwrap();
    assert_eq!(has_word(&first), None, "in the first database");
    assert!(first.windows(7).any(|window| window == b"giraffe"), "the database was read");
    assert!(dump(&place.second_database(), &thief.views.database_key()).is_err());
    assert!(Db::open(&place.second_database(), thief.views.database_key()).is_err());

    let index = Index::open(&place.index(), thief.index_keys(&bench, id), Params::default());
    let index = index.unwrap();
    let count = |word: &str| {
        let query = Query::parse(word, Typing::Done).unwrap();
        index.count(&query, &Scope::everything()).unwrap()
    };
    assert_eq!(WORDS.map(count), [0; 6]);
    assert_eq!(
        (count("giraffe"), count("category:health"), count("category:credentials")),
        (1, 0, 0)
    );
    let behind = thief.index_keys(&bench, id);
    assert!(Index::open(&place.second_index(), behind, Params::default()).is_err());

    // In no file at all as it lies there.
    let mut folders = vec![home];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                let found = has_word(&std::fs::read(entry.path()).unwrap());
                assert_eq!(found, None, "{}", entry.path().display());
            }
        }
    }
}

/// The keyring alone, with another second secret than the right one, opens no key behind the lock.
#[test]
fn a_wrong_second_secret_opens_no_key() {
    let bench = Bench::new();
    let (vault, _) = bench.create_with(Some(SECOND));
    fill(&vault);
    let listed = vault.roster().second_lock().unwrap().clone();
    let (locked, finished) = vault.lock();
    finished.unwrap();
    drop(locked);
    let mut thief = Thief::new(&bench.home());
    let base = thief.keyring.roots().second_base(load(&bench.home()).id(), &listed).unwrap();
    let factor = slot::second_factor("not this one", &listed.params).unwrap();
    let secrets = slot::SecondLockSecrets::derive(&base, &factor);
    assert!(secrets.check(&listed.keys).is_err());
    thief.keyring.open_second(listed.lock, &secrets);
    let (ops, sealed) = thief.ops(&bench.home());
    assert_eq!(sealed, 3);
    assert_eq!(has_word(&encode_body(&ops, Compression::None)), None);
}

/// KRG-8: nothing behind the lock is compressed, so that its length tells nothing of what it looks like.
#[test]
fn entries_behind_the_lock_are_not_compressed() {
    let bench = Bench::new();
    let (vault, _) = bench.create_with(Some(SECOND));
    let even = |kind, category| Draft {
        kind,
        category,
        fields: fields(json!({"name": "x", "text": "same ".repeat(20_000)})),
        ..note("a", "", "")
    };
    let session = owner(&vault);
    let size = || session.status().unwrap().log_bytes;
    let mut grown = Vec::new();
    for (kind, category) in [
        (Kind::Observation, Category::Health),
        (Kind::Login, Category::Credentials),
        (Kind::Note, Category::Notes),
    ] {
        let before = size();
        session.add(&even(kind, category)).unwrap();
        grown.push(size() - before);
    }
    assert!(grown[0] > 100_000 && grown[1] > 100_000 && grown[2] < 50_000, "{grown:?}");
}

/// Where the lock is made later, what was there leaves the first database and index. The log keeps what it
/// had, under the first lock: that is said to the person.
#[test]
fn what_goes_behind_a_later_lock_leaves_the_first_views() {
    let bench = Bench::new();
    let (mut vault, _) = bench.create();
    let id = vault.id();
    fill(&vault);
    vault.set_second(&password(PASSWORD), SECOND, Argon2Params::FLOOR).unwrap();
    let later = owner(&vault).add(&Draft { source_id: None, ..login() }).unwrap();
    assert!(owner(&vault).get(later).unwrap().is_some());
    let (locked, finished) = vault.lock();
    finished.unwrap();
    drop(locked);
    let home = bench.home();
    let thief = Thief::new(&home);
    let place = Home::new(&home);
    let first = dump(&place.database(), &thief.views.database_key()).unwrap();
    assert_eq!(has_word(&first), None, "in the first database");
    let index = Index::open(&place.index(), thief.index_keys(&bench, id), Params::default());
    let query = Query::parse("zebratext OR zebralogin", Typing::Done).unwrap();
    assert_eq!(index.unwrap().count(&query, &Scope::everything()).unwrap(), 0);
}

/// KRG-10: whoever knows the first password and an earlier second one reads what was written under it, and
/// nothing that came after it was changed.
#[test]
fn an_earlier_second_password_opens_nothing_that_was_written_after_it() {
    let bench = Bench::new();
    let (mut vault, _) = bench.create_with(Some(SECOND));
    let id = vault.id();
    let session = owner(&vault);
    session.add(&Draft { source_id: None, ..finding() }).unwrap();
    drop(session);
    let earlier = vault.roster().second_lock().unwrap().clone();
    vault.change_second(SECOND, "the next one", Argon2Params::FLOOR).unwrap();
    let later = owner(&vault).add(&Draft { source_id: None, ..login() }).unwrap();
    let (locked, finished) = vault.lock();
    finished.unwrap();
    drop(locked);

    let home = bench.home();
    let mut thief = Thief::new(&home);
    let base = thief.keyring.roots().second_base(id, &earlier).unwrap();
    let factor = slot::second_factor(SECOND, &earlier.params).unwrap();
    thief.keyring.open_second(earlier.lock, &slot::SecondLockSecrets::derive(&base, &factor));
    let (ops, sealed) = thief.ops(&home);
    assert_eq!(sealed, 1);
    let read = encode_body(&ops, Compression::None);
    let has = |word: &str| read.windows(word.len()).any(|window| window == word.as_bytes());
    assert!(has("zebratext") && !has("zebralogin"));

    let vault = bench.unlock();
    vault.unlock_second("the next one").unwrap();
    assert!(owner(&vault).get(later).unwrap().is_some());
    assert_eq!(owner(&vault).status().unwrap().records, 2);
    assert!(owner(&vault).verify(&mut |_| {}).unwrap().is_ok());
}
