// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where requests are answered: which of them need the open vault, and who sees to them.

use std::time::Duration;

use aura_protocol::id::{SlotId, VaultId};
use aura_vault::gate::{Principal, Session};
use aura_vault::home;
use aura_vault::search::Typing;
use aura_vault::vault::{Credential, Loss, Setup, SlotInfo, VaultError};
use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::keeper::{Keeper, argon2, credential};
use super::pair::Verdict;
use super::reply::Reply;
use super::sync::Syncing;
use super::{
    audit, compact, consent, device, enter, export, guest, import, join, pair, proof, record,
    search,
};
use crate::exit::{Exit, Failure};
use crate::kit::Kit;
use crate::secret::Secret;
use crate::view;
use crate::wire::{Coming, Cost, Request, Second, VERSION};

/// Answers requests.
pub(crate) struct Desk {
    keeper: Keeper,
    syncing: Syncing,
    verdict: Verdict,
    idle: (Duration, Duration),
    memory: String,
}

impl Desk {
    pub(crate) fn new(keeper: Keeper, idle: (Duration, Duration), memory: String) -> Self {
        Self { keeper, syncing: Syncing::default(), verdict: Verdict::default(), idle, memory }
    }

    pub(crate) fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    pub(super) fn syncing(&self) -> &Syncing {
        &self.syncing
    }

    /// Answers one request; items and progress go to `reply` on the way.
    pub(crate) fn answer(&self, request: Request, reply: &mut Reply) -> Result<Value, Failure> {
        let answer = self.see_to(request, reply);
        self.syncing.nudge();
        answer
    }

    /// Answers an assistant that has shown its key on a connection of this program.
    pub(crate) fn answer_guest(
        &self,
        coming: (&Coming, Option<&str>),
        request: Request,
    ) -> Result<Value, Failure> {
        match request {
            Request::Ask(asking) => guest::answer(&self.keeper, coming, asking),
            _ => guest::turn_away(&self.keeper, coming),
        }
    }

    fn see_to(&self, request: Request, reply: &mut Reply) -> Result<Value, Failure> {
        match request {
            Request::Hello { version } => self.hello(version),
            Request::Init { password, second, cost } => self.create(&Setup {
                password: password.into_text(),
                second: second.map(Secret::into_text),
                cost: argon2(cost),
            }),
            Request::Unlock { way, secret } => {
                self.keeper.unlock(&credential(way, secret))?;
                self.keeper.with_open(|_, session| {
                    said(&view::Opened { warnings: proof::warnings(&session.status()?) })
                })
            }
            Request::UnlockSecond { secret } => self.keeper.with_open(|vault, _| {
                vault.unlock_second(secret.reveal())?;
                Ok(Value::Null)
            }),
            Request::LockSecond => self.keeper.lock_second().map(|()| Value::Null),
            Request::Lock | Request::Stop => {
                self.keeper.lock().map(|()| Value::Null).map_err(locked_all_the_same)
            }
            Request::Status => self.status(),
            Request::Slots => self.slots(),
            Request::RenewRecovery { way, secret } => self.renew(&credential(way, secret)),
            Request::ChangePassword { way, secret, password, cost } => {
                let current = credential(way, secret);
                self.keeper.with_open_mut(|vault| {
                    vault.change_password(&current, password.reveal(), argon2(cost))?;
                    Ok(())
                })?;
                let left = self.syncing.renew_accounts(&self.keeper, (&password, cost))?;
                said(&view::PasswordChanged { changed: true, accounts_left: left })
            }
            Request::SetSecond { way, secret, second, cost } => {
                let current = credential(way, secret);
                self.keeper.with_open_mut(|vault| {
                    vault.set_second(&current, second.reveal(), argon2(cost))?;
                    Ok(Value::Null)
                })
            }
            Request::ChangeSecond { current, second, cost } => self.keeper.with_open_mut(|vault| {
                vault.change_second(current.reveal(), second.reveal(), argon2(cost))?;
                Ok(Value::Null)
            }),
            Request::Compact { deleted_days, replaced_days, resolve } => {
                let waiting = || self.keeper.with_open(|vault, _| compact::by_others(vault));
                let mut by_others = waiting()?;
                if resolve == crate::wire::Resolve::Act && !by_others.is_empty() {
                    // First: what is made next would carry on what the others let go of.
                    self.keeper.with_open_mut(|vault| Ok(vault.adopt_waiting()?))?;
                    let still = waiting()?;
                    by_others.retain(|going| !still.contains(going));
                }
                self.keeper.with_open(|vault, session| {
                    let days = (deleted_days, replaced_days);
                    said(&compact::compact((vault, &session), by_others, days, resolve)?)
                })
            }
            // Alone: what is written meanwhile, if only an audit event, would look like damage.
            Request::Verify { rebuild } => self.keeper.with_open_mut(|vault| {
                let session = vault.session(Principal::Owner);
                said(&proof::verify(&session, rebuild, reply)?)
            }),
            Request::AddStore { .. }
            | Request::AddServer(_)
            | Request::AddFar { .. }
            | Request::AddLan { .. }
            | Request::AddPeer { .. }
            | Request::PinServer { .. }
            | Request::RenewAccount { .. }
            | Request::Stores
            | Request::RemoveStore { .. }
            | Request::Sync
            | Request::Devices
            | Request::ConfirmDevice { .. }
            | Request::RevokeDevice { .. }
            | Request::RetireDevice { .. }
            | Request::Join(_)
            | Request::Pair { .. }
            | Request::Decide { .. }
            | Request::Enter(_) => self.see_to_others(request, reply),
            request => self.keeper.with_open(|_, session| self.use_open(request, session, reply)),
        }
    }

    /// Requests about other devices and stores.
    fn see_to_others(&self, request: Request, reply: &mut Reply) -> Result<Value, Failure> {
        let (keeper, syncing) = (&self.keeper, &self.syncing);
        match request {
            Request::AddStore { folder } => {
                keeper.with_open(|_, _| said(&syncing.add(keeper, &folder)?))
            }
            Request::Stores => said(&syncing.stores(keeper)?),
            Request::AddServer(serving) => said(&syncing.add_server(keeper, &serving)?),
            Request::AddFar { far, secret } => {
                keeper.with_open(|_, _| Ok(()))?;
                said(&syncing.add_far(keeper, &far, secret)?)
            }
            Request::AddLan { port } => {
                keeper.with_open(|_, _| Ok(()))?;
                said(&syncing.add_lan(keeper, port)?)
            }
            Request::AddPeer { address } => {
                keeper.with_open(|_, _| Ok(()))?;
                said(&syncing.add_peer(keeper, &address)?)
            }
            Request::PinServer { url, pin } => {
                keeper.with_open(|_, _| Ok(()))?;
                said(&syncing.pin(keeper, (&url, &pin))?)
            }
            Request::RenewAccount { url, password, cost } => {
                said(&syncing.renew_account(keeper, &url, (&password, cost))?)
            }
            Request::RemoveStore { store, account } => {
                said(&syncing.let_go(keeper, &store, account)?)
            }
            Request::Sync => {
                keeper.with_open(|_, _| Ok(()))?;
                said(&syncing.sync(keeper, reply)?)
            }
            Request::Devices => keeper.with_any(
                |vault, _| said(&device::list(vault)),
                |vault| said(&device::list(vault)),
            ),
            Request::ConfirmDevice { id } => {
                keeper.with_open_mut(|vault| said(&device::confirm(vault, &id)?))
            }
            Request::RetireDevice { id } => {
                keeper.with_open_mut(|vault| said(&device::retire(vault, &id)?))
            }
            Request::RevokeDevice { id, password, recovery_code, cost } => {
                self.revoke(&id, (password, recovery_code), cost, reply)
            }
            Request::Join(joining) => said(&join::join((keeper, syncing), joining, reply)?),
            Request::Pair { seconds } => {
                said(&pair::pair((keeper, syncing), (&self.verdict, seconds), reply)?)
            }
            Request::Decide { device, is_wanted } => {
                self.verdict.say(device, is_wanted);
                Ok(Value::Null)
            }
            Request::Enter(arrival) => said(&enter::enter((keeper, syncing), arrival, reply)?),
            _ => Err(unknown()),
        }
    }

    /// Revokes a device once this one has whatever the stores have, and tells the stores.
    fn revoke(
        &self,
        id: &str,
        (password, recovery_code): (Secret, Option<Secret>),
        cost: Cost,
        reply: &mut Reply,
    ) -> Result<Value, Failure> {
        let (keeper, syncing) = (&self.keeper, &self.syncing);
        keeper.with_open(|_, _| Ok(()))?;
        let has_stores = !syncing.stores(keeper)?.is_empty();
        if has_stores {
            // One that cannot be reached holds up no revoke; what others have seen is looked at below.
            syncing.sync(keeper, reply).ok();
        }
        let again = password.again();
        let (password, code) = (password.into_text(), recovery_code.map(Secret::into_text));
        let loss = Loss { password: &password, cost: argon2(cost), recovery_code: code.as_ref() };
        let revoked = keeper.with_open_mut(|vault| device::revoke(vault, id, &loss))?;
        if has_stores {
            // By itself as well, a moment later.
            syncing.sync(keeper, reply).ok();
        }
        // Accounts go by the new secret key; where that has to wait, `aura status` says so.
        syncing.renew_accounts(keeper, (&again, cost)).ok();
        said(&revoked)
    }

    fn use_open(
        &self,
        request: Request,
        session: Session,
        reply: &mut Reply,
    ) -> Result<Value, Failure> {
        match request {
            Request::Add(new) => said(&record::add(&session, new)?),
            Request::Get { id } => said(&record::get(&session, &id)?),
            Request::Attachment { id, blob, to } => {
                said(&record::attachment(&session, (&id, &blob), &to)?)
            }
            Request::Download { id, blob } => {
                said(&record::download(&session, (&id, &blob), reply)?)
            }
            Request::Edit { id, set, remove } => said(&record::edit(&session, &id, &set, &remove)?),
            Request::Remove { id } => said(&record::remove(&session, &id)?),
            Request::Undo { id } => said(&record::undo(&session, &id)?),
            Request::History { id } => record::history(&session, &id, reply),
            Request::Trash { limit } => record::trash(&session, limit, reply),
            Request::Search { query, limit } => {
                search::search(&session, (&query, Typing::Done), limit, reply)
            }
            Request::Type { query, limit } => {
                search::search(&session, (&query, Typing::Ongoing), limit, reply)
            }
            Request::Import { paths } => {
                said(&import::import(&session, &paths, &self.keeper, reply)?)
            }
            Request::Imports => import::runs(&session, reply),
            Request::Export { to, shape } => {
                said(&export::export(session, (&to, shape), &self.keeper, reply)?)
            }
            Request::Audit => audit::audit(&session, reply),
            Request::ExportAudit => said(&audit::export_audit(&session, reply)?),
            Request::VerifyAudit => said(&audit::verify_audit(&session)?),
            Request::Connect { name } => said(&consent::connect(&session, &name)?),
            Request::Disconnect { name } => {
                session.disconnect(&consent::assistant(&name)?)?;
                Ok(Value::Null)
            }
            Request::Connected => consent::connected(&session, reply),
            Request::Grant { to, terms } => said(&consent::give(&session, &to, terms)?),
            Request::Grants => consent::list(&session, reply),
            Request::EndGrant { id } => said(&consent::end(&session, &id)?),
            _ => Err(unknown()),
        }
    }

    fn hello(&self, version: u32) -> Result<Value, Failure> {
        if version != VERSION {
            return Err(Failure::new(Exit::Failed, "The daemon is of another version of Aura.")
                .safe("Nothing was changed.")
                .next("Stop it with `aura lock --stop` and run the command again."));
        }
        let (is_locked, wait_ms) = self.keeper.standing();
        let (second, second_wait_ms) = self.keeper.second();
        Ok(json!({
            "locked": is_locked,
            "wait_ms": wait_ms,
            "second": second,
            "second_wait_ms": second_wait_ms,
        }))
    }

    fn create(&self, setup: &Setup) -> Result<Value, Failure> {
        let made = self.keeper.create(setup)?;
        said(&kit(made.vault, made.secret_key, made.recovery_code))
    }

    fn renew(&self, current: &Credential) -> Result<Value, Failure> {
        self.keeper.with_open_mut(|vault| {
            let unread = |error| VaultError::Io("secret.key", error);
            let bytes = Zeroizing::new(home::read(&vault.home().secret_key()).map_err(unread)?);
            let text =
                core::str::from_utf8(&bytes).map_err(|_| VaultError::Damaged("secret.key"))?;
            let secret_key = Zeroizing::new(text.trim().to_owned());
            let recovery_code = vault.renew_recovery_code(current)?;
            said(&kit(vault.id(), secret_key, recovery_code))
        })
    }

    fn slots(&self) -> Result<Value, Failure> {
        let list = |slots: Vec<(SlotId, SlotInfo)>| {
            let slots = slots.into_iter().map(|(id, info)| view::Slot {
                id: id.to_string(),
                kind: info.as_str().to_owned(),
            });
            said(&slots.collect::<Vec<_>>())
        };
        self.keeper.with_any(|vault, _| list(vault.slots()), |vault| list(vault.slots()))
    }

    fn status(&self) -> Result<Value, Failure> {
        let status = self.keeper.with_any(
            |vault, session| proof::status(vault, &session),
            |vault| Ok(proof::outside(vault)),
        )?;
        let (is_locked, wait_ms) = self.keeper.standing();
        let (second, second_wait_ms) = self.keeper.second();
        let has_second = second != Second::Absent;
        let (stores, unknown) = match self.syncing.stores(&self.keeper) {
            Ok(stores) => (stores, None),
            // Not "none": it is not known.
            Err(failure) => (Vec::new(), Some(failure.to_string().replace('\n', " "))),
        };
        let warnings = status.warnings.iter().cloned().chain(unknown).collect();
        said(&view::Status {
            stores,
            warnings,
            home: self.keeper.home().display().to_string(),
            memory: self.memory.clone(),
            idle_lock_seconds: self.idle.0.as_secs(),
            wait_ms,
            second_lock: has_second,
            second_lock_open: (has_second && !is_locked).then_some(second == Second::Open),
            second_idle_lock_seconds: self.idle.1.min(self.idle.0).as_secs(),
            second_wait_ms,
            ..status
        })
    }
}

fn unknown() -> Failure {
    Failure::new(Exit::Failed, "The daemon does not know this request.")
}

fn kit(vault: VaultId, secret_key: Zeroizing<String>, recovery_code: Zeroizing<String>) -> Kit {
    Kit {
        vault_id: vault.to_string(),
        secret_key: Secret::new(secret_key),
        recovery_code: Secret::new(recovery_code),
    }
}

/// What could not be written when the vault was locked: that it is locked, a person must know first.
fn locked_all_the_same(failure: Failure) -> Failure {
    let what = format!("The vault is locked. But something could not be written: {}", failure.what);
    Failure { what, ..failure }
        .safe("What was acknowledged is kept, and shown when the vault is opened next.")
}

/// An answer as JSON.
fn said<T: Serialize>(answer: &T) -> Result<Value, Failure> {
    serde_json::to_value(answer)
        .map_err(|_| Failure::new(Exit::Failed, "The answer could not be put into words."))
}
