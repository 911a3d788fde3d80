// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writing out of the vault without ever leaving half of it: a place beside the place, and attachments
//! as streams.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use aura_protocol::id::{BlobId, RecordId};
use aura_vault::gate::{AttachmentInfo, Session};
use aura_vault::record::Content;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::process::{Pid, test_kill_process};

use crate::exit::Failure;

/// Pieces of an attachment that wait for their reader.
const PIECES: usize = 4;

/// What is written beside its place and put there when it is whole.
pub(crate) struct Swap {
    place: PathBuf,
    staging: PathBuf,
    is_placed: bool,
}

impl Swap {
    /// A folder. What stands in its place must be nothing, an empty folder, or an earlier one of ours.
    pub(crate) fn folder(place: &Path, is_ours: &dyn Fn(&Path) -> bool) -> Result<Self, Failure> {
        let is_empty =
            |path: &Path| fs::read_dir(path).is_ok_and(|mut found| found.next().is_none());
        let swap = Self::new(place, &|path| is_empty(path) || is_ours(path))?;
        let made = DirBuilder::new().mode(0o700).create(&swap.staging);
        made.map_err(|error| Failure::file("The export could not be written", &error))?;
        Ok(swap)
    }

    /// A file; the caller makes it.
    pub(crate) fn file(place: &Path, is_ours: &dyn Fn(&Path) -> bool) -> Result<Self, Failure> {
        Self::new(place, is_ours)
    }

    fn new(place: &Path, is_ours: &dyn Fn(&Path) -> bool) -> Result<Self, Failure> {
        let name = place.file_name().map(|name| name.to_string_lossy().into_owned());
        let Some(name) = name else {
            return Err(Failure::usage("The export needs a name.", "Name a new folder or file."));
        };
        clear(place, &name);
        if fs::symlink_metadata(place).is_ok() && !is_ours(place) {
            return Err(Failure::usage(
                "There is something else in this place, and it was left as it is.",
                "Choose another place, or an earlier export.",
            ));
        }
        let staging = place.with_file_name(format!(".{name}.{}.part", std::process::id()));
        remove(&staging);
        Ok(Self { place: place.to_owned(), staging, is_placed: false })
    }

    /// Where to write.
    pub(crate) fn staging(&self) -> &Path {
        &self.staging
    }

    /// Puts it in its place; what was there goes only then.
    pub(crate) fn place(mut self) -> Result<(), Failure> {
        self.exchange().map_err(|error| {
            Failure::file("The export was written but could not be put in its place", &error)
        })
    }

    fn exchange(&mut self) -> io::Result<()> {
        if fs::symlink_metadata(&self.place).is_ok() {
            let both = renameat_with(CWD, &self.staging, CWD, &self.place, RenameFlags::EXCHANGE);
            if both.is_err() {
                // A file system that cannot exchange: the old one goes aside first.
                let aside = self.staging.with_extension("old");
                fs::rename(&self.place, &aside)?;
                fs::rename(&self.staging, &self.place)?;
                remove(&aside);
            }
        } else {
            fs::rename(&self.staging, &self.place)?;
        }
        let parent = self.place.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
        self.is_placed = true;
        remove(&self.staging);
        Ok(())
    }
}

impl Drop for Swap {
    fn drop(&mut self) {
        if !self.is_placed {
            remove(&self.staging);
        }
    }
}

fn remove(path: &Path) {
    let Ok(found) = fs::symlink_metadata(path) else { return };
    // What stays behind is found and removed by a later export to this place.
    drop(if found.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) });
}

/// Takes away what exports to this place left that were killed; it is not encrypted (F-34).
fn clear(place: &Path, name: &str) {
    let parent = place.parent().filter(|parent| !parent.as_os_str().is_empty());
    let Ok(entries) = fs::read_dir(parent.unwrap_or(Path::new("."))) else { return };
    let start = format!(".{name}.");
    for entry in entries.flatten() {
        let found = entry.file_name().to_string_lossy().into_owned();
        let rest = found.strip_prefix(&start).and_then(|rest| rest.split_once('.'));
        let Some((process, ending)) = rest else { continue };
        let pid = process.parse().ok().and_then(Pid::from_raw);
        if pid.is_none_or(is_running) {
            continue;
        }
        match ending {
            // The last good export, which went aside when its process was killed.
            "old" if fs::symlink_metadata(place).is_err() => {
                drop(fs::rename(entry.path(), place));
            }
            "old" | "part" => remove(&entry.path()),
            _ => {}
        }
    }
}

/// Whether a process may still be writing. One that has ended but that its parent has not asked about
/// answers to signals as if it ran.
fn is_running(pid: Pid) -> bool {
    let ended = |stat: String| {
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
    };
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    test_kill_process(pid).is_ok() && !stat.is_ok_and(ended)
}

/// Makes every file and folder below a folder durable. Returns the files, sorted.
pub(crate) fn sync_tree(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                File::open(entry.path())?.sync_all()?;
                files.push(entry.path());
            }
        }
        File::open(&folder)?.sync_all()?;
    }
    files.sort();
    Ok(files)
}

/// The bytes of an attachment in the vault, opened piece by piece.
pub(crate) struct SealedContent {
    session: Arc<Session>,
    record: RecordId,
    blob: BlobId,
}

impl SealedContent {
    pub(crate) fn new(session: &Arc<Session>, record: RecordId, info: &AttachmentInfo) -> Self {
        Self { session: Arc::clone(session), record, blob: info.id }
    }
}

impl Content for SealedContent {
    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        let (pieces, received) = sync_channel(PIECES);
        let (session, record, blob) = (Arc::clone(&self.session), self.record, self.blob);
        let open = move || {
            let mut out = Outlet(pieces);
            if let Err(error) = session.attachment(record, blob, &mut out) {
                drop(out.0.send(Err(io::Error::other(error.to_string()))));
            }
        };
        let thread = thread::Builder::new().name("attachment".to_owned()).spawn(open)?;
        Ok(Box::new(Inlet {
            received: Some(received),
            piece: Vec::new(),
            at: 0,
            thread: Some(thread),
        }))
    }
}

type Piece = io::Result<Vec<u8>>;

/// The end that the vault writes to.
struct Outlet(SyncSender<Piece>);

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(Ok(bytes.to_vec())).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The end that is read.
struct Inlet {
    received: Option<Receiver<Piece>>,
    piece: Vec<u8>,
    at: usize,
    thread: Option<JoinHandle<()>>,
}

impl Read for Inlet {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.piece.len() {
            let Some(received) = &self.received else { return Ok(0) };
            match received.recv() {
                Ok(piece) => (self.piece, self.at) = (piece?, 0),
                Err(_) => return Ok(0),
            }
        }
        let mut rest = self.piece.get(self.at..).unwrap_or_default();
        let count = rest.read(buffer)?;
        self.at = self.at.saturating_add(count);
        Ok(count)
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        // The writer notices, ends, and lets go of its session before the vault may be locked.
        self.received = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_process_that_has_ended_is_not_running_though_nobody_asked_about_it() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = Pid::from_child(&child);
        assert!(is_running(pid));
        child.kill().unwrap();
        // Not waited for: it stays as a zombie.
        let start = Instant::now();
        while is_running(pid) && start.elapsed() < Duration::from_secs(10) {
            thread::sleep(Duration::from_millis(5));
        }
        assert!(test_kill_process(pid).is_ok());
        if cfg!(target_os = "linux") {
            assert!(!is_running(pid));
        }
        child.wait().unwrap();
    }
}
