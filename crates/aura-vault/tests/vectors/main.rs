// SPDX-License-Identifier: MIT OR Apache-2.0
//! The vault's own vectors: one case a file, made here, judged here, kept in `vectors/`.
//!
//! How a case is written and compared is in `aura_testkit::vectors`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is a failed test"
)]

mod sample;

mod judge;

mod attachment;
mod audit;
mod directory;
mod keyring;
mod ops;
mod record;

use aura_testkit::vectors::kept;

use judge::judge;

#[test]
fn directory_vectors_are_kept() {
    kept("vault-directory", &directory::cases(), judge);
}

#[test]
fn ops_vectors_are_kept() {
    kept("ops", &ops::cases(), judge);
}

#[test]
fn record_vectors_are_kept() {
    kept("record", &record::cases(), judge);
}

#[test]
fn attachment_vectors_are_kept() {
    kept("attachment", &attachment::cases(), judge);
}

#[test]
fn keyring_vectors_are_kept() {
    kept("keyring", &keyring::cases(), judge);
}

#[test]
fn audit_event_vectors_are_kept() {
    kept("audit-events", &audit::cases(), judge);
}
