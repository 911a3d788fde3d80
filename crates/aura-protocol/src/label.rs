// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one registry of domain strings: every derivation, sealed context and signature names one.
//!
//! A label keeps what is made for one purpose from being taken for another. Labels are unique and
//! prefix-free (a label is always followed by 0x00 where more bytes follow), which a test checks.
//! Source: spec/labels.md, rules LBL-1 to LBL-3.

macro_rules! labels {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// A domain string. Each is used for one thing only.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Label { $($(#[$doc])* $variant,)* }

        impl Label {
            /// Every label.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The domain string, ASCII.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

labels! {
    // Derivations (HKDF-SHA-512 info).
    /// Slot secret to the slot's X-Wing seed.
    SlotKem = "aura/v1/slot/kem",
    /// Slot secret to the slot's Ed25519 seed.
    SlotSign = "aura/v1/slot/sign",
    /// Password hash and secret key to the slot secret.
    SlotPassword = "aura/v1/slot/password",
    /// Recovery code to the slot secret.
    SlotRecovery = "aura/v1/slot/recovery",
    /// Root key to the identity's Ed25519 seed.
    IdentitySign = "aura/v1/identity/sign",
    /// Root key to the identity's X-Wing seed.
    IdentityKem = "aura/v1/identity/kem",
    /// Root key to the root collection's key.
    RootCollection = "aura/v1/root-collection",
    /// Root key to the keyring key.
    Keyring = "aura/v1/keyring",
    /// Root key to the second-lock base.
    SecondLockBase = "aura/v1/second-lock/base",
    /// Second-lock base and second factor to the second lock's X-Wing seed.
    SecondLockKem = "aura/v1/second-lock/kem",
    /// Second-lock base and second factor to the second lock's Ed25519 seed.
    SecondLockSign = "aura/v1/second-lock/sign",
    /// Second-lock base and second factor to the key that seals the second lock's file.
    SecondLockFile = "aura/v1/second-lock/file",
    /// Root key to the key that seals `device.key`.
    DeviceFile = "aura/v1/device-file",
    /// Root key to the hedge key.
    Hedge = "aura/v1/hedge",
    /// Hedge key to the search index's own.
    SearchHedge = "aura/v1/search-hedge",
    /// Collection key to the key of one entry.
    EntryKey = "aura/v1/entry/key",
    /// Search key to the key of one index file.
    SearchFileKey = "aura/v1/search-file/key",
    /// Attachment key to a chunk's name.
    ChunkName = "aura/v1/chunk/name",
    /// Pairing code to the box that the messages lie in.
    PairingBox = "aura/v1/pairing/box",
    /// Pairing code to the key of one message.
    PairingKey = "aura/v1/pairing/key",
    /// Pairing code to the hedge key of the messages.
    PairingHedge = "aura/v1/pairing/hedge",

    // Contexts of sealed objects.
    /// Body of an entry.
    EntryBody = "aura/v1/object/entry",
    /// Chunk of an attachment.
    Chunk = "aura/v1/object/chunk",
    /// The keyring's local cache file.
    KeyringFile = "aura/v1/object/keyring-file",
    /// One key of the keyring, carried by an op.
    KeyringKey = "aura/v1/object/keyring-key",
    /// The secret key of the person's slots, carried by an op.
    SecretKey = "aura/v1/object/secret-key",
    /// Keys of the views behind the second lock.
    SecondViews = "aura/v1/object/second-views",
    /// The device's secret seeds.
    DeviceSeeds = "aura/v1/object/device-seeds",
    /// A file of the search index.
    SearchFile = "aura/v1/object/search-file",
    /// Aura's own archive.
    Archive = "aura/v1/object/archive",
    /// A message of a pairing.
    PairingMessage = "aura/v1/object/pairing",

    // HPKE info strings.
    /// Root key to a slot.
    WrapSlot = "aura/v1/hpke/slot",
    /// Root key to a device.
    WrapDevice = "aura/v1/hpke/device",
    /// Epoch key to the second lock.
    WrapSecondLock = "aura/v1/hpke/second-lock",
    /// What a new device needs, to that device.
    SealPairing = "aura/v1/hpke/pairing",

    // Signatures (prefix of what is signed).
    /// The genesis record.
    SigGenesis = "aura/v1/sig/genesis",
    /// An authority statement.
    SigStatement = "aura/v1/sig/statement",
    /// A head.
    SigHead = "aura/v1/sig/head",
    /// What is HPKE-sealed to somebody: recipient, info and payload hash.
    SigSealed = "aura/v1/sig/sealed",

    /// A device's answer to a store's challenge.
    SigChallenge = "aura/v1/sig/challenge",
    /// A device's request to open an account for its vault.
    SigRegistration = "aura/v1/sig/registration",

    // Logging in (RFC 9807).
    /// Context of a login: which server and which new device it is between.
    Login = "aura/v1/login",
    /// Password and secret key to what OPAQUE is given.
    LoginInput = "aura/v1/opaque-input",

    // Two devices on a network.
    /// Salt and vault to what an announcement is known by.
    PeerAnnounce = "aura/v1/peer/announce",
    /// Salt and vault to what a device is asked by for its key.
    PeerHello = "aura/v1/peer/hello",

    // Hashes that are not signatures.
    /// An audit event's leaf.
    AuditEvent = "aura/v1/audit/event",
    /// A record in the state hash.
    StateLeaf = "aura/v1/state/leaf",
    /// A category in the state hash.
    StateCategory = "aura/v1/state/category",
    /// A device's id from its verifying key.
    DeviceId = "aura/v1/device-id",
}

impl core::fmt::Display for Label {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// LBL-1, LBL-2, attacks KEY-07, INT-15, DEV-05: no label is another label or another label's beginning.
    #[test]
    fn labels_are_unique_and_prefix_free() {
        for (i, a) in Label::ALL.iter().enumerate() {
            for (j, b) in Label::ALL.iter().enumerate() {
                let (a, b) = (a.as_str(), b.as_str());
                assert!(i == j || !b.starts_with(a), "{a:?} begins {b:?}");
            }
        }
    }

    /// LBL-3: every label carries the project and its version, in ASCII.
    #[test]
    fn labels_carry_project_and_version() {
        for label in Label::ALL {
            assert!(label.as_str().starts_with("aura/v1/"));
            assert!(label.as_str().bytes().all(|b| b.is_ascii_graphic()));
        }
    }
}
