// SPDX-License-Identifier: MIT OR Apache-2.0
//! Must not compile (KEY-07).

use aura_crypto::{hpke, slot};
use aura_protocol::id::{DeviceId, EpochId, VaultId};

fn unwrap(secret: &hpke::SlotKemSecret, vault: &VaultId, device: &DeviceId, generation: EpochId) {
    drop(slot::unwrap_from_device(secret, (vault, device, generation), b""));
}

fn main() {}
