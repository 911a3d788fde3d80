// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sealed chunks: a row of each, with its bytes or with the place on the shelf where they are.
//!
//! The row is the truth about what is there. Bytes go to a new place first, which stands in a list until a row has it:
//! whatever is cut short leaves a place in that list, and who sweeps takes it away. Source: spec/store.md, rules STO-10
//! and STO-44.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aura_protocol::head::Position;
use aura_protocol::id::{ChunkName, CollectionId, Hash};
use aura_protocol::store::StoreError;
use postgres::Row;

use super::PostgresStore;
use super::feed::{FeedRow, key};
use super::moment::{Moment, Values, bytes, hash, number, stored};
use crate::claim::{Claimed, Named};
use crate::shelf::Place;

/// How often somebody else may be faster with a chunk of the same name.
const PUTS_MAX: usize = 4;
/// How long bytes may be on their way to a place before that is taken for a left-over.
const PUTTING: Duration = Duration::from_hours(1);
/// Names that are asked for at once.
const NAMES_AT_ONCE: usize = 1000;
/// Places that are swept at once.
const SWEPT_AT_ONCE: i64 = 256;

const NAME: StoreError = StoreError::Damaged("a row of the table of chunk names");
const ROW: StoreError = StoreError::Damaged("a row of the table of chunks");
const ROTTEN: StoreError = StoreError::Damaged("a chunk is not what its entry names");

/// A chunk that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    hash: Hash,
    pub(super) size_bytes: u64,
    /// Where its bytes are on the shelf; `None` for in its row.
    place: Option<Place>,
}

impl PostgresStore {
    /// Keeps a chunk. One that is there already and sound is left alone, whoever else claims its name.
    pub(super) fn put_chunk(
        &self,
        name: ChunkName,
        sealed: &[u8],
        claimed: &Claimed,
    ) -> Result<(), StoreError> {
        let hash = Hash::of(&[sealed]);
        let mut own = None;
        let mut done = Err(StoreError::Fork);
        for _ in 0..PUTS_MAX {
            let seen = self.reading(|moment| find(moment, name))?;
            let present = seen.map(|kept| self.bytes_of(name, &kept)).transpose()?.flatten();
            match &present {
                Some(present) if present == sealed => {
                    done = Ok(());
                    break;
                }
                Some(present) if claimed.has(present) => break,
                Some(_) | None => {}
            }
            if own.is_none() {
                own = self.shelve(sealed)?;
            }
            let kept = Kept { hash, size_bytes: sealed.len() as u64, place: own };
            if self.keep(name, (seen, kept), sealed)? {
                return Ok(());
            }
        }
        // Somebody else was faster: what was put for nothing goes.
        own.into_iter().for_each(|place| drop(self.sweep_place(place)));
        done
    }

    /// Puts bytes on the shelf, if there is one, in a place that no row has yet.
    fn shelve(&self, sealed: &[u8]) -> Result<Option<Place>, StoreError> {
        let Some(shelf) = &self.database.shelf else { return Ok(None) };
        let putting = i64::try_from(PUTTING.as_millis()).unwrap_or(i64::MAX);
        let place = self.writing(|moment| {
            let sql = concat!(
                "INSERT INTO places (vault, place, until_ms)
                 VALUES ($1, uuid_send(gen_random_uuid()), $2 + ",
                clock!(),
                ") RETURNING place"
            );
            let rows = moment.query(sql, &[&moment.key(), &putting])?;
            let place = rows.first().and_then(|row| place(row, 0)).ok_or(ROW)?;
            moment.commit().map(|()| place)
        })?;
        shelf.put(self.vault, place, sealed)?;
        Ok(Some(place))
    }

    /// Writes a chunk's row, if what is there is what was seen there. Whether it was.
    fn keep(
        &self,
        name: ChunkName,
        (seen, kept): (Option<Kept>, Kept),
        sealed: &[u8],
    ) -> Result<bool, StoreError> {
        let is_written = self.writing(|moment| {
            if named(&moment, name)?.is_empty() {
                // It was let go of meanwhile.
                return Err(StoreError::Absent);
            }
            if find(&moment, name)? != seen {
                return Ok(false);
            }
            if let Some(place) = kept.place
                && !unlist(&moment, place)?
            {
                return Err(StoreError::Unreachable("the chunk took too long; nothing was kept"));
            }
            if let Some(place) = seen.and_then(|kept| kept.place) {
                list(&moment, place)?;
            }
            write(&moment, name, &kept, kept.place.is_none().then_some(sealed))?;
            moment.commit().map(|()| true)
        })?;
        if is_written && let Some(place) = seen.and_then(|kept| kept.place) {
            // What rotted. It is swept later, if not now.
            self.sweep_place(place).ok();
        }
        Ok(is_written)
    }

    /// A chunk, checked against what names it.
    pub(super) fn read_chunk(
        &self,
        name: ChunkName,
        within: &Claimed,
    ) -> Result<Vec<u8>, StoreError> {
        let kept = self.reading(|moment| find(moment, name))?.ok_or(StoreError::Absent)?;
        let Some(sealed) = self.bytes_of(name, &kept)? else {
            self.lose(name, kept)?;
            return Err(StoreError::Absent);
        };
        if within.has(&sealed) { Ok(sealed) } else { Err(ROTTEN) }
    }

    /// The same for who only looks: what a shelf has lost stays as it is.
    pub(super) fn look_at_chunk(
        &self,
        name: ChunkName,
        within: &Claimed,
    ) -> Result<Vec<u8>, StoreError> {
        let kept = self.reading(|moment| find(moment, name))?.ok_or(StoreError::Absent)?;
        let sealed = self.bytes_of(name, &kept)?.ok_or(StoreError::Absent)?;
        if within.has(&sealed) { Ok(sealed) } else { Err(ROTTEN) }
    }

    /// A shelf lost what the row says is there: from now on it is not, so that a device brings it again. Should it come
    /// back, it is swept.
    fn lose(&self, name: ChunkName, kept: Kept) -> Result<(), StoreError> {
        self.writing(|moment| {
            if find(&moment, name)? == Some(kept) {
                let sql = "DELETE FROM chunks WHERE vault = $1 AND name = $2";
                moment.execute(sql, &[&moment.key(), &&name.0[..]])?;
                kept.place.map(|place| list(&moment, place)).transpose()?;
            }
            moment.commit()
        })
    }

    fn bytes_of(&self, name: ChunkName, kept: &Kept) -> Result<Option<Vec<u8>>, StoreError> {
        match (kept.place, &self.database.shelf) {
            (None, _) => self.reading(|moment| {
                let sql = "SELECT sealed FROM chunks WHERE vault = $1 AND name = $2";
                let rows = moment.query(sql, &[&moment.key(), &&name.0[..]])?;
                Ok(rows.first().and_then(|row| bytes(row, 0)).map(<[u8]>::to_vec))
            }),
            (Some(place), Some(shelf)) => shelf.read(self.vault, place),
            (Some(_), None) => {
                Err(StoreError::Unreachable("the shelf with its chunks is not named"))
            }
        }
    }

    /// Takes away what no row has any more.
    pub(super) fn sweep_place(&self, place: Place) -> Result<(), StoreError> {
        self.database.sweep_place(self.vault, place)
    }
}

/// Places that nobody needs: those whose time is over.
pub(super) const OVERDUE: &str = concat!(
    "SELECT vault, place FROM places WHERE until_ms <= ",
    clock!(),
    " ORDER BY random() LIMIT $1"
);

/// As many as are swept at once.
pub(super) const fn swept_at_once() -> i64 {
    SWEPT_AT_ONCE
}

/// A column with a place, if it is one.
pub(super) fn place(row: &Row, at: usize) -> Option<Place> {
    bytes(row, at)?.try_into().ok().map(Place)
}

/// The row of a chunk.
pub(super) fn find(moment: &Moment<'_>, name: ChunkName) -> Result<Option<Kept>, StoreError> {
    let sql = "SELECT hash, size_bytes, place FROM chunks WHERE vault = $1 AND name = $2";
    let rows = moment.query(sql, &[&moment.key(), &&name.0[..]])?;
    let kept = |row: &Row| {
        Some(Kept { hash: hash(row, 0)?, size_bytes: number(row, 1)?, place: place(row, 2) })
    };
    rows.first().map(|row| kept(row).ok_or(ROW)).transpose()
}

/// Writes a chunk's row.
fn write(
    moment: &Moment<'_>,
    name: ChunkName,
    kept: &Kept,
    sealed: Option<&[u8]>,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO chunks (vault, name, hash, size_bytes, place, sealed)
               VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (vault, name) DO UPDATE SET hash = excluded.hash,
                   size_bytes = excluded.size_bytes, place = excluded.place,
                   sealed = excluded.sealed";
    let (size, place) = (stored(kept.size_bytes)?, kept.place.map(|place| place.0));
    let place = place.as_ref().map(|place| &place[..]);
    let values: Values<'_> =
        &[&moment.key(), &&name.0[..], &&kept.hash.0[..], &size, &place, &sealed];
    moment.execute(sql, values)
}

/// Puts a place into the list of those that no row has.
fn list(moment: &Moment<'_>, place: Place) -> Result<(), StoreError> {
    let sql = "INSERT INTO places (vault, place, until_ms) VALUES ($1, $2, 0)
               ON CONFLICT DO NOTHING";
    moment.execute(sql, &[&moment.key(), &&place.0[..]])
}

/// Takes a place from that list. Whether it was there, and nobody was about to sweep it.
pub(super) fn unlist(moment: &Moment<'_>, place: Place) -> Result<bool, StoreError> {
    let sql = "DELETE FROM places WHERE vault = $1 AND place = $2 AND until_ms > 0
               RETURNING until_ms";
    Ok(!moment.query(sql, &[&moment.key(), &&place.0[..]])?.is_empty())
}

/// Lets go of chunks' rows. What they had on the shelf is in the list then.
pub(super) fn let_go(
    moment: &Moment<'_>,
    names: &BTreeSet<ChunkName>,
) -> Result<Vec<Place>, StoreError> {
    let names: Vec<&[u8]> = names.iter().map(|name| &name.0[..]).collect();
    let mut places = Vec::new();
    for names in names.chunks(NAMES_AT_ONCE) {
        let sql = "DELETE FROM chunks WHERE vault = $1 AND name = ANY($2) RETURNING place";
        let rows = moment.query(sql, &[&moment.key(), &names])?;
        places.extend(rows.iter().filter_map(|row| place(row, 0)));
    }
    places.iter().try_for_each(|place| list(moment, *place))?;
    Ok(places)
}

/// The chunks that entries of these feeds up to these numbers name, and no other entry does.
pub(super) fn named_only_by(
    moment: &Moment<'_>,
    doomed: &[(FeedRow, Position)],
) -> Result<BTreeSet<ChunkName>, StoreError> {
    let mut names = BTreeSet::new();
    let upto: BTreeMap<_, _> = doomed.iter().map(|(row, at)| (key(&row.feed), at.number)).collect();
    for (row, at) in doomed {
        let [device, incarnation, collection] = key(&row.feed);
        let sql = "SELECT DISTINCT name FROM names WHERE vault = $1 AND device = $2
                   AND incarnation = $3 AND collection = $4 AND number <= $5";
        let last = stored(at.number)?;
        let values: Values<'_> = &[&moment.key(), &device, &incarnation, &collection, &last];
        for row in moment.query(sql, values)? {
            names.insert(bytes(&row, 0).and_then(ChunkName::from_slice).ok_or(NAME)?);
        }
    }
    let all: Vec<ChunkName> = names.iter().copied().collect();
    for asked in all.chunks(NAMES_AT_ONCE) {
        let asked: Vec<&[u8]> = asked.iter().map(|name| &name.0[..]).collect();
        let sql = "SELECT name, device, incarnation, collection, number FROM names
                   WHERE vault = $1 AND name = ANY($2)";
        for row in moment.query(sql, &[&moment.key(), &asked])? {
            let name = bytes(&row, 0).and_then(ChunkName::from_slice).ok_or(NAME)?;
            let part = |at| bytes(&row, at).ok_or(NAME);
            let feed = [part(1)?, part(2)?, part(3)?];
            let number = number(&row, 4).ok_or(NAME)?;
            if upto.get(&feed).is_none_or(|upto| number > *upto) {
                names.remove(&name);
            }
        }
    }
    Ok(names)
}

/// Under which collections, hashes and sizes shown entries name a chunk.
pub(super) fn named(moment: &Moment<'_>, name: ChunkName) -> Result<Vec<Named>, StoreError> {
    let sql = "SELECT DISTINCT n.collection, n.hash, n.size_bytes FROM names AS n
               JOIN feeds AS f ON f.vault = n.vault AND f.device = n.device
                   AND f.incarnation = n.incarnation AND f.collection = n.collection
               WHERE n.vault = $1 AND n.name = $2 AND n.number <= f.kept";
    let name = &name.0[..];
    let read = |row: &Row| {
        let collection = CollectionId::from_slice(bytes(row, 0)?)?;
        Some(Named { collection, hash: hash(row, 1)?, size_bytes: number(row, 2)? })
    };
    let rows = moment.query(sql, &[&moment.key(), &name])?;
    rows.iter().map(read).collect::<Option<_>>().ok_or(NAME)
}
