// SPDX-License-Identifier: MIT OR Apache-2.0
//! Challenges, logins that have begun, and tokens: everything that counts for minutes.
//!
//! One server has them in memory: a restart forgets them all, and clients prove themselves again. Nodes that share a
//! database have them there. Source: spec/http.md, ACC-3, ACC-5, ACC-11.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash as Key;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aura_protocol::auth::login::Halfway;
use aura_protocol::auth::{AccountName, Token};
use aura_protocol::id::{DeviceId, Hash, VaultId};
use aura_protocol::store::StoreError;

/// How long a token counts.
pub(crate) const TOKEN_SECONDS: u64 = 15 * 60;
/// How long a challenge and the beginning of a login do.
pub(crate) const HALFWAY: Duration = Duration::from_mins(1);
/// Challenges and logins that wait for their end.
pub(crate) const WAITING_MAX: usize = 100_000;
/// Tokens at once, and those of one vault.
pub(crate) const TOKENS_MAX: usize = 1_000_000;
pub(crate) const VAULT_TOKENS_MAX: usize = 1_024;

/// Things that are forgotten after a while. There is room for so many; beyond them the oldest go.
#[derive(Debug)]
struct Fleeting<K, V> {
    things: Mutex<HashMap<K, (Instant, V)>>,
    lasting: Duration,
    max: usize,
}

impl<K: Key + Eq, V> Fleeting<K, V> {
    fn new(lasting: Duration, max: usize) -> Self {
        Self { things: Mutex::new(HashMap::new()), lasting, max }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<K, (Instant, V)>> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, key: K, value: V, now: Instant) {
        let mut things = self.lock();
        // Looked through at powers of two, so that keeping costs the same on average.
        if things.len() >= self.max || things.len().is_power_of_two() {
            things.retain(|_, (since, _)| now.saturating_duration_since(*since) < self.lasting);
        }
        if things.len() >= self.max {
            // Rather the oldest than whoever comes now; an eighth at once, for the same reason.
            let mut times: Vec<Instant> = things.values().map(|(since, _)| *since).collect();
            let (_, last, _) = times.select_nth_unstable(self.max / 8);
            let last = *last;
            things.retain(|_, (since, _)| *since > last);
        }
        things.insert(key, (now, value));
    }

    fn take(&self, key: &K, now: Instant) -> Option<V> {
        let (since, value) = self.lock().remove(key)?;
        (now.saturating_duration_since(since) < self.lasting).then_some(value)
    }

    fn find(&self, key: &K, now: Instant) -> Option<V>
    where
        V: Clone,
    {
        let things = self.lock();
        let (since, value) = things.get(key)?;
        (now.saturating_duration_since(*since) < self.lasting).then(|| value.clone())
    }
}

/// What a token extends to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// What a listed device may do.
    Device(DeviceId),
    /// Reading, and listing the device with this transport key.
    Enrolment([u8; 32]),
}

/// Who has a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) vault: VaultId,
    pub(crate) scope: Scope,
    /// When the token was given.
    pub(crate) since: Instant,
}

impl Session {
    /// The device that proved itself.
    pub(crate) fn device(&self) -> Option<DeviceId> {
        match self.scope {
            Scope::Device(device) => Some(device),
            Scope::Enrolment(_) => None,
        }
    }
}

/// A login that has begun.
#[derive(Debug)]
pub(crate) struct Login {
    pub(crate) name: AccountName,
    pub(crate) transport: [u8; 32],
    pub(crate) vault: Option<VaultId>,
    /// What it knows of the record that it began with.
    pub(crate) record: Option<Hash>,
    pub(crate) halfway: Halfway,
}

/// Everything that counts for minutes, wherever it is kept. Its calls may block.
pub(crate) trait Passes: Send + Sync + core::fmt::Debug {
    /// Whether asking who has a token blocks nobody.
    fn is_near(&self) -> bool;

    /// Keeps a challenge's nonce. Where there are too many, the oldest go.
    fn challenge(&self, nonce: Hash, of: (VaultId, DeviceId)) -> Result<(), StoreError>;

    /// Whether this nonce was given to this device, and not used; from now on it is.
    fn answer(&self, nonce: Hash, of: (VaultId, DeviceId)) -> Result<bool, StoreError>;

    /// Keeps a login that has begun. Where there are too many, the oldest go.
    fn begin(&self, login: [u8; 16], begun: Login) -> Result<(), StoreError>;

    /// A login that has begun, to be ended once.
    fn end(&self, login: &[u8; 16]) -> Result<Option<Login>, StoreError>;

    /// Gives a token. Where there are too many, of all or of this vault, the oldest go.
    fn grant(&self, token: &Token, session: &Session) -> Result<(), StoreError>;

    /// Who has this token.
    fn session(&self, token: &Token) -> Result<Option<Session>, StoreError>;

    /// Ends a token.
    fn revoke(&self, token: &Token) -> Result<(), StoreError>;

    /// Ends every token of a vault, and every login that has begun.
    fn forget(&self, vault: VaultId) -> Result<(), StoreError>;

    /// Ends what logins of a vault gave, and every login that has begun: its password is another one.
    fn forget_logins(&self, vault: VaultId) -> Result<(), StoreError>;

    /// Forgets what is over.
    fn tidy(&self) -> Result<(), StoreError>;
}

/// Everything that counts for minutes, of one server.
#[derive(Debug)]
pub(crate) struct Tokens {
    challenges: Fleeting<Hash, (VaultId, DeviceId)>,
    logins: Fleeting<[u8; 16], Login>,
    sessions: Fleeting<Hash, Session>,
    /// The tokens that each vault was given, the oldest first.
    of_vaults: Mutex<HashMap<VaultId, VecDeque<Hash>>>,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            challenges: Fleeting::new(HALFWAY, WAITING_MAX),
            logins: Fleeting::new(HALFWAY, WAITING_MAX),
            sessions: Fleeting::new(Duration::from_secs(TOKEN_SECONDS), TOKENS_MAX),
            of_vaults: Mutex::default(),
        }
    }
}

impl Tokens {
    /// Keeps a challenge's nonce.
    pub(crate) fn challenge(&self, nonce: Hash, of: (VaultId, DeviceId), now: Instant) {
        self.challenges.keep(nonce, of, now);
    }

    /// Whether this nonce was given to this device, and not used; from now on it is.
    pub(crate) fn answer(&self, nonce: Hash, of: (VaultId, DeviceId), now: Instant) -> bool {
        self.challenges.take(&nonce, now) == Some(of)
    }

    /// Keeps a login that has begun.
    pub(crate) fn begin(&self, login: [u8; 16], begun: Login, now: Instant) {
        self.logins.keep(login, begun, now);
    }

    /// A login that has begun, to be ended once.
    pub(crate) fn end(&self, login: &[u8; 16], now: Instant) -> Option<Login> {
        self.logins.take(login, now)
    }

    /// Gives a token.
    pub(crate) fn grant(&self, token: &Token, session: Session) {
        let (now, vault, hash) = (session.since, session.vault, Hash::of(&[&token.0]));
        let mut of_vaults = self.of_vaults.lock().unwrap_or_else(PoisonError::into_inner);
        let own = of_vaults.entry(vault).or_default();
        own.push_back(hash);
        let first = if own.len() > VAULT_TOKENS_MAX { own.pop_front() } else { None };
        drop(of_vaults);
        if let Some(first) = first {
            self.sessions.lock().remove(&first);
        }
        self.sessions.keep(hash, session, now);
    }

    /// Who has this token.
    pub(crate) fn session(&self, token: &Token, now: Instant) -> Option<Session> {
        self.sessions.find(&Hash::of(&[&token.0]), now)
    }

    /// Ends a token.
    pub(crate) fn revoke(&self, token: &Token) {
        self.sessions.lock().remove(&Hash::of(&[&token.0]));
    }

    /// Forgets what is over.
    pub(crate) fn tidy(&self, now: Instant) {
        let mut of_vaults = self.of_vaults.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sessions = self.sessions.lock();
        let lasting = self.sessions.lasting;
        sessions.retain(|_, (since, _)| now.saturating_duration_since(*since) < lasting);
        of_vaults.retain(|_, own| {
            own.retain(|hash| sessions.contains_key(hash));
            !own.is_empty()
        });
    }

    /// Ends every token of a vault, and every login that has begun.
    pub(crate) fn forget(&self, vault: VaultId) {
        self.sessions.lock().retain(|_, (_, session)| session.vault != vault);
        self.logins.lock().retain(|_, (_, login)| login.vault != Some(vault));
    }

    /// Ends what logins of a vault gave, and every login that has begun: its password is another one.
    pub(crate) fn forget_logins(&self, vault: VaultId) {
        let is_old = |session: &Session| {
            session.vault == vault && matches!(session.scope, Scope::Enrolment(_))
        };
        self.sessions.lock().retain(|_, (_, session)| !is_old(session));
        self.logins.lock().retain(|_, (_, login)| login.vault != Some(vault));
    }
}

impl Passes for Tokens {
    fn is_near(&self) -> bool {
        true
    }

    fn challenge(&self, nonce: Hash, of: (VaultId, DeviceId)) -> Result<(), StoreError> {
        Self::challenge(self, nonce, of, Instant::now());
        Ok(())
    }

    fn answer(&self, nonce: Hash, of: (VaultId, DeviceId)) -> Result<bool, StoreError> {
        Ok(Self::answer(self, nonce, of, Instant::now()))
    }

    fn begin(&self, login: [u8; 16], begun: Login) -> Result<(), StoreError> {
        Self::begin(self, login, begun, Instant::now());
        Ok(())
    }

    fn end(&self, login: &[u8; 16]) -> Result<Option<Login>, StoreError> {
        Ok(Self::end(self, login, Instant::now()))
    }

    fn grant(&self, token: &Token, session: &Session) -> Result<(), StoreError> {
        Self::grant(self, token, session.clone());
        Ok(())
    }

    fn session(&self, token: &Token) -> Result<Option<Session>, StoreError> {
        Ok(Self::session(self, token, Instant::now()))
    }

    fn revoke(&self, token: &Token) -> Result<(), StoreError> {
        Self::revoke(self, token);
        Ok(())
    }

    fn forget(&self, vault: VaultId) -> Result<(), StoreError> {
        Self::forget(self, vault);
        Ok(())
    }

    fn forget_logins(&self, vault: VaultId) -> Result<(), StoreError> {
        Self::forget_logins(self, vault);
        Ok(())
    }

    fn tidy(&self) -> Result<(), StoreError> {
        Self::tidy(self, Instant::now());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    const VAULT: VaultId = VaultId([1; 32]);
    const DEVICE: DeviceId = DeviceId([2; 16]);

    /// ACC-3: once, for a minute, and for whom it was given.
    #[test]
    fn a_nonce_counts_once() {
        let (tokens, now) = (Tokens::default(), Instant::now());
        let nonce = Hash([9; 32]);
        tokens.challenge(nonce, (VAULT, DEVICE), now);
        assert!(tokens.answer(nonce, (VAULT, DEVICE), now));
        assert!(!tokens.answer(nonce, (VAULT, DEVICE), now));
        tokens.challenge(nonce, (VAULT, DEVICE), now);
        assert!(!tokens.answer(nonce, (VAULT, DEVICE), now + HALFWAY));
        for of in [(VaultId([3; 32]), DEVICE), (VAULT, DeviceId([3; 16]))] {
            tokens.challenge(nonce, (VAULT, DEVICE), now);
            assert!(!tokens.answer(nonce, of, now));
        }
    }

    /// ACC-5: for a quarter of an hour, and not beyond the account.
    #[test]
    fn a_token_ends() {
        let (tokens, since) = (Tokens::default(), Instant::now());
        let session = Session { vault: VAULT, scope: Scope::Device(DEVICE), since };
        let token = Token([7; 32]);
        tokens.grant(&token, session.clone());
        assert_eq!(tokens.session(&token, since), Some(session.clone()));
        assert_eq!(tokens.session(&Token([8; 32]), since), None);
        assert_eq!(tokens.session(&token, since + Duration::from_secs(TOKEN_SECONDS)), None);
        tokens.forget(VaultId([3; 32]));
        assert_eq!(tokens.session(&token, since), Some(session));
        tokens.forget(VAULT);
        assert_eq!(tokens.session(&token, since), None);
    }

    /// attack AVL-03: whoever fills it keeps nobody out: the oldest go.
    #[test]
    fn there_is_room_for_so_many_and_the_oldest_go() {
        let things = Fleeting::new(HALFWAY, 16);
        let start = Instant::now();
        let at = |key: u32| start + Duration::from_millis(u64::from(key));
        (0..100).for_each(|key| things.keep(key, (), at(key)));
        assert!(things.lock().len() <= 16);
        assert!((90..100).all(|key| things.find(&key, at(100)).is_some()));
        assert!((0..80).all(|key| things.find(&key, at(100)).is_none()));
        things.keep(100, (), start + 2 * HALFWAY);
        things.keep(101, (), start + 2 * HALFWAY);
        assert!(things.find(&101, start + 2 * HALFWAY).is_some());
    }

    /// attack AVL-03: one vault has so many tokens, and takes no room from the others.
    #[test]
    fn a_vault_has_so_many_tokens() {
        let (tokens, since) = (Tokens::default(), Instant::now());
        let grant = |vault, at: usize| {
            let token = Token(Hash::of(&[&at.to_be_bytes()]).0);
            tokens.grant(&token, Session { vault, scope: Scope::Device(DEVICE), since });
            token
        };
        let other = grant(VaultId([3; 32]), usize::MAX);
        let all: Vec<_> = (0..VAULT_TOKENS_MAX + 3).map(|at| grant(VAULT, at)).collect();
        let counts = |token: &Token| tokens.session(token, since).is_some();
        assert_eq!(all.iter().map(counts).position(|counts| counts), Some(3));
        assert!(counts(&other));
        tokens.revoke(&other);
        assert!(!counts(&other));
        tokens.tidy(since);
        assert_eq!(tokens.of_vaults.lock().unwrap().len(), 1);
        tokens.tidy(since + Duration::from_secs(TOKEN_SECONDS));
        assert!(tokens.of_vaults.lock().unwrap().is_empty() && tokens.sessions.lock().is_empty());
    }
}
