// SPDX-License-Identifier: MIT OR Apache-2.0
//! Heads as rows: the newest of each incarnation, and those that others name.
//!
//! A head of the store's own device is made with every write, so old ones go at once; one that the
//! newest head of any device names as seen stays, as evidence. Source: spec/store.md, rule STO-9.

use std::collections::BTreeSet;

use aura_protocol::head::{Head, Position};
use aura_protocol::id::{DeviceId, Hash, Incarnation};
use aura_protocol::signed::{Signature, Signed};
use aura_protocol::store::{StoreError, StoredHead};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::fault::failed;
use super::feed::stored;
use crate::rows::Sums;

/// Where the newest head of an incarnation stands.
pub(super) fn newest(
    connection: &Connection,
    device: DeviceId,
    incarnation: Incarnation,
) -> Result<Option<Position>, StoreError> {
    let sql = "SELECT number, hash FROM heads WHERE device = ?1 AND incarnation = ?2
               ORDER BY number DESC LIMIT 1";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let keys = (&device.0[..], &incarnation.0[..]);
    let found: Option<(i64, Vec<u8>)> = statement
        .query_row(keys, |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
        .map_err(failed)?;
    found.map(|(number, hash)| position(number, &hash)).transpose()
}

fn position(number: i64, hash: &[u8]) -> Result<Position, StoreError> {
    const ROW: StoreError = StoreError::Damaged("a row of the table of heads");
    let number = u64::try_from(number).map_err(|_| ROW)?;
    Ok(Position { number, hash: Hash::from_slice(hash).ok_or(ROW)? })
}

/// Keeps a head beside a newer one: the last that is accepted of its incarnation.
pub(super) fn keep(
    connection: &Connection,
    head: &Head,
    signed: &Signed<Head>,
) -> Result<(), StoreError> {
    let number = stored(head.number)?;
    let sql = "INSERT OR REPLACE INTO heads
               (device, incarnation, number, hash, payload, signature)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let values = params![
        &head.device.0[..],
        &head.incarnation.0[..],
        number,
        &signed.hash().0[..],
        signed.payload(),
        &signed.signature().0[..]
    ];
    connection.prepare_cached(sql).and_then(|mut s| s.execute(values)).map_err(failed)?;
    Ok(())
}

/// Shows a head, replacing the one before it.
pub(super) fn show(
    connection: &Connection,
    head: &Head,
    signed: &Signed<Head>,
) -> Result<(), StoreError> {
    keep(connection, head, signed)?;
    let number = stored(head.number)?;
    pin(connection, head)?;
    let sql = "DELETE FROM heads WHERE device = ?1 AND incarnation = ?2 AND number < ?3
               AND NOT EXISTS (SELECT 1 FROM pins WHERE pins.device = heads.device
                   AND pins.incarnation = heads.incarnation AND pins.number = heads.number)";
    let values = params![&head.device.0[..], &head.incarnation.0[..], number];
    connection.prepare_cached(sql).and_then(|mut s| s.execute(values)).map_err(failed)?;
    Ok(())
}

type Pin = (Vec<u8>, Vec<u8>, i64);

/// Notes which heads this one names; mostly the same as its predecessor, then nothing is written.
fn pin(connection: &Connection, head: &Head) -> Result<(), StoreError> {
    let by = (&head.device.0[..], &head.incarnation.0[..]);
    let mut wanted: BTreeSet<Pin> = BTreeSet::new();
    for seen in &head.seen {
        for position in [seen.held, seen.applied] {
            let number = stored(position.number)?;
            wanted.insert((seen.device.0.to_vec(), seen.incarnation.0.to_vec(), number));
        }
    }
    let sql = "SELECT device, incarnation, number FROM pins
               WHERE by_device = ?1 AND by_incarnation = ?2";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let present: Result<BTreeSet<Pin>, _> = statement
        .query_map(by, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .and_then(Iterator::collect);
    if present.map_err(failed)? == wanted {
        return Ok(());
    }
    let sql = "DELETE FROM pins WHERE by_device = ?1 AND by_incarnation = ?2";
    connection.prepare_cached(sql).and_then(|mut s| s.execute(by)).map_err(failed)?;
    let sql = "INSERT INTO pins (by_device, by_incarnation, device, incarnation, number)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    for (device, incarnation, number) in wanted {
        let values = params![by.0, by.1, device, incarnation, number];
        connection.prepare_cached(sql).and_then(|mut s| s.execute(values)).map_err(failed)?;
    }
    Ok(())
}

/// Incarnations whose newest head is rotten.
pub(super) type Rotten = Vec<(DeviceId, Incarnation)>;

/// Forgets every head of an incarnation, and what they pin.
pub(super) fn forget(
    connection: &Connection,
    device: DeviceId,
    incarnation: Incarnation,
) -> Result<(), StoreError> {
    let keys = (&device.0[..], &incarnation.0[..]);
    for sql in [
        "DELETE FROM heads WHERE device = ?1 AND incarnation = ?2",
        "DELETE FROM pins WHERE by_device = ?1 AND by_incarnation = ?2",
    ] {
        connection.prepare_cached(sql).and_then(|mut s| s.execute(keys)).map_err(failed)?;
    }
    Ok(())
}

/// One head by its place, if it is there and sound.
pub(super) fn at(
    connection: &Connection,
    device: DeviceId,
    incarnation: Incarnation,
    at: Position,
) -> Result<Option<StoredHead>, StoreError> {
    let Ok(number) = i64::try_from(at.number) else { return Ok(None) };
    let sql = "SELECT device, incarnation, number, hash, payload, signature FROM heads
               WHERE device = ?1 AND incarnation = ?2 AND number = ?3";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let values = params![&device.0[..], &incarnation.0[..], number];
    let mut rows = statement.query(values).map_err(failed)?;
    let Some(row) = rows.next().map_err(failed)? else { return Ok(None) };
    match sound(row) {
        Ok(stored) => Ok(Some(stored).filter(|stored| stored.position == at)),
        Err(StoreError::Damaged(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The newest head of every incarnation, ascending, and the incarnations whose newest is rotten: one that
/// does not read says nothing about the others.
pub(super) fn all_newest(connection: &Connection) -> Result<(Vec<StoredHead>, Rotten), StoreError> {
    let sql = "SELECT device, incarnation, number, hash, payload, signature FROM heads AS h
               WHERE number = (SELECT max(number) FROM heads
                   WHERE device = h.device AND incarnation = h.incarnation)
               ORDER BY device, incarnation";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let (mut newest, mut rotten) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next().map_err(failed)? {
        match sound(row) {
            Ok(stored) => newest.push(stored),
            // A row whose very name is rotten has none to tell: its feeds are there without a head.
            Err(StoreError::Damaged(_)) => rotten.extend(life(row)),
            Err(error) => return Err(error),
        }
    }
    Ok((newest, rotten))
}

/// Where the newest head of every incarnation stands, ascending; without reading them. A row whose very name is
/// rotten has none to tell.
pub(super) fn all_positions(
    connection: &Connection,
) -> Result<Vec<(DeviceId, Incarnation, Position)>, StoreError> {
    let sql = "SELECT device, incarnation, number, hash FROM heads AS h
               WHERE number = (SELECT max(number) FROM heads
                   WHERE device = h.device AND incarnation = h.incarnation)
               ORDER BY device, incarnation";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let mut positions = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let at = || {
            let hash = Hash::from_slice(row.get_ref(3).ok()?.as_blob().ok()?)?;
            let number = u64::try_from(row.get_ref(2).ok()?.as_i64().ok()?).ok()?;
            Some(Position { number, hash })
        };
        positions.extend(life(row).zip(at()).map(|((device, life), at)| (device, life, at)));
    }
    Ok(positions)
}

/// Whether there is a head in this place; it may have rotted.
pub(super) fn is_there(
    connection: &Connection,
    (device, incarnation): (DeviceId, Incarnation),
    at: Position,
) -> Result<bool, StoreError> {
    let Ok(number) = i64::try_from(at.number) else { return Ok(false) };
    let sql = "SELECT EXISTS (SELECT 1 FROM heads WHERE device = ?1 AND incarnation = ?2
               AND number = ?3 AND hash = ?4)";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let values = params![&device.0[..], &incarnation.0[..], number, &at.hash.0[..]];
    statement.query_row(values, |row| row.get(0)).map_err(failed)
}

/// The largest head that is kept of an incarnation, in bytes.
pub(super) fn largest(
    connection: &Connection,
    device: DeviceId,
    incarnation: Incarnation,
) -> Result<u64, StoreError> {
    let sql = "SELECT coalesce(max(length(payload)), 0) FROM heads
               WHERE device = ?1 AND incarnation = ?2";
    let keys = (&device.0[..], &incarnation.0[..]);
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let bytes: i64 = statement.query_row(keys, |row| row.get(0)).map_err(failed)?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// The bytes of the largest heads of all other incarnations, of this device and of all.
pub(super) fn bytes_of_others(
    connection: &Connection,
    device: DeviceId,
    incarnation: Incarnation,
) -> Result<Sums, StoreError> {
    let sql = "SELECT device = ?1, max(length(payload)) FROM heads
               WHERE device <> ?1 OR incarnation <> ?2 GROUP BY device, incarnation";
    let keys = (&device.0[..], &incarnation.0[..]);
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query(keys).map_err(failed)?;
    let mut sums = Sums::default();
    while let Some(row) = rows.next().map_err(failed)? {
        let is_own: bool = row.get(0).map_err(failed)?;
        let bytes: i64 = row.get(1).map_err(failed)?;
        let bytes = u64::try_from(bytes).unwrap_or(0);
        sums.of_device = sums.of_device.saturating_add(if is_own { bytes } else { 0 });
        sums.of_all = sums.of_all.saturating_add(bytes);
    }
    Ok(sums)
}

fn life(row: &Row<'_>) -> Option<(DeviceId, Incarnation)> {
    let device = DeviceId::from_slice(row.get_ref(0).ok()?.as_blob().ok()?)?;
    Some((device, Incarnation::from_slice(row.get_ref(1).ok()?.as_blob().ok()?)?))
}

/// How many other incarnations of a device, and of all devices, there are. Of its own also those that are
/// only staged.
pub(super) fn others(
    connection: &Connection,
    device: DeviceId,
    incarnation: Incarnation,
) -> Result<Sums, StoreError> {
    let of_device = "SELECT count(*) FROM
        (SELECT incarnation FROM heads WHERE device = ?1 AND incarnation <> ?2
         UNION SELECT incarnation FROM feeds WHERE device = ?1 AND incarnation <> ?2)";
    let of_all = "SELECT count(*) FROM
        (SELECT DISTINCT device, incarnation FROM heads WHERE device <> ?1 OR incarnation <> ?2)";
    let keys = (&device.0[..], &incarnation.0[..]);
    let count = |sql: &str| {
        let mut statement = connection.prepare_cached(sql)?;
        statement.query_row(keys, |row| row.get::<_, i64>(0))
    };
    let (of_device, of_all) = (count(of_device).map_err(failed)?, count(of_all).map_err(failed)?);
    let whole = |count: i64| u64::try_from(count).unwrap_or(u64::MAX);
    Ok(Sums { of_device: whole(of_device), of_all: whole(of_all) })
}

/// Hands over every head that is sound, ascending.
pub(super) fn each(
    connection: &Connection,
    take: &mut dyn FnMut(StoredHead) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let sql = "SELECT device, incarnation, number, hash, payload, signature FROM heads
               ORDER BY device, incarnation, number";
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        match sound(row) {
            Ok(stored) => take(stored)?,
            Err(StoreError::Damaged(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Keeps a head that another store has kept, and notes what it names: the newest of an incarnation comes last.
pub(super) fn keep_pinned(connection: &Connection, stored: &StoredHead) -> Result<(), StoreError> {
    let head = stored.head.claim().map_err(|_| StoreError::Damaged("a head"))?;
    keep(connection, &head, &stored.head)?;
    pin(connection, &head)
}

fn sound(row: &Row<'_>) -> Result<StoredHead, StoreError> {
    const HEAD: StoreError = StoreError::Damaged("a head");
    let blob = |at: usize| row.get_ref(at).map_err(failed)?.as_blob().map_err(|_| HEAD);
    let number = row.get_ref(2).map_err(failed)?.as_i64().map_err(|_| HEAD)?;
    let position = position(number, blob(3)?)?;
    let signature = blob(5)?.try_into().map_err(|_| HEAD)?;
    let head = Signed::<Head>::new(blob(4)?.to_vec(), Signature(signature));
    if head.hash() != position.hash {
        return Err(HEAD);
    }
    Ok(StoredHead {
        device: DeviceId::from_slice(blob(0)?).ok_or(HEAD)?,
        incarnation: Incarnation::from_slice(blob(1)?).ok_or(HEAD)?,
        position,
        head,
    })
}
