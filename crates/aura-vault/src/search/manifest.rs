// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the index's one mutable file says: which files belong to it, and tantivy's own list.
//!
//! The file is a version counter (8 bytes, big-endian) and a sealed object whose context carries
//! the counter. Each commit replaces it by a rename, so that it and every file that it names are
//! from the same moment: a file that was swapped, cut, or kept from an earlier run does not have
//! the seal that is written here. An older state of the whole directory is harmless: the index is
//! a view, and says itself up to where it has been brought.

use std::collections::BTreeMap;

use aura_crypto::aead::HEADER;
use aura_protocol::codec::{CodecError, Reader, Writer};

use super::sealed_file::Seal;

/// Files that one index may have.
const FILES_MAX: usize = 65_536;
/// The longest file name in bytes.
const NAME_BYTES_MAX: usize = 128;

/// The plaintext of the mutable file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    /// Immutable files by name.
    pub(super) files: BTreeMap<String, Seal>,
    /// What tantivy wrote.
    pub(super) meta: Vec<u8>,
}

impl Manifest {
    /// Canonical CBOR: `[[[name, sealed length, header], …], meta]`.
    pub(super) fn encode(files: &BTreeMap<String, Seal>, meta: &[u8]) -> Vec<u8> {
        let mut writer = Writer::with_capacity(files.len() * 128 + meta.len() + 16);
        writer.array(2).array(files.len());
        for (name, seal) in files {
            writer.array(3).text(name).uint(seal.sealed_len).bytes(&seal.header);
        }
        writer.bytes(meta);
        writer.into_bytes()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let manifest = reader.tuple(2, |reader| {
            let files = reader.array(FILES_MAX, |reader| {
                reader.tuple(3, |reader| {
                    let name = reader.text()?;
                    let seal = Seal {
                        sealed_len: reader.uint()?,
                        header: reader.bytes_exact::<HEADER>()?,
                    };
                    if is_name(name) {
                        Ok((name.to_owned(), seal))
                    } else {
                        Err(CodecError::Bounds)
                    }
                })
            })?;
            Ok(Self { files: files.into_iter().collect(), meta: reader.bytes()?.to_vec() })
        })?;
        reader.finish()?;
        Ok(manifest)
    }
}

/// Whether the name is one that the index gives to files: it names nothing outside its directory.
pub(super) fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !name.starts_with('.')
        && name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_comes_back_and_names_stay_inside() {
        let seal = Seal { sealed_len: 72, header: [7; HEADER] };
        let files = BTreeMap::from([("a.term".to_owned(), seal), ("b.idx".to_owned(), seal)]);
        let bytes = Manifest::encode(&files, b"{}");
        assert_eq!(Manifest::decode(&bytes).unwrap(), Manifest { files, meta: b"{}".to_vec() });
        let outside = BTreeMap::from([("../a".to_owned(), seal)]);
        assert!(Manifest::decode(&Manifest::encode(&outside, b"")).is_err());
        assert!(!is_name("") && !is_name(".managed.json") && !is_name("a/b"));
    }
}
