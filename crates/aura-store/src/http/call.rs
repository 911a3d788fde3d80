// SPDX-License-Identifier: MIT OR Apache-2.0
//! One request and its answer, each within bounds of length and time. Source: spec/http.md, HTP-1 to HTP-5.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aura_protocol::auth::{ServerKey, Token};
use aura_protocol::http::{
    CBOR, OCTETS, PROBLEM_JSON, PROTOCOL, PROTOCOL_HEADER, PROTOCOL_MIN, Problem, ProblemKind,
};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, StatusCode};
use tokio::time::timeout;

use super::tls::{CONNECT, Verifier};
use super::{Address, Fault};

/// How long nothing may come.
const SILENCE: Duration = Duration::from_secs(30);
/// After the first silence, so many bytes a second come and go at least.
const BYTES_PER_SECOND_MIN: u64 = 4 << 10;
/// The largest problem document.
const PROBLEM_BYTES_MAX: usize = 8 << 10;
/// How much a server may send ahead of what is read, in bytes.
const WINDOW: u32 = 4 << 20;
/// Header fields of an answer, in bytes.
const FIELDS_BYTES_MAX: u32 = 16 << 10;

const LATE: Fault = Fault::Unreachable("it did not answer in time");
const BROKEN: Fault = Fault::Unreachable("the connection broke");

/// What is asked.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) token: Option<Token>,
    /// The media type and the bytes.
    pub(super) body: Option<(&'static str, Vec<u8>)>,
    /// The media type of an answer, and how many bytes it may have.
    pub(super) answer: (&'static str, usize),
}

impl Call {
    /// A POST of CBOR that is answered with CBOR of at most so many bytes.
    pub(super) fn post(path: &str, body: Vec<u8>, most: usize) -> Self {
        let body = Some((CBOR, body));
        Self {
            method: Method::POST,
            path: path.to_owned(),
            token: None,
            body,
            answer: (CBOR, most),
        }
    }

    /// Something without a body, answered with this.
    pub(super) fn bare(method: Method, path: &str, answer: (&'static str, usize)) -> Self {
        Self { method, path: path.to_owned(), token: None, body: None, answer }
    }

    /// A PUT of bytes, answered with nothing.
    pub(super) fn put(path: &str, body: Vec<u8>) -> Self {
        let body = Some((OCTETS, body));
        Self { method: Method::PUT, path: path.to_owned(), token: None, body, answer: (CBOR, 0) }
    }
}

/// Connections to one server, known by its key.
#[derive(Debug, Clone)]
pub(super) struct Line {
    client: Client,
    address: Address,
    pin: ServerKey,
    verifier: Arc<Verifier>,
}

impl Line {
    /// A line that nothing is sent on yet.
    pub(super) fn new(address: Address, pin: ServerKey) -> Result<Self, Fault> {
        let verifier = Verifier::new(Some(pin));
        let client = Client::builder()
            .tls_backend_preconfigured(verifier.config()?)
            .https_only(true)
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(CONNECT)
            .pool_max_idle_per_host(2)
            .http2_initial_stream_window_size(WINDOW)
            .http2_initial_connection_window_size(WINDOW)
            .http2_max_header_list_size(FIELDS_BYTES_MAX)
            .http2_keep_alive_interval(SILENCE / 2)
            .http2_keep_alive_timeout(SILENCE / 2)
            .build()
            .map_err(|_| Fault::Unreachable("no connection could be prepared"))?;
        Ok(Self { client, address, pin, verifier })
    }

    /// The server's key.
    pub(super) fn pin(&self) -> ServerKey {
        self.pin
    }

    /// Asks, and reads the whole answer.
    pub(super) async fn ask(&self, call: Call) -> Result<Vec<u8>, Fault> {
        let (media, most) = call.answer;
        let response = self.open(call).await?;
        if most == 0 || response.status() == StatusCode::NO_CONTENT {
            return Ok(Vec::new());
        }
        if !is_of(response.headers(), media) {
            return Err(Fault::Answer("it answered with another media type"));
        }
        read(response, most).await
    }

    /// Asks; the answer is there, and not read yet.
    pub(super) async fn open(&self, call: Call) -> Result<Response, Fault> {
        let mut request = self.client.request(call.method, self.address.at(&call.path));
        request = request.header(PROTOCOL_HEADER, PROTOCOL).header(ACCEPT, call.answer.0);
        if let Some(token) = &call.token {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.to_text()));
        }
        let mut bytes = 0;
        if let Some((media, body)) = call.body {
            bytes = body.len() as u64;
            request = request.header(CONTENT_TYPE, media).body(body);
        }
        let sent = timeout(allowance(bytes), request.send()).await.map_err(|_| LATE)?;
        let response = sent.map_err(|error| self.failed(&error))?;
        self.check(response).await
    }

    fn failed(&self, error: &reqwest::Error) -> Fault {
        if error.is_connect() && self.verifier.met_other() {
            return Fault::OtherKey;
        }
        if error.is_timeout() {
            return LATE;
        }
        if error.is_connect() {
            return Fault::Unreachable("no connection could be made");
        }
        BROKEN
    }

    /// HTP-2 and HTP-5: in a version that is spoken here, and no problem.
    async fn check(&self, response: Response) -> Result<Response, Fault> {
        let version = response.headers().get(PROTOCOL_HEADER).and_then(|text| text.to_str().ok());
        match version.and_then(|text| text.parse().ok()) {
            Some(PROTOCOL_MIN..=PROTOCOL) => {}
            Some(_) => return Err(Fault::Problem(Problem::new(ProblemKind::Protocol))),
            None => return Err(Fault::Answer("it is no server of Aura's")),
        }
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let after = response.headers().get(RETRY_AFTER).and_then(|text| text.to_str().ok());
        let after = after.map(str::to_owned);
        let is_problem = is_of(response.headers(), PROBLEM_JSON);
        let body = if is_problem { read(response, PROBLEM_BYTES_MAX).await.ok() } else { None };
        Err(super::fault::problem(status.as_u16(), body.as_deref(), after.as_deref()))
    }
}

fn is_of(fields: &HeaderMap, media: &str) -> bool {
    fields.get(CONTENT_TYPE).is_some_and(|field| field.as_bytes() == media.as_bytes())
}

/// For how long so many bytes may be on their way.
fn allowance(bytes: u64) -> Duration {
    SILENCE.saturating_add(Duration::from_secs(bytes / BYTES_PER_SECOND_MIN))
}

/// The body, unless it is larger than it may be, or comes too slowly.
async fn read(mut response: Response, most: usize) -> Result<Vec<u8>, Fault> {
    let large = Fault::Answer("it answered with more than an answer may have");
    let told = response.content_length().unwrap_or_default();
    if usize::try_from(told).is_ok_and(|told| told > most) {
        return Err(large);
    }
    let begun = Instant::now();
    // Grown as bytes arrive: a length alone takes no memory.
    let mut body = Vec::new();
    loop {
        let chunk = timeout(SILENCE, response.chunk()).await.map_err(|_| LATE)?;
        let Some(chunk) = chunk.map_err(|_| BROKEN)? else { return Ok(body) };
        if body.len().saturating_add(chunk.len()) > most {
            return Err(large);
        }
        body.extend_from_slice(&chunk);
        if begun.elapsed() > allowance(body.len() as u64) {
            return Err(LATE);
        }
    }
}
