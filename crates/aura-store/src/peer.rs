// SPDX-License-Identifier: MIT OR Apache-2.0
//! Another device of the vault as a blind store, directly, without a server: QUIC between the two.
//!
//! Each knows the other by its transport key, which its own local store must list; until then neither sends a byte of
//! the vault. What the other one answers is bounded before it is read, and believed no more than a folder; what it
//! brings, the local store checks. How devices find each other is in [`find`]; joining takes another store.
//! Source: spec/peer.md, rules PEE-1 to PEE-13.

mod source;

mod tls;

mod stream;

mod door;

mod serve;

mod node;

mod store;

pub mod find;

#[cfg(test)]
mod hostile;

pub use node::{Fill, Listen, Node};
pub use source::Source;
pub use store::{PeerStore, Place, PlaceError};
