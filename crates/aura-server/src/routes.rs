// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a server answers, path by path. Source: spec/http.md.

mod state;

mod entry;

mod held;

mod account;

mod pairing;

mod vault;

mod watch;

mod log;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use aura_protocol::http::{PROTOCOL, PROTOCOL_HEADER, PROTOCOL_MIN, ProblemKind, path};
use axum::Router;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http_body_util::BodyExt as _;
use tower_http::catch_panic::CatchPanicLayer;

pub(crate) use self::state::{Server, Start};
use crate::guard::source;
use crate::line::{Asked, Line};
use crate::openapi::{self, CHUNK, OPERATIONS};
use crate::problem::Refusal;
use crate::proxy::Origin;

/// The paths of the access log: tiles have slashes in theirs.
const LOG_ROUTE: &str = "/v1/vault/log/{*name}";

/// Everything that clients ask for.
pub(crate) fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route(path::SERVER, get(account::server))
        .route(path::ACCOUNT_BEGIN, post(account::begin))
        .route(path::ACCOUNT_END, post(account::end))
        .route(path::LOGIN_BEGIN, post(account::login))
        .route(path::LOGIN_END, post(account::enrol))
        .route(path::CHALLENGE, post(account::challenge))
        .route(path::TOKEN, post(account::token))
        .route(path::ACCOUNT, get(account::view).delete(account::close))
        .route(path::PASSWORD_BEGIN, post(account::password))
        .route(path::PASSWORD_END, post(account::replace))
        .route(path::PAIRING_PUT, post(pairing::put))
        .route(path::PAIRING_ANSWER, post(pairing::answer))
        .route(path::PAIRING_TAKE, post(pairing::take))
        .route(path::PAIRING_CLOSE, post(pairing::close))
        .route(path::HEADS, post(vault::heads))
        .route(path::PUSH, post(vault::push))
        .route(path::READ, post(vault::read))
        .route(path::HAS, post(vault::has))
        .route(path::FORGET, post(vault::forget))
        .route(CHUNK, get(vault::chunk).put(vault::put))
        .route(path::EVENTS, get(watch::events))
        .route(LOG_ROUTE, get(log::log))
        .layer(from_fn_with_state(Arc::clone(&server), versioned))
        .route("/openapi.json", get(document))
        .route("/healthz", get(|| async { "ok\n" }))
        .fallback(|| async { Refusal::from(ProblemKind::Absent) })
        .method_not_allowed_fallback(|| async { Refusal::from(ProblemKind::Method) })
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            Refusal::from(ProblemKind::Internal).into_response()
        }))
        .layer(from_fn_with_state(Arc::clone(&server), counted))
        .with_state(server)
}

/// What the operator asks for, in the clear, on an address of its own.
pub(crate) fn operator_router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(server)
}

/// HTP-2: a version that is spoken here, in the request and in the answer.
async fn versioned(request: Request, next: Next) -> Response {
    let header = request.headers().get(PROTOCOL_HEADER);
    let version = header.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let mut response = match version {
        Some(PROTOCOL_MIN..=PROTOCOL) => next.run(request).await,
        _ => Refusal::from(ProblemKind::Protocol).into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static(PROTOCOL_HEADER), HeaderValue::from(PROTOCOL));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Counts what is answered, and bounds what one source asks for at once.
async fn counted(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let matched = request.extensions().get::<MatchedPath>();
    let of = |matched: &MatchedPath| {
        // A route may take a path with slashes where the document has a name.
        let path = matched.as_str().replace("{*", "{");
        let known = OPERATIONS.iter().find(|operation| operation.path == path);
        known.map(|operation| operation.path)
    };
    let path = matched.and_then(of).unwrap_or("other");
    let info = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let origin = request.extensions().get::<Origin>().and_then(|Origin(origin)| *origin);
    let source = info.map(|ConnectInfo(address)| source(origin.unwrap_or(address.ip())));
    // Until its answer is read, or is over.
    let asked = request.extensions().get::<Line>().map(Line::ask);
    let response = match source.and_then(|source| server.admit(source)) {
        Some(_place) => next.run(request).await,
        None => Refusal::later(ProblemKind::SlowDown, 1).into_response(),
    };
    let response = match asked {
        Some(asked) => until_read(response, asked),
        None => response,
    };
    server.metrics.answered(path, response.status().as_u16(), began.elapsed());
    response
}

/// The same answer, which says that it is asked for until it is over.
fn until_read(response: Response, asked: Asked) -> Response {
    if response.body().is_end_stream() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    if let Some(bytes) = body.size_hint().exact() {
        // What is wrapped does not say it any more.
        parts.headers.entry(CONTENT_LENGTH).or_insert(HeaderValue::from(bytes));
    }
    let body = body.map_frame(move |frame| {
        let _until = &asked;
        frame
    });
    Response::from_parts(parts, Body::new(body))
}

async fn document() -> Response {
    static DOCUMENT: LazyLock<Bytes> =
        LazyLock::new(|| Bytes::from(openapi::document().to_string()));
    let mut response = Response::new(Body::from(DOCUMENT.clone()));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

async fn metrics(State(server): State<Arc<Server>>) -> Response {
    let text = server.metrics.to_text(server.vaults.open_count(), server.bells.watchers());
    let mut response = Response::new(Body::from(text));
    let kind =
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// Whether it can do its work now: the accounts answer, and it is not stopping.
async fn ready(State(server): State<Arc<Server>>) -> Result<&'static str, Refusal> {
    server.check_ready().await.map(|()| "ready\n")
}
