// SPDX-License-Identifier: MIT OR Apache-2.0
//! Mail: mbox files, single mails (`.eml`, Apple's `.emlx`) and Maildir folders.
//!
//! Each mail is read by itself into memory, up to a limit, and never an mbox as a whole. Nothing that
//! a mail refers to is loaded from anywhere.
//! Source: RFC 5322, 2045-2049, 4155 (mbox), 8621 (the fields).

mod body;
mod header;
mod message;
mod mbox;

use std::io::{BufRead, Read};
use std::sync::Arc;

use self::message::{Origin, Reader};
use super::ending::file_name;
use crate::draft::{Finding, Sink, Stop};
use crate::tree::{Tree, entry};

pub(crate) use self::body::is_text_of;
pub(crate) use self::mbox::{OWN_SENDER, read as read_mbox, recognise as recognise_mbox};

/// The word that mails are marked with.
pub(crate) const SOURCE: &str = "mail";

/// Largest mail that is read, in bytes. Mail providers stop at 25 to 150 MB.
pub(crate) const MAIL_BYTES_MAX: u64 = 96 << 20;

/// What a person is told about a larger one.
const TOO_LARGE: &str = "this mail is larger than this program reads (96 MiB)";

/// What a person is told about something that has no mail headers.
const NO_MAIL: &str = "it does not start with the headers of a mail";

/// Headers that a mail starts with; two of them make a mail.
const TELLING: &[&str] = &[
    "from",
    "to",
    "cc",
    "date",
    "subject",
    "received",
    "message-id",
    "return-path",
    "reply-to",
    "delivered-to",
    "mime-version",
    "content-type",
    "x-mozilla-status",
    "x-gm-thrid",
    "sender",
    "dkim-signature",
    "x-account-key",
];

/// Whether a file starts like one mail: with two telling headers, or with one if it is called a mail.
pub(crate) fn recognise_eml(first: &[u8], path: &str) -> bool {
    let first = after_length_line(first).unwrap_or(first);
    let ending = path.rsplit('.').next().unwrap_or_default();
    let is_named = ["eml", "emlx"].iter().any(|mail| ending.eq_ignore_ascii_case(mail));
    let least = if is_named { 1 } else { 2 };
    let mut known = 0_usize;
    for line in first.split(|&byte| byte == b'\n').take(60) {
        if matches!(line, [] | [b'\r']) {
            break;
        }
        if matches!(line, [b' ' | b'\t', ..]) {
            if known == 0 {
                return false;
            }
            continue;
        }
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            // The last line of what was looked at may be cut.
            return is_named && known >= least || known >= 3;
        };
        let name = line.get(..colon).unwrap_or_default();
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
            return is_named && known >= least;
        }
        known += usize::from(TELLING.iter().any(|one| name.eq_ignore_ascii_case(one.as_bytes())));
    }
    known >= least
}

/// Whether a path is that of a mail in a Maildir folder.
pub(crate) fn is_in_maildir(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    parts.next().is_some_and(|name| name.contains('.') || name.contains(','))
        && matches!(parts.next(), Some("cur" | "new"))
}

/// Reads one mail.
pub(crate) fn read_eml(
    place: &str,
    input: &mut dyn BufRead,
    sink: &mut dyn Sink,
) -> Result<(), Stop> {
    let origin = Origin::default();
    let (finding, size) = one(&Reader::new(), place, input, &origin);
    sink.take(finding, size)
}

/// Reads the mails of Maildir folders; the letters at the end of a name are what was done with it.
pub(crate) fn read_maildir(
    tree: &Arc<dyn Tree>,
    paths: &[String],
    sink: &mut dyn Sink,
) -> Result<(), Stop> {
    let reader = Reader::new();
    let mut progress = 0_u64;
    for path in paths {
        let size = entry(tree.as_ref(), path).map_or(0, |entry| entry.size);
        progress = progress.saturating_add(size);
        let (mailbox, keywords) = (maildir_name(path), maildir_flags(path));
        let origin = Origin { mailbox, keywords, ..Origin::default() };
        let finding = match tree.open(path) {
            Ok(source) => one(&reader, path, source, &origin).0,
            Err(_) => failed(path, "it could not be read"),
        };
        sink.take(finding, progress)?;
    }
    Ok(())
}

/// The mail in one input, and how many bytes it has.
fn one(reader: &Reader, place: &str, input: impl Read, origin: &Origin<'_>) -> (Finding, u64) {
    let mut raw = Vec::new();
    let result = input.take(MAIL_BYTES_MAX + 1).read_to_end(&mut raw);
    let size = raw.len() as u64;
    if result.is_err() {
        return (failed(place, "it could not be read to its end"), size);
    }
    if size > MAIL_BYTES_MAX {
        return (failed(place, TOO_LARGE), size);
    }
    let raw = apple_mail(&raw).unwrap_or(&raw);
    match reader.draft(raw, origin) {
        Ok(draft) => (Finding::Draft(Box::new(draft)), size),
        Err(reason) => (failed(place, reason), size),
    }
}

fn failed(place: &str, reason: &str) -> Finding {
    Finding::Failed { place: place.to_owned(), reason: reason.to_owned() }
}

/// The mail inside an `.emlx`, which has its length before it and a property list after it.
fn apple_mail(raw: &[u8]) -> Option<&[u8]> {
    let rest = after_length_line(raw)?;
    let digits = raw.split(|&byte| byte == b'\n').next()?;
    let length: usize = core::str::from_utf8(digits).ok()?.trim().parse().ok()?;
    rest.get(..length)
}

/// What follows a first line that is only a number.
fn after_length_line(raw: &[u8]) -> Option<&[u8]> {
    let end = raw.iter().take(20).position(|&byte| byte == b'\n')?;
    let line = raw.get(..end)?.trim_ascii();
    if line.is_empty() || !line.iter().all(u8::is_ascii_digit) {
        return None;
    }
    raw.get(end + 1..)
}

/// The folder's name: `.Sent` beside the inbox, or the folder that holds `cur`.
fn maildir_name(path: &str) -> Option<&str> {
    let folder = path.rsplitn(3, '/').nth(2)?;
    Some(file_name(folder).trim_start_matches('.')).filter(|name| !name.is_empty())
}

fn maildir_flags(path: &str) -> Vec<&'static str> {
    // `:2,` is what the format says; `;2,` and `!2,` is what it becomes on Windows.
    let flags = [":2,", ";2,", "!2,"].iter().find_map(|mark| file_name(path).split_once(mark));
    let Some((_, flags)) = flags else { return Vec::new() };
    let meanings = [
        ('S', "$seen"),
        ('R', "$answered"),
        ('F', "$flagged"),
        ('D', "$draft"),
        ('P', "$forwarded"),
    ];
    meanings.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, word)| *word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_are_told_from_other_texts() {
        assert!(recognise_eml(b"Subject: x\nFrom: a@example.org\n\nbody", "a.eml"));
        assert!(recognise_eml(b"Received: by x\r\n\tid 1\r\nDate: y\r\n\r\n", "a"));
        assert!(recognise_eml(b"123\nFrom: a@example.org\nTo: b@example.org\n\n", "1.emlx"));
        for other in [&b"# Note\nFrom: a\nTo: b"[..], b"", b"a: b\nc: d\n", b"\n"] {
            assert!(!recognise_eml(other, "x.eml"), "{other:?}");
        }
        for (one, path) in
            [(&b"From: only one\n\n"[..], "x"), (b"Subject: s\nof what is\nin here", "x.txt")]
        {
            assert!(!recognise_eml(one, path), "{path}");
            assert!(recognise_eml(one, "x.EML"), "{path}");
        }
    }

    #[test]
    fn maildir_names_tell_folder_and_flags() {
        assert!(is_in_maildir("Mail/.Sent/cur/123.M1.host:2,FS"));
        assert!(!is_in_maildir("Mail/tmp/123.M1.host"));
        assert_eq!(maildir_name("Mail/.Sent/cur/1.x:2,S"), Some("Sent"));
        assert_eq!(maildir_name("cur/1.x"), None);
        assert_eq!(maildir_flags("cur/1.x:2,FS"), ["$seen", "$flagged"]);
        assert_eq!(maildir_flags("cur/1.x;2,R"), ["$answered"]);
        assert!(maildir_flags("cur/1.x").is_empty());
    }

    #[test]
    fn an_apple_mail_loses_its_frame() {
        assert_eq!(apple_mail(b"4  \nabcd<plist>"), Some(&b"abcd"[..]));
        assert_eq!(apple_mail(b"9\nabcd"), None);
        assert_eq!(apple_mail(b"From: a\n"), None);
    }
}
