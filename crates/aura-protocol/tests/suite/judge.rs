// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a vault's statements come to does not depend on where and in which order they are found.

use aura_protocol::authority::{
    AuthorityError, Claim, Placed, Position, Roster, SignedStatement, SlotKind,
};
use aura_protocol::id::{CollectionId, FeedId, Hash, Incarnation, VaultId};
use aura_protocol::limits::{BASES_MAX, QUARANTINED_MAX};
use proptest::prelude::*;

use crate::authority::newer;
use crate::sample::*;

const GUEST: u8 = 50;
const OWN: u8 = 60;

fn revoke(seed: u8) -> Claim {
    Claim::Revoke { device: device(seed), last: vec![(INCARNATION, at(4))] }
}

fn add(seed: u8) -> Claim {
    Claim::Add(device_keys(seed))
}

fn judge(statements: &[SignedStatement]) -> (Roster, Vec<AuthorityError>) {
    Roster::judge(vault(), statements).unwrap()
}

/// A life with everything in it that rests on something else: a chain of devices with clocks that run the wrong
/// way, a guest that a recovery code confirms, and two devices that revoke each other.
fn life() -> Vec<SignedStatement> {
    vec![
        genesis(),
        said_at(9, add(PHONE), &[PHONE, LAPTOP]),
        said_at(3, add(TABLET), &[TABLET, PHONE]),
        said_at(2, slot(RECOVERY, SlotKind::Recovery), &[TABLET, RECOVERY]),
        said_at(20, add(GUEST), &[GUEST, IDENTITY]),
        said_at(21, Claim::Confirm(device(GUEST)), &[RECOVERY]),
        said_at(30, revoke(PHONE), &[TABLET]),
        said_at(31, revoke(TABLET), &[PHONE]),
    ]
}

proptest! {
    /// AUT-21.
    #[test]
    fn the_order_in_which_statements_are_found_makes_no_difference(
        statements in Just(life()).prop_shuffle(),
        twice in any::<prop::sample::Index>(),
    ) {
        let mut statements = statements;
        statements.push(statements[twice.index(statements.len())].clone());
        let (roster, refused) = judge(&statements);
        let of = |seed: u8| roster.device(device(seed)).unwrap();
        prop_assert_eq!([LAPTOP, PHONE, TABLET, GUEST].map(|seed| of(seed).order), [0, 1, 2, 3]);
        prop_assert!(of(GUEST).is_active());
        // The one that was listed earlier is heard first.
        prop_assert!(of(TABLET).revoked.is_some() && of(PHONE).is_active());
        prop_assert!(!refused.is_empty() && refused.iter().all(|e| *e == AuthorityError::Ended));
    }
}

/// AUT-18, AUT-21: whoever holds the recovery code is heard before whoever was listed first.
#[test]
fn the_recovery_code_is_heard_first() {
    let mut statements = life();
    statements.retain(|statement| *statement != said_at(30, revoke(PHONE), &[TABLET]));
    statements.push(said_at(40, revoke(LAPTOP), &[TABLET, RECOVERY]));
    statements.push(said_at(39, revoke(TABLET), &[LAPTOP]));
    let (roster, _) = judge(&statements);
    assert!(roster.device(device(LAPTOP)).unwrap().revoked.is_some());
    // What the phone says of it stands: it is still active.
    assert!(roster.device(device(TABLET)).unwrap().revoked.is_some());
    assert!(roster.device(device(PHONE)).unwrap().is_active());
}

/// AUT-4, AUT-5: without its genesis there is no vault, and another one is none.
#[test]
fn a_vault_without_its_genesis_is_none() {
    let without = &life()[1..];
    let judged = Roster::judge(vault(), without).map(drop);
    assert_eq!(judged, Err(AuthorityError::Genesis));
    let other = Roster::judge(VaultId([3; 32]), &life()).map(drop);
    assert_eq!(other, Err(AuthorityError::Genesis));
}

/// AUT-26, attack AVL-05: of the snapshots that one device says to be there the first so many count.
#[test]
fn aut_26_snapshots_without_end_do_not_count() {
    let of = |number: u64| {
        let feed = FeedId {
            collection: CollectionId([9; 16]),
            device: device(LAPTOP),
            incarnation: INCARNATION,
        };
        let range = (number, number + 1);
        let before = Position { number: number - 1, hash: Hash([1; 32]) };
        let covered = if number > 1 { vec![(feed, before)] } else { Vec::new() };
        said_at(100 + number, Claim::Base { feed, range, covered }, &[LAPTOP])
    };
    let mut statements = life();
    statements.extend((1..=BASES_MAX as u64 + 1).map(of));
    let (roster, refused) = judge(&statements);
    assert_eq!(roster.snapshots().len(), BASES_MAX);
    assert!(refused.contains(&AuthorityError::State));
}

/// AUT-22: somebody with the root key, who is no device, lists so many devices of its own that all the others
/// would have no place. Whom somebody else has confirmed, or added, has one all the same, however late.
#[test]
fn devices_that_nobody_confirms_take_no_place_from_others() {
    let mut statements = life();
    let own = |n: usize| OWN + u8::try_from(n).unwrap();
    for n in 0..=QUARANTINED_MAX {
        statements.push(said_at(1, add(own(n)), &[own(n), IDENTITY]));
        // It cannot say so itself, nor its like.
        statements.push(said_at(1, Claim::Confirm(device(own(n))), &[own(n), IDENTITY]));
    }
    statements.push(said_at(99, add(STRANGER), &[STRANGER, LAPTOP]));
    let (roster, refused) = judge(&statements);
    for seed in [LAPTOP, PHONE, GUEST, STRANGER] {
        assert!(roster.device(device(seed)).unwrap().is_active(), "{seed}");
    }
    let waiting = roster.devices().values().filter(|device| !device.is_confirmed).count();
    assert_eq!(waiting, QUARANTINED_MAX);
    assert!(refused.contains(&AuthorityError::Bounds));
    // One that is revoked makes room for another.
    let mut roster = roster;
    let is_listed = |roster: &Roster, n: usize| roster.device(device(own(n))).is_some();
    let left_out = (0..=QUARANTINED_MAX).find(|n| !is_listed(&roster, *n)).unwrap();
    let listed = (0..=QUARANTINED_MAX).find(|n| is_listed(&roster, *n)).unwrap();
    let again = said_at(1, add(own(left_out)), &[own(left_out), IDENTITY]);
    assert_eq!(roster.apply(&again), Err(AuthorityError::Bounds));
    roster.apply(&said_at(100, revoke(own(listed)), &[LAPTOP])).unwrap();
    assert_eq!(roster.apply(&again), Ok(()));
}

/// AUT-4, AUT-16: what only a newer version understands is told as that if a device that counts says it; and nothing
/// that cannot be read keeps anything else from counting.
#[test]
fn what_is_not_understood_is_told_and_keeps_nothing_back() {
    for (by, told) in [(LAPTOP, AuthorityError::Newer), (STRANGER, AuthorityError::Signer)] {
        let (roster, refused) = judge(&[&[newer(vault(), &[by])], &life()[..]].concat());
        assert_eq!(refused.last(), Some(&told));
        assert!(roster.device(device(GUEST)).unwrap().is_active());
    }
    let mut broken = said_at(1, revoke(PHONE), &[LAPTOP]);
    broken.payload = vec![0xff];
    let (roster, refused) = judge(&[&[broken], &life()[..]].concat());
    let is_form = |error: &AuthorityError| matches!(error, AuthorityError::Signed(_));
    assert_eq!(refused.iter().filter(|error| is_form(error)).count(), 1, "{refused:?}");
    assert!(!refused.contains(&AuthorityError::Newer));
    assert!(roster.device(device(GUEST)).unwrap().is_active());
}

/// AUT-9, AUT-18: what does not count is told, each with its own reason.
#[test]
fn why_something_does_not_count_is_told() {
    let refused = |statement: SignedStatement| judge(&[&[statement], &plain_life()[..]].concat()).1;
    let by_stranger = |claim| refused(said_at(9, claim, &[STRANGER]));
    assert_eq!(by_stranger(revoke(PHONE)), [AuthorityError::Signer]);
    assert_eq!(by_stranger(Claim::Retire(device(PHONE))), [AuthorityError::Signer]);
    // A device that nobody but itself adds.
    assert_eq!(by_stranger(add(STRANGER)), [AuthorityError::Signer]);
    // Who has been let in needs nobody else's word.
    let moot = said_at(22, Claim::Confirm(device(PHONE)), &[STRANGER]);
    assert_eq!(refused(moot), []);
    // A device that was revoked, and says so as well.
    let mut statements = placed_life();
    statements.push(placed(PHONE, 2, said_at(9, revoke_at(PHONE, 4), &[PHONE])));
    statements.push(placed(LAPTOP, 3, said_at(8, revoke_at(PHONE, 4), &[LAPTOP])));
    assert_eq!(judge_placed(&statements).1, [AuthorityError::Ended]);
}

/// AUT-21: what rests on something that was said with a later clock counts as well, however long the chain.
#[test]
fn a_chain_counts_whatever_its_clocks_say() {
    let locks = 1..=6;
    let mut statements = vec![genesis()];
    let recovery = slot(RECOVERY, SlotKind::Recovery);
    statements.push(said_at(1, recovery, &[LAPTOP, RECOVERY]));
    for counter in locks.clone() {
        let seed = 100 + u8::try_from(counter).unwrap();
        let clock = u64::from(50 - counter);
        let claim = Claim::Second(second(counter, seed));
        statements.push(said_at(clock, claim, &[LAPTOP, RECOVERY, seed]));
    }
    let (roster, refused) = judge(&statements);
    assert_eq!(roster.second_lock().unwrap().lock.counter, *locks.end());
    assert_eq!(refused, []);
}

/// AUT-21, AUT-22: devices that the recovery code confirmed wait at no time: however many they are, none of them is
/// put off behind a later one.
#[test]
fn confirmed_devices_wait_at_no_time() {
    let recovery = slot(RECOVERY, SlotKind::Recovery);
    let mut statements = vec![genesis(), said_at(1, recovery, &[LAPTOP, RECOVERY])];
    for seed in (100..).take(QUARANTINED_MAX + 1) {
        statements.push(said_at(10, add(seed), &[seed, IDENTITY]));
        statements.push(said_at(20, Claim::Confirm(device(seed)), &[RECOVERY]));
    }
    statements.push(said_at(30, add(PHONE), &[PHONE, LAPTOP]));
    let (roster, refused) = judge(&statements);
    assert_eq!(refused, []);
    // Behind the laptop and all of them.
    assert_eq!(roster.device(device(PHONE)).unwrap().order, QUARANTINED_MAX + 2);
}

/// A statement in the first life of a device's authority feed.
fn placed(seed: u8, number: u64, statement: SignedStatement) -> Placed {
    Placed { life: (device(seed), INCARNATION), number, statement }
}

/// Heads name as many authority entries as their number says.
fn judge_placed(statements: &[Placed]) -> (Roster, Vec<AuthorityError>) {
    let extent = |_, _, at: Position| Some(at.number);
    Roster::judge_placed(vault(), statements, &extent).unwrap()
}

fn revoke_at(seed: u8, number: u64) -> Claim {
    Claim::Revoke { device: device(seed), last: vec![(INCARNATION, at(number))] }
}

/// A laptop that added a phone, and a tablet that the phone added; the recovery code.
fn placed_life() -> Vec<Placed> {
    vec![
        placed(LAPTOP, 1, genesis()),
        placed(LAPTOP, 1, said_at(2, slot(RECOVERY, SlotKind::Recovery), &[LAPTOP, RECOVERY])),
        placed(LAPTOP, 2, said_at(3, add(PHONE), &[PHONE, LAPTOP])),
        placed(PHONE, 2, said_at(4, add(TABLET), &[TABLET, PHONE])),
    ]
}

/// The same, wherever it stands.
fn plain_life() -> Vec<SignedStatement> {
    placed_life().into_iter().map(|placed| placed.statement).collect()
}

/// AUT-23, attack DEV-01: what a device signs after it was revoked lists nobody, wherever it is found: in its own feed
/// beyond its last accepted head, in a life that the revoke does not list, or in a feed of an accomplice.
#[test]
fn aut_23_what_a_revoked_device_signs_later_counts_nowhere() {
    let lists = said_at(1, add(STRANGER), &[STRANGER, PHONE]);
    let foreign = Incarnation([9; 8]);
    let other_life = Placed { life: (device(PHONE), foreign), ..placed(PHONE, 1, lists.clone()) };
    let hidden = [
        placed(PHONE, 6, lists.clone()),
        other_life,
        placed(STRANGER, 1, lists.clone()),
        placed(TABLET, 1, lists.clone()),
    ];
    for thief in hidden {
        let mut statements = placed_life();
        statements.push(thief);
        let (roster, _) = judge_placed(&statements);
        assert!(roster.device(device(STRANGER)).is_some(), "so far it counts");
        statements.push(placed(LAPTOP, 3, said_at(9, revoke_at(PHONE, 5), &[LAPTOP])));
        let (roster, refused) = judge_placed(&statements);
        assert!(roster.device(device(STRANGER)).is_none());
        assert_eq!(refused, [AuthorityError::Ended]);
        // What it said before stands.
        assert!(roster.device(device(TABLET)).unwrap().is_active());
        // Unless the revoke accepts it.
        statements.pop();
        statements.push(placed(PHONE, 5, lists.clone()));
        statements.push(placed(LAPTOP, 3, said_at(9, revoke_at(PHONE, 5), &[LAPTOP])));
        assert!(judge_placed(&statements).0.device(device(STRANGER)).is_some());
    }
}

/// AUT-23: a later-listed device that turns hostile and revokes an earlier one takes none of that one's
/// statements away, whatever it says is the last accepted head; the recovery code and the order of listing
/// decide first.
#[test]
fn aut_23_a_hostile_device_takes_nothing_from_one_that_was_listed_before_it() {
    let mut statements = placed_life();
    statements.push(placed(LAPTOP, 4, said_at(8, password_slot(), &[LAPTOP, PASSWORD])));
    statements.push(placed(PHONE, 3, said_at(9, revoke_at(LAPTOP, 1), &[PHONE])));
    let (roster, _) = judge_placed(&statements);
    assert!(roster.device(device(LAPTOP)).unwrap().revoked.is_some(), "it may say so");
    assert_eq!(roster.slots().len(), 2, "but every way in stays");
    assert!(roster.device(device(PHONE)).is_some() && roster.device(device(TABLET)).is_some());
    // Also where it leaves standing what it rests on itself.
    statements.pop();
    statements.push(placed(PHONE, 3, said_at(9, revoke_at(LAPTOP, 2), &[PHONE])));
    assert_eq!(judge_placed(&statements).0.slots().len(), 2);
    // With the recovery code it is final.
    statements.pop();
    let by_code = said_at(9, revoke_at(LAPTOP, 2), &[PHONE, RECOVERY]);
    statements.push(placed(PHONE, 3, by_code));
    assert_eq!(judge_placed(&statements).0.slots().len(), 1);
    // A revoke that would take away what its own signer rests on cuts nothing.
    statements.pop();
    let by_code = said_at(9, revoke_at(LAPTOP, 1), &[PHONE, RECOVERY]);
    statements.push(placed(PHONE, 3, by_code));
    let (roster, _) = judge_placed(&statements);
    assert!(roster.device(device(LAPTOP)).unwrap().revoked.is_some());
    assert_eq!(roster.slots().len(), 2);
    // And the laptop that says the same of the phone is heard first.
    let mut statements = placed_life();
    statements.push(placed(PHONE, 3, said_at(9, revoke_at(LAPTOP, 1), &[PHONE])));
    statements.push(placed(LAPTOP, 3, said_at(30, revoke_at(PHONE, 2), &[LAPTOP])));
    let (roster, _) = judge_placed(&statements);
    assert!(roster.device(device(LAPTOP)).unwrap().is_active());
    assert!(roster.device(device(PHONE)).unwrap().revoked.is_some());
}

/// A phone whose revoke rests on what it said too late itself: it added the tablet, which revokes it with the recovery
/// code. And a guest that the laptop added last.
fn entangled(last: u64) -> Vec<Placed> {
    vec![
        placed(LAPTOP, 1, genesis()),
        placed(LAPTOP, 1, said_at(2, slot(RECOVERY, SlotKind::Recovery), &[LAPTOP, RECOVERY])),
        placed(LAPTOP, 2, said_at(3, add(PHONE), &[PHONE, LAPTOP])),
        placed(PHONE, 5, said_at(4, add(TABLET), &[TABLET, PHONE])),
        placed(LAPTOP, 3, said_at(5, add(GUEST), &[GUEST, LAPTOP])),
        placed(TABLET, 1, said_at(9, revoke_at(PHONE, last), &[TABLET, RECOVERY])),
    ]
}

/// AUT-23: a revoke that would take away what it rests on takes nothing away; neither does one that would become another.
#[test]
fn aut_23_a_revoke_takes_nothing_away_that_it_rests_on() {
    let (roster, _) = judge_placed(&entangled(3));
    assert!(roster.device(device(TABLET)).unwrap().is_active());
    let mut statements = entangled(3);
    statements.push(placed(LAPTOP, 4, said_at(10, revoke_at(PHONE, 4), &[LAPTOP])));
    let (roster, _) = judge_placed(&statements);
    assert!(roster.device(device(TABLET)).unwrap().is_active());
    assert_eq!(
        roster.device(device(PHONE)).unwrap().revoked.as_ref().unwrap()[&INCARNATION],
        at(3)
    );
}

/// AUT-24: and its revokes do not go on to count by that, neither what its own feed has beyond the last accepted head
/// nor what stands in somebody else's.
#[test]
fn aut_24_a_revoke_counts_where_its_signer_said_it_in_time() {
    let ends_guest = || said_at(10, revoke_at(GUEST, 1), &[PHONE]);
    let mut statements = entangled(6);
    statements.push(placed(PHONE, 6, ends_guest()));
    let is_ended = |statements: &[Placed]| {
        judge_placed(statements).0.device(device(GUEST)).unwrap().revoked.is_some()
    };
    assert!(is_ended(&statements), "in time");
    let mut statements = entangled(3);
    statements.push(placed(PHONE, 6, ends_guest()));
    assert!(!is_ended(&statements), "too late");
    // In the feed of one that was revoked since, and had not signed it.
    statements.pop();
    statements.push(placed(LAPTOP, 4, ends_guest()));
    statements.push(placed(TABLET, 2, said_at(11, revoke_at(LAPTOP, 9), &[TABLET, RECOVERY])));
    assert!(judge_placed(&statements).0.device(device(LAPTOP)).unwrap().revoked.is_some());
    assert!(!is_ended(&statements), "elsewhere");
}

/// AUT-23: what the recovery code has signed takes effect first: a revoke that rests on what it takes away is none.
#[test]
fn aut_23_the_recovery_code_cuts_first() {
    let statements = [
        placed(LAPTOP, 1, genesis()),
        placed(LAPTOP, 1, said_at(2, slot(RECOVERY, SlotKind::Recovery), &[LAPTOP, RECOVERY])),
        placed(LAPTOP, 2, said_at(3, add(PHONE), &[PHONE, LAPTOP])),
        // A thief has the phone: it lists an accomplice, which ends the tablet.
        placed(PHONE, 5, said_at(4, add(GUEST), &[GUEST, PHONE])),
        placed(LAPTOP, 3, said_at(5, add(TABLET), &[TABLET, LAPTOP])),
        placed(GUEST, 1, said_at(6, revoke_at(TABLET, 1), &[GUEST])),
        placed(LAPTOP, 4, said_at(9, revoke_at(PHONE, 3), &[LAPTOP, RECOVERY])),
    ];
    let (roster, _) = judge_placed(&statements);
    assert!(roster.device(device(GUEST)).is_none());
    assert!(roster.device(device(TABLET)).unwrap().is_active());
}

/// AUT-24: whoever a device revoked stays revoked when that device is revoked itself.
#[test]
fn aut_24_a_revoke_outlives_its_signer() {
    let mut statements = placed_life();
    statements.push(placed(PHONE, 4, said_at(9, revoke_at(TABLET, 1), &[PHONE])));
    statements.push(placed(LAPTOP, 3, said_at(20, revoke_at(PHONE, 4), &[LAPTOP])));
    let (roster, refused) = judge_placed(&statements);
    for seed in [PHONE, TABLET] {
        assert!(roster.device(device(seed)).unwrap().revoked.is_some(), "{seed}");
    }
    assert_eq!(refused, []);
    // Not if it said so later.
    statements.pop();
    statements.push(placed(LAPTOP, 3, said_at(20, revoke_at(PHONE, 3), &[LAPTOP])));
    let (roster, _) = judge_placed(&statements);
    assert!(roster.device(device(TABLET)).unwrap().is_active());
    // A stolen laptop that revoked the phone does not win by that against the phone and the recovery code.
    let mut statements = placed_life();
    statements.push(placed(LAPTOP, 3, said_at(9, revoke_at(PHONE, 2), &[LAPTOP])));
    let by_code = said_at(20, revoke_at(LAPTOP, 3), &[PHONE, RECOVERY]);
    statements.push(placed(PHONE, 3, by_code));
    let (roster, _) = judge_placed(&statements);
    assert!(roster.device(device(PHONE)).unwrap().is_active());
    assert!(roster.device(device(LAPTOP)).unwrap().revoked.is_some());
}

/// KRG-3: an epoch is whose device started it; of several that say so, the one that was listed first.
#[test]
fn krg_3_an_epoch_has_one_maker() {
    let of = |seed| Claim::Epoch { collection: CollectionId([9; 16]), epoch: epoch(1, seed) };
    let mut statements = placed_life();
    statements.push(placed(PHONE, 3, said_at(9, of(1), &[PHONE])));
    statements.push(placed(TABLET, 3, said_at(1, of(1), &[TABLET])));
    statements.push(placed(TABLET, 3, said_at(1, of(2), &[TABLET])));
    let (roster, _) = judge_placed(&statements);
    let maker = |seed| roster.maker(CollectionId([9; 16]), epoch(1, seed));
    assert_eq!([maker(1), maker(2), maker(3)], [Some(device(PHONE)), Some(device(TABLET)), None]);
    assert_eq!(roster.collection_maker(CollectionId([9; 16])), Some(device(PHONE)));
}
