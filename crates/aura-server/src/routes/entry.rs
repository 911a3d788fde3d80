// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a request comes in and an answer goes out: bodies within their bounds, tokens, sources.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aura_protocol::auth::Token;
use aura_protocol::codec::{Decode, Encode};
use aura_protocol::http::{CBOR, ProblemKind};
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::time::timeout;

use super::state::{BodyRoom, Owner, Server};
use crate::guard;
use crate::problem::Refusal;
use crate::proxy::Origin;
use crate::token::Session;

/// How long a small body may take: nobody needs longer for some kilobytes.
const SMALL_TIME: Duration = Duration::from_secs(15);
/// The slowest line that a large body may come or go over, in bytes a second.
const SLOW_BYTES: usize = 64 << 10;

/// How long so many bytes may take to come or to be read.
pub(super) fn time_for(bytes: usize) -> Duration {
    SMALL_TIME + Duration::from_secs((bytes / SLOW_BYTES) as u64)
}

/// Where a request comes from.
pub(super) struct Source(pub(super) IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for Source {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let origin = parts.extensions.get::<Origin>().and_then(|Origin(origin)| *origin);
        let info = ConnectInfo::<SocketAddr>::from_request_parts(parts, state).await;
        let ConnectInfo(address) = info.map_err(|_| Refusal::from(ProblemKind::Internal))?;
        Ok(Self(guard::source(origin.unwrap_or(address.ip()))))
    }
}

/// The token of a request, if it has one, and where it comes from.
pub(super) struct Bearer(pub(super) Option<Token>, pub(super) IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for Bearer {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Source(source) = Source::from_request_parts(parts, state).await?;
        Ok(Self(token(&parts.headers), source))
    }
}

impl Bearer {
    /// Who has the token.
    pub(super) async fn session(self, server: &Arc<Server>) -> Result<Session, Refusal> {
        server.session((self.0, self.1)).await
    }
}

fn token(headers: &HeaderMap) -> Option<Token> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") { Token::parse(token) } else { None }
}

/// A large body, and the room that was set aside for it.
pub(super) struct Taken {
    pub(super) bytes: Bytes,
    _room: BodyRoom,
}

/// How many bytes a body of this media type says that it has; at most so many (HTP-4).
fn said(headers: &HeaderMap, (media, max): (&str, usize)) -> Result<usize, Refusal> {
    let is_right =
        headers.get(CONTENT_TYPE).is_some_and(|found| found.as_bytes() == media.as_bytes());
    if !is_right {
        return Err(ProblemKind::Media.into());
    }
    let said = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let bytes = said.unwrap_or(max);
    if bytes > max {
        return Err(ProblemKind::TooLarge.into());
    }
    Ok(bytes)
}

async fn collect(body: Body, max: usize, time: Duration) -> Result<Bytes, Refusal> {
    let collected = timeout(time, Limited::new(body, max).collect()).await;
    let collected = collected.map_err(|_| ProblemKind::Malformed)?.map_err(|error| {
        let is_long = error.downcast_ref::<LengthLimitError>().is_some();
        Refusal::from(if is_long { ProblemKind::TooLarge } else { ProblemKind::Malformed })
    })?;
    Ok(collected.to_bytes())
}

/// Takes a large body: with room set aside, and as fast as a slow line is.
pub(super) async fn take(
    (server, owner): (&Server, Owner),
    headers: &HeaderMap,
    body: Body,
    (media, max): (&str, usize),
) -> Result<Taken, Refusal> {
    let bytes = said(headers, (media, max))?;
    let room = server.room(owner, bytes).await?;
    Ok(Taken { bytes: collect(body, max, time_for(bytes)).await?, _room: room })
}

/// Takes a small CBOR body.
pub(super) async fn decode<T: Decode>(
    headers: &HeaderMap,
    body: Body,
    max: usize,
) -> Result<T, Refusal> {
    said(headers, (CBOR, max))?;
    Ok(T::from_bytes(&collect(body, max, SMALL_TIME).await?, max)?)
}

/// A CBOR answer.
pub(super) struct Answered(Vec<u8>);

impl Answered {
    pub(super) fn new(body: &impl Encode) -> Self {
        Self(body.to_bytes())
    }
}

impl IntoResponse for Answered {
    fn into_response(self) -> Response {
        octets(CBOR, self.0)
    }
}

/// An answer of this media type.
pub(super) fn octets(media: &'static str, bytes: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(bytes));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

/// Done, and there is nothing to say.
pub(super) const DONE: StatusCode = StatusCode::NO_CONTENT;
