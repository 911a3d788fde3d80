// SPDX-License-Identifier: MIT OR Apache-2.0
//! One record: what it says, what was done to it, and taking that back.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use serde_json::Value;

use super::fields::{Sheet, sheet};
use super::frame::{Answer, Frame, Refusal, go, show};
use super::hall::{Hall, list};
use super::session::Visit;
use super::words::{self, Time, Words, day, label, line, query};
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::screen::{cut, size};
use crate::view;
use crate::wire::Request;

/// Messages of a conversation on one page.
const MESSAGES_MAX: usize = 300;
/// A field's value in a history, in characters.
const CHANGE_CHARS_MAX: usize = 600;
/// Deleted records among which one is looked for.
const GONE_MAX: usize = 1000;
/// What was done, newest first, on one page.
const VERSIONS_MAX: usize = 500;

/// What an address says was done.
fn notice(words: &Words) -> Option<&'static str> {
    Some(match words.get("done") {
        "edited" => "Saved. What stood there before is in the history.",
        "undone" => "Taken back. What was taken back is in the history.",
        "deleted" => "Deleted: it is in the trash, with its history.",
        "restored" => "Restored: it is out of the trash.",
        "same" => "Nothing was different, so nothing was saved.",
        _ => return None,
    })
}

struct File {
    id: String,
    name: String,
    kind: String,
    size: String,
}

struct Message {
    id: String,
    who: String,
    when: Time,
    text: String,
    is_machine: bool,
}

/// A record as its page shows it.
struct Card {
    id: String,
    title: String,
    kind: String,
    category: String,
    label: String,
    time: Time,
    changed: Time,
    source: String,
    is_deleted: bool,
    conflicts: String,
    files: Vec<File>,
    sheet: Sheet,
}

impl Card {
    fn of(record: view::Record) -> Self {
        let sheet = sheet(&record);
        let files = record.attachments.into_iter().map(|file| File {
            id: file.id,
            name: line(&file.name),
            kind: line(&file.media_type),
            size: size(file.size),
        });
        let conflicts: Vec<_> = record.conflicts.iter().map(|name| words::field(name)).collect();
        Self {
            title: title(&record.title, &record.kind),
            id: record.id,
            kind: label(&record.kind),
            label: label(&record.category),
            category: record.category,
            time: Time::of(&record.time),
            changed: Time::of(&record.modified),
            source: record.source.as_deref().map(label).unwrap_or_default(),
            is_deleted: record.deleted,
            conflicts: conflicts.join(", "),
            files: files.collect(),
            sheet,
        }
    }
}

/// What a record is called; its kind if it has no name.
pub(crate) fn title(title: &str, kind: &str) -> String {
    if title.trim().is_empty() { label(kind) } else { line(title) }
}

#[derive(Template)]
#[template(path = "record.html")]
struct Page {
    frame: Frame,
    card: Card,
    messages: Vec<Message>,
    /// The conversation that a message is one of.
    thread: Option<String>,
    notice: Option<&'static str>,
}

/// The page of a record.
pub(crate) async fn page(
    State(hall): State<Arc<Hall>>,
    Extension(visit): Extension<Visit>,
    (Path(id), RawQuery(asked)): (Path<String>, RawQuery),
) -> Answer {
    let words = Words::of(asked.unwrap_or_default().as_bytes());
    let (record, messages, thread) = hall
        .with(move |client| {
            let record = get(client, &id)?;
            let messages = messages(client, &record)?;
            let thread = thread(client, &record)?;
            Ok((record, messages, thread))
        })
        .await?;
    let frame = Frame::new(&label(&record.kind), "/vault", &visit);
    let notice = notice(&words);
    Ok(show(&Page { frame, card: Card::of(record), messages, thread, notice }))
}

/// A record, also one of those that were deleted last.
fn get(client: &mut Client, id: &str) -> Result<view::Record, Failure> {
    match client.ask(&Request::Get { id: id.to_owned() }) {
        Err(failure) if failure.exit == Exit::Failed => {
            let gone = list::<view::Record>(client, &Request::Trash { limit: GONE_MAX })?;
            gone.into_iter().find(|record| record.id == id).ok_or(failure)
        }
        other => other,
    }
}

/// The messages of a conversation, in their order.
fn messages(client: &mut Client, record: &view::Record) -> Result<Vec<Message>, Failure> {
    let named = record.fields.get("identifier").and_then(Value::as_str);
    let Some(named) = named.filter(|_| record.kind == "conversation") else {
        return Ok(Vec::new());
    };
    let found = find(client, "message", named, MESSAGES_MAX)?;
    let mut records = Vec::new();
    for hit in found {
        let one: view::Record = client.ask(&Request::Get { id: hit.id })?;
        if one.fields.get("conversation").and_then(Value::as_str) == Some(named) {
            records.push(one);
        }
    }
    let position = |one: &view::Record| one.fields.get("position").and_then(Value::as_u64);
    records.sort_by(|a, b| (&a.time, position(a)).cmp(&(&b.time, position(b))));
    Ok(records.into_iter().map(said).collect())
}

fn said(record: view::Record) -> Message {
    let sheet = sheet(&record);
    let who = sheet.facts.iter().find(|fact| fact.label == "From");
    let who = who.and_then(|fact| fact.values.first()).map(|value| value.text.clone());
    let who = who.unwrap_or_default();
    Message {
        is_machine: who == "assistant",
        who: label(&who),
        when: Time::of(&record.time),
        text: sheet.body,
        id: record.id,
    }
}

/// The conversation that a message is one of, if it is here.
fn thread(client: &mut Client, record: &view::Record) -> Result<Option<String>, Failure> {
    let named = record.fields.get("conversation").and_then(Value::as_str);
    let Some(named) = named.filter(|_| record.kind == "message") else { return Ok(None) };
    Ok(find(client, "conversation", named, 1)?.pop().map(|hit| hit.id))
}

/// Records of a kind that have an id of a foreign program in their text.
fn find(
    client: &mut Client,
    kind: &str,
    named: &str,
    limit: usize,
) -> Result<Vec<view::Hit>, Failure> {
    let phrase: String = named.chars().filter(|c| c.is_alphanumeric() || *c == '-').collect();
    let query = format!("kind:{kind} \"{phrase}\"");
    match list(client, &Request::Search { query, limit }) {
        // An id that is no text is in no index.
        Err(failure) if failure.exit == Exit::Usage => Ok(Vec::new()),
        other => other,
    }
}

/// What was done once.
struct Version {
    when: Time,
    who: String,
    what: &'static str,
    /// Field, and what it said from then on; nothing where it was removed.
    changes: Vec<(String, Option<String>)>,
}

#[derive(Template)]
#[template(path = "history.html")]
struct History {
    frame: Frame,
    id: String,
    title: String,
    versions: Vec<Version>,
    is_cut: bool,
}

/// What was done to a record, newest first.
pub(crate) async fn history(
    State(hall): State<Arc<Hall>>,
    Extension(visit): Extension<Visit>,
    Path(id): Path<String>,
) -> Answer {
    let (record, mut versions) = hall
        .with(move |client| {
            let record: view::Record = client.ask(&Request::Get { id: id.clone() })?;
            Ok((record, list::<view::Version>(client, &Request::History { id })?))
        })
        .await?;
    versions.reverse();
    let is_cut = versions.len() > VERSIONS_MAX;
    versions.truncate(VERSIONS_MAX);
    let is_login = record.kind == "login";
    Ok(show(&History {
        frame: Frame::new("History", "/vault", &visit),
        title: title(&record.title, &record.kind),
        id: record.id,
        versions: versions.into_iter().map(|version| done(version, is_login)).collect(),
        is_cut,
    }))
}

fn done(version: view::Version, is_login: bool) -> Version {
    let changes = version.changes.into_iter().map(|change| {
        let value = change.value.map(|value| match value {
            // A history is no way around the cover.
            _ if is_login && change.field != "name" && change.field != "notes" => {
                "••••••".to_owned()
            }
            Value::String(text) => cut(&words::text(&text), CHANGE_CHARS_MAX),
            value => cut(&words::text(&value.to_string()), CHANGE_CHARS_MAX),
        });
        (words::field(&change.field), value)
    });
    Version {
        when: Time::of(&version.time),
        who: match version.author.as_str() {
            "owner" => "you".to_owned(),
            author => line(author),
        },
        what: if version.act == "delete" { "deleted" } else { "written" },
        changes: changes.collect(),
    }
}

/// Takes back what was done last.
pub(crate) async fn undo(
    State(hall): State<Arc<Hall>>,
    Extension(form): Extension<Words>,
    Path(id): Path<String>,
) -> Answer {
    let is_restoring = form.get("restore") == "yes";
    let request = Request::Undo { id: id.clone() };
    let back: Option<view::Record> = hall.ask(request).await?;
    Ok(match back {
        Some(record) if is_restoring => go(&address(&record.id, "restored")),
        Some(record) => go(&address(&record.id, "undone")),
        None => go("/vault?done=gone"),
    })
}

/// Deletes a record: it goes to the trash.
pub(crate) async fn delete(State(hall): State<Arc<Hall>>, Path(id): Path<String>) -> Answer {
    let gone: view::Record = hall.ask(Request::Remove { id }).await?;
    Ok(go(&address(&gone.id, "deleted")))
}

/// The page of a record, which says what was done.
pub(crate) fn address(id: &str, done: &str) -> String {
    format!("/record/{id}?{}", query(&[("done", done)]))
}

/// A record that was deleted.
struct Gone {
    id: String,
    title: String,
    kind: String,
    category: String,
    day: String,
}

#[derive(Template)]
#[template(path = "trash.html")]
struct Trash {
    frame: Frame,
    gone: Vec<Gone>,
    is_cut: bool,
    /// Whether what is behind the second lock is not among them.
    is_shut: bool,
}

/// Deleted records on one page.
const TRASH_MAX: usize = 200;

/// What was deleted.
pub(crate) async fn trash(
    State(hall): State<Arc<Hall>>,
    Extension(visit): Extension<Visit>,
) -> Answer {
    let limit = TRASH_MAX.saturating_add(1);
    let (mut records, is_shut) = hall
        .with(move |client| {
            let is_shut = client.standing().second == crate::wire::Second::Shut;
            Ok((list::<view::Record>(client, &Request::Trash { limit })?, is_shut))
        })
        .await?;
    let is_cut = records.len() > TRASH_MAX;
    records.truncate(TRASH_MAX);
    let gone = records.into_iter().map(|record| Gone {
        title: title(&record.title, &record.kind),
        id: record.id,
        kind: label(&record.kind),
        category: record.category,
        day: day(&record.modified),
    });
    let frame = Frame::new("Trash", "/vault", &visit);
    Ok(show(&Trash { frame, gone: gone.collect(), is_cut, is_shut }))
}

/// What there is no page for.
pub(crate) async fn absent() -> Refusal {
    Refusal::absent()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What is covered on a record's page is covered in its history.
    #[test]
    fn a_history_of_a_login_shows_no_password() {
        let change =
            |field: &str| view::Change { field: field.to_owned(), value: Some(json!("pw-1")) };
        let version = |is_login| {
            let changes = ["login/password", "name"].map(change).to_vec();
            let (time, author, act) = ("t".to_owned(), "owner".to_owned(), "write".to_owned());
            let version = done(view::Version { time, author, act, changes }, is_login);
            version.changes.into_iter().filter_map(|(_, value)| value).collect::<Vec<_>>()
        };
        assert_eq!(version(true), ["••••••", "pw-1"]);
        assert_eq!(version(false), ["pw-1", "pw-1"]);
    }
}
