// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a server stands on: a folder of its own, or a database that it shares with other nodes.

#[cfg(feature = "postgres")]
mod shared;

use std::path::PathBuf;
use std::sync::Arc;

use aura_protocol::store::StoreError;

use crate::accounts::{AccountBook, AccountError, Accounts};
use crate::boxes::{Boxes, Mail};
use crate::config::Config;
use crate::token::{Passes, Tokens};
use crate::vaults::{Disagreement, FolderHosting, Hosting, Now};

/// Why that cannot be used. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackingError {
    /// The accounts' file.
    #[error("accounts.db cannot be used")]
    Accounts(#[from] AccountError),
    /// The database.
    #[error("the database that the settings name cannot be used; nothing of it was changed")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The place for chunks.
    #[error("the place for chunks that the settings name cannot be used")]
    Chunks(#[source] StoreError),
    /// The vaults.
    #[error("the vaults cannot be used")]
    Vaults(#[source] StoreError),
    /// A file that the settings name.
    #[error("{path} could not be read, or is not what the settings need it for")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// There is a password where others read it.
    #[error(
        "the database's address has a password in it; put that into a file and name the file in `password`"
    )]
    Password,
    /// Nodes have keys that devices know them by.
    #[error(
        "with [storage] every node has the same keys: name [tls], logins_key and log_key in the settings; `aura-server keys FOLDER` makes them"
    )]
    Keys,
    /// Another node has begun with another key.
    #[error("other nodes work with another {0}; give this one the same file")]
    Differs(&'static str),
    /// This program cannot.
    #[error("this program was built without PostgreSQL")]
    Unsupported,
}

impl From<Disagreement> for BackingError {
    fn from(error: Disagreement) -> Self {
        match error {
            Disagreement::Key(what) => Self::Differs(what),
            Disagreement::Store(error) => Self::Database(Box::new(error)),
        }
    }
}

/// What a server stands on.
#[derive(Debug)]
pub(crate) struct Backing {
    pub(crate) accounts: Arc<dyn AccountBook>,
    pub(crate) passes: Arc<dyn Passes>,
    pub(crate) boxes: Arc<dyn Mail>,
    pub(crate) hosting: Arc<dyn Hosting>,
}

impl Backing {
    /// What the settings name.
    pub(crate) fn of(config: &Config, now_ms: Now) -> Result<Self, BackingError> {
        match &config.storage {
            Some(_) if !config.has_shared_keys() => Err(BackingError::Keys),
            #[cfg(feature = "postgres")]
            Some(storage) => shared::open(storage, now_ms),
            #[cfg(not(feature = "postgres"))]
            Some(_) => Err(BackingError::Unsupported),
            None => {
                Ok(Self::folder(Accounts::open(&config.data.join("accounts.db"))?, config, now_ms))
            }
        }
    }

    /// The same beside servers that may be of an older version: what they have is not brought to this one.
    pub(crate) fn as_is(config: &Config, now_ms: Now) -> Result<Self, BackingError> {
        match &config.storage {
            #[cfg(feature = "postgres")]
            Some(storage) if config.has_shared_keys() => shared::open_as_is(storage, now_ms),
            Some(_) => Self::of(config, now_ms),
            None => {
                let accounts = Accounts::open_as_is(&config.data.join("accounts.db"))?;
                Ok(Self::folder(accounts, config, now_ms))
            }
        }
    }

    fn folder(accounts: Accounts, config: &Config, now_ms: Now) -> Self {
        Self {
            accounts: Arc::new(accounts),
            passes: Arc::new(Tokens::default()),
            boxes: Arc::new(Boxes::default()),
            hosting: Arc::new(FolderHosting::new(config.data.join("vaults"), now_ms)),
        }
    }
}
