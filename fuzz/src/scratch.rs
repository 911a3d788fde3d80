// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files for what only reads files: in memory where there is such a folder, a set for each process.

use std::fs;
use std::path::PathBuf;
use std::process;

/// A folder of this process's own.
pub fn folder() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let place = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let folder = place.join(format!("aura-fuzz-{}", process::id()));
    fs::create_dir_all(&folder).expect("a temporary folder");
    folder
}

/// A file with these bytes; the next one takes its place.
pub fn file(bytes: &[u8]) -> PathBuf {
    let path = folder().join("input");
    fs::write(&path, bytes).expect("a temporary file");
    path
}
