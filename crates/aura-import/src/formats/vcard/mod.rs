// SPDX-License-Identifier: MIT OR Apache-2.0
//! vCard 2.1, 3.0 and 4.0 to contacts, one card at a time.
//!
//! A card becomes a JSContact Card; what JSContact has no place for stays in its `vCard` member.
//! Groups stay what they are: `keywords` from CATEGORIES, `kind: group` with `members` otherwise.
//! Source: RFC 6350, RFC 2426, RFC 9553 and RFC 9555 (the mapping).

mod convert;

use std::io::BufRead;

use super::component::{Piece, Pieces, unfold};
use super::report::Report;
use crate::draft::{Sink, Stop};

pub(crate) use convert::SOURCE;

/// Whether this is the beginning of an address book.
pub(crate) fn recognise(first: &[u8], _path: &str) -> bool {
    let first = first.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(first).trim_ascii_start();
    first.get(..11).is_some_and(|begin| begin.eq_ignore_ascii_case(b"BEGIN:VCARD"))
}

/// Reads one file of cards.
///
/// # Errors
/// Only when the sink stops.
pub(crate) fn read(place: &str, input: &mut dyn BufRead, sink: &mut dyn Sink) -> Result<(), Stop> {
    let mut pieces = Pieces::new(input, None);
    let mut report = Report::new(place, sink);
    let mut is_any = false;
    loop {
        let piece = match pieces.next() {
            Ok(Some(piece)) => piece,
            Ok(None) => break,
            Err(error) => return report.broken_input(&error),
        };
        report.progress = pieces.progress();
        is_any = true;
        match piece {
            Piece::Whole { name, line, text } if name == "VCARD" => {
                let at = format!("line {line}");
                match convert::draft(&unfold(&text)) {
                    Ok(draft) => report.draft(draft)?,
                    Err(reason) => report.failed(at, &format!("VCARD: {reason}"))?,
                }
            }
            Piece::Whole { name, line, .. } => {
                let reason = format!("{name} components are not contacts");
                report.skipped(format_args!("line {line}"), &reason)?;
            }
            Piece::Broken { name, line, reason } => {
                report.failed(format_args!("line {line}"), &format!("{name}: {reason}"))?;
            }
            Piece::Open | Piece::Close | Piece::Property(_) => {}
        }
    }
    if is_any {
        return Ok(());
    }
    report.failed("", "there is no contact in it (no BEGIN:VCARD line)")
}

#[cfg(test)]
mod tests;
