// SPDX-License-Identifier: MIT OR Apache-2.0
//! A place with far files, and what it takes to reach it.

use core::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::address::{FarAddress, Kind, is_loopback};

/// Whether what is sent may go unencrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Plain {
    /// To this very device only.
    #[default]
    Loopback,
    /// To wherever the address says, as a person has decided.
    Anywhere,
}

/// A place, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Far {
    /// Where it is.
    pub address: FarAddress,
    /// The id of the access key of a bucket; the user of a WebDAV server.
    pub account: Option<String>,
    /// Whom to ask for a bucket: `https://HOST:PORT`. Amazon, if nothing is said.
    pub endpoint: Option<String>,
    /// A bucket's region.
    pub region: Option<String>,
    /// A file with the certificates that are believed, in PEM; the system's, if nothing is said.
    pub certificate: Option<PathBuf>,
    /// A configuration of `ssh` to be used instead of the person's.
    pub ssh_config: Option<PathBuf>,
    /// Whether what is sent may go unencrypted.
    pub plain: Plain,
}

impl Far {
    /// A place of which nothing but its address is known.
    pub fn new(address: FarAddress) -> Self {
        Self {
            address,
            account: None,
            endpoint: None,
            region: None,
            certificate: None,
            ssh_config: None,
            plain: Plain::default(),
        }
    }

    /// FLD-14: whether everything that is sent there is encrypted, or stays on this device, or may go plain.
    pub fn is_safe(&self) -> bool {
        if self.plain == Plain::Anywhere {
            return true;
        }
        match (self.address.kind(), &self.endpoint) {
            (Kind::S3, None) | (Kind::Sftp, _) => true,
            (Kind::S3, Some(endpoint)) => {
                let url = reqwest::Url::parse(endpoint).ok();
                url.is_some_and(|url| {
                    url.scheme() == "https" || url.host_str().is_some_and(is_loopback)
                })
            }
            (Kind::Webdav, _) => self.address.is_tls() || self.address.is_loopback(),
        }
    }
}

/// What a place asks for to let a person in: a secret access key, or a password.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The secret that this text is.
    pub fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    #[cfg(any(feature = "s3", feature = "webdav"))]
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FLD-14.
    #[test]
    fn fld_14_nothing_goes_plain_unless_it_is_said() {
        let far = |text: &str| Far::new(FarAddress::parse(text).unwrap());
        assert!(far("webdavs://nas.example/a").is_safe());
        assert!(far("webdav://127.0.0.1/a").is_safe());
        assert!(!far("webdav://nas.example/a").is_safe());
        assert!(Far { plain: Plain::Anywhere, ..far("webdav://nas.example/a") }.is_safe());
        assert!(far("s3://bucket").is_safe() && far("sftp://nas/a").is_safe());
        let at = |endpoint: &str| Far { endpoint: Some(endpoint.into()), ..far("s3://bucket") };
        assert!(at("https://s3.example").is_safe() && at("http://localhost:9000").is_safe());
        assert!(!at("http://s3.example").is_safe() && !at("s3.example").is_safe());
    }

    #[test]
    fn a_secret_does_not_show() {
        let secret = Secret::new(Zeroizing::new("hunter2".to_owned()));
        assert_eq!(format!("{secret:?}"), "Secret(redacted)");
    }
}
