// SPDX-License-Identifier: MIT OR Apache-2.0
//! A folder of Markdown notes, with what Obsidian and its like put beside and into them.
//!
//! A note's id is its path in the folder. Files that a note names are its attachments; files that no
//! note names are records of their own. Where no link says otherwise the nearest file of that name
//! is meant, as in Obsidian.

mod body;
mod front;

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::sync::Arc;

use aura_vault::record::{Fields, Kind};
use serde_json::Value;

use super::ending::{ATTACHED, file_name};
use super::file::{self, Hidden, attachment};
use super::instant::iso_ms;
use crate::draft::{Draft, Finding, Sink, Stop};
use crate::tree::{self, Entry, Tree, entry};

/// The word that notes are marked with.
pub(crate) const SOURCE: &str = "markdown";

/// Where an own export says what identifies a note, because elsewhere that is its place.
pub(crate) const OWN_ID: &str = "aura-id";
/// Front matter of an own export: the name of the file that it wrote.
pub(crate) const OWN_FILE: &str = "aura-file";

/// Longest such id, in bytes.
const OWN_ID_BYTES_MAX: usize = 4096;

/// Largest note that is read, in bytes.
const NOTE_BYTES_MAX: u64 = 16 << 20;

/// Most files that go with one note.
const ATTACHMENTS_MAX: usize = 1000;

/// Members of the front matter that say when a note was made, in the order they are believed.
const CREATED: &[&str] =
    &["created", "dateCreated", "date created", "creation date", "date", "created_at"];

pub(crate) use self::body::percent_decoded;

/// Whether front matter says when its note was made.
pub(crate) fn says_time(front: &Fields) -> bool {
    created_ms(front).is_some()
}

fn created_ms(front: &Fields) -> Option<i64> {
    CREATED.iter().find_map(|name| iso_ms(front.get(*name)?.as_str()?.trim()))
}

/// Whether a file is a note by its name. Markdown has no mark of its own to tell it by.
pub(crate) fn is_note(path: &str) -> bool {
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
    ending.eq_ignore_ascii_case("md") || ending.eq_ignore_ascii_case("markdown")
}

/// Reads notes and the files around them.
pub(crate) fn read_tree(
    tree: &Arc<dyn Tree>,
    paths: &[String],
    sink: &mut dyn Sink,
) -> Result<(), Stop> {
    let mut hidden = Hidden::default();
    let mut notes = Vec::new();
    let mut files = Vec::new();
    for path in paths {
        if hidden.takes(path) {
            continue;
        }
        if is_note(path) {
            notes.push(path.as_str());
        } else {
            files.push(path.as_str());
        }
    }
    let index = Index::new(&files);
    let mut referenced = HashSet::new();
    let mut progress = 0_u64;
    for path in notes {
        let Some(entry) = entry(tree.as_ref(), path) else { continue };
        progress = progress.saturating_add(entry.size);
        let finding = match note(tree, entry, &index, &mut referenced) {
            Ok(draft) => Finding::Draft(Box::new(draft)),
            Err(reason) => Finding::Failed { place: path.to_owned(), reason: reason.to_owned() },
        };
        sink.take(finding, progress)?;
    }
    for path in files.into_iter().filter(|path| !referenced.contains(path)) {
        let Some(entry) = entry(tree.as_ref(), path) else { continue };
        progress = progress.saturating_add(entry.size);
        let draft = file::draft(tree, entry, SOURCE);
        sink.take(Finding::Draft(Box::new(draft)), progress)?;
    }
    hidden.tell(sink, progress)
}

fn note<'p>(
    tree: &Arc<dyn Tree>,
    entry: &Entry,
    index: &Index<'p>,
    referenced: &mut HashSet<&'p str>,
) -> Result<Draft, &'static str> {
    let text = read_text(tree.as_ref(), entry)?;
    let (front, text) = take_front(text);
    let marks = body::scan(&text);
    let stem = stem(&entry.path);
    let mut found = Front::new(front);

    let own_id = found.own_id(&entry.path);
    let mut fields = Fields::new();
    let name = found.title.take().or(marks.heading).unwrap_or_else(|| stem.to_owned());
    fields.insert("name".to_owned(), name.into());
    let mut keywords = found.tags;
    let mut known: HashSet<String> = keywords.iter().map(|tag| tag.to_lowercase()).collect();
    keywords.extend(marks.tags.into_iter().filter(|tag| known.insert(tag.to_lowercase())));
    insert_list(&mut fields, "keywords", keywords);
    insert_list(&mut fields, "alternateName", found.aliases);

    let mut attachments = Vec::new();
    let mut mentions = Vec::new();
    let mut attached = HashSet::new();
    for link in marks.links {
        match index.resolve(&entry.path, &link) {
            Some(path) if attachments.len() < ATTACHMENTS_MAX => {
                if attached.insert(path) {
                    referenced.insert(path);
                    attachments.push(attachment(tree, path));
                }
            }
            _ => mentions.push(link),
        }
    }
    for path in index.beside(&entry.path) {
        if attachments.len() < ATTACHMENTS_MAX && attached.insert(path) {
            referenced.insert(path);
            attachments.push(attachment(tree, path));
        }
    }
    insert_list(&mut fields, "mentions", mentions);
    fields.insert("text".to_owned(), text.into());
    let mut extra = Fields::new();
    if !found.rest.is_empty() {
        extra.insert("frontMatter".to_owned(), Value::Object(found.rest));
    }
    if let Some(raw) = found.raw {
        extra.insert("frontMatterText".to_owned(), raw.into());
    }
    if !extra.is_empty() {
        fields.insert("extra".to_owned(), Value::Object(extra));
    }
    let dated = stem.get(..10).and_then(iso_ms);
    Ok(Draft {
        kind: Kind::Note,
        category: Kind::Note.category(),
        source: SOURCE,
        source_id: own_id.or_else(|| Some(tree::source_id(tree.as_ref(), &entry.path))),
        time_ms: found.created_ms.or(dated).or(entry.modified_ms),
        fields,
        attachments,
    })
}

fn insert_list(fields: &mut Fields, name: &str, values: Vec<String>) {
    if !values.is_empty() {
        fields.insert(name.to_owned(), values.into());
    }
}

/// The file's text with plain line ends, whatever it was encoded in.
fn read_text(tree: &dyn Tree, entry: &Entry) -> Result<String, &'static str> {
    if entry.size > NOTE_BYTES_MAX {
        return Err("it is larger than this program reads as a note (16 MiB)");
    }
    let mut bytes = Vec::with_capacity(usize::try_from(entry.size).unwrap_or(0) + 1);
    let opened = tree.open(&entry.path);
    opened
        .and_then(|source| source.take(NOTE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|_| "it could not be read")?;
    if bytes.len() as u64 > NOTE_BYTES_MAX {
        return Err("it is larger than this program reads as a note (16 MiB)");
    }
    let text = decode(bytes).ok_or("it is not text, or in an encoding this program can't tell")?;
    Ok(if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text })
}

/// UTF-8, UTF-16 with its mark, else Windows-1252, which older Western notes are in.
fn decode(bytes: Vec<u8>) -> Option<String> {
    let text = match String::from_utf8(bytes) {
        Ok(text) => match text.strip_prefix('\u{FEFF}') {
            Some(rest) => rest.to_owned(),
            None => text,
        },
        Err(error) => {
            let bytes = error.into_bytes();
            let encoding = match encoding_rs::Encoding::for_bom(&bytes) {
                Some((encoding, _)) => encoding,
                None if bytes.contains(&0) => return None,
                None => encoding_rs::WINDOWS_1252,
            };
            let (text, _, is_wrong) = encoding.decode(&bytes);
            if is_wrong {
                return None;
            }
            text.into_owned()
        }
    };
    (!text.contains('\0')).then_some(text)
}

fn take_front(mut text: String) -> (String, String) {
    let Some((front, rest)) = front::split(&text) else { return (String::new(), text) };
    let (front, start) = (front.to_owned(), text.len() - rest.len());
    text.drain(..start);
    (front, text)
}

/// The front matter, sorted into what notes have in common and the rest.
#[derive(Default)]
struct Front {
    title: Option<String>,
    tags: Vec<String>,
    aliases: Vec<String>,
    /// What an own export says that the note was, wherever it lies now, and in which file it wrote it.
    id: Option<(String, String)>,
    created_ms: Option<i64>,
    rest: Fields,
    /// Front matter that isn't YAML, as it stood.
    raw: Option<String>,
}

impl Front {
    /// What the note was, unless it is a copy under another name: that is another note.
    fn own_id(&self, path: &str) -> Option<String> {
        let (id, file) = self.id.as_ref()?;
        (path.rsplit('/').next() == Some(file.as_str())).then(|| id.clone())
    }

    fn new(yaml: String) -> Self {
        let mut found = Self::default();
        let Some(mut rest) = front::parse(&yaml) else {
            found.raw = Some(yaml);
            return found;
        };
        if let Some(Value::String(title)) = rest.get("title")
            && !title.trim().is_empty()
        {
            found.title = Some(title.trim().to_owned());
            rest.remove("title");
        }
        for (names, list) in
            [(["tags", "tag"], &mut found.tags), (["aliases", "alias"], &mut found.aliases)]
        {
            for name in names {
                if let Some(values) = rest.get(name).and_then(words) {
                    list.extend(values);
                    rest.remove(name);
                }
            }
        }
        for tag in &mut found.tags {
            if let Some(bare) = tag.strip_prefix('#') {
                *tag = bare.to_owned();
            }
        }
        if let (Some(Value::String(id)), Some(Value::String(file))) =
            (rest.get(OWN_ID), rest.get(OWN_FILE))
            && (1..=OWN_ID_BYTES_MAX).contains(&id.len())
        {
            found.id = Some((id.clone(), file.clone()));
            rest.remove(OWN_ID);
            rest.remove(OWN_FILE);
        }
        found.created_ms = created_ms(&rest);
        // Written by this program's own export, which makes it anew from the record's time.
        if let (Some(ms), Some(Value::String(text))) = (found.created_ms, rest.get("created"))
            && *text == crate::stamp::timestamp(ms)
        {
            rest.remove("created");
        }
        found.rest = rest;
        found
    }
}

/// A list of words, or words separated by commas; `None` if it is something else.
fn words(value: &Value) -> Option<Vec<String>> {
    let word = |value: &Value| match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let list = match value {
        Value::Null => Vec::new(),
        Value::String(text) => text.split(',').map(|part| part.trim().to_owned()).collect(),
        Value::Array(values) => values.iter().map(word).collect::<Option<Vec<_>>>()?,
        _ => return None,
    };
    Some(list.into_iter().filter(|word| !word.is_empty()).collect())
}

/// The file name without its ending.
fn stem(path: &str) -> &str {
    let name = file_name(path);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// The files that notes may name.
struct Index<'p> {
    paths: HashSet<&'p str>,
    /// The same in order.
    sorted: Vec<&'p str>,
    by_name: HashMap<String, Vec<&'p str>>,
}

impl<'p> Index<'p> {
    fn new(files: &[&'p str]) -> Self {
        let mut by_name: HashMap<String, Vec<&'p str>> = HashMap::new();
        for path in files {
            by_name.entry(file_name(path).to_lowercase()).or_default().push(path);
        }
        let mut sorted = files.to_vec();
        sorted.sort_unstable();
        Self { paths: files.iter().copied().collect(), sorted, by_name }
    }

    /// The files in the folder that an export made for what is attached to a note.
    fn beside(&self, note: &str) -> impl Iterator<Item = &'p str> {
        let folder = format!("{}{ATTACHED}/", note_stem(note));
        let first = self.sorted.partition_point(|path| *path < folder.as_str());
        let rest = self.sorted.get(first..).unwrap_or_default().iter().copied();
        rest.take_while(move |path| path.starts_with(&folder))
    }

    /// The file that a link in a note means.
    fn resolve(&self, note: &str, link: &str) -> Option<&'p str> {
        let named = self.by_name.get(&file_name(link).to_lowercase())?;
        let folder = note.rsplit_once('/').map_or("", |(folder, _)| folder);
        let beside = join(folder, link);
        let own = join(&format!("{}{ATTACHED}", note_stem(note)), link);
        for path in [beside.as_str(), link.trim_start_matches('/'), own.as_str()] {
            if let Some(found) = self.paths.get(path) {
                return Some(found);
            }
        }
        named.iter().copied().min_by_key(|path| {
            let is_far = path.rsplit_once('/').map_or("", |(folder, _)| folder) != folder;
            (is_far, path.len(), *path)
        })
    }
}

/// The path of a note without its ending.
fn note_stem(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(stem, _)| stem)
}

/// A link followed from a folder; one that leads out of the tree gives a path that is not there.
fn join(folder: &str, link: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    return String::new();
                }
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}
