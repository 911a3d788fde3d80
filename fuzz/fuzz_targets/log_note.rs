// SPDX-License-Identifier: MIT OR Apache-2.0
//! The audit log seen from outside: checkpoint notes, and proofs against a tree.
#![no_main]

use aura_crypto::sign::NoteSigner;
use aura_fuzz::fixed::log_key;
use aura_fuzz::input::{chosen, first, text};
use aura_protocol::id::Hash;
use aura_protocol::log::{
    Checkpoint, Frontier, NoteKey, consistency_proof, inclusion_proof, leaf_hash, open_note,
    sealed_note, verify_consistency, verify_inclusion,
};

const ORIGIN: &str = "aura/audit/x";

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let (choice, bytes) = chosen(input);
    match choice % 4 {
        0 => drop(open_note(bytes, &signer())),
        1 => checkpoint(&text(bytes)),
        2 => inclusion(bytes),
        _ => consistency(bytes),
    }
});

fn signer() -> NoteKey {
    NoteKey { name: ORIGIN.to_owned(), key: log_key().verifying_key() }
}

/// One text for one checkpoint; signed, it opens again if it is this log's, also among other lines.
fn checkpoint(text: &str) {
    let signature = log_key().sign_note(text.as_bytes());
    let Ok(checkpoint) = Checkpoint::parse(text) else { return };
    assert_eq!(checkpoint.to_text(), text);
    let note = sealed_note(&checkpoint, &signer(), &signature);
    let opened = open_note(note.as_bytes(), &signer());
    assert_eq!(opened.is_ok(), checkpoint.origin == ORIGIN);
    if let Ok(opened) = opened {
        assert_eq!(opened, checkpoint);
        let others = format!("{note}\u{2014} other AAAAAA==\n");
        assert_eq!(open_note(others.as_bytes(), &signer()), Ok(checkpoint));
    }
}

fn leaves(count: u8) -> Vec<Hash> {
    (0..count).map(|leaf| leaf_hash(&[leaf])).collect()
}

fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::new();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    frontier.root()
}

/// A proof of the input's: the true one, with what the bytes say about each of its hashes, or bytes
/// as they come.
fn proof(truth: &[Hash], bytes: &[u8]) -> Vec<Hash> {
    let (kind, bytes) = chosen(bytes);
    if kind % 2 == 0 {
        return bytes.chunks_exact(32).take(80).filter_map(Hash::from_slice).collect();
    }
    let mut proof = truth.to_vec();
    for step in bytes.chunks_exact(2).take(8) {
        let at = usize::from(step[0]) % (proof.len() + 1);
        match step[1] % 4 {
            0 => proof.insert(at, Hash([step[0]; 32])),
            1 if at < proof.len() => {
                proof.remove(at);
            }
            2 if at < proof.len() => proof[at].0[usize::from(step[1]) % 32] ^= 1,
            3 if at + 1 < proof.len() => proof.swap(at, at + 1),
            _ => {}
        }
    }
    proof
}

/// Only the true leaf with the true proof is in the tree.
fn inclusion(bytes: &[u8]) {
    let ([count, index, leaf], bytes) = first::<3>(bytes);
    let tree = leaves(count % 65);
    let (size, root) = (tree.len() as u64, root(&tree));
    let Some(truth) = inclusion_proof(&tree, usize::from(index)) else {
        assert!(verify_inclusion(&Hash([0; 32]), index.into(), (size, &root), &[]).is_err());
        return;
    };
    let proof = proof(&truth, bytes);
    let is_in = verify_inclusion(&leaf_hash(&[leaf]), index.into(), (size, &root), &proof).is_ok();
    assert_eq!(is_in, leaf == index && proof == truth);
    // Whatever sizes somebody claims, checking ends.
    let (numbers, _) = first::<16>(bytes);
    let (claimed, size) = (u64_of(&numbers[..8]), u64_of(&numbers[8..]));
    let _ = verify_inclusion(&leaf_hash(&[leaf]), claimed, (size, &root), &proof);
}

/// Only the true beginning with the true proof begins the tree.
fn consistency(bytes: &[u8]) {
    let ([count, old], bytes) = first::<2>(bytes);
    let tree = leaves(count % 65);
    let (size, new_root) = (tree.len() as u64, root(&tree));
    let claimed = usize::from(old) % (tree.len() + 1);
    let old_root = root(&tree[..claimed]);
    let truth = consistency_proof(&tree, claimed).unwrap_or_default();
    let proof = proof(&truth, bytes);
    let old = (claimed as u64, &old_root);
    assert_eq!(verify_consistency(old, (size, &new_root), &proof).is_ok(), proof == truth);
    if claimed > 0 {
        let forged = Hash([1; 32]);
        let wrong = (claimed as u64, &forged);
        assert!(verify_consistency(wrong, (size, &new_root), &proof).is_err());
    }
    let (numbers, _) = first::<16>(bytes);
    let (before, after) = (u64_of(&numbers[..8]), u64_of(&numbers[8..]));
    let _ = verify_consistency((before, &old_root), (after, &new_root), &proof);
}

fn u64_of(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
