// SPDX-License-Identifier: MIT OR Apache-2.0
//! The way in and out: a token of a launch file for a cookie, and the end of a visit.

use std::sync::Arc;
use std::time::Instant;

use askama::Template;
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header::{HeaderValue, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::frame::{Answer, Refusal, show};
use super::guard::{cookie_name, form};
use super::hall::{Hall, ending, locked};
use super::launch;
use super::session::Visit;
use crate::client::Client;
use crate::moment::now_ms;

/// What shows a token is no longer, in bytes: it is read before anybody was let in.
const TOKEN_FORM_BYTES_MAX: usize = 1024;

/// The browser is in; it goes on by itself, so that its cookie counts as one of this page's own requests.
#[derive(Template)]
#[template(path = "entered.html")]
struct Entered;

/// Lets a browser in that shows the token of a launch file. A file is of no origin.
pub(crate) async fn enter(State(hall): State<Arc<Hall>>, mut request: Request) -> Answer {
    if !is_from_a_file(request.headers()) {
        let what = "Another page has asked for this.";
        return Err(Refusal::foreign(StatusCode::FORBIDDEN, what));
    }
    let form = form(&mut request, TOKEN_FORM_BYTES_MAX).await?;
    if !launch::claim(hall.folder(), form.get("token"), now_ms()) {
        return Err(Refusal::outside());
    }
    hall.touch();
    let cookie = hall.sessions().begin(Instant::now());
    let name = cookie_name(&hall);
    let cookie = format!("{name}={}; Path=/; HttpOnly; SameSite=Strict", cookie.reveal());
    let mut answer = show(&Entered);
    if let Ok(mut value) = HeaderValue::from_str(&cookie) {
        value.set_sensitive(true);
        answer.headers_mut().insert(SET_COOKIE, value);
    }
    Ok(answer)
}

/// Browsers call the origin of a file `null`.
fn is_from_a_file(headers: &HeaderMap) -> bool {
    headers.get(ORIGIN).map(HeaderValue::as_bytes).is_none_or(|origin| origin == b"null")
}

/// Ends a visit.
pub(crate) async fn close(
    State(hall): State<Arc<Hall>>,
    Extension(visit): Extension<Visit>,
) -> Response {
    hall.sessions().end(&visit);
    let mut answer = Refusal::outside().into_response();
    *answer.status_mut() = StatusCode::OK;
    let gone = format!("{}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0", cookie_name(&hall));
    if let Ok(value) = HeaderValue::from_str(&gone) {
        answer.headers_mut().insert(SET_COOKIE, value);
    }
    answer
}

/// Locks the vault.
pub(crate) async fn lock(State(hall): State<Arc<Hall>>) -> Answer {
    let home = hall.home().clone();
    let shut = move || Client::find(&home)?.map_or(Ok(()), Client::lock);
    let done = tokio::task::spawn_blocking(shut).await;
    done.unwrap_or_else(|_| Err(ending()))?;
    Err(locked().into())
}
