// SPDX-License-Identifier: MIT OR Apache-2.0
//! The vault's access log, for its devices alone. Source: spec/access-log.md, ACL-4 to ACL-6.

use std::sync::Arc;

use aura_protocol::http::{OCTETS, ProblemKind, TEXT};
use aura_protocol::log::{AccessKind, TilePath};
use aura_protocol::store::StoreError;
use axum::extract::{Path, State};
use axum::response::Response;

use super::entry::{Bearer, octets};
use super::state::Server;
use crate::problem::Refusal;
use crate::token::Scope;

/// Its checkpoint, its key, or a tile.
pub(super) async fn log(
    State(server): State<Arc<Server>>,
    name: Path<String>,
    bearer: Bearer,
) -> Result<Response, Refusal> {
    let session = bearer.session(&server).await?;
    if matches!(session.scope, Scope::Enrolment(_)) {
        return Err(ProblemKind::Forbidden.into());
    }
    let device = session.device();
    let answer = server.with_vault(session, move |server, hosted, _| {
        let log = hosted.log().ok_or(ProblemKind::Absent)?;
        log.count(AccessKind::Polled, device);
        let failed = |error: StoreError| {
            tracing::error!(%error, "an access log could not be read");
            Refusal::from(ProblemKind::Internal)
        };
        let text = |text: String| (TEXT, text.into_bytes());
        let answer = match name.as_str() {
            "checkpoint" => log.checkpoint(&server.log).map_err(failed)?.map(text),
            "key" => Some(text(log.key(&server.log))),
            name => match TilePath::parse(name) {
                Some(path) => log.tile(path).map_err(failed)?.map(|tile| (OCTETS, tile)),
                None => None,
            },
        };
        answer.ok_or_else(|| ProblemKind::Absent.into())
    });
    let (media, bytes) = answer.await?;
    Ok(octets(media, bytes))
}
