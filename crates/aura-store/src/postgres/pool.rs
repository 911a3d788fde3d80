// SPDX-License-Identifier: MIT OR Apache-2.0
//! Connections to the database, shared by all vaults of a node.
//!
//! So many and no more, since a database has few; who comes when all are out waits for a while. A connection that
//! broke, or that was left in the middle of something, is not used again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use aura_protocol::store::StoreError;
use postgres::{Client, Statement};

use super::address::Address;
use super::fault::failed;
use crate::wait::lock;

/// How long a lock is waited for, a statement may take, and a transaction may do nothing.
const BOUNDS: &str = "SET lock_timeout = '20s'; SET statement_timeout = '2min';
    SET idle_in_transaction_session_timeout = '2min'";

/// How long somebody waits for a connection, or for a turn to write.
pub(super) const WAIT: Duration = Duration::from_secs(10);

/// Takes a place among those who serve. It is the connection's own and ends with it. "Aura" in ASCII, and the tables that
/// are meant.
pub(super) const SERVE: &str =
    "SELECT pg_try_advisory_lock_shared(1098215009, hashtext(current_schema()))";

/// Statements that a connection has prepared.
pub(super) type Statements = HashMap<&'static str, Statement>;

/// A connection with what it has prepared.
pub(super) struct Line {
    pub(super) client: Client,
    pub(super) statements: Statements,
}

/// The connections of a node.
pub(super) struct Pool {
    address: Address,
    connections_max: usize,
    /// Whether every connection takes a place among those who serve.
    is_serving: AtomicBool,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Line>,
    open: usize,
}

impl Pool {
    pub(super) fn new(address: Address, connections_max: usize) -> Self {
        let connections_max = connections_max.max(1);
        Self {
            address,
            connections_max,
            is_serving: AtomicBool::new(false),
            state: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    /// A connection of one's own, beside those that are shared.
    pub(super) fn connect(&self) -> Result<Client, StoreError> {
        self.address.connect()
    }

    /// One that waits for nobody for ever, nor lets others wait for it when its node is frozen.
    fn line(&self) -> Result<Line, StoreError> {
        let mut client = self.connect()?;
        client.batch_execute(BOUNDS).map_err(failed)?;
        // With the connections of a database that began anew the places of all nodes are gone: somebody else may have
        // taken the database for their own meanwhile.
        if self.is_serving.load(Ordering::Acquire) {
            let row = client.query_one(SERVE, &[]).map_err(failed)?;
            if !row.try_get::<_, bool>(0).map_err(failed)? {
                let moved = "what the database keeps is being moved elsewhere";
                return Err(StoreError::Unreachable(moved));
            }
        }
        Ok(Line { client, statements: Statements::new() })
    }

    /// From now on every connection takes a place among those who serve.
    pub(super) fn serve(&self) {
        self.is_serving.store(true, Ordering::Release);
        self.end_idle();
    }

    /// From now on none does, and those that do nothing end.
    pub(super) fn leave(&self) {
        self.is_serving.store(false, Ordering::Release);
        self.end_idle();
    }

    fn end_idle(&self) {
        let mut state = lock(&self.state);
        let idle = std::mem::take(&mut state.idle);
        state.open = state.open.saturating_sub(idle.len());
        drop(state);
        drop(idle);
    }

    /// Does something with a connection that nobody else uses meanwhile.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&mut Line) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = self.wait()?;
        let mut place = Place { pool: self, line: None };
        let mut line = match idle {
            Some(line) => line,
            None => self.line()?,
        };
        let done = work(&mut line);
        // One that was ended may not know it yet.
        let has_broken = matches!(done, Err(StoreError::Unreachable(_))) || line.client.is_closed();
        place.line = if has_broken { None } else { Some(line) };
        drop(place);
        done
    }

    /// A connection that is idle; `None` for leave to open one.
    fn wait(&self) -> Result<Option<Line>, StoreError> {
        let now = Instant::now();
        let deadline = now.checked_add(WAIT).unwrap_or(now);
        let mut state = lock(&self.state);
        loop {
            if let Some(line) = state.idle.pop() {
                return Ok(Some(line));
            }
            if state.open < self.connections_max {
                state.open = state.open.saturating_add(1);
                return Ok(None);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(StoreError::SlowDown(1));
            }
            let waited = self.returned.wait_timeout(state, left);
            state = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
    }
}

/// Gives the connection back, or the place of one that broke, also when the work panicked.
struct Place<'a> {
    pool: &'a Pool,
    line: Option<Line>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.pool.state);
        let mut broken = Vec::new();
        if let Some(line) = self.line.take() {
            state.idle.push(line);
        } else {
            // The database may have been away: the others broke with this one.
            broken = std::mem::take(&mut state.idle);
            state.open = state.open.saturating_sub(broken.len().saturating_add(1));
        }
        drop(state);
        self.pool.returned.notify_one();
        drop(broken);
    }
}
