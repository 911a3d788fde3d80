// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a command ends: its exit code, and what a person is told when it did not do what it should.
//!
//! A failure says three things: what happened, what was not harmed, and what to do. It carries no
//! content, key or name of the person's. The table of codes is fixed.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

/// The exit codes, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Exit {
    /// Everything was done.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// The command was not one.
    Usage = 2,
    /// The vault is locked, or the password was wrong.
    Locked = 3,
    /// Somebody may not do this.
    Refused = 4,
    /// Something is damaged.
    Damaged = 5,
    /// A store, or the daemon, cannot be reached.
    Unreachable = 6,
    /// A part was done; the ledger says which is missing.
    Partly = 7,
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

/// Why a command did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// How the program exits.
    pub(crate) exit: Exit,
    /// What happened.
    pub(crate) what: String,
    /// What was not harmed.
    pub(crate) safe: String,
    /// What to do.
    pub(crate) next: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), safe: String::new(), next: String::new() }
    }

    /// Says what was not harmed.
    pub(crate) fn safe(mut self, safe: impl Into<String>) -> Self {
        self.safe = safe.into();
        self
    }

    /// Says what to do.
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = next.into();
        self
    }

    /// The command was used wrongly.
    pub(crate) fn usage(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what).safe("Nothing was changed.").next(next)
    }

    /// A file outside the vault could not be read or written.
    pub(crate) fn file(doing: &str, error: &io::Error) -> Self {
        let next = match error.kind() {
            io::ErrorKind::NotFound => "Check the path.",
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "Check the permissions, or choose another place."
            }
            io::ErrorKind::StorageFull => "Free some space and run it again.",
            _ => "Check the path and run it again.",
        };
        Self::new(Exit::Failed, format!("{doing}: {}.", plain(error)))
            .safe("The vault was not harmed.")
            .next(next)
    }
}

/// An I/O error in words, without its number.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_lowercase().to_string()).unwrap_or_default();
    format!("{first}{}", letters.as_str())
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        for part in [&self.safe, &self.next] {
            if !part.is_empty() {
                write!(f, "\n{part}")?;
            }
        }
        Ok(())
    }
}

/// Standard output that was closed early (`aura … | head`) is no failure worth a message.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Exit::Done, "");
        }
        Self::file("Reading or writing failed", &error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_codes_is_fixed() {
        use Exit::{Damaged, Done, Failed, Locked, Partly, Refused, Unreachable, Usage};
        let all = [Done, Failed, Usage, Locked, Refused, Damaged, Unreachable, Partly];
        assert_eq!(all.map(Exit::code), [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn a_failure_says_what_what_not_and_what_next() {
        let failure = Failure::new(Exit::Failed, "It broke.").safe("All is there.").next("Try.");
        assert_eq!(failure.to_string(), "It broke.\nAll is there.\nTry.");
        assert_eq!(Failure::new(Exit::Failed, "It broke.").to_string(), "It broke.");
    }

    #[test]
    fn errors_of_files_are_in_words() {
        let error = io::Error::from_raw_os_error(2);
        assert_eq!(plain(&error), "no such file or directory");
    }
}
