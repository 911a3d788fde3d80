// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a vault's statements come to, in whatever order they are found.
//!
//! Stores and vaults judge alike, so that no device is listed here and not there. Each statement's
//! signatures are checked once. Source: spec/authority.md, rule AUT-21.

use super::claim::Claim;
use super::roster::{AuthorityError, Checked, Roster};
use super::statement::SignedStatement;
use crate::id::{DeviceId, Hash, VaultId};
use crate::signed::SignedError;

/// How often statements that did not count are tried again: a chain of devices that were each listed by the
/// next, all with clocks that run the wrong way. A bound, since anybody who is listed may write one.
const PASSES_MAX: usize = 64;

impl Roster {
    /// The roster of a vault whose authority feeds have these statements, and why some of them do not count. Each
    /// of those changes nothing, and keeps no other from counting.
    ///
    /// # Errors
    /// When the vault's genesis is not among them, or is none.
    pub fn judge(
        vault: VaultId,
        statements: &[SignedStatement],
    ) -> Result<(Self, Vec<AuthorityError>), AuthorityError> {
        let genesis = statements.iter().find(|statement| statement.hash() == Hash(vault.0));
        let genesis = genesis.ok_or(AuthorityError::Genesis)?;
        let mut roster = Self::begin(genesis)?;
        let (mut refused, mut newer) = (Vec::new(), Vec::new());
        let mut said = Sorted::default();
        for signed in statements.iter().filter(|signed| *signed != genesis) {
            match Checked::of(signed) {
                Ok(checked) => said.put(checked),
                Err(SignedError::Payload(error)) if error.is_newer() => newer.push(signed),
                Err(error) => refused.push(AuthorityError::Signed(error)),
            }
        }
        let Sorted { mut adds, mut others, mut ends } = said;
        for statements in [&mut adds, &mut others] {
            statements.sort_by_key(|checked| (checked.statement.clock, checked.payload));
        }
        for _ in 0..PASSES_MAX {
            roster.take_all(&mut others);
            let before = adds.len();
            adds.retain(|add| !roster.lists(add, &others));
            if adds.len() == before {
                break;
            }
        }
        // Whoever waits for nobody's word that is there yet comes last (AUT-22).
        refused.append(&mut roster.take_all(&mut adds));
        refused.append(&mut roster.take_all(&mut others));
        ends.sort_by_cached_key(|checked| roster.rank(checked));
        refused.append(&mut roster.take_all(&mut ends));
        refused.extend(newer.into_iter().map(|signed| roster.newer(signed)));
        Ok((roster, refused))
    }

    /// Takes what counts out of these, again as long as something new does. Says why the rest does not.
    fn take_all(&mut self, left: &mut Vec<Checked>) -> Vec<AuthorityError> {
        let mut refused = Vec::new();
        for _ in 0..PASSES_MAX {
            refused.clear();
            let before = left.len();
            left.retain(|checked| match self.take(checked) {
                Ok(()) => false,
                Err(error) => {
                    refused.push(error);
                    true
                }
            });
            if left.is_empty() || left.len() == before {
                break;
            }
        }
        refused
    }

    /// Lists a device that an active one added, or that somebody has confirmed who may.
    fn lists(&mut self, add: &Checked, others: &[Checked]) -> bool {
        if self.is_by_device(&add.signers) {
            return self.take(add).is_ok();
        }
        let Claim::Add(keys) = &add.statement.claim else { return false };
        let id = keys.id();
        let confirms = |other: &&Checked| {
            matches!(other.statement.claim, Claim::Confirm(device) if device == id)
                && self.may_confirm(&other.signers)
        };
        let Some(confirm) = others.iter().find(confirms) else { return false };
        // The confirm is taken with it, so that it waits at no time.
        self.take(add).is_ok() && self.take(confirm).is_ok()
    }

    /// Of two devices that end each other, the one that was listed earlier is heard first, and whoever holds
    /// the recovery code before both.
    fn rank(&self, end: &Checked) -> (bool, usize, u64, Hash) {
        let of_signer = |key: &[u8; 32]| {
            self.device(DeviceId::of_key(key)).map_or(usize::MAX, |device| device.order)
        };
        let first = end.signers.iter().map(of_signer).min().unwrap_or(usize::MAX);
        (!self.is_by_recovery(&end.signers), first, end.statement.clock, end.payload)
    }
}

/// Statements by what they need before them.
#[derive(Default)]
struct Sorted {
    /// New devices.
    adds: Vec<Checked>,
    /// Whatever is neither of the two.
    others: Vec<Checked>,
    /// Revokes and closes.
    ends: Vec<Checked>,
}

impl Sorted {
    fn put(&mut self, checked: Checked) {
        match checked.statement.claim {
            Claim::Add(_) => self.adds.push(checked),
            Claim::Revoke { .. } | Claim::Close { .. } => self.ends.push(checked),
            _ => self.others.push(checked),
        }
    }
}
