// SPDX-License-Identifier: MIT OR Apache-2.0
//! OPAQUE-3DH (RFC 9807) with ristretto255 and SHA-512, in bytes.
//!
//! The client stretches what it is given with a function of its own ([`Stretch`], Argon2id in
//! `aura_crypto`); the server has none and never runs one. No type of the library that does the work is
//! seen outside. Source: spec/http.md, rules ACC-6 to ACC-9.

use opaque_ke::errors::InternalError;
use opaque_ke::generic_array::{ArrayLength, GenericArray};
use opaque_ke::ksf::{Identity, Ksf};
use opaque_ke::rand::{CryptoRng, Error as RandomError, RngCore};
use opaque_ke::{
    CipherSuite, ClientLogin, ClientLoginFinishParameters, ClientRegistration,
    ClientRegistrationFinishParameters, CredentialFinalization, CredentialRequest,
    CredentialResponse, Identifiers, RegistrationRequest, RegistrationResponse, RegistrationUpload,
    Ristretto255, ServerLogin, ServerLoginParameters, ServerRegistration, ServerSetup, TripleDh,
};
use zeroize::Zeroizing;

use super::method::{Fill, LoginError, Stretch, array, context};
use crate::auth::{AccountName, ServerKey};

/// Bytes of what begins a registration.
pub const REGISTRATION_REQUEST_BYTES: usize = 32;
/// Bytes of a server's answer to it.
pub const REGISTRATION_RESPONSE_BYTES: usize = 64;
/// Bytes of what ends a registration, and what a server keeps of it.
pub const RECORD_BYTES: usize = 192;
/// Bytes of what begins a login.
pub const LOGIN_REQUEST_BYTES: usize = 96;
/// Bytes of a server's answer to it.
pub const LOGIN_RESPONSE_BYTES: usize = 320;
/// Bytes of what ends a login.
pub const LOGIN_PROOF_BYTES: usize = 64;
/// Bytes that a server keeps between the two halves of a login.
const LOGIN_STATE_BYTES: usize = 128;
/// Bytes of a server's own secret.
const SETUP_BYTES: usize = 128;

struct Random<'a>(Fill<'a>);

impl RngCore for Random<'_> {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        (self.0)(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), RandomError> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for Random<'_> {}

#[derive(Default)]
struct Stretched<S>(S);

impl<S: Stretch> Ksf for Stretched<S> {
    fn hash<L: ArrayLength<u8>>(
        &self,
        input: GenericArray<u8, L>,
    ) -> Result<GenericArray<u8, L>, InternalError> {
        let input =
            Zeroizing::new(input.as_slice().try_into().map_err(|_| InternalError::KsfError)?);
        let output = self.0.stretch(&input).ok_or(InternalError::KsfError)?;
        GenericArray::from_exact_iter(output.iter().copied()).ok_or(InternalError::KsfError)
    }
}

struct Suite<K>(core::marker::PhantomData<K>);

impl<K: Ksf> CipherSuite for Suite<K> {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, sha2_10::Sha512>;
    type Ksf = K;
}

type Server = Suite<Identity>;
type Client<S> = Suite<Stretched<S>>;
type Fault = opaque_ke::errors::ProtocolError;

fn malformed(_: Fault) -> LoginError {
    LoginError::Malformed
}

fn refused(error: Fault) -> LoginError {
    match error {
        Fault::LibraryError(InternalError::KsfError) => LoginError::Memory,
        _ => LoginError::Refused,
    }
}

fn identifiers(name: &AccountName) -> Identifiers<'_> {
    Identifiers { client: Some(name.as_str().as_bytes()), server: None }
}

/// A server's own secret for all its accounts.
pub struct Setup(ServerSetup<Server>);

impl core::fmt::Debug for Setup {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Setup(redacted)")
    }
}

/// What a server keeps between the two halves of a login.
pub struct Halfway(Zeroizing<[u8; LOGIN_STATE_BYTES]>);

impl core::fmt::Debug for Halfway {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Halfway(redacted)")
    }
}

impl Setup {
    /// A new one.
    pub fn new(fill: Fill<'_>) -> Self {
        Self(ServerSetup::new(&mut Random(fill)))
    }

    /// The secret's bytes, to be kept readable by the server alone.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.serialize().to_vec())
    }

    /// The secret that was kept.
    ///
    /// # Errors
    /// When these bytes are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LoginError> {
        if bytes.len() != SETUP_BYTES {
            return Err(LoginError::Malformed);
        }
        ServerSetup::deserialize(bytes).map(Self).map_err(malformed)
    }

    /// Answers the beginning of a registration.
    ///
    /// # Errors
    /// When the request is malformed.
    pub fn register(
        &self,
        name: &AccountName,
        request: &[u8; REGISTRATION_REQUEST_BYTES],
    ) -> Result<[u8; REGISTRATION_RESPONSE_BYTES], LoginError> {
        let request = RegistrationRequest::<Server>::deserialize(request).map_err(malformed)?;
        let started = ServerRegistration::start(&self.0, request, name.as_str().as_bytes());
        array(&started.map_err(malformed)?.message.serialize())
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
        (server, device): (ServerKey, &[u8; 32]),
    ) -> Result<(Halfway, [u8; LOGIN_RESPONSE_BYTES]), LoginError> {
        let request = CredentialRequest::<Server>::deserialize(request).map_err(malformed)?;
        let record = record.map(|bytes| ServerRegistration::deserialize(bytes)).transpose();
        let context = context(server, device);
        let parameters =
            ServerLoginParameters { context: Some(&context), identifiers: identifiers(name) };
        let started = ServerLogin::start(
            &mut Random(fill),
            &self.0,
            record.map_err(malformed)?,
            request,
            name.as_str().as_bytes(),
            parameters,
        )
        .map_err(malformed)?;
        let state = Zeroizing::new(array(&started.state.serialize())?);
        Ok((Halfway(state), array(&started.message.serialize())?))
    }
}

/// What a server keeps of a registration: the record, if it is one.
///
/// # Errors
/// When it is malformed.
pub fn record(upload: &[u8]) -> Result<[u8; RECORD_BYTES], LoginError> {
    let upload: [u8; RECORD_BYTES] = array(upload)?;
    let upload = RegistrationUpload::<Server>::deserialize(&upload).map_err(malformed)?;
    array(&ServerRegistration::<Server>::finish(upload).serialize())
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

    /// Ends a login: whether the proof shows that its sender has password and secret key.
    ///
    /// # Errors
    /// When it does not.
    pub fn finish(
        self,
        name: &AccountName,
        proof: &[u8; LOGIN_PROOF_BYTES],
        (server, device): (ServerKey, &[u8; 32]),
    ) -> Result<(), LoginError> {
        let state = ServerLogin::<Server>::deserialize(self.0.as_slice()).map_err(malformed)?;
        let proof = CredentialFinalization::deserialize(proof).map_err(malformed)?;
        let context = context(server, device);
        let parameters =
            ServerLoginParameters { context: Some(&context), identifiers: identifiers(name) };
        state.finish(proof, parameters).map(|_| ()).map_err(refused)
    }
}

/// A registration that a client has begun.
pub struct Registering<S: Stretch>(ClientRegistration<Client<S>>);

impl<S: Stretch> Registering<S> {
    /// Begins one: what to send. `input` is made of password and secret key (ACC-6).
    ///
    /// # Errors
    /// When the input cannot be used.
    pub fn start(
        fill: Fill<'_>,
        input: &[u8],
    ) -> Result<(Self, [u8; REGISTRATION_REQUEST_BYTES]), LoginError> {
        let started = ClientRegistration::start(&mut Random(fill), input).map_err(refused)?;
        Ok((Self(started.state), array(&started.message.serialize())?))
    }

    /// Ends it: what to send.
    ///
    /// # Errors
    /// When the answer is malformed, or there is too little memory.
    pub fn finish(
        self,
        fill: Fill<'_>,
        (name, input): (&AccountName, &[u8]),
        response: &[u8],
        stretch: S,
    ) -> Result<[u8; RECORD_BYTES], LoginError> {
        let response: [u8; REGISTRATION_RESPONSE_BYTES] = array(response)?;
        let response = RegistrationResponse::deserialize(&response).map_err(malformed)?;
        let stretch = Stretched(stretch);
        let parameters = ClientRegistrationFinishParameters::new(identifiers(name), Some(&stretch));
        let done = self.0.finish(&mut Random(fill), input, response, parameters);
        array(&done.map_err(refused)?.message.serialize())
    }
}

/// A login that a client has begun.
pub struct LoggingIn<S: Stretch>(ClientLogin<Client<S>>);

impl<S: Stretch> LoggingIn<S> {
    /// Begins one: what to send.
    ///
    /// # Errors
    /// When the input cannot be used.
    pub fn start(
        fill: Fill<'_>,
        input: &[u8],
    ) -> Result<(Self, [u8; LOGIN_REQUEST_BYTES]), LoginError> {
        let started = ClientLogin::start(&mut Random(fill), input).map_err(refused)?;
        Ok((Self(started.state), array(&started.message.serialize())?))
    }

    /// Ends it: what to send, if the server has the account's record. `device` is the new device's
    /// transport key, `server` the key that the client saw.
    ///
    /// # Errors
    /// When the server's answer does not fit account, password and secret key.
    pub fn finish(
        self,
        fill: Fill<'_>,
        (name, input): (&AccountName, &[u8]),
        (server, device): (ServerKey, &[u8; 32]),
        (response, stretch): (&[u8], S),
    ) -> Result<[u8; LOGIN_PROOF_BYTES], LoginError> {
        let response: [u8; LOGIN_RESPONSE_BYTES] = array(response)?;
        let response = CredentialResponse::deserialize(&response).map_err(malformed)?;
        let stretch = Stretched(stretch);
        let context = context(server, device);
        let parameters =
            ClientLoginFinishParameters::new(Some(&context), identifiers(name), Some(&stretch));
        let done = self.0.finish(&mut Random(fill), input, response, parameters);
        array(&done.map_err(refused)?.message.serialize())
    }
}
