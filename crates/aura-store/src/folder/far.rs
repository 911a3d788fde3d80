// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files in another place: a bucket of S3, a WebDAV or an SFTP server.
//!
//! Whoever runs it sees sizes, times and names, as with any blind store, and may do with the files what they like:
//! every reader verifies. What it answers is bounded in length and in time before it is looked at. What fails for
//! a moment is tried a few times; whatever was asked may be asked again. Source: spec/folder.md, rules FLD-12 to FLD-18.

mod address;

mod place;

mod fault;

mod remote;

#[cfg(any(feature = "s3", feature = "webdav"))]
mod tls;

#[cfg(any(feature = "s3", feature = "webdav"))]
mod line;

#[cfg(any(feature = "s3", feature = "webdav"))]
mod object;

#[cfg(feature = "sftp")]
mod ssh;

#[cfg(feature = "sftp")]
mod sftp;

mod patient;

use std::sync::Arc;

use aura_protocol::store::StoreError;

pub use self::address::{FarAddress, FarAddressError, Kind};
pub use self::place::{Far, Plain, Secret};
use super::files::Files;
use patient::Patient;

/// The files of a place. Nothing is sent yet.
pub(super) fn open(far: &Far, secret: Option<&Secret>) -> Result<Arc<dyn Files>, StoreError> {
    Ok(match far.address.kind() {
        #[cfg(feature = "s3")]
        Kind::S3 => Arc::new(Patient::new(object::bucket(far, secret)?)),
        #[cfg(feature = "webdav")]
        Kind::Webdav => Arc::new(Patient::new(object::webdav(far, secret)?)),
        #[cfg(feature = "sftp")]
        Kind::Sftp => Arc::new(Patient::new(sftp::Sftp::new(far))),
        #[allow(unreachable_patterns, reason = "where a feature is left out")]
        _ => return Err(StoreError::Unreachable("this program was built without that kind")),
    })
}
