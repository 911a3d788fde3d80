// SPDX-License-Identifier: MIT OR Apache-2.0
//! Signing statements, and the random halves of ids that they introduce.

use aura_crypto::entropy::Entropy;
use aura_crypto::sign::LabelledSigner;
use aura_protocol::authority::{SignedStatement, Statement};
use aura_protocol::codec::Encode as _;
use aura_protocol::id::Nonce16;

/// A signed statement by these keys.
pub(crate) fn sign(statement: &Statement, signers: &[&dyn LabelledSigner]) -> SignedStatement {
    let payload = statement.to_bytes();
    let label = SignedStatement::label(&statement.claim);
    let by = |signer: &&dyn LabelledSigner| (signer.verifying_key(), signer.sign(label, &payload));
    let signatures = signers.iter().map(by).collect();
    SignedStatement { payload, signatures }
}

pub(super) fn random_nonce(entropy: &mut dyn Entropy) -> Nonce16 {
    let mut nonce = [0; 16];
    entropy.fill(&mut nonce);
    Nonce16(nonce)
}
