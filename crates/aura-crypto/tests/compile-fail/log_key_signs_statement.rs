// SPDX-License-Identifier: MIT OR Apache-2.0
//! Must not compile (KEY-07).

use aura_crypto::sign::{LabelledSigner, LogSigningKey};
use aura_protocol::label::Label;

fn sign(key: &LogSigningKey) -> aura_protocol::signed::Signature {
    LabelledSigner::sign(key, Label::SigStatement, b"")
}

fn main() {}
