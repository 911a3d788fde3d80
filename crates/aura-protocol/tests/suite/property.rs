// SPDX-License-Identifier: MIT OR Apache-2.0
//! For any value: what is written is read back; for any bytes: no panic, and one encoding (INT-14).
//!
//! Source: CBR-1 to CBR-7.

use aura_protocol::authority::{
    Claim, DeviceKeys, IdentityKeys, PasswordParams, Position, Recipient, SecondLock,
    SignedStatement, SlotKeys, SlotKind, Statement, decode_body, encode_body,
};
use aura_protocol::codec::{Decode, Encode, Extra, Reader};
use aura_protocol::entry::{ChunkAdded, Entry, EntryHeader};
use aura_protocol::head::{Cosignature, Head, Seen};
use aura_protocol::id::{
    ChunkName, CollectionId, DeviceId, EpochId, FeedId, GrantId, Hash, Incarnation, Nonce16,
    SlotId, VaultId,
};
use aura_protocol::limits::{CHUNK_BYTES_MAX, ENTRY_HEADER_BYTES_MAX, HEAD_BYTES_MAX};
use aura_protocol::log::{Frontier, open_note};
use aura_protocol::signed::{Signature, Signed};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

use crate::log::{note, signer};
use crate::sample::{LAPTOP, genesis, head, header, kem, password_slot, said, signed};

/// Ids that cannot be taken for the reserved ones.
fn id<const N: usize>() -> impl Strategy<Value = [u8; N]> {
    (2..=255_u8).prop_map(|byte| [byte; N])
}

fn position() -> impl Strategy<Value = Position> {
    prop_oneof![
        Just(Position::NONE),
        (1_u64.., id()).prop_map(|(number, hash)| Position { number, hash: Hash(hash) }),
    ]
}

fn epoch() -> impl Strategy<Value = EpochId> {
    (1_u32.., any::<[u8; 16]>())
        .prop_map(|(counter, nonce)| EpochId { counter, nonce: Nonce16(nonce) })
}

fn feed() -> impl Strategy<Value = FeedId> {
    (id(), id(), id()).prop_map(|(collection, device, incarnation)| FeedId {
        collection: CollectionId(collection),
        device: DeviceId(device),
        incarnation: Incarnation(incarnation),
    })
}

fn entry_header() -> impl Strategy<Value = EntryHeader> {
    let added = btree_map(0..100_u8, (any::<[u8; 32]>(), 0..=CHUNK_BYTES_MAX as u64), 0..4);
    let dropped = btree_set(100..200_u8, 0..4);
    let place = (id(), feed(), epoch(), 2_u64.., id());
    (place, added, dropped).prop_map(|((vault, feed, epoch, number, previous), added, dropped)| {
        EntryHeader {
            vault: VaultId(vault),
            feed,
            epoch,
            number,
            previous: Hash(previous),
            body_bytes: 0,
            added: added
                .into_iter()
                .map(|(name, (hash, size_bytes))| ChunkAdded {
                    name: ChunkName([name; 16]),
                    hash: Hash(hash),
                    size_bytes,
                })
                .collect(),
            dropped: dropped.into_iter().map(|name| ChunkName([name; 16])).collect(),
            extra: Extra::default(),
        }
    })
}

fn any_head() -> impl Strategy<Value = Head> {
    let feeds = btree_map(id(), (1_u64.., id()), 0..5);
    let seen = btree_map((id::<16>(), id::<8>()), position(), 0..5);
    let lines = btree_map((id::<16>(), id::<8>()), vec(any::<u8>(), 1..50), 0..3);
    let rest = (btree_set(id(), 0..4), vec(any::<u8>(), 0..50), any::<u64>());
    (2_u64.., any::<[u8; 32]>(), feeds, seen, lines, rest).prop_map(
        |(number, previous, feeds, seen, lines, (waiting, checkpoint, clock))| Head {
            vault: VaultId([1; 32]),
            device: DeviceId([0; 16]),
            incarnation: Incarnation([0; 8]),
            number,
            previous: Hash(previous),
            feeds: feeds
                .into_iter()
                .map(|(id, (number, hash))| {
                    (CollectionId(id), Position { number, hash: Hash(hash) })
                })
                .collect(),
            seen: seen
                .into_iter()
                .map(|((device, incarnation), held)| Seen {
                    device: DeviceId(device),
                    incarnation: Incarnation(incarnation),
                    held,
                    applied: if held.number % 2 == 0 { held } else { Position::NONE },
                })
                .collect(),
            waiting: waiting.into_iter().map(CollectionId).collect(),
            checkpoint,
            cosignatures: lines
                .into_iter()
                .map(|((device, incarnation), line)| Cosignature {
                    device: DeviceId(device),
                    incarnation: Incarnation(incarnation),
                    line,
                })
                .collect(),
            clock,
            extra: Extra::default(),
        },
    )
}

fn device_keys() -> impl Strategy<Value = DeviceKeys> {
    any::<[[u8; 32]; 4]>().prop_map(|[sign, transport, log, witness]| DeviceKeys {
        sign,
        kem: kem(sign[0]),
        transport,
        log,
        witness,
    })
}

fn identity_keys() -> impl Strategy<Value = IdentityKeys> {
    any::<[u8; 32]>().prop_map(|sign| IdentityKeys { sign, kem: kem(sign[0]) })
}

fn slot_kind() -> impl Strategy<Value = SlotKind> {
    prop_oneof![
        Just(SlotKind::Recovery),
        any::<(u32, u32, u32, [u8; 16])>().prop_map(|(memory_kib, passes, lanes, salt)| {
            SlotKind::Password(PasswordParams { memory_kib, passes, lanes, salt })
        }),
    ]
}

fn claim() -> impl Strategy<Value = Claim> {
    let lives = btree_map(id(), position(), 0..4).prop_map(|lives| {
        lives.into_iter().map(|(life, last)| (Incarnation(life), last)).collect()
    });
    let covered = btree_map(feed(), position(), 0..4).prop_map(|map| map.into_iter().collect());
    let collections = btree_set(id(), 0..4);
    prop_oneof![
        device_keys().prop_map(Claim::Add),
        id().prop_map(|device| Claim::Confirm(DeviceId(device))),
        (id(), lives).prop_map(|(device, last)| Claim::Revoke { device: DeviceId(device), last }),
        (id(), id(), position()).prop_map(|(device, incarnation, last)| Claim::Close {
            device: DeviceId(device),
            incarnation: Incarnation(incarnation),
            last,
        }),
        id().prop_map(|device| Claim::Retire(DeviceId(device))),
        (any::<[u8; 32]>(), any::<[u8; 32]>())
            .prop_map(|(base, last)| Claim::Adopt { base: Hash(base), last: Hash(last) }),
        (epoch(), identity_keys())
            .prop_map(|(generation, keys)| Claim::Identity { generation, keys }),
        (id(), slot_kind(), any::<[u8; 32]>()).prop_map(|(slot, kind, sign)| Claim::Slot {
            slot: SlotId(slot),
            kind,
            keys: SlotKeys { sign, kem: kem(sign[0]) },
        }),
        id().prop_map(|slot| Claim::Unslot(SlotId(slot))),
        (id(), any::<bool>(), epoch(), vec(any::<u8>(), 0..99)).prop_map(
            |(to, is_slot, generation, sealed)| {
                let recipient = if is_slot {
                    Recipient::Slot(SlotId(to))
                } else {
                    Recipient::Device(DeviceId(to))
                };
                Claim::Wrap { recipient, generation, sealed }
            }
        ),
        (id(), epoch())
            .prop_map(|(id, epoch)| Claim::Epoch { collection: CollectionId(id), epoch }),
        (feed(), 1..u64::MAX, covered).prop_map(|(feed, n, covered)| Claim::Base {
            feed,
            range: (n, n + 1),
            covered
        }),
        (id(), any::<[u8; 32]>(), collections, any::<i64>(), vec(any::<u8>(), 0..99)).prop_map(
            |(grant, sign, collections, until_ms, sealed)| Claim::Grant {
                grant: GrantId(grant),
                sign,
                kem: kem(sign[0]),
                collections: collections.into_iter().map(CollectionId).collect(),
                until_ms,
                sealed,
            }
        ),
        id().prop_map(|grant| Claim::Ungrant(GrantId(grant))),
        any::<(u64, u64)>().prop_map(|(security, protocol)| Claim::Floor { security, protocol }),
        (epoch(), epoch(), any::<[u32; 3]>(), any::<[u8; 32]>()).prop_map(
            |(lock, generation, [memory_kib, passes, lanes], sign)| {
                let params = PasswordParams { memory_kib, passes, lanes, salt: [sign[1]; 16] };
                let keys = SlotKeys { sign, kem: kem(sign[0]) };
                Claim::Second(SecondLock { lock, generation, params, keys })
            }
        ),
    ]
}

fn statement() -> impl Strategy<Value = Statement> {
    let genesis = (identity_keys(), epoch(), device_keys(), any::<[u8; 16]>()).prop_map(
        |(identity, generation, device, nonce)| {
            (None, Claim::Genesis { identity, generation, device, nonce })
        },
    );
    let other = (id(), claim()).prop_map(|(vault, claim)| (Some(VaultId(vault)), claim));
    (prop_oneof![1 => genesis, 14 => other], any::<u64>()).prop_map(|((vault, claim), clock)| {
        Statement { vault, claim, clock, extra: Extra::default() }
    })
}

fn comes_back<T: Encode + Decode + PartialEq + core::fmt::Debug>(value: &T) {
    assert_eq!(T::from_bytes(&value.to_bytes(), usize::MAX).as_ref(), Ok(value));
}

/// What decodes is what was encoded, to the byte.
fn one_encoding<T: Encode + Decode>(bytes: &[u8]) {
    if let Ok(value) = T::from_bytes(bytes, ENTRY_HEADER_BYTES_MAX.max(HEAD_BYTES_MAX)) {
        assert_eq!(value.to_bytes(), bytes);
    }
}

fn every_decoder(bytes: &[u8]) {
    one_encoding::<EntryHeader>(bytes);
    one_encoding::<Entry>(bytes);
    one_encoding::<Head>(bytes);
    one_encoding::<Signed<Head>>(bytes);
    one_encoding::<Statement>(bytes);
    one_encoding::<SignedStatement>(bytes);
    one_encoding::<Frontier>(bytes);
    one_encoding::<EpochId>(bytes);
    one_encoding::<FeedId>(bytes);
    if let Ok(statements) = decode_body(bytes) {
        assert_eq!(encode_body(&statements), bytes);
    }
    let mut reader = Reader::new(bytes);
    if let Ok(value) = reader.any() {
        assert_eq!(Reader::new(value).any(), Ok(value));
    }
}

/// One value of each type, encoded.
fn samples() -> Vec<Vec<u8>> {
    let mut samples = vec![
        header().to_bytes(),
        Entry::new(header(), vec![1, 2, 3]).to_bytes(),
        head().to_bytes(),
        Signed::<Head>::new(head().to_bytes(), Signature([1; 64])).to_bytes(),
        genesis().to_bytes(),
        genesis().payload,
        encode_body(&[genesis(), said(password_slot(), &[LAPTOP])]),
        Frontier::new().to_bytes(),
    ];
    samples.push(said(password_slot(), &[LAPTOP]).payload);
    samples
}

proptest! {
    #[test]
    fn headers_come_back(header in entry_header(), body in vec(any::<u8>(), 0..50)) {
        comes_back(&header);
        let entry = Entry::new(header, body);
        comes_back(&entry);
        let (header, body) = (entry.header_bytes().to_vec(), entry.body().to_vec());
        prop_assert_eq!(Entry::from_parts(header, body).unwrap().hash(), entry.hash());
    }

    #[test]
    fn heads_come_back(head in any_head()) {
        comes_back(&head);
        comes_back(&Signed::<Head>::new(head.to_bytes(), Signature([3; 64])));
    }

    #[test]
    fn statements_come_back(statement in statement()) {
        comes_back(&statement);
        let signed = signed(&statement, &[1, 2]);
        comes_back(&signed);
        prop_assert_eq!(&signed.verify().unwrap().0, &statement);
        prop_assert_eq!(decode_body(&encode_body(core::slice::from_ref(&signed))), Ok(vec![signed]));
    }

    /// Attack INT-14: whatever is read has one encoding.
    #[test]
    fn arbitrary_bytes_harm_nobody(bytes in vec(any::<u8>(), 0..400)) {
        every_decoder(&bytes);
        prop_assert!(open_note(&bytes, &signer(LAPTOP)).is_err());
    }

    /// Attack INT-14: the same of what was sound once.
    #[test]
    fn damaged_bytes_harm_nobody(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = which.get(&samples()).clone();
        let at = at.index(bytes.len());
        bytes[at] = to;
        every_decoder(&bytes);
        every_decoder(&bytes[..cut.index(bytes.len())]);
        bytes.insert(at, to);
        every_decoder(&bytes);
    }

    #[test]
    fn damaged_notes_harm_nobody(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut bytes = note(LAPTOP).into_bytes();
        let at = at.index(bytes.len());
        if bytes[at] != to {
            bytes[at] = to;
            prop_assert!(open_note(&bytes, &signer(LAPTOP)).is_err());
        }
    }
}
