// SPDX-License-Identifier: MIT OR Apache-2.0
//! A vault's life: made, shut, opened. What a shut vault cannot do, its type does not have.
//!
//! Unlocking never needs a server: the authority feed lists the slots, a slot's secret opens the root
//! key, and everything follows from that. Counting wrong passwords and delaying is here; asking for
//! them is the program's. Source: spec/vault-directory.md, spec/key-slots.md; rules DIR-8 to DIR-12.

mod attempts;

mod statement;

mod slots;

mod generation;

mod enrol;

mod unlock;

mod arrive;

mod fork;

mod heard;

mod pairing;

mod enter;

mod join;

mod second;

mod create;

mod revoke;

use std::path::Path;
use std::sync::{Arc, PoisonError};

use aura_protocol::authority::{AuthorityError, Placed, Roster, SignedStatement, decode_body};
use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{CollectionId, FeedId, SlotId, VaultId};
use aura_protocol::limits::READ_ENTRIES_MAX;
use aura_protocol::signed::SignedError;
use aura_protocol::store::{LocalLog, StoreError};
use zeroize::Zeroizing;

use crate::db::DbError;
use crate::feed::Bar;
use crate::home::{self, Home};
use crate::open::{Environment, Open, OpenError};
use crate::search::SearchError;

pub use attempts::{second_wait_ms, wait_ms};
pub use create::{Kit, MakeLog, Setup};
pub use enrol::Announce;
pub use enter::{Arriving, Entering};
pub use heard::Heard;
pub use join::DeviceInfo;
pub use pairing::{Admitted, Listed, Newcomer, Offered, Pairing, PairingError};
pub use revoke::Loss;
pub use second::SecondStanding;
pub use slots::SlotInfo;

pub use crate::open::LetGo;
pub(crate) use statement::sign as sign_statement;

const DEVICE_KEY: &str = "device.key";

/// Why a vault was not made or not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// There is a vault here already.
    #[error("there is a vault here already")]
    Exists,
    /// There are a vault's files here, but no marker.
    #[error(
        "there are files of an unfinished or damaged vault here; move them away to make a new one"
    )]
    Unfinished,
    /// There is no vault here.
    #[error("there is no vault here")]
    Absent,
    /// The vault's format is newer than this program.
    #[error("the vault has a newer format than this program knows")]
    Newer,
    /// One of its files is damaged.
    #[error("the vault's file `{0}` is damaged")]
    Damaged(&'static str),
    /// One of its files is missing.
    #[error("the vault's file `{0}` is missing")]
    Missing(&'static str),
    /// The secret opens no slot.
    #[error("that secret does not open this vault")]
    Secret,
    /// The secret was tried too often; it may be tried again after this many milliseconds.
    #[error("too many wrong secrets; try again in {} seconds", .0.div_ceil(1000))]
    TooSoon(u64),
    /// A password cannot be used.
    #[error(transparent)]
    Slot(#[from] aura_crypto::slot::SlotError),
    /// A file could not be read or written.
    #[error("the vault's file `{0}` could not be read or written")]
    Io(&'static str, #[source] std::io::Error),
    /// The local store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the log says about the vault itself does not verify.
    #[error("the vault's own statements do not verify")]
    Authority(#[source] AuthorityError),
    /// The open vault failed.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The index failed.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// There is no second lock.
    #[error("there is no second lock: health and credentials share the first one")]
    NoSecond,
    /// There is a second lock already.
    #[error("there is a second lock already")]
    SecondExists,
    /// The password does not open the second lock.
    #[error("that does not open the second lock")]
    SecondSecret,
    /// One password for both locks.
    #[error("the second password must be another one than the first")]
    SamePassword,
    /// The last way in cannot be removed.
    #[error("the last key slot cannot be removed; make another one first")]
    LastSlot,
    /// There is no such slot.
    #[error("there is no such key slot")]
    NoSlot,
    /// A device does not revoke itself.
    #[error("this is the device itself")]
    OwnDevice,
    /// The device was revoked already.
    #[error("that device was revoked already")]
    Revoked,
    /// Two devices were not paired.
    #[error(transparent)]
    Pairing(#[from] PairingError),
    /// Others have seen changes that are not here: they would be lost.
    #[error("other devices have seen changes that are not here yet")]
    Behind,
}

/// What opens a vault.
pub enum Credential {
    /// The password, together with the secret key on this device.
    Password(Zeroizing<String>),
    /// The printed recovery code.
    Recovery(Zeroizing<String>),
}

/// A vault that is shut: it can say who it is, and be opened.
#[derive(Debug)]
pub struct Locked {
    /// Whether something was said that only a newer version understands (AUT-4).
    is_outdated: bool,
}

/// A vault that is open.
pub struct Unlocked {
    pub(crate) open: Arc<Open>,
}

/// A vault, shut or open.
#[expect(
    clippy::struct_field_names,
    reason = "its id is called what ids of vaults are called everywhere"
)]
pub struct Vault<S> {
    pub(crate) home: Home,
    pub(crate) vault: VaultId,
    pub(crate) roster: Roster,
    pub(crate) log: Arc<dyn LocalLog>,
    pub(crate) state: S,
}

impl<S> Vault<S> {
    /// The vault's id.
    pub fn id(&self) -> VaultId {
        self.vault
    }

    /// Its directory.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Its devices, slots and epochs, as the log says them.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Its local store.
    pub fn log(&self) -> &Arc<dyn LocalLog> {
        &self.log
    }

    /// Whether some categories have a lock of their own.
    pub fn has_second(&self) -> bool {
        self.roster.second_lock().is_some()
    }

    /// Ways to open it.
    pub fn slots(&self) -> Vec<(SlotId, SlotInfo)> {
        slots::list(&self.roster)
    }
}

impl Vault<Locked> {
    /// What a directory is, without opening its log.
    ///
    /// # Errors
    /// When there is no vault, or one that this program does not know.
    pub fn identify(path: &Path) -> Result<VaultId, VaultError> {
        match Home::new(path).kind().map_err(|error| VaultError::Io("aura-vault", error))? {
            home::Kind::Vault(vault) => Ok(vault),
            home::Kind::Empty => Err(VaultError::Absent),
            home::Kind::Newer => Err(VaultError::Newer),
            home::Kind::Unknown => Err(VaultError::Damaged("aura-vault")),
        }
    }

    /// The vault in this directory, shut, over its log.
    ///
    /// # Errors
    /// When there is none or its statements do not verify.
    pub fn load(path: &Path, log: Arc<dyn LocalLog>) -> Result<Self, VaultError> {
        let vault = Self::identify(path)?;
        let (roster, refused) = read_roster(log.as_ref(), vault)?;
        let is_outdated = refused.contains(&AuthorityError::Newer);
        Ok(Self { home: Home::new(path), vault, roster, log, state: Locked { is_outdated } })
    }

    /// Opens the vault.
    ///
    /// # Errors
    /// [`VaultError::Secret`] for every wrong secret alike; the vault stays shut and is handed back.
    #[expect(clippy::result_large_err, reason = "a vault that stays shut is handed back, not lost")]
    pub fn unlock(
        self,
        credential: &Credential,
        environment: Environment,
    ) -> Result<Vault<Unlocked>, (Self, VaultError)> {
        match unlock::open(&self, credential, environment) {
            Ok(open) => Ok(Vault {
                // Opening may have listed this device anew.
                roster: read_roster(self.log.as_ref(), self.vault)
                    .map_or(self.roster, |(roster, _)| roster),
                home: self.home,
                vault: self.vault,
                log: self.log,
                state: Unlocked { open: Arc::new(open) },
            }),
            Err(error) => Err((self, error)),
        }
    }
}

impl Vault<Unlocked> {
    /// Shuts the vault: what was done is made last, keys are wiped.
    ///
    /// # Errors
    /// When something could not be written; the vault is shut all the same, and what is missing in its
    /// views is applied from the log when it is opened next.
    pub fn lock(self) -> (Vault<Locked>, Result<(), VaultError>) {
        let finished = unlock::close(&self.state.open);
        let is_outdated = crate::open::lock(&self.state.open.pen).bar() == Bar::Newer;
        let Self { home, vault, roster, log, state } = self;
        // Where a session still lives, the inside goes with the last one.
        let closed = match Arc::into_inner(state.open) {
            Some(open) => {
                let behind = open.second.into_inner().unwrap_or_else(PoisonError::into_inner);
                let behind = behind.map_or(Ok(()), second::close);
                open.first.index.close().map_err(VaultError::from).and(behind)
            }
            None => Ok(()),
        };
        let finished = finished.and(closed);
        (Vault { home, vault, roster, log, state: Locked { is_outdated } }, finished)
    }

    /// The open vault's inside, for the gate.
    pub(crate) fn open(&self) -> &Arc<Open> {
        &self.state.open
    }
}

/// The roster that a log's authority feeds come to, and the statements that do not count: each changes
/// nothing, and none keeps the others from counting.
///
/// # Errors
/// When the genesis is missing or not this vault's, or an entry cannot be read.
pub fn read_roster(
    log: &dyn LocalLog,
    vault: VaultId,
) -> Result<(Roster, Vec<AuthorityError>), VaultError> {
    let feeds = log.feeds()?.into_iter().map(|(feed, _)| feed);
    let feeds = feeds.filter(|feed| feed.collection == CollectionId::AUTHORITY);
    let (mut statements, mut malformed) = (Vec::new(), Vec::new());
    for feed in feeds {
        read_statements(log, feed, (&mut statements, &mut malformed))?;
    }
    let (roster, mut refused) = judge((log, vault), &statements)?;
    refused.append(&mut malformed);
    Ok((roster, refused))
}

/// What statements in their places come to.
fn judge(
    (log, vault): (&dyn LocalLog, VaultId),
    statements: &[Placed],
) -> Result<(Roster, Vec<AuthorityError>), VaultError> {
    let heads: Vec<_> = log.heads()?;
    let extent = |device, incarnation, at: Position| {
        let is_it = |head: &&Head| {
            (head.device, head.incarnation, head.number) == (device, incarnation, at.number)
        };
        let found = heads.iter().filter(|signed| signed.hash() == at.hash);
        let found: Vec<Head> = found.filter_map(|signed| signed.claim().ok()).collect();
        found.iter().find(is_it).map(|head| head.position(CollectionId::AUTHORITY).number)
    };
    Roster::judge_placed(vault, statements, &extent).map_err(|error| match error {
        // Where it is not, the store is not this vault's, or not whole.
        AuthorityError::Genesis => VaultError::Damaged("store"),
        error => VaultError::Authority(error),
    })
}

/// Every statement of the log, in its place.
fn placed(log: &dyn LocalLog) -> Result<Vec<Placed>, VaultError> {
    let (mut statements, mut malformed) = (Vec::new(), Vec::new());
    let feeds = log.feeds()?.into_iter().map(|(feed, _)| feed);
    for feed in feeds.filter(|feed| feed.collection == CollectionId::AUTHORITY) {
        read_statements(log, feed, (&mut statements, &mut malformed))?;
    }
    Ok(statements)
}

/// Every statement of the log.
pub(crate) fn every_statement(log: &dyn LocalLog) -> Result<Vec<SignedStatement>, VaultError> {
    Ok(placed(log)?.into_iter().map(|placed| placed.statement).collect())
}

/// The statements of one feed. A body that is none leaves the others as they are (AUT-16): any listed device
/// can write one. A row that is damaged is stepped over; a check of the store names it, and other stores have it.
fn read_statements(
    log: &dyn LocalLog,
    feed: FeedId,
    (statements, malformed): (&mut Vec<Placed>, &mut Vec<AuthorityError>),
) -> Result<(), VaultError> {
    each_sound(log, feed, (0, u64::MAX), &mut |entry| match decode_body(entry.body()) {
        Ok(said) => statements.extend(said.into_iter().map(|statement| Placed {
            life: (feed.device, feed.incarnation),
            number: entry.header().number,
            statement,
        })),
        Err(error) => malformed.push(AuthorityError::Signed(SignedError::Payload(error))),
    })
}

/// Calls `each` with the entries of a feed after one number up to another, but for damaged ones.
fn each_sound(
    log: &dyn LocalLog,
    feed: FeedId,
    (mut after, upto): (u64, u64),
    each: &mut dyn FnMut(&Entry),
) -> Result<(), VaultError> {
    let mut most = READ_ENTRIES_MAX;
    while after < upto {
        let entries = match log.read(feed, after, most) {
            Err(StoreError::DamagedEntry { number, .. }) if number > after => {
                // What stands before the damage is read first; then it is stepped over.
                let before = number.saturating_sub(after).saturating_sub(1);
                most = usize::try_from(before).unwrap_or(READ_ENTRIES_MAX).min(READ_ENTRIES_MAX);
                if most == 0 {
                    (after, most) = (number, READ_ENTRIES_MAX);
                }
                continue;
            }
            entries => entries?,
        };
        let Some(last) = entries.last() else { break };
        after = last.header().number;
        most = READ_ENTRIES_MAX;
        entries.iter().filter(|entry| entry.header().number <= upto).for_each(&mut *each);
    }
    Ok(())
}
