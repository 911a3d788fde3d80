// SPDX-License-Identifier: MIT OR Apache-2.0
//! The vault's paths at a server, as a blind store; and what a device may do with the account.
//! Source: spec/http.md, rules HTP-7 to HTP-13 and ACC-12.

use core::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aura_protocol::auth::login::{RECORD_BYTES, REGISTRATION_REQUEST_BYTES};
use aura_protocol::codec::{Decode, Encode as _};
use aura_protocol::entry::Entry;
use aura_protocol::head::{Head, Position};
use aura_protocol::http::{
    AccountView, Begun, CBOR, Entries, ForgetAnswer, ForgetAsk, HasAnswer, HasAsk, HeadsAnswer,
    HeadsAsk, OCTETS, PasswordBegin, PasswordEnd, Push, PushAnswer, Read, path,
};
use aura_protocol::id::{ChunkName, CollectionId, DeviceId, FeedId, Hash, Incarnation, VaultId};
use aura_protocol::limits::{
    CHUNK_BYTES_MAX, ENTRY_BODY_BYTES_MAX, ENTRY_HEADER_BYTES_MAX, HAS_NAMES_MAX, HEAD_BYTES_MAX,
    HEADS_BYTES_MAX, LIVES_MAX, READ_BYTES_MAX, READ_ENTRIES_MAX, SMALL_REQUEST_BYTES_MAX,
};
use aura_protocol::signed::Signed;
use aura_protocol::store::{Access, BlindStore, Heads, Receipt, StoreError, StoredHead};
use reqwest::Method;
use tokio::time::{sleep, timeout};

use super::Fault;
use super::call::Call;
use super::events::Events;
use super::runtime::run;
use super::server::{Server, parse};
use super::token::{Pass, Proof};
use crate::local::Clock;
use crate::wait::WAIT_MS_MAX;

/// The largest answer to a read: entries until `READ_BYTES_MAX` is reached or passed.
const ENTRIES_BYTES_MAX: usize =
    READ_BYTES_MAX + ENTRY_BODY_BYTES_MAX + ENTRY_HEADER_BYTES_MAX + (64 << 10);
/// A receipt names at most as many feeds as a head.
const RECEIPT_BYTES_MAX: usize = HEAD_BYTES_MAX;
/// A byte for each name, and some more.
const HAS_BYTES_MAX: usize = 2 * HAS_NAMES_MAX;
/// How often a server is asked that has no events to tell.
const LOOK: Duration = Duration::from_secs(5);
/// How long a stream that ended is left alone.
const PAUSE: Duration = Duration::from_secs(1);

type Known = [(DeviceId, Incarnation, Position)];

/// A server that keeps a vault.
pub struct HttpStore {
    pass: Arc<Pass>,
    now_ms: Clock,
}

impl fmt::Debug for HttpStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpStore").finish_non_exhaustive()
    }
}

impl HttpStore {
    /// A vault at a server, for whoever can prove who they are. Nothing is sent yet.
    pub fn new(server: &Server, vault: VaultId, proof: Proof, now_ms: Clock) -> Self {
        Self { pass: Arc::new(Pass::new(server.line.clone(), vault, proof)), now_ms }
    }

    /// How the account stands.
    ///
    /// # Errors
    /// As all of these: when the server is not reached, or does not do it.
    pub async fn account(&self) -> Result<AccountView, Fault> {
        let most = SMALL_REQUEST_BYTES_MAX;
        self.ask(Call::bare(Method::GET, path::ACCOUNT, (CBOR, most))).await
    }

    /// Lets go of the account and of everything that is kept for it.
    ///
    /// # Errors
    /// When it was not let go.
    pub async fn delete_account(&self) -> Result<(), Fault> {
        self.send(Call::bare(Method::DELETE, path::ACCOUNT, (CBOR, 0))).await.map(drop)
    }

    /// Begins a new password of the account: OPAQUE's registration response.
    ///
    /// # Errors
    /// When the server does not take this device for one that may.
    pub async fn begin_password(
        &self,
        request: [u8; REGISTRATION_REQUEST_BYTES],
    ) -> Result<Begun, Fault> {
        let body = PasswordBegin { request }.to_bytes();
        self.ask(Call::post(path::PASSWORD_BEGIN, body, SMALL_REQUEST_BYTES_MAX)).await
    }

    /// Ends it: from here on the former password logs nobody in.
    ///
    /// # Errors
    /// As for its beginning.
    pub async fn end_password(&self, upload: [u8; RECORD_BYTES]) -> Result<(), Fault> {
        let body = PasswordEnd { upload }.to_bytes();
        self.send(Call::post(path::PASSWORD_END, body, 0)).await.map(drop)
    }

    /// Whose store this is.
    pub(super) fn vault(&self) -> VaultId {
        self.pass.vault
    }

    /// STO-12, on this side.
    fn allow(&self, access: &Access, collection: Option<CollectionId>) -> Result<(), StoreError> {
        if access.vault() != self.pass.vault {
            return Err(StoreError::Absent);
        }
        let now_ms = (self.now_ms)();
        let is_late = matches!(access, Access::Collections { until_ms, .. } if now_ms >= *until_ms);
        let is_other = collection.is_some_and(|collection| !access.allows(collection, now_ms));
        if is_late || is_other { Err(StoreError::Forbidden) } else { Ok(()) }
    }

    /// Which collection a chunk belongs to, only the server knows, whose tokens are for whole vaults.
    fn allow_chunks(&self, access: &Access) -> Result<(), StoreError> {
        self.allow(access, None)?;
        match access {
            Access::Vault(_) => Ok(()),
            Access::Collections { .. } => Err(StoreError::Forbidden),
        }
    }

    pub(super) async fn send(&self, call: Call) -> Result<Vec<u8>, Fault> {
        let pass = Arc::clone(&self.pass);
        run(async move { pass.ask(call).await }).await
    }

    pub(super) async fn ask<T: Decode>(&self, call: Call) -> Result<T, Fault> {
        let most = call.answer.1;
        parse(&self.send(call).await?, most)
    }

    async fn push_batch(
        &self,
        head: &Signed<Head>,
        entries: &[Entry],
    ) -> Result<Receipt, StoreError> {
        let body = Push::bytes_of(head, entries);
        let answer: PushAnswer = self.ask(Call::post(path::PUSH, body, RECEIPT_BYTES_MAX)).await?;
        Ok(answer.0)
    }
}

#[async_trait]
impl BlindStore for HttpStore {
    async fn heads(&self, access: &Access, known: &Known) -> Result<Heads, StoreError> {
        self.allow(access, None)?;
        let answer: HeadsAnswer = self.ask(ask_heads(known)).await?;
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
            let receipt = self.push_batch(head, batch).await?;
            if later.is_empty() {
                return Ok(receipt);
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
        let answer: Entries = self.ask(Call::post(path::READ, body, ENTRIES_BYTES_MAX)).await?;
        let mut entries = answer.entries;
        entries.truncate(limit);
        Ok(entries)
    }

    async fn put(&self, access: &Access, name: ChunkName, sealed: &[u8]) -> Result<(), StoreError> {
        self.allow_chunks(access)?;
        if sealed.is_empty() || sealed.len() > CHUNK_BYTES_MAX {
            return Err(StoreError::Refused("a chunk of a size that none has"));
        }
        let call = Call::put(&format!("{}{name}", path::CHUNKS), sealed.to_vec());
        Ok(self.send(call).await.map(drop)?)
    }

    async fn chunk(&self, access: &Access, name: ChunkName) -> Result<Vec<u8>, StoreError> {
        self.allow_chunks(access)?;
        let path = format!("{}{name}", path::CHUNKS);
        Ok(self.send(Call::bare(Method::GET, &path, (OCTETS, CHUNK_BYTES_MAX))).await?)
    }

    async fn has(&self, access: &Access, names: &[ChunkName]) -> Result<Vec<bool>, StoreError> {
        self.allow(access, None)?;
        if self.allow_chunks(access).is_err() {
            return Ok(vec![false; names.len()]);
        }
        let mut has = Vec::with_capacity(names.len());
        for names in names.chunks(HAS_NAMES_MAX) {
            let body = HasAsk { names: names.to_vec() }.to_bytes();
            let answer: HasAnswer = self.ask(Call::post(path::HAS, body, HAS_BYTES_MAX)).await?;
            if answer.has.len() != names.len() {
                return Err(StoreError::Server("it answered another question"));
            }
            has.extend(answer.has);
        }
        Ok(has)
    }

    async fn forget(&self, access: &Access, base: Hash) -> Result<u64, StoreError> {
        self.allow(access, None)?;
        if let Access::Collections { .. } = access {
            return Err(StoreError::Forbidden);
        }
        let body = ForgetAsk { base }.to_bytes();
        let answer: ForgetAnswer =
            self.ask(Call::post(path::FORGET, body, RECEIPT_BYTES_MAX)).await?;
        Ok(answer.entries)
    }

    async fn watch(
        &self,
        access: &Access,
        known: &Known,
        wait_ms: u64,
    ) -> Result<Vec<StoredHead>, StoreError> {
        self.allow(access, None)?;
        let (pass, known) = (Arc::clone(&self.pass), known.to_vec());
        let wait = Duration::from_millis(wait_ms.min(WAIT_MS_MAX));
        Ok(run(async move { watch(&pass, &known, wait).await }).await?)
    }
}

fn ask_heads(known: &Known) -> Call {
    let known = known.iter().take(LIVES_MAX).copied().collect();
    Call::post(path::HEADS, HeadsAsk { known }.to_bytes(), HEADS_BYTES_MAX)
}

/// How many of these entries one push may have (HTP-9).
fn batch_len(entries: &[Entry]) -> usize {
    let mut bytes = 0_usize;
    let fits = |entry: &&Entry| {
        let is_room = bytes < READ_BYTES_MAX;
        bytes = bytes.saturating_add(entry.header_bytes().len()).saturating_add(entry.body().len());
        is_room
    };
    entries.iter().take(READ_ENTRIES_MAX).take_while(fits).count()
}

/// Asks for heads whenever an event says that there may be news, or now and then where none are to be had.
async fn watch(pass: &Pass, known: &Known, wait: Duration) -> Result<Vec<StoredHead>, Fault> {
    let begun = Instant::now();
    let mut events = None;
    loop {
        let answer = pass.ask(ask_heads(known)).await?;
        let answer: HeadsAnswer = parse(&answer, HEADS_BYTES_MAX)?;
        let left = wait.saturating_sub(begun.elapsed());
        if !answer.0.news.is_empty() || left.is_zero() {
            return Ok(answer.0.news);
        }
        // Whatever came of it, the heads are asked for again.
        if let Ok(Err(Ended)) = timeout(left, next(pass, &mut events)).await {
            events = None;
            let pause = PAUSE.min(wait.saturating_sub(begun.elapsed()));
            sleep(pause).await;
        }
    }
}

/// A stream is no more.
struct Ended;

/// Waits for an event, on the stream that is open or a new one.
async fn next(pass: &Pass, events: &mut Option<Events>) -> Result<(), Ended> {
    let stream = if let Some(stream) = events {
        stream
    } else if let Ok(stream) = Events::open(pass).await {
        events.insert(stream)
    } else {
        sleep(LOOK).await;
        return Err(Ended);
    };
    stream.next().await.map_err(|_| Ended)
}
