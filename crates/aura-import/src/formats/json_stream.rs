// SPDX-License-Identifier: MIT OR Apache-2.0
//! The elements of a JSON document, one at a time, so that a document of any size fits in memory.
//!
//! It finds where an element ends by counting brackets and hands the bytes to serde_json, so that one
//! element that is too large or not JSON costs only itself. It takes an array, an object of which
//! named members are such arrays, or values one after the other. Source: RFC 8259.

use std::io::{self, BufRead};

use serde_json::Value;

/// Longest member name that is kept, in bytes.
const KEY_BYTES_MAX: usize = 4096;

/// Why an element has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Larger than the limit; it was read past.
    TooLarge,
    /// Not JSON.
    Malformed,
    /// The document ends inside it.
    Cut,
    /// A member that was not asked for; it was read past.
    Unasked,
}

impl Fault {
    /// What a person is told.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::TooLarge => "it is larger than this program reads in one piece",
            Self::Malformed => "it is not valid JSON",
            Self::Cut => "the file ends in the middle of it; the export may be cut off",
            Self::Unasked => "this part of the export is not imported",
        }
    }
}

/// One element, and where it was.
pub(crate) struct Element {
    /// The member of the outer object that it belongs to, if there is an outer object.
    pub(crate) member: Option<String>,
    /// Counted from 0 within its array.
    pub(crate) index: u64,
    /// The line it starts on, counted from 1.
    pub(crate) line: u64,
    pub(crate) value: Result<Value, Fault>,
}

enum State {
    Start,
    Array(Option<String>),
    Object,
    Loose,
    Done,
}

/// Reads elements. A document that ends early gives a last element with [`Fault::Cut`].
pub(crate) struct JsonStream<'a> {
    input: &'a mut dyn BufRead,
    members: &'static [&'static str],
    limit: usize,
    read: u64,
    line: u64,
    index: u64,
    state: State,
    is_member_array: bool,
}

impl<'a> JsonStream<'a> {
    /// `members` are streamed if the document is an object; with none, the object is the element.
    /// `limit` is the size of one element in bytes.
    pub(crate) fn new(
        input: &'a mut dyn BufRead,
        members: &'static [&'static str],
        limit: usize,
    ) -> Self {
        let state = State::Start;
        Self { input, members, limit, read: 0, line: 1, index: 0, state, is_member_array: false }
    }

    /// How many bytes have been read.
    pub(crate) fn progress(&self) -> u64 {
        self.read
    }

    /// The next element, or `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Element>> {
        loop {
            let next = self.skip_space()?;
            match core::mem::replace(&mut self.state, State::Done) {
                State::Done => return Ok(None),
                State::Start => self.state = self.start(next)?,
                State::Loose => {
                    if next.is_none() {
                        return Ok(None);
                    }
                    self.state = State::Loose;
                    return self.element(None).map(Some);
                }
                State::Array(member) => match next {
                    None => return Ok(Some(self.fault(member, Fault::Cut))),
                    Some(b']') => {
                        self.consume_one();
                        self.state = if self.is_member_array { State::Object } else { State::Done };
                    }
                    Some(_) => {
                        self.state = State::Array(member.clone());
                        return self.element(member).map(Some);
                    }
                },
                State::Object => match next {
                    None => return Ok(Some(self.fault(None, Fault::Cut))),
                    Some(b'}') => self.consume_one(),
                    Some(b'"') => {
                        if let Some(element) = self.member()? {
                            return Ok(Some(element));
                        }
                    }
                    Some(_) => return Ok(Some(self.fault(None, Fault::Malformed))),
                },
            }
        }
    }

    fn start(&mut self, next: Option<u8>) -> io::Result<State> {
        Ok(match next {
            Some(0xEF) => {
                for _ in 0..3 {
                    if self.peek()?.is_some_and(|byte| byte >= 0x80) {
                        self.consume_one();
                    }
                }
                // A mark is followed by the document; anything else will be malformed below.
                match self.skip_space()? {
                    Some(0xEF) | None => State::Loose,
                    next => self.start(next)?,
                }
            }
            Some(b'[') => {
                self.consume_one();
                State::Array(None)
            }
            Some(b'{') if !self.members.is_empty() => {
                self.consume_one();
                self.is_member_array = true;
                State::Object
            }
            _ => State::Loose,
        })
    }

    /// A member's name, and its value unless it is an array to stream. Sets the state.
    fn member(&mut self) -> io::Result<Option<Element>> {
        let key = match self.value(KEY_BYTES_MAX)? {
            Ok(Value::String(key)) => key,
            Ok(_) | Err(Fault::Malformed | Fault::TooLarge | Fault::Unasked) => {
                return Ok(Some(self.fault(None, Fault::Malformed)));
            }
            Err(Fault::Cut) => return Ok(Some(self.fault(None, Fault::Cut))),
        };
        match self.skip_space()? {
            Some(b':') => {}
            Some(_) => return Ok(Some(self.fault(Some(key), Fault::Malformed))),
            None => return Ok(Some(self.fault(Some(key), Fault::Cut))),
        }
        self.consume_one();
        let next = self.skip_space()?;
        let is_asked = self.members.contains(&key.as_str());
        if is_asked && next == Some(b'[') {
            self.consume_one();
            self.index = 0;
            self.state = State::Array(Some(key));
            return Ok(None);
        }
        self.state = State::Object;
        if is_asked {
            return self.element(Some(key)).map(Some);
        }
        let line = self.line;
        let value = match self.value(0)? {
            Err(Fault::TooLarge) => Err(Fault::Unasked),
            other => {
                self.state = State::Done;
                other.and(Err(Fault::Malformed))
            }
        };
        Ok(Some(Element { member: Some(key), index: 0, line, value }))
    }

    fn element(&mut self, member: Option<String>) -> io::Result<Element> {
        let (line, index) = (self.line, self.index);
        self.index = self.index.saturating_add(1);
        let before = self.read;
        let value = self.value(self.limit)?;
        if value == Err(Fault::Cut) || self.read == before {
            self.state = State::Done;
        }
        Ok(Element { member, index, line, value })
    }

    fn fault(&mut self, member: Option<String>, fault: Fault) -> Element {
        self.state = State::Done;
        Element { member, index: self.index, line: self.line, value: Err(fault) }
    }

    /// Reads one whole value; keeps at most `limit` bytes of it.
    fn value(&mut self, limit: usize) -> io::Result<Result<Value, Fault>> {
        let mut scan = Scan::default();
        let mut kept = Vec::new();
        let mut is_too_large = false;
        loop {
            let available = fill(self.input)?;
            if available.is_empty() {
                // A bare number may end with the document.
                if scan.is_scalar {
                    break;
                }
                return Ok(Err(Fault::Cut));
            }
            let (used, is_done) = scan.feed(available);
            let piece = available.get(..used).unwrap_or_default();
            is_too_large |= kept.len() + piece.len() > limit;
            if !is_too_large {
                kept.extend_from_slice(piece);
            }
            self.line =
                self.line.saturating_add(piece.split(|byte| *byte == b'\n').skip(1).count() as u64);
            self.read = self.read.saturating_add(used as u64);
            self.input.consume(used);
            if is_done {
                break;
            }
        }
        if is_too_large {
            return Ok(Err(Fault::TooLarge));
        }
        Ok(serde_json::from_slice(&kept).map_err(|_| Fault::Malformed))
    }

    /// Skips white space and commas; the byte that follows is not consumed.
    fn skip_space(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.peek()? {
                Some(b' ' | b'\t' | b'\r' | b'\n' | b',') => self.consume_one(),
                other => return Ok(other),
            }
        }
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        let byte = fill(self.input)?.first().copied();
        if byte == Some(b'\n') {
            self.line = self.line.saturating_add(1);
        }
        Ok(byte)
    }

    fn consume_one(&mut self) {
        self.input.consume(1);
        self.read = self.read.saturating_add(1);
    }
}

fn fill(input: &mut dyn BufRead) -> io::Result<&[u8]> {
    // Interrupted reads are the one error that is not one; the second call gives the same buffer.
    loop {
        match input.fill_buf() {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    input.fill_buf()
}

/// Where a value ends.
#[derive(Default)]
struct Scan {
    depth: u64,
    is_scalar: bool,
    is_in_string: bool,
    is_escaped: bool,
}

impl Scan {
    /// How many of these bytes belong to the value, and whether it ends with them.
    fn feed(&mut self, bytes: &[u8]) -> (usize, bool) {
        for (at, &byte) in bytes.iter().enumerate() {
            if self.is_in_string {
                match byte {
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => {
                        self.is_in_string = false;
                        if self.depth == 0 {
                            return (at + 1, true);
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' if !self.is_scalar => self.is_in_string = true,
                b'{' | b'[' if !self.is_scalar => self.depth = self.depth.saturating_add(1),
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return (at + 1, true);
                    }
                }
                b',' | b'}' | b']' | b':' | b' ' | b'\t' | b'\r' | b'\n' | b'{' | b'['
                    if self.depth == 0 =>
                {
                    return (at, true);
                }
                _ if self.depth == 0 => self.is_scalar = true,
                _ => {}
            }
        }
        (bytes.len(), false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use std::io::BufReader;

    type Seen = Vec<(Option<String>, Result<Value, Fault>)>;

    fn all(bytes: &[u8], members: &'static [&'static str], limit: usize) -> Seen {
        // A tiny buffer, so that every value crosses its edge.
        let mut input = BufReader::with_capacity(3, bytes);
        let mut stream = JsonStream::new(&mut input, members, limit);
        let mut found = Vec::new();
        while let Some(element) = stream.next().unwrap() {
            found.push((element.member, element.value));
        }
        assert!(stream.progress() <= bytes.len() as u64);
        found
    }

    #[test]
    fn arrays_objects_and_loose_values() {
        let array = all(b"\xEF\xBB\xBF [ {\"a\":\"]}\\\"\"} , 12, \"x\", [] ]", &[], 99);
        let values: Vec<_> = array.into_iter().map(|(_, value)| value.unwrap()).collect();
        assert_eq!(values, vec![json!({"a": "]}\""}), json!(12), json!("x"), json!([])]);

        let loose = all(b"{\"a\":1}{\"a\":2}\n{\"a\":3}", &[], 99);
        assert_eq!(loose.len(), 3);

        let object =
            all(b"{\"v\":[1,2],\"list\":[{\"b\":1},{\"b\":2}],\"one\":5}", &["list", "one"], 99);
        let list = Some("list".to_owned());
        assert_eq!(
            object,
            vec![
                (Some("v".to_owned()), Err(Fault::Unasked)),
                (list.clone(), Ok(json!({"b": 1}))),
                (list, Ok(json!({"b": 2}))),
                (Some("one".to_owned()), Ok(json!(5))),
            ]
        );
    }

    #[test]
    fn one_bad_element_costs_only_itself() {
        let found = all(b"[{\"a\":1},{\"a\":nope},{\"a\":\"far too long\"},{\"a\":2}]", &[], 12);
        let values: Vec<_> = found.into_iter().map(|(_, value)| value).collect();
        assert_eq!(
            values,
            vec![
                Ok(json!({"a": 1})),
                Err(Fault::Malformed),
                Err(Fault::TooLarge),
                Ok(json!({"a": 2}))
            ]
        );
    }

    #[test]
    fn a_document_that_ends_early_says_so() {
        for text in ["[{\"a\":1}", "[{\"a\":1},{\"a\"", "{\"list\":[{\"a\":1}", "{\"list\""] {
            let found = all(text.as_bytes(), &["list"], 99);
            assert_eq!(found.last().unwrap().1, Err(Fault::Cut), "{text}");
        }
        assert!(all(b"", &[], 9).is_empty());
    }

    #[test]
    fn lines_are_counted() {
        let mut input: &[u8] = b"[\n{\n\"a\":1},\n{}]";
        let mut stream = JsonStream::new(&mut input, &[], 99);
        assert_eq!(stream.next().unwrap().unwrap().line, 2);
        assert_eq!(stream.next().unwrap().unwrap().line, 4);
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            all(&bytes, &[], 50);
            all(&bytes, &["a"], 50);
        }

        #[test]
        fn any_brackets_end(text in "[\\[\\]{}:,\"a1 \\\\]{0,60}") {
            all(text.as_bytes(), &[], 50);
            all(text.as_bytes(), &["a"], 50);
        }
    }
}
