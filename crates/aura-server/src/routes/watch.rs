// SPDX-License-Identifier: MIT OR Apache-2.0
//! News of heads, as server-sent events. Source: spec/http.md, HTP-11.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use aura_protocol::http::EVENT_HEADS;
use aura_protocol::http::ProblemKind;
use aura_protocol::id::VaultId;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, timeout_at};

use super::entry::Bearer;
use super::state::Server;
use crate::bell::Rung;
use crate::crowd::Place;
use crate::problem::Refusal;
use crate::token::{Session, TOKEN_SECONDS};

/// HTP-11 wants a sign of life every 30 seconds.
const ALIVE: Duration = Duration::from_secs(25);

/// Somebody who waits for news.
struct Watcher {
    server: Arc<Server>,
    session: Session,
    bell: Receiver<Rung>,
    _place: Place<VaultId>,
    checked: u64,
    until: Instant,
    has_begun: bool,
}

/// A stream of events until the token ends.
pub(super) async fn events(
    State(server): State<Arc<Server>>,
    bearer: Bearer,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let session = bearer.session(&server).await?;
    let place = server.watchers.enter(session.vault);
    let place = place.ok_or_else(|| Refusal::later(ProblemKind::SlowDown, 60))?;
    let bell = server.bells.watch(session.vault);
    let checked = bell.borrow().changes;
    server.with_vault(session.clone(), |_, _, _| Ok(())).await?;
    let until = Instant::from_std(session.since) + Duration::from_secs(TOKEN_SECONDS);
    let watcher =
        Watcher { server, session, bell, _place: place, checked, until, has_begun: false };
    let stream = unfold(watcher, |mut watcher| async move {
        watcher.next().await.then(|| (Ok(Event::default().event(EVENT_HEADS).data("")), watcher))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(ALIVE)))
}

impl Watcher {
    /// Waits for the next news. Whether there are any, and the session counts still.
    async fn next(&mut self) -> bool {
        if !self.has_begun {
            self.has_begun = true;
            return true;
        }
        let rung = timeout_at(self.until, self.bell.changed()).await;
        if !matches!(rung, Ok(Ok(()))) || self.server.is_stopping() {
            return false;
        }
        // A ring costs a watcher nothing, unless its device may be another's by now.
        let changes = self.bell.borrow_and_update().changes;
        let is_checked = std::mem::replace(&mut self.checked, changes) == changes;
        is_checked || self.server.with_vault(self.session.clone(), |_, _, _| Ok(())).await.is_ok()
    }
}
