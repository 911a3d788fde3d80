// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where a store is: a folder, or a server with an account there.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use aura_protocol::auth::{AccountName, ServerKey};
use aura_protocol::id::{DeviceId, VaultId};
use aura_protocol::store::{BlindStore, StoreError};
use aura_store::folder::FolderStore;
use aura_store::http::{Address, HttpStore, Proof, Server};
use aura_vault::home::Home;
use aura_vault::transport::Transport;

use crate::moment::now_ms;

/// A server, and how this vault is known there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) address: Address,
    pub(crate) name: AccountName,
    /// The key that the server is known by.
    pub(crate) pin: ServerKey,
    /// Whether the account has the vault's former password still.
    pub(crate) is_password_due: bool,
}

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Site {
    Folder(PathBuf),
    Server(Account),
}

/// What tells one store from the others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SiteId {
    Folder(PathBuf),
    Server(Address),
}

impl Site {
    pub(crate) fn id(&self) -> SiteId {
        match self {
            Self::Folder(path) => SiteId::Folder(path.clone()),
            Self::Server(account) => SiteId::Server(account.address.clone()),
        }
    }

    /// As people call it.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Folder(path) => path.display().to_string(),
            Self::Server(account) => account.address.to_string(),
        }
    }

    pub(crate) fn account(&self) -> Option<&Account> {
        match self {
            Self::Folder(_) => None,
            Self::Server(account) => Some(account),
        }
    }
}

/// A store that can be asked, or why it cannot.
pub(crate) type Opened = Result<Arc<dyn BlindStore>, StoreError>;

/// The store in a folder.
pub(crate) fn open_folder(path: &Path) -> Opened {
    Ok(Arc::new(FolderStore::open(path, Box::new(now_ms))?))
}

/// A line to a server, for as long as nothing of what it was made with has changed.
struct Line {
    address: Address,
    with: (ServerKey, VaultId, DeviceId),
    store: Arc<HttpStore>,
}

/// Lines to servers, kept between visits: connections and tokens stay.
#[derive(Default)]
pub(crate) struct Lines(Mutex<Vec<Line>>);

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lines")
    }
}

impl Lines {
    /// The store at a site, for the vault in `home`.
    pub(crate) fn open(&self, home: &Home, vault: VaultId, site: &Site) -> Opened {
        match site {
            Site::Folder(path) => open_folder(path),
            Site::Server(account) => Ok(self.server(home, vault, account)?),
        }
    }

    /// The vault at a server, in this device's name.
    pub(crate) fn server(
        &self,
        home: &Home,
        vault: VaultId,
        account: &Account,
    ) -> Result<Arc<HttpStore>, StoreError> {
        let device = home.device().ok_or(StoreError::Unauthenticated)?;
        let with = (account.pin, vault, device);
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = lines.iter().find(|line| line.address == account.address && line.with == with);
        if let Some(line) = kept {
            return Ok(Arc::clone(&line.store));
        }
        let transport = Transport::read(home).map_err(StoreError::Io)?;
        let server = Server::new(account.address.clone(), account.pin)?;
        let proof = Proof::Device(Arc::new(transport));
        let store = Arc::new(HttpStore::new(&server, vault, proof, Box::new(now_ms)));
        lines.retain(|line| line.address != account.address);
        let address = account.address.clone();
        lines.push(Line { address, with, store: Arc::clone(&store) });
        Ok(store)
    }
}
