// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events and tasks to one calendar file.
//!
//! Time zones are named as IANA names them, and defined before the first component that names them.
//! Files of a record are written into it, as calendars do it. Source: RFC 5545, RFC 8984 and its
//! iCalendar mapping.

use std::io::{self, Write};

use aura_vault::record::{Fields, Kind};
use calcard::jscalendar::JSCalendar;
use serde_json::{Value, json};

use super::content_line::{rewritten, with_last};
use super::time_zone::Definitions;
use super::{Exported, Outcome, own_origin};
use crate::formats::component::{Piece, Pieces, guarded};
use crate::formats::origin::Origin;
use crate::formats::{ical, media};
use crate::stamp::timestamp;

/// Writes one VCALENDAR with a component for each record.
///
/// # Errors
/// When `out` does not take it; what could not be converted is in the outcome.
pub fn write(
    records: &mut dyn Iterator<Item = Exported>,
    out: &mut dyn Write,
) -> io::Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut zones = Definitions::default();
    out.write_all(b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Aura//Export//EN\r\n")?;
    for record in records {
        let mut fields = record.fields.clone();
        let origin = origin(&fields, &record);
        let occurrence = prepare(&mut fields, &record);
        let files = media::embed(&mut fields, "links", "href", &record.attachments);
        let text = Value::Object(fields).to_string();
        let component = guarded(|| convert(&text)).flatten();
        match component {
            Some(component) => {
                out.write_all(&zones.missing(&component))?;
                let component = with_occurrence(component, occurrence.as_deref());
                out.write_all(&with_last(component, origin.line()))?;
                outcome.records = outcome.records.saturating_add(1);
                outcome.attachments = outcome.attachments.saturating_add(files.written);
            }
            None => outcome.failed.push((record.id.clone(), "it has no calendar form".to_owned())),
        }
        outcome.failed.extend(files.failed.into_iter().map(|reason| (record.id.clone(), reason)));
    }
    out.write_all(b"END:VCALENDAR\r\n")?;
    out.flush()?;
    Ok(outcome)
}

/// What the component cannot say itself, or says only because it must.
fn origin(fields: &Fields, record: &Exported) -> Origin {
    let mut origin = own_origin(fields, record, ical::SOURCE);
    if !fields.contains_key("updated") {
        origin.added.push("DTSTAMP");
    }
    origin
}

/// Makes the fields ready for the converter. Returns the line that names the occurrence, if the converter
/// would write another one.
fn prepare(fields: &mut Fields, record: &Exported) -> Option<String> {
    fields.remove("extra");
    let form = if record.kind == Kind::Task { "Task" } else { "Event" };
    fields.insert("@type".to_owned(), form.into());
    fields.entry("uid").or_insert_with(|| record.id.as_str().into());
    // Every component has a time stamp (RFC 5545, 3.6.1).
    fields.entry("updated").or_insert_with(|| timestamp(record.time_ms.unwrap_or(0)).into());
    // A whole-day occurrence is named by the property it came with, which was kept.
    let kept = fields.get("iCalendar").and_then(|kept| kept.get("properties"));
    let has_own = kept
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .any(|property| property.get(0).and_then(Value::as_str) == Some("recurrence-id"));
    if has_own {
        fields.remove("recurrenceId");
        return None;
    }
    // The converter takes a time in UTC for one in the zone of the event.
    if fields.get("recurrenceIdTimeZone").and_then(Value::as_str) != Some("Etc/UTC") {
        return None;
    }
    let time = fields.get("recurrenceId")?.as_str()?.replace(['-', ':'], "");
    let is_time = time.len() == 15
        && time.bytes().enumerate().all(|(at, byte)| byte.is_ascii_digit() != (at == 8));
    if !is_time {
        return None;
    }
    fields.remove("recurrenceId");
    fields.remove("recurrenceIdTimeZone");
    Some(format!("RECURRENCE-ID:{time}Z\r\n"))
}

fn with_occurrence(mut component: Vec<u8>, line: Option<&str>) -> Vec<u8> {
    if let Some(line) = line
        && let Some(end) = component.iter().position(|&byte| byte == b'\n')
    {
        let rest = component.split_off(end + 1);
        component.extend_from_slice(line.as_bytes());
        component.extend(rest);
    }
    component
}

/// The foreign part: everything in here may panic.
fn convert(text: &str) -> Option<Vec<u8>> {
    let entry: Value = serde_json::from_str(text).ok()?;
    let group = json!({ "@type": "Group", "uid": "group", "entries": [entry] }).to_string();
    let calendar = JSCalendar::<'_, String, String>::parse(&group).ok()?.into_icalendar()?;
    let written = calendar.to_string();
    let mut input = written.as_bytes();
    let mut pieces = Pieces::new(&mut input, Some("VCALENDAR"));
    let mut component = Vec::new();
    while let Some(piece) = pieces.next().ok()? {
        if let Piece::Whole { name, text, .. } = piece
            && (name == "VEVENT" || name == "VTODO")
        {
            component.extend(rewritten(&text));
        }
    }
    (!component.is_empty()).then_some(component)
}

#[cfg(test)]
#[path = "calendar_tests.rs"]
mod tests;
