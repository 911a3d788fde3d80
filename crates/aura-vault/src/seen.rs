// SPDX-License-Identifier: MIT OR Apache-2.0
//! The high-water mark: the newest head of every device that was ever seen here, outside store and views.
//!
//! A store that comes back as an older copy looks whole by itself; only who has seen more can tell. Each
//! head is signed by its device, so the file needs no key and is evidence of its own. Whoever can write
//! to the folder can remove it: then nothing is known, and nothing is lost. It is written now and then
//! and never ahead of the store, so that a crash makes it late, which is harmless.
//! Source: spec/vault-directory.md, rule DIR-11.

use std::collections::BTreeMap;
use std::io;

use aura_protocol::authority::Roster;
use aura_protocol::codec::{CodecError, Decode as _, Encode as _, Reader, Writer};
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{DeviceId, FeedId, Incarnation};
use aura_protocol::limits::DEVICES_MAX;
use aura_protocol::signed::{Signed, Verified};
use aura_protocol::store::{LocalLog, StoreError};

use crate::home::{self, Home};

/// How often the mark is written while the vault is open, in milliseconds.
const WRITE_MS: i64 = 60_000;

type Place = (DeviceId, Incarnation);

/// The newest heads seen.
#[derive(Default)]
pub struct Seen(BTreeMap<Place, Signed<Head>>);

/// What a device wrote, was seen here, and is not in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Which device.
    pub device: DeviceId,
    /// In which of its lives.
    pub incarnation: Incarnation,
    /// How many of its entries are missing or are others than those seen.
    pub entries: u64,
}

/// Why there is no mark.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeenError {
    /// The file could not be read.
    #[error("the vault's file `seen` could not be read")]
    Io(#[source] io::Error),
    /// It is not such a file.
    #[error("the vault's file `seen` is damaged")]
    Damaged,
}

impl Seen {
    /// The mark of a vault directory; nothing where nothing was seen yet.
    ///
    /// # Errors
    /// When there is one that cannot be read.
    pub fn read(home: &Home) -> Result<Self, SeenError> {
        match home::read(&home.seen()) {
            Ok(bytes) => Self::parse(&bytes).map_err(|_| SeenError::Damaged),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(SeenError::Io(error)),
        }
    }

    /// The mark that these bytes are.
    ///
    /// # Errors
    /// When they are none.
    pub fn parse(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let heads = reader.array(DEVICES_MAX, Signed::<Head>::decode)?;
        reader.finish()?;
        let mut seen = BTreeMap::new();
        for signed in heads {
            let head = signed.claim().map_err(|_| CodecError::Bounds)?;
            seen.insert((head.device, head.incarnation), signed);
        }
        Ok(Self(seen))
    }

    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.array(self.0.len());
        self.0.values().for_each(|signed| signed.encode(&mut w));
        w.into_bytes()
    }

    /// The clock of the newest head seen of this device, which this key verifies; 0 for none.
    pub fn clock(&self, device: DeviceId, key: &[u8; 32]) -> u64 {
        let own = self.0.iter().filter(|((of, _), _)| *of == device);
        own.filter_map(|(_, signed)| Some(signed.clone().verify(key).ok()?.into_value().clock))
            .max()
            .unwrap_or_default()
    }

    /// What was seen and the log does not have.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn compare(&self, log: &dyn LocalLog, roster: &Roster) -> Result<Vec<Missing>, StoreError> {
        let kept: BTreeMap<FeedId, Position> = log.feeds()?.into_iter().collect();
        let mut missing = Vec::new();
        for ((device, incarnation), signed) in &self.0 {
            // What a listed device did not sign is no evidence. A device that the log does not list may
            // have been listed in what is missing.
            let head = match roster.device(*device) {
                Some(listed) => {
                    signed.clone().verify(&listed.keys.sign).ok().map(Verified::into_value)
                }
                None => signed.claim().ok(),
            };
            let Some(head) = head.filter(|head| head.vault == roster.vault()) else { continue };
            let mut entries = 0u64;
            for (collection, seen) in &head.feeds {
                let feed = head.feed(*collection);
                let kept = kept.get(&feed).copied().unwrap_or(Position::NONE);
                entries = entries.saturating_add(lacks(log, feed, (*seen, kept))?);
            }
            if entries > 0 {
                missing.push(Missing { device: *device, incarnation: *incarnation, entries });
            }
        }
        Ok(missing)
    }

    /// Takes note of the log's heads, but for those that lack what was seen. Says whether that was new.
    fn follow(&mut self, heads: Vec<Signed<Head>>, missing: &[Missing]) -> bool {
        let mut is_new = false;
        for signed in heads {
            let Ok(head) = signed.claim() else { continue };
            let place = (head.device, head.incarnation);
            let is_behind = missing.iter().any(|known| (known.device, known.incarnation) == place);
            if !is_behind && self.0.get(&place) != Some(&signed) {
                self.0.insert(place, signed);
                is_new = true;
            }
        }
        is_new
    }
}

/// How many entries of a feed were seen and are not there as they were.
fn lacks(
    log: &dyn LocalLog,
    feed: FeedId,
    (seen, kept): (Position, Position),
) -> Result<u64, StoreError> {
    if kept.number < seen.number {
        return Ok(seen.number.saturating_sub(kept.number));
    }
    let hash = if kept.number == seen.number {
        Some(kept.hash)
    } else {
        match log.entry(feed, seen.number) {
            Ok(entry) => Some(entry.hash()),
            // Damage is another matter, and found by a check.
            Err(StoreError::Damaged(_) | StoreError::DamagedEntry { .. }) => return Ok(0),
            Err(StoreError::Absent) => None,
            Err(error) => return Err(error),
        }
    };
    Ok(u64::from(hash != Some(seen.hash)))
}

/// The mark of an open vault, and what it told when the vault was opened.
pub struct Watermark {
    home: Home,
    seen: Seen,
    missing: Vec<Missing>,
    written_ms: i64,
}

impl Watermark {
    /// The mark that was read, and what the log lacks of it.
    pub fn new(home: &Home, seen: Seen, missing: Vec<Missing>) -> Self {
        Self { home: home.clone(), seen, missing, written_ms: 0 }
    }

    /// Forgets a life of this device that has given way to what others have of it.
    pub fn forget(&mut self, device: DeviceId, incarnation: Incarnation) {
        self.seen.0.remove(&(device, incarnation));
        self.missing.retain(|known| (known.device, known.incarnation) != (device, incarnation));
    }

    /// What the log lacked when the vault was opened.
    pub fn missing(&self) -> &[Missing] {
        &self.missing
    }

    /// Writes down where the log stands, if that was not done a moment ago.
    ///
    /// # Errors
    /// When the log cannot be read or the file cannot be written; the mark is late then, and no harm done.
    pub fn mark(&mut self, log: &dyn LocalLog, (now_ms, when): (i64, When)) -> io::Result<()> {
        let since = now_ms.saturating_sub(self.written_ms);
        if when == When::Due && (0..WRITE_MS).contains(&since) {
            return Ok(());
        }
        let heads = log.heads().map_err(io::Error::other)?;
        if self.seen.follow(heads, &self.missing) {
            home::replace(&self.home.seen(), &self.seen.to_bytes())?;
        }
        self.written_ms = now_ms;
        Ok(())
    }
}

/// When to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Once a minute.
    Due,
    /// Now.
    Now,
}
