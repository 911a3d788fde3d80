// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a leaf of a server's access log says: what was asked in a vault's name, when, and by which device.
//!
//! No addresses, names or paths. Source: spec/access-log.md, rules ACL-1 to ACL-3. Times in milliseconds since 1970.

use super::NoteKey;
use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::id::{DeviceId, VaultId};

/// What was done or refused (ACL-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccessKind {
    /// The log begins.
    Began,
    /// A device proved itself and was given a token.
    Proved,
    /// A login ended well.
    LoggedIn,
    /// A login or a proof did not fit.
    Unproved,
    /// So many entries were taken.
    Written,
    /// A chunk was taken.
    Chunk,
    /// So many requests with a token were refused.
    Refused,
    /// The account was given another password.
    Password,
    /// So many reads within a minute.
    Read,
    /// So many questions whether there is anything new, within a minute.
    Polled,
    /// So many entries were let go of.
    LetGo,
}

const KINDS: [AccessKind; 11] = [
    AccessKind::Began,
    AccessKind::Proved,
    AccessKind::LoggedIn,
    AccessKind::Unproved,
    AccessKind::Written,
    AccessKind::Chunk,
    AccessKind::Refused,
    AccessKind::Password,
    AccessKind::Read,
    AccessKind::Polled,
    AccessKind::LetGo,
];

/// One leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessEvent {
    /// When, by the server's clock.
    pub time_ms: u64,
    /// What.
    pub kind: AccessKind,
    /// By which device, where it is known.
    pub device: Option<DeviceId>,
    /// How often.
    pub count: u64,
}

impl Encode for AccessEvent {
    fn encode(&self, writer: &mut Writer) {
        let code = KINDS.iter().position(|kind| *kind == self.kind).unwrap_or_default();
        writer.array(4).uint(self.time_ms).uint(code as u64);
        match &self.device {
            Some(device) => writer.bytes(&device.0),
            None => writer.null(),
        };
        writer.uint(self.count);
    }
}

impl Decode for AccessEvent {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.tuple(4, |r| {
            let (time_ms, code) = (r.uint()?, r.uint()?);
            let kind = usize::try_from(code).ok().and_then(|at| KINDS.get(at)).copied();
            let kind = kind.ok_or(CodecError::UnknownType(code))?;
            let device = if r.null() { None } else { Some(DeviceId(r.bytes_exact()?)) };
            Ok(Self { time_ms, kind, device, count: r.uint()? })
        })
    }
}

/// A vault's access log by its name, and the key that signs it (ACL-6).
pub fn access_log(vault: VaultId, key: [u8; 32]) -> NoteKey {
    NoteKey { name: format!("aura/access/{vault}"), key }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    /// ACL-1, ACL-2: each kind comes back, and others are none.
    #[test]
    fn acl_1_leaves_come_back() {
        for (kind, device) in
            KINDS.into_iter().zip([None, Some(DeviceId([7; 16]))].into_iter().cycle())
        {
            let event = AccessEvent { time_ms: 9, kind, device, count: 3 };
            assert_eq!(AccessEvent::from_bytes(&event.to_bytes(), 64).unwrap(), event);
        }
        let mut writer = Writer::new();
        writer.array(4).uint(1).uint(KINDS.len() as u64).null().uint(1);
        assert!(AccessEvent::from_bytes(&writer.into_bytes(), 64).is_err());
    }
}
