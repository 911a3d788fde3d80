// SPDX-License-Identifier: MIT OR Apache-2.0
//! A server before it knows this device: what it is, and the ends of registrations and logins.
//!
//! What is sent is what OPAQUE makes of password and secret key; both stay with the caller.
//! Source: spec/http.md, rules ACC-6 to ACC-11.

use aura_protocol::auth::login::{
    LOGIN_PROOF_BYTES, LOGIN_REQUEST_BYTES, REGISTRATION_REQUEST_BYTES,
};
use aura_protocol::auth::{AccountName, Registration, ServerKey};
use aura_protocol::authority::SignedStatement;
use aura_protocol::codec::{Decode, Encode as _};
use aura_protocol::http::{
    AccountBegin, AccountEnd, Begun, CBOR, Granted, Invitation, LoginAnswer, LoginBegin, LoginEnd,
    PROTOCOL, PROTOCOL_MIN, Problem, ProblemKind, ServerView, path,
};
use aura_protocol::limits::SMALL_REQUEST_BYTES_MAX;
use aura_protocol::signed::Signed;
use reqwest::Method;

use super::call::{Call, Line};
use super::runtime::run;
use super::{Address, Fault};

/// A server, known by its key.
#[derive(Debug, Clone)]
pub struct Server {
    pub(super) line: Line,
}

impl Server {
    /// The server there, if it shows this key. Nothing is sent yet.
    ///
    /// # Errors
    /// When no connection can be prepared.
    pub fn new(address: Address, pin: ServerKey) -> Result<Self, Fault> {
        Ok(Self { line: Line::new(address, pin)? })
    }

    /// The key that it is known by.
    pub fn pin(&self) -> ServerKey {
        self.line.pin()
    }

    /// What it is. A server that takes another key for its own is another one's front.
    ///
    /// # Errors
    /// As all of these: when it is not reached, or does not do it.
    pub async fn view(&self) -> Result<ServerView, Fault> {
        let call = Call::bare(Method::GET, path::SERVER, (CBOR, SMALL_REQUEST_BYTES_MAX));
        let view: ServerView = self.ask(call).await?;
        if view.protocol_min > PROTOCOL || view.protocol_max < PROTOCOL_MIN {
            return Err(Fault::Problem(Problem::new(ProblemKind::Protocol)));
        }
        if view.key == self.pin() { Ok(view) } else { Err(Fault::OtherKey) }
    }

    /// Begins an account: OPAQUE's registration response.
    ///
    /// # Errors
    /// Where the name is taken, or accounts are not opened.
    pub async fn begin_account(
        &self,
        name: AccountName,
        invitation: Option<Invitation>,
        request: [u8; REGISTRATION_REQUEST_BYTES],
    ) -> Result<Begun, Fault> {
        let body = AccountBegin { name, invitation, request }.to_bytes();
        self.ask(small(path::ACCOUNT_BEGIN, body)).await
    }

    /// Makes the account, for a device that these statements list (ACC-13).
    ///
    /// # Errors
    /// As for its beginning.
    pub async fn end_account(
        &self,
        invitation: Option<Invitation>,
        registration: Signed<Registration>,
        lineage: Vec<SignedStatement>,
    ) -> Result<(), Fault> {
        let body = AccountEnd { invitation, registration, lineage }.to_bytes();
        let mut call = small(path::ACCOUNT_END, body);
        call.answer.1 = 0;
        self.send(call).await.map(drop)
    }

    /// Begins a login of a new device, by its transport key.
    ///
    /// # Errors
    /// When it is to wait.
    pub async fn begin_login(
        &self,
        name: AccountName,
        request: [u8; LOGIN_REQUEST_BYTES],
        transport: [u8; 32],
    ) -> Result<LoginAnswer, Fault> {
        let body = LoginBegin { name, request, transport }.to_bytes();
        self.ask(small(path::LOGIN_BEGIN, body)).await
    }

    /// Ends it: the vault, and a token to enrol with (ACC-11).
    ///
    /// # Errors
    /// When the proof does not fit.
    pub async fn end_login(
        &self,
        login: [u8; 16],
        proof: [u8; LOGIN_PROOF_BYTES],
    ) -> Result<Granted, Fault> {
        self.ask(small(path::LOGIN_END, LoginEnd { login, proof }.to_bytes())).await
    }

    pub(super) async fn send(&self, call: Call) -> Result<Vec<u8>, Fault> {
        let line = self.line.clone();
        run(async move { line.ask(call).await }).await
    }

    pub(super) async fn ask<T: Decode>(&self, call: Call) -> Result<T, Fault> {
        let most = call.answer.1;
        parse(&self.send(call).await?, most)
    }
}

fn small(path: &str, body: Vec<u8>) -> Call {
    Call::post(path, body, SMALL_REQUEST_BYTES_MAX)
}

/// An answer as what it should be.
pub(super) fn parse<T: Decode>(bytes: &[u8], most: usize) -> Result<T, Fault> {
    T::from_bytes(bytes, most).map_err(|_| Fault::Answer("it answered with what is none"))
}
