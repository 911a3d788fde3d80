// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes canonical CBOR; cannot write anything else, but for the order of map keys and the counts.
//!
//! Source: spec/codec.md, rules CBR-1 to CBR-3.

use super::{ARRAY, BYTES, MAP, NINT, SIMPLE, TEXT, UINT};

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
