// SPDX-License-Identifier: MIT OR Apache-2.0
//! The vault directory: which file is where, and how small files are replaced without a torn moment.
//!
//! Everything in it is sealed but the marker, the secret key and the transport key; the directory is
//! readable by the person alone. Source: spec/vault-directory.md, rules DIR-1 to DIR-16.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use aura_protocol::id::VaultId;

const MARKER_BYTES_MAX: u64 = 256;
const SMALL_BYTES_MAX: u64 = 16 << 20;
const MARKER_LINE: &str = "aura vault 1";

/// A vault directory.
#[derive(Debug, Clone)]
pub struct Home(PathBuf);

/// What a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A vault of this format.
    Vault(VaultId),
    /// Nothing of Aura's.
    Empty,
    /// A vault of a newer format.
    Newer,
    /// A marker that says something else.
    Unknown,
}

impl Home {
    /// The vault directory at this path.
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Says what this is and which vault (DIR-1).
    pub fn marker(&self) -> PathBuf {
        self.0.join("aura-vault")
    }

    /// The secret key, as printed in the kit (DIR-3).
    pub fn secret_key(&self) -> PathBuf {
        self.0.join("secret.key")
    }

    /// The device's sealed keys (DIR-4).
    pub fn device_key(&self) -> PathBuf {
        self.0.join("device.key")
    }

    /// The transport key's seed (DIR-5).
    pub fn transport_key(&self) -> PathBuf {
        self.0.join("transport.key")
    }

    /// The keyring's cache (DIR-6).
    pub fn keyring(&self) -> PathBuf {
        self.0.join("keyring")
    }

    /// The local blind store's directory (DIR-2).
    pub fn store(&self) -> PathBuf {
        self.0.join("store")
    }

    /// What can be built again: database and index (DIR-7).
    pub fn views(&self) -> PathBuf {
        self.0.join("views")
    }

    /// The encrypted database.
    pub fn database(&self) -> PathBuf {
        self.views().join("records.db")
    }

    /// The sealed search index.
    pub fn index(&self) -> PathBuf {
        self.views().join("index")
    }

    /// The newest head seen of every device (DIR-11).
    pub fn seen(&self) -> PathBuf {
        self.0.join("seen")
    }

    /// The keys of the views behind the second lock, sealed (DIR-12).
    pub fn second(&self) -> PathBuf {
        self.0.join("second")
    }

    /// The encrypted database behind the second lock.
    pub fn second_database(&self) -> PathBuf {
        self.views().join("second.db")
    }

    /// The sealed search index behind the second lock.
    pub fn second_index(&self) -> PathBuf {
        self.views().join("second-index")
    }

    /// As `attempts`, of the second lock (DIR-12).
    pub fn second_attempts(&self) -> PathBuf {
        self.0.join("second-attempts")
    }

    /// The stores that this device syncs with (DIR-13).
    pub fn stores(&self) -> PathBuf {
        self.0.join("stores.json")
    }

    /// What lets this device into far folders (DIR-16).
    pub fn far_key(&self) -> PathBuf {
        self.0.join("far.key")
    }

    /// Stands here while a device joins, and nothing else does for long (DIR-14).
    pub fn joining(&self) -> PathBuf {
        self.0.join("joining")
    }

    /// How often a wrong secret was tried since the last right one, and when last (DIR-9).
    pub fn attempts(&self) -> PathBuf {
        self.0.join("attempts")
    }

    /// Makes the directory, readable by the person alone.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(&self) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        restrict(&self.0, 0o700)
    }

    /// What the directory is.
    ///
    /// # Errors
    /// When the marker is there but cannot be read.
    pub fn kind(&self) -> io::Result<Kind> {
        let text = match read_bounded(&self.marker(), MARKER_BYTES_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kind::Empty),
            other => String::from_utf8(other?).unwrap_or_default(),
        };
        let mut lines = text.lines();
        Ok(match (lines.next(), lines.next().and_then(VaultId::parse)) {
            (Some(MARKER_LINE), Some(vault)) => Kind::Vault(vault),
            (Some(first), _) if first.starts_with("aura vault ") && first != MARKER_LINE => {
                Kind::Newer
            }
            _ => Kind::Unknown,
        })
    }

    /// Writes the marker: from then on the directory is a vault.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn mark(&self, vault: VaultId) -> io::Result<()> {
        replace(&self.marker(), format!("{MARKER_LINE}\n{vault}\n").as_bytes())
    }
}

/// Reads a small file.
///
/// # Errors
/// When it cannot be read or is larger than any such file is.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_bounded(path, SMALL_BYTES_MAX)
}

fn read_bounded(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the file is larger than it can be",
        ));
    }
    Ok(bytes)
}

/// Puts new bytes in a file's place, durably: after a crash the old or the new ones are there, whole.
/// The file is readable by the person alone (DIR-8).
///
/// # Errors
/// When it cannot be written; the old file is then as it was.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// Takes a file away, durably; one that is not there is no error.
///
/// # Errors
/// When it cannot be taken away.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        removed => removed?,
    }
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn restrict(path: &Path, mode: u32) -> io::Result<()> {
    #[cfg(unix)]
    {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(path, permissions)?;
    }
    #[cfg(not(unix))]
    let _ = (path, mode);
    Ok(())
}
