// SPDX-License-Identifier: MIT OR Apache-2.0
//! One card to a draft.

use aura_vault::record::{Fields, Kind};
use calcard::jscontact::JSContact;
use calcard::vcard::VCard;
use serde_json::{Value, json};

use super::super::component::{guarded, property};
use super::super::origin::{ORDER, Origin};
use super::super::{instant, media};
use crate::draft::Draft;

/// The word that cards are marked with.
pub(crate) const SOURCE: &str = "vcard";
/// Most lines kept of those that are not properties.
const STRAY_LINES_MAX: usize = 100;

/// Members that tell something of somebody without a name.
const SAYING: &[&str] = &[
    "addresses",
    "anniversaries",
    "calendars",
    "cryptoKeys",
    "links",
    "media",
    "members",
    "nicknames",
    "notes",
    "onlineServices",
    "personalInfo",
    "preferredLanguages",
    "relatedTo",
    "schedulingAddresses",
    "titles",
];

/// A draft of these logical lines.
pub(super) fn draft(lines: &[String]) -> Result<Draft, &'static str> {
    let mut lines = lines.to_vec();
    let attachments = media::lift(&mut lines);
    let origin = Origin::lift(&mut lines);
    let text = text(&lines);
    let mut fields = guarded(|| convert(&text)).ok_or("its parts contradict each other")??;
    let uid = lines.iter().filter_map(|line| property(line)).find(|(name, _)| name == "UID");
    let source_id = uid.map(|(_, uid)| uid.trim().to_owned()).filter(|uid| !uid.is_empty());
    name(&mut fields)?;
    labels(&mut fields);
    without_version(&mut fields);
    if origin.added.contains(&ORDER) {
        let addresses = fields.get_mut("addresses").and_then(Value::as_object_mut);
        for (_, address) in addresses.into_iter().flatten() {
            address.as_object_mut().and_then(|address| address.remove(ORDER));
        }
    }
    let stray: Vec<Value> = lines
        .iter()
        .filter(|line| property(line).is_none())
        .take(STRAY_LINES_MAX)
        .map(|line| line.as_str().into())
        .collect();
    let mut extra = origin.extra;
    if !stray.is_empty() {
        extra.insert("strayLines".to_owned(), stray.into());
    }
    if !extra.is_empty() {
        fields.insert("extra".to_owned(), Value::Object(extra));
    }
    let time = fields.get("updated").or_else(|| fields.get("created")).and_then(Value::as_str);
    let time_ms = time.and_then(instant::iso_ms);
    Ok(Draft {
        kind: Kind::Contact,
        category: Kind::Contact.category(),
        source: SOURCE,
        source_id: source_id.or(origin.source_id),
        time_ms,
        fields,
        attachments,
    })
}

/// The card that the parser is given: Apple's groups written as vCard 4.0 writes them.
fn text(lines: &[String]) -> String {
    let mut text = String::new();
    for line in lines {
        let renamed =
            [("X-ADDRESSBOOKSERVER-KIND", "KIND"), ("X-ADDRESSBOOKSERVER-MEMBER", "MEMBER")]
                .iter()
                .find(|(old, _)| line.get(..old.len()).is_some_and(|n| n.eq_ignore_ascii_case(old)))
                .and_then(|(old, new)| Some(format!("{new}{}", line.get(old.len()..)?)));
        text.push_str(renamed.as_deref().unwrap_or(line));
        text.push_str("\r\n");
    }
    text
}

/// The foreign part: everything in here may panic.
fn convert(text: &str) -> Result<Fields, &'static str> {
    let Ok(card) = VCard::parse(text) else {
        return Err("its lines are not properties");
    };
    let converted: JSContact<'_, String, String> = card.into_jscontact();
    match serde_json::to_value(&converted.0) {
        Ok(Value::Object(fields)) => Ok(fields),
        _ => Err("it could not be converted"),
    }
}

/// Which version of vCard a card was written in says nothing of the contact.
fn without_version(fields: &mut Fields) {
    let Some(Value::Object(kept)) = fields.get_mut("vCard") else { return };
    if let Some(Value::Array(properties)) = kept.get_mut("properties") {
        properties.retain(|property| property.get(0).and_then(Value::as_str) != Some("version"));
        if properties.is_empty() {
            kept.remove("properties");
        }
    }
    if kept.is_empty() {
        fields.remove("vCard");
    }
}

/// Makes sure that there is a name to show: what the card says, else its parts, the organisation,
/// an address or a number.
fn name(fields: &mut Fields) -> Result<(), &'static str> {
    let is_full = |name: &Value| {
        name.get("full").and_then(Value::as_str).is_some_and(|full| !full.trim().is_empty())
    };
    if fields.get("name").is_some_and(is_full) {
        return Ok(());
    }
    let parts = ["title", "given", "given2", "surname", "surname2", "credential"];
    let components = fields.get("name").and_then(|name| name.get("components"));
    let mut words = Vec::new();
    for kind in parts {
        for part in components.and_then(Value::as_array).into_iter().flatten() {
            if part.get("kind").and_then(Value::as_str) == Some(kind) {
                words.extend(part.get("value").and_then(Value::as_str));
            }
        }
    }
    let full = if words.is_empty() {
        [("organizations", "name"), ("emails", "address"), ("phones", "number")]
            .iter()
            .find_map(|(member, key)| first_text(fields, member, key))
    } else {
        Some(words.join(" "))
    };
    let Some(full) = full else {
        // A birthday or a picture alone is worth keeping.
        let says_something =
            has_own(fields) || SAYING.iter().any(|member| fields.contains_key(*member));
        return if says_something { Ok(()) } else { Err("it names nobody") };
    };
    let name = fields.entry("name").or_insert_with(|| json!({}));
    if let Value::Object(name) = name {
        name.insert("full".to_owned(), full.into());
    }
    Ok(())
}

/// Whether there are properties that JSContact has no place for, and that say something.
fn has_own(fields: &Fields) -> bool {
    let own = fields.get("vCard").and_then(|own| own.get("properties")).and_then(Value::as_array);
    own.into_iter().flatten().any(|property| {
        let name = property.get(0).and_then(Value::as_str).unwrap_or_default();
        let value = property.get(3).and_then(Value::as_str).unwrap_or_default();
        name.starts_with("x-") && !value.trim().is_empty()
    })
}

fn first_text(fields: &Fields, member: &str, key: &str) -> Option<String> {
    let entries = fields.get(member)?.as_object()?;
    // The smallest key, so that every run finds the same.
    let mut keys: Vec<&String> = entries.keys().collect();
    keys.sort();
    let text = keys.into_iter().find_map(|id| entries.get(id)?.get(key)?.as_str());
    text.filter(|text| !text.trim().is_empty()).map(str::to_owned)
}

/// Apple writes its own labels as `_$!<Home>!$_`.
fn labels(fields: &mut Fields) {
    for (_, member) in fields.iter_mut() {
        for (_, entry) in member.as_object_mut().into_iter().flatten() {
            let Some(Value::String(label)) = entry.get_mut("label") else { continue };
            if let Some(word) = label.strip_prefix("_$!<").and_then(|l| l.strip_suffix(">!$_")) {
                *label = word.to_owned();
            }
        }
    }
}
