// SPDX-License-Identifier: MIT OR Apache-2.0
//! Deterministic CBOR with integer keys, strict by construction: what an encoder would not have
//! written, a decoder refuses.
//!
//! So a signer and a verifier never see two contents in the same bytes. Refused: long integers,
//! indefinite lengths, keys out of order or twice, trailing bytes, depth above 16, floats, tags.
//! Unknown map keys from 128 on are kept as they are; unknown keys below 128 are critical.
//! Source: spec/codec.md, rules CBR-1 to CBR-9 (RFC 8949 §4.2.1).
//!
//! CBR-1 whole values, CBR-2 shortest numbers, CBR-3 ascending keys, CBR-4 known types, CBR-5 depth,
//! CBR-6 bounds before allocation, CBR-7 unknown keys, CBR-8 newer things, CBR-9 one version.

mod reader;
mod writer;

pub use reader::{MapReader, Reader};
pub use writer::Writer;

use crate::limits::{CBOR_DEPTH_MAX, FORMAT_VERSION};

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
    /// The value has another format version.
    #[error("expected format version {FORMAT_VERSION}")]
    Version,
    /// The value is of a type that this version does not know.
    #[error("expected a known type, not {0}; a newer version may know it")]
    UnknownType(u64),
}

impl CodecError {
    /// Whether a newer version might understand what this one refuses. Whoever meets such a thing under
    /// a valid signature of somebody with authority goes on reading but stops writing (CBR-8).
    pub fn is_newer(self) -> bool {
        matches!(self, Self::UnknownKey(_) | Self::UnknownType(_) | Self::Version)
    }
}

/// Reads the format version, of which there is one: no older mode exists and no newer one is guessed
/// at (CBR-9).
pub(crate) fn version(reader: &mut Reader<'_>) -> Result<(), CodecError> {
    if reader.uint()? == FORMAT_VERSION { Ok(()) } else { Err(CodecError::Version) }
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
