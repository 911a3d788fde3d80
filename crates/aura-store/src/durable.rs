// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files that are there whole or not at all, also after a power cut.
//!
//! Written beside, synced, renamed into place, and then the directory synced: any other order can leave
//! a name without content (F-01, F-34). Symbolic links below a store's root are never followed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Makes a directory and its name durable; an existing one is fine, a link to one is not.
pub(crate) fn directory(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => return Ok(()),
        Ok(_) => return Err(not_plain()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => path.parent().map_or(Ok(()), sync_directory),
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    // Not every system lets a directory be opened; where it does not, renames are durable by themselves.
    match File::open(path) {
        Ok(file) => file.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

/// Writes `bytes` to `path`, replacing what is there, by way of a new file in `beside`.
pub(crate) fn write(path: &Path, beside: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = new_file_name(path, beside);
    let result = fill(&new, bytes).and_then(|()| fs::rename(&new, path));
    if result.is_err() {
        // The failure is what is reported; what is left is swept when the store is opened next.
        fs::remove_file(&new).ok();
    }
    result?;
    path.parent().map_or(Ok(()), sync_directory)
}

pub(crate) fn new_file_name(path: &Path, beside: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let count = NEXT.fetch_add(1, Ordering::Relaxed);
    beside.join(format!("{name}.{}-{count}", std::process::id()))
}

fn fill(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A plain file's bytes; `None` if there is none. Refuses links and more than `max_bytes`.
pub(crate) fn read(path: &Path, max_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(size) = size_bytes(path)? else { return Ok(None) };
    if size > max_bytes {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "expected a smaller file"));
    }
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "expected a smaller file"));
    }
    Ok(Some(bytes))
}

/// A plain file's size; `None` if there is none, an error if something else has its name.
pub(crate) fn size_bytes(path: &Path) -> io::Result<Option<u64>> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_file() => Ok(Some(meta.len())),
        Ok(_) => Err(not_plain()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn not_plain() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "expected a plain file or directory, not a link")
}

/// Names of what is in a directory, ascending; none if there is no directory.
pub(crate) fn names(path: &Path) -> io::Result<Vec<String>> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => {}
        Ok(_) => return Err(not_plain()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        // A name that is not UTF-8 is none of ours.
        if let Ok(name) = entry?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}
