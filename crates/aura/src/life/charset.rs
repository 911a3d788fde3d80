// SPDX-License-Identifier: MIT OR Apache-2.0
//! Text as bytes of an older charset, and bytes as mail-safe text.
//!
//! Only charsets whose mapping is arithmetic: a character that does not fit becomes `?`, and a test
//! of the mailbox keeps that from happening. Source: RFC 2045, 2047, 1468; ISO 8859-1, -6, -15.

use std::fmt::Write as _;

/// How a mail's text is written as bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charset {
    Utf8,
    /// ISO 8859-1, western Europe.
    Latin1,
    /// ISO 8859-15, which has the euro sign.
    Latin9,
    /// The Windows code page that adds curly quotes and dashes to Latin 1.
    Windows1252,
    /// ISO 8859-6.
    Arabic,
    /// ISO-2022-JP, kana and punctuation only.
    Kana,
}

impl Charset {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Latin1 => "iso-8859-1",
            Self::Latin9 => "iso-8859-15",
            Self::Windows1252 => "windows-1252",
            Self::Arabic => "iso-8859-6",
            Self::Kana => "iso-2022-jp",
        }
    }

    pub(super) fn encode(self, text: &str) -> Vec<u8> {
        match self {
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Kana => encode_kana(text),
            _ => text.chars().map(|c| self.byte(c).unwrap_or(b'?')).collect(),
        }
    }

    /// Whether every character of the text can be written.
    #[cfg(test)]
    pub(super) fn holds(self, text: &str) -> bool {
        match self {
            Self::Utf8 => true,
            Self::Kana => text.chars().all(|c| c.is_ascii() || kana(c).is_some()),
            _ => text.chars().all(|c| self.byte(c).is_some()),
        }
    }

    fn byte(self, c: char) -> Option<u8> {
        let code = u32::from(c);
        if code < 0x80 {
            return u8::try_from(code).ok();
        }
        match (self, c) {
            (Self::Latin9, '€') => Some(0xa4),
            (Self::Windows1252, '€') => Some(0x80),
            (Self::Windows1252, '„') => Some(0x84),
            (Self::Windows1252, '…') => Some(0x85),
            (Self::Windows1252, '‘') => Some(0x91),
            (Self::Windows1252, '’') => Some(0x92),
            (Self::Windows1252, '“') => Some(0x93),
            (Self::Windows1252, '”') => Some(0x94),
            (Self::Windows1252, '–') => Some(0x96),
            (Self::Windows1252, '—') => Some(0x97),
            (Self::Arabic, '،') => Some(0xac),
            (Self::Arabic, '؛') => Some(0xbb),
            (Self::Arabic, '؟') => Some(0xbf),
            (Self::Arabic, '\u{621}'..='\u{652}') => u8::try_from(code - 0x560).ok(),
            (Self::Latin1 | Self::Latin9 | Self::Windows1252, '\u{a0}'..='\u{ff}') => {
                u8::try_from(code).ok()
            }
            _ => None,
        }
    }
}

fn kana(c: char) -> Option<[u8; 2]> {
    let code = u32::from(c);
    let (row, cell) = match c {
        '\u{3041}'..='\u{3093}' => (0x24, code - 0x3041 + 0x21),
        '\u{30a1}'..='\u{30f6}' => (0x25, code - 0x30a1 + 0x21),
        '、' => (0x21, 0x22),
        '。' => (0x21, 0x23),
        'ー' => (0x21, 0x3c),
        '！' => (0x21, 0x2a),
        '？' => (0x21, 0x29),
        _ => return None,
    };
    Some([row, u8::try_from(cell).ok()?])
}

fn encode_kana(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut is_double = false;
    for c in text.chars() {
        let pair = if c.is_ascii() { None } else { Some(kana(c).unwrap_or([0x21, 0x29])) };
        if pair.is_some() != is_double {
            bytes.extend_from_slice(if is_double { b"\x1b(B" } else { b"\x1b$B" });
            is_double = !is_double;
        }
        match pair {
            Some(pair) => bytes.extend_from_slice(&pair),
            None => bytes.extend(u8::try_from(u32::from(c))),
        }
    }
    if is_double {
        bytes.extend_from_slice(b"\x1b(B");
    }
    bytes
}

/// Base64 in one line (RFC 4648).
pub(super) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let number = group.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte))
            << (8 * (3 - group.len()));
        for place in 0..4 {
            let letter = LETTERS.get(number >> (18 - 6 * place) & 63).copied().unwrap_or(b'A');
            text.push(if place <= group.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

/// Base64 in lines of 76 characters.
pub(super) fn base64_lines(bytes: &[u8]) -> String {
    bytes.chunks(57).map(|line| base64(line) + "\n").collect()
}

/// Quoted-printable with soft line breaks (RFC 2045, section 6.7).
pub(super) fn quoted_printable(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut width = 0;
    for (index, byte) in bytes.iter().enumerate() {
        if *byte == b'\n' {
            text.push('\n');
            width = 0;
            continue;
        }
        let is_line_end = bytes.get(index + 1).is_none_or(|next| *next == b'\n');
        let is_plain = matches!(byte, b'!'..=b'<' | b'>'..=b'~') || *byte == b' ' && !is_line_end;
        let cost = if is_plain { 1 } else { 3 };
        if width + cost > 75 {
            text.push_str("=\n");
            width = 0;
        }
        width += cost;
        if is_plain {
            text.push(char::from(*byte));
        } else {
            let _ = write!(text, "={byte:02X}");
        }
    }
    text
}

/// A header's text: as it is when ASCII, else as encoded words of one charset.
pub(super) fn header_text(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if word.len() + c.len_utf8() > 42 {
            words.push(std::mem::take(&mut word));
        }
        word.push(c);
    }
    words.push(word);
    let words: Vec<String> =
        words.iter().map(|word| format!("=?utf-8?B?{}?=", base64(word.as_bytes()))).collect();
    words.join("\n ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        assert_eq!(base64(b""), "");
        assert_eq!(base64(b"f"), "Zg==");
        assert_eq!(base64(b"fo"), "Zm8=");
        assert_eq!(base64(b"foobar"), "Zm9vYmFy");
        assert_eq!(quoted_printable("à=b \n".as_bytes()), "=C3=A0=3Db=20\n");
        assert_eq!(Charset::Kana.encode("aあ。"), b"a\x1b$B\x24\x22\x21\x23\x1b(B");
        assert_eq!(Charset::Arabic.encode("سلام"), [0xd3, 0xe4, 0xc7, 0xe5]);
        assert_eq!(Charset::Latin9.encode("5 €"), [b'5', b' ', 0xa4]);
        assert!(!Charset::Latin1.holds("5 €"));
    }

    #[test]
    fn soft_breaks_keep_lines_short() {
        let text = quoted_printable("é".repeat(200).as_bytes());
        assert!(text.lines().all(|line| line.len() <= 76));
    }
}
