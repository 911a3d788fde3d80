// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bodies of requests and answers: arrays of fixed length, each member in its place.
//! Source: spec/http.md, rules HTP-4 and HTP-7 to HTP-15.

use crate::auth::login::{
    LOGIN_PROOF_BYTES, LOGIN_REQUEST_BYTES, LOGIN_RESPONSE_BYTES, RECORD_BYTES,
    REGISTRATION_REQUEST_BYTES, REGISTRATION_RESPONSE_BYTES,
};
use crate::auth::{AccountName, Registration, ServerKey, Token};
use crate::authority::SignedStatement;
use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::entry::Entry;
use crate::head::{Head, Position};
use crate::id::{ChunkName, DeviceId, FeedId, Hash, Incarnation, PairingBox, VaultId};
use crate::limits::{
    HAS_NAMES_MAX, INVITATION_BYTES_MAX, LINEAGE_STATEMENTS_MAX, LIVES_MAX,
    PAIRING_MESSAGE_BYTES_MAX, READ_BYTES_MAX, READ_ENTRIES_MAX,
};
use crate::pairing::Step;
use crate::signed::Signed;
use crate::store::{Heads, Receipt, StoredHead};

/// Something that stands in one place of a body.
trait Member: Sized {
    fn write(&self, writer: &mut Writer);
    fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError>;
}

/// Bodies whose members stand in fixed places.
macro_rules! bodies {
    ($($(#[$doc:meta])* $name:ident[$count:literal] {
        $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
    })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }

        impl Encode for $name {
            fn encode(&self, writer: &mut Writer) {
                writer.array($count);
                $(self.$field.write(writer);)*
            }
        }

        impl Decode for $name {
            fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
                reader.tuple($count, |r| Ok(Self { $($field: Member::read(r)?,)* }))
            }
        }
    )*};
}

bodies! {
    /// What a server is.
    ServerView[4] {
        /// The oldest version of the protocol that it speaks.
        protocol_min: u64,
        /// The newest.
        protocol_max: u64,
        /// Who may open an account.
        registration: RegistrationPolicy,
        /// The key that it takes for its own, which a client compares with the one that it sees.
        key: ServerKey,
    }

    /// Begins an account (ACC-10).
    AccountBegin[3] {
        /// Its name.
        name: AccountName,
        /// The invitation, where one is needed.
        invitation: Option<Invitation>,
        /// OPAQUE's registration request.
        request: [u8; REGISTRATION_REQUEST_BYTES],
    }

    /// The answer to the beginning of an account or of a new password.
    Begun[1] {
        /// OPAQUE's registration response.
        response: [u8; REGISTRATION_RESPONSE_BYTES],
    }

    /// Makes an account.
    AccountEnd[3] {
        /// The invitation, where one is needed.
        invitation: Option<Invitation>,
        /// What the device asks for, signed by its transport key.
        registration: Signed<Registration>,
        /// The vault's statements by which the device is one of its own (ACC-13).
        lineage: Vec<SignedStatement>,
    }

    /// Begins a login of a new device (ACC-11).
    LoginBegin[3] {
        /// The account.
        name: AccountName,
        /// OPAQUE's KE1.
        request: [u8; LOGIN_REQUEST_BYTES],
        /// The new device's transport key.
        transport: [u8; 32],
    }

    /// The answer to the beginning of a login.
    LoginAnswer[2] {
        /// Names this login to its end.
        login: [u8; 16],
        /// OPAQUE's KE2.
        response: [u8; LOGIN_RESPONSE_BYTES],
    }

    /// Ends a login.
    LoginEnd[2] {
        /// Which.
        login: [u8; 16],
        /// OPAQUE's KE3.
        proof: [u8; LOGIN_PROOF_BYTES],
    }

    /// A token, the vault that it is for, and for how long.
    Granted[3] {
        /// The vault.
        vault: VaultId,
        /// The token.
        token: Token,
        /// Seconds from now.
        seconds: u64,
    }

    /// Asks for a challenge.
    Ask[2] {
        /// The vault.
        vault: VaultId,
        /// The device that will answer.
        device: DeviceId,
    }

    /// A challenge.
    Asked[1] {
        /// What the server chose.
        nonce: Hash,
    }

    /// Answers a challenge.
    Answer[4] {
        /// The vault.
        vault: VaultId,
        /// The device.
        device: DeviceId,
        /// The challenge's nonce, as it was given.
        nonce: Hash,
        /// The signature of the device's transport key over the whole challenge.
        signature: [u8; 64],
    }

    /// How an account stands.
    AccountView[3] {
        /// Its name.
        name: AccountName,
        /// Bytes that are kept for it.
        used_bytes: u64,
        /// Bytes that may be; 0 for no bound.
        quota_bytes: u64,
    }

    /// Begins a new password.
    PasswordBegin[1] {
        /// OPAQUE's registration request.
        request: [u8; REGISTRATION_REQUEST_BYTES],
    }

    /// Ends a new password.
    PasswordEnd[1] {
        /// OPAQUE's record.
        upload: [u8; RECORD_BYTES],
    }

    /// Which heads its sender knows.
    HeadsAsk[1] {
        /// By device and incarnation.
        known: Vec<(DeviceId, Incarnation, Position)>,
    }

    /// Entries of a feed, wanted.
    Read[3] {
        /// The feed.
        feed: FeedId,
        /// With numbers above this.
        after: u64,
        /// At most so many.
        limit: u64,
    }

    /// Entries of a feed.
    Entries[1] {
        /// In order.
        entries: Vec<Entry>,
    }

    /// Asks a server to let go of what a snapshot covers (HTP-14).
    ForgetAsk[1] {
        /// The hash of the payload of the `base` statement.
        base: Hash,
    }

    /// What came of it.
    ForgetAnswer[1] {
        /// How many entries went.
        entries: u64,
    }

    /// Chunks that are asked for.
    HasAsk[1] {
        /// Their names.
        names: Vec<ChunkName>,
    }

    /// A message of a pairing, for its box (HTP-15).
    PairingPut[3] {
        /// The box.
        place: PairingBox,
        /// Which message.
        step: Step,
        /// As it was sealed.
        message: PairingMessage,
    }

    /// Asks for a message of a pairing.
    PairingTake[2] {
        /// The box.
        place: PairingBox,
        /// Which message.
        step: Step,
    }

    /// The message, if it is there.
    PairingTaken[1] {
        /// As it was sealed.
        message: Option<PairingMessage>,
    }

    /// Takes a box away.
    PairingClose[1] {
        /// The box.
        place: PairingBox,
    }

    /// Whether each of them is there.
    HasAnswer[1] {
        /// In the order of the question.
        has: Vec<bool>,
    }
}

/// Who may open an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrationPolicy {
    /// Anybody.
    Open,
    /// Whoever has an invitation.
    Invitation,
    /// Nobody.
    Closed,
}

/// What an operator gives somebody who may open an account. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Invitation(String);

impl Invitation {
    /// The invitation that this text is: printable ASCII, not too long.
    pub fn parse(text: &str) -> Option<Self> {
        let is_one = (1..=INVITATION_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_one.then(|| Self(text.to_owned()))
    }

    /// The invitation's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl core::fmt::Debug for Invitation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Invitation(redacted)")
    }
}

impl Member for RegistrationPolicy {
    fn write(&self, writer: &mut Writer) {
        writer.uint(match self {
            Self::Open => 0,
            Self::Invitation => 1,
            Self::Closed => 2,
        });
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match reader.uint()? {
            0 => Ok(Self::Open),
            1 => Ok(Self::Invitation),
            2 => Ok(Self::Closed),
            other => Err(CodecError::UnknownType(other)),
        }
    }
}

impl Member for Option<Invitation> {
    fn write(&self, writer: &mut Writer) {
        match self {
            Some(invitation) => writer.text(&invitation.0),
            None => writer.null(),
        };
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        if reader.null() {
            return Ok(None);
        }
        Invitation::parse(reader.text()?).map(Some).ok_or(CodecError::Bounds)
    }
}

/// A message of a pairing, as it was sealed: a server reads nothing in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairingMessage(pub Vec<u8>);

impl Member for PairingMessage {
    fn write(&self, writer: &mut Writer) {
        writer.bytes(&self.0);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let message = reader.bytes()?;
        if message.len() > PAIRING_MESSAGE_BYTES_MAX {
            return Err(CodecError::Bounds);
        }
        Ok(Self(message.to_vec()))
    }
}

impl Member for Option<PairingMessage> {
    fn write(&self, writer: &mut Writer) {
        match self {
            Some(message) => message.write(writer),
            None => drop(writer.null()),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        if reader.null() { Ok(None) } else { PairingMessage::read(reader).map(Some) }
    }
}

impl Member for Step {
    fn write(&self, writer: &mut Writer) {
        writer.uint(self.code());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Self::from_code(reader.uint()?).ok_or(CodecError::Bounds)
    }
}

impl Member for u64 {
    fn write(&self, writer: &mut Writer) {
        writer.uint(*self);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.uint()
    }
}

impl<const N: usize> Member for [u8; N] {
    fn write(&self, writer: &mut Writer) {
        writer.bytes(self);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.bytes_exact()
    }
}

/// Wrappers of a fixed number of bytes.
macro_rules! byte_members {
    ($($name:ident,)*) => {$(
        impl Member for $name {
            fn write(&self, writer: &mut Writer) {
                writer.bytes(&self.0);
            }

            fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
                reader.bytes_exact().map(Self)
            }
        }
    )*};
}

byte_members! { VaultId, DeviceId, Incarnation, ChunkName, Hash, PairingBox, Token, }

impl Member for ServerKey {
    fn write(&self, writer: &mut Writer) {
        self.0.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Hash::read(reader).map(Self)
    }
}

/// What has an encoding of its own.
macro_rules! encoded_members {
    ($($name:ty,)*) => {$(
        impl Member for $name {
            fn write(&self, writer: &mut Writer) {
                self.encode(writer);
            }

            fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
                Self::decode(reader)
            }
        }
    )*};
}

encoded_members! { AccountName, FeedId, Entry, SignedStatement, Signed<Registration>, Signed<Head>, }

impl Member for bool {
    fn write(&self, writer: &mut Writer) {
        writer.boolean(*self);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.boolean()
    }
}

impl Member for (DeviceId, Incarnation, Position) {
    fn write(&self, writer: &mut Writer) {
        let (device, incarnation, at) = self;
        writer.array(4).bytes(&device.0).bytes(&incarnation.0);
        at.encode_into(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.tuple(4, |r| Ok((Member::read(r)?, Member::read(r)?, Position::decode_from(r)?)))
    }
}

/// Lists, each with its own bound (HTP-4).
macro_rules! list_members {
    ($($name:ty, $max:expr;)*) => {$(
        impl Member for Vec<$name> {
            fn write(&self, writer: &mut Writer) {
                writer.array(self.len());
                self.iter().for_each(|member| member.write(writer));
            }

            fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
                reader.array($max, <$name>::read)
            }
        }
    )*};
}

list_members! {
    (DeviceId, Incarnation, Position), LIVES_MAX;
    Entry, READ_ENTRIES_MAX;
    SignedStatement, LINEAGE_STATEMENTS_MAX;
    ChunkName, HAS_NAMES_MAX;
    bool, HAS_NAMES_MAX;
}

/// A push: a head, and entries towards it.
#[derive(Debug, Clone)]
pub struct Push {
    /// The head.
    pub head: Signed<Head>,
    /// Some or all of the entries that the server lacks for it.
    pub entries: Vec<Entry>,
}

impl Push {
    /// The body's bytes, without a copy of what goes into it.
    pub fn bytes_of(head: &Signed<Head>, entries: &[Entry]) -> Vec<u8> {
        let sizes =
            entries.iter().map(|entry| entry.header_bytes().len() + entry.body().len() + 16);
        let size = sizes.fold(head.payload().len() + 96, usize::saturating_add);
        let mut writer = Writer::with_capacity(size);
        writer.array(2);
        head.encode(&mut writer);
        writer.array(entries.len());
        entries.iter().for_each(|entry| entry.encode(&mut writer));
        writer.into_bytes()
    }
}

impl Decode for Push {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.tuple(2, |r| {
            let head = Signed::decode(r)?;
            // HTP-9: none after the one with which the bound is reached or passed.
            let mut bytes = 0usize;
            let entries = r.array(READ_ENTRIES_MAX, |r| {
                if bytes >= READ_BYTES_MAX {
                    return Err(CodecError::Bounds);
                }
                let entry = Entry::decode(r)?;
                let size = entry.header_bytes().len().saturating_add(entry.body().len());
                bytes = bytes.saturating_add(size);
                Ok(entry)
            })?;
            Ok(Self { head, entries })
        })
    }
}

/// What is missing before a pushed head is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushAnswer(pub Receipt);

impl Encode for PushAnswer {
    fn encode(&self, writer: &mut Writer) {
        writer.array(self.0.missing.len());
        for (feed, held) in &self.0.missing {
            writer.array(2);
            feed.encode(writer);
            writer.uint(*held);
        }
    }
}

impl Decode for PushAnswer {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let missing = reader.array(crate::limits::HEAD_FEEDS_MAX, |r| {
            r.tuple(2, |r| Ok((FeedId::decode(r)?, r.uint()?)))
        })?;
        Ok(Self(Receipt { missing }))
    }
}

/// Heads beside those known.
#[derive(Debug, Clone)]
pub struct HeadsAnswer(pub Heads);

impl Encode for HeadsAnswer {
    fn encode(&self, writer: &mut Writer) {
        writer.array(2).array(self.0.news.len());
        self.0.news.iter().for_each(|stored| stored.head.encode(writer));
        writer.array(self.0.absent.len());
        for (device, incarnation) in &self.0.absent {
            writer.array(2).bytes(&device.0).bytes(&incarnation.0);
        }
    }
}

impl Decode for HeadsAnswer {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.tuple(2, |r| {
            let news = r.array(LIVES_MAX, |r| {
                let signed: Signed<Head> = Signed::decode(r)?;
                // HTP-8: whose it is and where it stands is what the head itself says.
                let head = signed.claim().map_err(|_| CodecError::Bounds)?;
                let position = Position { number: head.number, hash: signed.hash() };
                let (device, incarnation) = (head.device, head.incarnation);
                Ok(StoredHead { device, incarnation, position, head: signed })
            })?;
            let absent = r.array(LIVES_MAX, |r| {
                r.tuple(2, |r| Ok((DeviceId(r.bytes_exact()?), Incarnation(r.bytes_exact()?))))
            })?;
            Ok(Self(Heads { news, absent }))
        })
    }
}
