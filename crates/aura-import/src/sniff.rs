// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which reader gets which file, decided by what the files hold.
//!
//! Names decide only where nothing else can: Markdown has no mark of its own, and a Maildir is known
//! by its folders. Names of exports are translated and changed too often to be believed.

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use aura_vault::record::Category;

use crate::draft::{Sink, Stop};
use crate::formats::ending::{ATTACHED, is_opaque};
use crate::formats::{
    bitwarden, chatgpt, claude, csv_rows, file, ical, json_lines, keep, location, mail, markdown,
    takeout, vcard,
};
use crate::tree::{Tree, entry};

/// How much of a file is looked at, in bytes.
const LOOK_BYTES: u64 = 4096;

/// A kind of export that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Notes in Markdown, as Obsidian and others keep them, with the files beside them.
    Markdown,
    /// Many mails in one file.
    Mbox,
    /// One mail in one file.
    Eml,
    /// Mails in folders `cur` and `new`.
    Maildir,
    /// Events and tasks (`.ics`).
    ICalendar,
    /// Contacts (`.vcf`).
    VCard,
    /// Conversations with ChatGPT.
    ChatGpt,
    /// Conversations with Claude.
    Claude,
    /// Logins and notes of Bitwarden.
    Bitwarden,
    /// A Google Takeout archive.
    Takeout,
    /// Notes of Google Keep.
    Keep,
    /// Google's location history.
    Location,
    /// JSON objects, one a line: this program's own, or an assistant's memory.
    JsonLines,
    /// Tables that name their columns: passwords, movements of money, reading lists.
    Table,
    /// Any other file.
    File,
}

/// Reads one file, named by its path.
type ReadFile = fn(&str, &mut dyn BufRead, &mut dyn Sink) -> Result<(), Stop>;

/// Reads the files with these paths.
type ReadTree = fn(&Arc<dyn Tree>, &[String], &mut dyn Sink) -> Result<(), Stop>;

/// How a format is read.
#[derive(Clone, Copy)]
pub(crate) enum Reading {
    /// Each file by itself.
    Stream(ReadFile),
    /// All files together.
    Tree(ReadTree),
}

/// Which files a format takes besides those it knows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// None.
    File,
    /// Everything below the folder of a file it knows, if nobody else knows it: an export's media.
    Folder,
    /// Everything below the folder `attachments` beside a file it knows, if nobody else knows it.
    Attachments,
}

impl Reach {
    /// Below which folder, for a file at this path.
    fn root(self, path: &str) -> Option<String> {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        match self {
            Self::File => None,
            Self::Folder => Some(folder.to_owned()),
            Self::Attachments if folder.is_empty() => Some("attachments".to_owned()),
            Self::Attachments => Some(format!("{folder}/attachments")),
        }
    }
}

/// A format that is known by the first bytes of its files.
struct Known {
    format: Format,
    recognise: fn(&[u8], &str) -> bool,
    reach: Reach,
}

/// In the order in which they are asked.
const KNOWN: &[Known] = &[
    Known { format: Format::Takeout, recognise: takeout::recognise, reach: Reach::Folder },
    Known { format: Format::Mbox, recognise: mail::recognise_mbox, reach: Reach::File },
    Known { format: Format::ICalendar, recognise: ical::recognise, reach: Reach::File },
    Known { format: Format::VCard, recognise: vcard::recognise, reach: Reach::File },
    Known { format: Format::ChatGpt, recognise: chatgpt::recognise, reach: Reach::Folder },
    Known { format: Format::Claude, recognise: claude::recognise, reach: Reach::File },
    Known { format: Format::Bitwarden, recognise: bitwarden::recognise, reach: Reach::Attachments },
    Known { format: Format::Keep, recognise: keep::recognise, reach: Reach::File },
    Known { format: Format::Location, recognise: location::recognise, reach: Reach::File },
    Known { format: Format::JsonLines, recognise: json_lines::recognise, reach: Reach::File },
    Known { format: Format::Table, recognise: csv_rows::recognise, reach: Reach::File },
    Known { format: Format::Maildir, recognise: recognise_maildir, reach: Reach::File },
    Known { format: Format::Eml, recognise: mail::recognise_eml, reach: Reach::File },
];

impl Format {
    /// The word a person reads and types.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Markdown => "markdown",
            Self::Mbox => "mbox",
            Self::Eml => "eml",
            Self::Maildir => "maildir",
            Self::ICalendar => "icalendar",
            Self::VCard => "vcard",
            Self::ChatGpt => "chatgpt",
            Self::Claude => "claude",
            Self::Bitwarden => "bitwarden",
            Self::Takeout => "takeout",
            Self::Keep => "keep",
            Self::Location => "location",
            Self::JsonLines => "jsonl",
            Self::Table => "csv",
            Self::File => "file",
        }
    }

    /// What a person may find in it.
    pub fn categories(self) -> &'static [Category] {
        match self {
            Self::Markdown => &[Category::Notes, Category::Files],
            Self::Mbox | Self::Eml | Self::Maildir => &[Category::Mail],
            Self::ICalendar => &[Category::Calendar, Category::Tasks],
            Self::VCard => &[Category::Contacts],
            Self::ChatGpt => &[Category::Messages, Category::Files],
            Self::Claude => &[Category::Messages, Category::Memory],
            Self::Bitwarden => &[Category::Credentials, Category::Files],
            Self::Takeout => &[
                Category::Calendar,
                Category::Contacts,
                Category::Mail,
                Category::Notes,
                Category::Tasks,
                Category::Location,
            ],
            Self::Keep => &[Category::Notes],
            Self::Location => &[Category::Location],
            Self::JsonLines => Category::ALL,
            Self::Table => {
                &[Category::Notes, Category::Finance, Category::Credentials, Category::Web]
            }
            Self::File => &[Category::Files],
        }
    }

    pub(crate) fn reading(self) -> Reading {
        match self {
            Self::Markdown => Reading::Tree(markdown::read_tree),
            Self::Mbox => Reading::Stream(mail::read_mbox),
            Self::Eml => Reading::Stream(mail::read_eml),
            Self::Maildir => Reading::Tree(mail::read_maildir),
            Self::ICalendar => Reading::Stream(ical::read),
            Self::VCard => Reading::Stream(vcard::read),
            Self::ChatGpt => Reading::Tree(chatgpt::read_tree),
            Self::Claude => Reading::Tree(claude::read_tree),
            Self::Bitwarden => Reading::Tree(bitwarden::read_tree),
            Self::Takeout => Reading::Tree(takeout::read_tree),
            Self::Keep => Reading::Tree(keep::read_tree),
            Self::Location => Reading::Stream(location::read),
            Self::JsonLines => Reading::Tree(json_lines::read_tree),
            Self::Table => Reading::Stream(csv_rows::read),
            Self::File => Reading::Tree(file::read_tree),
        }
    }
}

/// The files of a tree, each with the format that reads it; in the order of the tree.
pub(crate) fn sort(tree: &dyn Tree) -> Vec<(Format, String)> {
    let entries = tree.entries();
    let mut first = Vec::with_capacity(4096);
    let mut claims: Vec<Option<Format>> = Vec::with_capacity(entries.len());
    let mut roots: Vec<(String, Format)> = Vec::new();
    let mut has_notes = false;
    for entry in entries {
        let claim = if markdown::is_note(&entry.path) {
            Some(Format::Markdown)
        } else if let Some(format) = attached(tree, &entry.path) {
            Some(format)
        } else if entry.size == 0 || is_opaque(&entry.path) || is_beside(&entry.path) {
            None
        } else {
            look(tree, &entry.path, &mut first)
        };
        let hidden = file::hidden_root(&entry.path).is_some();
        has_notes |= claim == Some(Format::Markdown) && !hidden;
        if let Some(known) = KNOWN.iter().find(|known| Some(known.format) == claim)
            && let Some(root) = known.reach.root(&entry.path)
        {
            roots.push((root, known.format));
        }
        claims.push(claim);
    }
    // The deepest root first: an export inside a folder of notes keeps its own media.
    roots.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then(a.cmp(b)));
    roots.dedup();
    let rest = if has_notes { Format::Markdown } else { Format::File };
    let formats = claims.into_iter().zip(entries).map(|(claim, entry)| {
        let root = || roots.iter().find(|(root, _)| is_below(root, &entry.path));
        let format = claim.or_else(|| root().map(|(_, format)| *format)).unwrap_or(rest);
        (format, entry.path.clone())
    });
    formats.collect()
}

/// Which format a file belongs to as an attachment, whatever it holds: a calendar that was attached to a
/// note is no calendar of the person's.
fn attached(tree: &dyn Tree, path: &str) -> Option<Format> {
    let (stem, _) = path.split_once(&format!("{ATTACHED}/"))?;
    let owners = [(".jsonl", Format::JsonLines), (".md", Format::Markdown)];
    let is_there = |ending: &str| entry(tree, &format!("{stem}{ending}")).is_some();
    owners.iter().find(|(ending, _)| is_there(ending)).map(|(_, format)| *format)
}

/// Whether a file lies in a folder of settings, where nothing is looked at.
fn is_beside(path: &str) -> bool {
    file::hidden_root(path).is_some() && !mail::is_in_maildir(path)
}

fn is_below(root: &str, path: &str) -> bool {
    root.is_empty() || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'))
}

fn look(tree: &dyn Tree, path: &str, first: &mut Vec<u8>) -> Option<Format> {
    first.clear();
    let opened: io::Result<_> = tree.open(path);
    // What came before an error may still tell; the reader will tell the error.
    opened.ok()?.take(LOOK_BYTES).read_to_end(first).ok();
    KNOWN.iter().find(|known| (known.recognise)(first, path)).map(|known| known.format)
}

fn recognise_maildir(first: &[u8], path: &str) -> bool {
    mail::is_in_maildir(path) && mail::recognise_eml(first, path)
}
