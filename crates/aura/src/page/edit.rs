// SPDX-License-Identifier: MIT OR Apache-2.0
//! Changing the texts of a record. What was not changed in the form is not written.
//!
//! A form says which state of the record it was filled in from; if that is no longer what is there, nothing is written, and
//! what was typed is shown again beside it.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde_json::{Map, Value};

use super::frame::{Answer, Frame, go, show};
use super::hall::Hall;
use super::record::{address, title};
use super::session::Visit;
use super::words::{Words, field};
use crate::view;
use crate::wire::Request;

/// So deep in a record texts are offered.
const DEPTH_MAX: usize = 3;
/// So many of them.
const TEXTS_MAX: usize = 60;
/// Before the path of a field in a form.
const PREFIX: &str = "text:";
/// Longer ones have a larger box, in characters.
const LONG_CHARS: usize = 80;

/// Names that programs use, and what is secret: that is changed with `aura edit`.
const LEFT_OUT: [&str; 22] = [
    "@type",
    "uid",
    "id",
    "iCalendar",
    "vCard",
    "extra",
    "threadId",
    "htmlBody",
    "resourceType",
    "source",
    "password",
    "totp",
    "card",
    "identity",
    "sshKey",
    "version",
    "prodId",
    "identifier",
    "conversation",
    "folder",
    "organizerCalendarAddress",
    "encodingFormat",
];

/// A text that may be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Text {
    /// Its place: the names of members, each with `/` before it.
    path: String,
    label: String,
    said: String,
    is_long: bool,
}

#[derive(Template)]
#[template(path = "edit.html")]
struct Page {
    frame: Frame,
    id: String,
    title: String,
    modified: String,
    texts: Vec<Text>,
    /// Whether the record was changed while somebody filled in the form.
    is_overtaken: bool,
}

/// The form.
pub(crate) async fn page(
    State(hall): State<Arc<Hall>>,
    Extension(visit): Extension<Visit>,
    Path(id): Path<String>,
) -> Answer {
    let record: view::Record = hall.ask(Request::Get { id }).await?;
    let texts = texts(&record.fields);
    Ok(show(&form(&visit, &record, (texts, false))))
}

fn form(visit: &Visit, record: &view::Record, (texts, is_overtaken): (Vec<Text>, bool)) -> Page {
    Page {
        frame: Frame::new("Change", "/vault", visit),
        id: record.id.clone(),
        title: title(&record.title, &record.kind),
        modified: record.modified.clone(),
        texts,
        is_overtaken,
    }
}

/// Writes what was changed.
pub(crate) async fn save(
    State(hall): State<Arc<Hall>>,
    Extension(visit): Extension<Visit>,
    Extension(words): Extension<Words>,
    Path(id): Path<String>,
) -> Answer {
    let record: view::Record = hall.ask(Request::Get { id: id.clone() }).await?;
    if words.get("modified") != record.modified {
        let texts = typed(texts(&record.fields), &words);
        let page = form(&visit, &record, (texts, true));
        return Ok((StatusCode::CONFLICT, show(&page)).into_response());
    }
    let set = changed(&record.fields, &words);
    if set.is_empty() {
        return Ok(go(&address(&record.id, "same")));
    }
    let saved: view::Record = hall.ask(Request::Edit { id, set, remove: Vec::new() }).await?;
    Ok(go(&address(&saved.id, "edited")))
}

/// The texts of a record.
fn texts(fields: &Map<String, Value>) -> Vec<Text> {
    let mut texts = Vec::new();
    collect(fields, (String::new(), String::new()), DEPTH_MAX, &mut texts);
    // Where a person looks first: what it is called, then what it says.
    texts.sort_by_key(|text| match text.path.as_str() {
        "/title" | "/subject" | "/name" | "/name/full" => 0,
        "/text" | "/textBody" | "/description" | "/notes" => 1,
        _ => 2,
    });
    texts.truncate(TEXTS_MAX);
    texts
}

fn collect(
    fields: &Map<String, Value>,
    (path, name): (String, String),
    depth: usize,
    texts: &mut Vec<Text>,
) {
    for (part, value) in fields.iter().filter(|(part, _)| !LEFT_OUT.contains(&part.as_str())) {
        if part.contains('/') {
            continue;
        }
        let path = format!("{path}/{part}");
        let label =
            if name.is_empty() { field(part) } else { format!("{name} › {}", field(part)) };
        match value {
            Value::String(text) => texts.push(Text {
                is_long: text.contains('\n')
                    || text.chars().count() > LONG_CHARS
                    || matches!(path.as_str(), "/text" | "/textBody" | "/description" | "/notes"),
                path,
                label,
                said: text.clone(),
            }),
            Value::Object(members) if depth > 1 => {
                collect(members, (path, label), depth.saturating_sub(1), texts);
            }
            _ => {}
        }
    }
}

/// The same texts, as they were typed.
fn typed(mut texts: Vec<Text>, words: &Words) -> Vec<Text> {
    for text in &mut texts {
        let name = format!("{PREFIX}{}", text.path);
        if let Some((_, value)) = words.iter().find(|(known, _)| *known == name) {
            text.said = value.replace("\r\n", "\n");
        }
    }
    texts
}

/// What of the form says something else than the record.
fn changed(fields: &Map<String, Value>, words: &Words) -> Map<String, Value> {
    let before = texts(fields);
    let after = typed(before.clone(), words);
    let mut set = Map::new();
    for (before, after) in before.iter().zip(after) {
        // A browser sends every line's end in one form.
        if before.said.replace("\r\n", "\n") != after.said {
            put(&mut set, &after.path, after.said);
        }
    }
    set
}

fn put(set: &mut Map<String, Value>, path: &str, text: String) {
    let mut names = path.split('/').skip(1).peekable();
    let mut at = set;
    while let Some(name) = names.next() {
        if names.peek().is_none() {
            at.insert(name.to_owned(), Value::String(text));
            return;
        }
        let below = at.entry(name.to_owned()).or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(members) = below else { return };
        at = members;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::words::query;
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(fields) = value else { panic!("an object") };
        fields
    }

    #[test]
    fn only_what_was_changed_is_written() {
        let fields = object(json!({
            "name": { "full": "Ada" }, "text": "one\ntwo", "keywords": ["a"], "n": 1,
            "login": { "username": "ada", "password": "pw" }, "uid": "x",
        }));
        let paths: Vec<_> = texts(&fields).into_iter().map(|text| text.path).collect();
        assert_eq!(paths, ["/name/full", "/text", "/login/username"]);
        let save = |said: &[(&str, &str)]| {
            Value::Object(changed(&fields, &Words::of(query(said).as_bytes())))
        };
        assert_eq!(save(&[("text:/text", "one\r\ntwo"), ("text:/name/full", "Ada")]), json!({}));
        assert_eq!(
            save(&[("text:/text", "one\r\nthree"), ("text:/name/full", "Ada B")]),
            json!({ "text": "one\nthree", "name": { "full": "Ada B" } })
        );
        // What the form did not offer is not written.
        assert_eq!(save(&[("text:/login/password", "other"), ("text:/new", "x")]), json!({}));
    }
}
