// SPDX-License-Identifier: MIT OR Apache-2.0
//! The right to use a vault's paths: a token, got by answering a challenge and asked for again when it ends.
//! Source: spec/http.md, rules ACC-3 and ACC-5.

use core::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aura_protocol::auth::{Challenge, Token};
use aura_protocol::codec::Encode as _;
use aura_protocol::http::{Answer, Ask, Asked, Granted, ProblemKind, path};
use aura_protocol::id::VaultId;
use aura_protocol::limits::SMALL_REQUEST_BYTES_MAX;
use aura_protocol::store::Prover;
use tokio::sync::Mutex;

use super::Fault;
use super::call::{Call, Line};
use super::server::parse;

/// No token counts for longer (ACC-5), in seconds.
const TOKEN_S_MAX: u64 = 15 * 60;
/// So long before its end it is not used any more.
const MARGIN: Duration = Duration::from_secs(5);

/// What a server is shown.
#[derive(Clone)]
pub enum Proof {
    /// A listed device's transport key.
    Device(Arc<dyn Prover>),
    /// The token that a login gave (ACC-11).
    Enrolment(Token),
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Device(_) => "Proof(device)",
            Self::Enrolment(_) => "Proof(enrolment)",
        })
    }
}

/// Which token goes with a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    /// The one that is held, while it counts.
    Held,
    /// A new one: the server did not take that.
    New,
}

/// Asks in the name of one device, for one vault.
#[derive(Debug)]
pub(super) struct Pass {
    pub(super) line: Line,
    pub(super) vault: VaultId,
    proof: Proof,
    token: Mutex<Option<(Token, Instant)>>,
}

impl Pass {
    pub(super) fn new(line: Line, vault: VaultId, proof: Proof) -> Self {
        Self { line, vault, proof, token: Mutex::new(None) }
    }

    /// Asks with a token. One that the server does not take (any more) is replaced, once.
    pub(super) async fn ask(&self, call: Call) -> Result<Vec<u8>, Fault> {
        let first = self.line.ask(self.with_token(&call, Want::Held).await?).await;
        if self.is_refused(first.as_ref().err()) {
            let again = self.with_token(&call, Want::New).await?;
            return self.line.ask(again).await;
        }
        first
    }

    /// The same, for an answer that goes on and on.
    pub(super) async fn open(&self, call: Call) -> Result<reqwest::Response, Fault> {
        let first = self.line.open(self.with_token(&call, Want::Held).await?).await;
        if self.is_refused(first.as_ref().err()) {
            let again = self.with_token(&call, Want::New).await?;
            return self.line.open(again).await;
        }
        first
    }

    fn is_refused(&self, fault: Option<&Fault>) -> bool {
        let kind = fault.and_then(Fault::kind);
        matches!(self.proof, Proof::Device(_)) && kind == Some(ProblemKind::Unauthenticated)
    }

    async fn with_token(&self, call: &Call, want: Want) -> Result<Call, Fault> {
        let prover = match &self.proof {
            Proof::Enrolment(token) => {
                return Ok(Call { token: Some(token.clone()), ..call.clone() });
            }
            Proof::Device(prover) => prover,
        };
        let mut held = self.token.lock().await;
        let is_good = |held: &(Token, Instant)| want == Want::Held && Instant::now() < held.1;
        let token = match held.take().filter(is_good) {
            Some(token) => token,
            None => self.prove(prover.as_ref()).await?,
        };
        *held = Some(token.clone());
        Ok(Call { token: Some(token.0), ..call.clone() })
    }

    /// Answers a challenge, for the server whose key this device sees (ACC-3).
    async fn prove(&self, prover: &dyn Prover) -> Result<(Token, Instant), Fault> {
        let (vault, device) = (self.vault, prover.device());
        let small = |path, body| Call::post(path, body, SMALL_REQUEST_BYTES_MAX);
        let asked = self.line.ask(small(path::CHALLENGE, Ask { vault, device }.to_bytes())).await?;
        let Asked { nonce } = parse(&asked, SMALL_REQUEST_BYTES_MAX)?;
        let challenge = Challenge { vault, device, server: self.line.pin(), nonce };
        let signature = prover.prove(&challenge.to_bytes()).0;
        let answer = Answer { vault, device, nonce, signature }.to_bytes();
        let granted = self.line.ask(small(path::TOKEN, answer)).await?;
        let granted: Granted = parse(&granted, SMALL_REQUEST_BYTES_MAX)?;
        if granted.vault != vault {
            return Err(Fault::Answer("it gave a token for another vault"));
        }
        let life = Duration::from_secs(granted.seconds.min(TOKEN_S_MAX)).saturating_sub(MARGIN);
        let now = Instant::now();
        Ok((granted.token, now.checked_add(life).unwrap_or(now)))
    }
}
