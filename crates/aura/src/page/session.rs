// SPDX-License-Identifier: MIT OR Apache-2.0
//! Browsers that were let in: a cookie each, kept as a hash and in memory only, and a token for their forms.

use std::time::{Duration, Instant};

use aura_protocol::id::Hash;

use super::token::{self, Token};

/// After so long a browser has to be let in anew.
pub(crate) const LIFE: Duration = Duration::from_hours(12);
/// So many at once; the oldest one goes.
const SESSIONS_MAX: usize = 16;

/// A browser that was let in, as a request knows it.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    cookie: Hash,
    form: Token,
}

impl Visit {
    /// What each of its forms has to show.
    pub(crate) fn form(&self) -> &Token {
        &self.form
    }

    /// Whether a form shows that.
    pub(crate) fn takes(&self, shown: &str) -> bool {
        token::is_same(&token::hash(shown), &self.form.hash())
    }
}

/// Everybody who was let in.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Vec<(Visit, Instant)>);

impl Sessions {
    /// Lets one in. Returns what its cookie says.
    pub(crate) fn begin(&mut self, now: Instant) -> Token {
        self.forget(now);
        if self.0.len() >= SESSIONS_MAX {
            self.0.remove(0);
        }
        let cookie = Token::fresh();
        self.0.push((Visit { cookie: cookie.hash(), form: Token::fresh() }, now));
        cookie
    }

    /// Who shows this cookie.
    pub(crate) fn find(&mut self, shown: &str, now: Instant) -> Option<Visit> {
        self.forget(now);
        let hash = token::hash(shown);
        let mut known = self.0.iter().map(|(visit, _)| visit);
        known.find(|visit| token::is_same(&visit.cookie, &hash)).cloned()
    }

    /// Ends one.
    pub(crate) fn end(&mut self, visit: &Visit) {
        self.0.retain(|(known, _)| !token::is_same(&known.cookie, &visit.cookie));
    }

    fn forget(&mut self, now: Instant) {
        self.0.retain(|(_, since)| now.saturating_duration_since(*since) < LIFE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// attack AST-12: who was not let in is nobody, and who was is for twelve hours.
    #[test]
    fn ast_12_a_session_is_known_by_its_cookie_until_it_ends() {
        let begun = Instant::now();
        let mut sessions = Sessions::default();
        let (one, other) = (sessions.begin(begun), sessions.begin(begun));
        let visit = sessions.find(one.reveal(), begun).unwrap();
        assert!(sessions.find(&"0".repeat(64), begun).is_none());
        assert!(sessions.find("", begun).is_none());
        assert!(visit.takes(visit.form().reveal()));
        assert!(!visit.takes(one.reveal()) && !visit.takes(""));
        assert!(!sessions.find(other.reveal(), begun).unwrap().takes(visit.form().reveal()));
        sessions.end(&visit);
        assert!(sessions.find(one.reveal(), begun).is_none());
        let nearly = LIFE.saturating_sub(Duration::from_secs(1));
        assert!(sessions.find(other.reveal(), begun + nearly).is_some());
        assert!(sessions.find(other.reveal(), begun + LIFE).is_none());
    }

    #[test]
    fn sessions_are_bounded() {
        let begun = Instant::now();
        let mut sessions = Sessions::default();
        let first = sessions.begin(begun);
        for _ in 0..SESSIONS_MAX {
            sessions.begin(begun);
        }
        assert_eq!(sessions.0.len(), SESSIONS_MAX);
        assert!(sessions.find(first.reveal(), begun).is_none());
    }
}
