// SPDX-License-Identifier: MIT OR Apache-2.0
//! Credentials to Bitwarden's JSON, which most password managers read.
//!
//! The file is not encrypted; who writes it out must say so to the person. Folders stand before the
//! items that name them, so the items are held until all are known.

use std::collections::BTreeMap;
use std::io::{self, Write};

use aura_vault::record::Fields;
use serde_json::{Value, json};

use super::{Exported, Outcome};
use crate::stamp::timestamp;

/// Most credentials in one file.
const ITEMS_MAX: usize = 200_000;

/// Writes one export with all records and their folders.
///
/// # Errors
/// When `out` does not take it. Attachments have no place in this form and are named as failed.
pub fn write(
    records: &mut dyn Iterator<Item = Exported>,
    out: &mut dyn Write,
) -> io::Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut folders: BTreeMap<String, String> = BTreeMap::new();
    let mut items: Vec<Value> = Vec::new();
    for record in records {
        if items.len() >= ITEMS_MAX {
            let reason = "there are more credentials than one file takes";
            outcome.failed.push((record.id.clone(), reason.to_owned()));
            continue;
        }
        if !record.attachments.is_empty() {
            let reason = "its files have no place in this form; its fields were written";
            outcome.failed.push((record.id.clone(), reason.to_owned()));
        }
        items.push(item(record, &mut folders));
        outcome.records = outcome.records.saturating_add(1);
    }
    let listed: Vec<Value> =
        folders.iter().map(|(name, id)| json!({ "id": id, "name": name })).collect();
    // Written piece by piece, because readers want to know first whether it is encrypted.
    out.write_all(b"{\"encrypted\":false,\"folders\":")?;
    serde_json::to_writer(&mut *out, &listed)?;
    out.write_all(b",\"items\":")?;
    serde_json::to_writer(&mut *out, &items)?;
    out.write_all(b"}\n")?;
    out.flush()?;
    Ok(outcome)
}

fn item(record: Exported, folders: &mut BTreeMap<String, String>) -> Value {
    let is_from_bitwarden = record.source.as_deref() == Some("bitwarden");
    let id = record.source_id.filter(|_| is_from_bitwarden).unwrap_or(record.id);
    let mut item: Fields = record.fields;
    if let Some(Value::String(folder)) = item.remove("folder") {
        let next = folders.len() + 1;
        let id = folders.entry(folder).or_insert_with(|| format!("folder-{next}"));
        item.insert("folderId".to_owned(), id.as_str().into());
    }
    if let Some(ms) = record.time_ms
        && !["creationDate", "revisionDate"].iter().any(|date| item.contains_key(*date))
    {
        item.insert("creationDate".to_owned(), timestamp(ms).into());
    }
    item.insert("id".to_owned(), id.into());
    item.entry("type").or_insert_with(|| 1.into());
    if item.get("type").and_then(Value::as_i64) == Some(1) {
        item.entry("login").or_insert_with(|| json!({}));
    }
    item.entry("name").or_insert_with(|| "Unnamed".into());
    for (name, value) in
        [("notes", Value::Null), ("favorite", false.into()), ("reprompt", 0.into())]
    {
        item.entry(name).or_insert(value);
    }
    item.into()
}

#[cfg(test)]
mod tests {
    use aura_vault::record::Kind;

    use super::*;
    use crate::formats::bitwarden;
    use crate::formats::collect::Collect;

    fn exported(id: &str, fields: &Value) -> Exported {
        Exported {
            id: id.to_owned(),
            kind: Kind::Login,
            category: Kind::Login.category(),
            fields: fields.as_object().unwrap().clone(),
            attachments: Vec::new(),
            source: None,
            source_id: None,
            time_ms: None,
        }
    }

    #[test]
    fn out_and_in_again() {
        let one = json!({"type": 1, "name": "a", "folder": "Home/Net", "login": {"username": "u"}, "favorite": true, "reprompt": 0});
        let two = json!({"type": 2, "name": "b", "folder": "Home/Net", "secureNote": {"type": 0}, "favorite": false, "reprompt": 0});
        let mut out = Vec::new();
        let mut records = [exported("r1", &one), exported("r2", &two)].into_iter();
        let outcome = write(&mut records, &mut out).unwrap();
        assert_eq!((outcome.records, outcome.failed.len()), (2, 0));
        assert!(bitwarden::recognise(&out, "x"));
        let mut sink = Collect::default();
        bitwarden::read("b", &mut out.as_slice(), &mut sink).unwrap();
        let back: Vec<Value> = sink.drafts.iter().map(|d| d.fields.clone().into()).collect();
        assert_eq!(back, [one, two]);
        assert_eq!(sink.drafts[0].source_id.as_deref(), Some("r1"));
    }
}
