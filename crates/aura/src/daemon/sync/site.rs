// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where a store is: a folder, here or over a network, a server with an account there, or another device.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use aura_protocol::auth::{AccountName, ServerKey};
use aura_protocol::id::{DeviceId, VaultId};
use aura_protocol::store::{BlindStore, StoreError};
use aura_store::folder::FolderStore;
use aura_store::http::{Address, HttpStore, Proof, Server};
use aura_store::peer::Place;
use aura_vault::home::Home;
use aura_vault::transport::Transport;

use super::latch;
use crate::faraway::Faraway;
use crate::moment::now_ms;

/// Digits of a device's id that tell it from a person's other ones.
pub(crate) const SHORT: usize = 8;

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

/// Another device of the vault, spoken to directly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) device: DeviceId,
    /// Where it is, if a person said so; else it is found, or not there.
    pub(crate) address: Option<Place>,
}

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Site {
    Folder(PathBuf),
    Far(Faraway),
    Server(Account),
    /// The devices on this network, which this one lets in at a UDP port; 0 for any. It is no store itself.
    Lan(u16),
    Peer(Peer),
}

/// What tells one store from the others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SiteId {
    Folder(PathBuf),
    /// By its address.
    Far(String),
    Server(Address),
    Lan,
    Peer(DeviceId),
}

impl Site {
    pub(crate) fn id(&self) -> SiteId {
        match self {
            Self::Folder(path) => SiteId::Folder(path.clone()),
            Self::Far(far) => SiteId::Far(far.url.clone()),
            Self::Server(account) => SiteId::Server(account.address.clone()),
            Self::Lan(_) => SiteId::Lan,
            Self::Peer(peer) => SiteId::Peer(peer.device),
        }
    }

    /// As people call it.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Folder(path) => path.display().to_string(),
            Self::Far(far) => far.url.clone(),
            Self::Server(account) => account.address.to_string(),
            Self::Lan(_) => "lan".to_owned(),
            Self::Peer(Peer { address: Some(address), .. }) => address.to_string(),
            Self::Peer(Peer { device, .. }) => {
                let device = device.to_string();
                format!("lan/{}", device.get(..SHORT).unwrap_or_default())
            }
        }
    }

    /// How it is reached, in a word.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Folder(_) => "folder",
            Self::Far(far) => far.kind(),
            Self::Server(_) => "server",
            Self::Lan(_) => "lan",
            Self::Peer(_) => "device",
        }
    }

    /// Whether it tells by itself when it has news.
    pub(crate) fn tells(&self) -> bool {
        matches!(self, Self::Server(_) | Self::Peer(_))
    }

    /// Whether it is another device, or all that are found.
    pub(crate) fn is_device(&self) -> bool {
        matches!(self, Self::Lan(_) | Self::Peer(_))
    }

    /// Whether there is something to bring there.
    pub(crate) fn is_store(&self) -> bool {
        !matches!(self, Self::Lan(_))
    }

    pub(crate) fn account(&self) -> Option<&Account> {
        match self {
            Self::Folder(_) | Self::Far(_) | Self::Lan(_) | Self::Peer(_) => None,
            Self::Server(account) => Some(account),
        }
    }
}

/// A store that can be asked, or why it cannot.
pub(crate) type Opened = Result<Arc<dyn BlindStore>, StoreError>;

/// A store by what it is, for what a blind store does not do: a box for devices that pair.
pub(crate) enum Road {
    Folder(Arc<FolderStore>),
    Server(Arc<HttpStore>),
}

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

/// Lines to servers and far folders, kept between visits: connections, tokens and what is known of heads stay.
#[derive(Default)]
pub(crate) struct Lines(Mutex<Vec<Line>>, Mutex<Vec<(Faraway, Arc<FolderStore>)>>);

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
            Site::Far(far) => Ok(self.far(home, far)?),
            Site::Server(account) => Ok(self.server(home, vault, account)?),
            Site::Lan(_) | Site::Peer(_) => Err(StoreError::Unreachable("it is a device")),
        }
    }

    /// The same, by what it is.
    pub(crate) fn road(
        &self,
        home: &Home,
        vault: VaultId,
        site: &Site,
    ) -> Result<Road, StoreError> {
        Ok(match site {
            Site::Folder(path) => {
                Road::Folder(Arc::new(FolderStore::open(path, Box::new(now_ms))?))
            }
            Site::Far(far) => Road::Folder(self.far(home, far)?),
            Site::Server(account) => Road::Server(self.server(home, vault, account)?),
            Site::Lan(_) | Site::Peer(_) => {
                return Err(StoreError::Unreachable("it is a device"));
            }
        })
    }

    fn far(&self, home: &Home, far: &Faraway) -> Result<Arc<FolderStore>, StoreError> {
        let mut lines = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, store)) = lines.iter().find(|(known, _)| known == far) {
            return Ok(Arc::clone(store));
        }
        let secret = latch::find(home.path(), &far.url)
            .map_err(|_| StoreError::Unreachable("its secret cannot be read: see `far.key`"))?;
        let store = far.open(secret.as_ref())?;
        lines.retain(|(known, _)| known.url != far.url);
        lines.push((far.clone(), Arc::clone(&store)));
        Ok(store)
    }

    /// Lets go of the line to a far folder: it, or its secret, is another one now.
    pub(crate) fn forget(&self, url: &str) {
        let mut lines = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|(known, _)| known.url != url);
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
