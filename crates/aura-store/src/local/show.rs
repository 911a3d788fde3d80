// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which heads the store shows: of each incarnation the newest, or the last that is accepted of it.
//!
//! Where heads stand is looked at first, and only those that the caller does not know are read: who asks often is
//! answered from little. Source: spec/store.md, rules STO-1, STO-14 and STO-25.

use std::collections::{BTreeMap, BTreeSet};

use aura_protocol::head::Position;
use aura_protocol::id::{DeviceId, Incarnation};
use aura_protocol::store::{Ends, Heads, LastHead, StoreError, StoredHead};
use rusqlite::Connection;

use super::fault::failed;
use super::{LocalStore, head};
use crate::wait::lock;

type Life = (DeviceId, Incarnation);

/// Where heads were found to be what was taken; of those nothing is read again that the caller knows.
pub(super) type Sound = BTreeMap<Life, Position>;

/// What the statements say of devices and incarnations that have ended.
#[derive(Default)]
struct Said {
    revoked: BTreeMap<DeviceId, Option<DeviceId>>,
    last: Vec<(DeviceId, Incarnation, Position)>,
    /// Who is listed; everybody, if nobody was revoked.
    listed: Option<BTreeSet<DeviceId>>,
}

/// Where an incarnation stands.
struct Place {
    life: Life,
    newest: Position,
    /// The last head that is accepted, where the newest lies beyond it.
    last: Option<Position>,
}

impl LocalStore {
    /// What is said of devices and incarnations that have ended (STO-14), with the heads that are here.
    pub(super) fn ended(&self) -> Result<Ends, StoreError> {
        let Said { revoked, last, .. } = self.said()?;
        let reader = self.reader();
        let last = last.into_iter().map(|(device, incarnation, position)| {
            let head = head::at(&reader, device, incarnation, position)?.map(|stored| stored.head);
            Ok(LastHead { device, incarnation, position, head })
        });
        Ok(Ends { revoked, last: last.collect::<Result<_, StoreError>>()? })
    }

    /// All heads that are shown.
    pub(super) fn shown_heads(&self) -> Result<Vec<StoredHead>, StoreError> {
        Ok(self.compare(&[])?.news)
    }

    /// The heads that are shown, beside those known. A rotten one is as one that is not there: any device that has
    /// it pushes it again.
    pub(super) fn compare(
        &self,
        known: &[(DeviceId, Incarnation, Position)],
    ) -> Result<Heads, StoreError> {
        let said = self.said()?;
        let mut reader = self.reader();
        // One moment for all: a head may go while the others are read.
        let moment = reader.transaction().map_err(failed)?;
        let is_known: BTreeSet<_> =
            known.iter().map(|(d, i, at)| ((*d, *i), at.number, at.hash)).collect();
        let mut lives = BTreeSet::new();
        let mut news = Vec::new();
        for place in said.places(&moment)? {
            let at = place.last.unwrap_or(place.newest);
            let is_known = is_known.contains(&(place.life, at.number, at.hash));
            if is_known && lock(&self.sound).get(&place.life) == Some(&at) {
                lives.insert(place.life);
                continue;
            }
            let Some(stored) = place.read(&moment)? else { continue };
            lives.insert(place.life);
            lock(&self.sound).insert(place.life, stored.position);
            if !is_known || stored.position != at {
                news.push(stored);
            }
        }
        lock(&self.sound).retain(|life, _| lives.contains(life));
        let absent = known.iter().map(|(device, incarnation, _)| (*device, *incarnation));
        Ok(Heads { news, absent: absent.filter(|life| !lives.contains(life)).collect() })
    }

    fn said(&self) -> Result<Said, StoreError> {
        let mut writer = self.writer();
        let devices = match writer.devices(self.vault) {
            Ok(devices) => devices,
            // Without a statement that rotted nobody can say what has ended; heads are shown all the same.
            Err(StoreError::DamagedEntry { .. } | StoreError::Damaged(_)) => {
                return Ok(Said::default());
            }
            Err(error) => return Err(error),
        };
        let revoked = devices.revoked();
        let listed = (!revoked.is_empty()).then(|| devices.ids().collect());
        Ok(Said { revoked, last: devices.last_heads(), listed })
    }
}

impl Said {
    fn places(&self, reader: &Connection) -> Result<Vec<Place>, StoreError> {
        let mut places = Vec::new();
        for (device, incarnation, newest) in head::all_positions(reader)? {
            // Who was listed by what does not count any more is nobody.
            if self.listed.as_ref().is_some_and(|listed| !listed.contains(&device)) {
                continue;
            }
            let of_life = |(d, i, at): &&(DeviceId, Incarnation, Position)| {
                (*d, *i) == (device, incarnation) && newest.number > at.number
            };
            let last = self.last.iter().find(of_life).map(|(_, _, at)| *at);
            let last = match last {
                Some(at) if head::is_there(reader, (device, incarnation), at)? => Some(at),
                _ => None,
            };
            places.push(Place { life: (device, incarnation), newest, last });
        }
        Ok(places)
    }
}

impl Place {
    /// The head, if it is sound.
    fn read(&self, reader: &Connection) -> Result<Option<StoredHead>, StoreError> {
        let (device, incarnation) = self.life;
        for at in self.last.into_iter().chain([self.newest]) {
            let found = head::at(reader, device, incarnation, at)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}
