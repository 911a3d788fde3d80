// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every path of every store that lives in files, in one place.
//!
//! Names are made of ids in lower-case hexadecimal and of nothing that a person chose.
//! Source: spec/store.md, rules STO-20, STO-21 and STO-22; spec/folder.md, rules FLD-1 to FLD-4.

use std::path::{Path, PathBuf};

use aura_protocol::head::Position;
use aura_protocol::id::{ChunkName, DeviceId, FeedId, Hash, Incarnation, PairingBox, VaultId};
use aura_protocol::pairing::Step;

/// Where the local store keeps what.
#[derive(Debug, Clone)]
pub(crate) struct LocalLayout {
    root: PathBuf,
}

impl LocalLayout {
    pub(crate) const DATABASE: &'static str = "store.db";

    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Entries and heads.
    pub(crate) fn database(&self) -> PathBuf {
        self.root.join(Self::DATABASE)
    }

    /// What was committed and not copied into the database yet.
    pub(crate) fn database_log(&self) -> PathBuf {
        self.root.join(format!("{}-wal", Self::DATABASE))
    }

    /// Held as long as the store is open.
    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("store.lock")
    }

    /// Room that a full disk gives back.
    pub(crate) fn reserve(&self) -> PathBuf {
        self.root.join("store.reserve")
    }

    pub(crate) fn chunks(&self) -> ChunkLayout {
        ChunkLayout { root: self.root.join("chunks") }
    }
}

/// Where chunks are: `xx/NAME`, where `xx` are the name's first two digits; and `new/` for those
/// that are being written.
#[derive(Debug, Clone)]
pub(crate) struct ChunkLayout {
    root: PathBuf,
}

impl ChunkLayout {
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn new_files(&self) -> PathBuf {
        self.root.join("new")
    }

    pub(crate) fn shelf(&self, name: ChunkName) -> PathBuf {
        let hex = name.to_string();
        self.root.join(hex.get(..2).unwrap_or_default())
    }

    pub(crate) fn chunk(&self, name: ChunkName) -> PathBuf {
        self.shelf(name).join(name.to_string())
    }
}

/// Where a folder keeps one vault.
#[derive(Debug, Clone)]
pub(crate) struct FolderLayout {
    root: PathBuf,
}

impl FolderLayout {
    /// Paths relative to the folder.
    pub(crate) fn inside(vault: VaultId) -> Self {
        Self { root: PathBuf::from(vault.to_string()) }
    }

    /// `heads/DEVICE/INCARNATION/NUMBER-HASH`.
    pub(crate) fn heads(&self) -> PathBuf {
        self.root.join("heads")
    }

    pub(crate) fn heads_of(&self, device: DeviceId, incarnation: Incarnation) -> PathBuf {
        self.heads().join(device.to_string()).join(incarnation.to_string())
    }

    pub(crate) fn head_name(position: &Position) -> String {
        format!("{:016x}-{}", position.number, position.hash)
    }

    /// The place that a head's file name claims; `None` if it is no such name.
    pub(crate) fn parse_head(name: &str) -> Option<Position> {
        let (number, hash) = name.split_once('-')?;
        let position = Position { number: number_of(number)?, hash: Hash::parse(hash)? };
        (Self::head_name(&position) == name).then_some(position)
    }

    /// `entries/DEVICE/INCARNATION/COLLECTION/FIRST-LAST-HASH`.
    pub(crate) fn runs(&self, feed: &FeedId) -> PathBuf {
        let device = self.entries().join(feed.device.to_string());
        device.join(feed.incarnation.to_string()).join(feed.collection.to_string())
    }

    /// The name of the file with entries `first` to `last`, of which the last has this hash.
    pub(crate) fn run_name(first: u64, last: &Position) -> String {
        let hash = last.hash.to_string();
        format!("{first:016x}-{:016x}-{}", last.number, hash.get(..32).unwrap_or_default())
    }

    /// First and last number that a run's file name claims; `None` if it is no such name.
    pub(crate) fn parse_run(name: &str) -> Option<(u64, u64)> {
        let mut parts = name.split('-');
        let (first, last, hash) = (parts.next()?, parts.next()?, parts.next()?);
        let is_hash = hash.len() == 32 && hash.bytes().all(is_lower_hex);
        let (first, last) = (number_of(first)?, number_of(last)?);
        (parts.next().is_none() && is_hash && 1 <= first && first <= last).then_some((first, last))
    }

    /// Feeds: `DEVICE/INCARNATION/COLLECTION` below it.
    pub(crate) fn entries(&self) -> PathBuf {
        self.root.join("entries")
    }

    /// The name of the file, beside a feed's runs, that says up to where they were let go of.
    pub(crate) fn floor_name(floor: &Position) -> String {
        format!("gone-{}", Self::head_name(floor))
    }

    /// The position that such a file's name claims; `None` if it is no such name.
    pub(crate) fn parse_floor(name: &str) -> Option<Position> {
        Self::parse_head(name.strip_prefix("gone-")?).filter(|floor| floor.number > 0)
    }

    pub(crate) fn chunks(&self) -> ChunkLayout {
        ChunkLayout { root: self.root.join("chunks") }
    }

    /// `pair/UNTIL-BOX-STEP`: messages of devices that pair.
    pub(crate) fn boxes(&self) -> PathBuf {
        self.root.join("pair")
    }

    /// Files that are being written; synchronising tools can be told to leave it out.
    pub(crate) fn new_files(&self) -> PathBuf {
        self.root.join("new")
    }
}

/// A message in a box, as its file's name says it (PAI-13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BoxFile {
    /// When the code ends, in milliseconds since 1970.
    pub(crate) until_ms: u64,
    pub(crate) place: PairingBox,
    pub(crate) step: Step,
}

impl BoxFile {
    pub(crate) fn name(&self) -> String {
        format!("{:016x}-{}-{}", self.until_ms, self.place, self.step.code())
    }

    /// What a file's name says; `None` if it is no such name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('-');
        let (until, place, step) = (parts.next()?, parts.next()?, parts.next()?);
        let step = Step::from_code(step.parse().ok()?)?;
        let file = Self { until_ms: number_of(until)?, place: PairingBox::parse(place)?, step };
        (file.name() == name).then_some(file)
    }
}

fn number_of(hex: &str) -> Option<u64> {
    let is_whole = hex.len() == 16 && hex.bytes().all(is_lower_hex);
    if is_whole { u64::from_str_radix(hex, 16).ok() } else { None }
}

fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FLD-2: a name has one form, and other names are none of ours.
    #[test]
    fn names_come_back_and_others_are_passed_over() {
        let last = Position { number: 0x1f, hash: Hash([0xab; 32]) };
        let (head, run) = (FolderLayout::head_name(&last), FolderLayout::run_name(3, &last));
        let floor = FolderLayout::floor_name(&last);
        assert_eq!(FolderLayout::parse_head(&head), Some(last));
        assert_eq!(FolderLayout::parse_floor(&floor), Some(last));
        assert_eq!(
            (FolderLayout::parse_head(&floor), FolderLayout::parse_run(&floor)),
            (None, None)
        );
        assert_eq!(FolderLayout::parse_floor(&FolderLayout::floor_name(&Position::NONE)), None);
        assert_eq!(FolderLayout::parse_run(&run), Some((3, 0x1f)));
        for end in
            [".tmp", " (conflicted copy)", ".sync-conflict-20260101-000000-ABCDEFG", "0", "-"]
        {
            assert_eq!(FolderLayout::parse_head(&format!("{head}{end}")), None, "{end}");
            assert_eq!(FolderLayout::parse_run(&format!("{run}{end}")), None, "{end}");
            assert_eq!(FolderLayout::parse_floor(&format!("{floor}{end}")), None, "{end}");
        }
        for name in
            ["", "-", "--", &head.to_uppercase(), &run.to_uppercase(), &head[1..], &run[1..]]
        {
            assert_eq!(FolderLayout::parse_head(name), None, "{name}");
            assert_eq!(FolderLayout::parse_run(name), None, "{name}");
        }
        let file = BoxFile { until_ms: 7, place: PairingBox([0xab; 16]), step: Step::Grant };
        assert_eq!(BoxFile::parse(&file.name()), Some(file));
        for other in [".tmp", "0", "-1"] {
            assert_eq!(BoxFile::parse(&format!("{}{other}", file.name())), None, "{other}");
        }
        assert_eq!(BoxFile::parse(&file.name().to_uppercase()), None);
        assert_eq!(BoxFile::parse(&file.name().replace("-3", "-+3")), None);
        assert_eq!(FolderLayout::parse_run(&FolderLayout::run_name(0x20, &last)), None);
        assert_eq!(FolderLayout::parse_run(&FolderLayout::run_name(0, &last)), None);
    }
}
