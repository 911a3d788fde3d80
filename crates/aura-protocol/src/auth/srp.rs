// SPDX-License-Identifier: MIT OR Apache-2.0
//! SRP-6a (RFC 5054) in the 3,072-bit group with SHA-256, in bytes: the login of a build with the feature `srp`, for
//! whoever must not use another one. OPAQUE is better in every other respect.
//!
//! A server keeps salt and verifier, and answers for a name that it does not know with what follows from a secret of its
//! own. Source: spec/http.md, rule ACC-15.

mod group;

use crypto_bigint::{U256, U512};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::method::{Fill, LoginError, Stretch, array, context};
use crate::auth::{AccountName, ServerKey};
use crate::id::Hash;
use group::{Element, GROUP, LIMBS, bytes, server_secret};

const SALT_BYTES: usize = 16;
const NUMBER_BYTES: usize = 384;
/// Bytes of what begins a registration: a client needs nothing of a server for it.
pub const REGISTRATION_REQUEST_BYTES: usize = 0;
/// Bytes of a server's answer to it.
pub const REGISTRATION_RESPONSE_BYTES: usize = 0;
/// Bytes of what ends a registration, and what a server keeps of it: salt and verifier.
pub const RECORD_BYTES: usize = SALT_BYTES + NUMBER_BYTES;
/// Bytes of what begins a login: A.
pub const LOGIN_REQUEST_BYTES: usize = NUMBER_BYTES;
/// Bytes of a server's answer to it: salt and B.
pub const LOGIN_RESPONSE_BYTES: usize = SALT_BYTES + NUMBER_BYTES;
/// Bytes of what ends a login.
pub const LOGIN_PROOF_BYTES: usize = 32;
/// Bytes of a server's own secret.
const SETUP_BYTES: usize = 64;

/// k = H(N ‖ PAD(g))
fn multiplier() -> U256 {
    number(Hash::of(&[&GROUP.prime_bytes(), &GROUP.generator_bytes()]))
}

fn number(hash: Hash) -> U256 {
    U256::from_be_slice(&hash.0)
}

/// 512 bits of these bytes: two hashes, which begin otherwise.
fn wide(parts: &[&[u8]]) -> Zeroizing<[u8; 64]> {
    let half =
        |first: u8| Hash::of(&[&[first][..]].iter().chain(parts).copied().collect::<Vec<_>>());
    let mut wide = Zeroizing::new([0; 64]);
    for (to, half) in wide.chunks_exact_mut(32).zip([half(0), half(1)]) {
        to.copy_from_slice(&half.0);
    }
    wide
}

/// A secret exponent of 256 bits.
fn exponent(fill: Fill<'_>) -> Zeroizing<U256> {
    let mut bytes = Zeroizing::new([0; 32]);
    fill(bytes.as_mut_slice());
    Zeroizing::new(U256::from_be_slice(bytes.as_slice()))
}

/// x: Argon2id of salt, name and what is made of password and secret key.
fn private<S: Stretch>(
    salt: &[u8],
    (name, input): (&AccountName, &[u8]),
    stretch: S,
) -> Result<Zeroizing<U512>, LoginError> {
    let inner = Zeroizing::new(Hash::of(&[name.as_str().as_bytes(), b":", input]).0);
    let stretched = stretch.stretch(&wide(&[salt, inner.as_slice()]));
    drop(stretch);
    let stretched = stretched.ok_or(LoginError::Memory)?;
    Ok(Zeroizing::new(U512::from_be_slice(stretched.as_slice())))
}

/// What both sides have sent, or know, of one login.
struct Exchange<'a> {
    name: &'a AccountName,
    between: (ServerKey, &'a [u8; 32]),
    salt: &'a [u8],
    client: &'a [u8],
    server: &'a [u8],
}

impl Exchange<'_> {
    /// u = H(PAD(A) ‖ PAD(B)); nothing if it is 0.
    fn scrambler(&self) -> Option<U256> {
        let u = number(Hash::of(&[self.client, self.server]));
        (u != U256::ZERO).then_some(u)
    }

    /// M = H(context ‖ (H(N) xor H(g)) ‖ H(I) ‖ s ‖ A ‖ B ‖ H(S))
    fn proof(&self, secret: &[u8]) -> [u8; LOGIN_PROOF_BYTES] {
        let group = [GROUP.prime_bytes(), GROUP.generator_bytes()].map(|part| Hash::of(&[&part]).0);
        let mixed: Vec<u8> = group[0].iter().zip(&group[1]).map(|(a, b)| a ^ b).collect();
        let name = Hash::of(&[self.name.as_str().as_bytes()]).0;
        let key = Zeroizing::new(Hash::of(&[secret]).0);
        let context = context(self.between.0, self.between.1);
        let parts = [&context[..], &mixed, &name, self.salt, self.client, self.server];
        Hash::of(&[&parts[..], &[key.as_slice()]].concat()).0
    }
}

fn verifier(record: &[u8; RECORD_BYTES]) -> Result<(&[u8], Element<LIMBS>), LoginError> {
    let (salt, verifier) = record.split_at(SALT_BYTES);
    Ok((salt, GROUP.parse(verifier).ok_or(LoginError::Malformed)?))
}

/// A server's own secret for all its accounts: what it answers for names that it does not know follows from it.
pub struct Setup(Zeroizing<[u8; SETUP_BYTES]>);

impl core::fmt::Debug for Setup {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Setup(redacted)")
    }
}

/// What a server keeps between the two halves of a login: the proof that fits.
pub struct Halfway(Zeroizing<[u8; LOGIN_PROOF_BYTES]>);

impl core::fmt::Debug for Halfway {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Halfway(redacted)")
    }
}

impl Setup {
    /// A new one.
    pub fn new(fill: Fill<'_>) -> Self {
        let mut bytes = Zeroizing::new([0; SETUP_BYTES]);
        fill(bytes.as_mut_slice());
        Self(bytes)
    }

    /// The secret's bytes, to be kept readable by the server alone.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.to_vec())
    }

    /// The secret that was kept.
    ///
    /// # Errors
    /// When these bytes are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LoginError> {
        Ok(Self(Zeroizing::new(array(bytes)?)))
    }

    /// Answers the beginning of a registration.
    ///
    /// # Errors
    /// Never; other ways to log in have some.
    pub fn register(
        &self,
        _name: &AccountName,
        _request: &[u8; REGISTRATION_REQUEST_BYTES],
    ) -> Result<[u8; REGISTRATION_RESPONSE_BYTES], LoginError> {
        Ok([])
    }

    /// What is answered for a name without an account, the same each time.
    fn made_up(&self, name: &AccountName) -> [u8; RECORD_BYTES] {
        let name = name.as_str().as_bytes();
        let salt = Hash::of(&[b"salt", self.0.as_slice(), name]).0;
        let x = wide(&[b"verifier", self.0.as_slice(), name]);
        let v = bytes(&GROUP.verifier(&U512::from_be_slice(x.as_slice())).retrieve());
        let mut record = [0; RECORD_BYTES];
        for (to, byte) in record.iter_mut().zip(salt.iter().take(SALT_BYTES).chain(&v)) {
            *to = *byte;
        }
        record
    }

    /// Answers the beginning of a login. Without a record the answer cannot be told from one with it
    /// (ACC-7), and no proof will fit.
    ///
    /// # Errors
    /// When the request is malformed, or the record that was kept.
    pub fn login(
        &self,
        fill: Fill<'_>,
        (name, record): (&AccountName, Option<&[u8; RECORD_BYTES]>),
        request: &[u8; LOGIN_REQUEST_BYTES],
        between: (ServerKey, &[u8; 32]),
    ) -> Result<(Halfway, [u8; LOGIN_RESPONSE_BYTES]), LoginError> {
        let client = GROUP.parse(request).ok_or(LoginError::Malformed)?;
        // Made up in any case: it is as much work.
        let made_up = self.made_up(name);
        let (salt, v) = verifier(record.unwrap_or(&made_up))?;
        let b = exponent(fill);
        let server = bytes(&GROUP.server_public((&multiplier(), &v), &b).retrieve());
        let exchange = Exchange { name, between, salt, client: request, server: &server };
        let u = exchange.scrambler().ok_or(LoginError::Malformed)?;
        let secret = server_secret((&u, &b), (&client, &v));
        let halfway = Halfway(Zeroizing::new(exchange.proof(&secret)));
        Ok((halfway, array(&[salt, &server].concat())?))
    }
}

/// What a server keeps of a registration: the record, if it is one.
///
/// # Errors
/// When it is malformed.
pub fn record(upload: &[u8]) -> Result<[u8; RECORD_BYTES], LoginError> {
    let upload = array(upload)?;
    verifier(&upload)?;
    Ok(upload)
}

impl Halfway {
    /// The state's bytes, for a server that keeps it where another machine may end the login.
    pub fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.to_vec())
    }

    /// The state that was kept.
    ///
    /// # Errors
    /// When these bytes are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LoginError> {
        Ok(Self(Zeroizing::new(array(bytes)?)))
    }

    /// Ends a login: whether the proof shows that its sender has password and secret key. What it is bound to was said
    /// when it began.
    ///
    /// # Errors
    /// When it does not.
    pub fn finish(
        self,
        _name: &AccountName,
        proof: &[u8; LOGIN_PROOF_BYTES],
        _between: (ServerKey, &[u8; 32]),
    ) -> Result<(), LoginError> {
        let fits = self.0.as_slice().ct_eq(proof.as_slice());
        if fits.into() { Ok(()) } else { Err(LoginError::Refused) }
    }
}

/// A registration that a client has begun.
pub struct Registering<S: Stretch>(core::marker::PhantomData<S>);

impl<S: Stretch> Registering<S> {
    /// Begins one: what to send.
    ///
    /// # Errors
    /// Never; other ways to log in have some.
    pub fn start(
        _fill: Fill<'_>,
        _input: &[u8],
    ) -> Result<(Self, [u8; REGISTRATION_REQUEST_BYTES]), LoginError> {
        Ok((Self(core::marker::PhantomData), []))
    }

    /// Ends it: what to send. `input` is made of password and secret key (ACC-6).
    ///
    /// # Errors
    /// When the answer is malformed, or there is too little memory.
    pub fn finish(
        self,
        fill: Fill<'_>,
        with: (&AccountName, &[u8]),
        response: &[u8],
        stretch: S,
    ) -> Result<[u8; RECORD_BYTES], LoginError> {
        let [] = array(response)?;
        let mut salt = [0; SALT_BYTES];
        fill(&mut salt);
        let v = GROUP.verifier(&*private(&salt, with, stretch)?);
        array(&[&salt[..], &bytes(&v.retrieve())].concat())
    }
}

/// A login that a client has begun.
pub struct LoggingIn<S: Stretch> {
    a: Zeroizing<U256>,
    client: [u8; NUMBER_BYTES],
    stretch: core::marker::PhantomData<S>,
}

impl<S: Stretch> LoggingIn<S> {
    /// Begins one: what to send.
    ///
    /// # Errors
    /// When the randomness is none.
    pub fn start(
        fill: Fill<'_>,
        _input: &[u8],
    ) -> Result<(Self, [u8; LOGIN_REQUEST_BYTES]), LoginError> {
        let a = exponent(fill);
        let client: [u8; NUMBER_BYTES] = array(&bytes(&GROUP.client_public(&a).retrieve()))?;
        Ok((Self { a, client, stretch: core::marker::PhantomData }, client))
    }

    /// Ends it: what to send, which fits if the server has the account's record. `device` is the new device's
    /// transport key, `server` the key that the client saw.
    ///
    /// # Errors
    /// When the server's answer is none.
    pub fn finish(
        self,
        _fill: Fill<'_>,
        with: (&AccountName, &[u8]),
        between: (ServerKey, &[u8; 32]),
        (response, stretch): (&[u8], S),
    ) -> Result<[u8; LOGIN_PROOF_BYTES], LoginError> {
        let response: [u8; LOGIN_RESPONSE_BYTES] = array(response)?;
        let (salt, server_bytes) = response.split_at(SALT_BYTES);
        let server = GROUP.parse(server_bytes).ok_or(LoginError::Malformed)?;
        let exchange =
            Exchange { name: with.0, between, salt, client: &self.client, server: server_bytes };
        let u = exchange.scrambler().ok_or(LoginError::Malformed)?;
        let x = private(salt, with, stretch)?;
        let secret = GROUP.client_secret((&multiplier(), &u), (&self.a, &x), &server);
        Ok(exchange.proof(&secret))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;

    #[derive(Default)]
    struct Cheap;

    impl Stretch for Cheap {
        fn stretch(&self, input: &[u8; 64]) -> Option<Zeroizing<[u8; 64]>> {
            Some(Zeroizing::new(*input))
        }
    }

    const BETWEEN: (ServerKey, &[u8; 32]) = (ServerKey(Hash([7; 32])), &[8; 32]);

    fn seven(bytes: &mut [u8]) {
        bytes.fill(7);
    }

    /// ACC-15: A and B are neither 0 nor beyond the prime; and who sends a B of 0 learns nothing of the password.
    #[test]
    fn acc_15_what_is_no_number_of_the_group_is_refused() {
        let (setup, ada) = (Setup::new(&mut seven), AccountName::parse("ada").unwrap());
        let prime: [u8; NUMBER_BYTES] = GROUP.prime_bytes().try_into().unwrap();
        for request in [[0; NUMBER_BYTES], prime, [0xff; NUMBER_BYTES]] {
            let refused = setup.login(&mut seven, (&ada, None), &request, BETWEEN);
            assert!(matches!(refused, Err(LoginError::Malformed)));
            let response = [&[0; SALT_BYTES][..], &request].concat();
            let (logging, _) = LoggingIn::start(&mut seven, b"input").unwrap();
            let with = (&ada, &b"input"[..]);
            let refused = logging.finish(&mut seven, with, BETWEEN, (&response, Cheap));
            assert!(matches!(refused, Err(LoginError::Malformed)));
        }
    }

    /// ACC-7, attack AUT-03: a name without an account has a salt of its own, the same each time, as one with an account has.
    #[test]
    fn aut_03_a_name_without_an_account_is_answered_as_one_with() {
        let setup = Setup::new(&mut seven);
        let (_, request) = LoggingIn::<Cheap>::start(&mut seven, b"input").unwrap();
        let mut next = 0;
        let mut salt = |name: &str| {
            let name = AccountName::parse(name).unwrap();
            next += 1;
            let mut fill = |bytes: &mut [u8]| bytes.fill(next);
            let (_, response) = setup.login(&mut fill, (&name, None), &request, BETWEEN).unwrap();
            (response[..SALT_BYTES].to_vec(), response[SALT_BYTES..].to_vec())
        };
        let [ada, again, bo] = ["ada", "ada", "bo"].map(&mut salt);
        assert_eq!(ada.0, again.0);
        assert!(ada.0 != bo.0 && ada.1 != again.1);
    }

    /// The verifier has the salt and the name in it, and is not the input's alone.
    #[test]
    fn a_verifier_is_of_one_account() {
        let mut next = 0;
        let mut registered = |name: &str, input: &[u8]| {
            next += 1;
            let mut fill = |bytes: &mut [u8]| bytes.fill(next);
            let (registering, _) = Registering::start(&mut fill, input).unwrap();
            let name = AccountName::parse(name).unwrap();
            registering.finish(&mut fill, (&name, input), &[], Cheap).unwrap()
        };
        let all = [("ada", &b"input"[..]), ("ada", b"input"), ("bo", b"input"), ("ada", b"other")];
        let verifiers: std::collections::BTreeSet<_> = all
            .into_iter()
            .map(|(name, input)| registered(name, input)[SALT_BYTES..].to_vec())
            .collect();
        assert_eq!(verifiers.len(), 4);
    }
}
