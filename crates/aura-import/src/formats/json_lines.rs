// SPDX-License-Identifier: MIT OR Apache-2.0
//! JSON Lines to records, one line at a time: this program's own form, an assistant's memory file
//! (entities and relations), or any objects with a mapping.
//!
//! A line of this program's own comes back with what it was imported from and what was attached to it.
//! Several objects on one line are read one after the other. Source: jsonlines.org, RFC 8259.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::sync::Arc;

use aura_vault::record::{Category, Fields, Kind};
use serde_json::{Deserializer, Value, json};

use super::ending::{ATTACHED, file_name, media_type};
use super::file;
use super::instant::iso_ms;
use super::line::Lines;
use super::mapping::Mapping;
use super::report::Report;
use crate::draft::{Attachment, Draft, Sink, Stop};
use crate::tree::{Tree, TreeContent, entry};

/// Longest line, in bytes.
const LINE_BYTES_MAX: usize = 16 << 20;
/// Most columns that are looked at to guess a mapping.
const COLUMNS_MAX: usize = 1_000;

/// Most files attached to one line.
const ATTACHMENTS_MAX: usize = 10_000;
/// What an export names its list of files.
const MANIFEST: &str = "manifest.json";

const SOURCE: &str = "jsonl";
/// What a line of this program's own may say that it was imported from.
const SOURCES: &[&str] = &[
    "bitwarden",
    "chatgpt",
    "claude",
    "csv",
    "file",
    "ical",
    "keep",
    "location",
    "mail",
    "markdown",
    "vcard",
];

/// Whether this is a file of JSON objects, one a line.
pub(crate) fn recognise(first: &[u8], path: &str) -> bool {
    let first = first.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(first);
    if is_manifest(first, path) {
        return true;
    }
    let mut lines = first.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let Some(line) = lines.find(|line| !line.is_empty()) else { return false };
    let mut values = Deserializer::from_slice(line).into_iter::<Fields>();
    let Some(Ok(object)) = values.next() else { return false };
    let is_named = [".jsonl", ".ndjson"].iter().any(|ending| path.ends_with(ending));
    is_known(&object) && (is_named || lines.any(|line| line.starts_with(b"{")))
}

/// Whether this is the list of files that this program writes into its exports.
fn is_manifest(first: &[u8], path: &str) -> bool {
    let mark = b"\"aura_export\":";
    file_name(path) == MANIFEST && first.windows(mark.len()).any(|window| window == mark)
}

/// Whether an object says itself what it is.
fn is_known(object: &Fields) -> bool {
    let has = |name: &str| object.contains_key(name);
    let columns: Vec<String> = object.keys().take(COLUMNS_MAX).cloned().collect();
    (has("kind") && object.get("fields").is_some_and(Value::is_object))
        || (has("type") && (has("observations") || has("relationType")))
        || Mapping::guess(&columns).is_some()
}

/// Reads lines that say themselves what they are; what they name as attached is not at hand.
///
/// # Errors
/// Only when the sink stops.
#[cfg(test)]
pub(crate) fn read(place: &str, input: &mut dyn BufRead, sink: &mut dyn Sink) -> Result<(), Stop> {
    read_lines(Report::new(place, sink), input, &mut Told::Line(None))
}

/// Reads the claimed files: lines, and what is attached to them.
///
/// # Errors
/// Only when the sink stops.
pub(crate) fn read_tree(
    tree: &Arc<dyn Tree>,
    paths: &[String],
    sink: &mut dyn Sink,
) -> Result<(), Stop> {
    let mut beside = Beside { tree, folder: "", used: BTreeSet::new() };
    let mut rest = Vec::new();
    for path in paths {
        if path.contains(&format!("{ATTACHED}/")) {
            rest.push(path);
            continue;
        }
        let mut report = Report::new(path, sink);
        if file_name(path) == MANIFEST {
            report.skipped("", "the list of files of an export of this program")?;
            continue;
        }
        beside.folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        match tree.open(path) {
            Ok(opened) => {
                let mut input = BufReader::with_capacity(64 << 10, opened);
                read_lines(report, &mut input, &mut Told::Line(Some(&mut beside)))?;
            }
            Err(error) => report.broken_input(&error)?,
        }
    }
    let left = rest.into_iter().filter(|path| !beside.used.contains(*path)).cloned();
    file::read_tree(tree, &left.collect::<Vec<_>>(), sink)
}

/// What lies beside a file of lines.
struct Beside<'a> {
    tree: &'a Arc<dyn Tree>,
    folder: &'a str,
    /// Files that came in with their line.
    used: BTreeSet<String>,
}

impl Beside<'_> {
    /// A file that a line names as attached, if it is there.
    fn attachment(&mut self, named: &Value) -> Option<Attachment> {
        let text = |member: &str| named.get(member).and_then(Value::as_str);
        let path = text("path").filter(|path| path.contains(&format!("{ATTACHED}/")))?;
        let slash = if self.folder.is_empty() { "" } else { "/" };
        let path = format!("{}{slash}{path}", self.folder);
        entry(self.tree.as_ref(), &path)?;
        self.used.insert(path.clone());
        Some(Attachment {
            name: text("name").unwrap_or(file_name(&path)).to_owned(),
            media_type: text("mediaType").unwrap_or(media_type(&path)).to_owned(),
            content: Arc::new(TreeContent { tree: Arc::clone(self.tree), path }),
        })
    }
}

/// Who says what a line is.
enum Told<'a, 'b> {
    /// The line, with what is attached to it.
    Line(Option<&'a mut Beside<'b>>),
    /// The person.
    Mapping(&'a Mapping),
}

/// Reads lines as the person says.
///
/// # Errors
/// Only when the sink stops.
pub(crate) fn read_mapped(
    place: &str,
    input: &mut dyn BufRead,
    mapping: &Mapping,
    sink: &mut dyn Sink,
) -> Result<(), Stop> {
    read_lines(Report::new(place, sink), input, &mut Told::Mapping(mapping))
}

fn read_lines(
    mut report: Report<'_>,
    input: &mut dyn BufRead,
    told: &mut Told<'_, '_>,
) -> Result<(), Stop> {
    let mut lines = Lines::new(input, LINE_BYTES_MAX);
    loop {
        let (number, is_cut, values) = match lines.next() {
            Ok(Some(line)) if line.bytes.trim_ascii().is_empty() => continue,
            Ok(Some(line)) => {
                let bytes = if line.is_cut { &[] } else { line.bytes };
                let values: Vec<_> = Deserializer::from_slice(bytes).into_iter::<Value>().collect();
                (line.number, line.is_cut, values)
            }
            Ok(None) => return Ok(()),
            Err(error) => return report.broken_input(&error),
        };
        report.progress = lines.progress();
        let at = format!("line {number}");
        if is_cut {
            report.failed(&at, "the line is longer than this program reads (16 MiB)")?;
        }
        for value in values {
            match value {
                Ok(Value::Object(object)) => one(object, told, &at, &mut report)?,
                Ok(_) => report.failed(&at, "it is not a JSON object")?,
                Err(_) => report.failed(&at, "it is not valid JSON")?,
            }
        }
    }
}

fn one(
    object: Fields,
    told: &mut Told<'_, '_>,
    at: &str,
    report: &mut Report<'_>,
) -> Result<(), Stop> {
    let beside = match told {
        Told::Mapping(mapping) => return report.draft(mapping.draft(object, SOURCE)),
        Told::Line(beside) => beside,
    };
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    if object.get("fields").is_some_and(Value::is_object) && text("kind").is_some() {
        return match own(object, beside.as_deref_mut()) {
            Some(draft) => report.draft(draft),
            None => report.failed(at, "its kind is not known to this program"),
        };
    }
    match text("type") {
        Some("entity") if object.contains_key("observations") => {
            return match entity(&object) {
                Some(draft) => report.draft(draft),
                None => report.failed(at, "it is an entity without a name"),
            };
        }
        Some("relation") if object.contains_key("relationType") => {
            return match relation(&object) {
                Some(draft) => report.draft(draft),
                None => report.failed(at, "it is a relation without two ends"),
            };
        }
        _ => {}
    }
    let columns: Vec<String> = object.keys().take(COLUMNS_MAX).cloned().collect();
    match Mapping::guess(&columns) {
        Some(mapping) => report.draft(mapping.draft(object, SOURCE)),
        None => report.skipped(
            at,
            "its members do not tell what it is; import the file with a mapping that says so",
        ),
    }
}

/// A line that this program has written.
fn own(mut object: Fields, beside: Option<&mut Beside<'_>>) -> Option<Draft> {
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    let kind = text("kind").and_then(Kind::parse)?;
    let category = text("category").and_then(Category::parse).unwrap_or(kind.category());
    let said = text("source").unwrap_or(SOURCE);
    let source = SOURCES.iter().find(|source| **source == said).copied();
    let id = text("sourceId").or(text("id").filter(|_| source.is_none())).map(str::to_owned);
    let time_ms = text("time").and_then(iso_ms);
    let mut lost = Fields::new();
    if source.is_none() && said != SOURCE {
        lost.insert("source".to_owned(), said.into());
    }
    let Some(Value::Object(mut fields)) = object.remove("fields") else { return None };
    let mut attachments = Vec::new();
    if let Some(Value::Array(named)) = object.remove("attachments") {
        let found = named.iter().take(ATTACHMENTS_MAX);
        let (there, missing) = attached(found, beside);
        attachments = there;
        if !missing.is_empty() {
            lost.insert("attachments".to_owned(), missing.into());
        }
    }
    if !lost.is_empty()
        && let Value::Object(extra) = fields.entry("extra").or_insert_with(|| json!({}))
    {
        for (name, value) in lost {
            extra.entry(name).or_insert(value);
        }
    }
    let source = source.unwrap_or(SOURCE);
    Some(Draft { kind, category, source, source_id: id, time_ms, fields, attachments })
}

/// What is attached to a line and there, and what is only named.
fn attached<'v>(
    named: impl Iterator<Item = &'v Value>,
    mut beside: Option<&mut Beside<'_>>,
) -> (Vec<Attachment>, Vec<Value>) {
    let (mut there, mut missing) = (Vec::new(), Vec::new());
    for named in named {
        match beside.as_mut().and_then(|beside| beside.attachment(named)) {
            Some(attachment) => there.push(attachment),
            None => missing.push(named.clone()),
        }
    }
    (there, missing)
}

/// What an assistant's memory server keeps of a thing or a person.
fn entity(object: &Fields) -> Option<Draft> {
    let name = object.get("name")?.as_str().filter(|name| !name.is_empty())?;
    let observations = object.get("observations")?.as_array()?;
    let lines: Vec<&str> = observations.iter().filter_map(Value::as_str).collect();
    let mut fields = memory(format!("{name}: {}", lines.join("; ")), "context");
    fields.insert("name".to_owned(), name.into());
    fields.insert("observations".to_owned(), observations.clone().into());
    if let Some(kind) = object.get("entityType") {
        fields.insert("entityType".to_owned(), kind.clone());
    }
    Some(memory_draft(format!("entity/{name}"), fields))
}

fn relation(object: &Fields) -> Option<Draft> {
    let text = |name: &str| object.get(name)?.as_str();
    let (from, to, kind) = (text("from")?, text("to")?, text("relationType")?);
    let mut fields = memory(format!("{from} {kind} {to}"), "relationship");
    for (name, value) in [("from", from), ("to", to), ("relationType", kind)] {
        fields.insert(name.to_owned(), value.into());
    }
    Some(memory_draft(format!("relation/{from}/{kind}/{to}"), fields))
}

fn memory(text: String, kind: &str) -> Fields {
    let mut fields = Fields::new();
    fields.insert("text".to_owned(), text.into());
    fields.insert("type".to_owned(), kind.into());
    fields.insert("status".to_owned(), "unreviewed".into());
    fields.insert("lineage".to_owned(), "model_inference".into());
    fields
}

fn memory_draft(source_id: String, fields: Fields) -> Draft {
    Draft {
        kind: Kind::Memory,
        category: Kind::Memory.category(),
        source: SOURCE,
        source_id: Some(source_id),
        time_ms: None,
        fields,
        attachments: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::collect::Collect;
    use super::*;

    fn seen(text: &str) -> Collect {
        let mut sink = Collect::default();
        read("x.jsonl", &mut text.as_bytes(), &mut sink).unwrap();
        sink
    }

    #[test]
    fn own_lines_come_back() {
        let sink = seen(
            "{\"id\":\"r1\",\"kind\":\"note\",\"category\":\"health\",\"fields\":{\"name\":\"n\"},\"time\":\"2026-01-31T10:00:00Z\",\"source\":\"keep\",\"sourceId\":\"s\"}\n\
             {\"kind\":\"nothing\",\"fields\":{}}\n",
        );
        let draft = &sink.drafts[0];
        assert_eq!(
            (draft.kind, draft.category, draft.source_id.as_deref()),
            (Kind::Note, Category::Health, Some("s"))
        );
        assert_eq!(draft.time_ms, Some(1_769_853_600_000));
        assert_eq!((draft.source, draft.fields.contains_key("extra")), ("keep", false));
        assert_eq!(sink.failed.len(), 1);
        let other =
            seen("{\"id\":\"r1\",\"kind\":\"note\",\"fields\":{},\"source\":\"elsewhere\"}");
        assert_eq!(
            (other.drafts[0].source, &other.drafts[0].fields["extra"]["source"]),
            (SOURCE, &json!("elsewhere"))
        );
        assert_eq!(other.drafts[0].source_id.as_deref(), Some("r1"));
    }

    #[test]
    fn a_memory_file_with_two_objects_on_a_line_and_broken_lines() {
        let text = "{\"type\":\"entity\",\"name\":\"Ann\",\"entityType\":\"person\",\"observations\":[\"sails\",\"skis\"]}\
            {\"type\":\"relation\",\"from\":\"Ann\",\"to\":\"Bob\",\"relationType\":\"knows\"}\n\n\
            {\"type\":\"entity\"\n12\n{\"odd\":1}\n{\"title\":\"t\",\"content\":\"c\"}";
        let sink = seen(text);
        let texts: Vec<_> =
            sink.drafts.iter().map(|d| d.fields["text"].as_str().unwrap()).collect();
        assert_eq!(texts, ["Ann: sails; skis", "Ann knows Bob", "c"]);
        assert_eq!((sink.failed.len(), sink.skipped.len()), (2, 1));
        assert_eq!(sink.failed[0].0, "x.jsonl, line 3");
        assert!(recognise(text.as_bytes(), "memory.jsonl"));
        assert!(!recognise(b"{\n \"a\": 1\n}", "a.json"));
        assert!(!recognise(b"{\"a\":1}\n{\"a\":2}\n", "a.jsonl"));
        assert!(recognise(b"{\"title\":\"a\",\"content\":\"\"}\n{\"title\":\"b\"}\n", "a.json"));
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_read_to_its_end(text in "(\\{|\\}|\"(type|entity|observations|kind|fields)\"|:|,|\\[|\\]|\n|1){0,30}") {
            seen(&text);
        }
    }
}
