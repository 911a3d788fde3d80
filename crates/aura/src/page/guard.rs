// SPDX-License-Identifier: MIT OR Apache-2.0
//! What every request has to be before it is looked at, and what every answer says to the browser. Each is a layer of its own.
//!
//! A page anywhere may have a browser send requests here: by a name that is made to point to this machine, by a form, by a
//! picture. None of them gets further than this.

use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST, HeaderName,
    HeaderValue, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

use super::frame::Refusal;
use super::hall::Hall;
use super::words::Words;

/// The largest form: a record's text, percent-encoded, is refused by the vault long before.
pub(crate) const FORM_BYTES_MAX: usize = 16 << 20;
/// So long may a request take until it is answered.
const PATIENCE: Duration = Duration::from_mins(1);

/// Nothing is loaded but this page's own style, scripts and pictures; nothing frames it; no script makes markup of text.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";
const FEATURES: &str = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), \
                        hid=(), magnetometer=(), microphone=(), midi=(), payment=(), \
                        publickey-credentials-get=(), serial=(), usb=()";

/// What every answer says.
pub(crate) async fn headers(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    let fixed = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Nothing is told to anybody else. With "no-referrer" browsers would not say the origin of our own forms either.
        (REFERRER_POLICY, "same-origin"),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-frame-options"), "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
        (HeaderName::from_static("permissions-policy"), FEATURES),
    ];
    for (name, value) in fixed {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// Only under our own address: a name of somebody's that points here is another one (DNS rebinding).
pub(crate) async fn host(State(hall): State<Arc<Hall>>, request: Request, next: Next) -> Response {
    let mut named = request.headers().get_all(HOST).iter();
    let is_ours = named.next().is_some_and(|host| host.as_bytes() == hall.host().as_bytes());
    if !is_ours || named.next().is_some() || request.uri().authority().is_some() {
        let what = "This page is not to be found under that name.";
        return Refusal::foreign(StatusCode::MISDIRECTED_REQUEST, what).into_response();
    }
    next.run(request).await
}

/// An answer in time, or none.
pub(crate) async fn time(request: Request, next: Next) -> Response {
    let answer = timeout(PATIENCE, next.run(request)).await;
    answer.unwrap_or_else(|_| StatusCode::REQUEST_TIMEOUT.into_response())
}

/// Only what a browser sends for our own pages, or for a person who has typed the address.
pub(crate) async fn origin(
    State(hall): State<Arc<Hall>>,
    request: Request,
    next: Next,
) -> Response {
    if !is_own_request(&hall, request.method(), request.headers()) {
        let what = "Another page has asked for this.";
        return Refusal::foreign(StatusCode::FORBIDDEN, what).into_response();
    }
    next.run(request).await
}

fn is_own_request(hall: &Hall, method: &Method, headers: &HeaderMap) -> bool {
    let is_reading = matches!(*method, Method::GET | Method::HEAD);
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let is_ours = match site {
        None | Some(b"same-origin") => true,
        Some(b"none") => is_reading,
        Some(_) => false,
    };
    let origin = headers.get(ORIGIN).map(HeaderValue::as_bytes);
    let expected = format!("http://{}", hall.host());
    is_ours
        && match origin {
            Some(origin) => origin == expected.as_bytes(),
            None => is_reading,
        }
}

/// Only browsers that were let in; and a form shows besides what it was given, so that it is one of theirs.
pub(crate) async fn session(
    State(hall): State<Arc<Hall>>,
    mut request: Request,
    next: Next,
) -> Response {
    let now = std::time::Instant::now();
    let shown = cookies(request.headers(), &hall);
    let visit = shown.iter().find_map(|shown| hall.sessions().find(shown, now));
    let Some(visit) = visit else { return Refusal::outside().into_response() };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let form = match form(&mut request, FORM_BYTES_MAX).await {
            Ok(form) => form,
            Err(refusal) => return refusal.into_response(),
        };
        if !visit.takes(form.get("form")) {
            let what = "This form is none of this visit's.";
            return Refusal::foreign(StatusCode::FORBIDDEN, what).into_response();
        }
        request.extensions_mut().insert(form);
    }
    request.extensions_mut().insert(visit);
    // Only who was let in keeps the page from ending.
    hall.touch();
    let answer = next.run(request).await;
    hall.touch();
    answer
}

/// What a form says; bounded.
pub(crate) async fn form(request: &mut Request, bytes_max: usize) -> Result<Words, Refusal> {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let length = length.and_then(|length| length.parse::<usize>().ok());
    let kind = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    if kind != Some(b"application/x-www-form-urlencoded") {
        let what = "This is no form.";
        return Err(Refusal::foreign(StatusCode::UNSUPPORTED_MEDIA_TYPE, what));
    }
    let too_large = || {
        let what = "That is more than one record may hold.";
        Refusal::foreign(StatusCode::PAYLOAD_TOO_LARGE, what)
    };
    if length.is_some_and(|length| length > bytes_max) {
        return Err(too_large());
    }
    let body = std::mem::take(request.body_mut());
    let bytes = to_bytes(body, bytes_max).await.map_err(|_| too_large())?;
    Ok(Words::of(&bytes))
}

/// The name of the cookie: browsers show those of one host to all of its ports.
pub(crate) fn cookie_name(hall: &Hall) -> String {
    format!("aura-{}", hall.here().port())
}

/// What cookies of that name say.
fn cookies(headers: &HeaderMap, hall: &Hall) -> Vec<String> {
    let name = cookie_name(hall);
    let all = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(known, _)| *known == name).map(|(_, value)| value.to_owned()).take(8).collect()
}
