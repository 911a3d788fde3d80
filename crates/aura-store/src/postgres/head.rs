// SPDX-License-Identifier: MIT OR Apache-2.0
//! Heads as rows: the newest of each incarnation, and those that others name. Source: spec/store.md, rule STO-9.

use std::collections::BTreeSet;

use aura_protocol::head::{Head, Position};
use aura_protocol::id::{DeviceId, Incarnation};
use aura_protocol::signed::{Signature, Signed};
use aura_protocol::store::{StoreError, StoredHead};
use postgres::Row;

use super::feed::sums;
use super::moment::{Moment, bytes, hash, number, stored};
use crate::rows::{Life, Sums};

/// Where the newest head of an incarnation stands.
pub(super) fn newest(
    moment: &Moment<'_>,
    (device, incarnation): Life,
) -> Result<Option<Position>, StoreError> {
    let sql = "SELECT number, hash FROM heads WHERE vault = $1 AND device = $2 AND incarnation = $3
               ORDER BY number DESC LIMIT 1";
    let (device, incarnation) = (&device.0[..], &incarnation.0[..]);
    let rows = moment.query(sql, &[&moment.key(), &device, &incarnation])?;
    let damaged = StoreError::Damaged("a row of the table of heads");
    rows.first().map(|row| position(row, 0).ok_or(damaged)).transpose()
}

fn position(row: &Row, at: usize) -> Option<Position> {
    Some(Position { number: number(row, at)?, hash: hash(row, at.saturating_add(1))? })
}

fn life(row: &Row) -> Option<Life> {
    let device = DeviceId::from_slice(bytes(row, 0)?)?;
    Some((device, Incarnation::from_slice(bytes(row, 1)?)?))
}

/// Where the newest head of every incarnation stands, ascending.
pub(super) fn all_newest(
    moment: &Moment<'_>,
) -> Result<Vec<(DeviceId, Incarnation, Position)>, StoreError> {
    let sql = "SELECT DISTINCT ON (device, incarnation) device, incarnation, number, hash
               FROM heads WHERE vault = $1 ORDER BY device, incarnation, number DESC";
    let place = |row: &Row| {
        let ((device, incarnation), at) = life(row).zip(position(row, 2))?;
        Some((device, incarnation, at))
    };
    Ok(moment.query(sql, &[&moment.key()])?.iter().filter_map(place).collect())
}

/// Whether there is a head in this place.
pub(super) fn is_there(
    moment: &Moment<'_>,
    (device, incarnation): Life,
    at: Position,
) -> Result<bool, StoreError> {
    let Ok(number) = i64::try_from(at.number) else { return Ok(false) };
    let sql = "SELECT number FROM heads WHERE vault = $1 AND device = $2 AND incarnation = $3
               AND number = $4 AND hash = $5";
    let (device, incarnation, hash) = (&device.0[..], &incarnation.0[..], &at.hash.0[..]);
    let rows = moment.query(sql, &[&moment.key(), &device, &incarnation, &number, &hash])?;
    Ok(!rows.is_empty())
}

/// One head by its place, if it is there and sound.
pub(super) fn at(
    moment: &Moment<'_>,
    (device, incarnation): Life,
    at: Position,
) -> Result<Option<StoredHead>, StoreError> {
    let Ok(number) = i64::try_from(at.number) else { return Ok(None) };
    let sql = "SELECT number, hash, payload, signature FROM heads
               WHERE vault = $1 AND device = $2 AND incarnation = $3 AND number = $4";
    let keys = (&device.0[..], &incarnation.0[..]);
    let rows = moment.query(sql, &[&moment.key(), &keys.0, &keys.1, &number])?;
    let sound = |row: &Row| {
        let position = position(row, 0)?;
        let signature = Signature(bytes(row, 3)?.try_into().ok()?);
        let head = Signed::<Head>::new(bytes(row, 2)?.to_vec(), signature);
        (position == at && head.hash() == at.hash).then_some(StoredHead {
            device,
            incarnation,
            position,
            head,
        })
    };
    Ok(rows.first().and_then(sound))
}

/// Keeps a head beside a newer one.
pub(super) fn keep(
    moment: &Moment<'_>,
    head: &Head,
    signed: &Signed<Head>,
) -> Result<(), StoreError> {
    let number = stored(head.number)?;
    let sql = "INSERT INTO heads (vault, device, incarnation, number, hash, payload, signature)
               VALUES ($1, $2, $3, $4, $5, $6, $7)
               ON CONFLICT (vault, device, incarnation, number)
               DO UPDATE SET hash = excluded.hash, payload = excluded.payload,
                   signature = excluded.signature";
    let (device, incarnation) = (&head.device.0[..], &head.incarnation.0[..]);
    let hash = signed.hash();
    let (hash, payload, signature) = (&hash.0[..], signed.payload(), &signed.signature().0[..]);
    moment
        .execute(sql, &[&moment.key(), &device, &incarnation, &number, &hash, &payload, &signature])
}

/// Shows a head, replacing the one before it.
pub(super) fn show(
    moment: &Moment<'_>,
    head: &Head,
    signed: &Signed<Head>,
) -> Result<(), StoreError> {
    keep(moment, head, signed)?;
    pin(moment, head)?;
    let sql = "DELETE FROM heads AS h WHERE vault = $1 AND device = $2 AND incarnation = $3
               AND number < $4 AND NOT EXISTS (SELECT 1 FROM pins AS p WHERE p.vault = h.vault
                   AND p.device = h.device AND p.incarnation = h.incarnation AND p.number = h.number)";
    let (device, incarnation) = (&head.device.0[..], &head.incarnation.0[..]);
    moment.execute(sql, &[&moment.key(), &device, &incarnation, &stored(head.number)?])
}

/// Notes which heads this one names; mostly the same as its predecessor, then nothing is written.
fn pin(moment: &Moment<'_>, head: &Head) -> Result<(), StoreError> {
    let (device, incarnation) = (&head.device.0[..], &head.incarnation.0[..]);
    let mut wanted: BTreeSet<(&[u8], &[u8], i64)> = BTreeSet::new();
    for seen in &head.seen {
        for at in [seen.held, seen.applied] {
            wanted.insert((&seen.device.0, &seen.incarnation.0, stored(at.number)?));
        }
    }
    let sql = "SELECT device, incarnation, number FROM pins
               WHERE vault = $1 AND by_device = $2 AND by_incarnation = $3";
    let rows = moment.query(sql, &[&moment.key(), &device, &incarnation])?;
    let present = rows
        .iter()
        .map(|row| Some((bytes(row, 0)?, bytes(row, 1)?, row.try_get::<_, i64>(2).ok()?)));
    if present.collect::<Option<BTreeSet<_>>>().is_some_and(|present| present == wanted) {
        return Ok(());
    }
    let sql = "DELETE FROM pins WHERE vault = $1 AND by_device = $2 AND by_incarnation = $3";
    moment.execute(sql, &[&moment.key(), &device, &incarnation])?;
    let devices: Vec<&[u8]> = wanted.iter().map(|pin| pin.0).collect();
    let lives: Vec<&[u8]> = wanted.iter().map(|pin| pin.1).collect();
    let numbers: Vec<i64> = wanted.iter().map(|pin| pin.2).collect();
    let sql = "INSERT INTO pins
               (vault, by_device, by_incarnation, device, incarnation, number)
               SELECT $1::bytea, $2::bytea, $3::bytea, pin.* FROM
               unnest($4::bytea[], $5::bytea[], $6::bigint[]) AS pin";
    moment.execute(sql, &[&moment.key(), &device, &incarnation, &devices, &lives, &numbers])
}

/// Hands over every head that is sound, ascending.
pub(super) fn each(
    moment: &Moment<'_>,
    take: &mut dyn FnMut(StoredHead) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let sql = "SELECT device, incarnation, number, hash FROM heads WHERE vault = $1
               ORDER BY device, incarnation, number";
    for row in moment.query(sql, &[&moment.key()])? {
        let place = life(&row).zip(position(&row, 2));
        let Some((life, place)) = place else { continue };
        if let Some(stored) = at(moment, life, place)? {
            take(stored)?;
        }
    }
    Ok(())
}

/// Keeps a head that another store has kept, and notes what it names: the newest of an incarnation comes last.
pub(super) fn keep_pinned(moment: &Moment<'_>, stored: &StoredHead) -> Result<(), StoreError> {
    let head = stored.head.claim().map_err(|_| StoreError::Damaged("a head"))?;
    keep(moment, &head, &stored.head)?;
    pin(moment, &head)
}

/// How many other incarnations there are; of the device also those that are only staged.
pub(super) fn others(moment: &Moment<'_>, (device, incarnation): Life) -> Result<Sums, StoreError> {
    let sql = "SELECT
        (SELECT count(*) FROM (
            SELECT incarnation FROM heads WHERE vault = $1 AND device = $2 AND incarnation <> $3
            UNION
            SELECT incarnation FROM feeds WHERE vault = $1 AND device = $2 AND incarnation <> $3
        ) AS own),
        (SELECT count(*) FROM (
            SELECT DISTINCT device, incarnation FROM heads
            WHERE vault = $1 AND (device <> $2 OR incarnation <> $3)
        ) AS every)";
    let (device, incarnation) = (&device.0[..], &incarnation.0[..]);
    let rows = moment.query(sql, &[&moment.key(), &device, &incarnation])?;
    let count = |at| rows.first().and_then(|row| number(row, at)).unwrap_or(u64::MAX);
    Ok(Sums { of_device: count(0), of_all: count(1) })
}

/// The largest head that is kept of an incarnation, in bytes.
pub(super) fn largest(moment: &Moment<'_>, (device, incarnation): Life) -> Result<u64, StoreError> {
    let sql = "SELECT coalesce(max(octet_length(payload)), 0)::bigint FROM heads
               WHERE vault = $1 AND device = $2 AND incarnation = $3";
    let (device, incarnation) = (&device.0[..], &incarnation.0[..]);
    let rows = moment.query(sql, &[&moment.key(), &device, &incarnation])?;
    Ok(rows.first().and_then(|row| number(row, 0)).unwrap_or(0))
}

/// The bytes of the largest heads of all other incarnations.
pub(super) fn bytes_of_others(
    moment: &Moment<'_>,
    (device, incarnation): Life,
) -> Result<Sums, StoreError> {
    let sql = "SELECT device = $2, max(octet_length(payload))::bigint FROM heads
               WHERE vault = $1 AND (device <> $2 OR incarnation <> $3)
               GROUP BY device, incarnation";
    let (device, incarnation) = (&device.0[..], &incarnation.0[..]);
    Ok(sums(&moment.query(sql, &[&moment.key(), &device, &incarnation])?))
}
