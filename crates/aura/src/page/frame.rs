// SPDX-License-Identifier: MIT OR Apache-2.0
//! What every page has around what it shows, and pages that say that something did not work.

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::response::{IntoResponse, Response};

use super::session::Visit;
use crate::exit::{Exit, Failure};

/// The pages, in their order: address, name.
pub(crate) const PAGES: [(&str, &str); 7] = [
    ("/", "Today"),
    ("/vault", "Vault"),
    ("/assistants", "Assistants"),
    ("/audit", "Audit"),
    ("/devices", "Devices"),
    ("/safety", "Safety"),
    ("/imports", "Imports"),
];

/// What is around a page. Its title says nothing of what the vault holds: browsers keep titles.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) title: String,
    /// The address of the page that it belongs to.
    here: &'static str,
    /// What forms show; empty where there is nobody to show any.
    pub(crate) form: String,
}

impl Frame {
    pub(crate) fn new(title: &str, here: &'static str, visit: &Visit) -> Self {
        Self { title: title.to_owned(), here, form: visit.form().reveal().to_owned() }
    }

    /// For somebody who was not let in, or a page that did not work.
    fn outside(title: &str) -> Self {
        Self { title: title.to_owned(), here: "", form: String::new() }
    }

    pub(crate) fn pages(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        PAGES.into_iter().map(|(address, name)| (address, name, address == self.here))
    }
}

/// A page as an answer.
pub(crate) fn show(page: &impl Template) -> Response {
    show_as(StatusCode::OK, page)
}

fn show_as(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Goes on to another address of this page.
pub(crate) fn go(address: &str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, address)]).into_response()
}

#[derive(Template)]
#[template(path = "trouble.html")]
struct Trouble {
    frame: Frame,
    failure: Failure,
    is_locked: bool,
}

/// Something did not work.
#[derive(Debug)]
pub(crate) struct Refusal(StatusCode, Failure);

impl Refusal {
    /// There is no such page.
    pub(crate) fn absent() -> Self {
        let failure = Failure::new(Exit::Failed, "There is no such page.")
            .next("Choose one above, or go back.");
        Self(StatusCode::NOT_FOUND, failure)
    }

    /// Nobody was let in here.
    pub(crate) fn outside() -> Self {
        let failure =
            Failure::new(Exit::Refused, "This browser was not let in, or its time is over.")
                .safe("Nothing of the vault is shown.")
                .next("Type `aura open` in a terminal.");
        Self(StatusCode::UNAUTHORIZED, failure)
    }

    /// A request that no page of ours has made.
    pub(crate) fn foreign(status: StatusCode, what: &str) -> Self {
        let failure = Failure::new(Exit::Refused, what)
            .safe("Nothing was shown or changed.")
            .next("If you have come here by a link, type `aura open` in a terminal instead.");
        Self(status, failure)
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        let status = match failure.exit {
            Exit::Locked => StatusCode::LOCKED,
            Exit::Usage => StatusCode::BAD_REQUEST,
            Exit::Refused => StatusCode::FORBIDDEN,
            Exit::Unreachable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, failure)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(status, failure) = self;
        let is_locked = failure.exit == Exit::Locked;
        let title = if is_locked { "Locked" } else { "Not done" };
        show_as(status, &Trouble { frame: Frame::outside(title), failure, is_locked })
    }
}

/// What a handler comes to.
pub(crate) type Answer = Result<Response, Refusal>;
