// SPDX-License-Identifier: MIT OR Apache-2.0
//! Named attacks on a team's chain, from the suite of an older system that met them (DEV-06).
//!
//! Each name that makes sense here is one case below. With the published list at hand, the test also
//! shows that every name is either tried or left out for a reason.

use aura_protocol::authority::{AuthorityError, Claim, SignedStatement};
use aura_protocol::codec::{CodecError, Encode};
use aura_protocol::entry::Entry;
use aura_protocol::id::{CollectionId, EpochId, Hash, SlotId, VaultId};
use aura_protocol::signed::SignedError;

use crate::sample::*;

type Refusal = AuthorityError;

fn wrap() -> Claim {
    Claim::Epoch { collection: CollectionId([9; 16]), epoch: epoch(1, 4) }
}

/// Applies one statement to a vault with a guest.
fn apply(statement: &SignedStatement) -> Result<(), Refusal> {
    roster_with_guest().apply(statement)
}

fn broken(change: impl FnOnce(&mut SignedStatement)) -> Result<(), Refusal> {
    let mut statement = said(wrap(), &[LAPTOP]);
    change(&mut statement);
    apply(&statement)
}

fn with_code(code: u8) -> Result<(), Refusal> {
    let mut statement = said(wrap(), &[LAPTOP]);
    statement.payload = with_member(&statement.payload, 3, Some(&[0x18, code]));
    let label = aura_protocol::label::Label::SigStatement;
    statement.signatures[0].1 = sign(LAPTOP, label, &statement.payload);
    apply(&statement)
}

fn after_revoke(by: u8, claim: Claim) -> Result<(), Refusal> {
    let mut roster = roster();
    roster.apply(&said(Claim::Add(device_keys(PHONE)), &[PHONE, LAPTOP])).unwrap();
    let revoke = Claim::Revoke { device: device(PHONE), last: Vec::new() };
    roster.apply(&said(revoke, &[LAPTOP])).unwrap();
    roster.apply(&said(claim, &[by]))
}

fn follows(number: u64, hash: Hash) -> bool {
    Entry::new(header(), vec![1]).follows(number, &hash)
}

#[test]
fn cases_that_are_accepted() {
    assert_eq!(apply(&said(wrap(), &[LAPTOP])), Ok(()), "simple, simple_hidden");
    let add = said(Claim::Add(device_keys(TABLET)), &[TABLET, LAPTOP]);
    assert_eq!(apply(&add), Ok(()), "2keys");
    assert_eq!(after_revoke(LAPTOP, wrap()), Ok(()), "signed_by_revoked_ok, stub_by_revoked_ok");
    assert!(follows(1, Hash([6; 32])), "prev_close_shave");
}

/// Attack DEV-06: by somebody who may not, or may not any more.
#[test]
fn cases_about_signers() {
    let signer = Err(AuthorityError::Signer);
    assert_eq!(apply(&said(wrap(), &[STRANGER])), signer, "signed_by_rando, signed_by_rando_admin");
    assert_eq!(apply(&said(wrap(), &[PHONE])), signer, "not_admin, writer_tries_to_admin");
    let confirm = said(Claim::Confirm(device(PHONE)), &[PHONE]);
    assert_eq!(apply(&confirm), signer, "admin_promotes_self");
    let revoke = Claim::Revoke { device: device(LAPTOP), last: Vec::new() };
    assert_eq!(apply(&said(revoke, &[PHONE])), signer, "admin_demotes_owner");
    assert_eq!(after_revoke(PHONE, wrap()), signer, "signed_by_revoked, signed_by_removed_admin");
}

/// Attack DEV-06: signatures that are missing, of others, or of something else.
#[test]
fn cases_about_signatures() {
    let signature = Err(AuthorityError::Signed(SignedError::Signature));
    assert_eq!(broken(|s| s.signatures.clear()), signature, "hidden_missing_sig");
    let wrong_key = broken(|s| s.signatures[0].0 = public(PHONE));
    assert_eq!(wrong_key, signature, "hidden_bad_signer_kid, mismatch_inner_outer_key");
    let flipped = broken(|s| *s.payload.last_mut().unwrap() ^= 1);
    assert_eq!(flipped, signature, "hidden_bad_inner_hash");
    let slot = Claim::Slot {
        slot: SlotId([1; 16]),
        kind: aura_protocol::authority::SlotKind::Recovery,
        keys: aura_protocol::authority::SlotKeys { sign: public(60), kem: kem(60) },
    };
    let missing = apply(&said(slot.clone(), &[LAPTOP]));
    assert_eq!(missing, Err(AuthorityError::Reverse), "hidden_missing_reverse_sig");
    let mut bad = said(slot, &[LAPTOP, 60]);
    bad.signatures[1].1 = bad.signatures[0].1;
    assert_eq!(apply(&bad), signature, "hidden_bad_reverse_sig");
}

/// Attack DEV-06: statements of another form.
#[test]
fn cases_about_form() {
    let payload = |error| Err(AuthorityError::Signed(SignedError::Payload(error)));
    let is_payload =
        |result| matches!(result, Err(AuthorityError::Signed(SignedError::Payload(_))));
    let cut = broken(|s| _ = s.payload.pop());
    assert_eq!(cut, payload(CodecError::Truncated), "corrupt_link");
    assert_eq!(
        broken(|s| s.payload.clear()),
        payload(CodecError::Truncated),
        "hidden_missing_inner"
    );
    assert!(is_payload(broken(|s| s.payload = b"{\"a\":1}".to_vec())), "hidden_json_outer");
    assert!(is_payload(broken(|s| s.payload = b"eyJhIjoxfQ==".to_vec())), "hidden_b64_json_outer");
    assert!(is_payload(broken(|s| s.payload = vec![0xf6])), "hidden_null_outer");
    assert!(is_payload(broken(|s| s.payload = vec![0xa0])), "hidden_outer_bad_obj");
    let no_claim = broken(|s| s.payload = with_member(&s.payload, 4, None));
    let names = "missing_team_section, missing_teamkey_section, missing_key_section";
    assert_eq!(no_claim, payload(CodecError::MissingKey(4)), "{names}");
    assert_eq!(
        with_code(99),
        Err(AuthorityError::Newer),
        "hidden_bad_link_type, unsupported_critical"
    );
    assert_eq!(with_code(98), Err(AuthorityError::Newer), "mismatch_unsupported");
    let as_add = with_code(2);
    assert!(is_payload(as_add), "hidden_wrong_seq_type, mismatch_seqno_type");
    let version = broken(|s| {
        s.payload = with_member(&s.payload, 1, Some(&[4]));
        let label = aura_protocol::label::Label::SigStatement;
        s.signatures[0].1 = sign(LAPTOP, label, &s.payload);
    });
    assert_eq!(version, Err(AuthorityError::Newer), "hidden_outer_not_sig3");
}

/// Attack DEV-06: links that do not follow, or are another vault's.
#[test]
fn cases_about_place() {
    let mut foreign = statement(wrap(), 1);
    foreign.vault = Some(VaultId([3; 32]));
    let foreign = apply(&signed(&foreign, &[LAPTOP]));
    assert_eq!(foreign, Err(AuthorityError::Vault), "mismatch_inner_teamid");
    assert!(!follows(1, Hash([5; 32])), "bad_prev, hidden_bad_prev, omit_latest");
    assert!(!follows(0, Hash([6; 32])), "hole_in_chain, seqno_skip, hidden_bad_seqno");
    let mut nil = header();
    nil.previous = Hash([0; 32]);
    let nil = Entry::from_parts(nil.to_bytes(), vec![1, 2, 3]);
    assert_eq!(nil, Err(CodecError::Bounds), "missing_prev, hidden_nil_prev");
}

/// Attack DEV-06: devices listed twice or revived, generations that go back.
#[test]
fn cases_about_devices_and_generations() {
    let again = said_at(5, Claim::Add(device_keys(PHONE)), &[PHONE, LAPTOP]);
    assert_eq!(apply(&again), Err(AuthorityError::State), "member_duplicate");
    let identity = |counter, nonce| Claim::Identity {
        generation: EpochId { counter, ..epoch(counter, nonce) },
        keys: identity_keys(IDENTITY_TWO),
    };
    let names = "ptk_clash, hidden_repeated_ptk_gen";
    assert_eq!(apply(&said(identity(1, 1), &[LAPTOP])), Err(AuthorityError::State), "{names}");
    let mut roster = roster();
    roster.apply(&said(identity(3, 1), &[LAPTOP])).unwrap();
    let old = roster.apply(&said(identity(2, 1), &[LAPTOP]));
    assert_eq!(old, Err(AuthorityError::Monotone), "keygen_old");
    let mut double = device_keys(TABLET);
    double.log = double.transport;
    let double = said(Claim::Add(double), &[TABLET, LAPTOP]);
    assert_eq!(apply(&double), Err(AuthorityError::Reverse), "hidden_repeated_ptk_type");
}

/// What Aura does not have, and so cannot get wrong here: roles and parents of teams, invites, ratchets
/// to blind a hidden chain, stubs, boxes (they are HPKE, tested with the keys) and a server's tree.
const ELSEWHERE: &[&str] = &[
    "admin_promotes_owner",
    "bad_admin_section",
    "cant_load_key",
    "hidden_bad_parent",
    "hidden_bad_ptk_type",
    "hidden_bad_ratchet",
    "hidden_bad_seedcheck",
    "hidden_conflicting_ratchet",
    "hidden_ignore_if_unsupported",
    "hidden_missing_ptk_gen",
    "hidden_missing_ratchet_blinding_key",
    "hidden_outer_not_chain17",
    "hidden_parent_",
    "hidden_ratchet_overpromise",
    "hidden_unsupported_seedcheck",
    "invite_obsolete",
    "multiple_use_invite",
    "ptk_",
    "restricted_bot",
    "secretless_disallowed",
    "signed_by_removed_admin_ok",
    "stub",
    "unsupported_ignore",
    "used_stubbed_invites",
];

#[test]
fn every_published_name_is_tried_or_left_out_for_a_reason() {
    let Some(folder) = std::env::var_os("AURA_VECTORS") else {
        println!("skipped: AURA_VECTORS is not set (keybase/teamchain-cases.tsv)");
        return;
    };
    let path = std::path::Path::new(&folder).join("keybase/teamchain-cases.tsv");
    let list = std::fs::read_to_string(path).unwrap();
    let here = include_str!("chain.rs");
    let names: Vec<&str> =
        list.lines().skip(1).filter_map(|line| line.split('\t').next()).collect();
    assert!(names.len() > 90);
    for name in names {
        let is_tried = here.contains(&format!("\"{name}")) || here.contains(&format!(", {name}"));
        let is_left_out = ELSEWHERE.iter().any(|prefix| name.starts_with(prefix));
        assert!(is_tried || is_left_out, "{name}");
    }
}
