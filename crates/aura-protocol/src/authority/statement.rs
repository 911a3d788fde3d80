// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an authority entry carries: statements, each with the signatures that it needs.
//!
//! A body is a list of byte strings with signatures beside them, so that one statement that nobody can
//! read leaves the others readable. Source: spec/authority.md, rules AUT-1 to AUT-4, AUT-16.

use super::claim::{Claim, decode_claim, encode_claim};
use crate::codec::{CodecError, Decode, Encode, Extra, Reader, Writer, version};
use crate::id::{Hash, VaultId};
use crate::label::Label;
use crate::limits::{
    FORMAT_VERSION, STATEMENT_BYTES_MAX, STATEMENT_SIGNATURES_MAX, STATEMENTS_MAX,
};
use crate::signed::{Signature, SignedError, verify};

/// A claim, in which vault and when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The vault; `None` in a genesis, which makes it.
    pub vault: Option<VaultId>,
    /// What is claimed.
    pub claim: Claim,
    /// The maker's hybrid logical clock.
    pub clock: u64,
    /// Members from a newer version.
    pub extra: Extra,
}

/// A statement as made: its bytes and the signatures over them, each with the key it claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedStatement {
    /// The statement's encoding.
    pub payload: Vec<u8>,
    /// (verifying key, signature).
    pub signatures: Vec<([u8; 32], Signature)>,
}

impl SignedStatement {
    /// SHA-256 of the whole signed statement; of a genesis, the vault's id (AUT-2).
    pub fn hash(&self) -> Hash {
        Hash::of(&[&self.to_bytes()])
    }

    /// The statement, unchecked.
    ///
    /// # Errors
    /// When the payload does not decode.
    pub fn claim(&self) -> Result<Statement, SignedError> {
        Statement::from_bytes(&self.payload, STATEMENT_BYTES_MAX).map_err(SignedError::Payload)
    }

    /// The label under which this statement is signed.
    pub fn label(claim: &Claim) -> Label {
        match claim {
            Claim::Genesis { .. } => Label::SigGenesis,
            _ => Label::SigStatement,
        }
    }

    /// The statement and the keys that signed it, every signature checked (AUT-3).
    ///
    /// # Errors
    /// When a signature is not its key's, there is none, a key signs twice, or the payload does not
    /// decode. A payload that only a newer version reads is said to be one only if it is well signed.
    pub fn verify(&self) -> Result<(Statement, Vec<[u8; 32]>), SignedError> {
        let (label, statement) = match self.claim() {
            Ok(statement) => (Self::label(&statement.claim), Ok(statement)),
            Err(SignedError::Payload(error)) if error.is_newer() => {
                (Label::SigStatement, Err(SignedError::Payload(error)))
            }
            Err(error) => return Err(error),
        };
        let signers: Vec<[u8; 32]> = self.signatures.iter().map(|(key, _)| *key).collect();
        let are_distinct = signers
            .iter()
            .enumerate()
            .all(|(at, key)| !signers.iter().skip(at + 1).any(|k| k == key));
        if signers.is_empty() || signers.len() > STATEMENT_SIGNATURES_MAX || !are_distinct {
            return Err(SignedError::Signature);
        }
        for (key, signature) in &self.signatures {
            verify(key, label, &self.payload, signature)?;
        }
        Ok((statement?, signers))
    }

    /// The vault that the payload names, as far as a statement of a newer version can be read.
    pub(super) fn vault(&self) -> Option<VaultId> {
        let mut vault = None;
        // What follows the vault may be anything; only what stands before it must be as expected.
        let read = Reader::new(&self.payload).map(|map| {
            map.required(1, Reader::uint)?;
            vault = map.optional(2, |r| r.bytes_exact().map(VaultId))?;
            Ok(())
        });
        // An error further on is what is expected here.
        drop(read);
        vault
    }
}

impl Encode for SignedStatement {
    fn encode(&self, writer: &mut Writer) {
        writer.array(2).bytes(&self.payload).array(self.signatures.len());
        for (key, signature) in &self.signatures {
            writer.array(2).bytes(key).bytes(&signature.0);
        }
    }
}

impl Decode for SignedStatement {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.tuple(2, |r| {
            let payload = r.bytes()?.to_vec();
            let signatures = r.array(STATEMENT_SIGNATURES_MAX, |r| {
                r.tuple(2, |r| Ok((r.bytes_exact()?, Signature(r.bytes_exact()?))))
            })?;
            Ok(Self { payload, signatures })
        })
    }
}

/// The body of an authority entry.
pub fn encode_body(statements: &[SignedStatement]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.array(statements.len());
    statements.iter().for_each(|statement| statement.encode(&mut writer));
    writer.into_bytes()
}

/// The statements in the body of an authority entry, none of them looked into (AUT-16).
///
/// # Errors
/// When the body does not decode.
pub fn decode_body(body: &[u8]) -> Result<Vec<SignedStatement>, CodecError> {
    let mut reader = Reader::new(body);
    let statements = reader.array(STATEMENTS_MAX, SignedStatement::decode)?;
    reader.finish()?;
    Ok(statements)
}

impl Encode for Statement {
    fn encode(&self, writer: &mut Writer) {
        let fixed: usize = if self.vault.is_some() { 5 } else { 4 };
        writer.map(fixed.saturating_add(self.extra.len()));
        writer.uint(1).uint(FORMAT_VERSION);
        if let Some(vault) = &self.vault {
            writer.uint(2).bytes(&vault.0);
        }
        writer.uint(3).uint(self.claim.code());
        writer.uint(4);
        encode_claim(&self.claim, writer);
        writer.uint(5).uint(self.clock);
        self.extra.encode(writer);
    }
}

impl Decode for Statement {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let (mut statement, extra) = reader.map(|map| {
            map.required(1, version)?;
            let vault = map.optional(2, |r| r.bytes_exact().map(VaultId))?;
            let code = map.required(3, Reader::uint)?;
            let claim = map.required(4, |r| decode_claim(code, r))?;
            let clock = map.required(5, Reader::uint)?;
            // AUT-1: only a genesis, which makes the vault's id, does without it.
            if vault.is_none() != matches!(claim, Claim::Genesis { .. }) {
                return Err(CodecError::MissingKey(2));
            }
            Ok(Self { vault, claim, clock, extra: Extra::default() })
        })?;
        statement.extra = extra;
        Ok(statement)
    }
}
