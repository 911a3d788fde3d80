// SPDX-License-Identifier: MIT OR Apache-2.0
//! The vault's other devices on this network: called, and let in, while that is switched on.
//!
//! One node is there as long as the list of stores has `lan` or a device in it; without either there is no socket. With
//! `lan` it listens, also while the vault is locked: what comes is sealed, checked by the local store, and taken in at
//! the next unlock. Finding them is in `search`. Source: spec/peer.md, rules PEE-12 and PEE-13.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::time::Duration;

use aura_crypto::entropy::Entropy as _;
use aura_protocol::id::{DeviceId, VaultId};
use aura_protocol::store::StoreError;
use aura_store::local::LocalStore;
use aura_store::peer::find::Farewell;
use aura_store::peer::{Listen, Node, PeerStore, Source};
use aura_vault::home::Home;
use aura_vault::transport::Transport;
use pollster::block_on;

use super::book::Kept;
use super::nudges::Nudges;
use super::site::{Opened, Peer, Site};
use super::{Syncing, lock};
use crate::daemon::keeper::{Keeper, SystemEntropy};
use crate::moment::now_ms;

/// This device's side of every connection.
struct Ground {
    local: Weak<LocalStore>,
    nudges: Arc<Nudges>,
}

impl Source for Ground {
    fn local(&self) -> Option<Arc<LocalStore>> {
        self.local.upgrade()
    }

    fn arrived(&self) {
        self.nudges.arrive();
    }
}

/// A node, and what it was opened for.
struct Running {
    local: Weak<LocalStore>,
    vault: VaultId,
    listen: Listen,
    node: Node,
    stores: BTreeMap<DeviceId, Arc<PeerStore>>,
}

/// The node, and where devices were found.
#[derive(Default)]
pub(in crate::daemon) struct Lan {
    running: Mutex<Option<Running>>,
    pub(super) places: Mutex<BTreeMap<DeviceId, Vec<String>>>,
    is_listening: AtomicBool,
    /// Whether nothing is to be opened any more.
    is_over: AtomicBool,
    pub(super) farewell: Mutex<Option<Farewell>>,
    is_changed: Mutex<bool>,
    changed: Condvar,
    /// Why nobody is let in or found, in words.
    pub(super) trouble: Mutex<Option<String>>,
}

impl std::fmt::Debug for Lan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lan")
    }
}

/// What the list of stores asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wish {
    /// At which port to listen, if at all.
    port: Option<u16>,
    has_peers: bool,
}

impl Wish {
    pub(super) fn of(stores: &[Kept]) -> Self {
        let port = stores.iter().find_map(|kept| match kept.site {
            Site::Lan(port) => Some(port),
            _ => None,
        });
        let has_peers = stores.iter().any(|kept| matches!(kept.site, Site::Peer(_)));
        Self { port, has_peers }
    }

    /// Nothing where there is to be no socket.
    pub(super) fn listen(self) -> Option<Listen> {
        match (self.port, self.has_peers) {
            (Some(port), _) => Some(Listen::Everywhere(port)),
            (None, true) => Some(Listen::No),
            (None, false) => None,
        }
    }
}

impl Lan {
    /// Whether other devices can call: a locked daemon then stays for them.
    pub(in crate::daemon) fn is_listening(&self) -> bool {
        self.is_listening.load(Ordering::SeqCst)
    }

    /// The list of stores has changed.
    pub(super) fn change(&self) {
        *lock(&self.is_changed) = true;
        self.changed.notify_all();
    }

    /// Why nobody is let in or found, if that is so.
    pub(super) fn trouble(&self) -> Option<String> {
        lock(&self.trouble).clone()
    }

    /// Where devices can call, if they can.
    pub(super) fn port(&self) -> Option<u16> {
        let running = lock(&self.running);
        let running = running.as_ref().filter(|running| running.listen != Listen::No)?;
        running.node.address().ok().map(|address| address.port())
    }

    /// Ends all connections, and lets go of the socket.
    pub(super) fn stop(&self) {
        let ended = lock(&self.running).take();
        self.is_listening.store(false, Ordering::SeqCst);
        drop(ended);
    }

    /// The same, since the process ends or begins anew.
    pub(in crate::daemon) fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.close();
    }

    /// The same at once, and the others are told.
    pub(super) fn close(&self) {
        if let Some(farewell) = lock(&self.farewell).take() {
            farewell.say();
        }
        self.stop();
    }

    /// It does not end after all.
    pub(in crate::daemon) fn resume(&self) {
        self.is_over.store(false, Ordering::SeqCst);
        self.change();
    }

    /// A device as a store.
    pub(super) fn store(&self, keeper: &Keeper, syncing: &Syncing, peer: &Peer) -> Opened {
        let stores = syncing.read(keeper).map_err(|_| unreached())?;
        let listen = Wish::of(&stores).listen().unwrap_or(Listen::No);
        self.ensure(keeper, &syncing.nudges, listen).map_err(StoreError::Io)?;
        let mut places = lock(&self.places).get(&peer.device).cloned().unwrap_or_default();
        places.extend(peer.address.as_ref().map(|address| address.as_str().to_owned()));
        let mut running = lock(&self.running);
        let running = running.as_mut().ok_or_else(unreached)?;
        let node = &running.node;
        let store = running.stores.entry(peer.device).or_insert_with(|| {
            Arc::new(PeerStore::new(node, peer.device, Vec::new(), Box::new(now_ms)))
        });
        store.is_at(places);
        Ok(Arc::clone(store) as _)
    }

    /// Which device of the vault is at a place.
    pub(super) fn meet(&self, place: &str) -> Result<DeviceId, StoreError> {
        self.meet_at(vec![place.to_owned()])
    }

    /// Which one is at one of these places.
    pub(super) fn meet_at(&self, places: Vec<String>) -> Result<DeviceId, StoreError> {
        let met = {
            let running = lock(&self.running);
            let running = running.as_ref().ok_or_else(unreached)?;
            running.node.meet_at(places)
        };
        // Not while the others wait for the node.
        Ok(block_on(met)?)
    }

    /// A node for the local store that is open now, which listens as is wanted.
    pub(super) fn ensure(
        &self,
        keeper: &Keeper,
        nudges: &Arc<Nudges>,
        listen: Listen,
    ) -> std::io::Result<()> {
        let mut running = lock(&self.running);
        if self.is_over.load(Ordering::SeqCst) {
            return Ok(());
        }
        let Some((vault, local)) =
            keeper.local().map(|(vault, local)| (vault, Arc::downgrade(&local)))
        else {
            return Ok(());
        };
        let is_same = |running: &Running| {
            running.local.ptr_eq(&local) && (running.vault, running.listen) == (vault, listen)
        };
        if running.as_ref().is_some_and(is_same) {
            return Ok(());
        }
        // The port may be the same.
        drop(running.take());
        self.is_listening.store(false, Ordering::SeqCst);
        let transport = Transport::read(&Home::new(keeper.home()))?;
        let ground = Ground { local: local.clone(), nudges: Arc::clone(nudges) };
        let node =
            Node::open(vault, Arc::new(transport), Arc::new(ground), Box::new(fill), listen)?;
        *running = Some(Running { local, vault, listen, node, stores: BTreeMap::new() });
        self.is_listening.store(listen != Listen::No, Ordering::SeqCst);
        Ok(())
    }

    /// Waits until the list of stores has changed, but not for longer. It goes on to have changed.
    pub(super) fn wait(&self, longest: Duration) {
        drop(self.changed.wait_timeout_while(lock(&self.is_changed), longest, |is| !*is));
    }

    /// Whether it has changed since this was asked last.
    pub(super) fn take_changed(&self) -> bool {
        std::mem::take(&mut *lock(&self.is_changed))
    }
}

fn unreached() -> StoreError {
    StoreError::Unreachable("the vault is shut")
}

pub(super) fn fill(bytes: &mut [u8]) {
    SystemEntropy.fill(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(site: Site) -> Kept {
        Kept::new(site)
    }

    /// PEE-12: off means no socket, a device alone means one that calls, and `lan` one that is called.
    #[test]
    fn pee_12_without_a_wish_there_is_no_socket() {
        let listen = |stores: &[Kept]| Wish::of(stores).listen();
        let folder = kept(Site::Folder("/media/stick".into()));
        let peer = kept(Site::Peer(Peer { device: DeviceId([1; 16]), address: None }));
        assert_eq!(listen(&[]), None);
        assert_eq!(listen(std::slice::from_ref(&folder)), None);
        assert_eq!(listen(&[folder, peer.clone()]), Some(Listen::No));
        assert_eq!(listen(&[peer, kept(Site::Lan(7))]), Some(Listen::Everywhere(7)));
    }
}
