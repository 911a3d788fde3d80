// SPDX-License-Identifier: MIT OR Apache-2.0
//! Attachments as downloads: handed on as they are opened, on no disk of ours, and never shown as a page.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream;
use serde_json::Value;
use tokio::sync::mpsc::{Sender, channel};
use tokio::sync::oneshot;

use super::frame::{Answer, Refusal};
use super::hall::Hall;
use super::words::line;
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::screen::size;
use crate::view;
use crate::wire::Request;

/// A client of the daemon holds what a slow browser has not taken yet: no more than this.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// Pieces between the daemon and the browser.
const PIECES: usize = 4;

/// An attachment's bytes.
pub(crate) async fn file(
    State(hall): State<Arc<Hall>>,
    Path((id, blob)): Path<(String, String)>,
) -> Answer {
    let (pieces, mut received) = channel::<Bytes>(PIECES);
    let (begin, begun) = oneshot::channel();
    let handing = tokio::spawn(async move {
        hall.with(move |client| hand_on(client, (id, blob), begin, &pieces)).await
    });
    let Ok(file) = begun.await else {
        // It was not come to: the vault is locked, most likely.
        let why = handing.await.ok().and_then(Result::err).unwrap_or_else(unready);
        return Err(Refusal::from(why));
    };
    let file = file?;
    let length = file.size;
    let body = Body::from_stream(stream::poll_fn(move |context| {
        received.poll_recv(context).map(|piece| piece.map(Ok::<_, Infallible>))
    }));
    Ok(answer(&file, (length, body)))
}

fn hand_on(
    client: &mut Client,
    (id, blob): (String, String),
    begin: oneshot::Sender<Result<view::Attachment, Failure>>,
    pieces: &Sender<Bytes>,
) -> Result<(), Failure> {
    let found = client.ask::<view::Record>(&Request::Get { id: id.clone() });
    let found = found.and_then(|record| {
        let file = record.attachments.into_iter().find(|file| file.id == blob);
        file.ok_or_else(|| Failure::usage("The record has no such attachment.", "Go back."))
    });
    let found = found.and_then(|file| {
        if file.size > FILE_BYTES_MAX { Err(too_large(&id, &file)) } else { Ok(file) }
    });
    let is_there = found.is_ok();
    if begin.send(found).is_err() || !is_there {
        return Ok(());
    }
    let request = Request::Download { id, blob };
    client.call(&request, &mut |item: Value| {
        let bytes = item.as_str().and_then(|text| STANDARD.decode(text).ok());
        let bytes = bytes.ok_or_else(unready)?;
        // Nobody there any more: then the daemon need not go on either.
        pieces.blocking_send(bytes.into()).map_err(|_| unready())
    })?;
    Ok(())
}

fn unready() -> Failure {
    Failure::new(Exit::Failed, "The attachment could not be read to its end.")
        .safe("Nothing was changed.")
        .next("Try it again.")
}

fn too_large(id: &str, file: &view::Attachment) -> Failure {
    let most = size(FILE_BYTES_MAX);
    Failure::usage(
        format!("A browser is given at most {most}; this has {}.", size(file.size)),
        format!("In a terminal: aura get {id} --attachment {} --out FILE", file.id),
    )
}

/// The length is said first, so that a browser knows of a file that it did not get to its end.
fn answer(file: &view::Attachment, (length, body): (u64, Body)) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_LENGTH, length.to_string()),
        (CONTENT_DISPOSITION, disposition(&file.name)),
    ];
    (headers, body).into_response()
}

/// `attachment`, and the file's name in the form of RFC 8187.
fn disposition(name: &str) -> String {
    let mut text = "attachment; filename*=UTF-8''".to_owned();
    for byte in line(name).replace(['/', '\\'], "_").bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing into a text does not fail.
            write!(text, "%{byte:02X}").ok();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// attack IMP-05: a file's name is a name, and says nothing else to the browser.
    #[test]
    fn imp_05_a_name_stays_a_name() {
        assert_eq!(
            disposition("a\"; x=\r\nSet-Cookie: ü/..\\b.html"),
            "attachment; filename*=UTF-8''a%22%3B%20x%3D%20%20Set-Cookie%3A%20%C3%BC_.._b.html"
        );
    }
}
