// SPDX-License-Identifier: MIT OR Apache-2.0
//! Must not compile (KEY-07).

use aura_crypto::{aead, entropy, key};

fn hedge<'a>(key: &'a key::ObjectKey, entropy: &'a mut dyn entropy::Entropy) -> aead::Hedge<'a> {
    aead::Hedge::new(key, entropy)
}

fn main() {}
