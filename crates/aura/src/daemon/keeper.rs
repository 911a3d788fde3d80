// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who keeps the vault: locked or open, for how long, and who may use it right now.
//!
//! Requests use the open vault side by side; locking waits for them and tells the long ones to end.
//! No session outlives its request, so that nothing holds keys once the vault is locked.

use std::mem;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use aura_crypto::entropy::Entropy;
use aura_crypto::kdf::Argon2Params;
use aura_crypto::sign::TransportSigningKey;
use aura_protocol::id::{FeedId, VaultId};
use aura_protocol::store::{LocalLog, StoreError};
use aura_store::local::{LocalStore, OpenError};
use aura_vault::clock::WallClock;
use aura_vault::gate::{Principal, Session};
use aura_vault::home::{self, Home, Kind};
use aura_vault::open::Environment;
use aura_vault::vault::{
    Announce, Credential, Entering, Kit, Locked, SecondStanding, Setup, Unlocked, Vault,
    VaultError, second_wait_ms, wait_ms,
};
use zeroize::Zeroizing;

use crate::exit::{Exit, Failure};
use crate::moment::now_ms;
use crate::secret::Secret;
use crate::wire::{Cost, Second, Way};

/// How long whoever waits for a turn of their own waits between two looks.
const TURN: Duration = Duration::from_millis(10);
/// So often it is looked again whether an assistant has gone by, each time after so long.
const GUEST_PAUSES: u32 = 50;
const GUEST_PAUSE: Duration = Duration::from_millis(1);

/// One assistant at the door, until it is dropped.
struct Inside<'a>(&'a AtomicUsize);

impl<'a> Inside<'a> {
    fn new(guests: &'a AtomicUsize) -> Self {
        guests.fetch_add(1, Ordering::SeqCst);
        Self(guests)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

enum State {
    /// There is no vault in the folder yet.
    Absent,
    Locked(Vault<Locked>),
    Open(Vault<Unlocked>),
    /// Between two states, or given up; else it stays only when something panicked there.
    Lost,
}

/// Keeps the vault of one folder.
pub(crate) struct Keeper {
    home: PathBuf,
    state: RwLock<State>,
    /// The vault's local store, for whoever moves sealed bytes without the vault. It is closed with the vault.
    local: Mutex<Option<(VaultId, Weak<LocalStore>)>>,
    is_locking: AtomicBool,
    /// How many assistants are at the door.
    guests: AtomicUsize,
    /// How often it was locked: what counts until then does not count after.
    locks: AtomicU64,
    /// Whether secrets may have left traces in memory since the process began.
    is_worn: AtomicBool,
    last_use: Mutex<Instant>,
    /// The uses of what is behind the second lock that were last seen, and when there were fewer.
    second_use: Mutex<(u64, Instant)>,
}

/// The system's clock.
struct SystemClock;

impl WallClock for SystemClock {
    fn now_ms(&self) -> i64 {
        now_ms()
    }
}

/// The system's randomness.
pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        if getrandom::fill(bytes).is_err() {
            // Weak keys would be worse than no program.
            std::process::abort();
        }
    }
}

fn environment() -> Environment {
    Environment { clock: Arc::new(SystemClock), entropy: Arc::new(|| Box::new(SystemEntropy)) }
}

pub(crate) fn argon2(cost: Cost) -> Argon2Params {
    match cost {
        Cost::Usual => Argon2Params::DEFAULT,
        Cost::Least => Argon2Params::FLOOR,
    }
}

pub(crate) fn credential(way: Way, secret: Secret) -> Credential {
    match way {
        Way::Password => Credential::Password(secret.into_text()),
        Way::Recovery => Credential::Recovery(secret.into_text()),
    }
}

impl Keeper {
    /// Opens what is in the folder, locked.
    pub(crate) fn load(home: &Path) -> Result<Self, Failure> {
        let (state, local) = if let Ok(Kind::Empty) = Home::new(home).kind() {
            (State::Absent, None)
        } else {
            let (vault, local) = load(home)?;
            (State::Locked(vault), Some(local))
        };
        Ok(Self {
            home: home.to_owned(),
            state: RwLock::new(state),
            local: Mutex::new(local),
            is_locking: AtomicBool::new(false),
            guests: AtomicUsize::new(0),
            locks: AtomicU64::new(0),
            is_worn: AtomicBool::new(false),
            last_use: Mutex::new(Instant::now()),
            second_use: Mutex::new((0, Instant::now())),
        })
    }

    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// Runs `act` with the open vault.
    pub(crate) fn with_open<T>(
        &self,
        act: impl FnOnce(&Vault<Unlocked>, Session) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.touch();
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let result = match &*state {
            State::Open(vault) => act(vault, vault.session(Principal::Owner)),
            State::Absent => Err(VaultError::Absent.into()),
            State::Locked(_) => Err(locked()),
            State::Lost => Err(lost()),
        };
        self.touch();
        result
    }

    /// Runs `act` with the open vault for an assistant: that keeps nobody's vault from being locked for want of use.
    pub(crate) fn with_guest<T>(
        &self,
        act: impl FnOnce(&Vault<Unlocked>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let _inside = Inside::new(&self.guests);
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            State::Open(vault) => act(vault),
            State::Absent => Err(VaultError::Absent.into()),
            State::Locked(_) => Err(locked()),
            State::Lost => Err(lost()),
        }
    }

    /// Runs `act` with the vault's outside, open or not.
    pub(crate) fn with_any<T>(
        &self,
        opened: impl FnOnce(&Vault<Unlocked>, Session) -> Result<T, Failure>,
        shut: impl FnOnce(&Vault<Locked>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            State::Open(vault) => opened(vault, vault.session(Principal::Owner)),
            State::Locked(vault) => shut(vault),
            State::Absent => Err(VaultError::Absent.into()),
            State::Lost => Err(lost()),
        }
    }

    /// Whether there is a vault that a secret would open, and in how many milliseconds it is looked at.
    pub(crate) fn standing(&self) -> (bool, u64) {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let wait = wait_ms(&Home::new(&self.home), now_ms());
        (!matches!(&*state, State::Open(_)), wait)
    }

    /// How the second lock stands, and in how many milliseconds its password is looked at.
    pub(crate) fn second(&self) -> (Second, u64) {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let second = match &*state {
            State::Open(vault) => match vault.second() {
                SecondStanding::Open => Second::Open,
                SecondStanding::Shut => Second::Shut,
                SecondStanding::Absent => Second::Absent,
            },
            State::Locked(vault) if vault.has_second() => Second::Shut,
            _ => Second::Absent,
        };
        (second, second_wait_ms(&Home::new(&self.home), now_ms()))
    }

    /// Shuts the second lock alone: long tasks end at their next record.
    pub(crate) fn lock_second(&self) -> Result<(), Failure> {
        self.is_locking.store(true, Ordering::SeqCst);
        let state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let result = match &*state {
            State::Open(vault) => vault.lock_second().map_err(Failure::from),
            State::Locked(_) => Ok(()),
            State::Absent => Err(VaultError::Absent.into()),
            State::Lost => Err(lost()),
        };
        self.is_locking.store(false, Ordering::SeqCst);
        result
    }

    /// Shuts the second lock when nothing behind it was used for so long and nobody is in the way.
    pub(crate) fn shut_idle_second(&self, idle: Duration) {
        let Ok(state) = self.state.try_write() else { return };
        let State::Open(vault) = &*state else { return };
        if vault.second() != SecondStanding::Open {
            return;
        }
        let mut last = self.second_use.lock().unwrap_or_else(PoisonError::into_inner);
        let uses = vault.second_uses();
        if last.0 != uses {
            *last = (uses, Instant::now());
        } else if last.1.elapsed() >= idle {
            // What could not be made last is in the log, and applied when it is opened next.
            drop(vault.lock_second());
        }
    }

    pub(crate) fn is_absent(&self) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        matches!(&*state, State::Absent | State::Lost)
    }

    /// Makes a vault and leaves it open.
    pub(crate) fn create(&self, setup: &Setup) -> Result<Kit, Failure> {
        self.is_worn.store(true, Ordering::SeqCst);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if !matches!(&*state, State::Absent) {
            return Err(VaultError::Exists.into());
        }
        let folder = Home::new(&self.home).store();
        let make_log = |vault: VaultId| -> Result<Arc<dyn LocalLog>, StoreError> {
            let store =
                LocalStore::create(&folder, vault, Box::new(now_ms)).map_err(plain_store)?;
            let store = Arc::new(store);
            self.keep_local(vault, &store);
            Ok(store)
        };
        let (vault, kit) = Vault::create(&self.home, &make_log, setup, environment())?;
        *state = State::Open(vault);
        self.touch();
        Ok(kit)
    }

    /// Makes the folder the home of a new device of the vault that this store has, and leaves it open.
    pub(crate) fn join(
        &self,
        (vault, store): (VaultId, &Arc<LocalStore>),
        (credential, secret_key): (&Credential, Option<&Zeroizing<String>>),
        as_device: (TransportSigningKey, Announce<'_>),
    ) -> Result<(), Failure> {
        self.is_worn.store(true, Ordering::SeqCst);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if !matches!(&*state, State::Absent) {
            return Err(VaultError::Exists.into());
        }
        let log = Arc::clone(store) as Arc<dyn LocalLog>;
        let with = (credential, secret_key);
        let environment_here = environment();
        let joined =
            Vault::<Locked>::join_as(&self.home, (vault, log), with, as_device, &environment_here)?;
        self.keep_local(vault, store);
        let (next, result) = match joined.unlock(credential, environment()) {
            Ok(vault) => (State::Open(vault), Ok(())),
            Err((vault, error)) => (State::Locked(vault), Err(error.into())),
        };
        *state = next;
        self.touch();
        result
    }

    /// Makes the folder the home of a device that was let in by a code, and leaves it open.
    pub(crate) fn enter(&self, store: &Arc<LocalStore>, entering: Entering) -> Result<(), Failure> {
        self.is_worn.store(true, Ordering::SeqCst);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if !matches!(&*state, State::Absent) {
            return Err(VaultError::Exists.into());
        }
        let (id, log) = (entering.vault(), Arc::clone(store) as Arc<dyn LocalLog>);
        let vault = Vault::<Locked>::enter(&self.home, log, entering, environment())?;
        self.keep_local(id, store);
        *state = State::Open(vault);
        self.touch();
        Ok(())
    }

    fn keep_local(&self, vault: VaultId, store: &Arc<LocalStore>) {
        *self.local.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((vault, Arc::downgrade(store)));
    }

    /// The vault's local store, whether the vault is open or not.
    pub(crate) fn local(&self) -> Option<(VaultId, Arc<LocalStore>)> {
        let local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        local.as_ref().and_then(|(vault, store)| Some((*vault, store.upgrade()?)))
    }

    /// Whether the vault is open, as far as can be seen without waiting.
    pub(crate) fn is_open(&self) -> bool {
        self.state.try_read().is_ok_and(|state| matches!(&*state, State::Open(_)))
    }

    /// Takes in what came from other devices. Says whether that was done: not while long tasks use the vault
    /// for longer than `patience`, nor in a locked one, which does it when it is opened.
    pub(crate) fn take_in(&self, patience: Duration) -> Result<bool, Failure> {
        self.alone(patience, &mut |vault| Ok(vault.take_in()?))
    }

    /// Reads again what was set aside, once the local store was healed. Says whether that was done.
    pub(crate) fn try_again(&self, patience: Duration) -> Result<bool, Failure> {
        self.alone(patience, &mut |vault| Ok(vault.try_again()?))
    }

    /// Leaves a life of this device that forked (REP-22), and says whether that was done, as [`Keeper::take_in`].
    pub(crate) fn leave_fork(
        &self,
        common: &[(FeedId, u64)],
        patience: Duration,
    ) -> Result<bool, Failure> {
        self.alone(patience, &mut |vault| Ok(vault.leave_fork(common)?))
    }

    /// Runs `act` with the open vault, alone, once nobody uses it. Says whether that was done.
    fn alone(
        &self,
        patience: Duration,
        act: &mut dyn FnMut(&mut Vault<Unlocked>) -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        let begun = Instant::now();
        loop {
            // Waiting in line would hold up everybody who comes after a long task.
            let mut state = match self.state.try_write() {
                Ok(state) => Some(state),
                Err(TryLockError::Poisoned(state)) => Some(state.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            };
            match state.as_deref_mut() {
                Some(State::Open(vault)) => {
                    act(vault)?;
                    return Ok(true);
                }
                Some(_) => return Ok(false),
                None if self.is_locking() || begun.elapsed() >= patience => return Ok(false),
                None => thread::sleep(TURN),
            }
        }
    }

    /// Puts on the record that a store was not as it should be. Says whether that was done.
    pub(crate) fn record_anomaly(&self, count: u64) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            State::Open(vault) => vault.session(Principal::System).record_anomaly(count).is_ok(),
            _ => false,
        }
    }

    /// Opens the vault; an open one stays open.
    pub(crate) fn unlock(&self, credential: &Credential) -> Result<(), Failure> {
        self.is_worn.store(true, Ordering::SeqCst);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let (next, result) = match mem::replace(&mut *state, State::Lost) {
            State::Locked(vault) => match vault.unlock(credential, environment()) {
                Ok(vault) => (State::Open(vault), Ok(())),
                Err((vault, error)) => (State::Locked(vault), Err(error.into())),
            },
            State::Open(vault) => (State::Open(vault), Ok(())),
            State::Absent => (State::Absent, Err(VaultError::Absent.into())),
            State::Lost => (State::Lost, Err(lost())),
        };
        *state = next;
        self.touch();
        result
    }

    /// How often the vault was locked.
    pub(crate) fn locks(&self) -> u64 {
        self.locks.load(Ordering::SeqCst)
    }

    /// Locks the vault: long tasks end at their next record, keys are wiped.
    pub(crate) fn lock(&self) -> Result<(), Failure> {
        self.is_locking.store(true, Ordering::SeqCst);
        self.locks.fetch_add(1, Ordering::SeqCst);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let (next, result) = match mem::replace(&mut *state, State::Lost) {
            State::Open(vault) => {
                let (vault, result) = vault.lock();
                (State::Locked(vault), result.map_err(Failure::from))
            }
            other => (other, Ok(())),
        };
        *state = next;
        self.is_locking.store(false, Ordering::SeqCst);
        self.touch();
        result
    }

    /// Locks the vault and lets go of it, so that its files are closed in order.
    pub(crate) fn close(&self) -> Result<(), Failure> {
        let result = self.lock();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        *state = State::Lost;
        result
    }

    /// Whether the process has been used for secrets.
    pub(crate) fn is_worn(&self) -> bool {
        self.is_worn.load(Ordering::SeqCst)
    }

    /// Lets go of a locked vault's files in order; says whether there was one. An open one stays open.
    pub(crate) fn let_go(&self) -> bool {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let is_locked = matches!(&*state, State::Locked(_));
        if is_locked {
            *state = State::Lost;
        }
        is_locked
    }

    /// Takes up the vault again that was let go of.
    pub(crate) fn take_up(&self) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if let (State::Lost, Ok((vault, (id, local)))) = (&*state, load(&self.home)) {
            *state = State::Locked(vault);
            *self.local.lock().unwrap_or_else(PoisonError::into_inner) = Some((id, local));
        }
    }

    /// Runs `act` with the open vault itself, alone.
    pub(crate) fn with_open_mut<T>(
        &self,
        act: impl FnOnce(&mut Vault<Unlocked>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State::Open(vault) => act(vault),
            State::Absent => Err(VaultError::Absent.into()),
            State::Locked(_) => Err(locked()),
            State::Lost => Err(lost()),
        }
    }

    /// Whether a long task should end, because the vault is being locked.
    pub(crate) fn is_locking(&self) -> bool {
        self.is_locking.load(Ordering::SeqCst)
    }

    /// Upkeep, once a second, when nobody is in the way.
    pub(crate) fn tick(&self) {
        if let Ok(state) = self.state.try_read()
            && let State::Open(vault) = &*state
        {
            // What could not be written is counted still, and written the next time.
            drop(vault.session(Principal::System).tick());
        }
    }

    /// For how long nobody has used the vault. Nothing while somebody does.
    pub(crate) fn idle(&self) -> Duration {
        for _ in 0..GUEST_PAUSES {
            if self.state.try_write().is_ok() {
                return self.last_use().elapsed();
            }
            // An assistant is at the door for a moment; that is no use.
            if self.guests.load(Ordering::SeqCst) == 0 {
                break;
            }
            thread::sleep(GUEST_PAUSE);
        }
        // A long task holds the state: it is in use, whenever it began.
        self.touch();
        self.last_use().elapsed()
    }

    pub(crate) fn touch(&self) {
        *self.last_use() = Instant::now();
    }

    fn last_use(&self) -> MutexGuard<'_, Instant> {
        self.last_use.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Loaded = (Vault<Locked>, (VaultId, Weak<LocalStore>));

fn load(home: &Path) -> Result<Loaded, Failure> {
    let id = Vault::identify(home)?;
    // DIR-14: one that joined has its marker, whatever came then.
    home::remove(&Home::new(home).joining()).ok();
    let store = Arc::new(LocalStore::open(&Home::new(home).store(), Box::new(now_ms))?);
    let local = Arc::downgrade(&store);
    Ok((Vault::load(home, store)?, (id, local)))
}

fn plain_store(error: OpenError) -> StoreError {
    match error {
        OpenError::Store(error) => error,
        OpenError::Io(error) => StoreError::Io(error),
        OpenError::Full => StoreError::Full,
        other => StoreError::Database(Box::new(other)),
    }
}

fn locked() -> Failure {
    Failure::new(Exit::Locked, "The vault is locked.")
        .safe("Nothing was read or changed.")
        .next("Run `aura unlock`, or name a file with the password: --password-file FILE.")
}

fn lost() -> Failure {
    Failure::new(Exit::Failed, "The daemon is in a state that it should never be in.")
        .safe("Nothing that was stored is lost.")
        .next("Stop it with `aura lock --stop` and run the command again.")
}
