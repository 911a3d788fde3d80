// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads canonical CBOR from bytes that nobody has vouched for, and refuses every other form of them.
//!
//! Nothing is allocated on the word of a length or count: it is first held against the bytes left.
//! Source: spec/codec.md, rules CBR-1 to CBR-9.

use super::{ARRAY, BYTES, CodecError, Extra, KEY_OPTIONAL_MIN, MAP, NINT, SIMPLE, TEXT, UINT};
use crate::limits::{CBOR_DEPTH_MAX, CBOR_ITEMS_MAX};

/// For how many items room is made before they have been read.
const ROOM_ITEMS: usize = 16;

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

    /// Refuses whatever is left (CBR-1).
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

    /// The major type and the number of a value's first bytes, the number in its shortest form (CBR-2).
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
        // CBR-6: each item takes a byte at least, so a count beyond the bytes left is a lie.
        if count > max.min(CBOR_ITEMS_MAX) || count > self.bytes.len() {
            return Err(CodecError::Bounds);
        }
        Ok(count)
    }

    fn deeper<T>(
        &mut self,
        inside: impl FnOnce(&mut Self) -> Result<T, CodecError>,
    ) -> Result<T, CodecError> {
        // CBR-5: recursion ends here.
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
        self.deeper(|reader| {
            let mut items = Vec::with_capacity(count.min(ROOM_ITEMS));
            for _ in 0..count {
                items.push(item(reader)?);
            }
            Ok(items)
        })
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

    /// Any one value, checked for canonical form, as its bytes (CBR-4: no tags, floats or undefined).
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
                        // CBR-3: keys are unsigned integers or text, in the order of their encodings.
                        if !matches!(reader.clone().lead()?.0, UINT | TEXT) {
                            return Err(CodecError::Type);
                        }
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
            // CBR-3.
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

    /// CBR-7: what may be skipped is kept; what may not stops the reader.
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
