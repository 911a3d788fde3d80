// SPDX-License-Identifier: MIT OR Apache-2.0
//! The suites that every blind store must pass: [`every`] and [`forget`] for all, and then [`active`] or [`passive`].
//!
//! Plain functions that panic where a store does not keep the contract. Each takes what makes an empty
//! store for a vault; a store's own tests call each by its name.

pub mod every;

pub mod forget;

pub mod active;

pub mod passive;

use std::pin::{Pin, pin};
use std::task::Poll;

use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{CollectionId, DeviceId, Incarnation, VaultId};
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, BlindStore, Receipt, StoreError};

use crate::author::Author;
use crate::seed::Seed;

/// From what the first device of a scene is made.
pub const SCENE_SEED: u64 = 20;
/// Two collections to write to.
pub const NOTES: CollectionId = CollectionId([0x11; 16]);
/// The other one.
pub const MAIL: CollectionId = CollectionId([0x22; 16]);

/// An empty store, a vault and its first device.
pub struct Scene<S> {
    /// The store under test.
    pub store: S,
    /// The whole vault.
    pub access: Access,
    /// The vault's first device.
    pub author: Author,
    /// Where bytes come from.
    pub seed: Seed,
}

impl<S: BlindStore> Scene<S> {
    /// A store that has the vault's genesis under the first head.
    pub async fn founded(make: &dyn Fn(VaultId) -> S) -> Self {
        let mut seed = Seed::new(SCENE_SEED);
        let (author, genesis) = Author::founder(&mut seed);
        let (store, access) = (make(author.vault()), Access::Vault(author.vault()));
        let mut scene = Self { store, access, author, seed };
        let head = scene.author.head();
        scene.push(&head, &[genesis]).await;
        scene
    }

    /// Pushes and requires that the head is complete.
    pub async fn push(&self, head: &Signed<Head>, entries: &[Entry]) {
        let receipt = self.store.push(&self.access, head, entries).await.unwrap();
        assert_eq!(receipt, Receipt { missing: vec![] });
    }

    /// Writes so many entries, of 100 to 300 bytes.
    pub fn entries(&mut self, collection: CollectionId, count: usize) -> Vec<Entry> {
        let mut entry = || {
            let bytes = usize::try_from(self.seed.below(200)).unwrap() + 100;
            let body = self.seed.bytes(bytes);
            self.author.entry(collection, body)
        };
        (0..count).map(|_| entry()).collect()
    }

    /// What the store shows: each incarnation's newest head.
    pub async fn shown(&self) -> Vec<(DeviceId, Incarnation, Position)> {
        let heads = self.store.heads(&self.access, &[]).await.unwrap().news;
        let place = |head: &aura_protocol::store::StoredHead| {
            let claim = head.head.claim().unwrap();
            assert_eq!((claim.device, claim.incarnation), (head.device, head.incarnation));
            assert_eq!(
                (claim.number, head.head.hash()),
                (head.position.number, head.position.hash)
            );
            (head.device, head.incarnation, head.position)
        };
        let mut shown: Vec<_> = heads.iter().map(place).collect();
        shown.sort_by_key(|(device, incarnation, position)| {
            (*device, *incarnation, position.number)
        });
        shown
    }

    /// All entries of the author's feed, read in as many answers as it takes.
    pub async fn read_all(&self, collection: CollectionId) -> Result<Vec<Entry>, StoreError> {
        let mut entries: Vec<Entry> = Vec::new();
        let to = self.author.position(collection).number;
        while (entries.len() as u64) < to {
            let feed = self.author.feed(collection);
            let after = entries.len() as u64;
            let more = self.store.read(&self.access, feed, after, usize::MAX).await?;
            if more.is_empty() {
                break;
            }
            entries.extend(more);
        }
        Ok(entries)
    }
}

/// Where a head stands.
pub fn place(head: &Signed<Head>) -> (DeviceId, Incarnation, Position) {
    let claim = head.claim().unwrap();
    let position = Position { number: claim.number, hash: head.hash() };
    (claim.device, claim.incarnation, position)
}

/// Both futures' outputs, polled in turn.
pub async fn both<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut a_done, mut b_done) = (None, None);
    std::future::poll_fn(move |context| {
        poll_once(&mut a_done, a.as_mut(), context);
        poll_once(&mut b_done, b.as_mut(), context);
        match (a_done.take(), b_done.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (a_done, b_done) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}

fn poll_once<F: Future>(
    done: &mut Option<F::Output>,
    future: Pin<&mut F>,
    context: &mut std::task::Context<'_>,
) {
    if done.is_none()
        && let Poll::Ready(output) = future.poll(context)
    {
        *done = Some(output);
    }
}
