// SPDX-License-Identifier: MIT OR Apache-2.0
//! Single records.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value, json};

use super::context::Context;
use crate::client::parse;
use crate::exit::{Exit, Failure};
use crate::moment;
use crate::screen::{Screen, clean, cut, size};
use crate::view::{Record, Version};
use crate::wire::{NewRecord, Request};

/// The longest JSON that is read for a record.
const JSON_BYTES_MAX: u64 = 16 << 20;

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The record's id
    id: String,
    /// Write one of its attachments, by its id or name, into a new file
    #[arg(long, value_name = "NAME", requires = "out")]
    attachment: Option<String>,
    /// Where to write it
    #[arg(long, value_name = "FILE", requires = "attachment")]
    out: Option<PathBuf>,
}

impl Get {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut client = context.open()?;
        let value: Value = client.ask(&Request::Get { id: self.id.clone() })?;
        let record: Record = parse(value.clone())?;
        let (Some(name), Some(out)) = (self.attachment, self.out) else {
            if context.screen.json {
                context.screen.value(&value)?;
            } else {
                show(&context.screen, &record)?;
            }
            return Ok(Exit::Done);
        };
        let found = record.attachments.iter().find(|file| file.id == name || file.name == name);
        let blob = found.map(|file| file.id.clone()).ok_or_else(|| {
            Failure::usage("The record has no such attachment.", "`aura get ID` lists them.")
        })?;
        let request = Request::Attachment { id: self.id, blob, to: Context::absolute(&out)? };
        let written: Value = client.ask(&request)?;
        if context.screen.json {
            context.screen.value(&written)?;
        } else {
            context.screen.line(&format!("Written to {}", out.display()))?;
        }
        Ok(Exit::Done)
    }
}

fn show(screen: &Screen, record: &Record) -> Result<(), Failure> {
    let title = if record.title.is_empty() { "(no title)" } else { &record.title };
    screen.line(&screen.strong(&clean(title)))?;
    let when = record.time.get(..16).unwrap_or_default().replace('T', " ");
    let source = record.source.as_deref().map(|from| format!(" · from {from}")).unwrap_or_default();
    screen.line(&screen.faint(&format!(
        "{} in {} · {when}{source}\n{}",
        record.kind, record.category, record.id
    )))?;
    for (name, value) in &record.fields {
        show_field(screen, name, value)?;
    }
    for file in &record.attachments {
        let name = clean(&file.name);
        screen.line(&format!(
            "{:<14} {name} ({}, {})",
            "attachment:",
            size(file.size),
            file.media_type
        ))?;
    }
    if !record.conflicts.is_empty() {
        let fields = record.conflicts.join(", ");
        screen.line(&screen.bad(&format!("Two devices changed at the same time: {fields}")))?;
    }
    Ok(())
}

fn show_field(screen: &Screen, name: &str, value: &Value) -> Result<(), Failure> {
    match value {
        Value::String(text) if text.contains('\n') => {
            screen.line(&format!("{name}:"))?;
            text.lines().try_for_each(|line| screen.line(&format!("    {}", clean(line))))
        }
        Value::String(text) => screen.line(&format!("{:<14} {}", format!("{name}:"), clean(text))),
        other => {
            let text = clean(&other.to_string());
            screen.line(&cut(&format!("{:<14} {text}", format!("{name}:")), 400))
        }
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "For example:\n  aura add note --title 'Lisbon flat' --text 'Fourth floor, no lift'\n  \
                  aura add contact name.full='Ada Lovelace'\n  echo '{\"name\": \"Idea\", \"text\": \
                  \"…\"}' | aura add note --from -"
)]
pub(crate) struct Add {
    /// note, event, contact, task, email, message, file, memory, observation, transaction, place,
    /// login, bookmark, person, conversation
    kind: String,
    /// FIELD=VALUE; the value is JSON if it can be, else text
    #[arg(value_name = "FIELD=VALUE")]
    fields: Vec<String>,
    /// What to call it
    #[arg(long)]
    title: Option<String>,
    /// Its text
    #[arg(long)]
    text: Option<String>,
    /// Where it belongs, if not where its kind does
    #[arg(long)]
    category: Option<String>,
    /// When it happened: 2025-03-14, or with a time in UTC: 2025-03-14T09:26Z
    #[arg(long)]
    time: Option<String>,
    /// Attach a file
    #[arg(long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Read fields as a JSON object from a file, or `-` for standard input
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

impl Add {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut fields = match &self.from {
            Some(path) => read_object(path)?,
            None => Map::new(),
        };
        fields.extend(parse_fields(&self.fields)?);
        if let Some(title) = self.title {
            set_title(&mut fields, &self.kind, title);
        }
        if let Some(text) = self.text {
            set_text(&mut fields, &self.kind, text);
        }
        if self.kind == "observation" {
            // FHIR asks for both.
            fields.entry("resourceType").or_insert_with(|| "Observation".into());
            fields.entry("status").or_insert_with(|| "final".into());
        }
        let time = self.time.as_deref().map(|time| {
            moment::parse(time, moment::now_ms()).ok_or_else(|| {
                Failure::usage(
                    "That is not a time.",
                    "Write it as 2025-03-14 or 2025-03-14T09:26Z.",
                )
            })
        });
        let files = self.files.iter().map(|path| Context::absolute(path));
        let new = NewRecord {
            kind: self.kind,
            category: self.category,
            time_ms: time.transpose()?,
            fields,
            files: files.collect::<Result<_, _>>()?,
        };
        let value: Value = context.open()?.ask(&Request::Add(new))?;
        if context.screen.json {
            context.screen.value(&value)?;
        } else {
            let record: Record = parse(value)?;
            context.screen.line(&format!("Added to {}: {}", record.category, record.id))?;
        }
        Ok(Exit::Done)
    }
}

/// Where a kind's standard form has its title.
fn set_title(fields: &mut Map<String, Value>, kind: &str, title: String) {
    match kind {
        "event" | "task" => fields.insert("title".to_owned(), title.into()),
        "email" => fields.insert("subject".to_owned(), title.into()),
        "contact" => fields.insert("name".to_owned(), json!({ "full": title })),
        "observation" => fields.insert("code".to_owned(), json!({ "text": title })),
        _ => fields.insert("name".to_owned(), title.into()),
    };
}

/// Where it has its text.
fn set_text(fields: &mut Map<String, Value>, kind: &str, text: String) {
    let field = match kind {
        "event" | "task" => "description",
        "email" => "textBody",
        "login" => "notes",
        "observation" => {
            fields.insert("note".to_owned(), json!([{ "text": text }]));
            return;
        }
        _ => "text",
    };
    fields.insert(field.to_owned(), text.into());
}

fn read_object(path: &Path) -> Result<Map<String, Value>, Failure> {
    let mut text = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().take(JSON_BYTES_MAX).read_to_end(&mut text)
    } else {
        File::open(path).and_then(|file| file.take(JSON_BYTES_MAX).read_to_end(&mut text))
    };
    read.map_err(|error| Failure::file("The fields could not be read", &error))?;
    serde_json::from_slice(&text).map_err(|error| {
        let what = format!("The fields are not a JSON object (line {}).", error.line());
        Failure::usage(what, "Write them as {\"name\": \"…\", \"text\": \"…\"}.")
    })
}

/// `name.full=Ada` as `{"name": {"full": "Ada"}}`.
fn parse_fields(typed: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut fields = Map::new();
    for pair in typed {
        let (path, text) =
            pair.split_once('=').filter(|(path, _)| !path.is_empty()).ok_or_else(|| {
                Failure::usage(format!("`{}` is no field.", clean(pair)), "Write FIELD=VALUE.")
            })?;
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        let mut names = path.split('.').rev();
        let last = names.next().unwrap_or_default().to_owned();
        let mut object = Map::from_iter([(last, value)]);
        for name in names {
            object = Map::from_iter([(name.to_owned(), Value::Object(object))]);
        }
        join(&mut fields, object);
    }
    Ok(fields)
}

fn join(fields: &mut Map<String, Value>, more: Map<String, Value>) {
    for (name, value) in more {
        match (fields.get_mut(&name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => join(old, new),
            (_, value) => drop(fields.insert(name, value)),
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "For example:\n  aura edit ID text='Sold in March' --remove due")]
pub(crate) struct Edit {
    /// The record's id
    id: String,
    /// FIELD=VALUE; the value is JSON if it can be, else text
    #[arg(value_name = "FIELD=VALUE")]
    fields: Vec<String>,
    /// Remove a field
    #[arg(long, value_name = "FIELD")]
    remove: Vec<String>,
    /// Read fields as a JSON object from a file, or `-` for standard input
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

impl Edit {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut set = match &self.from {
            Some(path) => read_object(path)?,
            None => Map::new(),
        };
        set.extend(parse_fields(&self.fields)?);
        if set.is_empty() && self.remove.is_empty() {
            return Err(Failure::usage("There is nothing to change.", "Write FIELD=VALUE."));
        }
        let request = Request::Edit { id: self.id, set, remove: self.remove };
        let value: Value = context.open()?.ask(&request)?;
        tell(context, &value, "Changed")
    }
}

fn tell(context: &Context, value: &Value, done: &str) -> Result<Exit, Failure> {
    if context.screen.json {
        context.screen.value(value)?;
        return Ok(Exit::Done);
    }
    let record: Option<Record> = parse(value.clone())?;
    let text = match record {
        Some(record) => format!("{done}: {} ({})", clean(&record.title), record.id),
        None => "Taken back: the record is deleted again.".to_owned(),
    };
    context.screen.line(&text)?;
    Ok(Exit::Done)
}

#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// The records' ids
    #[arg(required = true)]
    ids: Vec<String>,
}

impl Remove {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut client = context.open()?;
        for (done, id) in self.ids.into_iter().enumerate() {
            let removed: Result<Value, Failure> = client.ask(&Request::Remove { id });
            let removed = removed.map_err(|failure| match done {
                0 => failure,
                1 => failure.safe("The record before it is in the trash; `aura undo ID` brings it back."),
                _ => failure.safe(format!(
                    "The {done} records before it are in the trash; `aura undo ID` brings each back."
                )),
            });
            tell(context, &removed?, "In the trash")?;
        }
        Ok(Exit::Done)
    }
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// The record's id
    id: String,
}

/// Takes back the last change.
pub(crate) fn undo(context: &Context, one: &One) -> Result<Exit, Failure> {
    let value: Value = context.open()?.ask(&Request::Undo { id: one.id.clone() })?;
    tell(context, &value, "Taken back; it is now")
}

/// What was done to a record.
pub(crate) fn history(context: &Context, one: &One) -> Result<Exit, Failure> {
    let screen = &context.screen;
    context.open()?.call(&Request::History { id: one.id.clone() }, &mut |item: Value| {
        if screen.json {
            return screen.value(&item);
        }
        let version: Version = parse(item)?;
        let when = version.time.get(..19).unwrap_or_default().replace('T', " ");
        screen.line(&screen.strong(&format!("{when}  {} by {}", version.act, version.author)))?;
        for change in version.changes {
            let text = match change.value {
                Some(Value::String(text)) => format!("  {} = {}", change.field, clean(&text)),
                Some(value) => format!("  {} = {}", change.field, clean(&value.to_string())),
                None => format!("  {} removed", change.field),
            };
            screen.line(&cut(&text, screen.width()))?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

#[derive(Debug, Args)]
pub(crate) struct Trash {
    /// At most so many
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

impl Trash {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let screen = &context.screen;
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let mut count = 0u32;
        context.open()?.call(&Request::Trash { limit }, &mut |item: Value| {
            count = count.saturating_add(1);
            if screen.json {
                return screen.value(&item);
            }
            let record: Record = parse(item)?;
            let day = record.modified.get(..10).unwrap_or_default();
            let text =
                format!("{}  {day}  {:<9} {}", record.id, record.category, clean(&record.title));
            screen.line(&cut(&text, screen.width()))
        })?;
        if count == 0 && !screen.json {
            screen.line("Nothing was deleted.")?;
        }
        Ok(Exit::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_typed_as_paths() {
        let typed = ["name.full=Ada", "name.sort=ada", "n=3", "t=not json"].map(str::to_owned);
        let fields = Value::Object(parse_fields(&typed).unwrap());
        let expected = json!({"name": {"full": "Ada", "sort": "ada"}, "n": 3, "t": "not json"});
        assert_eq!(fields, expected);
        assert!(parse_fields(&["=x".to_owned()]).is_err());
        assert!(parse_fields(&["plain".to_owned()]).is_err());
    }
}
