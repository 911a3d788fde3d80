// SPDX-License-Identifier: MIT OR Apache-2.0
//! What all requests to the page share, and the one way from here to the vault: the daemon's socket.
//!
//! Nothing of the vault is kept here, no key and no record: each request asks anew, as a command does, and is decided, put on
//! the record and counted as use there.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::session::Sessions;
use crate::client::{Client, parse};
use crate::exit::{Exit, Failure};
use crate::wire::Request;

/// Requests that are with the daemon at once: it has places for commands and assistants as well.
const ASKING_MAX: usize = 8;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Hall {
    home: PathBuf,
    /// The vault's folder for the page.
    folder: PathBuf,
    here: SocketAddr,
    sessions: Mutex<Sessions>,
    used: Mutex<Instant>,
    asking: Arc<Semaphore>,
}

impl Hall {
    pub(crate) fn new(home: PathBuf, folder: PathBuf, here: SocketAddr) -> Self {
        Self {
            home,
            folder,
            here,
            sessions: Mutex::default(),
            used: Mutex::new(Instant::now()),
            asking: Arc::new(Semaphore::new(ASKING_MAX)),
        }
    }

    pub(crate) fn folder(&self) -> &PathBuf {
        &self.folder
    }

    pub(crate) fn home(&self) -> &PathBuf {
        &self.home
    }

    /// Where it listens.
    pub(crate) fn here(&self) -> SocketAddr {
        self.here
    }

    /// The one `Host` that it answers to: a name that was made to point here is another one.
    pub(crate) fn host(&self) -> String {
        self.here.to_string()
    }

    pub(crate) fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody asked for something.
    pub(crate) fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// For how long nobody has.
    pub(crate) fn idle(&self) -> Duration {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Talks with the daemon, if it has the vault open, on a thread that may wait.
    pub(crate) async fn with<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Client) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let place = Arc::clone(&self.asking).acquire_owned().await.map_err(|_| ending())?;
        let home = self.home.clone();
        let talk = move || {
            let _place = place;
            let mut client = Client::find(&home)?.ok_or_else(locked)?;
            if client.standing().locked {
                return Err(locked());
            }
            act(&mut client)
        };
        spawn_blocking(talk).await.map_err(|_| ending())?
    }

    /// Asks for one answer.
    pub(crate) async fn ask<T: DeserializeOwned + Send + 'static>(
        &self,
        request: Request,
    ) -> Result<T, Failure> {
        self.with(move |client| client.ask(&request)).await
    }

    /// Asks for many.
    pub(crate) async fn list<T: DeserializeOwned + Send + 'static>(
        &self,
        request: Request,
    ) -> Result<Vec<T>, Failure> {
        self.with(move |client| list(client, &request)).await
    }
}

/// Asks for many.
pub(crate) fn list<T: DeserializeOwned>(
    client: &mut Client,
    request: &Request,
) -> Result<Vec<T>, Failure> {
    let mut items = Vec::new();
    client.call(request, &mut |item: Value| {
        items.push(parse(item)?);
        Ok(())
    })?;
    Ok(items)
}

/// No password is typed into a page: whoever serves one could be anybody.
pub(crate) fn locked() -> Failure {
    Failure::new(Exit::Locked, "The vault is locked.")
        .safe("Nothing is shown, and nothing was changed.")
        .next("Open it in a terminal, and load this page again:")
}

pub(crate) fn ending() -> Failure {
    Failure::new(Exit::Unreachable, "The page could not answer.")
        .safe("What the vault had acknowledged is stored.")
        .next("Load it again.")
}
