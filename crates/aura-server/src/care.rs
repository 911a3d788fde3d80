// SPDX-License-Identifier: MIT OR Apache-2.0
//! Looking after a server's folder: copies while it works, and a look at whether all is well.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aura_protocol::id::{ChunkName, VaultId};
use aura_protocol::store::StoreError;
use rusqlite::{Connection, OpenFlags};

use crate::access;
use crate::accounts::{AccountBook, AccountError, Accounts, take_away};
use crate::backing::{Backing, BackingError};
use crate::config::Config;
use crate::copy::copy_whole;
use crate::secrets::{self, Certificate, LogKey};
use crate::vaults::{self, Now};

/// Files of the server's own that a copy takes along.
const KEYS: [&str; 4] = ["logins.key", "tls.key", "tls.crt", "log.key"];

/// Why a copy was not made. What was written of it is in a folder that ends in `.partial`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CareError {
    /// Something stands where the copy should be.
    #[error("{0} is there already; choose a new folder")]
    Present(PathBuf),
    /// A file could not be read or written.
    #[error("{path} could not be read or written; the server's folder was not changed")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// A vault's database could not be copied.
    #[error("the database {path} could not be copied; it was not changed")]
    Database {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: rusqlite::Error,
    },
    /// The accounts.
    #[error("accounts.db could not be used")]
    Accounts(#[from] AccountError),
    /// What the server stands on.
    #[error(transparent)]
    Backing(#[from] BackingError),
    /// A vault could not be taken away.
    #[error(
        "the account is closed, but what is kept for it could not be taken away yet; the server does that when it works"
    )]
    Vault(#[source] AccountError),
    /// The server did not hear of it.
    #[error(
        "the account is closed, but other nodes could not be told; they notice it by themselves"
    )]
    Untold(#[from] StoreError),
}

/// What a copy came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Copied {
    /// Vaults.
    pub vaults: u64,
    /// Bytes of their chunks and databases.
    pub bytes: u64,
    /// What stands among the vaults and is none: left out.
    pub strays: Vec<PathBuf>,
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> CareError {
    let path = path.to_owned();
    move |error| CareError::File { path, error }
}

/// Copies everything to a new folder, also while the server works: a server can be started on the copy. A
/// vault's database comes before its chunks, so that no entry of it misses a chunk that was there.
///
/// # Errors
/// When the folder exists or something cannot be copied.
pub fn back_up(data: &Path, to: &Path) -> Result<Copied, CareError> {
    if to.exists() {
        return Err(CareError::Present(to.to_owned()));
    }
    let mut partial = to.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(failed(&partial))?;
    }
    make(&partial)?;
    let accounts = partial.join("accounts.db");
    copy_database(&data.join("accounts.db"), &accounts)?;
    for name in KEYS {
        let (from, to) = (data.join(name), partial.join(name));
        if from.exists() {
            fs::copy(&from, &to).map_err(failed(&from))?;
            private(&to)?;
        }
    }
    let (vaults, strays) = all(data)?;
    let mut copied = Copied { strays, ..Copied::default() };
    for vault in vaults {
        if let Some(bytes) = copy_vault((data, &partial), vault)? {
            copied.bytes = copied.bytes.saturating_add(bytes);
            copied.vaults = copied.vaults.saturating_add(1);
        }
    }
    fs::rename(&partial, to).map_err(failed(to))?;
    Ok(copied)
}

/// Copies a vault: how many bytes that were. Nothing where it is being made, or is taken away meanwhile.
fn copy_vault((data, copy): (&Path, &Path), vault: VaultId) -> Result<Option<u64>, CareError> {
    let of = |root: &Path| vaults::folder(&root.join("vaults"), vault);
    let (from, to) = (of(data), of(copy));
    let is_there = || from.join("store.db").exists();
    if !is_there() {
        return Ok(None);
    }
    match copy_whole_vault(&from, &to) {
        // By half it would be one that has lost something.
        _ if !is_there() => {
            fs::remove_dir_all(&to).map_err(failed(&to))?;
            Ok(None)
        }
        copied => copied.map(Some),
    }
}

fn copy_whole_vault(from: &Path, to: &Path) -> Result<u64, CareError> {
    make(to)?;
    let mut bytes = 0u64;
    for name in ["store.db", access::FILE] {
        if from.join(name).exists() {
            bytes = bytes.saturating_add(copy_database(&from.join(name), &to.join(name))?);
        }
    }
    Ok(bytes.saturating_add(copy_chunks(&from.join("chunks"), &to.join("chunks"))?))
}

fn make(folder: &Path) -> Result<(), CareError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed(folder))
}

fn private(path: &Path) -> Result<(), CareError> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed(path))
}

/// The vaults in a server's folder, and what stands among them and is none.
fn all(data: &Path) -> Result<(Vec<VaultId>, Vec<PathBuf>), CareError> {
    let (mut found, mut strays) = (Vec::new(), Vec::new());
    let root = data.join("vaults");
    for shelf in folders(&root, &mut strays)? {
        for (path, name) in folders(&shelf.0, &mut strays)? {
            let vault = VaultId::parse(&name);
            match vault.filter(|vault| vaults::folder(&root, *vault) == path) {
                Some(vault) => found.push(vault),
                None => strays.push(path),
            }
        }
    }
    found.sort_unstable();
    strays.sort_unstable();
    Ok((found, strays))
}

/// Folders in a folder, with their names; whatever else is there is a stray. What the server is taking away is neither.
fn folders(of: &Path, strays: &mut Vec<PathBuf>) -> Result<Vec<(PathBuf, String)>, CareError> {
    let mut found = Vec::new();
    // It was never made, or was taken away since.
    let Some(entries) = unless_gone(fs::read_dir(of), of)? else { return Ok(found) };
    for entry in entries {
        let entry = entry.map_err(failed(of))?;
        let Some(kind) = unless_gone(entry.file_type(), &entry.path())? else { continue };
        let is_folder = kind.is_dir();
        match entry.file_name().into_string() {
            Ok(name) if is_folder && vaults::is_removed(&name) => {}
            Ok(name) if is_folder => found.push((entry.path(), name)),
            _ => strays.push(entry.path()),
        }
    }
    Ok(found)
}

fn copy_database(from: &Path, to: &Path) -> Result<u64, CareError> {
    let copy = || {
        let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        source.busy_timeout(std::time::Duration::from_secs(10))?;
        let mut copy = Connection::open(to)?;
        copy_whole(&source, &mut copy)
    };
    copy().map_err(|error| CareError::Database { path: from.to_owned(), error })?;
    private(to)?;
    Ok(fs::metadata(to).map_err(failed(to))?.len())
}

/// Chunks never change: each is copied as it is, those that are being written are left out, and those that are let go of
/// meanwhile.
fn copy_chunks(from: &Path, to: &Path) -> Result<u64, CareError> {
    let mut bytes = 0u64;
    for (shelf, name) in folders(from, &mut Vec::new())? {
        if name.len() != 2 {
            continue;
        }
        let to = to.join(name);
        make(&to)?;
        let Some(chunks) = unless_gone(fs::read_dir(&shelf), &shelf)? else { continue };
        for chunk in chunks {
            let chunk = chunk.map_err(failed(&shelf))?;
            let name = chunk.file_name();
            if name.to_str().and_then(ChunkName::parse).is_none() {
                continue;
            }
            let copied = fs::copy(chunk.path(), to.join(chunk.file_name()));
            let copied = unless_gone(copied, &chunk.path())?;
            bytes = bytes.saturating_add(copied.unwrap_or_default());
        }
    }
    Ok(bytes)
}

/// What was read; nothing of what is not there any more.
fn unless_gone<T>(read: io::Result<T>, path: &Path) -> Result<Option<T>, CareError> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some).map_err(failed(path)),
    }
}

/// The accounts of the server that these settings describe, also while it works.
///
/// # Errors
/// When they cannot be opened.
pub fn accounts(config: &Config, now_ms: Now) -> Result<Arc<dyn AccountBook>, CareError> {
    Ok(Backing::as_is(config, now_ms)?.accounts)
}

/// Closes an account and takes its vault away, also while the server works: nobody without an account gets at it any
/// more.
///
/// # Errors
/// When there is none, or what is kept for it cannot be removed yet, which the server does later.
pub fn close(config: &Config, vault: VaultId, now_ms: Now) -> Result<(), CareError> {
    let backing = Backing::as_is(config, now_ms)?;
    backing.accounts.close(vault)?;
    let taken = take_away(&*backing.accounts, vault, || {
        backing.passes.forget(vault)?;
        backing.hosting.remove(vault)
    });
    taken.map_err(CareError::Vault)?;
    Ok(backing.hosting.tell(vault)?)
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// What.
    pub what: String,
    /// What is wrong with it and what to do; nothing if all is well.
    pub trouble: Option<String>,
}

/// Looks at a server's folder, also while the server works. Changes nothing.
pub fn examine(config: &Config) -> Vec<Look> {
    let mut looks = Vec::new();
    let mut look = |what: &str, trouble: Option<String>| {
        looks.push(Look { what: what.to_owned(), trouble });
    };
    look("folder", folder_trouble(&config.data));
    look("logins.key", secret_trouble(&secrets::logins_path(config)));
    if config.storage.is_none() {
        for name in ["tls.key", "accounts.db"] {
            look(name, secret_trouble(&config.data.join(name)));
        }
    }
    // What is not there is not made here: it would be whose who looks.
    let is_there = |name: &str| config.data.join(name).exists();
    if config.tls.is_some() || is_there("tls.key") && is_there("tls.crt") {
        let certificate = Certificate::load(config).err();
        look("certificate", certificate.map(|error| format!("{error}")));
    }
    if secrets::logins_path(config).exists() {
        let logins = secrets::logins(config).err();
        look("logins", logins.map(|error| format!("{error}")));
    }
    if config.storage.is_some() {
        look("database", shared_trouble(config));
        return looks;
    }
    if !is_there("accounts.db") {
        return looks;
    }
    let accounts = match Accounts::look(&config.data.join("accounts.db")) {
        Ok(true) => None,
        Ok(false) => Some("the database is damaged; restore accounts.db from a backup".to_owned()),
        Err(error) => Some(format!("{error}")),
    };
    look("accounts", accounts);
    match all(&config.data) {
        Ok((vaults, strays)) => {
            for stray in strays {
                let trouble = "it is no vault; move it away";
                look(&stray.display().to_string(), Some(trouble.to_owned()));
            }
            for vault in vaults {
                let folder = vaults::folder(&config.data.join("vaults"), vault);
                look(&format!("vault {vault}"), vault_trouble(&folder));
            }
        }
        Err(error) => look("vaults", Some(format!("{error}"))),
    }
    looks
}

/// Whether the database answers, with tables and keys that are this node's.
fn shared_trouble(config: &Config) -> Option<String> {
    let told = |error: &dyn std::error::Error| Some(chain(error));
    let backing = match Backing::as_is(config, || 0) {
        Ok(backing) => backing,
        Err(error) => return told(&error),
    };
    let (setup, log) = match (secrets::logins(config), LogKey::of(config)) {
        (Ok(setup), Ok(log)) => (setup, log),
        (Err(error), _) | (_, Err(error)) => return told(&error),
    };
    if let Err(error) = backing.hosting.compare(&setup, &log) {
        return told(&error);
    }
    backing.accounts.closed().err().and_then(|error| told(&error))
}

/// An error and what it comes from.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

fn folder_trouble(data: &Path) -> Option<String> {
    match fs::metadata(data) {
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            Some(format!("others may look into it: chmod 700 {}", data.display()))
        }
        Ok(_) => None,
        Err(error) => Some(format!("it cannot be read: {error}")),
    }
}

fn secret_trouble(path: &Path) -> Option<String> {
    match fs::metadata(path) {
        Ok(found)
            if found.permissions().mode() & 0o077 != 0
                && path.extension() != Some("db".as_ref()) =>
        {
            Some(format!("others may read it: chmod 600 {}", path.display()))
        }
        Ok(_) => None,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Some("it is not there; the server makes it when it is started".to_owned())
        }
        Err(error) => Some(format!("it cannot be read: {error}")),
    }
}

fn vault_trouble(folder: &Path) -> Option<String> {
    let check = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let database = Connection::open_with_flags(folder.join("store.db"), flags)?;
        database.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
    };
    match check() {
        Ok(told) if told == "ok" => None,
        _ => Some(
            "its database is damaged; end the server, move its folder away, and let a device of the vault sync: it fills it again"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    /// What a person closes or lets go of while it is copied does not stop the copy, and is not in it by half.
    #[test]
    fn what_vanishes_is_stepped_over() {
        let folder = tempfile::tempdir().unwrap();
        let (data, copy) = (folder.path().join("data"), folder.path().join("copy"));
        let of = |root: &Path, at: u8| vaults::folder(&root.join("vaults"), VaultId([at; 32]));
        for at in 1..=3 {
            let shelf = of(&data, at).join("chunks/aa");
            make(&shelf).unwrap();
            let name = format!("aa{}", "0".repeat(30));
            assert!(ChunkName::parse(&name).is_some());
            // Listed, and not there when it is its turn.
            std::os::unix::fs::symlink("nowhere", shelf.join(name)).unwrap();
            fs::write(shelf.join(format!("aa{}", "1".repeat(30))), "sealed").unwrap();
            let store = Connection::open(of(&data, at).join("store.db")).unwrap();
            store.execute_batch("CREATE TABLE entries (body BLOB)").unwrap();
        }
        let (listed, _) = all(&data).unwrap();
        assert_eq!(listed.len(), 3);
        // One is closed before its turn, one while it is copied.
        fs::remove_dir_all(of(&data, 1)).unwrap();
        assert_eq!(copy_vault((&data, &copy), listed[0]).unwrap(), None);
        assert!(copy_vault((&data, &copy), listed[1]).unwrap().unwrap() > 6);
        assert!(of(&copy, 2).join(format!("chunks/aa/aa{}", "1".repeat(30))).exists());
        let going = of(&data, 3);
        let copied = copy_whole_vault(&going, &of(&copy, 3)).unwrap();
        assert!(copied > 6);
        fs::remove_file(going.join("store.db")).unwrap();
        fs::create_dir(going.join("store.db")).unwrap();
        assert!(copy_vault((&data, &copy), listed[2]).is_err(), "that is something else");
    }
}
