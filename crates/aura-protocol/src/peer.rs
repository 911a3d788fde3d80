// SPDX-License-Identifier: MIT OR Apache-2.0
//! How two devices of one vault speak to each other directly: what they ask and answer, and by what they know each
//! other before either says who it is.
//!
//! One question and its answer go over one stream, each canonical CBOR; what a stream is, is not said here.
//! Source: spec/peer.md, rules PEE-1 to PEE-12.

mod veil;

mod frame;

mod body;

pub use body::{Ask, ChunkAnswer, ChunkAsk, Done, HeadAsk, PutAsk, Refusal, WatchAsk};
pub use frame::{Kind, Outcome, REFUSAL_BYTES_MAX, WATCH_MS_MAX};
pub use veil::{Occasion, VEIL_TEXT_LEN, Veil};

use crate::signed::Signature;

/// What the application protocol is called in a handshake (PEE-1).
pub const ALPN: &[u8] = b"aura-peer/1";

/// Shows another device who this one is. Implemented where the keys are, handed to where they are not.
pub trait Greeter: Send + Sync {
    /// The public half of its transport key.
    fn transport(&self) -> [u8; 32];

    /// The transport key's signature over what is signed in a handshake of TLS 1.3; none over anything else (PEE-2).
    fn greet(&self, message: &[u8]) -> Option<Signature>;
}

/// How what a client or a server signs in a handshake begins (RFC 8446, 4.4.3).
const SIGNED: [&[u8]; 2] =
    [b"TLS 1.3, client CertificateVerify\0", b"TLS 1.3, server CertificateVerify\0"];
/// What stands before that: so many spaces.
const SPACES: usize = 64;
/// Bytes of the hash of what was said that may follow: SHA-256 or SHA-384.
const TRANSCRIPTS: [usize; 2] = [32, 48];

/// Whether this is what is signed in a handshake of TLS 1.3. No labelled bytes are (SIG-1): those begin with no space.
pub fn is_greeting(message: &[u8]) -> bool {
    let Some((spaces, rest)) = message.split_at_checked(SPACES) else { return false };
    let is_one = |begin: &&[u8]| {
        let transcript = rest.strip_prefix(*begin);
        transcript.is_some_and(|transcript| TRANSCRIPTS.contains(&transcript.len()))
    };
    spaces.iter().all(|byte| *byte == b' ') && SIGNED.iter().any(is_one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::Label;
    use crate::signed::message;

    /// PEE-2, attack KEY-07: what is signed in a handshake is nothing else, and nothing else is that.
    #[test]
    fn pee_2_a_greeting_is_of_tls_alone() {
        let greeting = |end: &str, transcript: usize| {
            [&[b' '; 64][..], end.as_bytes(), &vec![7; transcript]].concat()
        };
        for side in ["client", "server"] {
            let context = format!("TLS 1.3, {side} CertificateVerify\0");
            assert!(is_greeting(&greeting(&context, 32)));
            assert!(is_greeting(&greeting(&context, 48)));
            assert!(!is_greeting(&greeting(&context, 33)));
            assert!(!is_greeting(&greeting(&context, 0)));
            assert!(!is_greeting(&greeting(&context, 32)[1..]));
        }
        assert!(!is_greeting(&greeting("TLS 1.3, other CertificateVerify\0", 32)));
        assert!(!is_greeting(&[]));
        let mut tabbed = greeting("TLS 1.3, client CertificateVerify\0", 32);
        tabbed[3] = b'\t';
        assert!(!is_greeting(&tabbed));
        for label in Label::ALL {
            assert!(!is_greeting(&message(*label, &[b' '; 200])));
        }
    }
}
