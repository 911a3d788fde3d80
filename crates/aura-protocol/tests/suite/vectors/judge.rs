// SPDX-License-Identifier: MIT OR Apache-2.0
//! What this implementation makes of a vector's input: a description of the value, or an error's name.

use aura_protocol::authority::{Roster, SignedStatement, Snapshot};
use aura_protocol::codec::{Decode, Encode, Reader};
use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{DeviceId, EpochId, Hash};
use aura_protocol::label::Label;
use aura_protocol::limits::{ENTRY_HEADER_BYTES_MAX, HEAD_BYTES_MAX, STATEMENT_BYTES_MAX};
use aura_protocol::log::{
    Frontier, NoteKey, leaf_hash, open_note, verify_consistency, verify_inclusion,
};
use aura_protocol::signed::{Signature, Signed, verify};
use aura_testkit::vectors::Judgement;
use serde_json::{Value, json};

use crate::sample::{hex, unhex};

pub(crate) fn judge(what: &str, input: &Value) -> Judgement {
    match what {
        "cbor" => cbor(input),
        "device-id" => Ok(json!(DeviceId::of_key(&array(input, "key")).to_string())),
        "entry" => entry(input),
        "head" => head(input),
        "statements" => statements(input),
        "signature" => signature(input),
        "root" => Ok(root(input)),
        "inclusion" => inclusion(input),
        "consistency" => consistency(input),
        "note" => note(input),
        _ => panic!("no such kind: {what}"),
    }
}

fn said(error: impl core::fmt::Debug) -> String {
    format!("{error:?}")
}

fn bytes(input: &Value, name: &str) -> Vec<u8> {
    unhex(input[name].as_str().unwrap())
}

fn array<const N: usize>(input: &Value, name: &str) -> [u8; N] {
    bytes(input, name).try_into().unwrap()
}

fn hash(input: &Value, name: &str) -> Hash {
    Hash(array(input, name))
}

fn hashes(input: &Value, name: &str) -> Vec<Hash> {
    let list = input[name].as_array().unwrap();
    list.iter().map(|hash| Hash::parse(hash.as_str().unwrap()).unwrap()).collect()
}

fn number(input: &Value, name: &str) -> u64 {
    input[name].as_u64().unwrap()
}

fn cbor(input: &Value) -> Judgement {
    let bytes = bytes(input, "bytes");
    let mut reader = Reader::new(&bytes);
    let value = reader.any().map_err(said)?;
    reader.finish().map_err(said)?;
    Ok(json!({ "bytes_read": value.len() }))
}

fn epoch(epoch: EpochId) -> Value {
    json!({ "counter": epoch.counter, "nonce": epoch.nonce.to_string() })
}

fn position(position: Position) -> Value {
    json!({ "number": position.number, "hash": position.hash.to_string() })
}

fn entry(input: &Value) -> Judgement {
    let (header_bytes, body) = (bytes(input, "header"), bytes(input, "body"));
    if header_bytes.len() > ENTRY_HEADER_BYTES_MAX {
        return Err("Bounds".to_owned());
    }
    let entry = Entry::from_parts(header_bytes, body).map_err(said)?;
    let header = entry.header();
    assert_eq!(header.to_bytes(), entry.header_bytes());
    let added: Vec<Value> = header
        .added
        .iter()
        .map(|chunk| {
            json!({
                "name": chunk.name.to_string(),
                "hash": chunk.hash.to_string(),
                "size_bytes": chunk.size_bytes,
            })
        })
        .collect();
    Ok(json!({
        "vault": header.vault.to_string(),
        "collection": header.feed.collection.to_string(),
        "device": header.feed.device.to_string(),
        "incarnation": header.feed.incarnation.to_string(),
        "epoch": epoch(header.epoch),
        "number": header.number,
        "previous": header.previous.to_string(),
        "added": added,
        "dropped": header.dropped.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "unknown_members": header.extra.len(),
        "context": hex(&header.context()),
        "hash": entry.hash().to_string(),
    }))
}

fn head(input: &Value) -> Judgement {
    let signed =
        Signed::<Head>::from_bytes(&bytes(input, "bytes"), HEAD_BYTES_MAX + 128).map_err(said)?;
    let hash = signed.hash();
    let head = signed.verify(&array(input, "key")).map_err(said)?;
    let feeds: Vec<Value> = head
        .feeds
        .iter()
        .map(
            |(collection, at)| json!({ "collection": collection.to_string(), "at": position(*at) }),
        )
        .collect();
    let seen: Vec<Value> = head
        .seen
        .iter()
        .map(|seen| {
            json!({
                "device": seen.device.to_string(),
                "incarnation": seen.incarnation.to_string(),
                "held": position(seen.held),
                "applied": position(seen.applied),
            })
        })
        .collect();
    Ok(json!({
        "vault": head.vault.to_string(),
        "device": head.device.to_string(),
        "incarnation": head.incarnation.to_string(),
        "number": head.number,
        "previous": head.previous.to_string(),
        "feeds": feeds,
        "seen": seen,
        "waiting": head.waiting.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "checkpoint": hex(&head.checkpoint),
        "cosignatures": head.cosignatures.len(),
        "clock": head.clock,
        "hash": hash.to_string(),
    }))
}

/// A genesis and what follows, the last of which the case is about: the others must be accepted.
fn statements(input: &Value) -> Judgement {
    let list = input["statements"].as_array().unwrap();
    let parse = |value: &Value| {
        let bytes = unhex(value.as_str().unwrap());
        SignedStatement::from_bytes(&bytes, 2 * STATEMENT_BYTES_MAX).map_err(said)
    };
    let (last, before) = list.split_last().unwrap();
    let mut roster: Option<Roster> = None;
    for statement in before {
        let statement = parse(statement).unwrap();
        match &mut roster {
            None => roster = Some(Roster::begin(&statement).unwrap()),
            Some(roster) => roster.apply(&statement).unwrap(),
        }
    }
    let statement = parse(last)?;
    match &mut roster {
        None => roster = Some(Roster::begin(&statement).map_err(said)?),
        Some(roster) => roster.apply(&statement).map_err(said)?,
    }
    Ok(described(&roster.unwrap()))
}

fn described(roster: &Roster) -> Value {
    let devices: Vec<Value> = roster
        .devices()
        .iter()
        .map(|(id, device)| {
            json!({
                "device": id.to_string(),
                "order": device.order,
                "confirmed": device.is_confirmed,
                "retired": device.is_retired,
                "revoked": device.revoked.is_some(),
                "closed": device.closed.len(),
            })
        })
        .collect();
    let epochs: Vec<Value> = roster
        .epochs()
        .keys()
        .map(|id| json!({ "collection": id.to_string(), "newest": roster.epoch(*id).map(epoch) }))
        .collect();
    let last = Hash([0x1a; 32]);
    let adopters = |base: &Snapshot| -> Vec<String> {
        let ids = roster.devices().keys();
        ids.filter(|id| roster.has_adopted(**id, base, last)).map(ToString::to_string).collect()
    };
    let bases: Vec<Value> = roster
        .snapshots()
        .iter()
        .map(|base| json!({ "base": base.id.to_string(), "adopted": adopters(base) }))
        .collect();
    json!({
        "vault": roster.vault().to_string(),
        "generation": epoch(roster.identity().0),
        "devices": devices,
        "slots": roster.slots().keys().map(ToString::to_string).collect::<Vec<_>>(),
        "wraps": roster.wraps().len(),
        "epochs": epochs,
        "floor": [roster.floor().0, roster.floor().1],
        "bases": bases,
    })
}

fn signature(input: &Value) -> Judgement {
    let label = Label::ALL.iter().find(|label| label.as_str() == input["label"]).unwrap();
    let signature = Signature(array(input, "signature"));
    verify(&array(input, "key"), *label, &bytes(input, "payload"), &signature).map_err(said)?;
    Ok(json!(true))
}

fn root(input: &Value) -> Value {
    let mut frontier = Frontier::new();
    let leaves = input["leaves"].as_array().unwrap();
    leaves.iter().for_each(|leaf| frontier.push(leaf_hash(&unhex(leaf.as_str().unwrap()))));
    json!({ "root": frontier.root().to_string(), "frontier": hex(&frontier.to_bytes()) })
}

fn inclusion(input: &Value) -> Judgement {
    let (leaf, root) = (hash(input, "leaf_hash"), hash(input, "root"));
    let tree = (number(input, "size"), &root);
    verify_inclusion(&leaf, number(input, "index"), tree, &hashes(input, "proof")).map_err(said)?;
    Ok(json!(true))
}

fn consistency(input: &Value) -> Judgement {
    let (old, new) = (hash(input, "old_root"), hash(input, "new_root"));
    let from = (number(input, "old_size"), &old);
    let to = (number(input, "new_size"), &new);
    verify_consistency(from, to, &hashes(input, "proof")).map_err(said)?;
    Ok(json!(true))
}

fn note(input: &Value) -> Judgement {
    let name = input["name"].as_str().unwrap().to_owned();
    let signer = NoteKey { name, key: array(input, "key") };
    let checkpoint =
        open_note(input["note"].as_str().unwrap().as_bytes(), &signer).map_err(said)?;
    Ok(json!({
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.to_string(),
        "key": signer.to_text(),
    }))
}
