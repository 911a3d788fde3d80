// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bodies of the protocol over HTTPS, and a login from both sides.

use aura_protocol::auth::login::{
    self, Halfway, LOGIN_PROOF_BYTES, LoggingIn, LoginError, RECORD_BYTES,
    REGISTRATION_REQUEST_BYTES, Registering, Setup, Stretch,
};
use aura_protocol::auth::{AccountName, ServerKey, Token};
use aura_protocol::codec::{CodecError, Decode, Encode};
use aura_protocol::head::Position;
use aura_protocol::http::{
    AccountBegin, Granted, HasAsk, HeadsAsk, Invitation, LoginEnd, PushAnswer, Read,
};
use aura_protocol::id::{ChunkName, CollectionId, DeviceId, FeedId, Hash, Incarnation, VaultId};
use aura_protocol::limits::{HAS_NAMES_MAX, INVITATION_BYTES_MAX, LIVES_MAX};
use aura_protocol::store::Receipt;
use zeroize::Zeroizing;

/// A stretching function whose price tests can pay: it turns bytes round.
#[derive(Default)]
struct Cheap;

impl Stretch for Cheap {
    fn stretch(&self, input: &[u8; 64]) -> Option<Zeroizing<[u8; 64]>> {
        let mut output = Zeroizing::new(*input);
        output.reverse();
        Some(output)
    }
}

/// One on a device without memory.
#[derive(Default)]
struct Poor;

impl Stretch for Poor {
    fn stretch(&self, _: &[u8; 64]) -> Option<Zeroizing<[u8; 64]>> {
        None
    }
}

/// Counts upwards: every run is the same.
fn counter(mut next: u8) -> impl FnMut(&mut [u8]) {
    move |bytes: &mut [u8]| {
        for byte in bytes {
            *byte = next;
            next = next.wrapping_mul(5).wrapping_add(3);
        }
    }
}

const SERVER: ServerKey = ServerKey(Hash([7; 32]));
const DEVICE: [u8; 32] = [8; 32];

fn name(text: &str) -> AccountName {
    AccountName::parse(text).unwrap()
}

fn register(setup: &Setup, account: &str, input: &[u8]) -> [u8; RECORD_BYTES] {
    let mut fill = counter(1);
    let (registering, request) = Registering::<Cheap>::start(&mut fill, input).unwrap();
    let response = setup.register(&name(account), &request).unwrap();
    let upload = registering.finish(&mut fill, (&name(account), input), &response, Cheap).unwrap();
    login::record(&upload).unwrap()
}

/// What a client makes of an account, an input and a pair of keys.
struct Try {
    account: &'static str,
    input: &'static [u8],
    client: (ServerKey, [u8; 32]),
    server: (ServerKey, [u8; 32]),
}

impl Try {
    const RIGHT: Self = Self {
        account: "ada",
        input: b"input",
        client: (SERVER, DEVICE),
        server: (SERVER, DEVICE),
    };

    fn begin(
        &self,
        setup: &Setup,
        record: Option<&[u8; RECORD_BYTES]>,
    ) -> (Halfway, Result<[u8; LOGIN_PROOF_BYTES], LoginError>) {
        let mut fill = counter(9);
        let (logging, request) = LoggingIn::<Cheap>::start(&mut fill, self.input).unwrap();
        let with = (self.server.0, &self.server.1);
        let mut server_fill = counter(77);
        let (halfway, response) =
            setup.login(&mut server_fill, (&name("ada"), record), &request, with).unwrap();
        let with = (self.client.0, &self.client.1);
        let answer = (response.as_slice(), Cheap);
        let proof = logging.finish(&mut fill, (&name(self.account), self.input), with, answer);
        (halfway, proof)
    }

    fn login(&self, setup: &Setup, record: Option<&[u8; RECORD_BYTES]>) -> Result<(), LoginError> {
        let (halfway, proof) = self.begin(setup, record);
        halfway.finish(&name("ada"), &proof?, (self.server.0, &self.server.1))
    }
}

/// ACC-6, ACC-7, ACC-8, attack DEV-13: a login ends well with the right input, between the same two, and in no other way.
#[test]
fn a_login_needs_the_same_input_server_and_device() {
    let setup = Setup::new(&mut counter(3));
    let record = register(&setup, "ada", b"input");
    assert_eq!(Try::RIGHT.login(&setup, Some(&record)), Ok(()));
    let again = Setup::from_bytes(&setup.to_bytes()).unwrap();
    assert_eq!(Try::RIGHT.login(&again, Some(&record)), Ok(()));

    let other_server = (ServerKey(Hash([1; 32])), DEVICE);
    let other_device = (SERVER, [1; 32]);
    for wrong in [
        Try { input: b"other", ..Try::RIGHT },
        Try { account: "bo", ..Try::RIGHT },
        Try { client: other_server, ..Try::RIGHT },
        Try { client: other_device, ..Try::RIGHT },
        Try { server: other_server, ..Try::RIGHT },
        Try { server: other_device, ..Try::RIGHT },
    ] {
        assert_eq!(wrong.login(&setup, Some(&record)), Err(LoginError::Refused));
    }
    // A name that is not known, and, by OPAQUE, the record of another server.
    assert_eq!(Try::RIGHT.login(&setup, None), Err(LoginError::Refused));
    if cfg!(feature = "srp") {
        return;
    }
    let foreign = Setup::new(&mut counter(4));
    assert_eq!(Try::RIGHT.login(&foreign, Some(&record)), Err(LoginError::Refused));
}

/// Every byte of a proof counts.
#[test]
fn a_changed_proof_is_refused() {
    let setup = Setup::new(&mut counter(3));
    let record = register(&setup, "ada", b"input");
    for at in 0..LOGIN_PROOF_BYTES {
        let (halfway, proof) = Try::RIGHT.begin(&setup, Some(&record));
        let mut proof = proof.unwrap();
        proof[at] ^= 1;
        assert!(halfway.finish(&name("ada"), &proof, (SERVER, &DEVICE)).is_err(), "byte {at}");
    }
}

/// Fault F-07: a device without memory for stretching is told that, and not that its password is wrong.
#[test]
fn what_cannot_be_used_is_told_apart() {
    let setup = Setup::new(&mut counter(3));
    assert!(matches!(Setup::from_bytes(&[0; 127]), Err(LoginError::Malformed)));
    let noise = setup.register(&name("ada"), &[0xff; REGISTRATION_REQUEST_BYTES]);
    assert_eq!(noise.err(), (!cfg!(feature = "srp")).then_some(LoginError::Malformed));
    assert_eq!(login::record(&[0; RECORD_BYTES - 1]), Err(LoginError::Malformed));
    assert_eq!(login::record(&[0; RECORD_BYTES]), Err(LoginError::Malformed));
    let mut fill = counter(1);
    let (registering, request) = Registering::<Poor>::start(&mut fill, b"input").unwrap();
    let response = setup.register(&name("ada"), &request).unwrap();
    let done = registering.finish(&mut fill, (&name("ada"), b"input"), &response, Poor);
    assert_eq!(done, Err(LoginError::Memory));
    assert!(!format!("{setup:?}").contains(char::is_numeric));
}

fn round<T: Encode + Decode + PartialEq + core::fmt::Debug>(body: &T) {
    let bytes = body.to_bytes();
    assert_eq!(T::from_bytes(&bytes, bytes.len()).as_ref(), Ok(body));
    // HTP-4: nothing shorter, longer or of another shape is taken.
    for cut in 0..bytes.len() {
        assert!(T::from_bytes(&bytes[..cut], bytes.len()).is_err());
    }
    assert_eq!(
        T::from_bytes(&[bytes.as_slice(), &[0]].concat(), bytes.len() + 1),
        Err(CodecError::Trailing)
    );
}

#[test]
fn bodies_come_back_as_they_were() {
    let feed = FeedId {
        collection: CollectionId([1; 16]),
        device: DeviceId([2; 16]),
        incarnation: Incarnation([3; 8]),
    };
    let at = Position { number: 4, hash: Hash([5; 32]) };
    round(&AccountBegin {
        name: name("ada"),
        invitation: None,
        request: [6; REGISTRATION_REQUEST_BYTES],
    });
    let invitation = Invitation::parse("abc");
    round(&AccountBegin {
        name: name("ada"),
        invitation,
        request: [6; REGISTRATION_REQUEST_BYTES],
    });
    round(&LoginEnd { login: [1; 16], proof: [2; LOGIN_PROOF_BYTES] });
    round(&Granted { vault: VaultId([1; 32]), token: Token([2; 32]), seconds: 900 });
    round(&HeadsAsk { known: vec![(feed.device, feed.incarnation, at)] });
    round(&Read { feed, after: 9, limit: 1024 });
    round(&HasAsk { names: vec![ChunkName([1; 16]), ChunkName([2; 16])] });
    round(&PushAnswer(Receipt { missing: vec![(feed, 3)] }));
}

/// HTP-4: each list has its bound.
#[test]
fn lists_have_bounds() {
    let names = HasAsk { names: vec![ChunkName([1; 16]); HAS_NAMES_MAX + 1] }.to_bytes();
    assert_eq!(HasAsk::from_bytes(&names, names.len()), Err(CodecError::Bounds));
    let known =
        (DeviceId([2; 16]), Incarnation([3; 8]), Position { number: 4, hash: Hash([5; 32]) });
    let known = HeadsAsk { known: vec![known; LIVES_MAX + 1] }.to_bytes();
    assert_eq!(HeadsAsk::from_bytes(&known, known.len()), Err(CodecError::Bounds));
    assert!(Invitation::parse(&"x".repeat(INVITATION_BYTES_MAX + 1)).is_none());
    assert!(Invitation::parse("").is_none() && Invitation::parse("a b").is_none());
}
