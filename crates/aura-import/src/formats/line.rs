// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lines of a text that may be anything: bounded, numbered, counted.
//!
//! A line longer than the limit is cut and says so; the rest of it is read past and not kept.

use std::io::{self, BufRead};

/// One line without its line end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'b> {
    pub(crate) bytes: &'b [u8],
    /// Counted from 1.
    pub(crate) number: u64,
    /// Whether the line was longer than the limit.
    pub(crate) is_cut: bool,
}

/// Reads lines that end in LF or CR LF, or in CR where the text begins so (old programs for Lotus and the
/// Macintosh); a byte order mark before the first is left out.
pub(crate) struct Lines<'a> {
    input: &'a mut dyn BufRead,
    limit: usize,
    number: u64,
    read: u64,
    buffer: Vec<u8>,
    /// What ends a line; known when the first bytes are.
    end: Option<u8>,
}

impl<'a> Lines<'a> {
    /// `limit` in bytes a line.
    pub(crate) fn new(input: &'a mut dyn BufRead, limit: usize) -> Self {
        Self { input, limit, number: 0, read: 0, buffer: Vec::new(), end: None }
    }

    /// How many bytes have been read.
    pub(crate) fn progress(&self) -> u64 {
        self.read
    }

    /// The next line, or `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.buffer.clear();
        let mut is_cut = false;
        let mut is_any = false;
        // One more than the limit, for a CR that is none of the line's own bytes.
        let most = self.limit.saturating_add(1);
        loop {
            let available = match self.input.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                break;
            }
            is_any = true;
            let mark = *self.end.get_or_insert_with(|| line_end(available));
            let end = available.iter().position(|&byte| byte == mark);
            let line = available.get(..end.unwrap_or(available.len())).unwrap_or_default();
            let room = most.saturating_sub(self.buffer.len());
            is_cut |= line.len() > room;
            self.buffer.extend_from_slice(line.get(..room.min(line.len())).unwrap_or_default());
            let used = line.len() + usize::from(end.is_some());
            self.input.consume(used);
            self.read = self.read.saturating_add(used as u64);
            if end.is_some() {
                break;
            }
        }
        if !is_any {
            return Ok(None);
        }
        self.number = self.number.saturating_add(1);
        if !is_cut && self.buffer.last() == Some(&b'\r') {
            self.buffer.pop();
        }
        if self.buffer.len() > self.limit {
            self.buffer.truncate(self.limit);
            is_cut = true;
        }
        let mut bytes = self.buffer.as_slice();
        if self.number == 1 {
            bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        }
        Ok(Some(Line { bytes, number: self.number, is_cut }))
    }
}

/// CR, if there are such line ends and no LF.
fn line_end(first: &[u8]) -> u8 {
    let is_old = !first.contains(&b'\n') && first.iter().rev().skip(1).any(|&byte| byte == b'\r');
    if is_old { b'\r' } else { b'\n' }
}

/// Text of unknown origin: UTF-8, else Windows-1252, which every byte string is.
pub(crate) fn decode(bytes: &[u8]) -> String {
    match core::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut bytes: &[u8], limit: usize) -> Vec<(Vec<u8>, bool)> {
        let mut lines = Lines::new(&mut bytes, limit);
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            found.push((line.bytes.to_vec(), line.is_cut));
        }
        found
    }

    #[test]
    fn line_ends_marks_and_limits() {
        assert!(all(b"", 9).is_empty());
        assert_eq!(
            all(b"\xEF\xBB\xBFa\r\nb\n\nlong line\nz", 4),
            vec![
                (b"a".to_vec(), false),
                (b"b".to_vec(), false),
                (b"".to_vec(), false),
                (b"long".to_vec(), true),
                (b"z".to_vec(), false),
            ]
        );
        let lines = |bytes| all(bytes, 9).into_iter().map(|(line, _)| line).collect::<Vec<_>>();
        assert_eq!(lines(b"a\rb\r\rc"), [&b"a"[..], b"b", b"", b"c"]);
        assert_eq!(lines(b"a\rb\nc\r"), [&b"a\rb"[..], b"c"]);
        assert_eq!(decode(b"Jos\xE9"), "Jos\u{e9}");
    }
}
