// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where the tiles of a log are: 256 hashes of one level, or the entries under them.
//!
//! Source: C2SP tlog-tiles; spec/access-log.md, rules ACL-4 and ACL-5.

use core::fmt;

/// Hashes of a whole tile.
pub const TILE_WIDTH: u64 = 256;
/// Levels of a tree that a tile spans.
pub const TILE_HEIGHT: u32 = 8;
/// The highest level of tiles that a log of 2^64 leaves could have.
pub const TILE_LEVEL_MAX: u32 = 7;

/// What a tile has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TileKind {
    /// Hashes of subtrees of 256^level leaves.
    Hashes(u32),
    /// Entries.
    Entries,
}

/// A tile's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TilePath {
    /// What it has.
    pub kind: TileKind,
    /// Which of them, from the left, from 0.
    pub number: u64,
    /// How many hashes or entries: 256 in a whole one.
    pub width: u64,
}

impl TilePath {
    /// The path below the log's own: `tile/0/x001/234` or `tile/entries/007.p/12`. One tile has one path.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, number) = text.strip_prefix("tile/")?.split_once('/')?;
        let kind = match kind {
            "entries" => TileKind::Entries,
            level => TileKind::Hashes(level.parse().ok().filter(|level| *level <= TILE_LEVEL_MAX)?),
        };
        let (number, width) = match number.split_once(".p/") {
            Some((number, width)) => (number, width.parse().ok()?),
            None => (number, TILE_WIDTH),
        };
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        let path = Self { kind, number: digits.parse().ok()?, width };
        let is_within = (1..=TILE_WIDTH).contains(&width);
        (is_within && path.to_string() == text).then_some(path)
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes(level) => write!(f, "tile/{level}/")?,
            TileKind::Entries => f.write_str("tile/entries/")?,
        }
        let digits = self.number.to_string();
        let length = digits.len().next_multiple_of(3);
        let padded = format!("{digits:0>length$}");
        let last = length / 3;
        for (at, digit) in padded.chars().enumerate() {
            if at.is_multiple_of(3) {
                f.write_str(match (at, at / 3 + 1 == last) {
                    (0, true) => "",
                    (0, false) => "x",
                    (_, true) => "/",
                    (_, false) => "/x",
                })?;
            }
            write!(f, "{digit}")?;
        }
        if self.width < TILE_WIDTH { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ACL-4: the paths of C2SP's text, and nothing that only looks like one.
    #[test]
    fn acl_4_a_tile_has_one_path() {
        let tile = |kind, number, width| TilePath { kind, number, width };
        for (text, path) in [
            ("tile/0/000", tile(TileKind::Hashes(0), 0, 256)),
            ("tile/3/x001/x234/067", tile(TileKind::Hashes(3), 1_234_067, 256)),
            ("tile/0/x001/234.p/7", tile(TileKind::Hashes(0), 1_234, 7)),
            ("tile/entries/099.p/255", tile(TileKind::Entries, 99, 255)),
        ] {
            assert_eq!(TilePath::parse(text), Some(path), "{text}");
            assert_eq!(path.to_string(), text);
        }
        for wrong in [
            "",
            "tile",
            "tile/0",
            "tile/0/",
            "tile/0/0",
            "tile/0/0000",
            "tile/8/000",
            "tile/00/000",
            "tile/0/x000/001",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/07",
            "tile/-1/000",
            "tile/0/000/001",
            "tile/entries/..",
            "checkpoint",
            "tile/0/000.p/",
            "tile/0/x99",
            "tile/0/x999/x999/x999/x999/x999/x999/999",
            "tile/0/000.p/1.p/1",
        ] {
            assert_eq!(TilePath::parse(wrong), None, "{wrong}");
        }
        let far = tile(TileKind::Entries, u64::MAX, 1);
        assert_eq!(TilePath::parse(&far.to_string()), Some(far));
    }
}
