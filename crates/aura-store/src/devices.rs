// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which devices may add to a vault, as a store without a key can tell from the authority entries.
//!
//! A store needs less than a vault does: whose key signs a head, and where a revoked device or a closed
//! incarnation ended. It judges statements as a vault does. Source: spec/store.md, rule STO-4;
//! spec/authority.md, rule AUT-21.

use aura_protocol::authority::{Roster, SignedStatement, Standing, decode_body};
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
        // Without a genesis nobody is listed.
        let judged = Roster::judge(vault, &statements).ok();
        Self { roster: judged.map(|(roster, _)| roster) }
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

    /// Whether a device is listed and waits to be confirmed.
    pub fn waits(&self, device: DeviceId) -> bool {
        let listed = self.roster.as_ref().and_then(|roster| roster.device(device));
        listed.is_some_and(|device| !device.is_confirmed)
    }

    /// What the statements come to, if a genesis is among them.
    pub fn roster(&self) -> Option<&Roster> {
        self.roster.as_ref()
    }
}
