// SPDX-License-Identifier: MIT OR Apache-2.0
//! The local store: a device's own durable copy of one vault's entries, heads and chunks.
//!
//! Entries and heads are rows of one SQLite database, chunks are files beside it. It is both what the
//! vault writes to ([`LocalLog`](aura_protocol::store::LocalLog)) and a blind store for others
//! ([`BlindStore`](aura_protocol::store::BlindStore)). It holds no key, and checks what it is given as
//! any active store does. Group commit is the vault's business: one append is one durable transaction.
//! Source: spec/store.md.

mod fault;

mod schema;

mod copy;

mod feed;

mod head;

mod chunk;

pub mod cost;

mod forget;

mod rows;

#[cfg(test)]
mod asked;

mod log;

mod blind;

mod port;

mod care;

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{DeviceId, FeedId, Incarnation, VaultId};
use aura_protocol::signed::Signed;
use aura_protocol::store::{Heads, Receipt, StoreError, StoredHead};
use rusqlite::{Connection, TransactionBehavior};

pub use care::Damage;

use self::fault::failed;
pub(crate) use self::fault::io_failed;
use self::schema::Presence;
use crate::admit::{self, Admission, Authority, Offer};
use crate::devices::Devices;
use crate::layout::LocalLayout;
use crate::show::{Said, Sound};
use crate::wait::{Bell, lock};

/// The time in milliseconds since 1970, asked of whoever opens a store.
pub type Clock = Box<dyn Fn() -> i64 + Send + Sync>;

/// Why a store could not be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no store in the folder.
    #[error("there is no store in this folder")]
    Absent,
    /// There is a store in the folder already, and none was to be replaced.
    #[error("there is a store in this folder already; it was left as it is")]
    Present,
    /// Another process has it open.
    #[error("another process has this store open; close it, or ask that process")]
    Busy,
    /// It was written by a newer version.
    #[error(
        "the store is in format {found}, this version knows up to {known}; install a newer version"
    )]
    Newer {
        /// The format found.
        found: i64,
        /// The newest format known.
        known: i64,
    },
    /// The file is a database, but none of Aura's.
    #[error("store.db is not a store of Aura; it was left as it is")]
    Foreign,
    /// A file is damaged.
    #[error("{0} is damaged and was left as it is; restore from another device or store")]
    Damaged(&'static str),
    /// The disk is full.
    #[error("the disk is full; what is stored is not harmed; free some space and open again")]
    Full,
    /// Reading or writing failed.
    #[error("the store's files could not be read or written")]
    Io(#[source] std::io::Error),
    /// The store failed in another way.
    #[error("the store could not be opened")]
    Store(#[source] StoreError),
}

impl OpenError {
    fn from_sqlite(error: rusqlite::Error) -> Self {
        Self::from_store(failed(error))
    }

    fn from_store(error: StoreError) -> Self {
        match error {
            StoreError::Damaged(_) => Self::Damaged(LocalLayout::DATABASE),
            StoreError::Full => Self::Full,
            StoreError::Io(error) => Self::Io(error),
            other => Self::Store(other),
        }
    }
}

/// One vault's entries, heads and chunks on this device.
pub struct LocalStore {
    vault: VaultId,
    layout: LocalLayout,
    now_ms: Clock,
    bell: Arc<Bell>,
    writer: Mutex<Writer>,
    reader: Mutex<Connection>,
    /// What is known to be damaged, to be asked for elsewhere.
    damages: Mutex<BTreeSet<Damage>>,
    sound: Mutex<Sound>,
    // Released by the system when the process ends in any way, so a stale one cannot exist (F-31).
    _lock: File,
}

/// The only connection that writes.
struct Writer {
    connection: Connection,
    /// Of the shown authority entries; read again when those change.
    devices: Option<Devices>,
    /// Set when what is on disk is unknown: nothing more is written until the store is opened anew.
    has_failed: bool,
}

/// Whether a head must be complete at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Completeness {
    Required,
    Awaited,
}

impl core::fmt::Debug for LocalStore {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("LocalStore").field("vault", &self.vault).finish_non_exhaustive()
    }
}

impl LocalStore {
    /// Makes a store for a vault in a folder that has none.
    ///
    /// # Errors
    /// When there is one already, or the files cannot be made.
    pub fn create(folder: &Path, vault: VaultId, now_ms: Clock) -> Result<Self, OpenError> {
        fs::create_dir_all(folder).map_err(OpenError::Io)?;
        let layout = LocalLayout::new(folder);
        let lock = hold(&layout)?;
        let mut writer = schema::writer(&layout.database(), Presence::Created)?;
        match schema::vault(&writer)? {
            Some(_) => return Err(OpenError::Present),
            // Chunks are kept after the tables are there: these were lost.
            None if layout.chunks().root().exists() => {
                return Err(OpenError::Damaged(LocalLayout::DATABASE));
            }
            None => {}
        }
        schema::create(&mut writer, vault)?;
        crate::durable::sync_directory(folder).map_err(OpenError::Io)?;
        care::make_reserve(&layout);
        Self::finish(layout, lock, writer, now_ms)
    }

    /// Opens one of the many stores of a server, or makes it: no room is set aside for each, and each has a
    /// small cache.
    ///
    /// # Errors
    /// As [`open`](Self::open); also when there is the store of another vault.
    pub fn hosted(folder: &Path, vault: VaultId, now_ms: Clock) -> Result<Self, OpenError> {
        let layout = LocalLayout::new(folder);
        let exists = layout.database().exists();
        // Each name on the way is as durable as what is confirmed in it.
        let missing: Vec<&Path> = folder.ancestors().take_while(|path| !path.exists()).collect();
        for path in missing.into_iter().rev() {
            crate::durable::directory(path).map_err(OpenError::Io)?;
        }
        let lock = hold(&layout)?;
        let presence = if exists { Presence::Required } else { Presence::Created };
        let mut writer = schema::writer(&layout.database(), presence)?;
        match schema::vault(&writer)? {
            Some(found) if found != vault => return Err(OpenError::Foreign),
            Some(_) => {}
            None if layout.chunks().root().exists() => {
                return Err(OpenError::Damaged(LocalLayout::DATABASE));
            }
            None => {
                schema::create(&mut writer, vault)?;
                crate::durable::sync_directory(folder).map_err(OpenError::Io)?;
            }
        }
        schema::be_small(&writer)?;
        let store = Self::finish(layout, lock, writer, now_ms)?;
        schema::be_small(&store.reader())?;
        Ok(store)
    }

    /// Opens the store in a folder.
    ///
    /// # Errors
    /// When there is none, another process has it open, a newer version wrote it, or it is damaged.
    pub fn open(folder: &Path, now_ms: Clock) -> Result<Self, OpenError> {
        let layout = LocalLayout::new(folder);
        if !layout.database().exists() {
            return Err(OpenError::Absent);
        }
        let lock = hold(&layout)?;
        let writer = match schema::writer(&layout.database(), Presence::Required) {
            Err(OpenError::Full) => {
                // F-05: the log beside the database needs room even to be read back.
                care::free_reserve(&layout).map_err(OpenError::Io)?;
                schema::writer(&layout.database(), Presence::Required)?
            }
            other => other?,
        };
        care::make_reserve(&layout);
        Self::finish(layout, lock, writer, now_ms)
    }

    fn finish(
        layout: LocalLayout,
        lock: File,
        connection: Connection,
        now_ms: Clock,
    ) -> Result<Self, OpenError> {
        let vault = match schema::vault(&connection)? {
            Some(vault) => vault,
            None if layout.chunks().root().exists() => {
                return Err(OpenError::Damaged(LocalLayout::DATABASE));
            }
            None => return Err(OpenError::Absent),
        };
        chunk::prepare(&layout.chunks()).map_err(OpenError::from_store)?;
        let reader = schema::reader(&layout.database())?;
        let writer = Writer { connection, devices: None, has_failed: false };
        Ok(Self {
            vault,
            layout,
            now_ms,
            bell: Arc::default(),
            writer: Mutex::new(writer),
            reader: Mutex::new(reader),
            damages: Mutex::default(),
            sound: Mutex::default(),
            _lock: lock,
        })
    }

    /// Whose store this is.
    pub fn vault(&self) -> VaultId {
        self.vault
    }

    /// The devices that the shown authority entries list.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn devices(&self) -> Result<Devices, StoreError> {
        admit::devices(&*self.reader(), self.vault, None)
    }

    /// The device that proves itself with this transport key, if the shown authority entries let it in (PEE-3).
    ///
    /// # Errors
    /// When those entries cannot be read: nobody is let in then.
    pub fn holder(&self, transport: &[u8; 32]) -> Result<Option<DeviceId>, StoreError> {
        Ok(self.writer().devices(self.vault)?.holder(transport))
    }

    /// Whether a device is revoked.
    ///
    /// # Errors
    /// When the authority entries cannot be read.
    pub fn is_revoked(&self, device: DeviceId) -> Result<bool, StoreError> {
        Ok(self.writer().devices(self.vault)?.revoked().contains_key(&device))
    }

    /// Rings when something has come; whoever waits for that need not keep the store open.
    #[cfg(feature = "peer")]
    pub(crate) fn bell(&self) -> Arc<Bell> {
        Arc::clone(&self.bell)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        lock(&self.writer)
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        lock(&self.reader)
    }

    /// What the statements say of ends. Without one that rotted nobody can say it; heads are shown all the same.
    fn said(&self) -> Result<Said, StoreError> {
        match self.writer().devices(self.vault) {
            Ok(devices) => Ok(Said::by(devices)),
            Err(StoreError::DamagedEntry { .. } | StoreError::Damaged(_)) => Ok(Said::default()),
            Err(error) => Err(error),
        }
    }

    /// The heads that are shown, beside those known.
    fn compare(&self, known: &[(DeviceId, Incarnation, Position)]) -> Result<Heads, StoreError> {
        let said = self.said()?;
        let mut reader = self.reader();
        // One moment for all: a head may go while the others are read.
        let moment = reader.transaction().map_err(failed)?;
        said.compare(&*moment, known, &self.sound)
    }

    /// All heads that are shown.
    fn shown_heads(&self) -> Result<Vec<StoredHead>, StoreError> {
        Ok(self.compare(&[])?.news)
    }

    fn shown(&self, feed: &FeedId) -> Result<Position, StoreError> {
        Ok(feed::find(&self.reader(), feed)?.map_or(Position::NONE, |row| row.kept))
    }

    fn read_shown(
        &self,
        feed: &FeedId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let reader = self.reader();
        let read = match feed::find(&reader, feed)? {
            Some(row) if after < row.floor.number => {
                Err(StoreError::Forgotten { feed: *feed, upto: row.floor.number })
            }
            Some(row) if row.kept.number > 0 => feed::read(&reader, &row, after, limit),
            _ => Err(StoreError::Absent),
        };
        if let Err(StoreError::DamagedEntry { feed, number }) = &read {
            self.note_damage(Damage::Entry(*feed, *number));
        }
        read
    }

    /// Takes a head and entries in one durable transaction.
    fn take(
        &self,
        signed: &Signed<Head>,
        entries: &[Entry],
        completeness: Completeness,
    ) -> Result<Receipt, StoreError> {
        let offer = Offer::new(self.vault, signed)?;
        let mut writer = self.writer();
        let healed = writer.heal_statements(self.vault, entries);
        let healed = healed.inspect_err(|error| writer.has_failed |= fault::is_fatal(error))?;
        healed.iter().for_each(|entry| self.forget_damage(&damage(entry)));
        let left: Vec<Entry>;
        let entries = if healed.is_empty() {
            entries
        } else {
            left = entries.iter().filter(|entry| !healed.contains(entry)).cloned().collect();
            &left
        };
        let result = writer.take(&offer, entries, completeness);
        if let Err(error) = &result {
            writer.has_failed |= fault::is_fatal(error);
        }
        drop(writer);
        if let Err(StoreError::DamagedEntry { feed, number }) = &result {
            self.note_damage(Damage::Entry(*feed, *number));
        }
        let receipt = result?;
        if receipt.missing.is_empty() {
            self.bell.ring();
        }
        Ok(receipt)
    }
}

impl Writer {
    /// The devices that the shown authority entries list.
    fn devices(&mut self, vault: VaultId) -> Result<&Devices, StoreError> {
        Ok(match &mut self.devices {
            Some(devices) => devices,
            none => none.insert(admit::devices(&self.connection, vault, None)?),
        })
    }

    /// Where a statement rotted in both its rows, puts those of these entries into their places that belong there: what
    /// stands after each says so, whoever brings it (STO-25). Says which did.
    fn heal_statements<'a>(
        &mut self,
        vault: VaultId,
        entries: &'a [Entry],
    ) -> Result<Vec<&'a Entry>, StoreError> {
        let mut healed = Vec::new();
        if self.has_failed {
            return Ok(healed);
        }
        while let Err(StoreError::DamagedEntry { feed, number }) = self.devices(vault) {
            let transaction = self.connection.transaction().map_err(failed)?;
            let healing = admit::heal_statement(&*transaction, (feed, number), entries)?;
            let Some(entry) = healing else { break };
            transaction.commit().map_err(failed)?;
            healed.push(entry);
        }
        Ok(healed)
    }

    fn take(
        &mut self,
        offer: &Offer<'_>,
        entries: &[Entry],
        completeness: Completeness,
    ) -> Result<Receipt, StoreError> {
        if self.has_failed {
            return Err(StoreError::Damaged("a write failed half-way; open the store again"));
        }
        self.devices(offer.head.vault)?;
        let Some(devices) = &self.devices else { return Err(StoreError::Absent) };
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        match admit::admit(&*transaction, devices, offer, entries)? {
            Admission::Taken(receipt, authority) => {
                if completeness == Completeness::Required
                    && let Some((feed, held)) = receipt.missing.first()
                {
                    return Err(StoreError::Gap { feed: *feed, expected: held.saturating_add(1) });
                }
                transaction.commit().map_err(failed)?;
                if authority == Authority::Changed {
                    self.devices = None;
                }
                Ok(receipt)
            }
            Admission::Astray(feed, error) => {
                transaction.rollback().map_err(failed)?;
                if completeness == Completeness::Awaited {
                    self.clear_staged(&feed)?;
                }
                Err(error)
            }
        }
    }

    fn give_way(&mut self, common: &[(FeedId, u64)]) -> Result<(), StoreError> {
        let transaction = self.connection.transaction().map_err(failed)?;
        for (feed, number) in common {
            if let Some(mut row) = feed::find(&transaction, feed)? {
                feed::shorten(&transaction, &mut row, *number)?;
            }
            head::forget(&transaction, feed.device, feed.incarnation)?;
        }
        transaction.commit().map_err(failed)?;
        self.devices = None;
        Ok(())
    }

    fn clear_staged(&mut self, feed: &FeedId) -> Result<(), StoreError> {
        let transaction = self.connection.transaction().map_err(failed)?;
        if let Some(mut row) = feed::find(&transaction, feed)? {
            feed::unstage(&transaction, &mut row, 0)?;
        }
        transaction.commit().map_err(failed)
    }
}

fn damage(entry: &Entry) -> Damage {
    Damage::Entry(entry.header().feed, entry.header().number)
}

/// F-31: one process at a time; the second is told so.
fn hold(layout: &LocalLayout) -> Result<File, OpenError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(layout.lock())
        .map_err(OpenError::Io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Busy),
        Err(TryLockError::Error(error)) => Err(OpenError::Io(error)),
    }
}
