// SPDX-License-Identifier: MIT OR Apache-2.0
//! iCalendar to events, tasks and journal notes, one component at a time.
//!
//! A component that cannot be read is named with its line, and reading goes on. A component waits
//! for the end of its calendar only if it names a time zone that is defined further down. Alarms
//! stay inside their event; free/busy times are not records, nor are answers to invitations that carry
//! no time. An event without a time that says something is kept as a note. Source: RFC 5545, 5546, 8984.

mod convert;

use std::io::BufRead;

use super::component::{Piece, Pieces, property, unfold};
use super::report::Report;
use crate::draft::{Sink, Stop};
use convert::Calendar;

pub(crate) use convert::SOURCE;

/// Most bytes of time zone definitions of one calendar.
const ZONE_BYTES_MAX: usize = 4 << 20;
/// Most bytes of components that wait for a time zone.
const WAITING_BYTES_MAX: usize = 16 << 20;
/// Longest calendar property that is kept, in bytes.
const HEADER_BYTES_MAX: usize = 4096;

/// Whether this is the beginning of a calendar.
pub(crate) fn recognise(first: &[u8], _path: &str) -> bool {
    let first = first.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(first).trim_ascii_start();
    ["BEGIN:VCALENDAR", "BEGIN:VEVENT", "BEGIN:VTODO", "BEGIN:VJOURNAL"].iter().any(|begin| {
        first.get(..begin.len()).is_some_and(|bytes| bytes.eq_ignore_ascii_case(begin.as_bytes()))
    })
}

/// Reads one calendar file (which may hold several calendars).
///
/// # Errors
/// Only when the sink stops.
pub(crate) fn read(place: &str, input: &mut dyn BufRead, sink: &mut dyn Sink) -> Result<(), Stop> {
    let mut pieces = Pieces::new(input, Some("VCALENDAR"));
    let mut reader = Reader {
        report: Report::new(place, sink),
        calendar: Calendar::default(),
        zone_bytes: 0,
        waiting: Vec::new(),
        waiting_bytes: 0,
        is_any: false,
    };
    loop {
        let piece = match pieces.next() {
            Ok(Some(piece)) => piece,
            Ok(None) => break,
            Err(error) => {
                reader.flush()?;
                return reader.report.broken_input(&error);
            }
        };
        reader.report.progress = pieces.progress();
        reader.take(piece)?;
    }
    reader.flush()?;
    if reader.is_any {
        return Ok(());
    }
    reader.report.failed("", "there is no calendar in it (no BEGIN:VCALENDAR line)")
}

struct Waiting {
    name: String,
    line: u64,
    lines: Vec<String>,
}

struct Reader<'a> {
    report: Report<'a>,
    calendar: Calendar,
    zone_bytes: usize,
    waiting: Vec<Waiting>,
    waiting_bytes: usize,
    is_any: bool,
}

impl Reader<'_> {
    fn take(&mut self, piece: Piece) -> Result<(), Stop> {
        self.is_any |= !matches!(piece, Piece::Property(_));
        match piece {
            Piece::Open => {
                self.flush()?;
                self.calendar = Calendar::default();
                self.zone_bytes = 0;
            }
            Piece::Close => self.flush()?,
            Piece::Property(line) => {
                if line.len() <= HEADER_BYTES_MAX {
                    self.header(&super::line::decode(&line));
                }
            }
            Piece::Broken { name, line, reason } => {
                self.report.failed(format_args!("line {line}"), &format!("{name}: {reason}"))?;
            }
            Piece::Whole { name, line, text } => match name.as_str() {
                "VTIMEZONE" => self.zone(line, &text)?,
                "VEVENT" | "VTODO" | "VJOURNAL" => {
                    let waiting = Waiting { name, line, lines: unfold(&text) };
                    let is_ready = self.calendar.knows_zones(&waiting.lines);
                    if is_ready || self.waiting_bytes + text.len() > WAITING_BYTES_MAX {
                        return self.convert(&waiting);
                    }
                    self.waiting_bytes += text.len();
                    self.waiting.push(waiting);
                }
                _ => {
                    let reason = format!("{name} components are not records");
                    self.report.skipped(format_args!("line {line}"), &reason)?;
                }
            },
        }
        Ok(())
    }

    fn header(&mut self, line: &str) {
        let Some((name, value)) = property(line) else { return };
        let header = &mut self.calendar.header;
        match name.as_str() {
            "X-WR-CALNAME" | "NAME" => header.name = Some(value.trim().to_owned()),
            "X-WR-TIMEZONE" | "TIMEZONE-ID" => header.zone = Some(value.trim().to_owned()),
            "METHOD" => header.method = Some(value.trim().to_ascii_lowercase()),
            _ => {}
        }
    }

    fn zone(&mut self, line: u64, text: &[u8]) -> Result<(), Stop> {
        self.zone_bytes += text.len();
        if self.zone_bytes > ZONE_BYTES_MAX {
            return self.report.failed(
                format_args!("line {line}"),
                "VTIMEZONE: the calendar defines more time zones than this program reads",
            );
        }
        let lines = unfold(text);
        let id = lines.iter().filter_map(|line| property(line)).find(|(name, _)| name == "TZID");
        if let Some((_, id)) = id {
            self.calendar.zones.insert(id.trim().to_owned(), lines.join("\r\n"));
        }
        Ok(())
    }

    fn convert(&mut self, component: &Waiting) -> Result<(), Stop> {
        match convert::draft(&component.name, &component.lines, &self.calendar) {
            Ok(draft) => self.report.draft(draft),
            Err(reason) if self.calendar.is_answer() => {
                let reason = format!("{} in an answer to an invitation: {reason}", component.name);
                self.report.skipped(format_args!("line {}", component.line), &reason)
            }
            Err(reason) => {
                let reason = format!("{}: {reason}", component.name);
                self.report.failed(format_args!("line {}", component.line), &reason)
            }
        }
    }

    fn flush(&mut self) -> Result<(), Stop> {
        self.waiting_bytes = 0;
        for component in core::mem::take(&mut self.waiting) {
            self.convert(&component)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
