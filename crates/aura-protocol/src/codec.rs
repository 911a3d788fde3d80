// SPDX-License-Identifier: MIT OR Apache-2.0
//! Deterministic CBOR with integer keys, strict by construction: what an encoder would not have
//! written, a decoder refuses.
//!
//! So a signer and a verifier never see two contents in the same bytes. Refused: long integers,
//! indefinite lengths, keys out of order or twice, trailing bytes, depth above 16, floats, tags.
//! Unknown map keys from 128 on are kept as they are; unknown keys below 128 are critical.
//! Source: spec/codec.md, rules CBR-1 to CBR-9 (RFC 8949 §4.2.1).

use crate::limits::{CBOR_DEPTH_MAX, CBOR_ITEMS_MAX};

/// The first map key that a reader which does not know it may skip and must keep.
pub const KEY_OPTIONAL_MIN: u64 = 128;

const UINT: u8 = 0;
const NINT: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const SIMPLE: u8 = 7;

/// Why bytes were refused. Never carries any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The bytes end too early.
    #[error("expected more bytes")]
    Truncated,
    /// Bytes follow the value.
    #[error("expected the value to end here")]
    Trailing,
    /// A different type stands here.
    #[error("expected another type of value")]
    Type,
    /// An integer or length is not in its shortest form, or a length is indefinite.
    #[error("expected the shortest form of a number")]
    NotShortest,
    /// Map keys are not strictly ascending.
    #[error("expected map keys in ascending order, each once")]
    KeyOrder,
    /// A map lacks a key that it must have.
    #[error("expected map key {0}")]
    MissingKey(u64),
    /// A map has a critical key that this version does not know.
    #[error("expected no critical map key {0}; a newer version may know it")]
    UnknownKey(u64),
    /// Values are nested too deeply.
    #[error("expected at most {CBOR_DEPTH_MAX} levels")]
    Depth,
    /// A length, count or number is out of its bounds.
    #[error("expected a value within its bounds")]
    Bounds,
    /// Text is not UTF-8.
    #[error("expected UTF-8 text")]
    Utf8,
}

/// Writes canonical CBOR.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// A writer with nothing written.
    pub fn new() -> Self {
        Self::default()
    }

    /// A writer with room for this many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes) }
    }

    /// What has been written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// How much has been written, in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    #[expect(clippy::cast_possible_truncation, reason = "each arm has checked the range")]
    fn lead(&mut self, major: u8, value: u64) {
        let major = major << 5;
        match value {
            0..=23 => self.bytes.push(major | value as u8),
            24..=0xff => self.bytes.extend([major | 24, value as u8]),
            0x100..=0xffff => {
                self.bytes.push(major | 25);
                self.bytes.extend((value as u16).to_be_bytes());
            }
            0x1_0000..=0xffff_ffff => {
                self.bytes.push(major | 26);
                self.bytes.extend((value as u32).to_be_bytes());
            }
            _ => {
                self.bytes.push(major | 27);
                self.bytes.extend(value.to_be_bytes());
            }
        }
    }

    /// An unsigned integer; also a map key.
    pub fn uint(&mut self, value: u64) -> &mut Self {
        self.lead(UINT, value);
        self
    }

    /// A signed integer.
    pub fn int(&mut self, value: i64) -> &mut Self {
        match u64::try_from(value) {
            Ok(value) => self.lead(UINT, value),
            Err(_) => self.lead(NINT, !value.cast_unsigned()),
        }
        self
    }

    /// A byte string.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.lead(BYTES, value.len() as u64);
        self.bytes.extend_from_slice(value);
        self
    }

    /// A text string.
    pub fn text(&mut self, value: &str) -> &mut Self {
        self.lead(TEXT, value.len() as u64);
        self.bytes.extend_from_slice(value.as_bytes());
        self
    }

    /// The start of an array of this many items, which must follow.
    pub fn array(&mut self, items: usize) -> &mut Self {
        self.lead(ARRAY, items as u64);
        self
    }

    /// The start of a map of this many pairs, which must follow, keys ascending.
    pub fn map(&mut self, pairs: usize) -> &mut Self {
        self.lead(MAP, pairs as u64);
        self
    }

    /// A truth value.
    pub fn boolean(&mut self, value: bool) -> &mut Self {
        self.bytes.push(SIMPLE << 5 | if value { 21 } else { 20 });
        self
    }

    /// Nothing.
    pub fn null(&mut self) -> &mut Self {
        self.bytes.push(SIMPLE << 5 | 22);
        self
    }

    /// Bytes that are canonical CBOR already.
    pub fn raw(&mut self, encoded: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(encoded);
        self
    }
}

/// Reads canonical CBOR from bytes that nobody has vouched for.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    depth: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, depth: 0 }
    }

    /// Refuses whatever is left.
    pub fn finish(self) -> Result<(), CodecError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(CodecError::Trailing) }
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], CodecError> {
        let (head, tail) = self.bytes.split_at_checked(count).ok_or(CodecError::Truncated)?;
        self.bytes = tail;
        Ok(head)
    }

    fn take_array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (head, tail) = self.bytes.split_first_chunk::<N>().ok_or(CodecError::Truncated)?;
        self.bytes = tail;
        Ok(*head)
    }

    fn lead(&mut self) -> Result<(u8, u64), CodecError> {
        let [first] = self.take_array::<1>()?;
        let (major, low) = (first >> 5, first & 0x1f);
        let (value, shortest_from) = match low {
            0..=23 => (u64::from(low), 0),
            24 if major != SIMPLE => (u64::from(self.take_array::<1>()?[0]), 24),
            25 if major != SIMPLE => (u64::from(u16::from_be_bytes(self.take_array()?)), 0x100),
            26 if major != SIMPLE => (u64::from(u32::from_be_bytes(self.take_array()?)), 0x1_0000),
            27 if major != SIMPLE => (u64::from_be_bytes(self.take_array()?), 0x1_0000_0000),
            28..=31 => return Err(CodecError::NotShortest),
            _ => return Err(CodecError::Type),
        };
        if value < shortest_from { Err(CodecError::NotShortest) } else { Ok((major, value)) }
    }

    fn expect(&mut self, major: u8) -> Result<u64, CodecError> {
        match self.lead()? {
            (found, value) if found == major => Ok(value),
            _ => Err(CodecError::Type),
        }
    }

    /// An unsigned integer.
    pub fn uint(&mut self) -> Result<u64, CodecError> {
        self.expect(UINT)
    }

    /// An unsigned integer of at most `max`.
    pub fn uint_max(&mut self, max: u64) -> Result<u64, CodecError> {
        match self.uint()? {
            value if value <= max => Ok(value),
            _ => Err(CodecError::Bounds),
        }
    }

    /// A signed integer.
    pub fn int(&mut self) -> Result<i64, CodecError> {
        let (major, value) = self.lead()?;
        let value = i64::try_from(value).map_err(|_| CodecError::Bounds)?;
        match major {
            UINT => Ok(value),
            NINT => Ok(!value),
            _ => Err(CodecError::Type),
        }
    }

    /// A byte string, as long as it is.
    pub fn bytes(&mut self) -> Result<&'a [u8], CodecError> {
        let len = self.expect(BYTES)?;
        self.take(usize::try_from(len).map_err(|_| CodecError::Truncated)?)
    }

    /// A byte string of exactly `N` bytes.
    pub fn bytes_exact<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        self.bytes()?.try_into().map_err(|_| CodecError::Bounds)
    }

    /// A text string.
    pub fn text(&mut self) -> Result<&'a str, CodecError> {
        let len = self.expect(TEXT)?;
        let bytes = self.take(usize::try_from(len).map_err(|_| CodecError::Truncated)?)?;
        core::str::from_utf8(bytes).map_err(|_| CodecError::Utf8)
    }

    /// A truth value.
    pub fn boolean(&mut self) -> Result<bool, CodecError> {
        match self.lead()? {
            (SIMPLE, 20) => Ok(false),
            (SIMPLE, 21) => Ok(true),
            _ => Err(CodecError::Type),
        }
    }

    /// Whether `null` stands here; reads it if so.
    pub fn null(&mut self) -> bool {
        match self.bytes.split_first() {
            Some((&first, rest)) if first == SIMPLE << 5 | 22 => {
                self.bytes = rest;
                true
            }
            _ => false,
        }
    }

    fn count(&mut self, major: u8, max: usize) -> Result<usize, CodecError> {
        let count = usize::try_from(self.expect(major)?).map_err(|_| CodecError::Bounds)?;
        // Each item takes a byte at least, so a count beyond the bytes left is a lie.
        if count > max.min(CBOR_ITEMS_MAX) || count > self.bytes.len() {
            return Err(CodecError::Bounds);
        }
        Ok(count)
    }

    fn deeper<T>(
        &mut self,
        inside: impl FnOnce(&mut Self) -> Result<T, CodecError>,
    ) -> Result<T, CodecError> {
        if self.depth >= CBOR_DEPTH_MAX {
            return Err(CodecError::Depth);
        }
        self.depth = self.depth.saturating_add(1);
        let result = inside(self);
        self.depth = self.depth.saturating_sub(1);
        result
    }

    /// An array of at most `max` items, each read by `item`.
    pub fn array<T>(
        &mut self,
        max: usize,
        mut item: impl FnMut(&mut Self) -> Result<T, CodecError>,
    ) -> Result<Vec<T>, CodecError> {
        let count = self.count(ARRAY, max)?;
        self.deeper(|reader| (0..count).map(|_| item(reader)).collect())
    }

    /// An array of exactly `items` items, read by `inside`.
    pub fn tuple<T>(
        &mut self,
        items: usize,
        inside: impl FnOnce(&mut Self) -> Result<T, CodecError>,
    ) -> Result<T, CodecError> {
        if self.count(ARRAY, items)? != items {
            return Err(CodecError::Bounds);
        }
        self.deeper(inside)
    }

    /// A map with text keys in canonical order (shorter first, then bytewise), at most `max` pairs.
    pub fn text_map<T>(
        &mut self,
        max: usize,
        mut value: impl FnMut(&mut Self, &'a str) -> Result<T, CodecError>,
    ) -> Result<Vec<T>, CodecError> {
        let count = self.count(MAP, max)?;
        self.deeper(|reader| {
            let mut last: Option<&str> = None;
            let mut pair = |reader: &mut Self| {
                let key = reader.text()?;
                if last.is_some_and(|last| (last.len(), last) >= (key.len(), key)) {
                    return Err(CodecError::KeyOrder);
                }
                last = Some(key);
                value(reader, key)
            };
            (0..count).map(|_| pair(reader)).collect()
        })
    }

    /// A map with integer keys, read by `inside` in ascending order of its keys.
    pub fn map<T>(
        &mut self,
        inside: impl FnOnce(&mut MapReader<'a, '_>) -> Result<T, CodecError>,
    ) -> Result<(T, Extra), CodecError> {
        let count = self.count(MAP, CBOR_ITEMS_MAX)?;
        self.deeper(|reader| {
            let mut map =
                MapReader { reader, left: count, key: None, last: None, extra: Vec::new() };
            let value = inside(&mut map)?;
            let extra = map.finish()?;
            Ok((value, extra))
        })
    }

    /// Any one value, checked for canonical form, as its bytes.
    pub fn any(&mut self) -> Result<&'a [u8], CodecError> {
        let start = self.bytes;
        self.skip()?;
        let read = start.len().saturating_sub(self.bytes.len());
        start.get(..read).ok_or(CodecError::Truncated)
    }

    fn skip(&mut self) -> Result<(), CodecError> {
        let (major, value) = self.clone().lead()?;
        match major {
            UINT | NINT => self.lead().map(drop),
            BYTES => self.bytes().map(drop),
            TEXT => self.text().map(drop),
            ARRAY => self.array(CBOR_ITEMS_MAX, Self::skip).map(drop),
            MAP => {
                let count = self.count(MAP, CBOR_ITEMS_MAX)?;
                self.deeper(|reader| {
                    let mut last: &[u8] = &[];
                    for _ in 0..count {
                        let key = reader.any()?;
                        if key <= last {
                            return Err(CodecError::KeyOrder);
                        }
                        last = key;
                        reader.skip()?;
                    }
                    Ok(())
                })
            }
            SIMPLE if (20..=22).contains(&value) => self.lead().map(drop),
            _ => Err(CodecError::Type),
        }
    }
}

/// Map members that this version does not know and must keep: (key, encoded value), ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extra(Vec<(u64, Vec<u8>)>);

impl Extra {
    /// How many members there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes the members; they come after all known ones.
    pub fn encode(&self, writer: &mut Writer) {
        for (key, value) in &self.0 {
            writer.uint(*key).raw(value);
        }
    }
}

/// Reads the members of a map whose keys are asked for in ascending order.
#[derive(Debug)]
pub struct MapReader<'a, 'r> {
    reader: &'r mut Reader<'a>,
    left: usize,
    key: Option<u64>,
    last: Option<u64>,
    extra: Vec<(u64, Vec<u8>)>,
}

impl<'a> MapReader<'a, '_> {
    fn peek(&mut self) -> Result<Option<u64>, CodecError> {
        if self.key.is_none() && self.left > 0 {
            let key = self.reader.uint()?;
            if self.last.is_some_and(|last| last >= key) {
                return Err(CodecError::KeyOrder);
            }
            self.left = self.left.saturating_sub(1);
            self.last = Some(key);
            self.key = Some(key);
        }
        Ok(self.key)
    }

    /// The value of `key`, if the map has it.
    pub fn optional<T>(
        &mut self,
        key: u64,
        value: impl FnOnce(&mut Reader<'a>) -> Result<T, CodecError>,
    ) -> Result<Option<T>, CodecError> {
        while let Some(found) = self.peek()? {
            if found > key {
                break;
            }
            self.key = None;
            if found == key {
                return value(self.reader).map(Some);
            }
            self.keep(found)?;
        }
        Ok(None)
    }

    /// The value of `key`, which the map must have.
    pub fn required<T>(
        &mut self,
        key: u64,
        value: impl FnOnce(&mut Reader<'a>) -> Result<T, CodecError>,
    ) -> Result<T, CodecError> {
        self.optional(key, value)?.ok_or(CodecError::MissingKey(key))
    }

    fn keep(&mut self, key: u64) -> Result<(), CodecError> {
        if key < KEY_OPTIONAL_MIN {
            return Err(CodecError::UnknownKey(key));
        }
        let value = self.reader.any()?.to_vec();
        self.extra.push((key, value));
        Ok(())
    }

    fn finish(mut self) -> Result<Extra, CodecError> {
        while let Some(key) = self.peek()? {
            self.key = None;
            self.keep(key)?;
        }
        Ok(Extra(self.extra))
    }
}

/// A value with one canonical encoding.
pub trait Encode {
    /// Writes the value.
    fn encode(&self, writer: &mut Writer);

    /// The value's bytes.
    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.encode(&mut writer);
        writer.into_bytes()
    }
}

/// A value that can be read from its canonical encoding.
pub trait Decode: Sized {
    /// Reads one value.
    ///
    /// # Errors
    /// When the bytes are not what [`Encode`] would have written.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError>;

    /// The value that these bytes, all of them, encode.
    ///
    /// # Errors
    /// As [`Decode::decode`]; also when there are more than `max` bytes or bytes are left over.
    fn from_bytes(bytes: &[u8], max: usize) -> Result<Self, CodecError> {
        if bytes.len() > max {
            return Err(CodecError::Bounds);
        }
        let mut reader = Reader::new(bytes);
        let value = Self::decode(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }
}
