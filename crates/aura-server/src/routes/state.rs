// SPDX-License-Identifier: MIT OR Apache-2.0
//! What all answers share: accounts, vaults, tokens, limits.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aura_protocol::auth::opaque::Setup;
use aura_protocol::auth::{ServerKey, Token};
use aura_protocol::http::ProblemKind;
use aura_protocol::id::VaultId;
use aura_protocol::limits::PUSH_BYTES_MAX;
use aura_protocol::log::AccessKind;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::accounts::{Account, AccountBook};
use crate::backing::Backing;
use crate::bell::{Bells, News};
use crate::boxes::Mail;
use crate::config::{Config, Registration};
use crate::crowd::{Crowd, Place};
use crate::guard::Guard;
use crate::listing::Listing;
use crate::metrics::Metrics;
use crate::problem::Refusal;
use crate::secrets::{self, LogKey};
use crate::token::{Passes, Scope, Session};
use crate::vaults::{Heard, Hosted, Now, Vaults};

/// Bytes of large bodies that are held at once, in KiB: eight of the largest pushes.
const BODIES_KIB: usize = (8 * PUSH_BYTES_MAX) >> 10;
/// Bytes of answers that are held at once, in KiB.
const ANSWERS_KIB: usize = 512 << 10;
/// Requests of one source at once.
const SOURCE_REQUESTS: u32 = 128;
/// What is done for one vault at once, and its large bodies, watchers and answers that nobody has read yet.
const VAULT_WORKS: u32 = 32;
const VAULT_BODIES: u32 = 2;
const VAULT_WATCHERS: u32 = 256;
const VAULT_ANSWERS: u32 = 64;
/// Above so many bytes a body takes one of its vault's places.
const LARGE_BYTES: usize = 1 << 20;
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
    answers: Arc<Semaphore>,
    asking: Arc<Crowd<IpAddr>>,
    working: Arc<Crowd<VaultId>>,
    sending: Arc<Crowd<VaultId>>,
    reading: Arc<Crowd<VaultId>>,
    sources: DefaultKeyedRateLimiter<IpAddr>,
    owners: DefaultKeyedRateLimiter<VaultId>,
}

fn per_second(count: u32) -> Quota {
    Quota::per_second(std::num::NonZeroU32::new(count).unwrap_or(std::num::NonZeroU32::MIN))
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
            answers: Arc::new(Semaphore::new(ANSWERS_KIB)),
            watchers: Crowd::new(VAULT_WATCHERS),
            asking: Crowd::new(SOURCE_REQUESTS),
            working: Crowd::new(VAULT_WORKS),
            sending: Crowd::new(VAULT_BODIES),
            reading: Crowd::new(VAULT_ANSWERS),
            sources: RateLimiter::keyed(per_second(limits.open_per_second)),
            owners: RateLimiter::keyed(per_second(limits.account_per_second)),
            config,
        }
    }

    /// A place for one request more of a source; nothing if it has asked for too much at once.
    pub(super) fn admit(&self, source: IpAddr) -> Option<Place<IpAddr>> {
        self.asking.enter(source)
    }

    /// Room for a large body of so many bytes, for one vault if it is known.
    pub(super) async fn room(&self, vault: Option<VaultId>, bytes: usize) -> Result<Room, Refusal> {
        let vault = vault.filter(|_| bytes > LARGE_BYTES);
        let place = vault.map(|vault| {
            let place = self.sending.enter(vault);
            place.ok_or_else(|| Refusal::later(ProblemKind::SlowDown, 1))
        });
        let place = place.transpose()?;
        Ok((place, room(&self.bodies, bytes).await?))
    }

    /// Room for an answer of so many bytes, for one vault, until it is read.
    pub(super) async fn answer(&self, vault: VaultId, bytes: usize) -> Result<Room, Refusal> {
        let place = self.reading.enter(vault);
        let place = place.ok_or_else(|| Refusal::later(ProblemKind::SlowDown, 1))?;
        Ok((Some(place), room(&self.answers, bytes).await?))
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
            server.tokens.tidy()?;
            server.boxes.sweep()?;
            Ok(server.vaults.hosting().sweep()?)
        });
        // Next time, if not now.
        tidied.await.ok();
        self.sources.retain_recent();
        self.sources.shrink_to_fit();
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
        self.sources.check_key(&source).map_err(|_| Refusal::later(ProblemKind::SlowDown, 1))
    }

    /// Who has this token, and bounds what they ask for.
    pub(super) async fn session(
        self: &Arc<Self>,
        token: Option<Token>,
    ) -> Result<Session, Refusal> {
        let token = token.ok_or(ProblemKind::Unauthenticated)?;
        let session = if self.tokens.is_near() {
            self.tokens.session(&token)?
        } else {
            self.work(move |server| Ok(server.tokens.session(&token)?)).await?
        };
        let session = session.ok_or(ProblemKind::Unauthenticated)?;
        let within = self.owners.check_key(&session.vault);
        within.map_err(|_| Refusal::later(ProblemKind::SlowDown, 1))?;
        Ok(session)
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
        let place = self.working.enter(session.vault);
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

/// A vault's place, and bytes of the server's memory.
pub(super) type Room = (Option<Place<VaultId>>, OwnedSemaphorePermit);

async fn room(of: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
    let kib = u32::try_from((bytes >> 10) + 1).unwrap_or(u32::MAX);
    let waited = timeout(ROOM, Arc::clone(of).acquire_many_owned(kib)).await;
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
