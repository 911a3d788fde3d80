// SPDX-License-Identifier: MIT OR Apache-2.0
//! Moving everything that a server keeps: from its folder to a database that nodes share, or back.
//!
//! Nobody serves either of them meanwhile. Vaults go one by one, each whole: rows in one transaction, then chunks, then
//! the access log; everything is read back and compared, and only then does the account follow. What was cut short is
//! begun anew with the vault that it was at. The source is not changed.

use std::collections::BTreeSet;

use aura_protocol::id::{ChunkName, Hash};
use aura_protocol::log::{TILE_WIDTH, TileKind, TilePath};
use aura_protocol::store::StoreError;
use aura_store::portable::{Sum, sum};

use crate::access::{Leaf, Leaves};
use crate::accounts::{Account, AccountError, take_away};
use crate::backing::{Backing, BackingError};
use crate::config::Config;
use crate::secrets::{self, Certificate, LogKey, SecretError};
use crate::serve::{self, StartError};
use crate::vaults::{Company, Held, Now, VaultStore};

/// Why not everything was moved. What was until then is; the source was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// Somebody serves it, or moves it.
    #[error("a server works on {0}, or it is being moved; end every server there first")]
    Busy(&'static str),
    /// Devices would not know the server again.
    #[error(
        "where it goes there is another {0}, or none: give it the same file, since devices and logins rest on it"
    )]
    Key(&'static str),
    /// Somebody else has the account there.
    #[error(
        "where it goes there is an account for the vault of {0} already, and it is another one"
    )]
    Occupied(String),
    /// What was read back is not what was written.
    #[error("the vault of {0} is not the same there; nothing was changed where it comes from")]
    Differs(String),
    /// Settings, or what they name.
    #[error(transparent)]
    Backing(#[from] BackingError),
    /// Accounts.
    #[error("the accounts could not be moved")]
    Accounts(#[from] AccountError),
    /// Keys.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The folder.
    #[error(transparent)]
    Folder(#[from] StartError),
    /// A vault.
    #[error("a vault could not be moved; run this again")]
    Store(#[from] StoreError),
}

/// What was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moved {
    /// Accounts with their vaults, those that were there already among them.
    pub accounts: u64,
    /// Those that were there already, and are the same.
    pub already: u64,
    /// Feeds, entries and heads.
    pub rows: u64,
    /// Chunks.
    pub chunks: u64,
    /// Chunks that were damaged or lost where they come from. Devices bring them again.
    pub lost: u64,
}

/// Moves everything from one server to another.
///
/// # Errors
/// When one of them is served, the keys differ, or something cannot be read, written or is not the same there.
pub fn migrate(from: &Config, to: &Config, now_ms: Now) -> Result<Moved, MigrateError> {
    compare_keys(from, to)?;
    let (source, source_held) = alone(from, now_ms, "the source")?;
    let (target, target_held) = alone(to, now_ms, "the target")?;
    for backing in [&source, &target] {
        for vault in backing.accounts.closing()? {
            take_away(&*backing.accounts, vault, || backing.hosting.remove(vault))?;
        }
    }
    target.hosting.agree(&secrets::logins(to)?, &LogKey::of(to)?).map_err(BackingError::from)?;
    let mut moved = Moved::default();
    for account in source.accounts.all()? {
        // A database that began anew has forgotten who was alone there.
        source_held.check()?;
        target_held.check()?;
        move_vault(&source, &target, &account, &mut moved)?;
    }
    source_held.check()?;
    target_held.check()?;
    for (hash, uses, until_ms) in source.accounts.invitations()? {
        target.accounts.keep_invitation(hash, uses, until_ms)?;
    }
    Ok(moved)
}

/// What a server stands on, and what keeps servers away until it is dropped.
fn alone(
    config: &Config,
    now_ms: Now,
    what: &'static str,
) -> Result<(Backing, Box<dyn Held>), MigrateError> {
    if config.storage.is_none() {
        return match serve::hold(&config.data) {
            Ok(lock) => Ok((Backing::of(config, now_ms)?, Box::new(lock))),
            Err(StartError::Busy(_)) => Err(MigrateError::Busy(what)),
            Err(error) => Err(error.into()),
        };
    }
    let backing = Backing::of(config, now_ms)?;
    let hold = backing.hosting.hold(Company::Nobody)?.ok_or(MigrateError::Busy(what))?;
    Ok((backing, hold))
}

/// Devices know a server by its keys, and logins rest on one: both have the same. None is made here.
fn compare_keys(from: &Config, to: &Config) -> Result<(), MigrateError> {
    for config in [from, to] {
        let log = config.log_key.clone().unwrap_or_else(|| config.data.join("log.key"));
        let tls = config.tls.as_ref().map(|tls| tls.key.clone());
        let tls = tls.unwrap_or_else(|| config.data.join("tls.key"));
        let files =
            [(secrets::logins_path(config), "logins.key"), (log, "log.key"), (tls, "TLS key")];
        if let Some((_, what)) = files.iter().find(|(path, _)| !path.exists()) {
            return Err(MigrateError::Key(what));
        }
    }
    if *secrets::logins(from)?.to_bytes() != *secrets::logins(to)?.to_bytes() {
        return Err(MigrateError::Key("logins.key"));
    }
    if LogKey::of(from)?.public() != LogKey::of(to)?.public() {
        return Err(MigrateError::Key("log.key"));
    }
    if Certificate::load(from)?.key() != Certificate::load(to)?.key() {
        return Err(MigrateError::Key("TLS key"));
    }
    Ok(())
}

fn move_vault(
    source: &Backing,
    target: &Backing,
    account: &Account,
    moved: &mut Moved,
) -> Result<(), MigrateError> {
    let vault = account.vault;
    let here = source.hosting.open(vault)?;
    match target.accounts.of_vault(vault)? {
        Some(found) if found == *account => {
            let there = target.hosting.open(vault)?;
            let rows = compare(account, &*here, &*there)?;
            moved.already = moved.already.saturating_add(1);
            moved.accounts = moved.accounts.saturating_add(1);
            moved.rows = moved.rows.saturating_add(rows.rows);
            return Ok(());
        }
        Some(_) => return Err(MigrateError::Occupied(account.name.to_string())),
        None if target.accounts.named(&account.name)?.is_some() => {
            return Err(MigrateError::Occupied(account.name.to_string()));
        }
        None => {}
    }
    // What was cut short.
    target.hosting.remove(vault)?;
    let there = target.hosting.open(vault)?;
    there.fill(&*here)?;
    let lost = move_chunks(&*here, &*there, moved)?;
    move_log(source, target, account)?;
    let rows = compare(account, &*here, &*there)?;
    let expected = here.chunk_sizes()?.into_iter().filter(|(name, _)| !lost.contains(name));
    if !expected.eq(there.chunk_sizes()?) {
        return Err(MigrateError::Differs(account.name.to_string()));
    }
    let listing = source.accounts.listing(vault)?;
    target.accounts.open_account((account, &listing), None)?;
    moved.accounts = moved.accounts.saturating_add(1);
    moved.rows = moved.rows.saturating_add(rows.rows);
    Ok(())
}

/// Both are the same, row by row.
fn compare(
    account: &Account,
    here: &dyn VaultStore,
    there: &dyn VaultStore,
) -> Result<Sum, MigrateError> {
    let (one, other) = (sum(here)?, sum(there)?);
    if one == other { Ok(one) } else { Err(MigrateError::Differs(account.name.to_string())) }
}

/// Moves chunks, and reads each back; which could not be read where they come from.
fn move_chunks(
    here: &dyn VaultStore,
    there: &dyn VaultStore,
    moved: &mut Moved,
) -> Result<BTreeSet<ChunkName>, MigrateError> {
    let mut lost = BTreeSet::new();
    for (name, _) in here.chunk_sizes()? {
        let sealed = match here.sealed(name) {
            Err(StoreError::Absent | StoreError::Damaged(_)) => {
                lost.insert(name);
                moved.lost = moved.lost.saturating_add(1);
                continue;
            }
            sealed => sealed?,
        };
        there.keep_sealed(name, &sealed)?;
        if there.sealed(name)? != sealed {
            return Err(StoreError::Damaged("a chunk that was written a moment ago").into());
        }
        moved.chunks = moved.chunks.saturating_add(1);
    }
    Ok(lost)
}

/// Moves an access log, hash by hash, to the same root.
fn move_log(source: &Backing, target: &Backing, account: &Account) -> Result<(), MigrateError> {
    let vault = account.vault;
    let (Some(mut here), Some(mut there)) =
        (source.hosting.leaves(vault), target.hosting.leaves(vault))
    else {
        return Ok(());
    };
    let end = here.settle()?;
    let mut from = 0;
    while from < end.size() {
        let (number, width) = (from / TILE_WIDTH, end.size().saturating_sub(from).min(TILE_WIDTH));
        let leaves = tile(&*here, (number, width))?;
        there.take_over(&leaves)?;
        from = from.saturating_add(width);
    }
    let moved = there.settle()?;
    if (moved.size(), moved.root()) != (end.size(), end.root()) {
        return Err(MigrateError::Differs(account.name.to_string()));
    }
    Ok(())
}

/// The hashes of a tile's leaves, with their texts where they are kept.
fn tile(leaves: &dyn Leaves, (number, width): (u64, u64)) -> Result<Vec<Leaf>, StoreError> {
    const BROKEN: StoreError = StoreError::Damaged("an access log");
    let of = |kind| leaves.tile(TilePath { kind, number, width });
    let (hashes, texts) = (of(TileKind::Hashes(0))?, of(TileKind::Entries)?);
    let is_whole = hashes.len() as u64 == width;
    let has_texts = texts.len() == hashes.len();
    let mut texts = texts.into_iter();
    let one = |hash: Vec<u8>| {
        let text = if has_texts { texts.next() } else { None };
        Some((Hash::from_slice(&hash)?, text))
    };
    let leaves: Option<Vec<_>> = hashes.into_iter().map(one).collect();
    leaves.filter(|_| is_whole).ok_or(BROKEN)
}
