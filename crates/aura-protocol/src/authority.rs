// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who may write: devices, identities, slots and epochs, said in signed statements that anybody can check.
//!
//! Authority entries are signed but not sealed, so that a store or peer can keep a vault's device list
//! without a key. Names, policy and the details of grants are not here; they are sealed in the root
//! collection. Source: spec/authority.md, rules AUT-1 to AUT-26.

mod claim;
mod statement;

mod snapshot;

mod device;

mod roster;

mod judge;

pub use claim::{
    Claim, DeviceKeys, IdentityKeys, KEM_KEY_BYTES, PasswordParams, Recipient, SecondLock,
    SlotKeys, SlotKind,
};
pub use device::{Device, Standing};
pub use judge::{Extent, Placed};
pub use roster::{AuthorityError, Roster, Slot};
pub use snapshot::Snapshot;
pub use statement::{SignedStatement, Statement, decode_body, encode_body};

pub use crate::head::Position;
