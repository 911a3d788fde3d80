// SPDX-License-Identifier: MIT OR Apache-2.0
//! What two devices say to each other when a code pairs them: four messages, each in its place.
//!
//! They travel sealed under keys that follow from the code (`aura_crypto::pairing`), through a box in a store that
//! both reach. Nothing secret is in here; what the grant holds is sealed once more, to the new device alone.
//! Source: spec/pairing.md, rules PAI-3 to PAI-8.

use core::fmt;

use crate::auth::{AccountName, ServerKey};
use crate::authority::{Claim, DeviceKeys, SignedStatement};
use crate::codec::{CodecError, Decode, Encode, Reader, Writer, version};
use crate::id::{DeviceId, Hash, VaultId};
use crate::limits::{
    FORMAT_VERSION, PAIRING_MESSAGE_BYTES_MAX, PAIRING_NAME_BYTES_MAX, PAIRING_URL_BYTES_MAX,
    STATEMENT_BYTES_MAX,
};

/// Which of the four messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// From the device that is there: which vault it is.
    Offer,
    /// From the new one: its keys and its name.
    Answer,
    /// From the device that is there: what the new one needs, or no.
    Grant,
    /// From the new one: it has everything.
    Done,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Offer, Self::Answer, Self::Grant, Self::Done];

    /// Its number.
    pub fn code(self) -> u64 {
        match self {
            Self::Offer => 1,
            Self::Answer => 2,
            Self::Grant => 3,
            Self::Done => 4,
        }
    }

    /// The step with this number.
    pub fn from_code(code: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.code() == code)
    }
}

/// Everything that was said before a message: a key that binds it opens nothing that was said elsewhere (PAI-3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transcript(Hash);

impl Transcript {
    /// Before anything was said.
    pub const NONE: Self = Self(Hash([0; 32]));

    /// With one more message, as it was sealed.
    #[must_use]
    pub fn then(&self, sealed: &[u8]) -> Self {
        Self(Hash::of(&[&self.0.0, sealed]))
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0.0
    }
}

/// Why a message that has opened is refused all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// It is not well-formed.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The statement is not what an answer carries.
    #[error(
        "expected the new device's own statement, for this vault, of this offer, signed by it alone"
    )]
    Statement,
    /// The new device's keys are not four different ones.
    #[error("expected a key of its own for each use")]
    Keys,
}

/// The first message (PAI-5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The vault.
    pub vault: VaultId,
    /// The verifying key of the device that says this.
    pub by: [u8; 32],
    /// The clock that the new device's statement carries.
    pub clock: u64,
    /// The key by which that device knows the server whose box this lies in; none for a folder.
    pub server: Option<ServerKey>,
}

impl Offer {
    /// The device that says this.
    pub fn device(&self) -> DeviceId {
        DeviceId::of_key(&self.by)
    }
}

impl Encode for Offer {
    fn encode(&self, writer: &mut Writer) {
        writer.array(5).uint(FORMAT_VERSION).bytes(&self.vault.0).bytes(&self.by);
        writer.uint(self.clock);
        match &self.server {
            Some(key) => writer.bytes(&key.0.0),
            None => writer.null(),
        };
    }
}

impl Decode for Offer {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.tuple(5, |r| {
            version(r)?;
            Ok(Self {
                vault: VaultId(r.bytes_exact()?),
                by: r.bytes_exact()?,
                clock: r.uint()?,
                server: if r.null() { None } else { Some(ServerKey(Hash(r.bytes_exact()?))) },
            })
        })
    }
}

/// What a device is called where a person decides about it (PAI-6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceName(String);

impl DeviceName {
    /// The name that this text is: 1 to 64 bytes, without control characters or such as turn text around, and with
    /// something else than spaces at both ends.
    pub fn parse(text: &str) -> Option<Self> {
        let is_short = (1..=PAIRING_NAME_BYTES_MAX).contains(&text.len());
        let is_plain = !text.chars().any(steers) && text.trim().len() == text.len();
        (is_short && is_plain).then(|| Self(text.to_owned()))
    }

    /// The name nearest to a text, if there is one.
    pub fn near(text: &str) -> Option<Self> {
        let mut near = String::new();
        for c in text.trim().chars().filter(|c| !steers(*c)) {
            if near.len().saturating_add(c.len_utf8()) > PAIRING_NAME_BYTES_MAX {
                break;
            }
            near.push(c);
        }
        Self::parse(near.trim())
    }

    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Characters that do something to the text around them.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
        // What shows nothing, or a gap.
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// The second message (PAI-6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The statement that lists the new device, signed by it and by nobody else yet.
    pub add: SignedStatement,
    /// What the new device is called.
    pub name: DeviceName,
}

impl Answer {
    /// The new device's keys, if the statement is what an answer to this offer carries.
    ///
    /// # Errors
    /// When it is another vault's, says anything but that the device is listed, has another clock, or is signed by
    /// anybody but the device.
    pub fn keys(&self, offer: &Offer) -> Result<DeviceKeys, MessageError> {
        if self.add.payload.len() > STATEMENT_BYTES_MAX {
            return Err(MessageError::Statement);
        }
        let (statement, signers) = self.add.verify().map_err(|_| MessageError::Statement)?;
        let is_of_offer = statement.vault == Some(offer.vault)
            && statement.clock == offer.clock
            && statement.extra.is_empty();
        let Claim::Add(keys) = statement.claim else { return Err(MessageError::Statement) };
        if !is_of_offer || signers != [keys.sign] {
            return Err(MessageError::Statement);
        }
        if keys.are_separate() { Ok(keys) } else { Err(MessageError::Keys) }
    }
}

impl Encode for Answer {
    fn encode(&self, writer: &mut Writer) {
        writer.array(3).uint(FORMAT_VERSION);
        self.add.encode(writer);
        writer.text(&self.name.0);
    }
}

impl Decode for Answer {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.tuple(3, |r| {
            version(r)?;
            let add = SignedStatement::decode(r)?;
            let name = DeviceName::parse(r.text()?).ok_or(CodecError::Bounds)?;
            Ok(Self { add, name })
        })
    }
}

/// The third message: what is sealed to the new device, or nothing where the person has said no (PAI-8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant(pub Option<Vec<u8>>);

impl Encode for Grant {
    fn encode(&self, writer: &mut Writer) {
        writer.array(2).uint(FORMAT_VERSION);
        match &self.0 {
            Some(sealed) => writer.bytes(sealed),
            None => writer.null(),
        };
    }
}

impl Decode for Grant {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.tuple(2, |r| {
            version(r)?;
            if r.null() {
                return Ok(Self(None));
            }
            let sealed = r.bytes()?;
            if sealed.len() > PAIRING_MESSAGE_BYTES_MAX {
                return Err(CodecError::Bounds);
            }
            Ok(Self(Some(sealed.to_vec())))
        })
    }
}

/// The last message: it says no more than that it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done;

impl Encode for Done {
    fn encode(&self, writer: &mut Writer) {
        writer.array(1).uint(FORMAT_VERSION);
    }
}

impl Decode for Done {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.tuple(1, version)?;
        Ok(Self)
    }
}

/// A server that the vault syncs with, as the grant names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairedServer {
    /// Its address.
    pub url: String,
    /// The vault's account there.
    pub account: AccountName,
    /// The key that it is known by.
    pub pin: ServerKey,
}

impl Encode for PairedServer {
    fn encode(&self, writer: &mut Writer) {
        writer.array(3).text(&self.url).text(self.account.as_str()).bytes(&self.pin.0.0);
    }
}

impl Decode for PairedServer {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.tuple(3, |r| {
            let url = r.text()?;
            if url.len() > PAIRING_URL_BYTES_MAX {
                return Err(CodecError::Bounds);
            }
            Ok(Self {
                url: url.to_owned(),
                account: AccountName::decode(r)?,
                pin: ServerKey(Hash(r.bytes_exact()?)),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PAI-3: a transcript tells how often, in which order and what.
    #[test]
    fn pai_3_a_transcript_is_of_one_past() {
        let (a, b) = (Transcript::NONE.then(b"a"), Transcript::NONE.then(b"b"));
        assert_ne!(a.then(b"b"), b.then(b"a"));
        assert_ne!(a, a.then(b"a"));
        assert_ne!(Transcript::NONE.then(b"ab"), a.then(b"b"));
    }

    /// PAI-6: a name steers no terminal, and is short.
    #[test]
    fn pai_6_names_are_short_and_plain() {
        let long = "x".repeat(PAIRING_NAME_BYTES_MAX + 1);
        for wrong in ["", " ", " a", "a ", "a\nb", "a\u{1b}[2J", "\u{202e}a", "a\u{200b}", &long] {
            assert_eq!(DeviceName::parse(wrong), None, "{wrong:?}");
        }
        assert_eq!(DeviceName::parse("Nora’s phone").unwrap().as_str(), "Nora’s phone");
        assert_eq!(DeviceName::near(" a\u{1b}b\u{202e} ").unwrap().as_str(), "ab");
        assert_eq!(DeviceName::near(&"ü".repeat(60)).unwrap().as_str().len(), 64);
        assert_eq!(DeviceName::near("\u{7}"), None);
    }

    #[test]
    fn steps_have_numbers() {
        for step in Step::ALL {
            assert_eq!(Step::from_code(step.code()), Some(step));
        }
        assert_eq!((Step::from_code(0), Step::from_code(5)), (None, None));
    }
}
