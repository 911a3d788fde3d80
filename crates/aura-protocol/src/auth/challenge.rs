// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a device signs to show a server who it is. Source: spec/http.md, rules ACC-2 to ACC-5.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::auth::AccountName;
use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::id::{DeviceId, Hash, VaultId};
use crate::label::Label;
use crate::limits::SMALL_REQUEST_BYTES_MAX;
use crate::signed::Signable;

/// SHA-256 of the SubjectPublicKeyInfo of a server's TLS key: what clients pin (ACC-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerKey(pub Hash);

impl fmt::Display for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A server's question and everything that its answer is bound to (ACC-3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge {
    /// The vault that is asked for.
    pub vault: VaultId,
    /// The device that answers.
    pub device: DeviceId,
    /// The server that the device is connected to, as it saw its key itself.
    pub server: ServerKey,
    /// What the server chose, once.
    pub nonce: Hash,
}

impl Signable for Challenge {
    const LABEL: Label = Label::SigChallenge;
    const BYTES_MAX: usize = SMALL_REQUEST_BYTES_MAX;
}

impl Encode for Challenge {
    fn encode(&self, writer: &mut Writer) {
        writer.array(4).bytes(&self.vault.0).bytes(&self.device.0);
        writer.bytes(&self.server.0.0).bytes(&self.nonce.0);
    }
}

impl Decode for Challenge {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.tuple(4, |r| {
            Ok(Self {
                vault: VaultId(r.bytes_exact()?),
                device: DeviceId(r.bytes_exact()?),
                server: ServerKey(Hash(r.bytes_exact()?)),
                nonce: Hash(r.bytes_exact()?),
            })
        })
    }
}

/// A device's request to open an account for its vault, signed by its transport key (ACC-4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The account's name.
    pub name: AccountName,
    /// The vault that the account is for.
    pub vault: VaultId,
    /// The device that opens it.
    pub device: DeviceId,
    /// That device's transport key.
    pub transport: [u8; 32],
    /// The server that the device is connected to.
    pub server: ServerKey,
    /// The end of the OPAQUE registration.
    pub upload: Vec<u8>,
}

impl Signable for Registration {
    const LABEL: Label = Label::SigRegistration;
    const BYTES_MAX: usize = SMALL_REQUEST_BYTES_MAX;
}

impl Encode for Registration {
    fn encode(&self, writer: &mut Writer) {
        writer.array(6);
        self.name.encode(writer);
        writer.bytes(&self.vault.0).bytes(&self.device.0).bytes(&self.transport);
        writer.bytes(&self.server.0.0).bytes(&self.upload);
    }
}

impl Decode for Registration {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.tuple(6, |r| {
            Ok(Self {
                name: AccountName::decode(r)?,
                vault: VaultId(r.bytes_exact()?),
                device: DeviceId(r.bytes_exact()?),
                transport: r.bytes_exact()?,
                server: ServerKey(Hash(r.bytes_exact()?)),
                upload: r.bytes()?.to_vec(),
            })
        })
    }
}

/// What a server gives whoever has proved who they are, for a short time (ACC-5). Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(pub [u8; 32]);

impl Token {
    /// The text that goes with each request: base64url without padding.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// The token that this text is.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 33];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        let (token, rest) = bytes.split_first_chunk::<32>()?;
        (length == 32 && rest == [0]).then_some(Self(*token))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_one_text_and_shows_none() {
        let token = Token([7; 32]);
        assert_eq!(token.to_text().len(), 43);
        assert_eq!(Token::parse(&token.to_text()), Some(token.clone()));
        let text = token.to_text();
        for wrong in
            ["", &text[1..], &format!("{text}A"), &format!("{text}="), "*".repeat(43).as_str()]
        {
            assert_eq!(Token::parse(wrong), None, "{wrong}");
        }
        // The last character carries two bits that must be zero: one spelling only.
        assert_eq!(Token::parse(&format!("{}d", &text[..42])), None);
        assert!(!format!("{token:?}").contains(&text[..8]));
    }
}
