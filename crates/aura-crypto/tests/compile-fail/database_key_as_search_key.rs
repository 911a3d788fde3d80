// SPDX-License-Identifier: MIT OR Apache-2.0
//! Must not compile (KEY-07).

use aura_crypto::key;

fn search(key: key::DatabaseKey) -> key::SearchKey {
    key.into()
}

fn main() {}
