// SPDX-License-Identifier: MIT OR Apache-2.0
//! A tar or tgz archive. A tgz can only be read from its start, so a small one is kept unpacked in
//! memory and of a large one a few readers stay where they are, ready to go on.
//!
//! Source: POSIX.1-2017 pax (ustar, pax headers) and GNU tar (long names). Sizes in bytes.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use flate2::read::MultiGzDecoder;

use super::bound::Bounded;
use super::name::safe_path;
use super::{
    BOMB, ENTRIES_MAX, EXPANSION_FREE_BYTES, EXPANSION_MAX, Entry, Refusal, Refusals, TOO_MANY,
    Tree, TreeError, Weight, position,
};

const BLOCK: usize = 512;

/// A tgz that expands to no more than this is kept in memory.
const IN_MEMORY_BYTES_MAX: u64 = 64 << 20;

/// Readers of a large tgz that wait at the place they came to.
const IDLE_READERS_MAX: usize = 4;

/// Longest header extension (a long name, a pax header) that is read.
const EXTENSION_BYTES_MAX: u64 = 64 << 10;

/// Whether the archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
}

pub(super) struct TarTree {
    path: PathBuf,
    packing: Packing,
    label: String,
    entries: Vec<Entry>,
    /// Where each file starts, in the order of `entries`.
    starts: Vec<u64>,
    refused: Vec<Refusal>,
    unpacked: Option<Vec<u8>>,
    idle: Mutex<Vec<GzipAt>>,
}

/// Whether a file starts with a tar header.
pub(super) fn is_header(block: &[u8]) -> bool {
    <&[u8; BLOCK]>::try_from(block).is_ok_and(|block| Header::parse(block).is_some())
}

/// Whether a gzip file holds a tar archive.
pub(super) fn is_gzipped_tar(path: &Path) -> bool {
    let Ok(mut reader) = GzipAt::open(path) else { return false };
    let mut block = [0; BLOCK];
    reader.source.read_exact(&mut block).is_ok() && is_header(&block)
}

impl TarTree {
    pub(super) fn open(path: &Path, label: String, packing: Packing) -> Result<Self, TreeError> {
        let size = path.metadata()?.len();
        let budget = match packing {
            Packing::Plain => size,
            Packing::Gzip => {
                size.saturating_mul(EXPANSION_MAX).saturating_add(EXPANSION_FREE_BYTES)
            }
        };
        let mut scan = Scan {
            at: 0,
            budget,
            beyond: match packing {
                Packing::Plain => CUT,
                Packing::Gzip => BOMB,
            },
            kept: (packing == Packing::Gzip).then(Vec::new),
            found: Vec::new(),
            refused: Refusals::default(),
            next: Extension::default(),
        };
        let outcome = match packing {
            Packing::Plain => scan.run(&mut SkipBySeek(BufReader::new(File::open(path)?))),
            Packing::Gzip => scan.run(&mut SkipByRead(GzipAt::open(path)?.source)),
        };
        if let Err(reason) = outcome {
            scan.refused.add(Weight::Failed, &label, reason);
        }
        // Of several files with one name the last counts, as `tar` would unpack it.
        scan.found.reverse();
        scan.found.sort_by(|a, b| a.0.path.cmp(&b.0.path));
        let before = scan.found.len();
        scan.found.dedup_by(|later, kept| later.0.path == kept.0.path);
        if scan.found.len() < before {
            let reason = "it holds several files of the same name; only the last of each was read";
            scan.refused.add(Weight::Skipped, &label, reason);
        }
        let (entries, starts) = scan.found.into_iter().unzip();
        let refused = scan.refused.finish(&label);
        Ok(Self {
            path: path.to_owned(),
            packing,
            label,
            entries,
            starts,
            refused,
            unpacked: scan.kept,
            idle: Mutex::new(Vec::new()),
        })
    }

    /// A reader of the unpacked archive that stands at `start`.
    fn gzip_at(&self, start: u64) -> io::Result<GzipAt> {
        let waiting = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let nearest = idle
                .iter()
                .enumerate()
                .filter(|(_, reader)| reader.at <= start)
                .max_by_key(|(_, reader)| reader.at)
                .map(|(index, _)| index);
            nearest.map(|index| idle.swap_remove(index))
        };
        let mut reader = match waiting {
            Some(reader) => reader,
            None => GzipAt::open(&self.path)?,
        };
        let gap = start.saturating_sub(reader.at);
        let skipped = io::copy(&mut (&mut reader).take(gap), &mut io::sink())?;
        if skipped < gap {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(reader)
    }
}

impl Tree for TarTree {
    fn label(&self) -> &str {
        &self.label
    }

    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        let at = position(&self.entries, path)?;
        let (Some(entry), Some(&start)) = (self.entries.get(at), self.starts.get(at)) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        if let Some(bytes) = &self.unpacked {
            let from = usize::try_from(start).unwrap_or(usize::MAX);
            let bytes = bytes.get(from..).unwrap_or_default();
            return Ok(Box::new(Bounded::new(bytes.take(entry.size), entry.size, None)));
        }
        if self.packing == Packing::Plain {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(start))?;
            return Ok(Box::new(Bounded::new(file.take(entry.size), entry.size, None)));
        }
        let reader = Returning { reader: Some(self.gzip_at(start)?), home: &self.idle };
        Ok(Box::new(Bounded::new(reader.take(entry.size), entry.size, None)))
    }

    fn refused(&self) -> &[Refusal] {
        &self.refused
    }
}

/// A gzip reader that knows how far it has come.
struct GzipAt {
    source: MultiGzDecoder<BufReader<File>>,
    at: u64,
}

impl GzipAt {
    fn open(path: &Path) -> io::Result<Self> {
        let file = BufReader::with_capacity(64 << 10, File::open(path)?);
        Ok(Self { source: MultiGzDecoder::new(file), at: 0 })
    }
}

impl Read for GzipAt {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.at = self.at.saturating_add(count as u64);
        Ok(count)
    }
}

/// Gives its reader back when it is done.
struct Returning<'a> {
    reader: Option<GzipAt>,
    home: &'a Mutex<Vec<GzipAt>>,
}

impl Read for Returning<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.as_mut().map_or(Ok(0), |reader| reader.read(buffer))
    }
}

impl Drop for Returning<'_> {
    fn drop(&mut self) {
        let mut idle = self.home.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reader) = self.reader.take()
            && idle.len() < IDLE_READERS_MAX
        {
            idle.push(reader);
        }
    }
}

/// A source of the unpacked archive that can pass over bytes.
trait Source: Read {
    fn skip(&mut self, count: u64) -> io::Result<()>;
}

struct SkipBySeek(BufReader<File>);

impl Read for SkipBySeek {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Source for SkipBySeek {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        self.0.seek_relative(i64::try_from(count).map_err(|_| io::ErrorKind::InvalidData)?)
    }
}

struct SkipByRead<R>(R);

impl<R: Read> Read for SkipByRead<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Read> Source for SkipByRead<R> {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        if io::copy(&mut (&mut self.0).take(count), &mut io::sink())? < count {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

/// What an extension header says about the entry that follows it.
#[derive(Default)]
struct Extension {
    path: Option<String>,
    size: Option<u64>,
    modified_ms: Option<i64>,
}

struct Scan {
    at: u64,
    /// Bytes of the unpacked archive that may still come.
    budget: u64,
    /// What it means when more is announced: a plain archive is cut off, a packed one is a bomb.
    beyond: &'static str,
    /// The unpacked archive, as long as it is small.
    kept: Option<Vec<u8>>,
    found: Vec<(Entry, u64)>,
    refused: Refusals,
    next: Extension,
}

const CUT: &str = "the archive is cut off or damaged; what came before was read";

impl Scan {
    fn run(&mut self, source: &mut dyn Source) -> Result<(), &'static str> {
        let mut block = [0; BLOCK];
        loop {
            if !read_block(source, &mut block)? {
                return Ok(());
            }
            self.pass(&block, BLOCK as u64)?;
            if block.iter().all(|&byte| byte == 0) {
                return Ok(());
            }
            let header = Header::parse(&block).ok_or(CUT)?;
            if self.found.len() >= ENTRIES_MAX {
                return Err(TOO_MANY);
            }
            self.entry(&header, source)?;
        }
    }

    /// Counts bytes that came out, and keeps them while they are few.
    fn pass(&mut self, bytes: &[u8], count: u64) -> Result<(), &'static str> {
        self.budget = self.budget.checked_sub(count).ok_or(self.beyond)?;
        self.at = self.at.saturating_add(count);
        if self.at > IN_MEMORY_BYTES_MAX {
            self.kept = None;
        }
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn entry(&mut self, header: &Header, source: &mut dyn Source) -> Result<(), &'static str> {
        if matches!(header.flag, b'L' | b'K' | b'x' | b'g') {
            let body = self.extension(header.size, source)?;
            match header.flag {
                b'L' => self.next.path = Some(text(&body)),
                b'x' => self.next.read_pax(&body),
                _ => {}
            }
            return Ok(());
        }
        let next = std::mem::take(&mut self.next);
        let size = next.size.unwrap_or(header.size);
        let name = next.path.unwrap_or_else(|| header.name.clone());
        let start = self.at;
        match header.flag {
            b'0' | 0 | b'7' if !name.ends_with('/') => match safe_path(&name) {
                Ok(path) => {
                    let size = self.believe(size)?;
                    let modified_ms = next.modified_ms.or(header.modified_ms);
                    self.found.push((Entry { path, size, modified_ms }, start));
                }
                Err(reason) => self.refused.add(Weight::Failed, &name, reason),
            },
            b'1' | b'2' => {
                let reason = "it is a link to another place; links are not followed";
                self.refused.add(Weight::Skipped, &name, reason);
            }
            b'0' | 0 | b'5' | b'7' => {}
            _ => self.refused.add(Weight::Skipped, &name, "it is not an ordinary file"),
        }
        self.body(size, source)
    }

    /// The size to list for a file, which may be a lie. Of a plain archive that is cut off the file is
    /// listed with one byte more than can be there: what there is of it is read, and then the cut found.
    fn believe(&self, size: u64) -> Result<u64, &'static str> {
        match padded(size).filter(|padded| *padded <= self.budget) {
            Some(_) => Ok(size),
            None if self.beyond == CUT => Ok(size.min(self.budget.saturating_add(1))),
            None => Err(self.beyond),
        }
    }

    /// Passes over a file's bytes and the padding behind them.
    fn body(&mut self, size: u64, source: &mut dyn Source) -> Result<(), &'static str> {
        let mut left = padded(size).ok_or(CUT)?;
        if self.kept.is_some() && left <= IN_MEMORY_BYTES_MAX {
            let mut piece = vec![0; 16 << 10];
            while left > 0 {
                let room = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
                let target = piece.get_mut(..room).unwrap_or_default();
                source.read_exact(target).map_err(|_| CUT)?;
                self.pass(target, room as u64)?;
                left = left.saturating_sub(room as u64);
            }
            return Ok(());
        }
        self.kept = None;
        // The budget is asked first, so that a bomb is not even unpacked to nowhere.
        self.pass(&[], left)?;
        source.skip(left).map_err(|_| CUT)
    }

    fn extension(&mut self, size: u64, source: &mut dyn Source) -> Result<Vec<u8>, &'static str> {
        if size > EXTENSION_BYTES_MAX {
            return Err(CUT);
        }
        let length = padded(size).and_then(|size| usize::try_from(size).ok()).ok_or(CUT)?;
        let mut body = vec![0; length];
        source.read_exact(&mut body).map_err(|_| CUT)?;
        self.pass(&body, length as u64)?;
        body.truncate(usize::try_from(size).unwrap_or(0));
        Ok(body)
    }
}

impl Extension {
    /// Records of the form `length key=value\n`.
    fn read_pax(&mut self, mut body: &[u8]) {
        while let Some(space) = body.iter().position(|&byte| byte == b' ') {
            let length = body.get(..space).and_then(|digits| core::str::from_utf8(digits).ok());
            let Some(length) = length.and_then(|digits| digits.parse::<usize>().ok()) else {
                return;
            };
            let Some(record) = body.get(space + 1..length) else { return };
            let record = String::from_utf8_lossy(record);
            match record.trim_end_matches('\n').split_once('=') {
                Some(("path", value)) => self.path = Some(value.to_owned()),
                Some(("size", value)) => self.size = value.parse().ok(),
                Some(("mtime", value)) => self.modified_ms = seconds_ms(value),
                _ => {}
            }
            body = body.get(length..).unwrap_or_default();
        }
    }
}

fn seconds_ms(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut millis = 0;
    let mut digits = fraction.chars();
    for weight in [100, 10, 1] {
        millis += digits.next().and_then(|digit| digit.to_digit(10)).map_or(0, i64::from) * weight;
    }
    whole.parse::<i64>().ok()?.checked_mul(1000)?.checked_add(millis)
}

struct Header {
    name: String,
    size: u64,
    modified_ms: Option<i64>,
    flag: u8,
}

impl Header {
    /// The header in a block whose checksum is right.
    fn parse(block: &[u8; BLOCK]) -> Option<Self> {
        let wanted = number(block.get(148..156)?)?;
        let sum: u64 = block
            .iter()
            .enumerate()
            .map(|(at, &byte)| u64::from(if (148..156).contains(&at) { b' ' } else { byte }))
            .sum();
        if sum != wanted {
            return None;
        }
        let mut name = text(block.get(..100)?);
        // Only POSIX headers have a prefix; GNU ones keep times in its place.
        if block.get(257..263)? == b"ustar\0" {
            let prefix = text(block.get(345..500)?);
            if !prefix.is_empty() {
                name = format!("{prefix}/{name}");
            }
        }
        let modified_ms = number(block.get(136..148)?)
            .and_then(|seconds| i64::try_from(seconds).ok())
            .and_then(|seconds| seconds.checked_mul(1000));
        Some(Self {
            name,
            size: number(block.get(124..136)?)?,
            modified_ms,
            flag: *block.get(156)?,
        })
    }
}

/// An octal number, or with the first bit set a binary one.
fn number(field: &[u8]) -> Option<u64> {
    if let [first, rest @ ..] = field
        && first & 0x80 != 0
    {
        let start = u64::from(first & 0x7F);
        return rest.iter().try_fold(start, |sum, &byte| {
            sum.checked_mul(256).and_then(|sum| sum.checked_add(u64::from(byte)))
        });
    }
    let digits = core::str::from_utf8(field).ok()?.trim_matches([' ', '\0']);
    if digits.is_empty() {
        return Some(0);
    }
    u64::from_str_radix(digits, 8).ok()
}

/// The text before the first NUL.
fn text(field: &[u8]) -> String {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(field.get(..end).unwrap_or_default()).into_owned()
}

/// Reads a block; `false` at the end, for an archive may lack its two empty blocks there.
fn read_block(source: &mut dyn Source, block: &mut [u8; BLOCK]) -> Result<bool, &'static str> {
    let mut filled = 0_usize;
    while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match source.read(rest) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(CUT),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err(CUT),
        }
    }
    Ok(true)
}

/// The size with the padding to whole blocks.
fn padded(size: u64) -> Option<u64> {
    size.checked_next_multiple_of(BLOCK as u64)
}
