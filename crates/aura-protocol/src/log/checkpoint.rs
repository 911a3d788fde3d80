// SPDX-License-Identifier: MIT OR Apache-2.0
//! A checkpoint: origin, size and root of a log, as a signed note that any C2SP tool reads.
//!
//! Source: C2SP tlog-checkpoint and signed-note; rules LOG-7 to LOG-9.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::id::Hash;
use crate::limits::{NOTE_BYTES_MAX, NOTE_LINES_MAX};
use crate::signed::{Signature, verify_raw};

/// The signature type of plain Ed25519 in a note's key id.
const ALGORITHM_ED25519: u8 = 1;

/// Why a note was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// It does not have a note's form.
    #[error("expected a signed note with a checkpoint")]
    Form,
    /// It has no valid signature of the expected key.
    #[error("expected a signature of the log's key")]
    Signature,
}

/// What a log says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: a name without spaces, plus signs and line ends.
    pub origin: String,
    /// How many leaves it has.
    pub size: u64,
    /// The Merkle root over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The text that is signed, with its last line end.
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.0))
    }

    /// The checkpoint that this text is.
    ///
    /// # Errors
    /// When it has not exactly the three lines of a checkpoint.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut lines = text.split('\n');
        let (Some(origin), Some(size), Some(root), Some(""), None) =
            (lines.next(), lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(NoteError::Form);
        };
        let bytes = STANDARD.decode(root).map_err(|_| NoteError::Form)?;
        let checkpoint = Self {
            origin: origin.to_owned(),
            size: size.parse().map_err(|_| NoteError::Form)?,
            root: Hash::from_slice(&bytes).ok_or(NoteError::Form)?,
        };
        // One text for one checkpoint: no leading zeros or signs, no loose Base64 (LOG-7).
        let is_canonical = checkpoint.to_text() == text && is_name(origin);
        if is_canonical { Ok(checkpoint) } else { Err(NoteError::Form) }
    }
}

fn is_name(name: &str) -> bool {
    let is_outside = |c: char| c == '+' || c.is_whitespace() || c.is_control();
    !name.is_empty() && !name.contains(is_outside)
}

/// A note's signer: a name and an Ed25519 verifying key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteKey {
    /// The name, as in a checkpoint's origin.
    pub name: String,
    /// The verifying key.
    pub key: [u8; 32],
}

impl NoteKey {
    /// The four bytes that name the key in a note's signature line (LOG-8).
    pub fn id(&self) -> [u8; 4] {
        let hash = Hash::of(&[self.name.as_bytes(), b"\n", &[ALGORITHM_ED25519], &self.key]);
        let [a, b, c, d, ..] = hash.0;
        [a, b, c, d]
    }

    /// The key that this text is, in its one form.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once('+')?;
        let (_, encoded) = rest.split_once('+')?;
        let bytes = STANDARD.decode(encoded).ok()?;
        let (algorithm, key) = bytes.split_first()?;
        let key = Self { name: name.to_owned(), key: key.try_into().ok()? };
        let is_one = *algorithm == ALGORITHM_ED25519 && is_name(name) && key.to_text() == text;
        is_one.then_some(key)
    }

    /// The key in the text form that C2SP tools take (`name+id+key`).
    pub fn to_text(&self) -> String {
        let id: String = self.id().iter().map(|byte| format!("{byte:02x}")).collect();
        let key: Vec<u8> = core::iter::once(ALGORITHM_ED25519).chain(self.key).collect();
        format!("{}+{id}+{}", self.name, STANDARD.encode(key))
    }
}

/// The note of a checkpoint and the signature that `signer` made over its text.
pub fn sealed_note(checkpoint: &Checkpoint, signer: &NoteKey, signature: &Signature) -> String {
    let bytes: Vec<u8> = signer.id().into_iter().chain(signature.0).collect();
    format!("{}\n\u{2014} {} {}\n", checkpoint.to_text(), signer.name, STANDARD.encode(bytes))
}

/// The checkpoint in a note that `signer` signed. Lines of other signers are passed over (LOG-9).
///
/// # Errors
/// When the note has another form or no valid line of `signer`.
pub fn open_note(note: &[u8], signer: &NoteKey) -> Result<Checkpoint, NoteError> {
    let note = core::str::from_utf8(note).map_err(|_| NoteError::Form)?;
    if note.len() > NOTE_BYTES_MAX || note.split('\n').count() > NOTE_LINES_MAX {
        return Err(NoteError::Form);
    }
    let at = note.rfind("\n\n").ok_or(NoteError::Form)?;
    let (text, lines) = note.split_at_checked(at.saturating_add(1)).ok_or(NoteError::Form)?;
    let lines =
        lines.strip_prefix('\n').and_then(|l| l.strip_suffix('\n')).ok_or(NoteError::Form)?;
    let mut is_signed = false;
    for line in lines.split('\n') {
        let line = line.strip_prefix("\u{2014} ").ok_or(NoteError::Form)?;
        let (name, encoded) = line.split_once(' ').ok_or(NoteError::Form)?;
        if !is_name(name) {
            return Err(NoteError::Form);
        }
        let bytes = STANDARD.decode(encoded).map_err(|_| NoteError::Form)?;
        let (id, signature) = bytes.split_first_chunk::<4>().ok_or(NoteError::Form)?;
        if name != signer.name || *id != signer.id() {
            continue;
        }
        let signature = Signature(signature.try_into().map_err(|_| NoteError::Signature)?);
        verify_raw(&signer.key, text.as_bytes(), &signature).map_err(|_| NoteError::Signature)?;
        is_signed = true;
    }
    if !is_signed {
        return Err(NoteError::Signature);
    }
    let checkpoint = Checkpoint::parse(text)?;
    if checkpoint.origin == signer.name { Ok(checkpoint) } else { Err(NoteError::Form) }
}
