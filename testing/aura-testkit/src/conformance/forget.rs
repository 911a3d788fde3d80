// SPDX-License-Identifier: MIT OR Apache-2.0
//! What every store keeps when it lets go of what a snapshot covers: the proof, and where a feed begins afterwards.

use aura_protocol::entry::{ChunkAdded, Entry};
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{CollectionId, FeedId, Hash, VaultId};
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, BlindStore, Receipt, StoreError};

use super::{MAIL, NOTES, Scene, place};
use crate::author::{Author, chunk};

/// Two devices of a vault, of which one has made a snapshot that covers notes of both.
pub(super) struct Snapped<S> {
    pub(super) scene: Scene<S>,
    pub(super) other: Author,
    /// The snapshot's name.
    base: Hash,
    /// The head with it.
    head: Signed<Head>,
    /// The hash of its last entry.
    last: Hash,
    /// The other device's head, and one from before its last note.
    their_head: Signed<Head>,
    their_early: Signed<Head>,
    /// The statements of the first device, and what it has written in the snapshot and after it.
    statements: Vec<Entry>,
    pub(super) rest: Vec<Entry>,
    /// Where the feeds of the two devices end that are covered.
    pub(super) covered: [(FeedId, Position); 2],
    /// A chunk that the snapshot has not any more, and one that it has.
    pub(super) chunks: [ChunkAdded; 2],
}

/// Entries of notes that the first device has before the snapshot, and the other one.
pub(super) const COVERED: [u64; 2] = [5, 3];

impl<S: BlindStore> Snapped<S> {
    pub(super) async fn new(make: &dyn Fn(VaultId) -> S) -> Self {
        let mut scene = Scene::founded(make).await;
        let (other, add) = scene.author.pair(&mut scene.seed);
        let (gone, old) = chunk(&mut scene.seed, 300);
        let (kept, live) = chunk(&mut scene.seed, 300);
        let mut notes = scene.entries(NOTES, 3);
        notes.push(scene.author.entry_with(NOTES, vec![1; 90], vec![old.clone()]));
        notes.push(scene.author.entry_with(NOTES, vec![2; 90], vec![live.clone()]));
        let covered = scene.author.position(NOTES);
        // Written before the snapshot and not covered: it stays, though it came together with what goes.
        let late = scene.author.entry(NOTES, vec![5; 90]);
        notes.push(late.clone());
        let mail = scene.entries(MAIL, 2);
        let before = scene.author.head();
        scene.push(&before, &[vec![add.clone()], notes, mail].concat()).await;
        for (sealed, chunk) in [(&gone, &old), (&kept, &live)] {
            scene.store.put(&scene.access, chunk.name, sealed).await.unwrap();
        }
        let mut other = other;
        let theirs: Vec<Entry> = (0..2).map(|at| other.entry(NOTES, vec![at; 70])).collect();
        let their_early = other.head();
        scene.push(&their_early, &theirs).await;
        let theirs = other.entry(NOTES, vec![2; 70]);
        let their_head = other.head();
        scene.push(&their_head, core::slice::from_ref(&theirs)).await;
        scene.author.see(&their_head);
        let covered =
            [(scene.author.feed(NOTES), covered), (other.feed(NOTES), other.position(NOTES))];
        let rest = vec![
            late,
            scene.author.entry_with(NOTES, vec![3; 90], vec![live.clone()]),
            scene.author.entry(NOTES, vec![4; 90]),
        ];
        let (base, id) = scene.author.base(NOTES, (6, 8), covered.to_vec());
        let head = scene.author.head();
        scene.push(&head, &[vec![base.clone()], rest[1..].to_vec()].concat()).await;
        let statements = vec![add, base];
        let (chunks, last) = ([old, live], scene.author.position(NOTES).hash);
        Self {
            scene,
            other,
            base: id,
            head,
            last,
            their_head,
            their_early,
            statements,
            rest,
            covered,
            chunks,
        }
    }

    pub(super) async fn forget(&self) -> Result<u64, StoreError> {
        self.scene.store.forget(&self.scene.access, self.base).await
    }

    pub(super) async fn is_unproven(&self, why: &str) {
        let answer = self.forget().await;
        assert!(matches!(answer, Err(StoreError::Unproven)), "{why}: {answer:?}");
        let read = self.scene.read_all(NOTES).await.unwrap();
        assert_eq!(read.len(), 8, "{why}: something is gone");
    }

    /// The other device says that it has adopted the snapshot.
    pub(super) async fn agree(&mut self) {
        let entry = self.other.adopt(self.base, self.last);
        let head = self.other.head();
        self.scene.push(&head, &[entry]).await;
    }

    pub(super) async fn is_forgotten(&self, feed: FeedId, after: u64, upto: u64) {
        let read = self.scene.store.read(&self.scene.access, feed, after, 99).await;
        let is_said = matches!(&read, Err(StoreError::Forgotten { feed: f, upto: u }) if (*f, *u) == (feed, upto));
        assert!(is_said, "{read:?}");
    }
}

/// STO-28, STO-29: what a snapshot covers goes once every device has adopted it, with the chunks that nothing else names;
/// everything else stays, and feeds go on.
pub async fn what_is_covered_goes<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut snapped = Snapped::new(make).await;
    snapped.is_unproven("the other device has said nothing").await;
    snapped.agree().await;
    assert_eq!(snapped.forget().await.unwrap(), COVERED.iter().sum::<u64>());
    assert_eq!(snapped.forget().await.unwrap(), 0, "again it changes nothing");
    let [(own, own_at), (theirs, their_at)] = snapped.covered;
    for after in [0, 1, 4] {
        snapped.is_forgotten(own, after, own_at.number).await;
    }
    snapped.is_forgotten(theirs, 0, their_at.number).await;
    let Snapped { mut scene, mut other, rest, chunks, their_head, their_early, .. } = snapped;
    let read = scene.store.read(&scene.access, own, own_at.number, 99).await.unwrap();
    assert_eq!(read, rest);
    let none = scene.store.read(&scene.access, theirs, their_at.number, 99).await.unwrap();
    assert_eq!(none, []);
    assert_eq!(scene.read_all(MAIL).await.unwrap().len(), 2, "of another collection");
    assert_eq!(
        scene.store.has(&scene.access, &chunks.map(|chunk| chunk.name)).await.unwrap(),
        [false, true]
    );
    let more = scene.entries(NOTES, 2);
    let head = scene.author.head();
    scene.push(&head, &more).await;
    let entry = other.entry(NOTES, vec![9; 40]);
    let head = other.head();
    scene.push(&head, core::slice::from_ref(&entry)).await;
    let read = scene.store.read(&scene.access, theirs, their_at.number, 99).await.unwrap();
    assert_eq!(read, [entry]);
    // Older heads are no lie, though what they name went; one that ends where the feed begins now is compared.
    scene.push(&their_early, &[]).await;
    scene.push(&their_head, &[]).await;
    let mut forged = their_head.claim().unwrap();
    for (_, position) in forged.feeds.iter_mut().filter(|(id, _)| *id == NOTES) {
        position.hash = Hash([7; 32]);
    }
    let answer = scene.store.push(&scene.access, &other.sign(&forged), &[]).await;
    assert!(matches!(answer, Err(StoreError::Fork)), "{answer:?}");
    // Whoever still has what went pushes it in vain.
    let read = scene.store.read(&scene.access, own, own_at.number, 99).await.unwrap();
    assert_eq!(read, [rest, more].concat());
}

/// STO-28, AUT-27: what says less than that each device has adopted this very snapshot proves nothing.
pub async fn what_proves_nothing_lets_nothing_go<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut snapped = Snapped::new(make).await;
    let (base, last) = (snapped.base, snapped.last);
    let first = snapped.covered[0].1.hash;
    // A feed that goes on, or is told of again, right where it is covered keeps what it has.
    let theirs = snapped.covered[1].0;
    snapped.scene.push(&snapped.their_head, &[]).await;
    let next = snapped.other.entry(NOTES, vec![3; 70]);
    let head = snapped.other.head();
    snapped.scene.push(&head, &[next]).await;
    let read = snapped.scene.store.read(&snapped.scene.access, theirs, 0, 9).await.unwrap();
    assert_eq!(read.len(), 4);
    for (why, base, last) in [
        ("another snapshot", Hash([7; 32]), last),
        ("another end of it, as a forked one has", base, first),
    ] {
        let entry = snapped.other.adopt(base, last);
        let head = snapped.other.head();
        snapped.scene.push(&head, &[entry]).await;
        snapped.is_unproven(why).await;
    }
    let entry = snapped.scene.author.adopt(base, last);
    let head = snapped.scene.author.head();
    snapped.scene.push(&head, &[entry]).await;
    snapped.is_unproven("each for itself").await;
    // Under the other device's name, and not signed by it.
    let mut forger = Author::stranger(&mut snapped.scene.seed, snapped.scene.author.vault());
    let forged = forger.adopt(base, last);
    let entry = snapped.other.entry(CollectionId::AUTHORITY, forged.body().to_vec());
    let head = snapped.other.head();
    snapped.scene.push(&head, &[entry]).await;
    snapped.is_unproven("nobody listed has signed it").await;
    // That it has seen and applied the head is not yet that it has adopted what is under it.
    snapped.other.see(&snapped.head);
    let head = snapped.other.head();
    snapped.scene.push(&head, &[]).await;
    snapped.is_unproven("it only was there").await;
    snapped.agree().await;
    assert_eq!(snapped.forget().await.unwrap(), COVERED.iter().sum::<u64>());
}

/// STO-28: every device counts that is confirmed, and none that was revoked or retired or waits to be confirmed.
pub async fn whose_word_counts<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    for is_retired in [true, false] {
        let mut snapped = Snapped::new(make).await;
        snapped.agree().await;
        let (third, add) = snapped.scene.author.pair(&mut snapped.scene.seed);
        let (mut guest, guest_add) = snapped.scene.author.joiner(&mut snapped.scene.seed);
        let head = snapped.scene.author.head();
        snapped.scene.push(&head, &[add]).await;
        snapped.scene.push(&guest.head(), &[guest_add]).await;
        snapped.is_unproven("a third device has said nothing").await;
        let author = &mut snapped.scene.author;
        let entry = if is_retired {
            author.retire(third.device())
        } else {
            author.revoke(third.device(), Vec::new())
        };
        let head = author.head();
        snapped.scene.push(&head, &[entry]).await;
        assert_eq!(snapped.forget().await.unwrap(), COVERED.iter().sum::<u64>());
    }
}

/// STO-28: a snapshot that is not whole, that nobody said to be, or that one said who may not, lets nothing go.
pub async fn what_is_no_snapshot_lets_nothing_go<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut snapped = Snapped::new(make).await;
    snapped.agree().await;
    let known = core::mem::replace(&mut snapped.base, Hash([7; 32]));
    snapped.is_unproven("nobody said it").await;

    // Of the other device, which goes on to say that there is more of it than there is.
    let [own, theirs] = snapped.covered;
    let (entry, longer) = snapped.other.base(NOTES, (4, 90), vec![own, theirs]);
    let head = snapped.other.head();
    snapped.scene.push(&head, &[entry]).await;
    snapped.base = longer;
    snapped.is_unproven("its entries are not there").await;

    let (entry, other) = snapped.other.base(MAIL, (1, 1), vec![own, theirs]);
    let head = snapped.other.head();
    snapped.scene.push(&head, &[entry]).await;
    snapped.base = other;
    snapped.is_unproven("it covers what is of another collection").await;

    let last = vec![(snapped.other.incarnation(), place(&head).2)];
    let entry = snapped.scene.author.revoke(snapped.other.device(), last);
    let (late, forged) = snapped.other.base(NOTES, (4, 4), vec![own, theirs]);
    let body = snapped.other.entry(NOTES, vec![1; 30]);
    let late_head = snapped.other.head();
    snapped.scene.store.push(&snapped.scene.access, &late_head, &[late, body]).await.unwrap();
    let head = snapped.scene.author.head();
    snapped.scene.push(&head, &[entry]).await;
    snapped.base = forged;
    snapped.is_unproven("its device was revoked before it").await;
    snapped.base = known;
    assert_eq!(snapped.forget().await.unwrap(), COVERED.iter().sum::<u64>(), "the true one");
}

/// STO-30: a store that has nothing is filled from after what a snapshot covers, by whoever let go of the rest; and takes
/// no beginning that no snapshot explains.
pub async fn a_feed_begins_where_a_snapshot_ends<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut snapped = Snapped::new(make).await;
    let their_head = snapped.their_head.clone();
    let empty = make(snapped.scene.author.vault());
    let access = &snapped.scene.access;
    let genesis =
        snapped.scene.store.read(access, snapped.scene.author.feed(CollectionId::AUTHORITY), 0, 1);
    let genesis = genesis.await.unwrap();
    let mail = snapped.scene.read_all(MAIL).await.unwrap();
    let [_, base] = &snapped.statements[..] else { panic!("two statements") };
    let before = [genesis, vec![snapped.statements[0].clone()], mail].concat();
    // Without the statement nothing explains that it begins there.
    let early = [before.clone(), snapped.rest.clone()].concat();
    let answer = empty.push(access, &snapped.head, &early).await;
    assert!(matches!(answer, Err(StoreError::Gap { .. })), "{answer:?}");
    let with = |rest: &[Entry]| [before.clone(), vec![base.clone()], rest.to_vec()].concat();
    let answer = empty.push(access, &snapped.head, &with(&snapped.rest[1..])).await;
    assert!(matches!(answer, Err(StoreError::Gap { expected: 1, .. })), "{answer:?}");
    let receipt = empty.push(access, &snapped.head, &with(&snapped.rest)).await.unwrap();
    assert_eq!(receipt, Receipt { missing: vec![] });
    // The other device has nothing above what is covered. Of it the store gets a part, and then its end.
    let [_, (theirs, _)] = snapped.covered;
    let early = snapped.scene.store.read(access, theirs, 0, 2).await.unwrap();
    let receipt = empty.push(access, &snapped.their_early, &early).await.unwrap();
    assert_eq!(receipt, Receipt { missing: vec![] });
    let receipt = empty.push(access, &their_head, &[]).await.unwrap();
    assert_eq!(receipt, Receipt { missing: vec![] });
    let [(own, own_at), (theirs, their_at)] = snapped.covered;
    for (feed, at) in [(own, own_at), (theirs, their_at)] {
        let read = empty.read(access, feed, 0, 9).await;
        let upto = at.number;
        assert!(
            matches!(&read, Err(StoreError::Forgotten { feed: f, upto: u }) if (*f, *u) == (feed, upto)),
            "{read:?}"
        );
    }
    assert_eq!(empty.read(access, own, own_at.number, 9).await.unwrap(), snapped.rest);
    let entry = snapped.other.adopt(snapped.base, snapped.last);
    let agreed = snapped.other.head();
    let receipt = empty.push(access, &agreed, &[entry]).await.unwrap();
    assert_eq!(receipt, Receipt { missing: vec![] });
    assert_eq!(empty.forget(access, snapped.base).await.unwrap(), 2, "the part that it had");
}

/// STO-30: a second snapshot covers the first one, and not every device has adopted it: stores that let go under the first
/// one go on from there, and a store that has nothing is filled by them.
pub async fn a_feed_begins_where_an_earlier_snapshot_ended<S: BlindStore>(
    make: &dyn Fn(VaultId) -> S,
) {
    let snapped = Snapped::new(make).await;
    let [(own, own_at), theirs] = snapped.covered;
    let Snapped { mut scene, rest, statements, chunks, their_head, .. } = snapped;
    let genesis = scene.store.read(&scene.access, scene.author.feed(CollectionId::AUTHORITY), 0, 1);
    let genesis = genesis.await.unwrap();
    let mail = scene.read_all(MAIL).await.unwrap();
    let ended = scene.author.position(NOTES);
    let next = scene.author.entry_with(NOTES, vec![6; 90], vec![chunks[1].clone()]);
    let (base, _) = scene.author.base(NOTES, (9, 9), vec![(own, ended), theirs]);
    let head = scene.author.head();
    let rest = [rest, vec![next]].concat();
    let empty = make(scene.author.vault());
    let with = |rest: &[Entry]| {
        [&genesis[..], &statements, core::slice::from_ref(&base), &mail, rest].concat()
    };
    // Where neither of them ends covering, no feed begins.
    let answer = empty.push(&scene.access, &head, &with(&rest[1..])).await;
    assert!(matches!(answer, Err(StoreError::Gap { expected: 1, .. })), "{answer:?}");
    let receipt = empty.push(&scene.access, &head, &with(&rest)).await.unwrap();
    assert_eq!(receipt, Receipt { missing: vec![] });
    let receipt = empty.push(&scene.access, &their_head, &[]).await.unwrap();
    assert_eq!(receipt, Receipt { missing: vec![] });
    let read = empty.read(&scene.access, own, 0, 9).await;
    let is_said = matches!(&read, Err(StoreError::Forgotten { feed, upto }) if (*feed, *upto) == (own, own_at.number));
    assert!(is_said, "{read:?}");
    assert_eq!(empty.read(&scene.access, own, own_at.number, 9).await.unwrap(), rest);
    // Whoever let go under the second one begins there.
    let empty = make(scene.author.vault());
    let receipt = empty.push(&scene.access, &head, &with(&rest[3..])).await.unwrap();
    assert_eq!(receipt, Receipt { missing: vec![] });
    assert_eq!(empty.read(&scene.access, own, ended.number, 9).await.unwrap(), rest[3..]);
}

/// STO-30: what a snapshot covers is kept all the same where it is offered, at once or piece by piece.
pub async fn what_is_covered_is_kept_where_it_is_offered<S: BlindStore>(
    make: &dyn Fn(VaultId) -> S,
) {
    let snapped = Snapped::new(make).await;
    let empty = make(snapped.scene.author.vault());
    let Snapped { scene, covered, head, statements, their_head, .. } = snapped;
    let [(own, own_at), (theirs, _)] = covered;
    let access = &scene.access;
    let genesis = scene.store.read(access, scene.author.feed(CollectionId::AUTHORITY), 0, 1);
    let mail = scene.read_all(MAIL).await.unwrap();
    let notes = scene.read_all(NOTES).await.unwrap();
    let (early, late) = notes.split_at(usize::try_from(own_at.number).unwrap());
    let first = [genesis.await.unwrap(), statements, mail, early.to_vec()].concat();
    let receipt = empty.push(access, &head, &first).await.unwrap();
    assert_eq!(receipt, Receipt { missing: vec![(own, own_at.number)] });
    let receipt = empty.push(access, &head, late).await.unwrap();
    assert_eq!(receipt, Receipt { missing: vec![] });
    let of_other = scene.store.read(access, theirs, 0, 99).await.unwrap();
    let receipt = empty.push(access, &their_head, &of_other).await.unwrap();
    assert_eq!(receipt, Receipt { missing: vec![] });
    for (feed, entries) in [(own, notes), (theirs, of_other)] {
        assert_eq!(empty.read(access, feed, 0, 99).await.unwrap(), entries);
    }
}

/// STO-30: what stands there after the floor must link to it.
pub async fn a_feed_goes_on_only_as_it_was<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut snapped = Snapped::new(make).await;
    snapped.agree().await;
    assert!(snapped.forget().await.unwrap() > 0);
    let mut forked = snapped.other.clone();
    let last = snapped.covered[1].1;
    let honest = snapped.other.entry(NOTES, vec![1; 30]);
    forked.rewind(NOTES, &honest);
    let wrong = forked.entry(NOTES, vec![2; 30]);
    assert_eq!(wrong.header().number, last.number + 2);
    let head = forked.head();
    let answer = snapped.scene.store.push(&snapped.scene.access, &head, &[wrong]).await;
    assert!(matches!(answer, Err(StoreError::Gap { .. })), "{answer:?}");
    let head = snapped.other.head();
    snapped.scene.push(&head, &[honest]).await;
}

/// STO-28: whoever may read some collections lets nothing go.
pub async fn letting_go_takes_the_whole_vault<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut snapped = Snapped::new(make).await;
    snapped.agree().await;
    let vault = snapped.scene.author.vault();
    let some = Access::Collections { vault, collections: vec![NOTES], until_ms: 2_000 };
    let answer = snapped.scene.store.forget(&some, snapped.base).await;
    assert!(matches!(answer, Err(StoreError::Forbidden)), "{answer:?}");
    assert_eq!(snapped.scene.read_all(NOTES).await.unwrap().len(), 8);
}

/// STO-28: a feed of which a snapshot says something else than is there keeps what it has.
pub async fn what_is_covered_otherwise_stays<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut snapped = Snapped::new(make).await;
    let [(own, _), (theirs, their_at)] = snapped.covered;
    let author = &mut snapped.scene.author;
    let covered =
        vec![(own, author.position(NOTES)), (theirs, Position { hash: Hash([7; 32]), ..their_at })];
    let end = author.entry(NOTES, vec![6; 40]);
    let (statement, base) = author.base(NOTES, (9, 9), covered);
    let head = author.head();
    snapped.scene.push(&head, &[statement, end.clone()]).await;
    (snapped.base, snapped.last) = (base, end.hash());
    snapped.agree().await;
    assert_eq!(snapped.forget().await.unwrap(), 8, "its own feed's alone");
    let Scene { store, access, .. } = &snapped.scene;
    assert_eq!(store.read(access, theirs, 0, 9).await.unwrap().len(), 3);
}

/// STO-5, STO-28: entries that no head shows yet are neither covered nor the end of a snapshot.
pub async fn what_is_only_staged_is_not_covered<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut snapped = Snapped::new(make).await;
    let [(own, _), (theirs, _)] = snapped.covered;
    let at = snapped.scene.author.position(NOTES);
    // What the other device writes next.
    let mut later = snapped.other.clone();
    let staged = later.entry(NOTES, vec![1; 40]);
    let staged_at = later.position(NOTES);
    let end = snapped.scene.author.entry(NOTES, vec![6; 40]);
    let covered = vec![(own, at), (theirs, staged_at)];
    let (statement, base) = snapped.scene.author.base(NOTES, (9, 9), covered);
    let agreed = snapped.other.adopt(base, end.hash());
    let covered = vec![(own, at), (theirs, snapped.covered[1].1)];
    let (promise, promised) = snapped.other.base(NOTES, (4, 4), covered);
    let their_head = snapped.other.head();
    snapped.scene.push(&their_head, &[agreed, promise]).await;
    assert_eq!(snapped.other.entry(NOTES, vec![1; 40]), staged);
    let unsent = snapped.other.entry(MAIL, vec![1; 40]);
    let their_head = snapped.other.head();
    let Scene { store, access, .. } = &snapped.scene;
    let missing = store.push(access, &their_head, core::slice::from_ref(&staged)).await.unwrap();
    assert_eq!(missing.missing, [(unsent.header().feed, 0)]);
    let author = &mut snapped.scene.author;
    let adopted = author.adopt(promised, staged.hash());
    let head = author.head();
    snapped.scene.push(&head, &[statement, adopted, end]).await;
    let known = core::mem::replace(&mut snapped.base, promised);
    let answer = snapped.forget().await;
    assert!(matches!(answer, Err(StoreError::Unproven)), "its end is not shown: {answer:?}");
    assert_ne!(known, base);
    snapped.base = base;
    assert_eq!(snapped.forget().await.unwrap(), 8, "its own feed's alone");
    let Scene { store, access, .. } = &snapped.scene;
    assert_eq!(store.read(access, theirs, 0, 9).await.unwrap().len(), 3);
}

/// STO-28: a snapshot of which something was let go of itself lets nothing go.
pub async fn what_is_there_in_part_lets_nothing_go<S: BlindStore>(make: &dyn Fn(VaultId) -> S) {
    let mut snapped = Snapped::new(make).await;
    let [(own, _), (theirs, their_at)] = snapped.covered;
    // The other device's snapshot covers the first entry of the first one's, and no more of it.
    let first = Position { number: 6, hash: snapped.rest[0].hash() };
    let end = snapped.other.entry(NOTES, vec![6; 40]);
    let covered = vec![(own, first), (theirs, their_at)];
    let (statement, base) = snapped.other.base(NOTES, (4, 4), covered);
    let agreed = snapped.other.adopt(snapped.base, snapped.last);
    let their_head = snapped.other.head();
    snapped.scene.push(&their_head, &[statement, agreed, end.clone()]).await;
    let adopted = snapped.scene.author.adopt(base, end.hash());
    let head = snapped.scene.author.head();
    snapped.scene.push(&head, &[adopted]).await;
    let known = core::mem::replace(&mut snapped.base, base);
    assert_eq!(snapped.forget().await.unwrap(), 9);
    snapped.base = known;
    let answer = snapped.forget().await;
    assert!(matches!(answer, Err(StoreError::Unproven)), "{answer:?}");
}
