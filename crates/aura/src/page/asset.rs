// SPDX-License-Identifier: MIT OR Apache-2.0
//! Style, scripts and the picture of the page, as they are in the program.

use axum::extract::Path;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};

use super::frame::Refusal;

const FILES: [(&str, &str, &str); 4] = [
    ("page.css", "text/css; charset=utf-8", include_str!("assets/page.css")),
    ("page.js", "text/javascript; charset=utf-8", include_str!("assets/page.js")),
    ("search.js", "text/javascript; charset=utf-8", include_str!("assets/search.js")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

/// One of them.
pub(crate) async fn file(Path(name): Path<String>) -> Result<Response, Refusal> {
    let found = FILES.iter().find(|(known, ..)| *known == name);
    let (_, kind, text) = found.ok_or_else(Refusal::absent)?;
    Ok(([(CONTENT_TYPE, *kind)], *text).into_response())
}
