// SPDX-License-Identifier: MIT OR Apache-2.0
//! What Aura's tests share: seeded randomness, markers that must be nowhere, the harness of vectors, vaults made of
//! real signatures, stores that fail on purpose, transcripts of what a store sees, and the suites that every blind
//! store must pass. Never shipped.
//!
//! Reads like a floor plan: each module uses only those above it. It panics where a test would.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "this crate runs in tests only, where a panic is how a failure is told"
)]

pub mod seed;

pub mod canary;

pub mod vectors;

#[cfg(unix)]
pub mod cluster;

pub mod author;

pub mod fault;

pub mod transcript;

pub mod hostile;

pub mod conformance;
