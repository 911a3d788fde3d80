// SPDX-License-Identifier: MIT OR Apache-2.0
//! Letting go, here and at other stores, of what snapshots cover: as far as every device has adopted them, which the
//! heads in each store say. Source: spec/store.md, rule STO-28.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use aura_protocol::id::Hash;
use aura_protocol::store::{Access, BlindStore};
use aura_vault::vault::{LetGo, Unlocked, Vault};
use pollster::block_on;

use super::lock;
use super::site::SiteId;
use crate::daemon::keeper::Keeper;

/// Snapshots under which stores have let go of what they cover, as they say; without a site, this device's own.
#[derive(Debug, Default)]
pub(super) struct Gone(Mutex<BTreeSet<(Option<SiteId>, Hash)>>);

impl Gone {
    /// Asks a store that was visited, and this device's own. What fails is asked for again with the next visit.
    pub(super) fn ask(
        &self,
        keeper: &Keeper,
        (access, site): (&Access, &SiteId),
        open: impl FnOnce() -> Option<Arc<dyn BlindStore>>,
    ) {
        let adopted = |vault: &Vault<Unlocked>| vault.adopted_snapshots().unwrap_or_default();
        let bases = keeper.with_any(|vault, _| Ok(adopted(vault)), |_| Ok(Vec::new()));
        let bases = bases.unwrap_or_default();
        // Another device sees to its own store.
        let is_asked = !matches!(site, SiteId::Lan | SiteId::Peer(_));
        let left = if is_asked { self.left(Some(site), &bases) } else { Vec::new() };
        if !left.is_empty()
            && let Some(store) = open()
        {
            for base in left {
                if block_on(store.forget(access, base)).is_ok() {
                    self.note(Some(site), &[base]);
                }
            }
        }
        if !self.left(None, &bases).is_empty() {
            let let_go = |vault: &Vault<Unlocked>| Ok(vault.let_go()?);
            let done = keeper.with_any(|vault, _| let_go(vault), |_| Ok(LetGo::default()));
            if done.is_ok_and(|done| done.unproven == 0) {
                self.note(None, &bases);
            }
        }
    }

    fn left(&self, site: Option<&SiteId>, bases: &[Hash]) -> Vec<Hash> {
        let gone = lock(&self.0);
        let is_left = |base: &&Hash| !gone.contains(&(site.cloned(), **base));
        bases.iter().filter(is_left).copied().collect()
    }

    fn note(&self, site: Option<&SiteId>, bases: &[Hash]) {
        lock(&self.0).extend(bases.iter().map(|base| (site.cloned(), *base)));
    }
}
