// SPDX-License-Identifier: MIT OR Apache-2.0
//! Statements after a genesis, and what may be wrong with the last of them (AUT-1 to AUT-20).

use aura_protocol::authority::{Claim, SignedStatement, SlotKind, Statement};
use aura_protocol::codec::{Encode, Extra};
use aura_protocol::head::Position;
use aura_protocol::id::{CollectionId, FeedId, GrantId, Hash, Incarnation, SlotId, VaultId};
use aura_protocol::label::Label;
use aura_testkit::vectors::Case;
use serde_json::{Value, json};

use crate::sample::*;

fn of(statements: &[SignedStatement]) -> Value {
    let list: Vec<String> = statements.iter().map(|s| hex(&s.to_bytes())).collect();
    json!({ "statements": list })
}

/// A vault with a recovery slot and a quarantined phone, then this.
fn then(last: SignedStatement) -> Value {
    after(&[], last)
}

fn after(between: &[SignedStatement], last: SignedStatement) -> Value {
    let mut statements = vec![
        genesis(),
        said(slot(RECOVERY, SlotKind::Recovery), &[LAPTOP, RECOVERY]),
        said(Claim::Add(device_keys(PHONE)), &[PHONE, IDENTITY]),
    ];
    statements.extend_from_slice(between);
    statements.push(last);
    of(&statements)
}

fn new_epoch() -> Claim {
    Claim::Epoch { collection: CollectionId([9; 16]), epoch: epoch(1, 4) }
}

fn identity(counter: u32) -> Claim {
    Claim::Identity { generation: epoch(counter, 1), keys: identity_keys(IDENTITY_TWO) }
}

fn floor(security: u64) -> Claim {
    Claim::Floor { security, protocol: 1 }
}

fn edited(key: u64, value: Option<&[u8]>) -> SignedStatement {
    let mut statement = said(new_epoch(), &[LAPTOP]);
    statement.payload = with_member(&statement.payload, key, value);
    statement.signatures[0].1 = sign(LAPTOP, Label::SigStatement, &statement.payload);
    statement
}

fn beginnings() -> Vec<Case> {
    let good = |name, note| Case::accepted("statements", name, note);
    let bad = |name, note| Case::refused("statements", name, note);
    let genesis_by = |by: &[u8]| {
        let claim =
            Statement { vault: None, claim: genesis_claim(), clock: 1, extra: Extra::default() };
        of(&[signed(&claim, by)])
    };
    let mut foreign = statement(new_epoch(), 2);
    foreign.vault = Some(VaultId([1; 32]));
    let mut unsigned = said(new_epoch(), &[LAPTOP]);
    unsigned.signatures.clear();
    vec![
        good("AUT-2_genesis", "a vault begins; its id is this statement's hash")
            .of(of(&[genesis()])),
        bad("AUT-5_no-identity", "a genesis without the identity's signature")
            .of(genesis_by(&[LAPTOP])),
        bad("AUT-5_no-device", "a genesis without the device's signature")
            .of(genesis_by(&[IDENTITY])),
        bad("AUT-5_third", "a genesis with a third signature")
            .of(genesis_by(&[IDENTITY, LAPTOP, STRANGER])),
        bad("AUT-5_again", "a second genesis").of(then(genesis())),
        bad("AUT-1_no-vault", "an epoch that names no vault").of(then(edited(2, None))),
        bad("AUT-6_other-vault", "an epoch of another vault").of(then(signed(&foreign, &[LAPTOP]))),
        bad("AUT-3_unsigned", "no signature").of(then(unsigned)),
        bad("AUT-3_twice", "one key signs twice").of(then(said(new_epoch(), &[LAPTOP, LAPTOP]))),
        bad("AUT-4_unknown", "a statement of type 99 by a listed device")
            .of(then(edited(3, Some(&[0x18, 99])))),
        bad("AUT-15_clear-epoch", "an epoch with counter 0").of(then(said(
            Claim::Epoch { collection: CollectionId([9; 16]), epoch: epoch(0, 0) },
            &[LAPTOP],
        ))),
        bad("AUT-15_lives", "a revoke with an incarnation twice").of(then(said(
            Claim::Revoke {
                device: device(PHONE),
                last: vec![(Incarnation([1; 8]), at(1)), (Incarnation([1; 8]), at(2))],
            },
            &[LAPTOP],
        ))),
    ]
}

fn devices() -> Vec<Case> {
    let good = |name, note| Case::accepted("statements", name, note);
    let bad = |name, note| Case::refused("statements", name, note);
    let add = |by: &[u8]| then(said(Claim::Add(device_keys(TABLET)), by));
    let confirm = |by: &[u8]| said(Claim::Confirm(device(PHONE)), by);
    let revoke = |seed: u8| Claim::Revoke { device: device(seed), last: Vec::new() };
    let mut double = device_keys(TABLET);
    double.log = double.sign;
    vec![
        good("AUT-7_by-device", "a device added by a listed one").of(add(&[TABLET, LAPTOP])),
        good("AUT-7_by-identity", "a device added by the identity, quarantined")
            .of(add(&[TABLET, IDENTITY])),
        bad("AUT-7_no-reverse", "a device that does not sign for itself").of(add(&[LAPTOP])),
        bad("AUT-7_self", "a device that adds itself").of(add(&[TABLET])),
        bad("AUT-7_stranger", "a device added by a stranger").of(add(&[TABLET, STRANGER])),
        bad("AUT-7_by-guest", "a device added by a quarantined one").of(add(&[TABLET, PHONE])),
        bad("AUT-7_one-key", "a device whose log key is its signing key")
            .of(then(said(Claim::Add(double), &[TABLET, LAPTOP]))),
        good("AUT-8_by-device", "a quarantine ends by a listed device")
            .of(then(confirm(&[LAPTOP]))),
        good("AUT-8_by-recovery", "a quarantine ends by a recovery slot")
            .of(then(confirm(&[RECOVERY]))),
        bad("AUT-8_by-itself", "a quarantined device confirms itself").of(then(confirm(&[PHONE]))),
        bad("AUT-8_by-identity", "the identity confirms").of(then(confirm(&[IDENTITY]))),
        bad("AUT-8_revoked", "a revoked device is confirmed")
            .of(after(&[said(revoke(PHONE), &[LAPTOP])], confirm(&[LAPTOP]))),
        good("AUT-9_device", "a listed device starts an epoch")
            .of(then(said(new_epoch(), &[LAPTOP]))),
        bad("AUT-9_guest", "a quarantined device starts an epoch")
            .of(then(said(new_epoch(), &[PHONE]))),
        bad("AUT-9_identity", "the identity starts an epoch")
            .of(then(said(new_epoch(), &[IDENTITY]))),
        bad("AUT-9_guest-revokes", "a quarantined device revokes")
            .of(then(said(revoke(LAPTOP), &[PHONE]))),
        bad("AUT-9_revoked", "a revoked device starts an epoch").of(after(
            &[confirm(&[LAPTOP]), said(revoke(PHONE), &[LAPTOP])],
            said(new_epoch(), &[PHONE]),
        )),
        bad("AUT-9_unknown-device", "an unlisted device is revoked")
            .of(then(said(revoke(TABLET), &[LAPTOP]))),
        bad("AUT-17_again", "a revoked device is added anew").of(after(
            &[said(revoke(PHONE), &[LAPTOP])],
            said_at(9, Claim::Add(device_keys(PHONE)), &[PHONE, LAPTOP]),
        )),
        bad("AUT-18_second-revoke", "a second revoke of a device")
            .of(after(&[said(revoke(PHONE), &[LAPTOP])], said_at(9, revoke(PHONE), &[LAPTOP]))),
        good("AUT-18_recovery-revoke", "a second revoke, co-signed by a recovery slot").of(after(
            &[said(revoke(PHONE), &[LAPTOP])],
            said_at(9, revoke(PHONE), &[LAPTOP, RECOVERY]),
        )),
    ]
}

fn values() -> Vec<Case> {
    let good = |name, note| Case::accepted("statements", name, note);
    let bad = |name, note| Case::refused("statements", name, note);
    let feed = FeedId {
        collection: CollectionId([9; 16]),
        device: device(LAPTOP),
        incarnation: INCARNATION,
    };
    let base = Claim::Base { feed, range: (1, 2), covered: Vec::new() };
    let unslot = said(Claim::Unslot(SlotId([PASSWORD; 16])), &[LAPTOP]);
    let slot = said(password_slot(), &[LAPTOP, PASSWORD]);
    let ungrant = said(Claim::Ungrant(GrantId([1; 16])), &[LAPTOP]);
    let phone = said(Claim::Confirm(device(PHONE)), &[LAPTOP]);
    vec![
        good("AUT-10_rises", "a second root generation").of(then(said(identity(2), &[LAPTOP]))),
        bad("AUT-10_falls", "an older root generation")
            .of(after(&[said(identity(3), &[LAPTOP])], said(identity(2), &[LAPTOP]))),
        bad("AUT-10_clash", "other keys for a known generation")
            .of(then(said(identity(1), &[LAPTOP]))),
        good("AUT-11_slot", "a password slot").of(then(slot.clone())),
        bad("AUT-11_no-reverse", "a slot that does not sign for itself")
            .of(then(said(password_slot(), &[LAPTOP]))),
        bad("AUT-17_slot", "a removed slot comes back").of(after(
            &[slot.clone(), unslot.clone()],
            said_at(9, password_slot(), &[LAPTOP, PASSWORD]),
        )),
        good("AUT-13_replay", "a removed slot's own statement, once more: nothing changes")
            .of(after(&[slot.clone(), unslot], slot)),
        bad("AUT-17_ungrant", "a grant that is not there ends").of(then(ungrant)),
        good("AUT-12_floor", "a floor").of(then(said(floor(2), &[LAPTOP]))),
        bad("AUT-12_falls", "a lower floor")
            .of(after(&[said(floor(2), &[LAPTOP])], said(floor(1), &[LAPTOP]))),
        good("AUT-14_own", "a device's own snapshot").of(then(said(base.clone(), &[LAPTOP]))),
        bad("AUT-14_other", "another device's snapshot").of(after(&[phone], said(base, &[PHONE]))),
    ]
}

fn snapshots() -> Vec<Case> {
    let good = |name, note| Case::accepted("statements", name, note);
    let bad = |name, note| Case::refused("statements", name, note);
    let feed = |collection, by| FeedId {
        collection: CollectionId([collection; 16]),
        device: device(by),
        incarnation: INCARNATION,
    };
    let at = |number| Position { number, hash: Hash([7; 32]) };
    let base = |range, covered: &[(FeedId, Position)]| {
        let mut covered = covered.to_vec();
        covered.sort_by_key(|(feed, _)| *feed);
        said(Claim::Base { feed: feed(9, LAPTOP), range, covered }, &[LAPTOP])
    };
    let both = [(feed(9, LAPTOP), at(3)), (feed(9, PHONE), at(2))];
    let first = base((4, 5), &both);
    let name = |base: &SignedStatement| Hash::of(&[&base.payload]);
    let adopt = |by| {
        let claim = Claim::Adopt { base: name(&first), last: Hash([0x1a; 32]) };
        said(claim, &[by])
    };
    let phone = said(Claim::Confirm(device(PHONE)), &[LAPTOP]);
    let later = base((6, 9), &[(feed(9, LAPTOP), at(5)), (feed(9, PHONE), at(2))]);
    let clear = Claim::Base {
        feed: FeedId { collection: CollectionId::AUTHORITY, ..feed(9, LAPTOP) },
        range: (1, 2),
        covered: Vec::new(),
    };
    vec![
        good("AUT-26_base", "a snapshot that covers two feeds").of(then(first.clone())),
        good("AUT-26_later", "one that covers another one: both count")
            .of(after(std::slice::from_ref(&first), later)),
        bad("AUT-26_gap", "something of its own feed is neither covered nor in it")
            .of(then(base((5, 6), &both))),
        bad("AUT-26_collection", "it covers a feed of another collection")
            .of(then(base((1, 2), &[(feed(8, PHONE), at(2))]))),
        bad("AUT-26_nothing", "it covers a feed up to no entry")
            .of(then(base((1, 2), &[(feed(9, PHONE), Position::NONE)]))),
        bad("AUT-26_authority", "of what the vault says of itself")
            .of(then(said(clear, &[LAPTOP]))),
        good("AUT-27_adopt", "another device has adopted it")
            .of(after(&[phone.clone(), first.clone()], adopt(PHONE))),
        good("AUT-27_before", "the same, said before the snapshot came")
            .of(after(&[phone, adopt(PHONE)], first.clone())),
        bad("AUT-27_guest", "a device that waits to be confirmed")
            .of(after(std::slice::from_ref(&first), adopt(PHONE))),
    ]
}

fn seconds() -> Vec<Case> {
    let good = |name, note| Case::accepted("statements", name, note);
    let bad = |name, note| Case::refused("statements", name, note);
    let lock = |counter, seed: u8, by: &[u8]| said(Claim::Second(second(counter, seed)), by);
    let first = lock(1, SECOND, &[LAPTOP, SECOND]);
    let since = std::slice::from_ref(&first);
    let mut other_generation = second(1, SECOND);
    other_generation.generation = epoch(7, 7);
    let hardware = {
        let mut statement = first.clone();
        let factor = statement.payload.windows(3).position(|bytes| bytes == [0x85, 0x01, 0x1a]);
        statement.payload[factor.unwrap() + 1] = 2;
        for (seed, (_, signature)) in [LAPTOP, SECOND].iter().zip(&mut statement.signatures) {
            *signature = sign(*seed, Label::SigStatement, &statement.payload);
        }
        statement
    };
    vec![
        good("AUT-19_second", "a second lock").of(then(first.clone())),
        bad("AUT-19_no-reverse", "a second lock that does not sign for itself").of(then(lock(
            1,
            SECOND,
            &[LAPTOP],
        ))),
        bad("AUT-19_no-device", "a second lock without a device's signature").of(then(lock(
            1,
            SECOND,
            &[SECOND],
        ))),
        bad("AUT-19_generation", "a second lock of a root generation that is not listed")
            .of(then(said(Claim::Second(other_generation), &[LAPTOP, SECOND]))),
        bad("AUT-19_newer", "a second factor of another kind than a password").of(then(hardware)),
        bad("AUT-15_clear-lock", "a second lock with counter 0").of(then(lock(
            0,
            SECOND,
            &[LAPTOP, SECOND],
        ))),
        bad("AUT-20_ahead", "a first second lock with counter 2").of(then(lock(
            2,
            SECOND,
            &[LAPTOP, SECOND],
        ))),
        good("AUT-20_next", "the next second lock, by the one in force")
            .of(after(since, lock(2, SECOND_TWO, &[LAPTOP, SECOND, SECOND_TWO]))),
        good("AUT-20_by-recovery", "the next second lock, by a recovery slot")
            .of(after(since, lock(2, SECOND_TWO, &[LAPTOP, RECOVERY, SECOND_TWO]))),
        bad("AUT-20_by-device", "the next second lock, by a device alone")
            .of(after(since, lock(2, SECOND_TWO, &[LAPTOP, SECOND_TWO]))),
        bad("AUT-20_again", "a second lock with the counter of the one in force")
            .of(after(since, lock(1, SECOND_TWO, &[LAPTOP, SECOND, SECOND_TWO]))),
        good("AUT-8_by-second", "a quarantine ends by the second lock")
            .of(after(since, said(Claim::Confirm(device(PHONE)), &[SECOND]))),
        bad("AUT-8_by-former-second", "a quarantine ends by a second lock that was replaced").of(
            after(
                &[first.clone(), lock(2, SECOND_TWO, &[LAPTOP, SECOND, SECOND_TWO])],
                said(Claim::Confirm(device(PHONE)), &[SECOND]),
            ),
        ),
    ]
}

pub(crate) fn cases() -> Vec<Case> {
    [beginnings(), devices(), values(), snapshots(), seconds()].into_iter().flatten().collect()
}
