// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which heads an active store shows: of each incarnation the newest, or the last that is accepted of it.
//!
//! Where heads stand is looked at first, and only those that the caller does not know are read: who asks often is
//! answered from little. Source: spec/store.md, rules STO-1, STO-14 and STO-25.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use aura_protocol::head::Position;
use aura_protocol::id::{DeviceId, Incarnation};
use aura_protocol::store::{Ends, Heads, LastHead, Signers, StoreError, StoredHead};

use crate::devices::Devices;
use crate::rows::{Life, Rows};
use crate::wait::lock;

/// Where heads were found to be what was taken; of those nothing is read again that the caller knows.
pub(crate) type Sound = BTreeMap<Life, Position>;

/// What the statements say of devices and incarnations that have ended.
#[derive(Default)]
pub(crate) struct Said {
    revoked: BTreeMap<DeviceId, Option<DeviceId>>,
    last: Vec<(DeviceId, Incarnation, Position)>,
    /// Who is listed; everybody, if nobody was revoked.
    listed: Option<BTreeSet<DeviceId>>,
    signers: Signers,
}

/// Where an incarnation stands.
struct Place {
    life: Life,
    newest: Position,
    /// The last head that is accepted, where the newest lies beyond it.
    last: Option<Position>,
}

impl Said {
    /// What these devices come to.
    pub(crate) fn by(devices: &Devices) -> Self {
        let revoked = devices.revoked();
        let listed = (!revoked.is_empty()).then(|| devices.ids().collect());
        Self { revoked, last: devices.last_heads(), listed, signers: devices.signers() }
    }

    /// The same with the heads that are here (STO-14).
    pub(crate) fn ends<R: Rows>(self, rows: &R) -> Result<Ends, StoreError> {
        let last = self.last.into_iter().map(|(device, incarnation, position)| {
            let head = rows.head((device, incarnation), position)?.map(|stored| stored.head);
            Ok(LastHead { device, incarnation, position, head })
        });
        let last = last.collect::<Result<_, StoreError>>()?;
        Ok(Ends { revoked: self.revoked, last, signers: self.signers })
    }

    /// The heads that are shown, beside those known. A rotten one is as one that is not there: any device that has
    /// it pushes it again. The rows are those of one moment.
    pub(crate) fn compare<R: Rows>(
        &self,
        rows: &R,
        known: &[(DeviceId, Incarnation, Position)],
        sound: &Mutex<Sound>,
    ) -> Result<Heads, StoreError> {
        let known_places: BTreeSet<_> =
            known.iter().map(|(d, i, at)| ((*d, *i), at.number, at.hash)).collect();
        let mut lives = BTreeSet::new();
        let mut news = Vec::new();
        for place in self.places(rows)? {
            let at = place.last.unwrap_or(place.newest);
            let is_known = known_places.contains(&(place.life, at.number, at.hash));
            if is_known && lock(sound).get(&place.life) == Some(&at) {
                lives.insert(place.life);
                continue;
            }
            let Some(stored) = place.read(rows)? else { continue };
            lives.insert(place.life);
            lock(sound).insert(place.life, stored.position);
            if !is_known || stored.position != at {
                news.push(stored);
            }
        }
        lock(sound).retain(|life, _| lives.contains(life));
        let absent = known.iter().map(|(device, incarnation, _)| (*device, *incarnation));
        Ok(Heads { news, absent: absent.filter(|life| !lives.contains(life)).collect() })
    }

    fn places<R: Rows>(&self, rows: &R) -> Result<Vec<Place>, StoreError> {
        let mut places = Vec::new();
        for (device, incarnation, newest) in rows.all_newest()? {
            // Who was listed by what does not count any more is nobody.
            if self.listed.as_ref().is_some_and(|listed| !listed.contains(&device)) {
                continue;
            }
            let of_life = |(d, i, at): &&(DeviceId, Incarnation, Position)| {
                (*d, *i) == (device, incarnation) && newest.number > at.number
            };
            let last = self.last.iter().find(of_life).map(|(_, _, at)| *at);
            let last = match last {
                Some(at) if rows.has_head((device, incarnation), at)? => Some(at),
                _ => None,
            };
            places.push(Place { life: (device, incarnation), newest, last });
        }
        Ok(places)
    }
}

impl Place {
    /// The head, if it is sound.
    fn read<R: Rows>(&self, rows: &R) -> Result<Option<StoredHead>, StoreError> {
        for at in self.last.into_iter().chain([self.newest]) {
            let found = rows.head(self.life, at)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}
