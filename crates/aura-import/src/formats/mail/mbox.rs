// SPDX-License-Identifier: MIT OR Apache-2.0
//! A file of many mails, told apart by lines that start with `From `.
//!
//! Not every such line starts a mail: it must bear a date, as programs write it and people don't.
//! Lengths in headers are not believed. `>From ` is taken back to `From ` (mboxrd). The date is that of
//! the receipt, which many programs do not keep to: it is believed of our own exports, and of a mail
//! that has no other. Source: RFC 4155.

use std::io::{self, BufRead, Read};

use mail_parser::DateTime;

use super::super::ending::file_name;
use super::message::{Filed, Origin, Reader};
use super::{MAIL_BYTES_MAX, TOO_LARGE, failed, header};
use crate::count::Counted;
use crate::draft::{Finding, Sink, Stop};

/// Who sent every mail of an own export, as the lines before them say.
pub(crate) const OWN_SENDER: &str = "aura";

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
                    Next::Mail => reader.draft(&mails.raw, &origin(&mails.separator, mailbox)),
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

/// What a separator tells. An own export names the mailboxes of a mail in the mail.
fn origin<'a>(separator: &[u8], mailbox: &'a str) -> Origin<'a> {
    let is_own = separator
        .strip_prefix(b"From ")
        .and_then(|rest| rest.strip_prefix(OWN_SENDER.as_bytes()))
        .is_some_and(|rest| rest.starts_with(b" "));
    // Who knows no time writes this one.
    let time = header::date_ms(date(separator).as_ref()).filter(|ms| *ms != 0);
    let filed = match time {
        Some(ms) if is_own => Filed::Received(ms),
        Some(ms) => Filed::Perhaps(ms),
        None => Filed::Unknown,
    };
    Origin { mailbox: (!is_own).then_some(mailbox), keywords: Vec::new(), filed }
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
    /// The separator before that mail, and the one after it.
    separator: Vec<u8>,
    following: Vec<u8>,
    /// The line that ended the last mail was read already.
    has_started: bool,
    is_at_end: bool,
}

impl<'a> Mails<'a> {
    fn new(input: Counted<'a>) -> Self {
        Self {
            input,
            raw: Vec::new(),
            separator: Vec::new(),
            following: Vec::new(),
            has_started: false,
            is_at_end: false,
        }
    }

    fn next(&mut self) -> io::Result<Next> {
        if self.is_at_end {
            return Ok(Next::End);
        }
        self.raw.clear();
        self.separator = core::mem::take(&mut self.following);
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
                let is_first = !self.has_started && start == 0;
                self.has_started = true;
                let following = self.raw.split_off(start);
                if is_first {
                    self.separator = following;
                    continue;
                }
                self.following = following;
                break;
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
    for word in words(rest) {
        match word {
            b"Mon" | b"Tue" | b"Wed" | b"Thu" | b"Fri" | b"Sat" | b"Sun" => has_day = true,
            [b'1' | b'2', _, _, _] if word.iter().all(u8::is_ascii_digit) => has_year = true,
            _ if month(word).is_some() => has_month = true,
            _ => has_time |= time(word).is_some(),
        }
    }
    has_day && has_month && has_time && has_year
}

/// The time in a separator; without a zone it is UTC.
fn date(line: &[u8]) -> Option<DateTime> {
    let mut found = DateTime {
        year: 0,
        month: 0,
        day: 0,
        hour: 0,
        minute: 0,
        second: 0,
        tz_before_gmt: false,
        tz_hour: 0,
        tz_minute: 0,
    };
    // The sender comes first and may look like anything; the last word of a kind counts.
    for word in words(line.strip_prefix(b"From ")?) {
        match word {
            [b'1' | b'2', _, _, _] if word.iter().all(u8::is_ascii_digit) => {
                found.year = number(word)?;
            }
            [_] | [_, _] if word.iter().all(u8::is_ascii_digit) => found.day = number(word)?,
            [sign @ (b'+' | b'-'), a, b, c, d] if number::<u16>(&[*a, *b, *c, *d]).is_some() => {
                found.tz_before_gmt = *sign == b'-';
                (found.tz_hour, found.tz_minute) = (number(&[*a, *b])?, number(&[*c, *d])?);
            }
            _ => match (month(word), time(word)) {
                (Some(month), _) => found.month = month,
                (_, Some(time)) => (found.hour, found.minute, found.second) = time,
                _ => {}
            },
        }
    }
    Some(found)
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b','))
}

fn month(word: &[u8]) -> Option<u8> {
    let number = match word {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    };
    Some(number)
}

/// `9:01`, `09:01`, `09:01:00`, and what may follow that.
fn time(word: &[u8]) -> Option<(u8, u8, u8)> {
    let mut parts = word.splitn(3, |&byte| byte == b':');
    let (hour, minute) = (parts.next()?, parts.next()?);
    let hour = number(hour).filter(|_| hour.len() <= 2)?;
    let second = parts.next().and_then(|rest| number(rest.get(..2)?)).unwrap_or(0);
    Some((hour, number(minute.get(..2)?)?, second))
}

/// A number of digits only.
fn number<N: core::str::FromStr>(digits: &[u8]) -> Option<N> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    core::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
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
    fn a_separator_tells_when_a_mail_came() {
        let told = |line: &[u8]| match origin(line, "Work") {
            Origin { mailbox, filed: Filed::Received(ms), .. } => (mailbox, "received", ms),
            Origin { mailbox, filed: Filed::Perhaps(ms), .. } => (mailbox, "perhaps", ms),
            Origin { mailbox, .. } => (mailbox, "unknown", 0),
        };
        let ms = 1_425_031_200_000;
        for (line, wanted) in [
            ("From aura Fri Feb 27 10:00:00 2015\r\n", (None, "received", ms)),
            ("From aura Thu Jan  1 00:00:00 1970\n", (None, "unknown", 0)),
            ("From auratic Fri Feb 27 10:00:00 2015\n", (Some("Work"), "perhaps", ms)),
            ("From 1@xxx Fri Feb 27 11:00 +0100 2015\n", (Some("Work"), "perhaps", ms)),
            ("From x Fri, 27 Feb 2015 5:30:00 -0430", (Some("Work"), "perhaps", ms)),
            ("From - Mon Jan 42 10:00:00 2015\n", (Some("Work"), "unknown", 0)),
        ] {
            assert_eq!(told(line.as_bytes()), wanted, "{line}");
        }
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
