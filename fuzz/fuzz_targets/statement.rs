// SPDX-License-Identifier: MIT OR Apache-2.0
//! Authority statements: alone, signed, in the body of an entry, and applied to a roster.
#![no_main]

use aura_crypto::sign::LabelledSigner;
use aura_fuzz::fixed::{device_keys, identity_key};
use aura_fuzz::input::{chosen, comes_back};
use aura_protocol::authority::{
    Claim, DeviceKeys, IdentityKeys, KEM_KEY_BYTES, Roster, SignedStatement, SlotKeys, Statement,
    decode_body, encode_body,
};
use aura_protocol::codec::{Decode, Encode, Reader};
use aura_protocol::id::{DeviceId, EpochId, FeedId, Nonce16};
use aura_protocol::limits::STATEMENT_BYTES_MAX;

/// Statements that one input may apply: each costs signatures.
const STATEMENTS_MAX: usize = 16;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let (choice, bytes) = chosen(input);
    match choice % 4 {
        0 => drop(comes_back::<Statement>(bytes, STATEMENT_BYTES_MAX)),
        1 => {
            if let Some(signed) = comes_back::<SignedStatement>(bytes, 2 * STATEMENT_BYTES_MAX) {
                drop(signed.verify());
                drop(Roster::begin(&signed));
            }
        }
        2 => {
            if let Ok(statements) = decode_body(bytes) {
                assert_eq!(encode_body(&statements), bytes);
                statements.iter().for_each(|signed| drop(signed.claim()));
            }
        }
        _ => roster(bytes),
    }
});

/// Applies the statements in `bytes` as if they were made for this vault and signed by its devices;
/// the low bits of a statement's clock say by which.
fn roster(bytes: &[u8]) {
    let mut roster = Roster::begin(&genesis()).expect("a genesis of our own");
    let mut reader = Reader::new(bytes);
    for _ in 0..STATEMENTS_MAX {
        let Ok(encoded) = reader.any() else { return };
        let Ok(mut statement) = Statement::from_bytes(encoded, STATEMENT_BYTES_MAX) else {
            continue;
        };
        statement.vault = statement.vault.and(Some(roster.vault()));
        aim(&mut statement.claim);
        let signed = sign(&statement, statement.clock | 8);
        let before = format!("{roster:?}");
        match roster.apply(&signed) {
            Err(_) => assert_eq!(format!("{roster:?}"), before, "refused, but something changed"),
            Ok(()) => {
                let after = format!("{roster:?}");
                assert_eq!(roster.apply(&signed), Ok(()));
                assert_eq!(format!("{roster:?}"), after, "taken twice");
            }
        }
    }
}

/// Makes a claim speak of keys and devices that there are, which nobody finds by chance.
fn aim(claim: &mut Claim) {
    let keys = device_keys().map(|key| key.verifying_key());
    let known = |byte: u8| keys.get(usize::from(byte % 4)).copied();
    match claim {
        Claim::Add(DeviceKeys { sign, .. }) | Claim::Slot { keys: SlotKeys { sign, .. }, .. } => {
            *sign = known(sign[0]).unwrap_or(*sign);
        }
        Claim::Confirm(device)
        | Claim::Retire(device)
        | Claim::Revoke { device, .. }
        | Claim::Close { device, .. }
        | Claim::Base { feed: FeedId { device, .. }, .. } => {
            *device = known(device.0[0]).map_or(*device, |key| DeviceId::of_key(&key));
        }
        _ => {}
    }
}

/// Signed by the identity (bit 0), the devices (bits 1 and 2), and the first device (bit 3).
fn sign(statement: &Statement, by: u64) -> SignedStatement {
    let payload = statement.to_bytes();
    let label = SignedStatement::label(&statement.claim);
    let [first, second, third] = device_keys();
    let identity = identity_key();
    let signers: [&dyn LabelledSigner; 4] = [&identity, &second, &third, &first];
    let chosen = signers.iter().enumerate().filter(|(bit, _)| by >> bit & 1 == 1);
    let signatures =
        chosen.map(|(_, key)| (key.verifying_key(), key.sign(label, &payload))).collect();
    SignedStatement { payload, signatures }
}

fn genesis() -> SignedStatement {
    let kem = Box::new([9; KEM_KEY_BYTES]);
    let [first, ..] = device_keys();
    let identity = IdentityKeys { sign: identity_key().verifying_key(), kem: kem.clone() };
    let (transport, log, witness) = ([10; 32], [11; 32], [12; 32]);
    let device = DeviceKeys { sign: first.verifying_key(), kem, transport, log, witness };
    let generation = EpochId { counter: 1, nonce: Nonce16([1; 16]) };
    let claim = Claim::Genesis { identity, generation, device, nonce: [0; 16] };
    sign(&Statement { vault: None, claim, clock: 1, extra: Default::default() }, 0b1001)
}
