// SPDX-License-Identifier: MIT OR Apache-2.0
//! A folder on S3, WebDAV or SFTP, as it is named on a command line, told to the daemon and kept in `stores.json`.
//!
//! Its secret is no part of it.

use std::path::PathBuf;
use std::sync::Arc;

use aura_protocol::store::StoreError;
use aura_store::folder::FolderStore;
use aura_store::folder::far::{self, Far, FarAddress, FarAddressError, Plain};
use serde::{Deserialize, Serialize};

use crate::moment::now_ms;
use crate::secret::Secret;

/// A place, by its address and whatever else it takes to reach it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Faraway {
    pub(crate) url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) certificate: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ssh_config: Option<PathBuf>,
    /// Whether what is sent may go unencrypted to other devices.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) plain_http: bool,
}

impl Faraway {
    /// What the store's side makes of it.
    pub(crate) fn place(&self) -> Result<Far, FarAddressError> {
        Ok(Far {
            address: FarAddress::parse(&self.url)?,
            account: self.account.clone(),
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            certificate: self.certificate.clone(),
            ssh_config: self.ssh_config.clone(),
            plain: if self.plain_http { Plain::Anywhere } else { Plain::Loopback },
        })
    }

    /// The store there. Nothing is sent yet.
    pub(crate) fn open(&self, secret: Option<&Secret>) -> Result<Arc<FolderStore>, StoreError> {
        let place = self.place().map_err(|_| StoreError::Unreachable("its address is none"))?;
        let secret = secret.map(|secret| far::Secret::new(secret.again().into_text()));
        Ok(Arc::new(FolderStore::far(&place, secret.as_ref(), Box::new(now_ms))?))
    }

    /// How it is reached, in a word.
    pub(crate) fn kind(&self) -> &'static str {
        FarAddress::parse(&self.url).map_or("far", |address| address.kind().as_str())
    }
}
