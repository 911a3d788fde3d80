// SPDX-License-Identifier: MIT OR Apache-2.0
//! An archive's lines, one after the other, each bounded, and the files between them as streams.
//! Source: spec/archive.md, rules ARC-1, ARC-2, ARC-4 and ARC-6.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use aura_vault::record::Content;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::shape::{End, Entry, FORMAT, Header, PIECE_BYTES};

/// The longest line: a record with all its fields (ARC-6).
const LINE_BYTES_MAX: u64 = 128 << 20;
/// The longest line with a piece of a file.
const PIECE_LINE_BYTES_MAX: u64 = 2 << 20;

/// A line that is not a piece.
pub(super) enum Line {
    Record(Box<Entry>),
    End(End),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Any {
    Record(Box<Entry>),
    End(End),
}

#[derive(Deserialize)]
struct Piece<'a> {
    #[serde(borrow)]
    piece: &'a str,
}

/// Reads an archive's lines.
pub(super) struct Lines {
    input: BufReader<File>,
    /// Bytes read so far.
    at: u64,
}

impl Lines {
    /// Opens an archive and reads its first line.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut lines =
            Self { input: BufReader::with_capacity(256 << 10, File::open(path)?), at: 0 };
        let header: Header = serde_json::from_slice(&lines.line(PIECE_LINE_BYTES_MAX)?)?;
        // ARC-2.
        match header.aura_archive {
            FORMAT => Ok(lines),
            newer if newer > FORMAT => {
                let newer = "it was written by a newer version of Aura";
                Err(io::Error::new(io::ErrorKind::Unsupported, newer))
            }
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "it is of no version of Aura")),
        }
    }

    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The next line that is not a piece.
    pub(super) fn next(&mut self) -> io::Result<Line> {
        Ok(match serde_json::from_slice(&self.line(LINE_BYTES_MAX)?)? {
            Any::Record(entry) => Line::Record(entry),
            Any::End(end) => Line::End(end),
        })
    }

    /// Passes over a file of this size.
    pub(super) fn skip_pieces(&mut self, size: u64) -> io::Result<()> {
        for _ in 0..size.div_ceil(PIECE_BYTES as u64) {
            self.line(PIECE_LINE_BYTES_MAX)?;
        }
        Ok(())
    }

    fn line(&mut self, max: u64) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        let read = (&mut self.input).take(max).read_until(b'\n', &mut line)?;
        self.at = self.at.saturating_add(read as u64);
        if line.pop() != Some(b'\n') {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive was cut off"));
        }
        Ok(line)
    }
}

/// A file in an archive: where its pieces begin.
pub(super) struct PieceContent {
    path: PathBuf,
    at: u64,
    size: u64,
}

impl PieceContent {
    /// The file whose pieces come next.
    pub(super) fn new(path: &Path, lines: &Lines, size: u64) -> Self {
        Self { path: path.to_owned(), at: lines.at(), size }
    }
}

impl Content for PieceContent {
    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.at))?;
        let input = BufReader::with_capacity(256 << 10, file);
        let lines = Lines { input, at: self.at };
        Ok(Box::new(Pieces { lines, left: self.size, piece: Vec::new(), at: 0 }))
    }
}

struct Pieces {
    lines: Lines,
    left: u64,
    piece: Vec<u8>,
    at: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.piece.len() {
            if self.left == 0 {
                return Ok(0);
            }
            let line = self.lines.line(PIECE_LINE_BYTES_MAX)?;
            let piece: Piece<'_> = serde_json::from_slice(&line)?;
            self.piece = STANDARD.decode(piece.piece).map_err(io::Error::other)?;
            self.at = 0;
            let length = self.piece.len() as u64;
            if length != self.left.min(PIECE_BYTES as u64) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a piece has a wrong length",
                ));
            }
            self.left = self.left.saturating_sub(length);
        }
        let count = self.piece.get(self.at..).unwrap_or_default().read(buffer)?;
        self.at = self.at.saturating_add(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> PathBuf {
        let name = format!("archive-{}-{}", std::process::id(), text.len());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    const HEADER: &str = "{\"aura_archive\":1,\"time\":\"\"}\n";

    #[test]
    fn a_cut_archive_is_known() {
        let path = file(&format!("{HEADER}{{\"end\":{{\"records\":0"));
        let mut lines = Lines::open(&path).unwrap();
        assert!(lines.next().is_err());
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_newer_archive_is_told_from_a_broken_one() {
        let told = [(2, io::ErrorKind::Unsupported), (0, io::ErrorKind::InvalidData)];
        for (number, kind) in told {
            let path = file(&format!("{{\"aura_archive\":{number},\"time\":\"\"}}\n"));
            assert_eq!(Lines::open(&path).map(drop).unwrap_err().kind(), kind);
            std::fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn files_are_streams_that_can_be_read_twice() {
        let text = format!("{HEADER}{{\"piece\":\"aGVsbG8=\"}}\n");
        let path = file(&text);
        let lines = Lines::open(&path).unwrap();
        let content = PieceContent::new(&path, &lines, 5);
        for _ in 0..2 {
            let mut read = String::new();
            content.open().unwrap().read_to_string(&mut read).unwrap();
            assert_eq!(read, "hello");
        }
        let wrong = PieceContent::new(&path, &lines, 6);
        assert!(wrong.open().unwrap().read_to_end(&mut Vec::new()).is_err());
        std::fs::remove_file(path).unwrap();
    }
}
