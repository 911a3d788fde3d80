// SPDX-License-Identifier: MIT OR Apache-2.0
//! Must not compile (KEY-07).

use aura_crypto::key::RootKey;

fn leak(key: &RootKey, other: &RootKey) -> RootKey {
    println!("{key} {key:x} {}", key == other);
    key.clone()
}

fn main() {}
