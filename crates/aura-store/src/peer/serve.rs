// SPDX-License-Identifier: MIT OR Apache-2.0
//! The side that is asked: other devices' questions, answered from the local store.
//!
//! Whether a device is one of the vault's is looked at with every question; a connection to one that is not any more is
//! closed. How many connections, questions and watches there are at once is bounded, for each device and for all.
//! Source: spec/peer.md, rules PEE-3 and PEE-5 to PEE-8.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use aura_protocol::codec::Encode as _;
use aura_protocol::http::{
    Entries, HasAnswer, HeadsAnswer, HeadsAsk, Problem, ProblemKind, PushAnswer,
};
use aura_protocol::id::{DeviceId, VaultId};
use aura_protocol::limits::READ_ENTRIES_MAX;
use aura_protocol::peer::{Ask, ChunkAnswer, Done, Kind, Outcome, Refusal, WATCH_MS_MAX, WatchAsk};
use aura_protocol::store::{Access, BlindStore as _, StoreError};
use quinn::{Connection, Endpoint, Incoming, RecvStream, SendStream, VarInt};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::door::{Door, Entering};
use super::source::Source;
use super::stream::{self, Broken, SILENCE};
use super::tls::key_of;
use crate::local::LocalStore;
use crate::wait::{self, Bell, lock};

/// How long a device may take until it has shown its key.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long until its first message is there: the one that strangers can hold back without a word of the vault's.
const HELLO: Duration = Duration::from_secs(2);
/// Connections at once.
const CONNECTIONS_MAX: usize = 64;
/// Those of one device; a further one ends its oldest.
const DEVICE_CONNECTIONS_MAX: usize = 4;
/// Questions of one device that are read, worked on and answered at once.
const DEVICE_WORK_MAX: usize = 2;
/// Watches of one device: each holds what its device knows. An own one has one, and another for each line that broke and
/// is not known to.
const DEVICE_WATCHES_MAX: usize = 4;
/// How long a further one waits for its turn.
const WATCH_PATIENCE: Duration = Duration::from_secs(2);
/// Questions of all devices that are worked on at once: however slowly one speaks or listens, it is in nobody's way.
const WORK_MAX: usize = 8;
/// How often it is looked whether a local store is open that was not.
const CLOSED: Duration = Duration::from_secs(1);
/// How long one wait for news lasts at most where nobody waits for it.
const GUARD_MS: u64 = 60 * 1000;

/// Why a connection is closed, as a number: nothing is said in words.
pub(super) const OVER: VarInt = VarInt::from_u32(0);
/// The other side is none of the vault's devices, or not any more.
pub(super) const OUT: VarInt = VarInt::from_u32(1);
/// There are too many connections.
const CROWDED: VarInt = VarInt::from_u32(2);

/// A device's part of the work, one for all of its connections.
pub(super) struct Share {
    work: Semaphore,
    watches: Semaphore,
}

impl Share {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            work: Semaphore::new(DEVICE_WORK_MAX),
            watches: Semaphore::new(DEVICE_WATCHES_MAX),
        })
    }
}

/// A connection, and to whom.
struct Guest {
    device: DeviceId,
    key: [u8; 32],
    connection: Connection,
    share: Arc<Share>,
}

/// What all connections share.
pub(super) struct House {
    pub(super) vault: VaultId,
    pub(super) source: Arc<dyn Source>,
    guests: std::sync::Mutex<Vec<Guest>>,
    pub(super) door: Arc<Door>,
    work: Semaphore,
}

impl House {
    pub(super) fn new(vault: VaultId, source: Arc<dyn Source>) -> Arc<Self> {
        Arc::new(Self {
            vault,
            source,
            guests: std::sync::Mutex::default(),
            door: Arc::default(),
            work: Semaphore::new(WORK_MAX),
        })
    }

    /// Takes note of a connection whose other side has shown its key; whose that is, and its share of the work, if it
    /// may stay.
    pub(super) fn welcome(&self, connection: &Connection) -> Option<(DeviceId, Arc<Share>)> {
        let key = shown(connection);
        let holder = key.and_then(|key| Some((key, self.source.holder(&key)?)));
        let Some((key, device)) = holder else {
            connection.close(OUT, &[]);
            return None;
        };
        let mut guests = lock(&self.guests);
        guests.retain(|guest| guest.connection.close_reason().is_none());
        let is_same = |guest: &Guest| guest.device == device;
        let share = guests.iter().find(|guest| is_same(guest));
        let share = share.map_or_else(Share::new, |guest| Arc::clone(&guest.share));
        if guests.iter().filter(|guest| is_same(guest)).count() >= DEVICE_CONNECTIONS_MAX
            && let Some(oldest) = guests.iter().position(is_same)
        {
            guests.remove(oldest).connection.close(CROWDED, &[]);
        }
        if guests.len() >= CONNECTIONS_MAX {
            connection.close(CROWDED, &[]);
            return None;
        }
        let (connection, shared) = (connection.clone(), Arc::clone(&share));
        guests.push(Guest { device, key, connection, share: shared });
        Some((device, share))
    }

    /// Closes connections to whoever is none of the vault's devices any more.
    fn look_around(&self) {
        let mut guests = lock(&self.guests);
        guests.retain(|guest| {
            let is_in = self.source.holder(&guest.key) == Some(guest.device);
            if !is_in {
                guest.connection.close(OUT, &[]);
            }
            is_in && guest.connection.close_reason().is_none()
        });
    }

    /// The local store, if whoever is at the other end may still ask it.
    pub(super) fn local_for(&self, connection: &Connection) -> Option<Arc<LocalStore>> {
        // One that is closed says nothing about who is in.
        let local = self.source.local()?;
        let is_in = shown(connection).is_some_and(|key| self.source.holder(&key).is_some());
        if !is_in {
            connection.close(OUT, &[]);
            return None;
        }
        Some(local)
    }
}

/// The key that the other side has shown, and proved to have.
fn shown(connection: &Connection) -> Option<[u8; 32]> {
    let identity = connection.peer_identity()?;
    let shown: Vec<rustls::pki_types::CertificateDer<'static>> = *identity.downcast().ok()?;
    key_of(shown.first()?)
}

/// Ends connections as soon as their devices are out, until the node ends.
pub(super) async fn guard(house: Arc<House>) {
    loop {
        let Some(local) = house.source.local() else {
            tokio::time::sleep(CLOSED).await;
            continue;
        };
        let (bell, looking) = (local.bell(), Arc::clone(&house));
        let rung = bell.rung();
        let look = move || {
            looking.look_around();
            drop(local);
        };
        spawn_blocking(look).await.ok();
        bell.wait(rung, wait::deadline(GUARD_MS)).await;
    }
}

/// Lets other devices in, until the endpoint is closed.
pub(super) async fn accept(endpoint: Endpoint, house: Arc<House>) {
    while let Some(incoming) = endpoint.accept().await {
        // Whoever gives a false address is not answered with more than they sent.
        if !incoming.remote_address_validated() {
            incoming.retry().ok();
            continue;
        }
        let Some(entering) = house.door.enter(incoming.remote_address().ip()) else {
            incoming.refuse();
            continue;
        };
        let (id, inside) = (entering.id(), Arc::clone(&house));
        let task = tokio::spawn(async move {
            let connection = greet(incoming, &entering).await;
            drop(entering);
            if let Some(connection) = connection {
                attend(connection, inside).await;
            }
        });
        house.door.is_done_by(id, task.abort_handle());
    }
}

async fn greet(incoming: Incoming, entering: &Entering) -> Option<Connection> {
    let mut connecting = incoming.accept().ok()?;
    timeout(HELLO, connecting.handshake_data()).await.ok()?.ok()?;
    entering.has_begun();
    timeout(HANDSHAKE, connecting).await.ok()?.ok()
}

/// Answers one device until it goes.
async fn attend(connection: Connection, house: Arc<House>) {
    let welcoming = (Arc::clone(&house), connection.clone());
    let welcome = spawn_blocking(move || welcoming.0.welcome(&welcoming.1)).await;
    let Ok(Some((_, share))) = welcome else { return };
    while let Ok((send, recv)) = connection.accept_bi().await {
        let (house, connection) = (Arc::clone(&house), connection.clone());
        let share = Arc::clone(&share);
        tokio::spawn(async move { answer(&house, &connection, &share, (send, recv)).await });
    }
}

/// What was asked was not understood, or not in time.
const MALFORMED: Problem = Problem::new(ProblemKind::Malformed);

/// The device has as many watches as one may have.
const CROWD: Problem = Problem::new(ProblemKind::SlowDown);

type Reply = Result<Vec<u8>, Problem>;

async fn answer(
    house: &Arc<House>,
    connection: &Connection,
    share: &Share,
    (mut send, mut recv): (SendStream, RecvStream),
) -> Option<()> {
    let begin = stream::begin(&mut recv, SILENCE).await.ok()?;
    let Some(kind) = Kind::of_beginning(begin) else {
        return reply(&mut send, Err(MALFORMED)).await.ok();
    };
    let watching = if kind == Kind::Watch {
        let Ok(turn) = timeout(WATCH_PATIENCE, share.watches.acquire()).await else {
            return reply(&mut send, Err(CROWD)).await.ok();
        };
        Some(turn.ok()?)
    } else {
        None
    };
    let own = share.work.acquire().await.ok()?;
    let body = match stream::rest(&mut recv, kind.ask_bytes_max()).await {
        Ok(body) => body,
        Err(Broken::Large) => {
            return reply(&mut send, Err(Problem::new(ProblemKind::TooLarge))).await.ok();
        }
        Err(_) => return None,
    };
    if watching.is_some() {
        let Ok(Ask::Watch(ask)) = Ask::parse(kind, &body) else {
            return reply(&mut send, Err(MALFORMED)).await.ok();
        };
        // It waits, and is in nobody's way.
        drop((own, body));
        return watch(house, connection, share, &mut send, ask).await;
    }
    let at_work = house.work.acquire().await.ok()?;
    let (house, connection) = (Arc::clone(house), connection.clone());
    let done = spawn_blocking(move || {
        let local = house.local_for(&connection)?;
        let reply = see_to(&local, house.vault, kind, &body);
        let has_taken = matches!(kind, Kind::Push | Kind::Put) && reply.is_ok();
        drop(local);
        if has_taken {
            house.source.arrived();
        }
        Some(reply)
    });
    let done = done.await.ok()??;
    drop(at_work);
    reply(&mut send, done).await.ok()
}

async fn reply(send: &mut SendStream, reply: Reply) -> Result<(), Broken> {
    match reply {
        Ok(body) => stream::send(send, Outcome::Done.begin(), &body).await,
        Err(problem) => {
            stream::send(send, Outcome::Refused.begin(), &Refusal(problem).to_bytes()).await
        }
    }
}

/// Does what is asked. The local store's calls do their work before they first yield.
fn see_to(local: &LocalStore, vault: VaultId, kind: Kind, body: &[u8]) -> Reply {
    let ask = Ask::parse(kind, body).map_err(|_| MALFORMED)?;
    tokio::runtime::Handle::current()
        .block_on(ask_local(local, &Access::Vault(vault), ask))
        .map_err(|error| Problem::of_store(&error))
}

async fn ask_local(local: &LocalStore, access: &Access, ask: Ask) -> Result<Vec<u8>, StoreError> {
    Ok(match ask {
        Ask::Heads(HeadsAsk { known }) | Ask::Watch(WatchAsk { heads: HeadsAsk { known }, .. }) => {
            HeadsAnswer(local.heads(access, &known).await?).to_bytes()
        }
        Ask::Push(push) => {
            PushAnswer(local.push(access, &push.head, &push.entries).await?).to_bytes()
        }
        Ask::Read(read) => {
            let limit = usize::try_from(read.limit).unwrap_or(usize::MAX).min(READ_ENTRIES_MAX);
            let entries = local.read(access, read.feed, read.after, limit).await?;
            Entries { entries }.to_bytes()
        }
        Ask::Has(ask) => HasAnswer { has: local.has(access, &ask.names).await? }.to_bytes(),
        Ask::Chunk(ask) => ChunkAnswer { sealed: local.chunk(access, ask.name).await? }.to_bytes(),
        Ask::Put(ask) => {
            local.put(access, ask.name, &ask.sealed).await?;
            Done.to_bytes()
        }
        Ask::Head(ask) => {
            local.head(access, (ask.device, ask.incarnation), ask.at).await?.to_bytes()
        }
    })
}

/// One look at the heads, and by what the next one is known to be due.
struct Looked {
    reply: Reply,
    has_news: bool,
    next: (Arc<Bell>, u64),
}

/// Waits for heads that the other side does not know, as long as it waits, and tells of them. Neither the local store
/// nor a part of the work is held meanwhile: a look takes both, and keeps its own until what it found is told.
async fn watch(
    house: &Arc<House>,
    connection: &Connection,
    share: &Share,
    send: &mut SendStream,
    ask: WatchAsk,
) -> Option<()> {
    let deadline = wait::deadline(ask.wait_ms.min(WATCH_MS_MAX));
    let known = Arc::new(ask.heads.known);
    loop {
        let own = share.work.acquire().await.ok()?;
        let at_work = house.work.acquire().await.ok()?;
        let (house, connection) = (Arc::clone(house), connection.clone());
        let known = Arc::clone(&known);
        let looked = spawn_blocking(move || {
            let local = house.local_for(&connection)?;
            let next = (local.bell(), local.bell().rung());
            let access = Access::Vault(house.vault);
            let heads = local.heads(&access, &known);
            let heads = tokio::runtime::Handle::current().block_on(heads);
            let has_news = heads.as_ref().map_or(true, |heads| !heads.news.is_empty());
            let reply = heads.map(|heads| HeadsAnswer(heads).to_bytes());
            let reply = reply.map_err(|error| Problem::of_store(&error));
            Some(Looked { reply, has_news, next })
        });
        let Looked { reply, has_news, next } = looked.await.ok()??;
        drop(at_work);
        if has_news || Instant::now() >= deadline {
            return self::reply(send, reply).await.ok();
        }
        drop((own, reply));
        let (bell, rung) = next;
        if is_first(send.stopped(), bell.wait(rung, deadline)).await {
            return None;
        }
    }
}

/// Whether the first of two ends before the second.
async fn is_first<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> bool {
    let (mut a, mut b) = (pin!(a), pin!(b));
    poll_fn(|context| match (a.as_mut().poll(context), b.as_mut().poll(context)) {
        (_, Poll::Ready(_)) => Poll::Ready(false),
        (Poll::Ready(_), Poll::Pending) => Poll::Ready(true),
        (Poll::Pending, Poll::Pending) => Poll::Pending,
    })
    .await
}
