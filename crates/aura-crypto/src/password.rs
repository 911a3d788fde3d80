// SPDX-License-Identifier: MIT OR Apache-2.0
//! One byte string for each password, whatever keyboard or system it was typed on.
//!
//! RFC 8265 OpaqueString: other spaces become U+0020, then NFC; case, width and length are never
//! changed and nothing is cut off. What a person could not see or type again is refused when the
//! password is chosen, not when it is needed.
//! Source: spec/keys.md, rule KEY-9. Lengths in bytes of UTF-8.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::{canonical_combining_class, is_public_assigned};
use zeroize::Zeroizing;

/// The longest password.
pub const PASSWORD_BYTES_MAX: usize = 1024;

const VIRAMA: u8 = 9;
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];

/// Characters that show nothing, steer layout, or are parts of syllables: OpaqueString has none of
/// them. Ranges include both ends.
const INVISIBLE: &[(u32, u32)] = &[
    (0x0000, 0x001f),
    (0x007f, 0x009f),
    (0x00ad, 0x00ad),
    (0x034f, 0x034f),
    (0x0600, 0x0605),
    (0x061c, 0x061c),
    (0x06dd, 0x06dd),
    (0x070f, 0x070f),
    (0x0890, 0x0891),
    (0x08e2, 0x08e2),
    (0x1100, 0x11ff),
    (0x17b4, 0x17b5),
    (0x180b, 0x180f),
    (0x200b, 0x200f),
    (0x2028, 0x202e),
    (0x2060, 0x206f),
    (0x3164, 0x3164),
    (0xa960, 0xa97c),
    (0xd7b0, 0xd7fb),
    (0xfdd0, 0xfdef),
    (0xfe00, 0xfe0f),
    (0xfeff, 0xfeff),
    (0xffa0, 0xffa0),
    (0xfff0, 0xfffb),
    (0x1_10bd, 0x1_10bd),
    (0x1_10cd, 0x1_10cd),
    (0x1_3430, 0x1_343f),
    (0x1_bca0, 0x1_bca3),
    (0x1_d173, 0x1_d17a),
    (0xe_0000, 0xe_0fff),
];

/// Why a password was refused. Says nothing of what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// It is empty.
    #[error("expected a password that is not empty")]
    Empty,
    /// It is too long.
    #[error("expected a password of at most {PASSWORD_BYTES_MAX} bytes")]
    TooLong,
    /// It has a character that is invisible or that Unicode does not define (yet).
    #[error("expected a password of visible characters and spaces")]
    Character,
}

/// The bytes that stand for a password.
///
/// # Errors
/// [`PasswordError`].
pub fn normalise(password: &str) -> Result<Zeroizing<String>, PasswordError> {
    // NFC never makes text more than three times shorter: what is longer could not pass below.
    if password.len() > PASSWORD_BYTES_MAX.saturating_mul(3) {
        return Err(PasswordError::TooLong);
    }
    // No reallocation, which would leave copies: NFC makes UTF-8 at most three times longer.
    let capacity = password.len().saturating_mul(3);
    let mut normal = Zeroizing::new(String::with_capacity(capacity));
    normal.extend(password.chars().map(plain_space).nfc());
    if normal.is_empty() {
        return Err(PasswordError::Empty);
    }
    if normal.len() > PASSWORD_BYTES_MAX {
        return Err(PasswordError::TooLong);
    }
    let mut before = None;
    for c in normal.chars() {
        if !is_allowed(c, before) {
            return Err(PasswordError::Character);
        }
        before = Some(c);
    }
    Ok(normal)
}

/// Unicode's other spaces (category Zs) as U+0020.
fn plain_space(c: char) -> char {
    match c {
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => {
            ' '
        }
        _ => c,
    }
}

fn is_allowed(c: char, before: Option<char>) -> bool {
    if JOINERS.contains(&c) {
        return before.is_some_and(|before| canonical_combining_class(before) == VIRAMA);
    }
    let point = u32::from(c);
    let is_invisible = INVISIBLE.iter().any(|&(low, high)| (low..=high).contains(&point));
    !is_invisible && is_public_assigned(c)
}
