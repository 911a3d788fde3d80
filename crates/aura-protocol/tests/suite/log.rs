// SPDX-License-Identifier: MIT OR Apache-2.0
//! Merkle logs against a plain recursive reading of RFC 6962, and checkpoints against tampering.

use aura_protocol::codec::{CodecError, Decode, Encode, Reader};
use aura_protocol::id::Hash;
use aura_protocol::limits::{NOTE_BYTES_MAX, NOTE_LINES_MAX};
use aura_protocol::log::{
    Checkpoint, Frontier, NoteError, NoteKey, ProofError, consistency_proof, empty_root,
    inclusion_proof, leaf_hash, node_hash, open_note, sealed_note, verify_consistency,
    verify_inclusion,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::sample::{LAPTOP, PHONE, cbor, hex, public, published, sign_raw, unhex};

const LEAVES: u64 = 70;

fn leaves() -> Vec<Hash> {
    (0..LEAVES).map(|n| leaf_hash(&n.to_be_bytes())).collect()
}

fn split(leaves: &[Hash]) -> usize {
    let mut power = 1;
    while power * 2 < leaves.len() {
        power *= 2;
    }
    power
}

/// MTH of RFC 6962 §2.1, as it stands there.
fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves));
            node_hash(&root(left), &root(right))
        }
    }
}

/// PATH of RFC 6962 §2.1.1.
fn path(leaves: &[Hash], index: usize) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(split(leaves));
    let (mut proof, sibling) = if index < left.len() {
        (path(left, index), right)
    } else {
        (path(right, index - left.len()), left)
    };
    proof.push(root(sibling));
    proof
}

/// SUBPROOF of RFC 6962 §2.1.2.
fn subproof(leaves: &[Hash], old: usize, is_whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if is_whole { Vec::new() } else { vec![root(leaves)] };
    }
    let (left, right) = leaves.split_at(split(leaves));
    let (mut proof, sibling) = if old <= left.len() {
        (subproof(left, old, is_whole), right)
    } else {
        (subproof(right, old - left.len(), false), left)
    };
    proof.push(root(sibling));
    proof
}

/// LOG-1, LOG-2, LOG-3.
#[test]
fn hashes_are_those_of_rfc_6962() {
    assert_eq!(leaf_hash(b"x"), Hash::of(&[b"\0x"]));
    let (a, b) = (Hash([1; 32]), Hash([2; 32]));
    assert_eq!(node_hash(&a, &b), Hash::of(&[&[1], &a.0, &b.0]));
    assert_ne!(node_hash(&a, &b), node_hash(&b, &a));
    assert_eq!(empty_root(), Hash::of(&[]));
    assert_eq!(Frontier::new().root(), empty_root());
}

/// LOG-1 to LOG-4: roots made elsewhere.
#[test]
fn roots_are_the_published_ones() {
    let Some(published) = published("own/rfc6962_roots.json") else { return };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut frontier = Frontier::new();
    let roots = published["roots_hex"].as_array().unwrap();
    assert_eq!(hex(&frontier.root().0), text(&roots[0]));
    for (leaf, root) in published["leaves_hex"].as_array().unwrap().iter().zip(&roots[1..]) {
        frontier.push(leaf_hash(&unhex(&text(leaf))));
        assert_eq!(hex(&frontier.root().0), text(root));
    }
}

/// LOG-4.
#[test]
fn a_frontier_grows_to_the_same_root() {
    let leaves = leaves();
    let mut frontier = Frontier::new();
    for size in 0..=leaves.len() {
        assert_eq!(frontier.size(), size as u64);
        assert_eq!(frontier.root(), root(&leaves[..size]));
        let bytes = frontier.to_bytes();
        let mut again = Frontier::from_bytes(&bytes, 4096).unwrap();
        assert_eq!(again, frontier);
        if let Some(leaf) = leaves.get(size) {
            frontier.push(*leaf);
            again.push(*leaf);
            assert_eq!(again.root(), frontier.root());
        }
    }
    let of = |size: u64, subtrees: usize| {
        let bytes = cbor(|w| {
            w.array(2).uint(size).array(subtrees);
            (0..subtrees).for_each(|_| _ = w.bytes(&[1; 32]));
        });
        Frontier::decode(&mut Reader::new(&bytes)).map(drop)
    };
    assert_eq!(of(5, 2), Ok(()));
    assert_eq!(of(5, 1), Err(CodecError::Bounds));
    assert_eq!(of(5, 3), Err(CodecError::Bounds));
    assert_eq!(of(0, 1), Err(CodecError::Bounds));
    assert_eq!(of(u64::MAX, 65), Err(CodecError::Bounds));
}

/// LOG-5.
/// Attacks LOG-02, LOG-06.
#[test]
fn inclusion_is_proved_for_every_leaf_of_every_size_and_no_other() {
    let leaves = leaves();
    for size in 1..=leaves.len() {
        let root = root(&leaves[..size]);
        let tree = (size as u64, &root);
        for index in 0..size {
            let proof = inclusion_proof(&leaves[..size], index).unwrap();
            assert_eq!(proof, path(&leaves[..size], index));
            let at = index as u64;
            assert_eq!(verify_inclusion(&leaves[index], at, tree, &proof), Ok(()));
            let other = leaves[(index + 1) % leaves.len()];
            assert!(verify_inclusion(&other, at, tree, &proof).is_err());
            let wrong = Hash([9; 32]);
            let mismatch = verify_inclusion(&leaves[index], at, (tree.0, &wrong), &proof);
            assert_eq!(mismatch, Err(ProofError::Mismatch));
            assert!(verify_inclusion(&leaves[index], at ^ 1, tree, &proof).is_err());
            let longer = [&proof[..], &[wrong]].concat();
            let long = verify_inclusion(&leaves[index], at, tree, &longer);
            assert_eq!(long, Err(ProofError::Length));
            if let Some((_, shorter)) = proof.split_last() {
                let short = verify_inclusion(&leaves[index], at, tree, shorter);
                assert_eq!(short, Err(ProofError::Length));
            }
        }
        let beyond = verify_inclusion(&leaves[0], size as u64, tree, &[]);
        assert_eq!(beyond, Err(ProofError::Bounds));
        assert_eq!(inclusion_proof(&leaves[..size], size), None);
    }
    let empty = verify_inclusion(&leaves[0], 0, (0, &empty_root()), &[]);
    assert_eq!(empty, Err(ProofError::Bounds));
}

/// LOG-6.
/// Attacks LOG-01, LOG-02.
#[test]
fn consistency_is_proved_for_every_pair_of_sizes_and_no_other() {
    let leaves = leaves();
    let roots: Vec<Hash> = (0..=leaves.len()).map(|size| root(&leaves[..size])).collect();
    let wrong = Hash([9; 32]);
    for new in 1..=leaves.len() {
        for old in 1..=new {
            let proof = consistency_proof(&leaves[..new], old).unwrap();
            assert_eq!(proof, subproof(&leaves[..new], old, true));
            let (from, to) = ((old as u64, &roots[old]), (new as u64, &roots[new]));
            assert_eq!(verify_consistency(from, to, &proof), Ok(()));
            assert!(verify_consistency((from.0, &wrong), to, &proof).is_err());
            assert!(verify_consistency(from, (to.0, &wrong), &proof).is_err());
            let longer = [&proof[..], &[wrong]].concat();
            assert_eq!(verify_consistency(from, to, &longer), Err(ProofError::Length));
            if let Some((_, shorter)) = proof.split_last() {
                assert!(verify_consistency(from, to, shorter).is_err());
            }
            if old < new {
                assert_eq!(verify_consistency(to, from, &proof), Err(ProofError::Bounds));
            }
        }
        let empty = (0, &roots[0]);
        let to = (new as u64, &roots[new]);
        assert_eq!(verify_consistency(empty, to, &[]), Ok(()));
        assert_eq!(verify_consistency(empty, to, &[wrong]), Err(ProofError::Length));
        assert_eq!(verify_consistency((0, &wrong), to, &[]), Err(ProofError::Mismatch));
        assert_eq!(consistency_proof(&leaves[..new], new + 1), None);
        assert_eq!(consistency_proof(&leaves[..new], 0), None);
    }
    let empty = (0, &roots[0]);
    assert_eq!(verify_consistency(empty, empty, &[]), Ok(()));
    assert_eq!(verify_consistency(empty, (0, &wrong), &[]), Err(ProofError::Mismatch));
}

fn hash(value: &Value) -> Option<Hash> {
    Hash::from_slice(&STANDARD.decode(value.as_str()?).ok()?)
}

/// The hashes of a published proof; `None` if one has no hash's length, which is a refusal.
fn proof(value: &Value) -> Option<Vec<Hash>> {
    value.as_array().map_or(Some(Vec::new()), |list| list.iter().map(hash).collect())
}

/// LOG-5, LOG-6.
/// Attack LOG-06.
#[test]
fn published_proofs_are_judged_as_published() {
    let mut judged = 0;
    if let Some(cases) = published("rfc6962/inclusion.json") {
        for case in cases.as_array().unwrap() {
            let number = |name: &str| case[name].as_u64().unwrap();
            let is_shown = || {
                let (leaf, root) = (hash(&case["leafHash"])?, hash(&case["root"])?);
                let tree = (number("treeSize"), &root);
                let proof = proof(&case["proof"])?;
                verify_inclusion(&leaf, number("leafIdx"), tree, &proof).ok()
            };
            let is_refused = is_shown().is_none();
            assert_eq!(is_refused, case["wantErr"].as_bool().unwrap(), "{}", case["name"]);
            judged += 1;
        }
    }
    if let Some(cases) = published("rfc6962/consistency.json") {
        for case in cases.as_array().unwrap() {
            let number = |name: &str| case[name].as_u64().unwrap();
            judged += 1;
            // A root that is no hash cannot even be asked about here.
            if hash(&case["root1"]).is_none() || hash(&case["root2"]).is_none() {
                continue;
            }
            let is_shown = || {
                let (old, new) = (hash(&case["root1"])?, hash(&case["root2"])?);
                let (from, to) = ((number("size1"), &old), (number("size2"), &new));
                verify_consistency(from, to, &proof(&case["proof"])?).ok()
            };
            let is_refused = is_shown().is_none();
            assert_eq!(is_refused, case["wantErr"].as_bool().unwrap(), "{}", case["name"]);
        }
    }
    assert!(judged == 0 || judged == 196, "{judged}");
}

pub(crate) fn checkpoint() -> Checkpoint {
    Checkpoint { origin: "aura.example/log".to_owned(), size: 70, root: Hash([7; 32]) }
}

pub(crate) fn signer(seed: u8) -> NoteKey {
    NoteKey { name: checkpoint().origin, key: public(seed) }
}

pub(crate) fn note(seed: u8) -> String {
    let signature = sign_raw(seed, checkpoint().to_text().as_bytes());
    sealed_note(&checkpoint(), &signer(seed), &signature)
}

fn opened(note: &str) -> Result<Checkpoint, NoteError> {
    open_note(note.as_bytes(), &signer(LAPTOP))
}

/// LOG-7.
#[test]
fn a_checkpoint_has_one_text() {
    let text = checkpoint().to_text();
    assert_eq!(Checkpoint::parse(&text), Ok(checkpoint()));
    let root = STANDARD.encode([7; 32]);
    for bad in [
        String::new(),
        text.trim_end().to_owned(),
        format!("{text}more\n"),
        format!("{text}\n"),
        text.replace("\n70\n", "\n070\n"),
        text.replace("\n70\n", "\n+70\n"),
        text.replace("\n70\n", "\n-70\n"),
        text.replace("\n70\n", "\n\n"),
        text.replace("\n70\n", "\n18446744073709551616\n"),
        text.replace('\n', "\r\n"),
        text.replace("aura.example/log", ""),
        text.replace("aura.example/log", "a b"),
        text.replace("aura.example/log", "a+b"),
        text.replace("aura.example/log", "a\u{7}b"),
        text.replace("aura.example/log", "a\u{2003}b"),
        text.replace(&root, root.trim_end_matches('=')),
        text.replace(&root, &STANDARD.encode([7; 31])),
        text.replace(&root, &root.replace("c=", "d=")),
    ] {
        assert_eq!(Checkpoint::parse(&bad), Err(NoteError::Form), "{bad:?}");
    }
}

/// LOG-8.
#[test]
fn a_note_key_is_named_as_other_tools_name_it() {
    let key = signer(LAPTOP);
    let hash = Hash::of(&[b"aura.example/log\n\x01", &key.key]);
    assert_eq!(key.id(), hash.0[..4]);
    let parts: Vec<String> = key.to_text().splitn(3, '+').map(str::to_owned).collect();
    assert_eq!(parts[..2], ["aura.example/log".to_owned(), hex(&key.id())]);
    assert_eq!(STANDARD.decode(&parts[2]).unwrap(), [&[1][..], &key.key].concat());
    assert_ne!(signer(PHONE).id(), key.id());
}

/// LOG-8.
#[test]
fn a_note_key_has_one_text() {
    let key = signer(LAPTOP);
    let text = key.to_text();
    assert_eq!(NoteKey::parse(&text), Some(key.clone()));
    let other = NoteKey { name: "a b".to_owned(), ..key };
    let of_another_kind = STANDARD.encode([&[2][..], &other.key].concat());
    let (start, encoded) = text.rsplit_once('+').unwrap();
    for bad in [
        String::new(),
        text.replace('+', "-"),
        text.replace("aura.example/log", "aura.example/other"),
        other.to_text(),
        format!("{start}+{of_another_kind}"),
        format!("{start}+{}", STANDARD.encode([&[1][..], &other.key[1..]].concat())),
        format!("{start}+{encoded}="),
        format!("{text}\n"),
    ] {
        assert_eq!(NoteKey::parse(&bad), None, "{bad:?}");
    }
}

/// LOG-9.
/// Attack LOG-08.
#[test]
fn a_note_is_opened_by_its_signer_only() {
    let good = note(LAPTOP);
    assert_eq!(opened(&good), Ok(checkpoint()));
    assert_eq!(opened(&note(PHONE)), Err(NoteError::Signature));
    // Lines of others are passed over, before and after.
    let line = |note: &str| note.rsplit_once("\n\n").unwrap().1.to_owned();
    assert_eq!(opened(&format!("{good}{}", line(&note(PHONE)))), Ok(checkpoint()));
    let behind = format!("{}{}", note(PHONE), line(&good));
    assert_eq!(opened(&behind), Ok(checkpoint()));
    // The signer's own name and id over another's signature.
    let stolen = sealed_note(
        &checkpoint(),
        &signer(LAPTOP),
        &sign_raw(PHONE, checkpoint().to_text().as_bytes()),
    );
    assert_eq!(opened(&stolen), Err(NoteError::Signature));
    assert_eq!(opened(&format!("{good}{}", line(&stolen))), Err(NoteError::Signature));
    // Another log's checkpoint, well signed by this signer.
    let other = Checkpoint { origin: "aura.example/other".to_owned(), ..checkpoint() };
    let moved = sealed_note(&other, &signer(LAPTOP), &sign_raw(LAPTOP, other.to_text().as_bytes()));
    assert_eq!(opened(&moved), Err(NoteError::Form));
    let renamed = NoteKey { name: "aura.example/other".to_owned(), ..signer(LAPTOP) };
    assert_eq!(open_note(good.as_bytes(), &renamed), Err(NoteError::Signature));
}

/// LOG-9.
/// Attack LOG-08.
#[test]
fn a_note_that_was_touched_is_refused() {
    let good = note(LAPTOP);
    for at in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[at] ^= 1;
        assert!(open_note(&bytes, &signer(LAPTOP)).is_err(), "byte {at}");
        assert!(open_note(&good.as_bytes()[..at], &signer(LAPTOP)).is_err(), "cut at {at}");
    }
    for bad in [
        good.replace("\n\n", "\n"),
        good.replace('\u{2014}', "-"),
        good.replace("\u{2014} aura.example/log ", "\u{2014} aura.example/log"),
        format!("{good}\n"),
        format!("{good}\u{2014}  AAAAAAA=\n"),
        format!("{good}\u{2014} other AAA=\n"),
        format!("{good}{}", "\u{2014} other AAAAAAA=\n".repeat(NOTE_LINES_MAX)),
        format!("{good}\u{2014} other {}\n", "A".repeat(NOTE_BYTES_MAX)),
    ] {
        assert_eq!(opened(&bad), Err(NoteError::Form), "{bad:?}");
    }
    assert_eq!(open_note(&[0xff], &signer(LAPTOP)), Err(NoteError::Form));
}

/// LOG-9: a note of the largest size, or of the most lines, is read; one that is larger is not.
#[test]
fn a_note_has_a_largest_size_and_a_number_of_lines() {
    let good = note(LAPTOP);
    let with = |lines: usize| format!("{good}{}", "\u{2014} other AAAAAAA=\n".repeat(lines));
    let room = NOTE_LINES_MAX - good.split('\n').count();
    assert_eq!(opened(&with(room)), Ok(checkpoint()));
    assert_eq!(opened(&with(room + 1)), Err(NoteError::Form));
    let with = |bytes: usize| {
        let around = "\u{2014}  AAAAAAA=\n".len();
        format!("{good}\u{2014} {} AAAAAAA=\n", "n".repeat(bytes - good.len() - around))
    };
    assert_eq!(with(NOTE_BYTES_MAX).len(), NOTE_BYTES_MAX);
    assert_eq!(opened(&with(NOTE_BYTES_MAX)), Ok(checkpoint()));
    assert_eq!(opened(&with(NOTE_BYTES_MAX + 1)), Err(NoteError::Form));
}
