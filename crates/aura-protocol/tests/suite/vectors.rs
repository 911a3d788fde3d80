// SPDX-License-Identifier: MIT OR Apache-2.0
//! The project's own vectors: one case a file, made here, judged here, kept in `vectors/`.
//!
//! How a case is written and compared is in `aura_testkit::vectors`.

mod judge;

mod authority;
mod codec;
mod entry;
mod head;
mod log;
mod signature;

use aura_testkit::vectors::kept;

use judge::judge;

#[test]
fn codec_vectors_are_kept() {
    kept("codec", &codec::cases(), judge);
}

#[test]
fn entry_vectors_are_kept() {
    kept("entry", &entry::cases(), judge);
}

#[test]
fn head_vectors_are_kept() {
    kept("head", &head::cases(), judge);
}

#[test]
fn authority_vectors_are_kept() {
    kept("authority", &authority::cases(), judge);
}

#[test]
fn log_vectors_are_kept() {
    kept("log", &log::cases(), judge);
}

#[test]
fn signature_vectors_are_kept() {
    kept("signature", &signature::cases(), judge);
}
