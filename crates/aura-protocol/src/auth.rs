// SPDX-License-Identifier: MIT OR Apache-2.0
//! How an account is opened at a server, and how a device proves who it is.
//!
//! An account's password is never sent: a login, by OPAQUE (RFC 9807), yields a new device an *enrolment token*. A
//! listed device gets its tokens by signing a challenge with its transport key. What is signed, and what
//! a login is bound to, names the server's key, so that no server can pass an answer on to another.
//! Source: spec/http.md, rules ACC-1 to ACC-12.

mod name;

mod challenge;

mod method;

#[cfg(not(feature = "srp"))]
mod opaque;

#[cfg(feature = "srp")]
mod srp;

pub mod login;

pub use challenge::{Challenge, Registration, ServerKey, Token};
pub use name::{AccountName, NameError};
