// SPDX-License-Identifier: MIT OR Apache-2.0
//! What this implementation makes of a vector's input: a description of the value, or an error's name.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;

use aura_crypto::key::{CollectionKey, RootKey, SecretKey};
use aura_crypto::seal::open_entry;
use aura_crypto::sign::{LabelledSigner as _, NoteSigner as _};
use aura_protocol::codec::{Decode as _, Encode as _, Reader};
use aura_protocol::entry::{ChunkAdded, Entry};
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{
    BlobId, ChunkName, CollectionId, DeviceId, EpochId, FeedId, Hash, Incarnation, Nonce16,
    RecordId, VaultId,
};
use aura_protocol::log::{Frontier, NoteKey, open_note};
use aura_protocol::signed::Signed;
use aura_protocol::store::{LocalLog, StoreError};
use aura_testkit::vectors::Judgement;
use aura_vault::audit::{self, Event};
use aura_vault::blob::{self, BlobRef};
use aura_vault::change::content_hash;
use aura_vault::clock::HybridClock;
use aura_vault::db::Tally;
use aura_vault::device::DeviceFile;
use aura_vault::home::{Home, Kind as HomeKind};
use aura_vault::json::{canonical, flatten, unflatten};
use aura_vault::keyring::{Keyring, RootKeys};
use aura_vault::op::{Carried, Change, Dot, Op, decode_body};
use aura_vault::record::{Category, Kind};
use aura_vault::state::State;
use aura_vault::vault::wait_ms;
use aura_vault::view;
use serde_json::{Map, Value, json};

use crate::sample::{epoch_json, hex, unhex};

pub(crate) fn judge(what: &str, input: &Value) -> Judgement {
    match what {
        "marker" => marker(input),
        "secret-key-file" => secret_key(input),
        "device-file" => device(input),
        "attempts" => Ok(attempts(input)),
        "keyring" => keyring(input),
        "keyring-file" => keyring_file(input),
        "entry-body" => entry_body(input),
        "body" => body(input),
        "clock" => Ok(clock(input)),
        "canonical-text" => Ok(json!(canonical(&parsed(text(input, "json"))))),
        "paths" => Ok(json!(flatten(input["fields"].as_object().unwrap()))),
        "fields" => Ok(Value::Object(fields(&input["paths"]))),
        "record" => Ok(record(input)),
        "state-hash" => Ok(state_hash(input)),
        "content-hash" => Ok(content(input)),
        "words" => Ok(words(input)),
        "origin" => {
            Ok(json!(hex(&view::origin_key(text(input, "source"), text(input, "source_id")))))
        }
        "attachment" => attachment(input),
        "event" => event(&bytes(input, "bytes")),
        "audit-log" => audit_log(input),
        _ => panic!("no such kind: {what}"),
    }
}

fn said(error: impl core::fmt::Debug) -> String {
    format!("{error:?}")
}

fn text<'a>(input: &'a Value, name: &str) -> &'a str {
    input[name].as_str().unwrap()
}

fn bytes(input: &Value, name: &str) -> Vec<u8> {
    unhex(text(input, name))
}

fn array<const N: usize>(text: &Value) -> [u8; N] {
    unhex(text.as_str().unwrap()).try_into().unwrap()
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

fn epoch(value: &Value) -> EpochId {
    let counter = u32::try_from(value[0].as_u64().unwrap()).unwrap();
    EpochId { counter, nonce: Nonce16(array(&value[1])) }
}

fn roots(input: &Value) -> (VaultId, RootKeys) {
    let vault = VaultId(array(&input["vault"]));
    let root = RootKey::from_slice(&bytes(input, "root")).unwrap();
    (vault, RootKeys::derive(root, vault, epoch(&input["generation"])))
}

fn home(write: impl FnOnce(&Home)) -> (tempfile::TempDir, Home) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path());
    write(&home);
    (folder, home)
}

fn marker(input: &Value) -> Judgement {
    let (_folder, home) = home(|home| fs::write(home.marker(), text(input, "file")).unwrap());
    match home.kind().map_err(|error| said(error.kind()))? {
        HomeKind::Vault(vault) => Ok(json!(vault.to_string())),
        other => Err(said(other)),
    }
}

fn secret_key(input: &Value) -> Judgement {
    let key = SecretKey::parse(text(input, "file").trim()).map_err(said)?;
    Ok(json!(hex(key.dangerous_bytes())))
}

fn device(input: &Value) -> Judgement {
    let (vault, roots) = roots(input);
    let file = bytes(input, "file");
    let file = DeviceFile::from_bytes(&file, file.len()).map_err(said)?;
    let device = file.open(vault, &roots).map_err(said)?;
    Ok(json!({
        "device": device.id().to_string(),
        "incarnation": device.incarnation.to_string(),
        "sign": hex(&device.sign.verifying_key()),
        "log": hex(&device.log.verifying_key()),
        "witness": hex(&device.witness.verifying_key()),
    }))
}

fn attempts(input: &Value) -> Value {
    let (_folder, home) = home(|home| fs::write(home.attempts(), bytes(input, "file")).unwrap());
    json!({ "wait_ms": wait_ms(&home, input["now_ms"].as_i64().unwrap()) })
}

fn known(keyring: &Keyring, places: &[(CollectionId, EpochId)]) -> Value {
    let key = |(collection, epoch): &(CollectionId, EpochId)| {
        let key = keyring.key(*collection, *epoch)?;
        let key = hex(key.dangerous_bytes());
        Some(
            json!({ "collection": collection.to_string(), "epoch": epoch_json(*epoch), "key": key }),
        )
    };
    let mut places = places.to_vec();
    places.sort_unstable();
    places.dedup();
    let newest = places.iter().filter_map(|(collection, _)| {
        Some((collection.to_string(), epoch_json(keyring.epoch(*collection)?)))
    });
    let written = (0..=u8::MAX).filter_map(|code| {
        let purpose = aura_vault::keyring::Purpose::from_code(code)?;
        Some((code.to_string(), json!(keyring.collection(purpose)?.to_string())))
    });
    json!({
        "keys": places.iter().filter_map(key).collect::<Vec<_>>(),
        "newest": newest.collect::<Map<_, _>>(),
        "written": written.collect::<Map<_, _>>(),
    })
}

fn keyring(input: &Value) -> Judgement {
    let (vault, roots) = roots(input);
    let mut places = vec![(CollectionId::ROOT, roots.generation)];
    let mut keyring = Keyring::new(vault, roots);
    for body in input["bodies"].as_array().unwrap() {
        for op in decode_body(&unhex(body.as_str().unwrap())).map_err(said)? {
            keyring.apply(&op.change).map_err(said)?;
            if let Change::Key { collection, epoch, .. } = op.change {
                places.push((collection, epoch));
            }
        }
    }
    Ok(known(&keyring, &places))
}

fn keyring_file(input: &Value) -> Judgement {
    let (vault, roots) = roots(input);
    let mut places = vec![(CollectionId::ROOT, roots.generation)];
    let mut keyring = Keyring::new(vault, roots);
    let views = keyring.load_file(&bytes(input, "file")).map_err(said)?;
    for place in input["epochs"].as_array().unwrap() {
        places.push((CollectionId(array(&place[0])), epoch(&place[1])));
    }
    let mut value = known(&keyring, &places);
    value["database"] = json!(hex(views.database.dangerous_bytes()));
    value["search"] = json!(hex(views.search.dangerous_bytes()));
    Ok(value)
}

fn entry_body(input: &Value) -> Judgement {
    let key = CollectionKey::from_slice(&bytes(input, "key")).unwrap();
    let mut stored = aura_protocol::codec::Writer::new();
    stored.array(2).bytes(&bytes(input, "header")).bytes(&bytes(input, "body"));
    let stored = stored.into_bytes();
    let entry = Entry::decode(&mut Reader::new(&stored)).map_err(said)?;
    let feed = FeedId {
        collection: CollectionId(array(&input["feed"][0])),
        device: DeviceId(array(&input["feed"][1])),
        incarnation: Incarnation(array(&input["feed"][2])),
    };
    let place = (VaultId(array(&input["vault"])), feed, input["number"].as_u64().unwrap());
    let plain = open_entry(&key, &entry, place).map_err(said)?;
    Ok(json!({ "plain": hex(&plain) }))
}

fn place(dot: &Dot) -> Value {
    json!([dot.device.to_string(), dot.incarnation.to_string(), dot.number, dot.index])
}

fn body(input: &Value) -> Judgement {
    let ops = decode_body(&bytes(input, "bytes")).map_err(said)?;
    Ok(json!({ "ops": ops.iter().map(show).collect::<Vec<_>>() }))
}

fn show(op: &Op) -> Value {
    let seen = |seen: &[Dot]| seen.iter().map(place).collect::<Vec<_>>();
    let (code, change) = match &op.change {
        Change::Write { record, kind, fields, seen: dots } => {
            let record = record.to_string();
            (1, json!({ "record": record, "kind": kind, "fields": fields, "seen": seen(dots) }))
        }
        Change::Delete { record, seen: dots } => {
            (2, json!({ "record": record.to_string(), "seen": seen(dots) }))
        }
        Change::Key { collection, epoch, sealed } => {
            let collection = collection.to_string();
            let epoch = epoch_json(*epoch);
            (3, json!({ "collection": collection, "epoch": epoch, "sealed": hex(sealed) }))
        }
        Change::Name { collection, category } => {
            (4, json!({ "collection": collection.to_string(), "purpose": category }))
        }
        Change::SecondKey { collection, epoch, lock, sealed } => {
            let collection = collection.to_string();
            let (epoch, lock) = (epoch_json(*epoch), epoch_json(*lock));
            let sealed = hex(sealed);
            (7, json!({ "collection": collection, "epoch": epoch, "lock": lock, "sealed": sealed }))
        }
        Change::SecretKey { slot, sealed } => {
            (8, json!({ "slot": slot.to_string(), "sealed": hex(sealed) }))
        }
        Change::Event(event) => (5, json!({ "event": hex(event) })),
        Change::Fact { name, value } => (6, json!({ "name": name, "value": value })),
        Change::Carry(carry) => {
            let record = |record: Option<RecordId>| record.map(|record| record.to_string());
            let of = |carried: &Carried| {
                let named = carried.is_named;
                let (op, replaced) = (show(&carried.op), &carried.replaced);
                json!({ "place": place(&carried.dot), "named": named, "replaced": replaced, "op": op })
            };
            let ops: Vec<_> = carry.ops.iter().map(of).collect();
            let (after, of) = (record(carry.after), record(carry.record));
            (9, json!({ "after": after, "record": of, "ops": ops }))
        }
        Change::Unknown(encoded) => return json!({ "unknown": hex(encoded) }),
    };
    json!({ "type": code, "clock": op.clock, "author": op.author, "change": change })
}

fn clock(input: &Value) -> Value {
    let now_ms = input["now_ms"].as_i64().unwrap();
    let mut clock = HybridClock::after(input["last"].as_u64().unwrap());
    if let Some(observed) = input["observed"].as_u64() {
        clock.observe(observed, now_ms);
    }
    json!({ "next": clock.tick(now_ms) })
}

fn fields(paths: &Value) -> Map<String, Value> {
    let paths = paths.as_object().unwrap().iter();
    unflatten(paths.map(|(path, text)| (path.as_str(), text.as_str().unwrap())))
}

fn record(input: &Value) -> Value {
    let id = RecordId(array(&input["record"]));
    let mut state = State::default();
    for op in input["ops"].as_array().unwrap() {
        let place = &op["place"];
        let dot = Dot {
            device: DeviceId(array(&place[0])),
            incarnation: Incarnation(array(&place[1])),
            number: place[2].as_u64().unwrap(),
            index: u32::try_from(place[3].as_u64().unwrap()).unwrap(),
        };
        let ops = decode_body(&unhex(op["body"].as_str().unwrap())).unwrap();
        assert_eq!(ops.len(), 1);
        state.apply(dot, &ops[0]);
    }
    let values: BTreeMap<&str, &str> = state.values().collect();
    json!({
        "exists": state.is_live(),
        "kind": state.kind().map(Kind::code),
        "values": values,
        "fields": state.clone().into_fields(),
        "conflicts": state.conflicts(),
        "changed": state.modified(),
        "time_ms": view::time_ms(&state, id),
        "leaf": hex(&state.leaf(id)),
    })
}

fn state_hash(input: &Value) -> Value {
    let mut tally = Tally::default();
    for record in input["records"].as_array().unwrap() {
        let category = u8::try_from(record["category"].as_u64().unwrap()).unwrap();
        tally.add(Category::from_code(category).unwrap(), &array(&record["leaf"]));
    }
    let categories = tally.counts().map(|(category, _)| {
        (category.code().to_string(), json!(hex(&tally.category_hash(category))))
    });
    json!({
        "categories": categories.collect::<Map<_, _>>(),
        "state": hex(&tally.state_hash()),
    })
}

fn content(input: &Value) -> Value {
    let code = |name: &str| u8::try_from(input[name].as_u64().unwrap()).unwrap();
    let paths = input["paths"].as_object().unwrap().iter();
    let paths = paths.map(|(path, text)| (path.clone(), text.as_str().unwrap().to_owned()));
    let kind = Kind::from_code(code("kind")).unwrap();
    let category = Category::from_code(code("category")).unwrap();
    json!(content_hash(kind, category, &paths.collect()))
}

fn words(input: &Value) -> Value {
    if input == "kind" {
        let row = |kind: &Kind| json!([kind.code(), kind.as_str(), kind.category().code()]);
        return Kind::ALL.iter().map(row).collect();
    }
    Category::ALL.iter().map(|category| json!([category.code(), category.as_str()])).collect()
}

fn attachment(input: &Value) -> Judgement {
    let field = BlobRef::parse(text(input, "field")).ok_or("no attachment")?;
    let names: Vec<String> = field.chunk_names().iter().map(ToString::to_string).collect();
    let chunks = input["chunks"].as_object().unwrap().iter();
    let chunk = |(name, sealed): (&String, &Value)| {
        (ChunkName::parse(name).unwrap(), unhex(sealed.as_str().unwrap()))
    };
    let chunks = Chunks(Mutex::new(chunks.map(chunk).collect()));
    let mut plain = Vec::new();
    let blob = BlobId(array(&input["blob"]));
    blob::open(&chunks, blob, &field, &mut plain).map_err(|error| match error {
        blob::BlobError::Store(_) => "no such chunk".to_owned(),
        other => said(other),
    })?;
    let print = blob::fingerprint(plain.as_slice()).unwrap();
    Ok(json!({ "size": print.size, "sha256": print.sha256, "names": names }))
}

fn event(encoded: &[u8]) -> Judgement {
    let event = Event::parse(encoded).map_err(said)?;
    let categories: Vec<u8> = event.categories.iter().map(|category| category.code()).collect();
    assert_eq!(event.to_bytes(), encoded);
    Ok(json!({
        "time_ms": event.time_ms,
        "principal": event.principal,
        "action": event.action.code(),
        "categories": categories,
        "count": event.count,
        "grant": event.grant,
        "leaf_hash": Event::leaf(encoded).to_string(),
    }))
}

fn audit_log(input: &Value) -> Judgement {
    let device = DeviceId(array(&input["device"]));
    let origin = audit::origin(device, Incarnation(array(&input["incarnation"])));
    let mut frontier = Frontier::new();
    for encoded in input["events"].as_array().unwrap() {
        let encoded = unhex(encoded.as_str().unwrap());
        Event::parse(&encoded).map_err(said)?;
        frontier.push(Event::leaf(&encoded));
    }
    let signer = NoteKey { name: origin, key: array(&input["key"]) };
    let checkpoint = open_note(text(input, "note").as_bytes(), &signer).map_err(said)?;
    if checkpoint.size != frontier.size() {
        return Err("another size".to_owned());
    }
    if checkpoint.root != frontier.root() {
        return Err("another root".to_owned());
    }
    Ok(
        json!({ "origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.to_string() }),
    )
}

/// A store with chunks and nothing else.
#[derive(Default)]
pub(crate) struct Chunks(pub(crate) Mutex<BTreeMap<ChunkName, Vec<u8>>>);

impl LocalLog for Chunks {
    fn append(&self, _: &[Entry], _: &Signed<Head>) -> Result<(), StoreError> {
        Err(StoreError::Absent)
    }

    fn read(&self, _: FeedId, _: u64, _: usize) -> Result<Vec<Entry>, StoreError> {
        Err(StoreError::Absent)
    }

    fn entry(&self, _: FeedId, _: u64) -> Result<Entry, StoreError> {
        Err(StoreError::Absent)
    }

    fn feeds(&self) -> Result<Vec<(FeedId, Position)>, StoreError> {
        Err(StoreError::Absent)
    }

    fn floor(&self, _: FeedId) -> Result<Position, StoreError> {
        Err(StoreError::Absent)
    }

    fn forget(&self, _: Hash) -> Result<u64, StoreError> {
        Err(StoreError::Absent)
    }

    fn claims(&self, _: ChunkName) -> Result<Vec<ChunkAdded>, StoreError> {
        Err(StoreError::Absent)
    }

    fn heads(&self) -> Result<Vec<Signed<Head>>, StoreError> {
        Err(StoreError::Absent)
    }

    fn rotten_heads(&self) -> Result<Vec<(DeviceId, Incarnation)>, StoreError> {
        Err(StoreError::Absent)
    }

    fn put_chunk(&self, name: ChunkName, sealed: &[u8]) -> Result<(), StoreError> {
        self.0.lock().unwrap().insert(name, sealed.to_vec());
        Ok(())
    }

    fn chunk(&self, name: ChunkName) -> Result<Vec<u8>, StoreError> {
        self.0.lock().unwrap().get(&name).cloned().ok_or(StoreError::Absent)
    }

    fn chunks(&self) -> Result<Vec<(ChunkName, u64)>, StoreError> {
        Err(StoreError::Absent)
    }

    fn sweep_chunks(&self, _: &[ChunkName]) -> Result<(), StoreError> {
        Err(StoreError::Absent)
    }

    fn give_way(&self, _: &[(FeedId, u64)]) -> Result<(), StoreError> {
        Err(StoreError::Absent)
    }

    fn size_bytes(&self) -> Result<(u64, u64), StoreError> {
        Err(StoreError::Absent)
    }
}
