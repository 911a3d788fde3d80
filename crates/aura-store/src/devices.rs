// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which devices may add to a vault, as a store without a key can tell from the authority entries.
//!
//! A store needs less than a vault does: whose key signs a head, and where a revoked device or a closed
//! incarnation ended. It does not know the causal order of statements, so it takes whatever counts in
//! any order, and revokes last; a vault judges more strictly (`aura_vault`).
//! Source: spec/store.md, rule STO-4; spec/authority.md.

use aura_protocol::authority::{Claim, Roster, SignedStatement, Standing, decode_body};
use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{CollectionId, DeviceId, Hash, VaultId};

/// A vault's devices, as far as a store must know them.
#[derive(Debug, Clone, Default)]
pub struct Devices {
    roster: Option<Roster>,
}

impl Devices {
    /// What these authority entries of a vault come to. Statements that do not count change nothing.
    pub fn listed_by<'a>(vault: VaultId, entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let statements: Vec<SignedStatement> = entries
            .into_iter()
            .filter(|entry| entry.header().feed.collection == CollectionId::AUTHORITY)
            .filter_map(|entry| decode_body(entry.body()).ok())
            .flatten()
            .collect();
        let genesis = statements.iter().find(|statement| statement.hash() == Hash(vault.0));
        let Some(mut roster) = genesis.and_then(|genesis| Roster::begin(genesis).ok()) else {
            return Self::default();
        };
        let (ends, grows): (Vec<_>, Vec<_>) =
            statements.iter().filter(|s| s.hash() != Hash(vault.0)).partition(|s| is_end(s));
        settle(&mut roster, &grows);
        let ends = sorted(&roster, ends);
        settle(&mut roster, &ends);
        Self { roster: Some(roster) }
    }

    /// The key that must have signed `head`, whose hash this is; `None` if its device is not listed, or
    /// was revoked or its incarnation closed before it.
    pub fn key_of(&self, head: &Head, hash: Hash) -> Option<[u8; 32]> {
        let roster = self.roster.as_ref()?;
        let position = Position { number: head.number, hash };
        match roster.standing(head.device, head.incarnation, position) {
            // A quarantined device's entries are kept; it is the vaults that let them wait.
            Standing::Accepted | Standing::Quarantined => {
                roster.device(head.device).map(|device| device.keys.sign)
            }
            Standing::Unlisted | Standing::Late => None,
        }
    }

    /// What the statements come to, if a genesis is among them.
    pub fn roster(&self) -> Option<&Roster> {
        self.roster.as_ref()
    }
}

fn is_end(statement: &SignedStatement) -> bool {
    matches!(statement.claim().map(|s| s.claim), Ok(Claim::Revoke { .. } | Claim::Close { .. }))
}

/// Of two devices that revoke each other, the one listed earlier is heard first.
fn sorted<'a>(roster: &Roster, mut ends: Vec<&'a SignedStatement>) -> Vec<&'a SignedStatement> {
    let order = |statement: &SignedStatement| {
        let of_signer = |key: &[u8; 32]| {
            let id = DeviceId::of_key(key);
            roster.device(id).map_or(usize::MAX, |device| device.order)
        };
        let is_by_recovery = statement
            .signatures
            .iter()
            .any(|(key, _)| roster.slots().values().any(|slot| slot.keys.sign == *key));
        let first = statement.signatures.iter().map(|(key, _)| of_signer(key)).min();
        (!is_by_recovery, first, statement.hash())
    };
    ends.sort_by_cached_key(|statement| order(statement));
    ends
}

/// How often statements that did not count are tried again: the longest chain of devices that were each
/// added by the next, in the worst order. A bound, since each try checks signatures.
const SETTLE_PASSES_MAX: usize = 64;

/// Applies what counts, again as long as something new does.
fn settle(roster: &mut Roster, statements: &[&SignedStatement]) {
    let mut left: Vec<&SignedStatement> = statements.to_vec();
    for _ in 0..SETTLE_PASSES_MAX {
        let before = left.len();
        left.retain(|statement| roster.apply(statement).is_err());
        if left.len() == before {
            return;
        }
    }
}
