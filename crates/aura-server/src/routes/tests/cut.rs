// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is cut short, and what comes in between: closing an account, a login and a new password.

use std::sync::atomic::{AtomicBool, Ordering};

use aura_protocol::auth::login::RECORD_BYTES;
use aura_protocol::id::{DeviceId, VaultId};
use aura_protocol::store::StoreError;

use super::*;
use crate::access::{AccessLog, Leaves};
use crate::accounts::AccountBook;
use crate::token::{Login, Passes, Scope, Session};
use crate::vaults::{Hosting, VaultStore};

/// Vaults of which the next one is not taken away.
#[derive(Debug)]
struct Failing {
    inner: Arc<dyn Hosting>,
    is_failing: Arc<AtomicBool>,
}

impl Hosting for Failing {
    fn open(&self, vault: VaultId) -> Result<Box<dyn VaultStore>, StoreError> {
        self.inner.open(vault)
    }

    fn log(&self, vault: VaultId) -> Option<AccessLog> {
        self.inner.log(vault)
    }

    fn leaves(&self, vault: VaultId) -> Option<Box<dyn Leaves>> {
        self.inner.leaves(vault)
    }

    fn remove(&self, vault: VaultId) -> Result<(), StoreError> {
        if self.is_failing.swap(false, Ordering::Relaxed) {
            return Err(StoreError::Unreachable("it is cut short"));
        }
        self.inner.remove(vault)
    }

    fn hold(
        &self,
        company: crate::vaults::Company,
    ) -> Result<Option<Box<dyn crate::vaults::Held>>, StoreError> {
        self.inner.hold(company)
    }
}

/// ACC-14: what is left of an account whose closing was cut short is taken away later, and nobody finds it meanwhile.
#[test]
fn acc_14_closing_that_is_cut_short_is_gone_on_with() {
    let is_failing = Arc::new(AtomicBool::new(false));
    let fails = Arc::clone(&is_failing);
    let mut desk = Desk::on(
        || 1_000,
        |config| config.registration = Registration::Open,
        |backing| {
            let hosting = Arc::new(Failing { inner: backing.hosting, is_failing: fails });
            Backing { hosting, ..backing }
        },
    );
    let (author, token) = desk.founder("ada");
    let folder = crate::vaults::folder(&desk.folder.path().join("vaults"), author.vault());
    let delete =
        |token: &Token| Desk::request("DELETE", path::ACCOUNT, Some(token)).body(Body::empty());
    is_failing.store(true, Ordering::Relaxed);
    assert_eq!(desk.send(delete(&token).unwrap()).status, 204);
    assert!(folder.join("store.db").exists());
    desk.get(path::ACCOUNT, Some(&token)).refuses(ProblemKind::Unauthenticated);
    desk.runtime.block_on(desk.server.tidy());
    assert!(!folder.exists());
    assert_eq!(desk.server.accounts.closing().unwrap(), []);

    // A new account of the vault goes on with it first, or waits while somebody is at it.
    assert_eq!(desk.register(&author, "ada", None).status, 201);
    let token = desk.token(&author);
    is_failing.store(true, Ordering::Relaxed);
    assert_eq!(desk.send(delete(&token).unwrap()).status, 204);
    assert!(desk.server.accounts.take_turn(author.vault()).unwrap());
    let waits = desk.register(&author, "ada", None);
    waits.refuses(ProblemKind::Busy);
    assert_eq!(waits.retry_after, Some(30));
    desk.server.accounts.give_back(author.vault()).unwrap();
    assert_eq!(desk.register(&author, "ada", None).status, 201);
    desk.token(&author);
}

/// Tokens, and somebody who sets a new password just before one is given.
#[derive(Debug)]
struct Between {
    inner: Arc<dyn Passes>,
    accounts: Arc<dyn AccountBook>,
    is_due: Arc<AtomicBool>,
}

impl Passes for Between {
    fn is_near(&self) -> bool {
        self.inner.is_near()
    }

    fn challenge(&self, nonce: Hash, of: (VaultId, DeviceId)) -> Result<(), StoreError> {
        self.inner.challenge(nonce, of)
    }

    fn answer(&self, nonce: Hash, of: (VaultId, DeviceId)) -> Result<bool, StoreError> {
        self.inner.answer(nonce, of)
    }

    fn begin(&self, login: [u8; 16], begun: Login) -> Result<(), StoreError> {
        self.inner.begin(login, begun)
    }

    fn end(&self, login: &[u8; 16]) -> Result<Option<Login>, StoreError> {
        self.inner.end(login)
    }

    fn grant(&self, token: &Token, session: &Session) -> Result<(), StoreError> {
        if matches!(session.scope, Scope::Enrolment(_)) && self.is_due.load(Ordering::Relaxed) {
            self.accounts.replace_record(session.vault, &[9; RECORD_BYTES]).unwrap();
            self.inner.forget_logins(session.vault)?;
        }
        self.inner.grant(token, session)
    }

    fn session(&self, token: &Token) -> Result<Option<Session>, StoreError> {
        self.inner.session(token)
    }

    fn revoke(&self, token: &Token) -> Result<(), StoreError> {
        self.inner.revoke(token)
    }

    fn forget(&self, vault: VaultId) -> Result<(), StoreError> {
        self.inner.forget(vault)
    }

    fn forget_logins(&self, vault: VaultId) -> Result<(), StoreError> {
        self.inner.forget_logins(vault)
    }

    fn tidy(&self) -> Result<(), StoreError> {
        self.inner.tidy()
    }
}

/// ACC-12: a login with the old password that is on its way when a new one comes gives nothing.
#[test]
fn acc_12_a_login_does_not_outlive_its_password() {
    let is_due = Arc::new(AtomicBool::new(false));
    let due = Arc::clone(&is_due);
    let mut desk = Desk::on(
        || 1_000,
        |config| config.registration = Registration::Open,
        |backing| {
            let accounts = Arc::clone(&backing.accounts);
            let passes = Arc::new(Between { inner: backing.passes, accounts, is_due: due });
            Backing { passes, ..backing }
        },
    );
    let (author, _) = desk.founder("ada");
    assert_eq!(desk.login("ada", INPUT, &author.transport_key()).status, 200);
    is_due.store(true, Ordering::Relaxed);
    desk.login("ada", INPUT, &author.transport_key()).refuses(ProblemKind::LoginRefused);
}
