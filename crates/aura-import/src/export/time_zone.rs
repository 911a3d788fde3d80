// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a calendar says of the time zones that its components name.
//!
//! A name that the time zone database does not have, and that says no offset either, stays without a
//! definition: none is better than a wrong one. Source: RFC 5545, 3.6.5; IANA's database, through the
//! converter.

use std::collections::BTreeSet;

use calcard::icalendar::ICalendar;

use super::content_line::rewritten;
use crate::formats::component::{Piece, Pieces, guarded, unfold, zone_of};

/// Start of 1900 and of 2050 in UTC, in seconds since 1970: the years that a definition covers in full.
/// Rules that are in force at the end of them have no end.
const COVERED: (i64, i64) = (-2_208_988_800, 2_524_608_000);
/// Most names that are looked up; there are some six hundred, and a calendar may make up its own.
const NAMES_MAX: usize = 2000;

/// The definitions that one calendar has by now.
#[derive(Default)]
pub(super) struct Definitions {
    names: BTreeSet<String>,
}

impl Definitions {
    /// The definitions that this component needs and that were not asked for before.
    pub(super) fn missing(&mut self, component: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        for line in unfold(component) {
            let Some(name) = zone_of(&line) else { continue };
            if self.names.len() < NAMES_MAX && self.names.insert(name.to_owned()) {
                text.extend(guarded(|| definition(name)).flatten().unwrap_or_default());
            }
        }
        text
    }
}

/// The foreign part: everything in here may panic.
fn definition(name: &str) -> Option<Vec<u8>> {
    let mut calendar = ICalendar::parse("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n").ok()?;
    calendar.add_timezone(name, COVERED.0, COVERED.1)?;
    let written = calendar.to_string();
    let mut input = written.as_bytes();
    let mut pieces = Pieces::new(&mut input, Some("VCALENDAR"));
    while let Some(piece) = pieces.next().ok()? {
        if let Piece::Whole { text, .. } = piece {
            return Some(rewritten(&text));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &[u8] = b"BEGIN:VEVENT\r\nDTSTART;TZID=Europe/Lisbon:20260701T100000\r\n\
        DTEND;TZID=Europe/Lisbon:20260701T110000\r\nEND:VEVENT\r\n";

    #[test]
    fn a_zone_is_defined_once_and_with_what_is_in_force() {
        let mut zones = Definitions::default();
        let text = String::from_utf8(zones.missing(EVENT)).unwrap();
        assert!(text.starts_with("BEGIN:VTIMEZONE\r\nTZID:Europe/Lisbon\r\n"), "{text}");
        assert!(text.ends_with("END:VTIMEZONE\r\n"), "{text}");
        for rule in ["BYDAY=-1SU;BYMONTH=3", "BYDAY=-1SU;BYMONTH=10"] {
            let line = text.lines().rfind(|line| line.contains(rule)).unwrap();
            assert!(!line.contains("UNTIL"), "{line}");
        }
        assert!(zones.missing(EVENT).is_empty());
    }

    #[test]
    fn of_a_zone_that_nobody_knows_nothing_is_said() {
        let mut zones = Definitions::default();
        assert!(zones.missing(b"DTSTART;TZID=Atlantis/Port:20260701T100000").is_empty());
        assert!(zones.missing(b"DTSTART:20260701T100000Z").is_empty());
    }
}
