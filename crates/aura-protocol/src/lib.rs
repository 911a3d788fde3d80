// SPDX-License-Identifier: MIT OR Apache-2.0
//! What two parties of Aura must agree on, and nothing secret: the specification in code.
//!
//! No I/O, no clock, no randomness, and no key but public ones. Reads like a floor plan: each module
//! uses only those above it.

pub mod limits;

pub mod label;

pub mod codec;

pub mod id;

pub mod signed;

pub mod entry;

pub mod head;

pub mod authority;

pub mod log;

pub mod store;

pub mod auth;

pub mod pairing;

pub mod http;

pub mod peer;
