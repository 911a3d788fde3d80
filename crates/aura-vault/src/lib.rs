// SPDX-License-Identifier: MIT OR Apache-2.0
//! A person's data on this device: records, feeds, database, search, gate, audit.
//!
//! Synchronous: it writes through a `LocalLog` and does I/O of its own only in `home`, `db`, `search` and
//! `blob`. The log is the truth; database and index are views. Plaintext leaves through `gate` alone.

pub mod record;

pub mod clock;

pub mod json;

pub mod op;

pub mod blob;

pub mod state;

pub mod retain;

pub mod view;

pub mod change;

pub mod audit;

pub mod keyring;

pub mod home;

pub mod seen;

pub mod device;

pub mod transport;

pub mod feed;

pub mod db;

pub mod search;

pub mod grant;

mod document;

pub mod views;

pub mod open;

pub mod vault;

mod rows;

mod consent;

pub mod intake;

pub mod gate;

pub mod check;

pub mod compact;
