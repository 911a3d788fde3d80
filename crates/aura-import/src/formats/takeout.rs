// SPDX-License-Identifier: MIT OR Apache-2.0
//! A Google Takeout archive: each of its files to the reader that its content asks for.
//!
//! Folder and file names are translated into the person's language, so they decide nothing, except
//! that all is under `Takeout/`. What is not imported yet is named with its reason, never dropped in
//! silence.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::sync::Arc;

use super::report::Report;
use super::{ical, keep, location, mail, vcard};
use crate::draft::{Sink, Stop};
use crate::tree::Tree;

/// Bytes that are looked at to tell a file's format.
const HEAD_BYTES: usize = 4 << 10;
/// Read buffer, in bytes.
const BUFFER_BYTES: usize = 64 << 10;

/// Whether a path belongs to such an archive.
pub(crate) fn recognise(_first: &[u8], path: &str) -> bool {
    path.starts_with("Takeout/") || path.contains("/Takeout/")
}

/// Reads the claimed files of an archive (all parts of it in one tree).
///
/// # Errors
/// Only when the sink stops.
pub(crate) fn read_tree(
    tree: &Arc<dyn Tree>,
    paths: &[String],
    sink: &mut dyn Sink,
) -> Result<(), Stop> {
    let mut used = BTreeSet::new();
    let mut left = Vec::new();
    for path in paths {
        match one(tree, path, sink, &mut used)? {
            Some(reason) => left.push((path, reason)),
            None => {
                used.insert(path.clone());
            }
        }
    }
    for (path, reason) in left {
        if used.contains(path) {
            continue;
        }
        let twin = path.strip_suffix(".html").map(|stem| format!("{stem}.json"));
        let reason = match twin {
            Some(twin) if used.contains(&twin) => "it is the web page of a note that was read",
            _ => reason,
        };
        Report::new(path, sink).skipped("", reason)?;
    }
    Ok(())
}

/// Reads one file; gives a reason if there is no reader for it.
fn one(
    tree: &Arc<dyn Tree>,
    path: &str,
    sink: &mut dyn Sink,
    used: &mut BTreeSet<String>,
) -> Result<Option<&'static str>, Stop> {
    let mut input = match tree.open(path) {
        Ok(opened) => BufReader::with_capacity(BUFFER_BYTES, opened),
        Err(error) => {
            Report::new(path, sink).broken_input(&error)?;
            return Ok(None);
        }
    };
    let head = match input.fill_buf() {
        Ok(head) => head.get(..head.len().min(HEAD_BYTES)).unwrap_or_default().to_vec(),
        Err(error) => {
            Report::new(path, sink).broken_input(&error)?;
            return Ok(None);
        }
    };
    if ical::recognise(&head, path) {
        ical::read(path, &mut input, sink)?;
    } else if vcard::recognise(&head, path) {
        vcard::read(path, &mut input, sink)?;
    } else if mail::recognise_mbox(&head, path) {
        mail::read_mbox(path, &mut input, sink)?;
    } else if keep::recognise(&head, path) {
        drop(input);
        keep::read_note(tree, path, sink, used)?;
    } else if location::recognise(&head, path) {
        location::read(path, &mut input, sink)?;
    } else {
        return Ok(Some(reason(&head, path)));
    }
    Ok(None)
}

/// What a file is that has no reader here.
fn reason(head: &[u8], path: &str) -> &'static str {
    let text = String::from_utf8_lossy(head);
    let says = |word: &str| text.contains(word);
    if head.is_empty() {
        "it is empty"
    } else if says("\"titleUrl\"") || (says("\"header\"") && says("\"products\"")) {
        "activity logs are not imported yet"
    } else if says("\"photoTakenTime\"") {
        "photo descriptions are not imported yet"
    } else if text.trim_start().starts_with("<!DOCTYPE") || text.trim_start().starts_with("<html") {
        "web pages are not imported; ask Takeout for JSON where it offers a choice"
    } else if matches!(path.rsplit('.').next(), Some("json" | "csv")) {
        "this part of a Takeout archive is not imported yet"
    } else {
        "files of a Takeout archive are imported only with the note that they belong to"
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use aura_vault::record::Kind;

    use super::super::collect::Collect;
    use super::*;
    use crate::draft::Finding;

    /// Progress starts over with every file.
    struct Loose(Collect);

    impl Sink for Loose {
        fn take(&mut self, finding: Finding, _: u64) -> Result<(), Stop> {
            self.0.take(finding, 0)
        }
    }

    #[test]
    fn content_decides_whatever_the_folders_are_called() {
        let folder = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = folder.path().join("Takeout").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put(
            "Kalender/Privat.ics",
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20260131\nEND:VEVENT\nEND:VCALENDAR\n",
        );
        put("Kontakte/Alle/Alle.vcf", "BEGIN:VCARD\nVERSION:3.0\nFN:Ann\nEND:VCARD\n");
        put(
            "E-Mail/Alle.mbox",
            "From 1@xxx Sat Jan 31 10:00:00 +0000 2026\nFrom: a@example.org\nSubject: s\nMessage-ID: <1@x>\nX-GM-THRID: 7\n\nhello\n\n",
        );
        put(
            "Notizen/N.json",
            "{\"textContent\":\"n\",\"isTrashed\":false,\"isPinned\":false,\"attachments\":[{\"filePath\":\"p.png\"}]}",
        );
        put("Notizen/N.html", "<!DOCTYPE html>");
        put("Notizen/p.png", "png");
        put(
            "Standortverlauf/R.json",
            "{\"locations\":[{\"timestamp\":\"2020-01-31T10:00:00Z\",\"latitudeE7\":1,\"longitudeE7\":1}]}",
        );
        put(
            "Meine Aktivit\u{e4}ten/A.json",
            "[{\"header\":\"x\",\"titleUrl\":\"y\",\"products\":[]}]",
        );
        put("Google Fotos/a.jpg.json", "{\"photoTakenTime\":{}}");
        put("Google Fotos/a.jpg", "jpg");
        let tree = crate::tree::open(folder.path()).unwrap();
        let paths: Vec<String> = tree.entries().iter().map(|entry| entry.path.clone()).collect();
        assert!(paths.iter().all(|path| recognise(b"", path)));
        let mut sink = Loose(Collect::default());
        read_tree(&tree, &paths, &mut sink).unwrap();
        let Loose(sink) = sink;
        let mut kinds: Vec<Kind> = sink.drafts.iter().map(|draft| draft.kind).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, [Kind::Event, Kind::Contact, Kind::Email, Kind::Note, Kind::Place]);
        assert!(sink.failed.is_empty(), "{:?}", sink.failed);
        assert_eq!(sink.skipped.len(), 4, "{:?}", sink.skipped);
        assert!(sink.skipped.iter().any(|(_, reason)| reason.contains("web page of a note")));
        assert!(!sink.skipped.iter().any(|(place, _)| place.ends_with("p.png")));
    }
}
