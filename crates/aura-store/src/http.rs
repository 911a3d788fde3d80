// SPDX-License-Identifier: MIT OR Apache-2.0
//! A server as a blind store: what this device asks over HTTPS, and the accounts there.
//!
//! The server is known by its key and by nothing else; not a byte is sent to one that shows another. Whatever it
//! answers is bounded before it is read, in length and in time, and believed no more than a folder: every reader
//! verifies. Passwords and secret keys are not seen here, only what OPAQUE makes of them.
//! Source: spec/http.md, rules HTP-1 to HTP-15.

mod fault;

mod address;

mod tls;

mod runtime;

mod call;

mod lineage;

mod server;

mod token;

mod events;

mod store;

mod log;

mod pairing;

pub use address::{Address, AddressError};
pub use fault::Fault;
pub use lineage::{LineageError, lineage};
pub use log::{LogFinding, LogMark, Looked, Since};
pub use pairing::ServerBox;
pub use server::Server;
pub use store::HttpStore;
pub use tls::probe;
pub use token::Proof;

#[cfg(any(feature = "s3", feature = "webdav", feature = "sftp"))]
pub(crate) use runtime::run;
#[cfg(any(feature = "s3", feature = "webdav"))]
pub(crate) use tls::CONNECT;
