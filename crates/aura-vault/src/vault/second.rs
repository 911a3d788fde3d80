// SPDX-License-Identifier: MIT OR Apache-2.0
//! The second lock of an open vault: made, opened, shut, and given another password.
//!
//! What is behind it has keys, database and index of its own, which the root key alone does not open.
//! A wrong second password is counted apart from the first lock's, and is on the record at once, since
//! the vault is open. Source: spec/keys.md, KEY-13; spec/keyring.md, KRG-7 to KRG-10; rule DIR-12.

use std::sync::{Arc, PoisonError};

use aura_crypto::aead::Hedge;
use aura_crypto::entropy::Entropy;
use aura_crypto::kdf::Argon2Params;
use aura_crypto::slot::{self, SecondLockSecrets, SlotError};
use aura_protocol::authority::{Claim, Roster, SecondLock, SignedStatement, Statement};
use aura_protocol::codec::Extra;
use aura_protocol::id::{CollectionId, EpochId, VaultId};
use zeroize::Zeroizing;

use super::attempts::Attempts;
use super::slots;
use super::statement::{random_nonce, sign};
use super::unlock::{self, event};
use super::{Credential, Unlocked, Vault, VaultError};
use crate::audit::{Action, Event, Outcome};
use crate::device::Device;
use crate::feed::{Batch, Commit, FeedError, Pen};
use crate::home;
use crate::keyring::{Keyring, Purpose, RootKeys, ViewKeys};
use crate::op::{Change, Op};
use crate::open::{Open, OpenError, Side, decode_positions, lock, settle_side};
use crate::record::Category;
use crate::views::Views;

const FILE: &str = "second";

/// How the second lock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondStanding {
    /// There is none: everything shares the first lock.
    Absent,
    /// It is shut.
    Shut,
    /// It is open.
    Open,
}

/// A second lock to be made.
pub(super) struct NewSecond {
    pub(super) listed: SecondLock,
    pub(super) secrets: SecondLockSecrets,
}

impl NewSecond {
    /// A lock for a second password, with this counter (AUT-20).
    pub(super) fn new(
        password: &str,
        cost: Argon2Params,
        (vault, roots): (VaultId, &RootKeys),
        counter: u32,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, VaultError> {
        let params = slot::password_params(cost, entropy);
        let lock = EpochId { counter, nonce: random_nonce(entropy) };
        let keys = aura_protocol::authority::SlotKeys { sign: [0; 32], kem: Box::new([0; 1216]) };
        let mut listed = SecondLock { lock, generation: roots.generation, params, keys };
        let base = roots.second_base(vault, &listed).ok_or(VaultError::Damaged("store"))?;
        let secrets = SecondLockSecrets::derive(&base, &slot::second_factor(password, &params)?);
        listed.keys = secrets.public();
        Ok(Self { listed, secrets })
    }

    /// What lists the lock: by the device, by itself, and by the lock in whose place it comes.
    pub(super) fn statement(
        &self,
        vault: VaultId,
        device: &Device,
        former: Option<&SecondLockSecrets>,
    ) -> SignedStatement {
        let claim = Claim::Second(self.listed.clone());
        let statement = Statement { vault: Some(vault), claim, clock: 0, extra: Extra::default() };
        match former {
            None => sign(&statement, &[&device.sign, &self.secrets.sign]),
            Some(former) => sign(&statement, &[&device.sign, &former.sign, &self.secrets.sign]),
        }
    }
}

/// Whether a category goes behind the second lock.
pub(super) fn is_behind(purpose: Purpose) -> bool {
    matches!(purpose, Purpose::Category(category) if category.is_second_locked_by_default())
}

impl Vault<Unlocked> {
    /// How the second lock stands.
    pub fn second(&self) -> SecondStanding {
        match (self.roster.second_lock(), self.open().second()) {
            (None, _) => SecondStanding::Absent,
            (Some(_), None) => SecondStanding::Shut,
            (Some(_), Some(_)) => SecondStanding::Open,
        }
    }

    /// How often something behind the second lock was used: while this does not change, nobody uses it.
    pub fn second_uses(&self) -> u64 {
        self.open().second_uses.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Opens the second lock; an open one stays open.
    ///
    /// # Errors
    /// [`VaultError::SecondSecret`] for every wrong password alike; it was counted.
    pub fn unlock_second(&self, password: &str) -> Result<(), VaultError> {
        let _turn = lock(&self.open().second_turn);
        if self.second() == SecondStanding::Open {
            return Ok(());
        }
        let secrets = self.second_secrets(password)?;
        self.enter_second(&secrets)
    }

    /// Opens what is behind the lock in force, whose secrets these are.
    pub(super) fn enter_second(&self, secrets: &SecondLockSecrets) -> Result<(), VaultError> {
        let open = self.open();
        let listed = self.roster.second_lock().ok_or(VaultError::NoSecond)?;
        {
            // Nobody writes while keys are there and views are not.
            let _writing = lock(&open.pen);
            change_keyring(open, |keyring| keyring.open_second(listed.lock, secrets));
            match self.bring_up_second(listed, secrets) {
                Ok(views) => *lock(&open.second) = Some(Arc::new(views)),
                Err(error) => {
                    change_keyring(open, Keyring::shut_second);
                    return Err(error);
                }
            }
        }
        open.use_second();
        let now_ms = open.clock.now_ms();
        open.record(vec![event(now_ms, Action::UnlockSecond, Outcome::Done, 1)])?;
        Ok(())
    }

    fn bring_up_second(
        &self,
        listed: &SecondLock,
        secrets: &SecondLockSecrets,
    ) -> Result<Views, VaultError> {
        let open = self.open();
        let keys = if let Some(keys) = self.read_second_file(listed, secrets) {
            keys
        } else {
            let keys = ViewKeys::generate(open.fresh_entropy().as_mut());
            self.write_second_file(listed, secrets, &keys)?;
            keys
        };
        let index_keys = || unlock::index_keys(open.vault, &keys, open);
        let (database, index) = (self.home.second_database(), self.home.second_index());
        let views = Views::open((&database, &index), &keys, &index_keys, decode_positions);
        let views = views.map_err(OpenError::from)?;
        match open.bring_up(&views, Side::Second).and_then(|()| Ok(views.db.tally().map(drop)?)) {
            Err(error) if error.is_damage() => open.rebuild_side(&views, Side::Second)?,
            brought => brought?,
        }
        Ok(views)
    }

    fn read_second_file(
        &self,
        listed: &SecondLock,
        secrets: &SecondLockSecrets,
    ) -> Option<ViewKeys> {
        let sealed = home::read(&self.home.second()).ok()?;
        ViewKeys::from_second_file(&secrets.file, (self.vault, listed.lock), &sealed).ok()
    }

    fn write_second_file(
        &self,
        listed: &SecondLock,
        secrets: &SecondLockSecrets,
        keys: &ViewKeys,
    ) -> Result<(), VaultError> {
        let open = self.open();
        let mut entropy = open.fresh_entropy();
        let sealed = open.with_keyring(|keyring| {
            let mut hedge: Hedge<'_> = keyring.hedge(entropy.as_mut());
            keys.to_second_file(&secrets.file, (self.vault, listed.lock), &mut hedge)
        });
        home::replace(&self.home.second(), &sealed).map_err(|error| VaultError::Io(FILE, error))
    }

    /// Shuts the second lock: what was done is made last, its keys are wiped.
    ///
    /// # Errors
    /// When something could not be written; the lock is shut all the same, and what is missing in its
    /// views is applied from the log when it is opened next.
    pub fn lock_second(&self) -> Result<(), VaultError> {
        let open = self.open();
        let _turn = lock(&open.second_turn);
        let taken = {
            let _writing = lock(&open.pen);
            let taken = lock(&open.second).take();
            change_keyring(open, Keyring::shut_second);
            taken
        };
        let Some(views) = taken else { return Ok(()) };
        let settled = settle_side(&views);
        let closed = close(views);
        let now_ms = open.clock.now_ms();
        open.record(vec![event(now_ms, Action::LockSecond, Outcome::Done, 1)])?;
        settled?;
        closed
    }

    /// Gives the vault a second lock and leaves it open. What there is of health and credentials goes
    /// behind it; what the log holds of them from before stays sealed under the first lock as well.
    ///
    /// # Errors
    /// [`VaultError::Secret`] when `current` does not open the vault; nothing is changed then.
    pub fn set_second(
        &mut self,
        current: &Credential,
        password: &str,
        cost: Argon2Params,
    ) -> Result<(), VaultError> {
        if self.roster.second_lock().is_some() {
            return Err(VaultError::SecondExists);
        }
        refuse_same(current, password)?;
        let secret_key = slots::read_secret_key(&self.home).ok();
        self.confirm(current, secret_key.as_ref())?;
        self.refuse_first(password)?;
        let (vault, open) = (self.vault, Arc::clone(self.open()));
        let mut entropy = open.fresh_entropy();
        let new = open.with_keyring(|keyring| {
            NewSecond::new(password, cost, (vault, keyring.roots()), 1, entropy.as_mut())
        })?;
        let now_ms = open.clock.now_ms();
        let (_, roster) = open.write(|pen| {
            let statements = vec![new.statement(vault, pen.device(), None)];
            let (epochs, ops) = second_epochs(&open, &new.listed, pen, entropy.as_mut())?;
            let statements = [statements, epochs].concat();
            let roster = applied(&self.roster, &statements)?;
            Ok((commit(pen, (statements, ops), now_ms), roster))
        })?;
        self.roster = roster;
        // What went behind the lock leaves the first database and index, whatever comes next.
        open.rebuild()?;
        self.enter_second(&new.secrets)
    }

    /// Changes the second password, in one durable step: a crash leaves the old one or the new one. The
    /// lock is open then. What is written from then on has keys that the old one never opens. When only
    /// the file of the lock could not be written, the password is changed, and the views are built again
    /// when the lock is opened next.
    ///
    /// # Errors
    /// [`VaultError::SecondSecret`] when `current` does not open it, [`VaultError::SamePassword`] when
    /// `password` opens the vault; nothing is changed then.
    pub fn change_second(
        &mut self,
        current: &str,
        password: &str,
        cost: Argon2Params,
    ) -> Result<(), VaultError> {
        let former = self.second_secrets(current)?;
        self.refuse_first(password)?;
        if self.second() != SecondStanding::Open {
            self.enter_second(&former)?;
        }
        let listed = self.roster.second_lock().ok_or(VaultError::NoSecond)?.clone();
        let keys = self.read_second_file(&listed, &former);
        let (vault, open) = (self.vault, Arc::clone(self.open()));
        let mut entropy = open.fresh_entropy();
        let counter = listed.lock.counter.saturating_add(1);
        let new = open.with_keyring(|keyring| {
            NewSecond::new(password, cost, (vault, keyring.roots()), counter, entropy.as_mut())
        })?;
        // The file goes first: it opens the views, and the old password opens it. While there is none, the
        // views are built again, so that nothing is lost by what fails from here on (DIR-12).
        home::remove(&self.home.second()).map_err(|error| VaultError::Io(FILE, error))?;
        let now_ms = open.clock.now_ms();
        let written = open.write(|pen| {
            let statements = vec![new.statement(vault, pen.device(), Some(&former))];
            let roster = applied(&self.roster, &statements)?;
            let ops = change_keyring(&open, |keyring| {
                keyring.reseal_second(&new.listed, entropy.as_mut())
            });
            let ops = ops.map_err(|_| FeedError::NoKey)?;
            let (epochs, started) = second_epochs(&open, &new.listed, pen, entropy.as_mut())?;
            let roster = applied(&roster, &epochs)?;
            let written = ([statements, epochs].concat(), [ops, started].concat());
            Ok((commit(pen, written, now_ms), roster))
        });
        // When this fails the log may have taken it all the same: the file stays away and is made again. One
        // for the wrong password would not be noticed.
        let (_, roster) = written?;
        self.roster = roster;
        if let Some(keys) = keys {
            drop(self.write_second_file(&new.listed, &new.secrets, &keys));
        }
        Ok(())
    }

    /// Refuses for the second lock what opens the first one.
    fn refuse_first(&self, password: &str) -> Result<(), VaultError> {
        let secret_key = slots::read_secret_key(&self.home).ok();
        let typed = Credential::Password(Zeroizing::new(password.to_owned()));
        match slots::open(&self.roster, &typed, secret_key.as_ref()) {
            Ok(_) => Err(VaultError::SamePassword),
            Err(_) => Ok(()),
        }
    }

    /// The secrets of the lock in force, if this password opens it. Wrong ones are counted (DIR-12).
    fn second_secrets(&self, password: &str) -> Result<SecondLockSecrets, VaultError> {
        let open = self.open();
        let listed = self.roster.second_lock().ok_or(VaultError::NoSecond)?;
        let place = self.home.second_attempts();
        let attempts = Attempts::read(&place);
        let now_ms = open.clock.now_ms();
        match attempts.wait_ms(now_ms) {
            0 => {}
            wait => return Err(VaultError::TooSoon(wait)),
        }
        let base = open.with_keyring(|keyring| keyring.second_base(listed));
        let base = base.ok_or(VaultError::Damaged("store"))?;
        let secrets = match slot::second_factor(password, &listed.params) {
            Ok(factor) => Some(SecondLockSecrets::derive(&base, &factor)),
            // A password that no lock could have was simply wrong.
            Err(SlotError::Password(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let write = |attempts: Attempts| {
            attempts.write(&place).map_err(|error| VaultError::Io("second-attempts", error))
        };
        let Some(secrets) = secrets.filter(|secrets| secrets.check(&listed.keys).is_ok()) else {
            write(attempts.failed(now_ms))?;
            open.record(vec![event(now_ms, Action::FailedUnlockSecond, Outcome::Refused, 1)])?;
            return Err(VaultError::SecondSecret);
        };
        if attempts != Attempts::default() {
            write(Attempts::default())?;
        }
        Ok(secrets)
    }
}

/// Waits for work in the background of views that nobody else uses, and closes them.
pub(super) fn close(views: Arc<Views>) -> Result<(), VaultError> {
    match Arc::into_inner(views) {
        Some(views) => Ok(views.index.close()?),
        None => Ok(()),
    }
}

/// One password for both locks would be one lock.
pub(super) fn refuse_same(first: &Credential, second: &str) -> Result<(), VaultError> {
    match first {
        Credential::Password(first) if first.as_str() == second => Err(VaultError::SamePassword),
        _ => Ok(()),
    }
}

pub(super) fn change_keyring<T>(open: &Open, act: impl FnOnce(&mut Keyring) -> T) -> T {
    act(&mut open.keyring.write().unwrap_or_else(PoisonError::into_inner))
}

/// Statements and ops for a new epoch of each collection that goes behind the lock.
fn second_epochs(
    open: &Open,
    listed: &SecondLock,
    pen: &Pen,
    entropy: &mut dyn Entropy,
) -> Result<(Vec<SignedStatement>, Vec<Change>), OpenError> {
    let (mut statements, mut ops) = (Vec::new(), Vec::new());
    for category in Category::ALL.iter().filter(|category| is_behind(Purpose::Category(**category)))
    {
        let purpose = Purpose::Category(*category);
        let place = open.with_keyring(|keyring| {
            let collection = keyring.collection(purpose)?;
            Some((collection, keyring.epoch(collection)?.counter.checked_add(1)?))
        });
        let (collection, counter) = place.ok_or(FeedError::NoKey)?;
        let epoch = EpochId { counter, nonce: random_nonce(entropy) };
        let claim = Claim::Epoch { collection, epoch };
        let statement =
            Statement { vault: Some(open.vault), claim, clock: 0, extra: Extra::default() };
        statements.push(sign(&statement, &[&pen.device().sign]));
        let started = change_keyring(open, |keyring| {
            keyring.start_second_epoch((collection, epoch), listed, entropy)
        });
        ops.push(started.map_err(|_| FeedError::NoKey)?);
    }
    Ok((statements, ops))
}

/// The roster as these statements make it: what others would not accept is not written.
fn applied(roster: &Roster, statements: &[SignedStatement]) -> Result<Roster, OpenError> {
    let mut roster = roster.clone();
    for statement in statements {
        roster.apply(statement).map_err(|_| FeedError::NoKey)?;
    }
    Ok(roster)
}

fn commit(
    pen: &mut Pen,
    (statements, ops): (Vec<SignedStatement>, Vec<Change>),
    now_ms: i64,
) -> Commit {
    let clock = pen.tick(now_ms);
    let ops = ops.into_iter().map(|change| Op { clock, author: String::new(), change });
    let batch = Batch {
        collection: CollectionId::ROOT,
        ops: ops.collect(),
        added: Vec::new(),
        dropped: Vec::new(),
    };
    let behind = Category::ALL.iter().filter(|category| category.is_second_locked_by_default());
    let rotated = Event {
        categories: behind.copied().collect(),
        ..event(now_ms, Action::Rotate, Outcome::Done, 1)
    };
    Commit { statements, batches: vec![batch], events: vec![rotated], ..Commit::default() }
}
