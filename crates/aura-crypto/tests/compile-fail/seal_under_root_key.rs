// SPDX-License-Identifier: MIT OR Apache-2.0
//! Must not compile (KEY-07).

use aura_crypto::{aead, key};
use aura_protocol::label::Label;

fn seal(root: &key::RootKey, hedge: &mut aead::Hedge<'_>) -> Vec<u8> {
    aead::seal(root, &aead::Context::new(Label::Chunk), hedge, b"")
}

fn main() {}
