// SPDX-License-Identifier: MIT OR Apache-2.0
//! Cuts a calendar or address book into its components, one at a time.
//!
//! The parser behind it takes one component, never the file: memory stays small, and a component
//! that is broken costs only itself. What the lines mean is not here: `super::ical`, `super::vcard`.
//! Source: RFC 5545, section 3.4, and RFC 6350, section 3.3.

use std::collections::VecDeque;
use std::io::{self, BufRead};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::line::{Lines, decode};

/// Largest component, in bytes; inline pictures make them large.
pub(crate) const COMPONENT_BYTES_MAX: usize = 16 << 20;
/// Most properties of a component; the parser behind is quadratic in them.
const PROPERTIES_MAX: usize = 10_000;
/// Deepest nesting within a component.
const DEPTH_MAX: usize = 8;
/// Longest component name, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// What was found, in the file's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A container begins.
    Open,
    /// A container ends.
    Close,
    /// A property of the container itself.
    Property(Vec<u8>),
    /// A whole component, its BEGIN and END lines included.
    Whole { name: String, line: u64, text: Vec<u8> },
    /// A component that cannot be read, and why.
    Broken { name: String, line: u64, reason: &'static str },
}

struct Open {
    /// Names of the open components, the outermost first.
    stack: Vec<String>,
    line: u64,
    text: Vec<u8>,
    properties: usize,
    fault: Option<&'static str>,
    is_agent: bool,
}

/// Reads pieces. `container` (VCALENDAR) is looked into; without one every component is whole.
pub(crate) struct Pieces<'a> {
    lines: Lines<'a>,
    container: Option<&'static str>,
    is_inside: bool,
    open: Option<Open>,
    ready: VecDeque<Piece>,
    is_done: bool,
}

enum Mark {
    Begin(String),
    End(String),
    Other,
}

impl<'a> Pieces<'a> {
    pub(crate) fn new(input: &'a mut dyn BufRead, container: Option<&'static str>) -> Self {
        let lines = Lines::new(input, COMPONENT_BYTES_MAX);
        Self {
            lines,
            container,
            is_inside: false,
            open: None,
            ready: VecDeque::new(),
            is_done: false,
        }
    }

    /// How many bytes have been read.
    pub(crate) fn progress(&self) -> u64 {
        self.lines.progress()
    }

    /// The next piece, or `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Piece>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Ok(Some(piece));
            }
            if self.is_done {
                return Ok(None);
            }
            let Some(line) = self.lines.next()? else {
                self.end();
                continue;
            };
            let (number, is_cut) = (line.number, line.is_cut);
            let mark = if is_cut { Mark::Other } else { mark(line.bytes) };
            match mark {
                Mark::Begin(name) => self.begin(name, number),
                Mark::End(name) => self.finish(&name),
                Mark::Other => {
                    let step = match &mut self.open {
                        Some(open) => {
                            open.keep(line.bytes, is_cut);
                            None
                        }
                        None if self.is_inside => Some(Piece::Property(line.bytes.to_vec())),
                        None => None,
                    };
                    self.ready.extend(step);
                }
            }
        }
    }

    fn begin(&mut self, name: String, number: u64) {
        if self.container == Some(name.as_str()) {
            self.give_up("it has no END line");
            if self.is_inside {
                self.ready.push_back(Piece::Close);
            }
            self.is_inside = true;
            self.ready.push_back(Piece::Open);
            return;
        }
        if let Some(open) = &mut self.open {
            // A card inside a card is an agent (vCard 2.1); otherwise an END line is missing.
            let is_restart = open.stack.first() == Some(&name) && !open.is_agent;
            if !is_restart {
                open.keep(format!("BEGIN:{name}").as_bytes(), false);
                open.stack.push(name);
                if open.stack.len() > DEPTH_MAX {
                    open.fault = Some("components are nested too deeply in it");
                    open.stack.truncate(DEPTH_MAX);
                }
                return;
            }
            self.give_up("it has no END line");
        }
        let mut open = Open {
            stack: vec![name.clone()],
            line: number,
            text: Vec::new(),
            properties: 0,
            fault: None,
            is_agent: false,
        };
        open.keep(format!("BEGIN:{name}").as_bytes(), false);
        self.open = Some(open);
    }

    fn finish(&mut self, name: &str) {
        if self.container == Some(name) {
            self.give_up("it has no END line");
            if self.is_inside {
                self.is_inside = false;
                self.ready.push_back(Piece::Close);
            }
            return;
        }
        let Some(open) = &mut self.open else { return };
        open.keep(format!("END:{name}").as_bytes(), false);
        if open.stack.last().is_some_and(|top| top == name) {
            open.stack.pop();
        } else {
            open.fault = Some("its BEGIN and END lines do not match");
            if open.stack.first().is_some_and(|outer| outer == name) {
                // The outer component ends, so what is still open inside it was never closed.
                open.stack.truncate(1);
                let outer = open.stack.pop();
                self.close(outer.unwrap_or_default());
            }
            return;
        }
        if open.stack.is_empty() {
            self.close(name.to_owned());
        }
    }

    fn close(&mut self, name: String) {
        let Some(open) = self.open.take() else { return };
        self.ready.push_back(match open.fault {
            Some(reason) => Piece::Broken { name, line: open.line, reason },
            None => Piece::Whole { name, line: open.line, text: open.text },
        });
    }

    fn give_up(&mut self, reason: &'static str) {
        if let Some(open) = self.open.take() {
            let name = open.stack.into_iter().next().unwrap_or_default();
            self.ready.push_back(Piece::Broken { name, line: open.line, reason });
        }
    }

    fn end(&mut self) {
        self.is_done = true;
        self.give_up("the file ends in the middle of it; the export may be cut off");
        if self.is_inside {
            self.ready.push_back(Piece::Close);
        }
    }
}

impl Open {
    fn keep(&mut self, line: &[u8], is_cut: bool) {
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            self.properties += 1;
            self.is_agent = line.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"AGENT"));
        }
        if is_cut || self.text.len() + line.len() > COMPONENT_BYTES_MAX {
            self.fault = Some("it is larger than this program reads in one piece (16 MiB)");
        } else if self.properties > PROPERTIES_MAX {
            self.fault = Some("it has more properties than this program reads (10,000)");
        }
        if self.fault.is_some() {
            self.text = Vec::new();
            return;
        }
        self.text.extend_from_slice(line);
        self.text.extend_from_slice(b"\r\n");
    }
}

fn mark(line: &[u8]) -> Mark {
    let Some((word, name)) = line.split_at_checked(6).filter(|(word, _)| word.ends_with(b":"))
    else {
        return match line.split_at_checked(4) {
            Some((word, name)) if word.eq_ignore_ascii_case(b"END:") => {
                self::name(name).map_or(Mark::Other, Mark::End)
            }
            _ => Mark::Other,
        };
    };
    if word.eq_ignore_ascii_case(b"BEGIN:") {
        return self::name(name).map_or(Mark::Other, Mark::Begin);
    }
    Mark::Other
}

fn name(bytes: &[u8]) -> Option<String> {
    let name = bytes.trim_ascii();
    let is_name = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    is_name.then(|| String::from_utf8_lossy(name).to_ascii_uppercase())
}

/// Runs the foreign parser or converter on one component.
///
/// It is not ours and asserts in places what a file may not keep, so that a panic in it must cost
/// the component and not the import. `None` means it panicked.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// A property line's name (upper case, its group left out), and its value.
pub(crate) fn property(line: &str) -> Option<(String, &str)> {
    let mut is_quoted = false;
    let colon = line.char_indices().find_map(|(at, c)| {
        if c == '"' {
            is_quoted = !is_quoted;
        }
        (c == ':' && !is_quoted).then_some(at)
    })?;
    let (head, value) = (line.get(..colon)?, line.get(colon + 1..)?);
    let name = head.split(';').next().unwrap_or(head);
    let name = name.rsplit('.').next().unwrap_or(name);
    Some((name.trim().to_ascii_uppercase(), value))
}

/// The TZID parameter of a property line.
pub(crate) fn zone_of(line: &str) -> Option<&str> {
    let upper = line.get(..line.find(':').unwrap_or(line.len()))?;
    let at = upper.to_ascii_uppercase().find(";TZID=")?;
    let rest = line.get(at + ";TZID=".len()..)?;
    if let Some(quoted) = rest.strip_prefix('"') {
        return quoted.split('"').next();
    }
    rest.split([';', ':']).next()
}

/// The logical lines of a component: folded lines joined, BEGIN and END included.
///
/// Joined as bytes, because a fold may stand inside a character.
pub(crate) fn unfold(text: &[u8]) -> Vec<String> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(last) = lines.last_mut().filter(|last| is_soft_broken(last)) {
            last.pop();
            last.extend_from_slice(line);
            continue;
        }
        match (line.split_first(), lines.last_mut()) {
            (Some((b' ' | b'\t', rest)), Some(last)) => last.extend_from_slice(rest),
            (Some(_), _) => lines.push(line.to_vec()),
            (None, _) => {}
        }
    }
    lines.iter().map(|line| decode(line)).collect()
}

/// Whether a quoted-printable value goes on in the next line (RFC 2045, 6.7, rule 5).
fn is_soft_broken(line: &[u8]) -> bool {
    line.ends_with(b"=")
        && line.split(|byte| *byte == b':').next().is_some_and(|head| {
            head.to_ascii_uppercase().windows(16).any(|word| word == b"QUOTED-PRINTABLE")
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(text: &[u8], container: Option<&'static str>) -> Vec<Piece> {
        let mut input = text;
        let mut pieces = Pieces::new(&mut input, container);
        let mut found = Vec::new();
        while let Some(piece) = pieces.next().unwrap() {
            found.push(piece);
        }
        found
    }

    fn names(pieces: &[Piece]) -> Vec<String> {
        pieces
            .iter()
            .map(|piece| match piece {
                Piece::Open => "open".to_owned(),
                Piece::Close => "close".to_owned(),
                Piece::Property(_) => "property".to_owned(),
                Piece::Whole { name, line, .. } => format!("{name}@{line}"),
                Piece::Broken { name, line, .. } => format!("!{name}@{line}"),
            })
            .collect()
    }

    #[test]
    fn a_component_without_end_costs_only_itself() {
        let text = "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1\nEND:VEVENT\n\
                    BEGIN:VEVENT\nUID:2\nbegin:VEVENT\nUID:3\nend:vevent\nBEGIN:VEVENT\n\
                    BEGIN:VALARM\nEND:VEVENT\nBEGIN:VTODO\nBEGIN:VALARM\nEND:VALARM\nEND:VTODO\n\
                    BEGIN:VEVENT\nEND:VCALENDAR\n";
        assert_eq!(
            names(&all(text.as_bytes(), Some("VCALENDAR"))),
            [
                "open",
                "property",
                "VEVENT@3",
                "!VEVENT@6",
                "VEVENT@8",
                "!VEVENT@11",
                "VTODO@14",
                "!VEVENT@18",
                "close"
            ]
        );
    }

    #[test]
    fn cards_agents_and_cut_files() {
        let text =
            "BEGIN:VCARD\r\nAGENT:\r\nBEGIN:VCARD\r\nEND:VCARD\r\nEND:VCARD\r\nBEGIN:VCARD\r\n";
        assert_eq!(names(&all(text.as_bytes(), None)), ["VCARD@1", "!VCARD@6"]);
    }

    #[test]
    fn too_many_properties_and_too_deep() {
        let many = format!("BEGIN:A\n{}END:A\nBEGIN:A\nEND:A\n", "X:1\n".repeat(PROPERTIES_MAX));
        assert_eq!(names(&all(many.as_bytes(), None)), ["!A@1", "A@10003"]);
        let deep = format!("BEGIN:A\n{}END:A\n", "BEGIN:B\n".repeat(100));
        assert_eq!(names(&all(deep.as_bytes(), None)), ["!A@1"]);
    }

    #[test]
    fn property_lines() {
        assert_eq!(property("item1.TEL;X=\"a:b\":12:3"), Some(("TEL".to_owned(), "12:3")));
        assert_eq!(property("no value"), None);
        assert_eq!(
            unfold(b"N;ENCODING=QUOTED-PRINTABLE:a=\r\n =20b=\r\nc\r\nX:=\r\nY:1"),
            ["N;ENCODING=QUOTED-PRINTABLE:a =20bc", "X:=", "Y:1"]
        );
        assert_eq!(unfold(b"A:1\xC3\r\n \xA9\r\nB:3\r\n"), ["A:1\u{e9}", "B:3"]);
    }

    proptest! {
        #[test]
        fn any_lines_end(lines in proptest::collection::vec("(BEGIN:|END:|)(VCALENDAR|VEVENT|A| b|)", 0..40)) {
            all(lines.join("\n").as_bytes(), Some("VCALENDAR"));
            all(lines.join("\n").as_bytes(), None);
        }
    }
}
