// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a request comes in and an answer goes out: bodies within their bounds, tokens, sources.

use std::net::{IpAddr, SocketAddr};
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
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::state::Server;
use crate::guard;
use crate::problem::Refusal;

/// How long a small body may take: nobody needs longer for some kilobytes.
const SMALL_TIME: Duration = Duration::from_secs(15);
/// How long the largest body may take.
const LARGE_TIME: Duration = Duration::from_mins(5);
/// What counts as a small body, in bytes.
const SMALL_BYTES: usize = 64 << 10;

/// Where a request comes from.
pub(super) struct Source(pub(super) IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for Source {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let info = ConnectInfo::<SocketAddr>::from_request_parts(parts, state).await;
        let ConnectInfo(address) = info.map_err(|_| Refusal::from(ProblemKind::Internal))?;
        Ok(Self(guard::source(address.ip())))
    }
}

/// The token of a request, if it has one.
pub(super) fn token(headers: &HeaderMap) -> Option<Token> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") { Token::parse(token) } else { None }
}

/// A body, and the room that was set aside for it.
pub(super) struct Taken {
    pub(super) bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

/// Takes a body of this media type and at most so many bytes (HTP-4).
pub(super) async fn take(
    server: &Server,
    headers: &HeaderMap,
    body: Body,
    (media, max): (&str, usize),
) -> Result<Taken, Refusal> {
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
    let time = if max <= SMALL_BYTES { SMALL_TIME } else { LARGE_TIME };
    let read = async {
        let room = server.room(bytes).await?;
        let collected = Limited::new(body, max).collect().await.map_err(|error| {
            let is_long = error.downcast_ref::<LengthLimitError>().is_some();
            Refusal::from(if is_long { ProblemKind::TooLarge } else { ProblemKind::Malformed })
        })?;
        Ok(Taken { bytes: collected.to_bytes(), _room: room })
    };
    timeout(time, read).await.unwrap_or_else(|_| Err(ProblemKind::Malformed.into()))
}

/// Takes a small or middling CBOR body.
pub(super) async fn decode<T: Decode>(
    server: &Server,
    headers: &HeaderMap,
    body: Body,
    max: usize,
) -> Result<T, Refusal> {
    let taken = take(server, headers, body, (CBOR, max)).await?;
    Ok(T::from_bytes(&taken.bytes, max)?)
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
