// SPDX-License-Identifier: MIT OR Apache-2.0
//! Boxes of devices that pair. Source: spec/http.md, HTP-15.

use std::sync::Arc;

use aura_protocol::http::{PairingClose, PairingPut, PairingTake, PairingTaken, ProblemKind};
use aura_protocol::limits::{PAIRING_REQUEST_BYTES_MAX, SMALL_REQUEST_BYTES_MAX};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use super::account::{may_change, of_device};
use super::entry::{Answered, Bearer, DONE, Source, decode};
use super::state::Server;
use crate::boxes::BoxError;
use crate::problem::Refusal;

type Shared = State<Arc<Server>>;

/// A problem, and after how long it may be none.
fn refused(error: BoxError) -> Refusal {
    match error {
        BoxError::Refused(kind @ (ProblemKind::SlowDown | ProblemKind::Busy)) => {
            Refusal::later(kind, 60)
        }
        BoxError::Refused(kind) => kind.into(),
        BoxError::Store(error) => error.into(),
    }
}

/// A message of a device of the vault; the first one opens the box.
pub(super) async fn put(
    State(server): Shared,
    bearer: Bearer,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Refusal> {
    let (session, device) = of_device(&server, bearer).await?;
    let put: PairingPut = decode(&headers, body, PAIRING_REQUEST_BYTES_MAX).await?;
    let vault = session.vault;
    let done = server.with_vault(session, move |server, hosted, _| {
        may_change(server, hosted, device)?;
        server.boxes.put((put.place, vault), put.step, put.message).map_err(refused)
    });
    done.await.map(|()| DONE)
}

/// A message of a device that nobody knows yet: all that it shows is that it knows the box.
pub(super) async fn answer(
    State(server): Shared,
    source: Source,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Refusal> {
    server.slow_source(source.0)?;
    let put: PairingPut = decode(&headers, body, PAIRING_REQUEST_BYTES_MAX).await?;
    let done = server
        .work(move |server| server.boxes.answer(put.place, put.step, put.message).map_err(refused));
    done.await.map(|()| DONE)
}

/// A message, for whoever knows the box.
pub(super) async fn take(
    State(server): Shared,
    source: Source,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Refusal> {
    server.slow_source(source.0)?;
    let take: PairingTake = decode(&headers, body, SMALL_REQUEST_BYTES_MAX).await?;
    let taken =
        server.work(move |server| server.boxes.take(take.place, take.step).map_err(refused));
    let message = taken.await?;
    Ok(Answered::new(&PairingTaken { message }))
}

/// Takes a box away.
pub(super) async fn close(
    State(server): Shared,
    bearer: Bearer,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Refusal> {
    let (session, _) = of_device(&server, bearer).await?;
    let close: PairingClose = decode(&headers, body, SMALL_REQUEST_BYTES_MAX).await?;
    let vault = session.vault;
    let done = server.with_vault(session, move |server, _, _| {
        server.boxes.close(close.place, vault).map_err(refused)
    });
    done.await.map(|()| DONE)
}
