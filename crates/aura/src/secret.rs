// SPDX-License-Identifier: MIT OR Apache-2.0
//! Passwords and codes on their way through the program: wiped, never shown, never on a command line.
//!
//! They come by a prompt that does not echo, or from a file or descriptor. On the daemon's socket they
//! travel as hexadecimal digits, so that no parser keeps an unescaped copy.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::exit::{Exit, Failure};

/// No password has more bytes, whatever its file has.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// A password or code.
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    pub(crate) fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    /// The text, to hand it on.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_text(self) -> Zeroizing<String> {
        self.0
    }

    pub(crate) fn again(&self) -> Self {
        Self(self.0.clone())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
        let mut text = Zeroizing::new(String::with_capacity(self.0.len().saturating_mul(2)));
        text.extend(self.0.bytes().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;
        impl Visitor<'_> for Digits {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("hexadecimal digits")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
                parse(text).ok_or_else(|| E::custom("expected hexadecimal digits"))
            }
        }
        deserializer.deserialize_str(Digits)
    }
}

fn parse(digits: &str) -> Option<Secret> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(digits.len() / 2));
    for pair in digits.as_bytes().chunks(2) {
        let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
        bytes.push(u8::try_from(digit(0)? << 4 | digit(1)?).ok()?);
    }
    let text = core::str::from_utf8(&bytes).ok()?;
    Some(Secret(Zeroizing::new(text.to_owned())))
}

/// The secret in the first line of a file.
pub(crate) fn from_file(path: &Path) -> Result<Secret, Failure> {
    let unread = |error: &io::Error| {
        let mut failure = Failure::file("The password file could not be read", error);
        failure.exit = Exit::Usage;
        failure
    };
    let file = File::open(path).map_err(|error| unread(&error))?;
    let mut text = Zeroizing::new(String::with_capacity(4096));
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(|error| unread(&error))?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        let next = "Write the password into its first line.";
        return Err(Failure::usage("The password file is empty.", next));
    }
    Ok(Secret(Zeroizing::new(line.to_owned())))
}

/// Whether there is somebody to ask.
pub(crate) fn can_ask() -> bool {
    io::stderr().is_terminal() && File::open("/dev/tty").is_ok()
}

/// Asks on the terminal, without echo.
pub(crate) fn ask(question: &str) -> Result<Secret, Failure> {
    let _quiet = Quiet::begin();
    let answer = rpassword::prompt_password(format!("{question}: "));
    let answer = answer
        .map_err(|error| Failure::file("The answer could not be read from the terminal", &error))?;
    Ok(Secret(Zeroizing::new(answer)))
}

/// Asks a question that is answered with yes or no; anything but yes is no.
pub(crate) fn agrees(question: &str) -> Result<bool, Failure> {
    let failed =
        |error: io::Error| Failure::file("The answer could not be read from the terminal", &error);
    let mut terminal = File::options().read(true).write(true).open("/dev/tty").map_err(failed)?;
    write!(terminal, "{question} ").map_err(failed)?;
    let mut answer = String::new();
    BufReader::new(terminal.take(1024)).read_line(&mut answer).map_err(failed)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// A terminal that does not echo, from before the question is asked: who types early is not shown.
pub(crate) struct Quiet(File, Termios);

impl Quiet {
    /// Until it is dropped; nothing where there is no terminal.
    pub(crate) fn begin() -> Option<Self> {
        let terminal = File::options().read(true).write(true).open("/dev/tty").ok()?;
        let before = tcgetattr(&terminal).ok()?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Now, &quiet).ok()?;
        Some(Self(terminal, before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        tcsetattr(&self.0, OptionalActions::Now, &self.1).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_travel_and_do_not_show() {
        let secret = Secret(Zeroizing::new("pä\"ss\\".to_owned()));
        let text = serde_json::to_string(&secret).unwrap();
        assert!(!text.contains("ss"));
        assert_eq!(serde_json::from_str::<Secret>(&text).unwrap().reveal(), "pä\"ss\\");
        assert_eq!(format!("{secret:?}"), "Secret(redacted)");
        for wrong in ["\"1\"", "\"zz\"", "\"ff\"", "7"] {
            assert!(serde_json::from_str::<Secret>(wrong).is_err(), "{wrong}");
        }
    }
}
