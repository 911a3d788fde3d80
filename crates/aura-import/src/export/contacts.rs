// SPDX-License-Identifier: MIT OR Apache-2.0
//! Contacts to one file of vCards 4.0.
//!
//! Photos and other files of a contact are written into its card. Source: RFC 6350, RFC 9555.

use std::io::{self, Write};

use aura_vault::record::Fields;
use calcard::jscontact::JSContact;
use calcard::vcard::VCardVersion;
use serde_json::{Value, json};

use super::content_line::{rewritten, with_last};
use super::{Exported, Outcome, own_origin};
use crate::formats::component::{guarded, unfold};
use crate::formats::origin::ORDER;
use crate::formats::{media, vcard};

/// Writes a card for each record.
///
/// # Errors
/// When `out` does not take it; what could not be converted is in the outcome.
pub fn write(
    records: &mut dyn Iterator<Item = Exported>,
    out: &mut dyn Write,
) -> io::Result<Outcome> {
    let mut outcome = Outcome::default();
    for record in records {
        let mut origin = own_origin(&record.fields, &record, vcard::SOURCE);
        let mut fields = record.fields.clone();
        fields.remove("extra");
        fields.insert("@type".to_owned(), "Card".into());
        fields.insert("version".to_owned(), "1.0".into());
        fields.entry("uid").or_insert_with(|| record.id.as_str().into());
        if with_name(&mut fields) {
            origin.added.push("FN");
        }
        let files = media::embed(&mut fields, "media", "uri", &record.attachments);
        let keys = media::embed(&mut fields, "cryptoKeys", "uri", &record.attachments);
        let is_ordered = fields.get("name").is_some_and(says_order);
        let addresses = fields.get("addresses").and_then(Value::as_object);
        if addresses.is_some_and(|addresses| !addresses.values().any(says_order)) {
            origin.added.push(ORDER);
        }
        let text = Value::Object(fields).to_string();
        match guarded(|| convert(&text)).flatten() {
            Some(card) => {
                let card = if is_ordered { card } else { without_order(&card) };
                out.write_all(&with_last(card, origin.line()))?;
                outcome.records = outcome.records.saturating_add(1);
                let written = files.written.saturating_add(keys.written);
                outcome.attachments = outcome.attachments.saturating_add(written);
            }
            None => outcome.failed.push((record.id.clone(), "it has no vCard form".to_owned())),
        }
        let failed = files.failed.into_iter().chain(keys.failed);
        outcome.failed.extend(failed.map(|reason| (record.id.clone(), reason)));
    }
    out.flush()?;
    Ok(outcome)
}

/// Whether the parts of a name or an address are in the order in which they are shown.
fn says_order(parts: &Value) -> bool {
    parts.get(ORDER).and_then(Value::as_bool) == Some(true)
}

/// The converter tells the order of a name's parts also where nobody did (RFC 9555, 3.3.1). An address
/// keeps it: without, its parts are read in another one.
fn without_order(card: &[u8]) -> Vec<u8> {
    let mut plain = String::new();
    for line in unfold(card) {
        let value = line.strip_prefix("N;JSCOMPS=\"").and_then(|rest| rest.split_once("\":"));
        match value {
            Some((_, value)) => plain.extend(["N:", value]),
            None => plain.push_str(&line),
        }
        plain.push_str("\r\n");
    }
    rewritten(plain.as_bytes())
}

/// A card must have a name (RFC 6350, 6.2.1), though not every contact has one. Whether it got one.
fn with_name(fields: &mut Fields) -> bool {
    let is_full = |name: &Value| name.get("full").is_some_and(Value::is_string);
    if !fields.get("name").is_some_and(is_full)
        && let Value::Object(name) = fields.entry("name").or_insert_with(|| json!({}))
    {
        name.insert("full".to_owned(), "Unnamed".into());
        return true;
    }
    false
}

/// The foreign part: everything in here may panic.
fn convert(text: &str) -> Option<Vec<u8>> {
    let card = JSContact::<'_, String, String>::parse(text).ok()?.into_vcard()?;
    let mut written = String::new();
    card.write_to(&mut written, VCardVersion::V4_0).ok()?;
    Some(rewritten(written.as_bytes()))
}

#[cfg(test)]
#[path = "contacts_tests.rs"]
mod tests;
