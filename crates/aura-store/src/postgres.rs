// SPDX-License-Identifier: MIT OR Apache-2.0
//! Blind stores in a PostgreSQL database, for operators who outgrow one machine.
//!
//! One [`Database`] for each node, one [`PostgresStore`] for each vault that it serves; any number of nodes serve any
//! vault, since nothing is kept in between. What is taken and what is shown is decided where the local store decides
//! it. Calls do their work before they first yield, as the local store's do, and block: an asynchronous server gives
//! them a thread that drives no runtime, and drops a database on such a one too. Sealed chunks are rows, or on a
//! [`Shelf`]. Source: spec/store.md, rules STO-40 to STO-46.

/// The database's clock in milliseconds since 1970, as SQL: nodes' own may be far apart.
macro_rules! clock {
    () => {
        "(extract(epoch from statement_timestamp()) * 1000)::bigint"
    };
}

mod fault;

mod address;

mod schema;

mod pool;

mod turn;

mod moment;

mod joined;

mod feed;

mod head;

mod chunk;

mod rows;

mod listen;

mod forget;

mod cost;

mod blind;

mod asking;

mod port;

mod hold;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{DeviceId, FeedId, Incarnation, VaultId};
use aura_protocol::signed::Signed;
use aura_protocol::store::{Heads, Receipt, StoreError};

pub use address::Address;
pub use asking::Asking;
pub use hold::{Company, Hold};
pub use listen::News;
pub use postgres::Row;
pub use postgres::types::ToSql;

use self::joined::Joined;
use self::listen::Listening;
use self::moment::Moment;
use self::pool::Pool;
use self::turn::Turns;
use crate::admit::{self, Admission, Authority, Offer};
use crate::devices::Devices;
use crate::local::Clock;
use crate::shelf::Shelf;
use crate::show::{Said, Sound};
use crate::wait::{Bell, lock};

/// How many times a push heals a statement that rotted before it is looked at: no more than it has entries.
const HEALS_MAX: usize = 16;

/// Why a database could not be used. Nothing of it was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The address is none of PostgreSQL's.
    #[error("the address of the database is not understood; expected host=... dbname=... user=...")]
    Address,
    /// It is another machine, and the way there would be open to everybody.
    #[error("the database is on another machine; name the authority that signs its certificate")]
    Remote,
    /// No authority could be read.
    #[error("expected certificates of authorities in PEM")]
    Authority,
    /// Chunks that it knows are in another place, or that one is not mounted.
    #[error(
        "the place for chunks is not the one that the database's chunks are in, or is not mounted: {mark} is not there"
    )]
    Shelf {
        /// The object that every place with its chunks has, also an empty one.
        mark: String,
    },
    /// A newer version made its tables.
    #[error(
        "the database has version {found} of the tables, this version knows up to {known}; install a newer version"
    )]
    Newer {
        /// The version found.
        found: i64,
        /// The newest version known.
        known: i64,
    },
    /// An older version made its tables, or nobody has made any, and they were not to be changed.
    #[error(
        "the database has version {found} of the tables, 0 being none, and this version knows {known}; a server that begins brings them up"
    )]
    Older {
        /// The version found.
        found: i64,
        /// The newest version known.
        known: i64,
    },
    /// It does not answer, or failed.
    #[error("the database could not be used")]
    Store(#[source] StoreError),
}

impl OpenError {
    fn from_engine(error: postgres::Error) -> Self {
        Self::Store(fault::failed(error))
    }
}

/// A node's connections to a database with any number of vaults.
pub struct Database {
    pool: Arc<Pool>,
    now_ms: Clock,
    /// Where chunks are, if not in their rows.
    shelf: Option<Joined>,
    turns: Turns,
    bells: Arc<Bells>,
    listening: Listening,
}

/// Somebody who is told of news.
type Ear = Box<dyn Fn(News) + Send + Sync>;

/// Who waits for news of which vault, and who is told of all.
#[derive(Default)]
struct Bells {
    of_vaults: Mutex<HashMap<VaultId, Weak<Bell>>>,
    ears: Mutex<Vec<Ear>>,
}

impl Bells {
    fn of(&self, vault: VaultId) -> Arc<Bell> {
        let mut bells = lock(&self.of_vaults);
        if let Some(bell) = bells.get(&vault).and_then(Weak::upgrade) {
            return bell;
        }
        bells.retain(|_, bell| bell.strong_count() > 0);
        let bell = Arc::new(Bell::default());
        bells.insert(vault, Arc::downgrade(&bell));
        bell
    }

    fn hear(&self, news: News) {
        match news {
            News::Heads(vault) | News::Devices(vault) => self.ring(vault),
            News::Anything => self.ring_all(),
        }
        lock(&self.ears).iter().for_each(|ear| ear(news));
    }

    fn ring(&self, vault: VaultId) {
        let bell = lock(&self.of_vaults).get(&vault).and_then(Weak::upgrade);
        if let Some(bell) = bell {
            bell.ring();
        }
    }

    /// Something may have been missed.
    fn ring_all(&self) {
        let bells: Vec<_> = lock(&self.of_vaults).values().filter_map(Weak::upgrade).collect();
        bells.iter().for_each(|bell| bell.ring());
    }
}

impl core::fmt::Debug for Database {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The address may have a password.
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

impl Database {
    /// Uses the database at an address, over so many connections, with chunks in its own tables. Brings the tables to
    /// the newest version.
    ///
    /// # Errors
    /// When it does not answer, or a newer version made its tables.
    pub fn open(
        address: Address,
        connections_max: usize,
        now_ms: Clock,
    ) -> Result<Self, OpenError> {
        Self::with_pool(Arc::new(Pool::new(address, connections_max)), None, now_ms)
    }

    /// The same with chunks elsewhere: always in the same place.
    ///
    /// # Errors
    /// As [`open`](Self::open), and when it is another place.
    pub fn open_beside(
        address: Address,
        connections_max: usize,
        shelf: Arc<dyn Shelf>,
        now_ms: Clock,
    ) -> Result<Self, OpenError> {
        Self::with_pool(Arc::new(Pool::new(address, connections_max)), Some(shelf), now_ms)
    }

    /// Uses the database as it is: nothing is made, and nothing brought to another version.
    ///
    /// # Errors
    /// When it does not answer, or another version made its tables.
    pub fn open_as_is(
        address: Address,
        connections_max: usize,
        shelf: Option<Arc<dyn Shelf>>,
        now_ms: Clock,
    ) -> Result<Self, OpenError> {
        let pool = Arc::new(Pool::new(address, connections_max));
        let mut client = pool.connect().map_err(OpenError::Store)?;
        schema::check_own(&mut client)?;
        let shelf = shelf.map(|shelf| Joined::as_is(&mut client, shelf)).transpose()?.flatten();
        Ok(Self::of_pool(pool, shelf, now_ms))
    }

    fn with_pool(
        pool: Arc<Pool>,
        shelf: Option<Arc<dyn Shelf>>,
        now_ms: Clock,
    ) -> Result<Self, OpenError> {
        let mut client = pool.connect().map_err(OpenError::Store)?;
        schema::migrate(&mut client)?;
        let shelf = shelf.map(|shelf| Joined::begin(&mut client, shelf)).transpose()?;
        Ok(Self::of_pool(pool, shelf, now_ms))
    }

    fn of_pool(pool: Arc<Pool>, shelf: Option<Joined>, now_ms: Clock) -> Self {
        let bells = Arc::new(Bells::default());
        let listening = Listening::begin(Arc::clone(&pool), Arc::clone(&bells));
        Self { pool, now_ms, shelf, turns: Turns::default(), bells, listening }
    }

    /// Has somebody told of what nodes tell each other, this one too, on a thread of the database's own.
    pub fn listen(&self, ear: impl Fn(News) + Send + Sync + 'static) {
        lock(&self.bells.ears).push(Box::new(ear));
    }

    /// Tells all nodes that who may ask for a vault is another thing now.
    ///
    /// # Errors
    /// When the database does not take it.
    pub fn tell_devices(&self, vault: VaultId) -> Result<(), StoreError> {
        self.pool.with(|line| listen::tell_plainly(&mut line.client, vault).map_err(fault::failed))
    }

    /// Brings a group of tables of whoever else keeps some here to the newest version; each migration adds to the one
    /// before it. Groups below 16 are this crate's own.
    ///
    /// # Errors
    /// When the database fails, or a newer version made them.
    pub fn bring_up(&self, group: u32, migrations: &[&str]) -> Result<(), OpenError> {
        let mut client = self.pool.connect().map_err(OpenError::Store)?;
        schema::bring_up(&mut client, i64::from(group), migrations)
    }

    /// Writes to a vault, after whoever else does so here or at another node.
    fn writing<T>(
        &self,
        vault: VaultId,
        write: impl FnOnce(Moment<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let _turn = self.turns.wait(vault)?;
        self.pool.with(|line| write(Moment::writing(line, vault)?))
    }

    /// Whether a group of tables is of the newest version. Nothing is changed.
    ///
    /// # Errors
    /// When it is of another one, or the database fails.
    pub fn check(&self, group: u32, migrations: &[&str]) -> Result<(), OpenError> {
        let mut client = self.pool.connect().map_err(OpenError::Store)?;
        schema::check(&mut client, i64::from(group), migrations)
    }

    /// The store of a vault. It has no rows until somebody pushes.
    pub fn vault(self: &Arc<Self>, vault: VaultId) -> PostgresStore {
        PostgresStore {
            vault,
            bell: self.bells.of(vault),
            database: Arc::clone(self),
            devices: Mutex::default(),
            sound: Mutex::default(),
        }
    }
}

impl Drop for Database {
    /// Others who hold what it is made of are not waited for: its connections end now, and with them its hold.
    fn drop(&mut self) {
        self.pool.leave();
    }
}

/// One vault's entries, heads and chunks in a database.
pub struct PostgresStore {
    vault: VaultId,
    database: Arc<Database>,
    bell: Arc<Bell>,
    /// What the shown authority entries come to, and at which of their changes.
    devices: Mutex<Option<(i64, Arc<Devices>)>>,
    sound: Mutex<Sound>,
}

impl core::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PostgresStore").field("vault", &self.vault).finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Whose store this is.
    pub fn vault(&self) -> VaultId {
        self.vault
    }

    /// The devices that the shown authority entries list.
    ///
    /// # Errors
    /// When the database cannot be read, or a statement rotted.
    pub fn devices(&self) -> Result<Arc<Devices>, StoreError> {
        self.reading(|moment| self.listed(moment))
    }

    /// A number that is another one whenever what the statements come to may be another thing.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn authority(&self) -> Result<i64, StoreError> {
        self.reading(|moment| Ok(moment.authority()?.unwrap_or(0)))
    }

    /// How far each authority feed is shown; of those that are only staged nothing is said.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn authority_feeds(&self) -> Result<Vec<(FeedId, Position)>, StoreError> {
        let rows = self.reading(feed::of_authority)?;
        let shown = rows.into_iter().filter(|row| row.kept.number > 0);
        Ok(shown.map(|row| (row.feed, row.kept)).collect())
    }

    fn reading<T>(
        &self,
        read: impl FnOnce(&Moment<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.database.pool.with(|line| read(&Moment::reading(line, self.vault)?))
    }

    fn writing<T>(
        &self,
        write: impl FnOnce(Moment<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.database.writing(self.vault, write)
    }

    /// The devices that are listed at this moment.
    fn listed(&self, moment: &Moment<'_>) -> Result<Arc<Devices>, StoreError> {
        let now = moment.authority()?.unwrap_or(0);
        if let Some((at, devices)) = lock(&self.devices).as_ref()
            && *at == now
        {
            return Ok(Arc::clone(devices));
        }
        let devices = Arc::new(admit::devices(moment, self.vault, None)?);
        *lock(&self.devices) = Some((now, Arc::clone(&devices)));
        Ok(devices)
    }

    /// What the statements say of ends. Without one that rotted nobody can say it; heads are shown all the same.
    fn said(&self, moment: &Moment<'_>) -> Result<Said, StoreError> {
        match self.listed(moment) {
            Ok(devices) => Ok(Said::by(&devices)),
            Err(StoreError::DamagedEntry { .. } | StoreError::Damaged(_)) => Ok(Said::default()),
            Err(error) => Err(error),
        }
    }

    fn compare(&self, known: &[(DeviceId, Incarnation, Position)]) -> Result<Heads, StoreError> {
        self.reading(|moment| self.said(moment)?.compare(moment, known, &self.sound))
    }

    /// Takes a head and entries in one durable transaction, after those of others of the same vault.
    fn take(&self, signed: &Signed<Head>, entries: &[Entry]) -> Result<Receipt, StoreError> {
        let offer = Offer::new(self.vault, signed)?;
        let healed = self.heal_statements(entries)?;
        let left: Vec<Entry>;
        let entries = if healed.is_empty() {
            entries
        } else {
            left = entries.iter().filter(|entry| !healed.contains(entry)).cloned().collect();
            &left
        };
        let done = self.writing(|moment| {
            let devices = self.listed(&moment)?;
            match admit::admit(&moment, &devices, &offer, entries)? {
                Admission::Taken(receipt, authority) => {
                    if authority == Authority::Changed {
                        moment.change_authority()?;
                    }
                    if authority == Authority::Changed {
                        listen::tell(&moment, News::Devices(self.vault))?;
                    } else if receipt.missing.is_empty() {
                        listen::tell(&moment, News::Heads(self.vault))?;
                    }
                    moment.commit().map(|()| Ok(receipt))
                }
                Admission::Astray(feed, error) => Ok(Err((feed, error))),
            }
        })?;
        match done {
            Ok(receipt) => {
                if receipt.missing.is_empty() {
                    self.bell.ring();
                }
                Ok(receipt)
            }
            Err((feed, error)) => {
                self.clear_staged(&feed)?;
                Err(error)
            }
        }
    }

    /// STO-25: puts statements that rotted back into their places, whoever brings them.
    fn heal_statements<'a>(&self, entries: &'a [Entry]) -> Result<Vec<&'a Entry>, StoreError> {
        let mut healed = Vec::new();
        for _ in 0..HEALS_MAX {
            let Err(StoreError::DamagedEntry { feed, number }) = self.devices() else { break };
            let healing = self.writing(|moment| {
                let healing = admit::heal_statement(&moment, (feed, number), entries)?;
                if healing.is_some() {
                    moment.commit()?;
                }
                Ok(healing)
            })?;
            let Some(entry) = healing else { break };
            healed.push(entry);
        }
        Ok(healed)
    }

    /// What was staged of a feed led nowhere.
    fn clear_staged(&self, feed: &FeedId) -> Result<(), StoreError> {
        self.writing(|moment| {
            if let Some(mut row) = feed::find(&moment, feed)? {
                feed::unstage(&moment, &mut row, 0)?;
            }
            moment.commit()
        })
    }
}
