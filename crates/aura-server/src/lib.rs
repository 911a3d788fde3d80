// SPDX-License-Identifier: MIT OR Apache-2.0
//! A blind store served over HTTPS: accounts, tokens, limits, events.
//!
//! It keeps what it cannot read, for whoever proves a device of the vault. It links no crate that could
//! decrypt. Reads like a floor plan: each module uses only those above it.

pub mod config;

pub mod secrets;

pub mod listing;

mod copy;

pub mod accounts;

pub mod guard;

mod crowd;

mod rate;

mod proxy;

mod line;

mod token;

mod bell;

mod boxes;

mod quota;

mod access;

mod vaults;

pub mod backing;

mod metrics;

mod problem;

mod openapi;

mod routes;

pub mod serve;

pub mod care;

pub mod migrate;
