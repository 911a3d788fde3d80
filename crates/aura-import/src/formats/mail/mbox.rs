// SPDX-License-Identifier: MIT OR Apache-2.0
//! A file of many mails, told apart by lines that start with `From `.
//!
//! Not every such line starts a mail: it must bear a date, as programs write it and people don't.
//! Lengths in headers are not believed. `>From ` is taken back to `From ` (mboxrd).
//! Source: RFC 4155.

use std::io::{self, BufRead, Read};

use super::super::ending::file_name;
use super::message::{Origin, Reader};
use super::{MAIL_BYTES_MAX, TOO_LARGE, failed};
use crate::count::Counted;
use crate::draft::{Finding, Sink, Stop};

/// Longest line that may be a separator, in bytes.
const SEPARATOR_BYTES_MAX: usize = 1000;

/// Whether a file starts like an mbox.
pub(crate) fn recognise(first: &[u8], _path: &str) -> bool {
    let first = first.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(first);
    let line = first.split(|&byte| byte == b'\n').next().unwrap_or_default();
    is_separator(line)
}

/// Reads every mail of an mbox.
pub(crate) fn read(place: &str, input: &mut dyn BufRead, sink: &mut dyn Sink) -> Result<(), Stop> {
    let mailbox = file_name(place);
    let mailbox = mailbox.strip_suffix(".mbox").unwrap_or(mailbox);
    let origin = Origin { mailbox: Some(mailbox), keywords: Vec::new() };
    let reader = Reader::new();
    let mut mails = Mails::new(Counted::new(input));
    let mut number = 0_u64;
    loop {
        match mails.next() {
            Ok(Next::End) => return Ok(()),
            Ok(Next::Blank) => {}
            Ok(next) => {
                number = number.saturating_add(1);
                let outcome = match next {
                    Next::Mail => reader.draft(&mails.raw, &origin),
                    _ => Err(TOO_LARGE),
                };
                let finding = match outcome {
                    Ok(draft) => Finding::Draft(Box::new(draft)),
                    Err(reason) => failed(&format!("{place}, mail {number}"), reason),
                };
                sink.take(finding, mails.input.read_bytes())?;
            }
            Err(error) => {
                let reason = format!(
                    "the rest of it could not be read ({}); the mails before were read",
                    error.kind()
                );
                return sink.take(failed(place, &reason), mails.input.read_bytes());
            }
        }
    }
}

enum Next {
    Mail,
    /// Larger than the limit; it was read past.
    TooLarge,
    /// Nothing but blank lines between two separators, or before the first.
    Blank,
    End,
}

struct Mails<'a> {
    input: Counted<'a>,
    /// The mail that was read last, without its separator.
    raw: Vec<u8>,
    /// The line that ended the last mail was read already.
    has_started: bool,
    is_at_end: bool,
}

impl<'a> Mails<'a> {
    fn new(input: Counted<'a>) -> Self {
        Self { input, raw: Vec::new(), has_started: false, is_at_end: false }
    }

    fn next(&mut self) -> io::Result<Next> {
        if self.is_at_end {
            return Ok(Next::End);
        }
        self.raw.clear();
        let mut is_too_large = false;
        let mut is_line_start = true;
        loop {
            let start = self.raw.len();
            let room = if is_too_large { 64 << 10 } else { MAIL_BYTES_MAX + 1 - start as u64 };
            let count = (&mut self.input).take(room.max(1)).read_until(b'\n', &mut self.raw)?;
            if count == 0 {
                self.is_at_end = true;
                break;
            }
            let line = self.raw.get(start..).unwrap_or_default();
            let is_whole = line.last() == Some(&b'\n');
            if is_line_start && line.first() == Some(&b'F') && is_separator(line) {
                self.raw.truncate(start);
                if self.has_started || start > 0 {
                    self.has_started = true;
                    break;
                }
                self.has_started = true;
                continue;
            }
            if is_line_start && line.first() == Some(&b'>') && is_quoted_from(line) {
                self.raw.remove(start);
            }
            is_line_start = is_whole;
            if is_too_large {
                self.raw.clear();
            } else if self.raw.len() as u64 > MAIL_BYTES_MAX {
                is_too_large = true;
                self.raw = Vec::new();
            }
        }
        if is_too_large {
            return Ok(Next::TooLarge);
        }
        if self.raw.iter().all(u8::is_ascii_whitespace) {
            return Ok(if self.is_at_end { Next::End } else { Next::Blank });
        }
        Ok(Next::Mail)
    }
}

/// `>From `, `>>From ` and so on.
fn is_quoted_from(line: &[u8]) -> bool {
    let marks = line.iter().take_while(|&&byte| byte == b'>').count();
    line.get(marks..).is_some_and(|rest| rest.starts_with(b"From "))
}

/// `From ` and somewhere behind it a day of the week, a month, a time and a year.
fn is_separator(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"From ") else { return false };
    if rest.len() > SEPARATOR_BYTES_MAX {
        return false;
    }
    let (mut has_day, mut has_month, mut has_time, mut has_year) = (false, false, false, false);
    for word in rest.split(|&byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',')) {
        match word {
            b"Mon" | b"Tue" | b"Wed" | b"Thu" | b"Fri" | b"Sat" | b"Sun" => has_day = true,
            b"Jan" | b"Feb" | b"Mar" | b"Apr" | b"May" | b"Jun" | b"Jul" | b"Aug" | b"Sep"
            | b"Oct" | b"Nov" | b"Dec" => has_month = true,
            [a, b, b':', c, d, ..] if [a, b, c, d].iter().all(|byte| byte.is_ascii_digit()) => {
                has_time = true;
            }
            [a, b':', c, d, ..] if [a, c, d].iter().all(|byte| byte.is_ascii_digit()) => {
                has_time = true;
            }
            [b'1' | b'2', _, _, _] if word.iter().all(u8::is_ascii_digit) => has_year = true,
            _ => {}
        }
    }
    has_day && has_month && has_time && has_year
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut mails = Mails::new(Counted::new(&mut bytes));
        let mut found = Vec::new();
        loop {
            match mails.next().unwrap() {
                Next::Mail => found.push(mails.raw.clone()),
                Next::End => return found,
                _ => {}
            }
        }
    }

    #[test]
    fn mails_are_told_apart_by_dated_lines_only() {
        let mbox = b"From a@example.org Thu Jan  1 00:00:00 1970\nSubject: 1\n\nFrom me to you.\n\
            >From quoted\n>>From twice\n> From not\n\n\
            From 123@xxx Fri Feb 27 10:00:00 +0000 2015\r\nSubject: 2\r\n\r\nx\r\n";
        let found = split(mbox);
        assert_eq!(found.len(), 2);
        assert_eq!(
            String::from_utf8_lossy(&found[0]),
            "Subject: 1\n\nFrom me to you.\nFrom quoted\n>From twice\n> From not\n\n"
        );
        assert_eq!(found[1], b"Subject: 2\r\n\r\nx\r\n");
        assert!(split(b"").is_empty());
        assert!(split(b"\n\n").is_empty());
        assert!(split(b"From - Mon Jan  5 10:00:00 2015\n").is_empty());
    }

    #[test]
    fn separators() {
        assert!(is_separator(b"From - Sat Jan 03 01:05:34 1996"));
        assert!(is_separator(b"From MAILER_DAEMON Fri Jul  8 12:08:34 2011\r\n"));
        assert!(is_separator(b"From bob@example.org Tue, 5 Aug 2008 9:01:00 -0700"));
        for no in [
            "From: a@example.org",
            "From here on, in 2015, at 10:30",
            "From ",
            "from - Sat Jan 03 01:05:34 1996",
        ] {
            assert!(!is_separator(no.as_bytes()), "{no}");
        }
    }
}
