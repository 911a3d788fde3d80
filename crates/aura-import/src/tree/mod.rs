// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the person gave, as a flat list of files: a folder, a zip, a tar or tgz, or one file.
//!
//! It is read only and never unpacked to disk, so that nothing of it stays behind in the clear. Names
//! that could lead out of the tree, links, and archives that expand without measure are refused, each
//! with a reason; what is refused costs only itself. Paths are relative, separated by `/`, sorted.

mod bound;
mod folder;
mod joined;
mod name;
mod single;
mod tarred;
mod zipped;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use crate::draft::Content;

/// Most files that a tree may have; what comes after them is refused.
pub const ENTRIES_MAX: usize = 2_000_000;

/// Deepest path that is read, in components.
pub const DEPTH_MAX: usize = 64;

/// Longest path that is read, in bytes.
pub const PATH_BYTES_MAX: usize = 4096;

/// Most bytes that one compressed file may expand to.
pub const ENTRY_BYTES_MAX: u64 = 1 << 40;

/// How many times its size an archive may expand to; small files may always expand to
/// [`EXPANSION_FREE_BYTES`].
pub const EXPANSION_MAX: u64 = 200;

/// Bytes that may come out of an archive, and out of each of its files, whatever the ratio.
pub const EXPANSION_FREE_BYTES: u64 = 64 << 20;

/// Most refusals that are kept with their names; the rest are counted in one last refusal.
const REFUSALS_MAX: usize = 10_000;

/// One file of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Relative, separated by `/`, without `.` and `..`, letters as they were.
    pub path: String,
    /// Bytes when expanded, as the tree says.
    pub size: u64,
    /// When it was last changed, in milliseconds since 1970 (UTC). A zip may hold a time without a
    /// zone, which is taken as UTC, because every import must see the same.
    pub modified_ms: Option<i64>,
}

/// Whether a refusal loses something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// It is passed over on purpose; it held nothing of its own.
    Skipped,
    /// It holds something that could not be read.
    Failed,
}

/// Something that the tree does not show, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its name as it was given, with control characters replaced.
    pub place: String,
    /// Why, for the person.
    pub reason: String,
    /// Whether something may be lost by it.
    pub weight: Weight,
}

/// A read-only view of what the person gave.
pub trait Tree: Send + Sync {
    /// The file's or folder's own name, for messages.
    fn label(&self) -> &str;

    /// Its files, sorted by path.
    fn entries(&self) -> &[Entry];

    /// Starts reading a file from its first byte. It gives an error, and not more bytes, when the
    /// file turns out longer than its entry says.
    ///
    /// # Errors
    /// When there is no such path or it can't be read.
    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>>;

    /// What is not shown.
    fn refused(&self) -> &[Refusal];

    /// The name of the folder that was given, or that holds the file that was given: two folders may
    /// have a file of the same path, which is not the same file. Archives have names that change with
    /// each export, and folders of their own inside; theirs is empty.
    #[expect(clippy::unnecessary_literal_bound, reason = "implementations borrow from themselves")]
    fn folder_name(&self) -> &str {
        ""
    }
}

/// Why a tree can't be opened at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// There is nothing at that path.
    #[error("there is no file or folder in this place")]
    Absent,
    /// It may not or cannot be read.
    #[error("expected a readable folder or file")]
    Unreadable(#[source] io::Error),
    /// It starts like an archive but isn't one that can be read.
    #[error("expected a whole archive: this one is damaged, cut off or of an unknown kind")]
    Damaged,
    /// It is neither a folder nor an ordinary file.
    #[error("expected a folder or an ordinary file")]
    Special,
}

impl From<io::Error> for TreeError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Absent,
            _ => Self::Unreadable(error),
        }
    }
}

/// Opens a folder, zip, tar, tgz or single file; which of them it is, its first bytes say.
///
/// # Errors
/// When nothing of it can be read. What can't be read in part is in [`Tree::refused`].
pub fn open(path: &Path) -> Result<Arc<dyn Tree>, TreeError> {
    let about = fs::metadata(path)?;
    let label = path
        .file_name()
        .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    if about.is_dir() {
        let label = folder_name(path).unwrap_or(label);
        return Ok(Arc::new(folder::FolderTree::open(path, label)));
    }
    if !about.is_file() {
        return Err(TreeError::Special);
    }
    let mut first = Vec::with_capacity(512);
    File::open(path)?.take(512).read_to_end(&mut first)?;
    if first.starts_with(b"PK\x03\x04") || first.starts_with(b"PK\x05\x06") {
        return Ok(Arc::new(zipped::ZipTree::open(path, label)?));
    }
    if tarred::is_header(&first) {
        return Ok(Arc::new(tarred::TarTree::open(path, label, tarred::Packing::Plain)?));
    }
    if first.starts_with(b"\x1F\x8B") && tarred::is_gzipped_tar(path) {
        return Ok(Arc::new(tarred::TarTree::open(path, label, tarred::Packing::Gzip)?));
    }
    let folder = fs::canonicalize(path).ok().and_then(|path| folder_name(path.parent()?));
    Ok(Arc::new(single::SingleTree::new(path, (label, folder.unwrap_or_default()), &about)))
}

/// Trees as one: the parts of one export.
pub(crate) fn join(label: String, trees: Vec<Arc<dyn Tree>>) -> Arc<dyn Tree> {
    Arc::new(joined::JoinedTree::all(label, trees))
}

/// A tree without some of its files.
pub(crate) fn without(tree: Arc<dyn Tree>, is_out: &dyn Fn(&str) -> bool) -> Arc<dyn Tree> {
    Arc::new(joined::JoinedTree::without(tree, is_out))
}

/// A folder's own name, also where it was given as `.` or `..`.
fn folder_name(path: &Path) -> Option<String> {
    let whole = fs::canonicalize(path).ok()?;
    Some(whole.file_name()?.to_string_lossy().into_owned())
}

/// A file of a tree as the content of an attachment.
#[derive(Clone)]
pub struct TreeContent {
    /// The tree that holds it.
    pub tree: Arc<dyn Tree>,
    /// Its path in the tree.
    pub path: String,
}

impl Content for TreeContent {
    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        let opened: Box<dyn Read + '_> = self.tree.open(&self.path)?;
        Ok(opened)
    }
}

/// What identifies a file of a tree across imports.
pub(crate) fn source_id(tree: &dyn Tree, path: &str) -> String {
    match tree.folder_name() {
        "" => path.to_owned(),
        folder => format!("{folder}/{path}"),
    }
}

/// A tree's entry of that path.
pub(crate) fn entry<'t>(tree: &'t dyn Tree, path: &str) -> Option<&'t Entry> {
    let entries = tree.entries();
    position(entries, path).ok().and_then(|at| entries.get(at))
}

/// Where the path is in a sorted list of entries.
fn position(entries: &[Entry], path: &str) -> io::Result<usize> {
    entries
        .binary_search_by(|entry| entry.path.as_str().cmp(path))
        .map_err(|_| io::Error::new(io::ErrorKind::NotFound, "no such file in the tree"))
}

/// The refusals of a tree while it is being listed.
#[derive(Debug, Default)]
struct Refusals {
    kept: Vec<Refusal>,
    more: u64,
}

impl Refusals {
    fn add(&mut self, weight: Weight, place: &str, reason: &str) {
        if self.kept.len() >= REFUSALS_MAX {
            self.more = self.more.saturating_add(1);
            return;
        }
        let place = place
            .chars()
            .take(PATH_BYTES_MAX)
            .map(|letter| if letter.is_control() { '\u{FFFD}' } else { letter })
            .collect();
        self.kept.push(Refusal { place, reason: reason.to_owned(), weight });
    }

    fn finish(mut self, label: &str) -> Vec<Refusal> {
        if self.more > 0 {
            let reason = format!("{} more of its files were refused", self.more);
            self.kept.push(Refusal { place: label.to_owned(), reason, weight: Weight::Failed });
        }
        self.kept
    }
}

/// The reason for stopping at [`ENTRIES_MAX`].
const TOO_MANY: &str = "it holds more files than this program reads in one import; the rest of it \
                        was not read. Import it in parts";

/// The reason for refusing what expands beyond [`EXPANSION_MAX`].
const BOMB: &str = "it would expand to hundreds of times its size, which only archives made to do \
                    harm do; it was not read";
