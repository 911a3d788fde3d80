// SPDX-License-Identifier: MIT OR Apache-2.0
//! CONF: markers that are planted where only the person may read, and looked for everywhere else.
//!
//! A marker is 16 random bytes, planted as they are or as text (32 hexadecimal digits). It is looked for in every
//! form that a careless program could give it. No store, file name or answer may have any; whoever looks should
//! also see to it that a marker is found where it belongs, else the looking would prove nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use aura_protocol::id::Hash;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem::Finder;

use crate::seed::Seed;

/// A marker's length, in bytes.
pub const BYTES: usize = 16;
/// Folders are looked through as deep as this.
const DEPTH_MAX: usize = 16;

/// One marker.
#[derive(Debug, Clone)]
pub struct Canary {
    /// To plant where bytes belong.
    pub bytes: [u8; BYTES],
    /// To plant where text belongs.
    pub text: String,
}

/// Markers, each planted in a place of its own.
#[derive(Debug, Default)]
pub struct Canaries {
    forms: Vec<Form>,
}

#[derive(Debug)]
struct Form {
    /// Where the marker was planted, and which form this is.
    name: String,
    finder: Finder<'static>,
}

impl Canaries {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A marker for this place, which names it when it is found elsewhere.
    pub fn plant(&mut self, place: &str, seed: &mut Seed) -> Canary {
        let bytes: [u8; BYTES] = seed.array();
        let text = hex(&bytes);
        self.look_for(place, &bytes);
        self.look_for(place, text.as_bytes());
        Canary { bytes, text }
    }

    /// A text that somebody chose: a password. It should be so long that it is nowhere by chance.
    pub fn plant_text(&mut self, place: &str, text: &str) {
        assert!(text.len() >= 8, "{place}: too short to be looked for");
        self.look_for(place, text.as_bytes());
    }

    /// Looks for these bytes in all their forms from now on.
    fn look_for(&mut self, place: &str, bytes: &[u8]) {
        for (form, pattern) in forms(bytes) {
            let name = format!("{place}, {form}");
            self.forms.push(Form { name, finder: Finder::new(&pattern).into_owned() });
        }
    }

    /// The first marker in these bytes: where it was planted, in which form, and where it was found.
    pub fn found(&self, bytes: &[u8]) -> Option<String> {
        self.forms.iter().find_map(|form| {
            let at = form.finder.find(bytes)?;
            Some(format!("{} at byte {at}", form.name))
        })
    }

    /// Fails if any marker is in these bytes.
    pub fn assert_absent(&self, place: &str, bytes: &[u8]) {
        if let Some(found) = self.found(bytes) {
            panic!("CONF: {found} of {place}");
        }
    }

    /// Fails if any marker is in a file below this folder, or in its name. Returns how many files there were.
    pub fn assert_absent_under(&self, folder: &Path) -> usize {
        self.look_under(folder, DEPTH_MAX)
    }

    fn look_under(&self, folder: &Path, depth: usize) -> usize {
        assert!(depth > 0, "{} is too deep", folder.display());
        // What goes while it is looked at was a file in the making.
        let Ok(entries) = fs::read_dir(folder) else { return 0 };
        let mut count = 0;
        for entry in entries.map_while(Result::ok) {
            let (path, name) = (entry.path(), entry.file_name());
            self.assert_absent(&format!("the name of {}", path.display()), name.as_encoded_bytes());
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                count += self.look_under(&path, depth - 1);
            } else if kind.is_file()
                && let Ok(bytes) = fs::read(&path)
            {
                self.assert_absent(&path.display().to_string(), &bytes);
                count += 1;
            }
        }
        count
    }
}

/// Every form of these bytes that is looked for, each once.
fn forms(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut forms = vec![
        ("as it is".to_owned(), bytes.to_vec()),
        ("in hexadecimal".to_owned(), hex(bytes).into_bytes()),
        ("in hexadecimal capitals".to_owned(), hex(bytes).to_uppercase().into_bytes()),
        ("in small letters".to_owned(), bytes.to_ascii_lowercase()),
        ("in capitals".to_owned(), bytes.to_ascii_uppercase()),
        ("as its SHA-256".to_owned(), Hash::of(&[bytes]).0.to_vec()),
        ("as its SHA-256 in hexadecimal".to_owned(), hex(&Hash::of(&[bytes]).0).into_bytes()),
    ];
    for (name, engine) in [("base64", STANDARD_NO_PAD), ("base64url", URL_SAFE_NO_PAD)] {
        for offset in 0..3 {
            let pattern = within_base64(bytes, offset, &engine).into_bytes();
            forms.push((format!("in {name} behind {offset} bytes"), pattern));
        }
    }
    if let Ok(text) = str::from_utf8(bytes) {
        let units = || text.encode_utf16();
        forms.push(("in UTF-16LE".to_owned(), units().flat_map(u16::to_le_bytes).collect()));
        forms.push(("in UTF-16BE".to_owned(), units().flat_map(u16::to_be_bytes).collect()));
    }
    let mut known = BTreeSet::new();
    forms.retain(|(_, pattern)| known.insert(pattern.clone()));
    forms
}

/// The characters that these bytes alone decide, when so many others, modulo 3, stand before them.
fn within_base64(bytes: &[u8], offset: usize, engine: &impl base64::Engine) -> String {
    let before = vec![0; offset];
    let text = engine.encode([&before[..], bytes].concat());
    let first = (offset * 8).div_ceil(6);
    let end = (offset + bytes.len()) * 8 / 6;
    text.get(first..end).unwrap().to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;

    fn planted() -> (Canaries, Canary) {
        let mut canaries = Canaries::new();
        let canary = canaries.plant("a title", &mut Seed::new(1));
        (canaries, canary)
    }

    #[test]
    fn every_form_is_found() {
        let (canaries, canary) = planted();
        let text = canary.text.as_bytes();
        for source in [&canary.bytes[..], text] {
            let mut shown = vec![
                source.to_vec(),
                hex(source).into_bytes(),
                hex(source).to_uppercase().into_bytes(),
                Hash::of(&[source]).0.to_vec(),
            ];
            for offset in 0..7 {
                let around = [&vec![0xa5; offset][..], source, &vec![0x5a; offset]].concat();
                shown.push(STANDARD_NO_PAD.encode(&around).into_bytes());
                shown.push(URL_SAFE_NO_PAD.encode(&around).into_bytes());
                shown.push(around);
            }
            for bytes in shown {
                let found = canaries.found(&[b"before", &bytes[..], b"behind"].concat());
                assert!(found.is_some_and(|found| found.starts_with("a title, ")), "{bytes:?}");
            }
        }
        let utf16 = |to: fn(u16) -> [u8; 2]| canary.text.encode_utf16().flat_map(to).collect();
        let (little, big): (Vec<u8>, Vec<u8>) = (utf16(u16::to_le_bytes), utf16(u16::to_be_bytes));
        assert!(canaries.found(&little).is_some() && canaries.found(&big).is_some());
        assert!(canaries.found(canary.text.to_uppercase().as_bytes()).is_some());
        let random = Seed::new(2).bytes(1 << 16);
        assert_eq!(canaries.found(&random), None);
    }

    #[test]
    fn folders_are_looked_through_names_and_all() {
        let (canaries, canary) = planted();
        let folder = std::env::temp_dir().join(format!("aura-canary-{}", std::process::id()));
        let inner = folder.join("one/two");
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("file"), "nothing").unwrap();
        assert_eq!(canaries.assert_absent_under(&folder), 1);
        let looks = || std::panic::catch_unwind(|| canaries.assert_absent_under(&folder)).is_err();
        fs::write(inner.join("file"), [b"x", &canary.bytes[..]].concat()).unwrap();
        assert!(looks(), "in a file");
        fs::write(inner.join("file"), "nothing").unwrap();
        fs::write(inner.join(&canary.text), "nothing").unwrap();
        assert!(looks(), "in a name");
        fs::remove_dir_all(folder).unwrap();
    }
}
