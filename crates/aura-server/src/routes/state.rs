// SPDX-License-Identifier: MIT OR Apache-2.0
//! What all answers share: accounts, vaults, tokens, limits.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use aura_protocol::auth::login::Setup;
use aura_protocol::auth::{ServerKey, Token};
use aura_protocol::http::ProblemKind;
use aura_protocol::id::VaultId;
use aura_protocol::limits::PUSH_BYTES_MAX;
use aura_protocol::log::AccessKind;
use governor::{DefaultKeyedRateLimiter, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::accounts::{Account, AccountBook, AccountError, take_away};
use crate::backing::Backing;
use crate::bell::{Bells, News};
use crate::boxes::Mail;
use crate::config::{Config, Registration};
use crate::crowd::{Crowd, LinePlace, Lines, Place};
use crate::guard::Guard;
use crate::listing::Listing;
use crate::metrics::Metrics;
use crate::problem::Refusal;
use crate::rate::{Rates, per_second};
use crate::secrets::{self, LogKey};
use crate::token::{Passes, Scope, Session};
use crate::vaults::{Heard, Hosted, Now, Vaults};

/// Bytes of vaults' bodies that are held at once, in KiB: eight of the largest pushes.
const BODIES_KIB: usize = (8 * PUSH_BYTES_MAX) >> 10;
/// Bytes of bodies that come without a token, in KiB: they keep nobody from the room of the vaults.
const STRANGERS_KIB: usize = 16 << 10;
/// Bytes of answers that are held at once, in KiB.
const ANSWERS_KIB: u32 = 512 << 10;
/// Requests of one source at once, and those of them with a body that wants room and no token.
const SOURCE_REQUESTS: u32 = 128;
const SOURCE_BODIES: u32 = 2;
/// What is done for one vault at once, its watchers, and its answers that nobody has read yet.
const VAULT_WORKS: u32 = 32;
const VAULT_WATCHERS: u32 = 256;
const VAULT_ANSWERS: u32 = 64;
/// What of those rooms one vault may have, in KiB: two of the largest pushes, and an eighth of the answers.
#[expect(clippy::cast_possible_truncation, reason = "some megabytes")]
const VAULT_BODIES_KIB: u32 = (BODIES_KIB / 4) as u32 + 2;
const VAULT_ANSWERS_KIB: u32 = ANSWERS_KIB / 8;
/// How long a request waits for its turn among those of its vault: all of its devices ask at once when one has written.
const TURN: Duration = Duration::from_secs(2);
/// How long a request waits for room.
const ROOM: Duration = Duration::from_secs(20);

/// Everything that a server is made of.
pub(crate) struct Start {
    pub(crate) config: Config,
    pub(crate) backing: Backing,
    pub(crate) setup: Setup,
    pub(crate) key: ServerKey,
    pub(crate) log: LogKey,
    pub(crate) now_ms: Now,
}

/// A server at work.
pub(crate) struct Server {
    pub(crate) config: Config,
    pub(crate) accounts: Arc<dyn AccountBook>,
    pub(crate) setup: Setup,
    pub(crate) vaults: Vaults,
    pub(crate) tokens: Arc<dyn Passes>,
    pub(crate) guard: Guard,
    pub(crate) bells: Bells,
    pub(super) boxes: Arc<dyn Mail>,
    pub(crate) metrics: Metrics,
    pub(crate) now_ms: Now,
    pub(super) log: LogKey,
    key: RwLock<ServerKey>,
    is_stopping: AtomicBool,
    /// How many accounts were closed when that was looked at last.
    closed: AtomicI64,
    pub(super) watchers: Arc<Crowd<VaultId>>,
    requests: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    answers: Arc<Semaphore>,
    asking: Lines,
    opening: Lines,
    pub(super) working: Arc<Crowd<VaultId>>,
    sending: Arc<Crowd<VaultId>>,
    reading: Arc<Crowd<VaultId>>,
    unread: Arc<Crowd<VaultId>>,
    rates: Rates,
    owners: DefaultKeyedRateLimiter<VaultId>,
}

impl Server {
    pub(crate) fn new(start: Start) -> Self {
        let Start { config, backing, setup, key, log, now_ms } = start;
        let Backing { accounts, passes, boxes, hosting } = backing;
        let limits = config.limits;
        Self {
            vaults: Vaults::new(hosting, limits.open_vaults),
            accounts,
            setup,
            tokens: passes,
            guard: Guard::default(),
            bells: Bells::default(),
            boxes,
            metrics: Metrics::default(),
            now_ms,
            log,
            key: RwLock::new(key),
            is_stopping: AtomicBool::new(false),
            closed: AtomicI64::new(0),
            requests: Arc::new(Semaphore::new(limits.requests)),
            bodies: Arc::new(Semaphore::new(BODIES_KIB)),
            strangers: Arc::new(Semaphore::new(STRANGERS_KIB)),
            answers: Arc::new(Semaphore::new(usize::try_from(ANSWERS_KIB).unwrap_or(usize::MAX))),
            watchers: Crowd::new(VAULT_WATCHERS),
            asking: Lines::new(SOURCE_REQUESTS),
            opening: Lines::new(SOURCE_BODIES),
            working: Crowd::new(VAULT_WORKS),
            sending: Crowd::new(VAULT_BODIES_KIB),
            reading: Crowd::new(VAULT_ANSWERS),
            unread: Crowd::new(VAULT_ANSWERS_KIB),
            rates: Rates::new(limits.open_per_second),
            owners: RateLimiter::keyed(per_second(limits.account_per_second)),
            config,
        }
    }

    /// A place for one request more of a source; nothing if it has asked for too much at once.
    pub(super) fn admit(&self, source: IpAddr) -> Option<LinePlace> {
        self.asking.enter(source)
    }

    /// Room for a body of so many bytes.
    pub(super) async fn room(&self, of: Owner, bytes: usize) -> Result<BodyRoom, Refusal> {
        let slow = || Refusal::later(ProblemKind::SlowDown, 1);
        match of {
            Owner::Vault(vault) => {
                let place = self.sending.enter_with(vault, kib(bytes)).ok_or_else(slow)?;
                let permit = room(&self.bodies, bytes).await?;
                Ok(BodyRoom { _place: Ok(place), _permit: permit })
            }
            Owner::Stranger(source) => {
                let place = self.opening.enter(source).ok_or_else(slow)?;
                let permit = room(&self.strangers, bytes).await?;
                Ok(BodyRoom { _place: Err(place), _permit: permit })
            }
        }
    }

    /// A place for an answer of a vault's, until it is read.
    pub(super) fn answering(&self, vault: VaultId) -> Result<Place<VaultId>, Refusal> {
        let place = self.reading.enter(vault);
        place.ok_or_else(|| Refusal::later(ProblemKind::SlowDown, 1))
    }

    /// Room for an answer of at most so many bytes, for one vault, until it is read.
    pub(super) async fn answer(&self, vault: VaultId, bytes: usize) -> Result<Room, Refusal> {
        let place = self.answering(vault)?;
        Ok(Room { vault, place, permit: room(&self.answers, bytes).await? })
    }

    /// Room for an answer that is there already, which is not kept until there is some.
    pub(super) fn answered(
        &self,
        (vault, place): (VaultId, Place<VaultId>),
        bytes: usize,
    ) -> Result<Room, Refusal> {
        let permit = Arc::clone(&self.answers).try_acquire_many_owned(kib(bytes));
        let permit = permit.map_err(|_| Refusal::later(ProblemKind::Busy, 1))?;
        Ok(Room { vault, place, permit })
    }

    /// What an answer takes of its vault's share until it is read.
    pub(super) fn share(&self, vault: VaultId, kib: u32) -> Result<Place<VaultId>, Refusal> {
        let share = self.unread.enter_with(vault, kib);
        share.ok_or_else(|| Refusal::later(ProblemKind::SlowDown, 1))
    }

    /// The key that it takes for its own.
    pub(crate) fn key(&self) -> ServerKey {
        *self.key.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its certificate was read again.
    pub(crate) fn change_key(&self, key: ServerKey) {
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = key;
    }

    /// From now on it is not ready.
    pub(crate) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// Forgets sources and accounts that have not asked for a while, and shuts what has no account any more.
    pub(crate) async fn tidy(self: &Arc<Self>) {
        let tidied = self.work(|server| {
            server.look_for_closed();
            server.take_away_closed();
            server.tokens.tidy()?;
            server.boxes.sweep()?;
            Ok(server.vaults.hosting().sweep()?)
        });
        // Next time, if not now.
        tidied.await.ok();
        self.rates.tidy(Instant::now());
        self.owners.retain_recent();
        self.owners.shrink_to_fit();
    }

    pub(super) async fn check_ready(self: &Arc<Self>) -> Result<(), Refusal> {
        if self.is_stopping() {
            return Err(ProblemKind::Busy.into());
        }
        self.work(|server| {
            let asked = server.accounts.of_vault(VaultId([0; 32]));
            asked.map(|_| ()).map_err(Refusal::from)
        })
        .await
    }

    /// Bounds what one source asks for without a token.
    pub(super) fn slow_source(&self, source: IpAddr) -> Result<(), Refusal> {
        let is_passed = self.rates.is_passed(source);
        if is_passed { Err(Refusal::later(ProblemKind::SlowDown, 1)) } else { Ok(()) }
    }

    /// Who has this token, and bounds what they ask for.
    pub(super) async fn session(
        self: &Arc<Self>,
        (token, source): (Option<Token>, IpAddr),
    ) -> Result<Session, Refusal> {
        let token = token.ok_or(ProblemKind::Unauthenticated)?;
        let session = if self.tokens.is_near() {
            self.tokens.session(&token)?
        } else {
            self.far_session(token, source).await?
        };
        let session = session.ok_or(ProblemKind::Unauthenticated)?;
        let within = self.owners.check_key(&session.vault);
        within.map_err(|_| Refusal::later(ProblemKind::SlowDown, 1))?;
        Ok(session)
    }

    /// The same of tokens that a database keeps: whoever makes them up asks it no more often than for anything else.
    async fn far_session(
        self: &Arc<Self>,
        token: Token,
        source: IpAddr,
    ) -> Result<Option<Session>, Refusal> {
        if self.rates.is_spent(source, Instant::now()) {
            return Err(Refusal::later(ProblemKind::SlowDown, 1));
        }
        let found = self.work(move |server| Ok(server.tokens.session(&token)?)).await?;
        if found.is_none() {
            self.rates.made_up(source, Instant::now());
        }
        Ok(found)
    }

    /// What another node did may change what is kept here, and wakes who waits.
    pub(crate) fn hear(&self, heard: Heard) {
        match heard {
            Heard::Heads(vault) => {
                self.vaults.doubt(vault);
                self.bells.ring(vault, News::Heads);
            }
            Heard::Devices(vault) => {
                self.vaults.doubt(vault);
                self.bells.ring(vault, News::Devices);
            }
            Heard::Anything => self.bells.ring_all(),
        }
    }

    /// Shuts what has no account any more: another program may have closed one.
    fn look_for_closed(&self) {
        let Ok(closed) = self.accounts.closed() else { return };
        if self.closed.swap(closed, Ordering::Relaxed) != closed {
            self.vaults.keep(|vault| !matches!(self.accounts.of_vault(vault), Ok(None)));
        }
    }

    /// Takes away what is left of accounts that were closed by whoever was cut short (ACC-14).
    fn take_away_closed(&self) {
        let closing = self.accounts.closing().unwrap_or_default();
        closing.into_iter().for_each(|vault| self.try_take_away(vault));
    }

    /// Takes away what is kept for a closed account; what is left is taken away by whoever looks next.
    pub(super) fn try_take_away(&self, vault: VaultId) {
        if let Err(error) = self.take_away(vault) {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "a closed account's vault is not taken away yet");
        }
    }

    /// Takes away what is kept for a closed account, if nobody else is at it.
    pub(super) fn take_away(&self, vault: VaultId) -> Result<(), AccountError> {
        take_away(&*self.accounts, vault, || {
            self.tokens.forget(vault)?;
            self.vaults.remove(vault)?;
            self.vaults.hosting().tell(vault)
        })
    }

    /// Does what blocks, where that may be done.
    pub(super) async fn work<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let server = Arc::clone(self);
        // It goes with the work: who gives up while that waits for its turn does not make room for more of it.
        let turn = timeout(ROOM, Arc::clone(&self.requests).acquire_owned()).await;
        let turn = turn.map_err(|_| Refusal::later(ProblemKind::Busy, 1))?;
        let done = spawn_blocking(move || {
            // Whoever shares a database asks it with every request for a vault.
            if !server.vaults.hosting().is_shared() {
                server.look_for_closed();
            }
            let done = work(&server);
            drop(turn);
            done
        })
        .await;
        done.unwrap_or_else(|_| Err(ProblemKind::Internal.into()))
    }

    /// Does something with the vault and the account of a session that counts still (ACC-5).
    pub(super) async fn with_vault<T: Send + 'static>(
        self: &Arc<Self>,
        session: Session,
        work: impl FnOnce(&Self, &Hosted, &Account) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let place = self.working.wait(session.vault, TURN).await;
        let place = place.ok_or_else(|| Refusal::later(ProblemKind::SlowDown, 1))?;
        self.work(move |server| {
            let _place = place;
            let account = server.accounts.of_vault(session.vault)?;
            let account = account.ok_or(ProblemKind::Unauthenticated)?;
            let hosted = server.vaults.hosted(session.vault)?;
            let done = check(&session, &*server.listing(&hosted)?)
                .and_then(|()| work(server, &hosted, &account));
            if let Err(refusal) = &done {
                note_refusal(&hosted, &session, refusal);
            }
            done
        })
        .await
    }

    /// Who may ask for a vault (ACC-5, ACC-13).
    pub(super) fn listing(&self, hosted: &Hosted) -> Result<Arc<Listing>, Refusal> {
        let vault = hosted.store().vault();
        hosted.listing(|own| {
            let kept = self.accounts.listing(vault)?;
            match own {
                Some(own) if own.covers(&kept) => {
                    if own != kept {
                        self.accounts.keep_listing(vault, (&kept, &own))?;
                    }
                    Ok(own)
                }
                Some(own) => Ok(kept.with(&own)),
                None => Ok(kept),
            }
        })
    }

    /// Bytes that an account may keep.
    pub(super) fn quota(&self, account: &Account) -> u64 {
        account.quota_bytes.unwrap_or(self.config.quota_bytes)
    }

    pub(super) fn registration(&self) -> Registration {
        self.config.registration
    }
}

/// Whose body wants room.
#[derive(Debug, Clone, Copy)]
pub(super) enum Owner {
    Vault(VaultId),
    /// Nobody has shown a token.
    Stranger(IpAddr),
}

/// A body's places, and bytes of the server's memory.
pub(super) struct BodyRoom {
    _place: Result<Place<VaultId>, LinePlace>,
    _permit: OwnedSemaphorePermit,
}

/// An answer's place among its vault's, and bytes of the server's memory.
pub(super) struct Room {
    pub(super) vault: VaultId,
    pub(super) place: Place<VaultId>,
    pub(super) permit: OwnedSemaphorePermit,
}

fn kib(bytes: usize) -> u32 {
    u32::try_from((bytes >> 10) + 1).unwrap_or(u32::MAX)
}

async fn room(of: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
    let waited = timeout(ROOM, Arc::clone(of).acquire_many_owned(kib(bytes))).await;
    let busy = || Refusal::later(ProblemKind::Busy, 5);
    waited.map_err(|_| busy())?.map_err(|_| busy())
}

/// What was asked without a right to it stands in the access log (ACL-2).
fn note_refusal(hosted: &Hosted, session: &Session, Refusal(problem): &Refusal) {
    let is_right = !matches!(
        problem.kind,
        ProblemKind::Unauthenticated
            | ProblemKind::Forbidden
            | ProblemKind::Refused
            | ProblemKind::Fork
    );
    if let (false, Some(log)) = (is_right, hosted.log()) {
        log.note(AccessKind::Refused, session.device(), 1);
    }
}

/// ACC-5: a token counts while its device is listed, an enrolment token until the device that it listed is out.
fn check(session: &Session, listing: &Listing) -> Result<(), Refusal> {
    let is_in = match session.scope {
        Scope::Device(device) => listing.member(device).is_some(),
        Scope::Enrolment(transport) => !listing.has_out(&transport),
    };
    if is_in { Ok(()) } else { Err(ProblemKind::Unauthenticated.into()) }
}

/// Bytes that nobody can guess.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Refusal> {
    let mut bytes = [0; N];
    secrets::fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "the operating system has no randomness");
        Refusal::from(ProblemKind::Internal)
    })?;
    Ok(bytes)
}
