// SPDX-License-Identifier: MIT OR Apache-2.0
//! Another time of day for a process, by libfaketime: weeks pass for whoever is shown it, and timers run as ever.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// A clock that is ahead of the system's.
#[derive(Debug, Clone)]
pub struct Clock {
    library: PathBuf,
    days: u32,
}

impl Clock {
    /// The system's clock; nothing where the library is not installed.
    pub fn find() -> Option<Self> {
        let folders =
            fs::read_dir("/usr/lib").ok()?.map_while(Result::ok).map(|entry| entry.path());
        let places = folders.chain([Path::new("/usr/lib").to_path_buf()]);
        let library = places.map(|folder| folder.join(LIBRARY)).find(|library| library.exists());
        library.map(|library| Self { library, days: 0 })
    }

    /// The clock so many days ahead of the system's.
    #[must_use]
    pub fn after(&self, days: u32) -> Self {
        Self { days, ..self.clone() }
    }

    /// Shows it to a program, and to what that starts.
    pub fn is_shown(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME", format!("+{}d", self.days))
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1");
    }
}
