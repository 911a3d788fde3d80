// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who may say what: each row of the table of claims, said by those who may and those who may not.

use aura_protocol::authority::{
    AuthorityError, Claim, Position, Recipient, Roster, SignedStatement, SlotKind, Standing,
    Statement, decode_body, encode_body,
};
use aura_protocol::codec::{CodecError, Decode, Encode, Extra};
use aura_protocol::id::{
    CollectionId, DeviceId, EpochId, FeedId, GrantId, Hash, Incarnation, SlotId, VaultId,
};
use aura_protocol::label::Label;
use aura_protocol::limits::{STATEMENT_BYTES_MAX, STATEMENT_SIGNATURES_MAX};
use aura_protocol::signed::{Signature, SignedError};

use crate::sample::*;

const LIFE: Incarnation = Incarnation([1; 8]);

fn decode(statement: &Statement) -> Result<Statement, CodecError> {
    Statement::from_bytes(&statement.to_bytes(), STATEMENT_BYTES_MAX)
}

fn grant(grant: u8) -> Claim {
    Claim::Grant {
        grant: GrantId([grant; 16]),
        sign: public(50),
        kem: kem(50),
        collections: vec![CollectionId([8; 16]), CollectionId([9; 16])],
        until_ms: -5,
        sealed: vec![1, 2],
    }
}

fn base(seed: u8) -> Claim {
    let feed = FeedId {
        collection: CollectionId([9; 16]),
        device: device(seed),
        incarnation: INCARNATION,
    };
    Claim::Base { feed, range: (3, 5), covered: vec![(feed, at(2))] }
}

fn identity(counter: u32, nonce: u8) -> Claim {
    let keys = identity_keys(IDENTITY_TWO);
    Claim::Identity { generation: epoch(counter, nonce), keys }
}

fn wrap() -> Claim {
    let recipient = Recipient::Device(device(LAPTOP));
    Claim::Wrap { recipient, generation: epoch(1, 1), sealed: vec![4; 32] }
}

fn revoke(seed: u8) -> Claim {
    Claim::Revoke { device: device(seed), last: vec![(LIFE, at(4))] }
}

fn close(seed: u8) -> Claim {
    Claim::Close { device: device(seed), incarnation: LIFE, last: at(4) }
}

fn new_epoch() -> Claim {
    Claim::Epoch { collection: CollectionId([9; 16]), epoch: epoch(1, 4) }
}

/// Every claim that takes a listed, confirmed, unrevoked device.
fn device_claims(by: u8) -> Vec<Claim> {
    vec![
        revoke(LAPTOP),
        close(LAPTOP),
        Claim::Retire(device(LAPTOP)),
        identity(2, 1),
        Claim::Unslot(SlotId([RECOVERY; 16])),
        wrap(),
        new_epoch(),
        base(by),
        Claim::Adopt { base: Hash([1; 32]), last: Hash([2; 32]) },
        grant(1),
        Claim::Floor { security: 1, protocol: 1 },
    ]
}

/// AUT-1.
#[test]
fn only_a_genesis_names_no_vault() {
    let mut genesis =
        Statement { vault: None, claim: genesis_claim(), clock: 1, extra: Extra::default() };
    assert_eq!(decode(&genesis).as_ref(), Ok(&genesis));
    genesis.vault = Some(VaultId([1; 32]));
    assert_eq!(decode(&genesis), Err(CodecError::MissingKey(2)));
    let mut other = statement(wrap(), 1);
    other.vault = None;
    assert_eq!(decode(&other), Err(CodecError::MissingKey(2)));
    for key in [1, 3, 4, 5] {
        let bytes = with_member(&statement(wrap(), 1).to_bytes(), key, None);
        let decoded = Statement::from_bytes(&bytes, STATEMENT_BYTES_MAX);
        assert_eq!(decoded, Err(CodecError::MissingKey(key)));
    }
    let version = with_member(&statement(wrap(), 1).to_bytes(), 1, Some(&[2]));
    let decoded = Statement::from_bytes(&version, STATEMENT_BYTES_MAX);
    assert_eq!(decoded, Err(CodecError::Version));
}

/// AUT-2.
#[test]
fn a_vault_s_id_is_its_signed_genesis_hash() {
    assert_eq!(roster().vault().0, Hash::of(&[&genesis().to_bytes()]).0);
    assert_eq!(genesis().hash(), Hash::of(&[&genesis().to_bytes()]));
}

/// AUT-3.
#[test]
fn each_signature_is_its_key_s_and_each_key_signs_once() {
    let good = said(wrap(), &[LAPTOP, STRANGER]);
    assert_eq!(good.verify().unwrap().1, [public(LAPTOP), public(STRANGER)]);
    let mut roster = roster();
    let refused = |statement: &SignedStatement| {
        assert_eq!(statement.verify().unwrap_err(), SignedError::Signature);
    };
    let mut none = good.clone();
    none.signatures.clear();
    refused(&none);
    assert_eq!(roster.apply(&none), Err(AuthorityError::Signed(SignedError::Signature)));
    let mut one_wrong = good.clone();
    one_wrong.signatures[1].1 = Signature([0; 64]);
    refused(&one_wrong);
    let mut claimed = good.clone();
    claimed.signatures[1].0 = public(PHONE);
    refused(&claimed);
    refused(&said(wrap(), &[LAPTOP, LAPTOP]));
    let many: Vec<u8> = (100..=100 + u8::try_from(STATEMENT_SIGNATURES_MAX).unwrap()).collect();
    refused(&said(wrap(), &many));
    assert!(said(wrap(), &many[1..]).verify().is_ok(), "as many as there may be");
    let too_many = encode_body(&[said(wrap(), &many)]);
    assert_eq!(decode_body(&too_many), Err(CodecError::Bounds));
    let mut altered = good.clone();
    *altered.payload.last_mut().unwrap() ^= 1;
    refused(&altered);
    // A signature under another label is none.
    let mut relabelled = good;
    relabelled.signatures =
        vec![(public(LAPTOP), sign(LAPTOP, Label::SigGenesis, &relabelled.payload))];
    refused(&relabelled);
    let mut large = said(wrap(), &[LAPTOP]);
    large.payload = vec![0; STATEMENT_BYTES_MAX + 1];
    assert_eq!(large.verify().unwrap_err(), SignedError::Payload(CodecError::Bounds));
}

/// A statement of type 99, of this vault or another, well signed.
pub(crate) fn newer(vault: VaultId, by: &[u8]) -> SignedStatement {
    let mut payload = statement(wrap(), 1).to_bytes();
    payload = with_member(&payload, 2, Some(&cbor(|w| _ = w.bytes(&vault.0))));
    payload = with_member(&payload, 3, Some(&[0x18, 99]));
    let signatures =
        by.iter().map(|s| (public(*s), sign(*s, Label::SigStatement, &payload))).collect();
    SignedStatement { payload, signatures }
}

/// AUT-4, attack DEV-06 (unsupported_critical).
#[test]
fn an_unknown_claim_matters_if_somebody_with_authority_makes_it() {
    let mut roster = roster_with_guest();
    assert_eq!(roster.apply(&newer(vault(), &[LAPTOP])), Err(AuthorityError::Newer));
    assert_eq!(roster.apply(&newer(vault(), &[STRANGER])), Err(AuthorityError::Signer));
    assert_eq!(roster.apply(&newer(vault(), &[PHONE])), Err(AuthorityError::Signer));
    assert_eq!(roster.apply(&newer(VaultId([1; 32]), &[LAPTOP])), Err(AuthorityError::Vault));
    let mut forged = newer(vault(), &[LAPTOP]);
    forged.signatures[0].1 = sign(STRANGER, Label::SigStatement, &forged.payload);
    assert_eq!(roster.apply(&forged), Err(AuthorityError::Signed(SignedError::Signature)));
    // The same for a critical member and for another version.
    for (key, value) in [(6, 0), (1, 2)] {
        let mut other = said(wrap(), &[LAPTOP]);
        other.payload = with_member(&other.payload, key, Some(&[value]));
        other.signatures[0].1 = sign(LAPTOP, Label::SigStatement, &other.payload);
        assert_eq!(roster.apply(&other), Err(AuthorityError::Newer));
    }
}

/// AUT-16.
#[test]
fn one_unreadable_statement_leaves_the_others_readable() {
    let mut broken = said(wrap(), &[LAPTOP]);
    broken.payload = vec![0xff];
    let body = encode_body(&[newer(vault(), &[LAPTOP]), broken, said(wrap(), &[LAPTOP])]);
    let statements = decode_body(&body).unwrap();
    let mut roster = roster();
    let counted: Vec<bool> = statements.iter().map(|s| roster.apply(s).is_ok()).collect();
    assert_eq!(counted, [false, false, true]);
    assert_eq!(decode_body(&body[..body.len() - 1]), Err(CodecError::Truncated));
    assert_eq!(decode_body(&[body, vec![0]].concat()), Err(CodecError::Trailing));
    assert_eq!(decode_body(&cbor(|w| _ = w.array(1025))), Err(CodecError::Bounds));
}

/// AUT-5, attack DEV-01.
#[test]
fn a_genesis_is_signed_by_its_identity_and_first_device_and_nobody_else() {
    let claim =
        Statement { vault: None, claim: genesis_claim(), clock: 1, extra: Extra::default() };
    for by in [&[IDENTITY][..], &[LAPTOP], &[IDENTITY, STRANGER], &[IDENTITY, LAPTOP, STRANGER]] {
        let begun = Roster::begin(&signed(&claim, by)).map(drop);
        assert_eq!(begun, Err(AuthorityError::Signer), "{by:?}");
    }
    assert_eq!(Roster::begin(&said(wrap(), &[LAPTOP])).map(drop), Err(AuthorityError::Genesis));
    assert_eq!(roster().apply(&genesis()), Err(AuthorityError::Genesis));
    assert_eq!(roster().identity().0, epoch(1, 1));
    assert!(roster().device(device(LAPTOP)).unwrap().is_active());
    let mut clear = claim;
    if let Claim::Genesis { generation, .. } = &mut clear.claim {
        *generation = EpochId::CLEAR;
    }
    assert_eq!(decode(&clear), Err(CodecError::Bounds));
}

/// AUT-6.
#[test]
fn a_statement_counts_in_its_own_vault_only() {
    let mut foreign = statement(wrap(), 1);
    foreign.vault = Some(VaultId([1; 32]));
    assert_eq!(roster().apply(&signed(&foreign, &[LAPTOP])), Err(AuthorityError::Vault));
}

/// AUT-7, attack DEV-01.
#[test]
fn a_device_is_added_by_itself_and_somebody_with_authority() {
    let add = || Claim::Add(device_keys(PHONE));
    let mut roster = roster();
    assert_eq!(roster.apply(&said(add(), &[LAPTOP])), Err(AuthorityError::Reverse));
    assert_eq!(roster.apply(&said(add(), &[PHONE])), Err(AuthorityError::Signer));
    assert_eq!(roster.apply(&said(add(), &[PHONE, STRANGER])), Err(AuthorityError::Signer));
    assert_eq!(roster.apply(&said(add(), &[PHONE, LAPTOP])), Ok(()));
    let phone = roster.device(device(PHONE)).unwrap();
    assert!(phone.is_confirmed && phone.order == 1);
    // By the identity alone it is quarantined; by an identity that was replaced it is not added.
    let mut guest = roster_with_guest();
    assert!(!guest.device(device(PHONE)).unwrap().is_active());
    guest.apply(&said(identity(2, 1), &[LAPTOP])).unwrap();
    let tablet = |by: u8| said(Claim::Add(device_keys(TABLET)), &[TABLET, by]);
    assert_eq!(guest.apply(&tablet(PHONE)), Err(AuthorityError::Signer));
    assert_eq!(guest.apply(&tablet(IDENTITY)), Err(AuthorityError::Signer));
    assert_eq!(guest.apply(&tablet(IDENTITY_TWO)), Ok(()));
    assert!(!guest.device(device(TABLET)).unwrap().is_confirmed);
    // No key serves two purposes.
    for double in 0..3 {
        let mut keys = device_keys(50);
        match double {
            0 => keys.transport = keys.sign,
            1 => keys.log = keys.transport,
            _ => keys.witness = keys.sign,
        }
        let add = said(Claim::Add(keys), &[50, LAPTOP]);
        assert_eq!(roster.apply(&add), Err(AuthorityError::Reverse));
    }
}

/// AUT-8.
#[test]
fn a_quarantine_ends_by_a_device_or_a_recovery_slot_never_by_itself() {
    let confirm = |by: &[u8]| said(Claim::Confirm(device(PHONE)), by);
    let mut roster = roster_with_guest();
    roster.apply(&said(password_slot(), &[LAPTOP, PASSWORD])).unwrap();
    for by in [&[PHONE][..], &[IDENTITY], &[PHONE, IDENTITY], &[STRANGER], &[PHONE, PASSWORD]] {
        assert_eq!(roster.apply(&confirm(by)), Err(AuthorityError::Signer), "{by:?}");
    }
    assert!(roster.clone().apply(&confirm(&[LAPTOP])).is_ok());
    let mut recovered = roster.clone();
    assert!(recovered.apply(&confirm(&[PHONE, RECOVERY])).is_ok());
    assert!(recovered.device(device(PHONE)).unwrap().is_active());
    let unknown = said(Claim::Confirm(DeviceId([9; 16])), &[LAPTOP]);
    assert_eq!(roster.apply(&unknown), Err(AuthorityError::State));
    // A slot that is gone confirms nobody, and nobody confirms what was revoked.
    let mut without = roster.clone();
    without.apply(&said(Claim::Unslot(SlotId([RECOVERY; 16])), &[LAPTOP])).unwrap();
    assert_eq!(without.apply(&confirm(&[RECOVERY])), Err(AuthorityError::Signer));
    roster.apply(&said(revoke(PHONE), &[LAPTOP])).unwrap();
    assert_eq!(roster.apply(&confirm(&[LAPTOP])), Err(AuthorityError::State));
}

/// AUT-9, attacks DEV-01, GRT-08, KEY-09.
#[test]
fn only_a_listed_confirmed_unrevoked_device_makes_claims() {
    for claim in device_claims(LAPTOP) {
        assert!(roster_with_guest().apply(&said(claim, &[LAPTOP])).is_ok());
    }
    for by in [PHONE, IDENTITY, RECOVERY, STRANGER] {
        for claim in device_claims(by) {
            let mut roster = roster_with_guest();
            assert_eq!(roster.apply(&said(claim, &[by])), Err(AuthorityError::Signer), "{by}");
        }
    }
    let mut roster = roster_with_guest();
    roster.apply(&said(Claim::Confirm(device(PHONE)), &[LAPTOP])).unwrap();
    roster.apply(&said(revoke(LAPTOP), &[PHONE])).unwrap();
    for claim in device_claims(LAPTOP) {
        assert_eq!(roster.apply(&said_at(9, claim, &[LAPTOP])), Err(AuthorityError::Signer));
    }
    let slot = said(password_slot(), &[LAPTOP, PASSWORD]);
    assert_eq!(roster.apply(&slot), Err(AuthorityError::Signer));
}

/// AUT-9: what is not there cannot end.
#[test]
fn nothing_unlisted_ends() {
    let unknown = DeviceId([9; 16]);
    let claims = [
        Claim::Revoke { device: unknown, last: Vec::new() },
        Claim::Close { device: unknown, incarnation: LIFE, last: at(1) },
        Claim::Retire(unknown),
        Claim::Unslot(SlotId([9; 16])),
        Claim::Ungrant(GrantId([9; 16])),
    ];
    for claim in claims {
        assert_eq!(roster().apply(&said(claim, &[LAPTOP])), Err(AuthorityError::State));
    }
}

/// AUT-10, attack DEV-06 (ptk_clash).
#[test]
fn a_root_generation_only_rises() {
    let rotate = |counter, nonce| said(identity(counter, nonce), &[LAPTOP]);
    let mut roster = roster();
    roster.apply(&rotate(2, 5)).unwrap();
    assert_eq!(roster.identity().0, epoch(2, 5));
    // The keys of each stay known.
    assert_eq!(roster.identity_of(epoch(1, 1)), Some(&identity_keys(IDENTITY)));
    assert_eq!(roster.identity_of(epoch(2, 5)), Some(&identity_keys(IDENTITY_TWO)));
    assert_eq!(roster.identity_of(epoch(3, 1)), None);
    assert_eq!(roster.apply(&rotate(1, 9)), Err(AuthorityError::Monotone));
    // Of two that were started at once the lower id is the newest, in either order.
    let mut other = roster.clone();
    roster.apply(&rotate(2, 4)).unwrap();
    assert_eq!(roster.identity().0, epoch(2, 4));
    other.apply(&rotate(2, 6)).unwrap();
    assert_eq!(other.identity().0, epoch(2, 5));
    let clash = Claim::Identity { generation: epoch(2, 5), keys: identity_keys(60) };
    assert_eq!(other.apply(&said(clash, &[LAPTOP])), Err(AuthorityError::State));
    assert_eq!(decode(&statement(identity(0, 0), 1)), Err(CodecError::Bounds));
}

/// AUT-11.
#[test]
fn a_slot_proves_its_key_and_is_opened_once() {
    let mut roster = roster();
    let alone = said(password_slot(), &[LAPTOP]);
    assert_eq!(roster.apply(&alone), Err(AuthorityError::Reverse));
    assert_eq!(roster.apply(&said(password_slot(), &[PASSWORD])), Err(AuthorityError::Signer));
    roster.apply(&said(password_slot(), &[LAPTOP, PASSWORD])).unwrap();
    let again = said_at(3, password_slot(), &[LAPTOP, PASSWORD]);
    assert_eq!(roster.apply(&again), Err(AuthorityError::State));
    assert_eq!(roster.slots().len(), 1);
    // A recovery slot has no parameters, and there is no third kind.
    let recovery = statement(slot(RECOVERY, SlotKind::Recovery), 1);
    assert_eq!(decode(&recovery).as_ref(), Ok(&recovery));
    for (code, memory, salt) in [(2, 1, [0; 16]), (2, 0, [1; 16]), (3, 0, [0; 16])] {
        let claim = cbor(|w| {
            w.array(4).bytes(&[1; 16]).array(5).uint(code).uint(memory).uint(0).uint(0);
            w.bytes(&salt).bytes(&[1; 32]).bytes(&[1; 1216]);
        });
        let bytes = with_member(&recovery.to_bytes(), 4, Some(&claim));
        let decoded = Statement::from_bytes(&bytes, STATEMENT_BYTES_MAX);
        assert_eq!(decoded, Err(CodecError::Bounds));
    }
}

/// AUT-12, attacks FRK-12, GRT-12.
#[test]
fn the_floor_only_rises() {
    let floor = |security, protocol| said(Claim::Floor { security, protocol }, &[LAPTOP]);
    let mut roster = roster();
    roster.apply(&floor(2, 3)).unwrap();
    assert_eq!(roster.apply(&floor(1, 4)), Err(AuthorityError::Monotone));
    assert_eq!(roster.apply(&floor(3, 2)), Err(AuthorityError::Monotone));
    roster.apply(&floor(2, 4)).unwrap();
    assert_eq!(roster.floor(), (2, 4));
    // Each of the two may rise while the other stays.
    let mut other = roster.clone();
    other.apply(&floor(3, 4)).unwrap();
    assert_eq!(other.floor(), (3, 4));
    // Replaying an earlier one changes nothing.
    roster.apply(&floor(2, 3)).unwrap();
    assert_eq!(roster.floor(), (2, 4));
}

/// AUT-13, attack FRK-13.
#[test]
fn what_was_taken_once_changes_nothing_when_it_comes_again() {
    let mut roster = roster();
    let add = said(Claim::Add(device_keys(PHONE)), &[PHONE, LAPTOP]);
    let all = [
        add,
        said(password_slot(), &[LAPTOP, PASSWORD]),
        said(Claim::Unslot(SlotId([PASSWORD; 16])), &[LAPTOP]),
        said(wrap(), &[LAPTOP]),
        said(grant(1), &[LAPTOP]),
        said(Claim::Ungrant(GrantId([1; 16])), &[LAPTOP]),
        said(new_epoch(), &[LAPTOP]),
        said(revoke(PHONE), &[LAPTOP]),
    ];
    all.iter().for_each(|statement| roster.apply(statement).unwrap());
    let before = format!("{roster:?}");
    all.iter().for_each(|statement| roster.apply(statement).unwrap());
    assert_eq!(format!("{roster:?}"), before);
    assert_eq!((roster.wraps().len(), roster.slots().len()), (1, 0));
    // A refused statement leaves no trace, and counts once it is signed by those who may.
    let confirm = |by| said(Claim::Retire(device(PHONE)), by);
    assert!(roster.apply(&confirm(&[PHONE])).is_err());
    assert_eq!(format!("{roster:?}"), before);
    assert!(roster.apply(&confirm(&[LAPTOP])).is_ok());
}

/// AUT-14.
#[test]
fn a_device_speaks_for_its_own_snapshots_only() {
    let mut roster = roster();
    roster.apply(&said(Claim::Add(device_keys(PHONE)), &[PHONE, LAPTOP])).unwrap();
    assert_eq!(roster.apply(&said(base(PHONE), &[PHONE])), Ok(()));
    assert_eq!(roster.apply(&said_at(3, base(PHONE), &[LAPTOP])), Err(AuthorityError::Signer));
    assert_eq!(roster.apply(&said(base(TABLET), &[LAPTOP])), Err(AuthorityError::Signer));
    roster.apply(&said(revoke(PHONE), &[LAPTOP])).unwrap();
    let both = said(base(PHONE), &[PHONE, LAPTOP]);
    assert_eq!(roster.clone().apply(&both), Ok(()), "taken before the revoke");
    let late = said_at(9, base(PHONE), &[PHONE, LAPTOP]);
    assert_eq!(roster.apply(&late), Err(AuthorityError::Signer));
}

/// AUT-26: what a snapshot covers stays known after a later one has covered it.
#[test]
fn what_was_covered_is_known() {
    let mut roster = roster();
    let Claim::Base { feed, .. } = base(LAPTOP) else { panic!() };
    let other = FeedId { incarnation: Incarnation([9; 8]), ..feed };
    assert!(!roster.has_covered(feed, at(2)));
    roster.apply(&said(base(LAPTOP), &[LAPTOP])).unwrap();
    let later = Claim::Base { feed, range: (7, 7), covered: vec![(feed, at(6))] };
    roster.apply(&said(later, &[LAPTOP])).unwrap();
    let of_all: Vec<_> = roster.snapshots().iter().map(|base| base.range).collect();
    assert_eq!(of_all, [(3, 5), (7, 7)]);
    for number in 0..9 {
        assert_eq!(roster.has_covered(feed, at(number)), number == 2 || number == 6, "{number}");
        assert!(!roster.has_covered(other, at(number)));
    }
    assert!(!roster.has_covered(feed, Position { hash: Hash([1; 32]), ..at(6) }));
    assert!(!roster.has_covered(other, Position::NONE));
}

/// AUT-15.
#[test]
fn the_lists_of_a_claim_ascend_and_its_numbers_can_be() {
    let refused = |claim| assert_eq!(decode(&statement(claim, 1)), Err(CodecError::Bounds));
    let life = |n| (Incarnation([n; 8]), at(1));
    for lives in [[2, 1], [1, 1]] {
        let last = lives.into_iter().map(life).collect();
        refused(Claim::Revoke { device: device(LAPTOP), last });
    }
    let Claim::Base { feed, .. } = base(LAPTOP) else { panic!() };
    refused(Claim::Base { feed, range: (1, 1), covered: vec![(feed, at(1)), (feed, at(2))] });
    refused(Claim::Base { feed, range: (0, 1), covered: Vec::new() });
    refused(Claim::Base { feed, range: (3, 2), covered: Vec::new() });
    let one = statement(Claim::Base { feed, range: (3, 3), covered: Vec::new() }, 1);
    assert_eq!(decode(&one).as_ref(), Ok(&one));
    let of = |list: &[CollectionId]| {
        let mut claim = grant(1);
        if let Claim::Grant { collections, .. } = &mut claim {
            *collections = list.to_vec();
        }
        claim
    };
    refused(of(&[CollectionId([9; 16]), CollectionId([8; 16])]));
    refused(of(&[CollectionId([9; 16]), CollectionId([9; 16])]));
    refused(of(&[CollectionId::AUTHORITY]));
    refused(of(&[CollectionId::ROOT]));
    let collection = CollectionId::AUTHORITY;
    refused(Claim::Epoch { collection, epoch: epoch(1, 1) });
    refused(Claim::Epoch { collection: CollectionId([9; 16]), epoch: EpochId::CLEAR });
    refused(Claim::Wrap {
        recipient: Recipient::Slot(SlotId([1; 16])),
        generation: EpochId::CLEAR,
        sealed: Vec::new(),
    });
    let third = cbor(|w| {
        w.array(4).uint(3).bytes(&[1; 16]).array(2).uint(1).bytes(&[1; 16]).bytes(&[]);
    });
    let bytes = with_member(&statement(wrap(), 1).to_bytes(), 4, Some(&third));
    let decoded = Statement::from_bytes(&bytes, STATEMENT_BYTES_MAX);
    assert_eq!(decoded, Err(CodecError::Bounds));
}

/// AUT-17.
#[test]
fn ids_that_ended_never_come_back() {
    let mut roster = roster();
    roster.apply(&said(password_slot(), &[LAPTOP, PASSWORD])).unwrap();
    assert!(roster.ended_slots().is_empty());
    roster.apply(&said(Claim::Unslot(SlotId([PASSWORD; 16])), &[LAPTOP])).unwrap();
    assert!(roster.slots().is_empty());
    assert_eq!(roster.ended_slots()[&SlotId([PASSWORD; 16])].keys.sign, public(PASSWORD));
    let slot = said_at(8, password_slot(), &[LAPTOP, PASSWORD]);
    assert_eq!(roster.apply(&slot), Err(AuthorityError::State));
    roster.apply(&said(grant(1), &[LAPTOP])).unwrap();
    assert_eq!(roster.apply(&said_at(8, grant(1), &[LAPTOP])), Err(AuthorityError::State));
    roster.apply(&said(Claim::Ungrant(GrantId([1; 16])), &[LAPTOP])).unwrap();
    assert_eq!(roster.apply(&said_at(8, grant(1), &[LAPTOP])), Err(AuthorityError::State));
    roster.apply(&said(Claim::Add(device_keys(PHONE)), &[PHONE, LAPTOP])).unwrap();
    let add = said_at(8, Claim::Add(device_keys(PHONE)), &[PHONE, LAPTOP]);
    assert_eq!(roster.apply(&add), Err(AuthorityError::State));
    roster.apply(&said(revoke(PHONE), &[LAPTOP])).unwrap();
    assert_eq!(roster.apply(&add), Err(AuthorityError::State));
}

/// AUT-18.
#[test]
fn the_first_end_stands_unless_a_recovery_slot_says_otherwise() {
    let mut roster = roster_with_guest();
    roster.apply(&said(close(PHONE), &[LAPTOP])).unwrap();
    assert!(roster.apply(&said_at(3, close(PHONE), &[LAPTOP])).is_ok());
    let higher = Claim::Close { device: device(PHONE), incarnation: LIFE, last: at(9) };
    assert_eq!(roster.apply(&said(higher, &[LAPTOP])), Err(AuthorityError::State));
    roster.apply(&said(revoke(PHONE), &[LAPTOP])).unwrap();
    assert_eq!(roster.apply(&said_at(3, revoke(PHONE), &[LAPTOP])), Err(AuthorityError::State));
    let lower = || Claim::Revoke { device: device(PHONE), last: vec![(LIFE, at(2))] };
    roster.apply(&said(lower(), &[LAPTOP, RECOVERY])).unwrap();
    assert_eq!(roster.device(device(PHONE)).unwrap().revoked.as_ref().unwrap()[&LIFE], at(2));
    for by in [&[LAPTOP][..], &[LAPTOP, RECOVERY]] {
        assert_eq!(roster.apply(&said_at(5, revoke(PHONE), by)), Err(AuthorityError::State));
    }
}

/// AUT-18.
#[test]
fn a_head_counts_up_to_the_last_accepted_one() {
    let mut roster = roster_with_guest();
    let other = Incarnation([2; 8]);
    let standing = |r: &Roster, life, head| r.standing(device(PHONE), life, head);
    assert_eq!(roster.standing(device(TABLET), LIFE, at(1)), Standing::Unlisted);
    assert_eq!(standing(&roster, LIFE, at(1)), Standing::Quarantined);
    roster.apply(&said(Claim::Confirm(device(PHONE)), &[LAPTOP])).unwrap();
    assert_eq!(standing(&roster, LIFE, at(99)), Standing::Accepted);
    roster.apply(&said(close(PHONE), &[PHONE])).unwrap();
    assert_eq!(standing(&roster, LIFE, at(4)), Standing::Accepted);
    assert_eq!(standing(&roster, LIFE, at(5)), Standing::Late);
    // Another head of the same number is the branch that was not accepted.
    let fork = Position { number: 4, hash: Hash([9; 32]) };
    assert_eq!(standing(&roster, LIFE, fork), Standing::Late);
    assert_eq!(standing(&roster, other, at(99)), Standing::Accepted);
    roster.apply(&said(revoke(PHONE), &[LAPTOP])).unwrap();
    assert_eq!(standing(&roster, LIFE, at(3)), Standing::Accepted);
    assert_eq!(standing(&roster, other, at(1)), Standing::Late);
}

#[test]
fn writers_use_the_newest_epoch() {
    let mut roster = roster();
    let collection = CollectionId([9; 16]);
    assert_eq!(roster.epoch(collection), None);
    for (counter, nonce) in [(1, 4), (2, 9), (2, 3), (2, 5)] {
        let claim = Claim::Epoch { collection, epoch: epoch(counter, nonce) };
        roster.apply(&said(claim, &[LAPTOP])).unwrap();
    }
    assert_eq!(roster.epoch(collection), Some(epoch(2, 3)));
    assert_eq!(roster.epochs()[&collection].len(), 4);
}

/// AUT-19, AUT-20, attack KEY-10: who opens the lock in force, or holds the recovery code, replaces it; a device alone
/// does not, nor does who opened an earlier one.
#[test]
fn second_locks_follow_each_other() {
    let mut roster = roster_with_guest();
    assert!(roster.second_lock().is_none());
    let lock = |counter, seed: u8, by: &[u8]| said(Claim::Second(second(counter, seed)), by);
    let first = lock(1, SECOND, &[LAPTOP, SECOND]);
    assert_eq!(
        roster.apply(&lock(1, SECOND, &[PHONE, SECOND])),
        Err(AuthorityError::Signer),
        "a quarantined device"
    );
    assert_eq!(roster.apply(&lock(1, SECOND, &[LAPTOP])), Err(AuthorityError::Reverse));
    roster.apply(&first).unwrap();
    roster.apply(&first).unwrap();
    assert_eq!(roster.lock_maker(second(1, SECOND).lock), Some(device(LAPTOP)));
    assert_eq!(roster.lock_maker(second(2, SECOND_TWO).lock), None);
    let by_device = lock(2, SECOND_TWO, &[LAPTOP, SECOND_TWO]);
    assert_eq!(roster.apply(&by_device), Err(AuthorityError::Signer));
    assert_eq!(roster.second_lock(), Some(&second(1, SECOND)));
    roster.apply(&lock(2, SECOND_TWO, &[LAPTOP, SECOND, SECOND_TWO])).unwrap();
    let by_former = lock(3, STRANGER, &[LAPTOP, SECOND, STRANGER]);
    assert_eq!(roster.apply(&by_former), Err(AuthorityError::Signer));
    let behind = lock(2, STRANGER, &[LAPTOP, SECOND_TWO, STRANGER]);
    assert_eq!(roster.apply(&behind), Err(AuthorityError::Monotone));
    roster.apply(&lock(3, STRANGER, &[LAPTOP, RECOVERY, STRANGER])).unwrap();
    assert_eq!(roster.second_lock(), Some(&second(3, STRANGER)));
}
