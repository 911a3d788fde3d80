// SPDX-License-Identifier: MIT OR Apache-2.0
//! Requests and answers between the library of object stores and the network, each answer read whole within a bound.
//!
//! Why not the library's own: it would read whatever comes, follow any redirection, and replace what is there.

use std::error::Error as _;
use std::path::Path;

use aura_protocol::store::StoreError;
use futures_util::stream;
use http::header::{CONTENT_LENGTH, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response};
use opendal::{Buffer, Error, ErrorKind, HttpBody, HttpTransport};
use reqwest::Client;
use reqwest::redirect::Policy;

use super::super::run::RUN_FILE_BYTES_MAX;
use super::fault::{BROKEN, Fault, LATE, UNMADE, of_status};
use super::tls;
use crate::http::CONNECT;

/// The largest page of a listing.
const PAGE_BYTES_MAX: usize = 64 << 20;

/// What a MOVE does where the name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overwrite {
    Yes,
    No,
}

/// Connections to one server.
#[derive(Clone)]
pub(super) struct Line {
    client: Client,
    overwrite: Overwrite,
}

impl Line {
    pub(super) fn new(certificate: Option<&Path>) -> Result<Self, StoreError> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls::config(certificate)?)
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(CONNECT)
            .pool_max_idle_per_host(2)
            .build()
            .map_err(|_| StoreError::Unreachable("no connection could be prepared"))?;
        Ok(Self { client, overwrite: Overwrite::Yes })
    }

    /// The same connections, for moves that replace nothing.
    pub(super) fn keeping(&self) -> Self {
        Self { client: self.client.clone(), overwrite: Overwrite::No }
    }

    async fn ask(&self, request: Request<Buffer>) -> Result<Response<HttpBody>, Fault> {
        let (mut parts, body) = request.into_parts();
        if parts.headers.contains_key("overwrite") && self.overwrite == Overwrite::No {
            parts.headers.insert("overwrite", HeaderValue::from_static("F"));
        }
        let uri = parts.uri.to_string();
        let most = most(&parts.method, &uri);
        let request = self.client.request(parts.method.clone(), &uri).headers(parts.headers);
        let request = if body.is_empty() { request } else { request.body(body.to_bytes()) };
        let mut response = request.send().await.map_err(|error| failed(&error))?;
        let status = response.status();
        let after = response.headers().get(RETRY_AFTER).and_then(|text| text.to_str().ok());
        if let Some(fault) = of_status(status.as_u16(), after) {
            return Err(fault);
        }
        let is_bare = parts.method == Method::HEAD;
        let told = response.content_length().filter(|_| !is_bare);
        if told.is_some_and(|told| usize::try_from(told).is_ok_and(|told| told > most)) {
            return Err(Fault::Large);
        }
        // Grown as bytes arrive: a length alone takes no memory.
        let mut bytes = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|_| BROKEN)? {
            if bytes.len().saturating_add(part.len()) > most {
                return Err(Fault::Large);
            }
            bytes.extend_from_slice(&part);
        }
        let mut answer = Response::new(());
        *answer.status_mut() = status;
        std::mem::swap(answer.headers_mut(), response.headers_mut());
        if !is_bare {
            answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        }
        let buffer: Vec<_> = Some(bytes).filter(|bytes| !bytes.is_empty()).into_iter().collect();
        let parts = buffer.into_iter().map(|bytes| Ok(Buffer::from(bytes)));
        Ok(answer.map(|()| HttpBody::new(stream::iter(parts), None)))
    }
}

impl HttpTransport for Line {
    async fn fetch(&self, request: Request<Buffer>) -> opendal::Result<Response<HttpBody>> {
        let answer = self.ask(request).await;
        answer.map_err(|fault| Error::new(ErrorKind::Unexpected, "no answer").set_source(fault))
    }
}

/// What the library was told by [`Line`], if anything.
pub(super) fn fault(error: &Error) -> Option<Fault> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(fault) = error.downcast_ref::<Fault>() {
            return Some(*fault);
        }
        source = error.source();
    }
    None
}

fn most(method: &Method, uri: &str) -> usize {
    let is_file = method == Method::GET && !uri.contains("list-type=");
    if is_file { RUN_FILE_BYTES_MAX } else { PAGE_BYTES_MAX }
}

fn failed(error: &reqwest::Error) -> Fault {
    if error.is_timeout() {
        return LATE;
    }
    if !error.is_connect() {
        return BROKEN;
    }
    if error.source().is_some_and(is_unbelieved) {
        return Fault::Unreachable("its certificate is not one that is believed here");
    }
    UNMADE
}

/// Whether a certificate was refused. An error of input and output does not name what it wraps as its source.
fn is_unbelieved(error: &(dyn std::error::Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return matches!(error, rustls::Error::InvalidCertificate(_));
    }
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    match wrapped {
        Some(wrapped) => is_unbelieved(wrapped),
        None => error.source().is_some_and(is_unbelieved),
    }
}
