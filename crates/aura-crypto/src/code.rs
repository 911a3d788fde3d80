// SPDX-License-Identifier: MIT OR Apache-2.0
//! Secrets that people read and type: the secret key, the recovery code, the code that pairs two devices.
//!
//! Crockford's base32, in groups of four, read without regard to case, spaces, dashes, or O for 0 and
//! I or L for 1. Two check characters for each word find every wrong character and every swapped
//! pair, and mostly tell which group the one wrong character is in.
//! Source: spec/key-slots.md, rules SLT-12 to SLT-15.

#![expect(clippy::arithmetic_side_effects, reason = "indices and counts stay below TYPED_MAX")]

use zeroize::Zeroizing;

use crate::key::{PairingCode, RecoveryCode, SecretKey};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const GROUP: usize = 4;
/// Symbols that are looked at before giving up: more is no code of ours.
const TYPED_MAX: usize = 256;

/// Why a typed code was refused. Groups count from 1. Never carries what was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// A character that no code has.
    #[error("expected letters and digits; group {group} has another character")]
    Character {
        /// Where.
        group: usize,
    },
    /// Too few or too many characters.
    #[error("expected {expected} characters, found {found}")]
    Length {
        /// How many there should be.
        expected: usize,
        /// How many were typed.
        found: usize,
    },
    /// One character is wrong, most likely in this group.
    #[error("expected other characters: group {group} seems mistyped")]
    Group {
        /// Where.
        group: usize,
    },
    /// More than one character is wrong.
    #[error("expected other characters: more than one seems mistyped")]
    Check,
}

impl SecretKey {
    /// The text to print: seven groups of four.
    pub fn to_text(&self) -> Zeroizing<String> {
        to_text::<28, 1>(self.dangerous_bytes())
    }

    /// The secret key that was typed.
    ///
    /// # Errors
    /// [`CodeError`], naming the wrong group where the check characters can tell.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        let bytes = parse::<28, 1, 16>(text)?;
        Ok(Self::from_bytes(bytes))
    }
}

impl RecoveryCode {
    /// The text to print: nine groups of four.
    pub fn to_text(&self) -> Zeroizing<String> {
        to_text::<36, 2>(self.dangerous_bytes())
    }

    /// The recovery code that was typed.
    ///
    /// # Errors
    /// [`CodeError`], naming the wrong group where the check characters can tell.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        let bytes = parse::<36, 2, 20>(text)?;
        Ok(Self::from_bytes(bytes))
    }
}

impl PairingCode {
    /// The text to show: seven groups of four.
    pub fn to_text(&self) -> Zeroizing<String> {
        to_text::<28, 1>(self.dangerous_bytes())
    }

    /// The code that was typed.
    pub(crate) fn parse_typed(text: &str) -> Result<Self, CodeError> {
        let bytes = parse::<28, 1, 16>(text)?;
        Ok(Self::from_bytes(bytes))
    }
}

/// `SYMBOLS` characters, of which the last two times `WORDS` are checks: symbol i belongs to check
/// word i mod `WORDS`, so that each word has at most 31 symbols.
fn to_text<const SYMBOLS: usize, const WORDS: usize>(bytes: &[u8]) -> Zeroizing<String> {
    let mut symbols = Zeroizing::new([0u8; SYMBOLS]);
    let data = SYMBOLS.saturating_sub(WORDS.saturating_mul(2));
    for (i, symbol) in symbols.iter_mut().take(data).enumerate() {
        *symbol = (0..5).fold(0, |value, bit| value << 1 | bit_at(bytes, i * 5 + bit));
    }
    for word in 0..WORDS {
        let (sum, weighted) = sums(symbols.iter().take(data).copied(), word, WORDS);
        // 28 is the inverse of 3 = 1 + α: x + y = sum and x + α y = weighted.
        let second = times(28, sum ^ weighted);
        let checks = symbols.iter_mut().skip(data + word).step_by(WORDS);
        checks.zip([sum ^ second, second]).for_each(|(to, check)| *to = check);
    }
    let mut text = Zeroizing::new(String::with_capacity(SYMBOLS * 2));
    for (i, &symbol) in symbols.iter().enumerate() {
        if i > 0 && i % GROUP == 0 {
            text.push('-');
        }
        text.push(ALPHABET.get(usize::from(symbol)).map_or('0', |&c| char::from(c)));
    }
    text
}

fn parse<const SYMBOLS: usize, const WORDS: usize, const BYTES: usize>(
    text: &str,
) -> Result<Zeroizing<[u8; BYTES]>, CodeError> {
    let mut symbols = Zeroizing::new([0u8; SYMBOLS]);
    let mut found = 0;
    for c in text.chars().filter(|&c| !is_separator(c)).take(TYPED_MAX) {
        let value = symbol(c).ok_or(CodeError::Character { group: found / GROUP + 1 })?;
        symbols.iter_mut().skip(found).take(1).for_each(|to| *to = value);
        found += 1;
    }
    if found != SYMBOLS {
        return Err(CodeError::Length { expected: SYMBOLS, found });
    }
    let data = SYMBOLS - WORDS * 2;
    check(symbols.as_slice(), data, WORDS)?;
    let mut bytes = Zeroizing::new([0u8; BYTES]);
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = (0..8).fold(0, |value, bit| {
            let at = i * 8 + bit;
            let symbol = symbols.get(at / 5).copied().unwrap_or_default();
            value << 1 | symbol >> (4 - at % 5) & 1
        });
    }
    // Bits beyond the secret are zero: one text for each secret.
    let spare = (BYTES * 8..data * 5)
        .any(|at| symbols.get(at / 5).copied().unwrap_or_default() >> (4 - at % 5) & 1 != 0);
    if spare { Err(CodeError::Check) } else { Ok(bytes) }
}

/// Compares the check characters; where one symbol is wrong they say which.
fn check(symbols: &[u8], data: usize, words: usize) -> Result<(), CodeError> {
    let mut wrong = None;
    for word in 0..words {
        let (mut sum, mut weighted) = sums(symbols.iter().take(data).copied(), word, words);
        for (i, &check) in symbols.iter().skip(data + word).step_by(words).enumerate() {
            sum ^= check;
            weighted ^= times(power(i), check);
        }
        if (sum, weighted) == (0, 0) {
            continue;
        }
        let len = symbols.len() / words;
        // One wrong symbol at weight α^k leaves (e, e α^k).
        let weight = (0..len).find(|&k| sum != 0 && times(sum, power(k)) == weighted);
        let position = weight.map(|k| if k < 2 { data / words + k } else { k - 2 });
        let group = position.map(|position| (position * words + word) / GROUP + 1);
        wrong = match (wrong, group) {
            (None, Some(group)) => Some(CodeError::Group { group }),
            _ => Some(CodeError::Check),
        };
    }
    wrong.map_or(Ok(()), Err)
}

/// The sum of a word's data symbols, and the sum weighted by α^(i + 2).
fn sums(data: impl Iterator<Item = u8>, word: usize, words: usize) -> (u8, u8) {
    let own = data.skip(word).step_by(words).enumerate();
    own.fold((0, 0), |(sum, weighted), (i, symbol)| {
        (sum ^ symbol, weighted ^ times(power(i + 2), symbol))
    })
}

fn bit_at(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1)
}

/// Multiplication in GF(32) modulo x^5 + x^2 + 1; no table, so nothing for a cache to tell.
fn times(a: u8, b: u8) -> u8 {
    let (mut product, mut a) = (0, a);
    for bit in 0..5 {
        product ^= a & 0u8.wrapping_sub(b >> bit & 1);
        a = a << 1 ^ 0x25 & 0u8.wrapping_sub(a >> 4 & 1);
    }
    product
}

/// α^k with α = 2.
fn power(k: usize) -> u8 {
    (0..k).fold(1, |value, _| times(value, 2))
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '_' | '.' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

fn symbol(c: char) -> Option<u8> {
    let c = match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        c => c,
    };
    ALPHABET.iter().position(|&symbol| char::from(symbol) == c).and_then(|i| u8::try_from(i).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// GF(32) is a field and α runs through all of it: what locating a wrong symbol rests on.
    #[test]
    fn alpha_generates_the_field() {
        let mut powers: Vec<u8> = (0..31).map(power).collect();
        powers.sort_unstable();
        assert_eq!(powers, (1..32).collect::<Vec<u8>>());
        assert_eq!(times(28, 3), 1);
        assert_eq!(power(31), 1);
    }
}
