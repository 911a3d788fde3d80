// SPDX-License-Identifier: MIT OR Apache-2.0
//! One other device as a blind store. Active: what it takes, its own local store checks.
//! Source: spec/peer.md, rules PEE-5 to PEE-8.

use core::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aura_protocol::codec::{Decode, Encode as _};
use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::http::{
    Entries, HasAnswer, HasAsk, HeadsAnswer, HeadsAsk, Push, PushAnswer, Read,
};
use aura_protocol::id::{ChunkName, CollectionId, DeviceId, FeedId, Hash, Incarnation};
use aura_protocol::limits::{
    CHUNK_BYTES_MAX, HAS_NAMES_MAX, LIVES_MAX, READ_BYTES_MAX, READ_ENTRIES_MAX,
};
use aura_protocol::peer::{
    ChunkAnswer, ChunkAsk, Done, HeadAsk, Kind, Outcome, PutAsk, REFUSAL_BYTES_MAX, Refusal,
    WATCH_MS_MAX, WatchAsk,
};
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, BlindStore, Heads, Receipt, StoreError, StoredHead};
use quinn::Connection;

use super::node::{Inner, LATE, Node, over};
use super::serve;
use super::stream::{self, Broken, SILENCE};
use crate::http::Fault;
use crate::local::Clock;
use crate::wait::lock;

/// What begins the address of a device.
const SCHEME: &str = "peer://";
/// The longest address, in bytes.
const PLACE_BYTES_MAX: usize = 300;
/// Places of one device that are tried.
const PLACES_MAX: usize = 16;
/// Whoever asks again so soon after a call came to nothing is told that: others wait for their turn.
const AGAIN: Duration = Duration::from_secs(3);

type Known = [(DeviceId, Incarnation, Position)];

/// Why a text is no device's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an address of the form peer://HOST:PORT")]
pub struct PlaceError;

/// Where a device is: a host and a UDP port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(String);

impl Place {
    /// Whether a text is meant to be one.
    pub fn is_meant(text: &str) -> bool {
        text.trim_start().to_ascii_lowercase().starts_with(SCHEME)
    }

    /// The place that this text is: `peer://HOST:PORT`.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, PlaceError> {
        let text = text.trim();
        if text.len() > PLACE_BYTES_MAX || !Self::is_meant(text) {
            return Err(PlaceError);
        }
        let rest = text.get(SCHEME.len()..).ok_or(PlaceError)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = rest.rsplit_once(':').ok_or(PlaceError)?;
        let is_port = !port.starts_with(['+', '0']) && port.parse::<u16>().is_ok();
        let numbers = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = if let Some(numbers) = numbers {
            numbers.parse::<std::net::Ipv6Addr>().is_ok()
        } else {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
            !host.is_empty() && host.bytes().all(is_plain)
        };
        if !(is_port && is_host) {
            return Err(PlaceError);
        }
        Ok(Self(format!("{}:{port}", host.to_ascii_lowercase())))
    }

    /// `HOST:PORT`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.0)
    }
}

/// Another device of the vault.
pub struct PeerStore {
    line: Arc<Line>,
    now_ms: Clock,
}

/// A connection to it, made when it is first needed, and again when it broke.
struct Line {
    inner: Arc<Inner>,
    device: DeviceId,
    places: Mutex<Vec<String>>,
    connection: tokio::sync::Mutex<Held>,
}

/// The connection that was made last, or why none was.
#[derive(Default)]
struct Held {
    connection: Option<Connection>,
    failed: Option<(Instant, Vec<String>, Fault)>,
}

impl fmt::Debug for PeerStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerStore").field("device", &self.line.device).finish_non_exhaustive()
    }
}

impl PeerStore {
    /// A device, wherever it is of these places (`HOST:PORT`). Nothing is sent yet.
    pub fn new(node: &Node, device: DeviceId, places: Vec<String>, now_ms: Clock) -> Self {
        let line = Line {
            inner: Arc::clone(&node.inner),
            device,
            places: Mutex::new(places),
            connection: tokio::sync::Mutex::default(),
        };
        Self { line: Arc::new(line), now_ms }
    }

    /// The device may be at these places now. A connection that stands is kept.
    pub fn is_at(&self, places: Vec<String>) {
        *lock(&self.line.places) = places;
    }

    /// STO-12, on this side: a device is asked for the vault, of which a part is let through here.
    fn allow(&self, access: &Access, collection: Option<CollectionId>) -> Result<(), StoreError> {
        if access.vault() != self.line.inner.house.vault {
            return Err(StoreError::Absent);
        }
        let now_ms = (self.now_ms)();
        let is_late = matches!(access, Access::Collections { until_ms, .. } if now_ms >= *until_ms);
        let is_other = collection.is_some_and(|collection| !access.allows(collection, now_ms));
        if is_late || is_other { Err(StoreError::Forbidden) } else { Ok(()) }
    }

    /// Which collection a chunk belongs to, only the other device knows, which is asked for whole vaults.
    fn allow_chunks(&self, access: &Access) -> Result<(), StoreError> {
        self.allow(access, None)?;
        match access {
            Access::Vault(_) => Ok(()),
            Access::Collections { .. } => Err(StoreError::Forbidden),
        }
    }

    async fn ask<T: Decode + Send + 'static>(
        &self,
        kind: Kind,
        body: Vec<u8>,
    ) -> Result<T, StoreError> {
        self.ask_for(kind, body, Duration::ZERO).await
    }

    /// Asks, and waits so much longer for the answer to begin.
    async fn ask_for<T: Decode + Send + 'static>(
        &self,
        kind: Kind,
        body: Vec<u8>,
        wait: Duration,
    ) -> Result<T, StoreError> {
        let line = Arc::clone(&self.line);
        let asked = async move { line.ask(kind, &body, SILENCE.saturating_add(wait)).await };
        let body = self.line.inner.run(asked).await?;
        let parsed = T::from_bytes(&body, kind.answer_bytes_max());
        parsed.map_err(|_| StoreError::Server("it answered with what is none"))
    }
}

impl Line {
    /// Asks on the connection that stands; on a new one if that broke meanwhile.
    async fn ask(&self, kind: Kind, body: &[u8], patience: Duration) -> Result<Vec<u8>, Fault> {
        let (connection, is_new) = self.connection().await?;
        let first = ask(&connection, kind, body, patience).await;
        if let Err(Asking::Fault(LATE)) = &first {
            // Whoever is gone is called anew.
            connection.close(serve::OVER, &[]);
        }
        match first {
            Err(Asking::Lost(_)) if !is_new => {
                let (connection, _) = self.connection().await?;
                Ok(ask(&connection, kind, body, patience).await?)
            }
            other => Ok(other?),
        }
    }

    async fn connection(&self) -> Result<(Connection, bool), Fault> {
        let mut held = self.connection.lock().await;
        if let Some(connection) = held.connection.as_ref()
            && connection.close_reason().is_none()
        {
            return Ok((connection.clone(), false));
        }
        let places = lock(&self.places).clone();
        if let Some((at, tried, fault)) = &held.failed
            && at.elapsed() < AGAIN
            && *tried == places
        {
            return Err(fault.clone());
        }
        let mut last = Fault::Unreachable("it is not found on this network");
        for place in places.iter().take(PLACES_MAX) {
            match self.inner.call(place, Some(self.device)).await {
                Ok((_, connection)) => {
                    *held = Held { connection: Some(connection.clone()), failed: None };
                    return Ok((connection, true));
                }
                Err(fault) => last = fault,
            }
        }
        held.failed = Some((Instant::now(), places, last.clone()));
        Err(last)
    }
}

/// Why a question came to nothing.
enum Asking {
    /// The connection is over.
    Lost(Fault),
    Fault(Fault),
}

impl From<Asking> for Fault {
    fn from(asking: Asking) -> Self {
        match asking {
            Asking::Lost(fault) | Asking::Fault(fault) => fault,
        }
    }
}

async fn ask(
    connection: &Connection,
    kind: Kind,
    body: &[u8],
    patience: Duration,
) -> Result<Vec<u8>, Asking> {
    let broken = |broken: Broken| match (broken, connection.close_reason()) {
        (Broken::Lost, Some(reason)) => Asking::Lost(over(&reason)),
        (Broken::Late, _) => Asking::Fault(LATE),
        (Broken::Large, _) => {
            Asking::Fault(Fault::Answer("it answered with more than an answer may have"))
        }
        (Broken::Short | Broken::Lost, _) => {
            Asking::Fault(Fault::Answer("it ended its answer early"))
        }
    };
    let (mut send, mut recv) = stream::open(connection).await.map_err(broken)?;
    // One that refuses may do so before it has read everything: what it says counts.
    let sent = stream::send(&mut send, kind.begin(), body).await;
    let begin = match (stream::begin(&mut recv, patience).await, sent) {
        (Ok(begin), _) => begin,
        (Err(_), Err(error)) | (Err(error), Ok(())) => return Err(broken(error)),
    };
    match Outcome::of_beginning(begin) {
        Some(Outcome::Done) => {
            stream::rest(&mut recv, kind.answer_bytes_max()).await.map_err(broken)
        }
        Some(Outcome::Refused) => {
            let body = stream::rest(&mut recv, REFUSAL_BYTES_MAX).await.map_err(broken)?;
            let refusal = Refusal::from_bytes(&body, REFUSAL_BYTES_MAX);
            Err(Asking::Fault(match refusal {
                Ok(Refusal(problem)) => Fault::Problem(problem),
                Err(_) => Fault::Answer("it answered with what is none"),
            }))
        }
        None => Err(Asking::Fault(Fault::Answer("it answered with what is none"))),
    }
}

fn heads_ask(known: &Known) -> HeadsAsk {
    HeadsAsk { known: known.iter().take(LIVES_MAX).copied().collect() }
}

/// How many of these entries one push may have (PEE-8).
fn batch_len(entries: &[Entry]) -> usize {
    let mut bytes = 0_usize;
    let fits = |entry: &&Entry| {
        let is_room = bytes < READ_BYTES_MAX;
        bytes = bytes.saturating_add(entry.header_bytes().len()).saturating_add(entry.body().len());
        is_room
    };
    entries.iter().take(READ_ENTRIES_MAX).take_while(fits).count()
}

#[async_trait]
impl BlindStore for PeerStore {
    async fn heads(&self, access: &Access, known: &Known) -> Result<Heads, StoreError> {
        self.allow(access, None)?;
        let answer: HeadsAnswer = self.ask(Kind::Heads, heads_ask(known).to_bytes()).await?;
        Ok(answer.0)
    }

    async fn push(
        &self,
        access: &Access,
        head: &Signed<Head>,
        entries: &[Entry],
    ) -> Result<Receipt, StoreError> {
        self.allow(access, None)?;
        for entry in entries {
            self.allow(access, Some(entry.header().feed.collection))?;
        }
        if let Access::Collections { .. } = access {
            let malformed = |_| StoreError::Refused("a head that is not well-formed");
            for (collection, _) in &head.claim().map_err(malformed)?.feeds {
                self.allow(access, Some(*collection))?;
            }
        }
        let mut rest = entries;
        loop {
            let (batch, later) = rest.split_at(batch_len(rest));
            let answer: PushAnswer = self.ask(Kind::Push, Push::bytes_of(head, batch)).await?;
            if later.is_empty() {
                return Ok(answer.0);
            }
            rest = later;
        }
    }

    async fn read(
        &self,
        access: &Access,
        feed: FeedId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.allow(access, Some(feed.collection))?;
        let limit = limit.min(READ_ENTRIES_MAX);
        let body = Read { feed, after, limit: limit as u64 }.to_bytes();
        let answer: Entries = self.ask(Kind::Read, body).await?;
        let mut entries = answer.entries;
        entries.truncate(limit);
        Ok(entries)
    }

    async fn put(&self, access: &Access, name: ChunkName, sealed: &[u8]) -> Result<(), StoreError> {
        self.allow_chunks(access)?;
        if sealed.is_empty() || sealed.len() > CHUNK_BYTES_MAX {
            return Err(StoreError::Refused("a chunk of a size that none has"));
        }
        let Done = self.ask(Kind::Put, PutAsk::bytes_of(name, sealed)).await?;
        Ok(())
    }

    async fn chunk(&self, access: &Access, name: ChunkName) -> Result<Vec<u8>, StoreError> {
        self.allow_chunks(access)?;
        let answer: ChunkAnswer = self.ask(Kind::Chunk, ChunkAsk { name }.to_bytes()).await?;
        Ok(answer.sealed)
    }

    async fn has(&self, access: &Access, names: &[ChunkName]) -> Result<Vec<bool>, StoreError> {
        self.allow(access, None)?;
        if self.allow_chunks(access).is_err() {
            return Ok(vec![false; names.len()]);
        }
        let mut has = Vec::with_capacity(names.len());
        for names in names.chunks(HAS_NAMES_MAX) {
            let body = HasAsk { names: names.to_vec() }.to_bytes();
            let answer: HasAnswer = self.ask(Kind::Has, body).await?;
            if answer.has.len() != names.len() {
                return Err(StoreError::Server("it answered another question"));
            }
            has.extend(answer.has);
        }
        Ok(has)
    }

    async fn head(
        &self,
        access: &Access,
        (device, incarnation): (DeviceId, Incarnation),
        at: Position,
    ) -> Result<Signed<Head>, StoreError> {
        self.allow(access, None)?;
        self.ask(Kind::Head, HeadAsk { device, incarnation, at }.to_bytes()).await
    }

    /// PEE-8: what another device keeps, no other one lets go of.
    async fn forget(&self, _: &Access, _: Hash) -> Result<u64, StoreError> {
        Err(StoreError::Unproven)
    }

    async fn watch(
        &self,
        access: &Access,
        known: &Known,
        wait_ms: u64,
    ) -> Result<Vec<StoredHead>, StoreError> {
        self.allow(access, None)?;
        let wait_ms = wait_ms.min(WATCH_MS_MAX);
        let body = WatchAsk { heads: heads_ask(known), wait_ms }.to_bytes();
        let wait = Duration::from_millis(wait_ms);
        let answer: HeadsAnswer = self.ask_for(Kind::Watch, body, wait).await?;
        Ok(answer.0.news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_one_spelling() {
        for (text, one) in [
            ("peer://192.168.1.7:7411", "peer://192.168.1.7:7411"),
            (" PEER://Laptop.local:1/ ", "peer://laptop.local:1"),
            ("peer://[fe80::1]:65535", "peer://[fe80::1]:65535"),
        ] {
            assert_eq!(Place::parse(text).unwrap().to_string(), one);
        }
        for wrong in [
            "",
            "peer://",
            "peer://host",
            "peer://:1",
            "peer://host:",
            "peer://host:0",
            "peer://host:01",
            "peer://host:65536",
            "peer://ada@host:1",
            "peer://host:1/path",
            "peer://::1:7",
            "peer://[host]:7",
            "https://host:1",
            "peer://hé:1",
            "pee\u{212a}://host:1",
            &format!("peer://{}:1", "a".repeat(PLACE_BYTES_MAX)),
        ] {
            assert_eq!(Place::parse(wrong), Err(PlaceError), "{wrong}");
        }
    }
}
