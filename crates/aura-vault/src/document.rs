// SPDX-License-Identifier: MIT OR Apache-2.0
//! What of a record can be searched: its title, its text and the people in it.
//!
//! Strings are read off the record's canonical JSON; names that only programs use (ids, types, time
//! zones) are left out. What is secret in a credential is not indexed at all.

use serde_json::Value;

use crate::db::Row;
use crate::json;
use crate::record::{Fields, Kind};
use crate::search::Document;
use crate::state::{BLOB_PREFIX, META_PREFIX};
use crate::view;

const TEXT_BYTES_MAX: usize = 4 << 20;
const DEPTH_MAX: usize = 12;

/// Whether a member's strings are no text for people.
fn is_silent(name: &str) -> bool {
    matches!(
        name,
        "progress"
            | "startTime"
            | "endTime"
            | "iCalendar"
            | "vCard"
            | "duration"
            | "trigger"
            | "offset"
            | "recurrenceRules"
            | "recurrenceId"
            | "freeBusyStatus"
            | "privacy"
            | "display"
            | "@type"
            | "id"
            | "uid"
            | "type"
            | "blobId"
            | "threadId"
            | "messageId"
            | "inReplyTo"
            | "references"
            | "timeZone"
            | "created"
            | "updated"
            | "sentAt"
            | "receivedAt"
            | "start"
            | "due"
            | "htmlBody"
            | "method"
            | "prodId"
            | "sequence"
            | "mediaType"
            | "extra"
            | "headers"
            | "size"
            | "password"
            | "totp"
            | "number"
            | "code"
            | "privateKey"
            | "fido2Credentials"
            | "passwordHistory"
            | "key"
            | "ssn"
            | "passportNumber"
            | "licenseNumber"
            | "mailboxIds"
            | "keywords"
            | "tags"
            | "language"
            | "locale"
            | "branch"
            | "status"
    )
}

/// Whether a member has a place of its own in the index.
fn is_named(name: &str) -> bool {
    matches!(
        name,
        "title"
            | "subject"
            | "name"
            | "from"
            | "sender"
            | "author"
            | "to"
            | "cc"
            | "bcc"
            | "recipient"
            | "participants"
            | "attendees"
            | "categories"
    )
}

/// Title, text and people of a record, owned; [`Parts::document`] lends them to the index.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// Its title, subject or name.
    pub(crate) title: String,
    /// All other text.
    pub(crate) body: String,
    from: Vec<String>,
    to: Vec<String>,
    people: Vec<String>,
    source: String,
    tags: Vec<String>,
    has_attachment: bool,
}

impl Parts {
    /// Reads a record's searchable parts off its fields.
    pub(crate) fn of(row: &Row) -> Self {
        let mut parts = Self::default();
        let fields = parts.take_texts(row);
        parts.title = title(&fields);
        parts.tags = names_of(&fields, &["keywords", "tags", "categories", "mailboxIds"]);
        for (name, value) in &fields {
            match (name.as_str(), value) {
                ("from" | "sender" | "author", value) => collect(value, &mut parts.from),
                ("to" | "cc" | "bcc" | "recipient", value) => collect(value, &mut parts.to),
                ("participants" | "attendees", value) => collect(value, &mut parts.people),
                ("title" | "subject" | "name", Value::String(_)) => {}
                (name, value) if !is_silent(name) => parts.add(value, DEPTH_MAX),
                _ => {}
            }
        }
        if row.kind() == Kind::Login {
            // What identifies a credential is found; what it protects is not looked into.
            parts.body.clear();
            parts.add(&login_text(&fields), DEPTH_MAX);
        }
        parts.has_attachment = row.state.values().any(|(path, _)| path.starts_with(BLOB_PREFIX));
        for (_, blob) in view::blobs(&row.state) {
            parts.push(&blob.name);
        }
        parts.source = view::text(&row.state, view::SOURCE).unwrap_or_default();
        parts
    }

    /// Takes in the plain texts, which are most of what a record says, and returns the other fields.
    fn take_texts(&mut self, row: &Row) -> Fields {
        let mut others = Vec::new();
        for (path, canonical) in row.state.values().filter(|(path, _)| !is_meta(path)) {
            match json::text(canonical) {
                Some(text) if !is_named(path) && !is_silent(path) => self.push(&text),
                _ => others.push((path, canonical)),
            }
        }
        json::unflatten(others)
    }

    fn push(&mut self, text: &str) {
        if self.body.len().saturating_add(text.len()) < TEXT_BYTES_MAX {
            if !self.body.is_empty() {
                self.body.push('\n');
            }
            self.body.push_str(text);
        }
    }

    fn add(&mut self, value: &Value, depth: usize) {
        match value {
            Value::String(text) => self.push(text),
            Value::Array(items) if depth > 0 => {
                items.iter().for_each(|item| self.add(item, depth.saturating_sub(1)));
            }
            Value::Object(members) if depth > 0 => {
                let spoken = members.iter().filter(|(name, _)| !is_silent(name));
                spoken.for_each(|(_, value)| self.add(value, depth.saturating_sub(1)));
            }
            _ => {}
        }
    }

    /// The document that the index takes.
    pub(crate) fn document<'a>(&'a self, row: &Row) -> Document<'a> {
        let mut document = Document::new(row.id, row.kind(), row.time_ms);
        document.category = row.category;
        document.title = &self.title;
        document.body = &self.body;
        document.from = self.from.iter().map(String::as_str).collect();
        document.to = self.to.iter().map(String::as_str).collect();
        document.people = self.people.iter().map(String::as_str).collect();
        document.source = &self.source;
        document.tags = self.tags.iter().map(String::as_str).collect();
        document.has_attachment = self.has_attachment;
        document
    }
}

fn is_meta(path: &str) -> bool {
    path.starts_with(META_PREFIX)
}

/// What a person calls the record.
pub(crate) fn title(fields: &Fields) -> String {
    let plain = ["title", "subject", "name"].iter().filter_map(|name| fields.get(*name));
    for value in plain {
        match value {
            Value::String(text) if !text.is_empty() => return text.clone(),
            // A JSContact card's name.
            Value::Object(name) => {
                if let Some(Value::String(full)) = name.get("full") {
                    return full.clone();
                }
                let mut parts = Vec::new();
                collect(name.get("components").unwrap_or(&Value::Null), &mut parts);
                if !parts.is_empty() {
                    return parts.join(" ");
                }
            }
            _ => {}
        }
    }
    // A FHIR observation is called by its code.
    let code = fields.get("code").and_then(|code| code.get("text"));
    code.and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn login_text(fields: &Fields) -> Value {
    let uris = fields.get("login").and_then(|login| login.get("uris")).cloned();
    Value::Array(uris.into_iter().collect())
}

/// The strings that name people: `name`, `email`, `value` and `fn` members, or the strings themselves.
fn collect(value: &Value, out: &mut Vec<String>) {
    const NAMING: &[&str] = &["name", "email", "value", "full", "url", "phone"];
    match value {
        Value::String(text) if !text.is_empty() => out.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, out)),
        Value::Object(members) => {
            for (name, member) in members {
                if NAMING.contains(&name.as_str()) || member.is_object() {
                    collect(member, out);
                }
            }
        }
        _ => {}
    }
}

/// The members of sets and the strings of lists: a record's keywords.
fn names_of(fields: &Fields, paths: &[&str]) -> Vec<String> {
    let mut names = Vec::new();
    for value in paths.iter().filter_map(|path| fields.get(*path)) {
        match value {
            Value::Object(members) => names.extend(members.keys().cloned()),
            value => collect(value, &mut names),
        }
    }
    names
}
