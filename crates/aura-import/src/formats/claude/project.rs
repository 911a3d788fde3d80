// SPDX-License-Identifier: MIT OR Apache-2.0
//! Projects to notes, and what the assistant remembered to unreviewed memories.

use aura_vault::record::{Fields, Kind};
use serde_json::Value;

use super::super::instant::iso_ms;
use super::super::report::Report;
use super::{SOURCE, rest, text};
use crate::draft::{Draft, Stop};

const KNOWN: [&str; 6] = ["uuid", "name", "description", "prompt_template", "created_at", "docs"];

/// A project is a note (its instructions), and each of its documents is one.
pub(super) fn read(value: &Value, at: &str, report: &mut Report<'_>) -> Result<(), Stop> {
    let Some(id) = text(value, "uuid") else {
        return report.failed(at, "it is a project without an id (`uuid`)");
    };
    let name = text(value, "name").unwrap_or("Unnamed project");
    let mut fields = Fields::new();
    fields.insert("name".to_owned(), name.into());
    for (member, field) in [("prompt_template", "text"), ("description", "description")] {
        if let Some(words) = text(value, member) {
            fields.insert(field.to_owned(), words.into());
        }
    }
    let extra = rest(value, &KNOWN);
    if !extra.is_empty() {
        fields.insert("extra".to_owned(), extra.into());
    }
    let created = text(value, "created_at");
    report.draft(note(id.to_owned(), created, fields))?;
    let docs = value.get("docs").and_then(Value::as_array).into_iter().flatten();
    for (number, doc) in docs.enumerate() {
        let Some(content) = text(doc, "content") else {
            let at = format!("{at}, document {}", number + 1);
            report.skipped(at, "the document is empty")?;
            continue;
        };
        let mut fields = Fields::new();
        fields.insert("name".to_owned(), text(doc, "filename").unwrap_or("Unnamed").into());
        fields.insert("text".to_owned(), content.into());
        fields.insert("project".to_owned(), name.into());
        let extra = rest(doc, &["uuid", "filename", "content", "created_at"]);
        if !extra.is_empty() {
            fields.insert("extra".to_owned(), extra.into());
        }
        let doc_id = text(doc, "uuid").map_or_else(|| number.to_string(), str::to_owned);
        report.draft(note(format!("{id}/{doc_id}"), text(doc, "created_at"), fields))?;
    }
    Ok(())
}

fn note(source_id: String, created: Option<&str>, fields: Fields) -> Draft {
    Draft {
        kind: Kind::Note,
        category: Kind::Note.category(),
        source: SOURCE,
        source_id: Some(source_id),
        time_ms: created.and_then(iso_ms),
        fields,
        attachments: Vec::new(),
    }
}

/// One memory a paragraph; a heading alone names the paragraphs that follow it.
pub(super) fn read_memories(value: &Value, at: &str, report: &mut Report<'_>) -> Result<(), Stop> {
    let mut is_any = false;
    if let Some(words) = text(value, "conversations_memory") {
        is_any = true;
        memories(words, None, report)?;
    }
    let projects = value.get("project_memories").and_then(Value::as_object);
    for (project, words) in projects.into_iter().flatten() {
        if let Some(words) = words.as_str() {
            is_any = true;
            memories(words, Some(project), report)?;
        }
    }
    if is_any { Ok(()) } else { report.skipped(at, "nothing was remembered") }
}

fn memories(words: &str, project: Option<&str>, report: &mut Report<'_>) -> Result<(), Stop> {
    let mut topic: Option<String> = None;
    for paragraph in paragraphs(words) {
        if let Some(heading) = heading(&paragraph) {
            topic = Some(heading.to_owned());
            continue;
        }
        let mut fields = Fields::new();
        fields.insert("text".to_owned(), paragraph.into());
        fields.insert("type".to_owned(), "context".into());
        fields.insert("status".to_owned(), "unreviewed".into());
        fields.insert("lineage".to_owned(), "model_inference".into());
        for (field, value) in [("topic", topic.as_deref()), ("project", project)] {
            if let Some(value) = value {
                fields.insert(field.to_owned(), value.into());
            }
        }
        report.draft(Draft {
            kind: Kind::Memory,
            category: Kind::Memory.category(),
            source: SOURCE,
            source_id: None,
            time_ms: None,
            fields,
            attachments: Vec::new(),
        })?;
    }
    Ok(())
}

fn paragraphs(words: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for line in words.lines() {
        match all.last_mut() {
            Some(last) if !line.trim().is_empty() => {
                if !last.is_empty() {
                    last.push('\n');
                }
                last.push_str(line.trim_end());
                if heading(last).is_some() {
                    all.push(String::new());
                }
            }
            Some(last) if last.is_empty() => {}
            _ => all.push(String::new()),
        }
    }
    all.retain(|paragraph| !paragraph.is_empty());
    all
}

fn heading(paragraph: &str) -> Option<&str> {
    if paragraph.contains('\n') {
        return None;
    }
    let bold = paragraph.strip_prefix("**").and_then(|rest| rest.strip_suffix("**"));
    let hashed = paragraph.trim_start_matches('#').strip_prefix(' ');
    let hashed = hashed.filter(|_| paragraph.starts_with('#'));
    bold.filter(|inner| !inner.contains("**")).or(hashed).map(str::trim)
}
