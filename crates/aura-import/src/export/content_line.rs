// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lines of calendars and cards as other programs can read them.
//!
//! The converters behind write names, parameters and URIs as they came; one line that breaks the
//! grammar makes others refuse the whole file. Source: RFC 5545, 3.1; RFC 6350, 3.3; RFC 6868.

use crate::formats::component::unfold;

/// Longest line that is written, in bytes (RFC 5545, 3.1).
const FOLD_BYTES: usize = 75;
/// Parameters of vCard 2.1 that make others decode a value; what is written is decoded already.
const ENCODINGS: [&str; 4] = ["QUOTED-PRINTABLE", "BASE64", "ENCODING", "CHARSET"];

/// A component with one more line, before its end; what others expect at its beginning stays there.
pub(super) fn with_last(mut component: Vec<u8>, line: Option<String>) -> Vec<u8> {
    let Some(line) = line else { return component };
    let body = component.strip_suffix(b"\r\n").unwrap_or(&component);
    let last = body.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let end = component.split_off(last);
    component.extend(rewritten(line.as_bytes()));
    component.extend(end);
    component
}

/// The lines again: mended, folded, and ended by CR LF.
pub(super) fn rewritten(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for line in unfold(text) {
        let line = mended(&line);
        // A list of dates that is empty is no list, and others refuse its component.
        let is_dates = line.starts_with("EXDATE") || line.starts_with("RDATE");
        if is_dates && line.ends_with(':') {
            continue;
        }
        let mut rest = line.as_str();
        let mut most = FOLD_BYTES;
        while rest.len() > most {
            let (head, tail) = rest.split_at(rest.floor_char_boundary(most));
            out.extend_from_slice(head.as_bytes());
            out.extend_from_slice(b"\r\n ");
            rest = tail;
            // The space that marks a folded line counts.
            most = FOLD_BYTES - 1;
        }
        out.extend_from_slice(rest.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn mended(line: &str) -> String {
    let (head, value) = split(line);
    let Some(value) = value else { return line.to_owned() };
    let mut parts = head.into_iter();
    let mut mended = name(parts.next().unwrap_or_default(), true);
    for part in parts {
        mended.push(';');
        match part.split_once('=') {
            Some((key, text)) => mended.push_str(&parameter(key, text)),
            None => mended.push_str(part),
        }
    }
    mended.push(':');
    if value.starts_with("data:") {
        // The commas and semicolons of a URI are no separators.
        mended.push_str(&value.replace("\\,", ",").replace("\\;", ";"));
    } else {
        mended.push_str(value);
    }
    mended
}

/// The name and the parameters of a line, and its value; a mark inside quotation marks separates nothing.
fn split(line: &str) -> (Vec<&str>, Option<&str>) {
    let mut parts = Vec::new();
    let (mut start, mut is_quoted, mut is_escaped) = (0, false, false);
    for (at, mark) in line.char_indices() {
        match mark {
            '"' if !(is_quoted && is_escaped) => is_quoted = !is_quoted,
            ';' | ':' if !is_quoted => {
                parts.extend(line.get(start..at));
                start = at + 1;
                if mark == ':' {
                    return (parts, line.get(start..));
                }
            }
            _ => {}
        }
        is_escaped = mark == '\\' && !is_escaped;
    }
    (parts, None)
}

/// A name of letters, digits and dashes; that of a property may stand in a group.
fn name(name: &str, has_group: bool) -> String {
    let dot = name.rfind('.').filter(|_| has_group);
    let plain = |(at, letter): (usize, char)| {
        let is_allowed = letter.is_ascii_alphanumeric() || letter == '-' || Some(at) == dot;
        if is_allowed { letter } else { '-' }
    };
    name.char_indices().map(plain).collect()
}

fn parameter(key: &str, text: &str) -> String {
    let key = name(key, false);
    let is_encoding = ENCODINGS.iter().any(|encoding| key.eq_ignore_ascii_case(encoding));
    let prefix = if is_encoding { "X-" } else { "" };
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let text = match quoted {
        Some(inner) => format!("\"{}\"", inner.replace("\\\"", "^'")),
        None => text.to_owned(),
    };
    // The converter writes the zone of a property once as its own and once as kept.
    let mut zones = text.split(',');
    let first = zones.next().unwrap_or_default();
    let is_doubled = key.eq_ignore_ascii_case("TZID") && zones.all(|zone| zone == first);
    format!("{prefix}{key}={}", if is_doubled { first } else { &text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_folded_and_uris_are_plain() {
        let long = format!("NOTE:{}\r\n", "\u{e4}\\,".repeat(60));
        assert_eq!(rewritten(b"A:\r\nEXDATE;VALUE=DATE:\r\nB:1\r\n"), b"A:\r\nB:1\r\n");
        let text = format!("PHOTO:data:image/png;base64\\,AQ\r\n ID\r\n{long}");
        let out = String::from_utf8(rewritten(text.as_bytes())).unwrap();
        assert!(out.starts_with("PHOTO:data:image/png;base64,AQID\r\nNOTE:"));
        assert!(out.lines().all(|line| line.len() <= FOLD_BYTES) && out.lines().count() > 3);
        assert_eq!(unfold(out.as_bytes())[1], long.trim_end());
    }

    #[test]
    fn what_breaks_the_grammar_is_mended() {
        for (line, wanted) in [
            ("item1.TEL;TYPE=a:1;2:3", "item1.TEL;TYPE=a:1;2:3"),
            ("ADR;LABEL=\"a:\\\"b;c\\\"\":x", "ADR;LABEL=\"a:^'b;c^'\":x"),
            ("X-MESSAGING/XMPP:a", "X-MESSAGING-XMPP:a"),
            ("some.OTHER.VALUE:1.2", "some-OTHER.VALUE:1.2"),
            ("LABEL;QUOTED-PRINTABLE=:A=E8", "LABEL;X-QUOTED-PRINTABLE=:A=E8"),
            ("DTSTART;TZID=own/A,own/A:1", "DTSTART;TZID=own/A:1"),
            ("DTSTART;TZID=A,B:1", "DTSTART;TZID=A,B:1"),
            ("no value", "no value"),
        ] {
            assert_eq!(mended(line), wanted);
        }
    }
}
