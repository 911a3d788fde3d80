// SPDX-License-Identifier: MIT OR Apache-2.0
//! The way to log in that this build has: OPAQUE, or SRP-6a where the feature `srp` is on. Both have the same names; a
//! server and its clients are built with the same one. Source: spec/http.md, rules ACC-6 and ACC-15.

pub use super::method::{Fill, LoginError, Stretch};
#[cfg(not(feature = "srp"))]
pub use super::opaque::{
    Halfway, LOGIN_PROOF_BYTES, LOGIN_REQUEST_BYTES, LOGIN_RESPONSE_BYTES, LoggingIn, RECORD_BYTES,
    REGISTRATION_REQUEST_BYTES, REGISTRATION_RESPONSE_BYTES, Registering, Setup, record,
};
#[cfg(feature = "srp")]
pub use super::srp::{
    Halfway, LOGIN_PROOF_BYTES, LOGIN_REQUEST_BYTES, LOGIN_RESPONSE_BYTES, LoggingIn, RECORD_BYTES,
    REGISTRATION_REQUEST_BYTES, REGISTRATION_RESPONSE_BYTES, Registering, Setup, record,
};
