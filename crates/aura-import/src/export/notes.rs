// SPDX-License-Identifier: MIT OR Apache-2.0
//! Notes to Markdown files with front matter, in the folders they came from.
//!
//! Reading the result again gives the same notes. An attachment goes where the note's text says it
//! is, or else into a folder named after the note.

use std::io::{self, Write};

use aura_vault::record::Fields;
use serde_json::Value;

use super::name::{Names, safe_part};
use super::{Exported, Folder, Outcome, copy_content};
use crate::formats::ending::ATTACHED;
use crate::formats::markdown;
use crate::stamp::timestamp;

/// Writes every note into a file of its own.
///
/// # Errors
/// Never as a whole; what could not be written is in the outcome.
pub fn write(records: &mut dyn Iterator<Item = Exported>, folder: &mut dyn Folder) -> Outcome {
    let mut outcome = Outcome::default();
    let mut names = Names::default();
    for record in records {
        let path = names.free(&wished_path(&record), ".md");
        let written = folder.create(&path).and_then(|mut out| {
            write_note(&record, &path, &mut out)?;
            out.flush()
        });
        if let Err(error) = written {
            outcome.failed.push((record.id, format!("its file could not be written: {error}")));
            continue;
        }
        outcome.records = outcome.records.saturating_add(1);
        let text = record.fields.get("text").and_then(Value::as_str).unwrap_or_default();
        for attachment in &record.attachments {
            let target = attachment_path(&path, text, &attachment.name, &mut names);
            match copy_content(attachment, &target, folder) {
                Ok(()) => outcome.attachments = outcome.attachments.saturating_add(1),
                Err(reason) => outcome.failed.push((record.id.clone(), reason)),
            }
        }
    }
    outcome
}

/// The path it had, or its title.
fn wished_path(record: &Exported) -> String {
    let had =
        record.source_id.as_deref().filter(|_| record.source.as_deref() == Some(markdown::SOURCE));
    let stem = had.and_then(|path| {
        let (stem, ending) = path.rsplit_once('.')?;
        (ending.eq_ignore_ascii_case("md") || ending.eq_ignore_ascii_case("markdown"))
            .then(|| stem.to_owned())
    });
    stem.unwrap_or_else(|| {
        let title = record.fields.get("name").and_then(Value::as_str).unwrap_or_default();
        safe_part(title)
    })
}

fn attachment_path(note: &str, text: &str, name: &str, names: &mut Names) -> String {
    let stem = note.strip_suffix(".md").unwrap_or(note);
    let folder = stem.rsplit_once('/').map_or("", |(folder, _)| folder);
    // The place that the text names, if that is one below the note's folder and free.
    for link in text.split(['(', ')', '[', ']', '|', '<', '>']) {
        let link = crate::formats::percent_decoded(link);
        let is_it = link.rsplit('/').next() == Some(name) && link.contains('/');
        if is_it && link.split('/').all(|part| safe_part(part) == part) {
            let path = if folder.is_empty() { link } else { format!("{folder}/{link}") };
            if names.take(&path) {
                return path;
            }
        }
    }
    let safe = safe_part(name);
    names.free_file(&format!("{stem}{ATTACHED}/{safe}"))
}

fn write_note(record: &Exported, path: &str, out: &mut dyn Write) -> io::Result<()> {
    let fields = &record.fields;
    let mut front = Fields::new();
    let extra = fields.get("extra").and_then(Value::as_object);
    if let Some(Value::Object(kept)) = extra.and_then(|extra| extra.get("frontMatter")) {
        front.clone_from(kept);
    }
    for (from, to) in [("name", "title"), ("keywords", "tags"), ("alternateName", "aliases")] {
        if let Some(value) = fields.get(from).filter(|value| !is_empty(value)) {
            front.insert(to.to_owned(), value.clone());
        }
    }
    if let Some(ms) = record.time_ms
        && !front.contains_key("created")
        && !crate::formats::markdown_says_time(&front)
    {
        front.insert("created".to_owned(), timestamp(ms).into());
    }
    // What could not be read of the front matter is not written, so that it would be another note.
    let is_whole = extra.is_none_or(|extra| !extra.contains_key("frontMatterText"));
    if let Some(id) = record.source_id.as_deref().filter(|_| is_whole)
        && record.source.as_deref() == Some(markdown::SOURCE)
    {
        front.insert(markdown::OWN_ID.to_owned(), id.into());
        let file = path.rsplit('/').next().unwrap_or(path);
        front.insert(markdown::OWN_FILE.to_owned(), file.into());
    }
    // Every JSON text is a YAML text; one member a line keeps it readable.
    out.write_all(b"---\n")?;
    for (name, value) in &front {
        let key =
            if is_plain(name) { name.clone() } else { Value::from(name.as_str()).to_string() };
        match value {
            Value::Array(values) if values.iter().all(|value| value.as_str().is_some()) => {
                writeln!(out, "{key}:")?;
                for value in values {
                    writeln!(out, "  - {}", scalar(value))?;
                }
            }
            value => writeln!(out, "{key}: {}", scalar(value))?,
        }
    }
    out.write_all(b"---\n")?;
    let text = fields.get("text").and_then(Value::as_str).unwrap_or_default();
    out.write_all(text.as_bytes())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        _ => false,
    }
}

/// A value as YAML: without quotation marks where no reader could take it for anything but text.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        value => value.to_string(),
    }
}

/// Words of letters that can't be taken for a number, a truth value or YAML's own marks.
fn is_plain(text: &str) -> bool {
    let starts = text.chars().next().is_some_and(char::is_alphabetic);
    let lower = text.to_ascii_lowercase();
    let is_word = !matches!(
        lower.as_str(),
        "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n" | "inf" | "nan"
    );
    starts
        && is_word
        && !text.ends_with(' ')
        && text
            .chars()
            .all(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_' | '/' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_words_go_without_quotation_marks() {
        assert!(is_plain("project/sub-one") && is_plain("Ärger im Büro"));
        for no in ["", "yes", "No", "1", "a: b", "a #b", "[a]", "x ", "-a", "a\nb", "null"] {
            assert!(!is_plain(no), "{no:?}");
        }
    }
}
