// SPDX-License-Identifier: MIT OR Apache-2.0
//! Accounts, logins and tokens. Source: spec/http.md, ACC-1 to ACC-12.

use std::sync::Arc;
use std::time::Instant;

use aura_protocol::auth::login::{self, LoginError};
use aura_protocol::auth::{Challenge, Registration as Asking, Token};
use aura_protocol::authority::{Roster, SignedStatement};
use aura_protocol::codec::{Decode, Encode as _};
use aura_protocol::http::{
    AccountBegin, AccountEnd, AccountView, Answer, Ask, Asked, Begun, CBOR, Granted, Invitation,
    LoginAnswer, LoginBegin, LoginEnd, PROTOCOL, PROTOCOL_MIN, PasswordBegin, PasswordEnd,
    ProblemKind, RegistrationPolicy, ServerView,
};
use aura_protocol::id::{DeviceId, Hash, VaultId};
use aura_protocol::label::Label;
use aura_protocol::limits::{REGISTRATION_BYTES_MAX, SMALL_REQUEST_BYTES_MAX};
use aura_protocol::log::AccessKind;
use aura_protocol::signed::{Signature, is_key, verify};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use super::entry::{Answered, Bearer, DONE, Source, decode, take};
use super::state::{Owner, Server, random};
use crate::accounts::{Account, record_hash};
use crate::bell::News;
use crate::config::Registration;
use crate::listing::Listing;
use crate::problem::Refusal;
use crate::secrets;
use crate::token::{Login, Scope, Session, TOKEN_SECONDS};
use crate::vaults::Hosted;

type Shared = State<Arc<Server>>;

impl From<LoginError> for Refusal {
    fn from(_: LoginError) -> Self {
        ProblemKind::Malformed.into()
    }
}

async fn small<T: Decode>(headers: &HeaderMap, body: Body) -> Result<T, Refusal> {
    decode(headers, body, SMALL_REQUEST_BYTES_MAX).await
}

/// What the server is.
pub(super) async fn server(State(server): Shared, source: Source) -> Result<Answered, Refusal> {
    server.slow_source(source.0)?;
    let registration = match server.registration() {
        Registration::Open => RegistrationPolicy::Open,
        Registration::Invitation => RegistrationPolicy::Invitation,
        Registration::Closed => RegistrationPolicy::Closed,
    };
    let (protocol_min, protocol_max) = (PROTOCOL_MIN, PROTOCOL);
    Ok(Answered::new(&ServerView { protocol_min, protocol_max, registration, key: server.key() }))
}

/// The invitation that is needed; nothing where none is.
fn needed(server: &Server, given: Option<Invitation>) -> Result<Option<Invitation>, Refusal> {
    match (server.registration(), given) {
        (Registration::Open, _) => Ok(None),
        (Registration::Invitation, Some(invitation)) => Ok(Some(invitation)),
        (Registration::Invitation, None) | (Registration::Closed, _) => {
            Err(ProblemKind::Closed.into())
        }
    }
}

/// Begins an account.
pub(super) async fn begin(
    State(server): Shared,
    source: Source,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Refusal> {
    server.slow_source(source.0)?;
    let begin: AccountBegin = small(&headers, body).await?;
    let invitation = needed(&server, begin.invitation)?;
    let begun = server.work(move |server| {
        server.accounts.admit(&begin.name, invitation.as_ref(), (server.now_ms)())?;
        Ok(Begun { response: server.setup.register(&begin.name, &begin.request)? })
    });
    Ok(Answered::new(&begun.await?))
}

/// Makes an account (ACC-4, ACC-10, ACC-13).
pub(super) async fn end(
    State(server): Shared,
    source: Source,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Refusal> {
    server.slow_source(source.0)?;
    if server.registration() == Registration::Closed {
        return Err(ProblemKind::Closed.into());
    }
    let owner = Owner::Stranger(source.0);
    let taken = take((&server, owner), &headers, body, (CBOR, REGISTRATION_BYTES_MAX)).await?;
    let end = AccountEnd::from_bytes(&taken.bytes, REGISTRATION_BYTES_MAX)?;
    let invitation = needed(&server, end.invitation)?;
    let claim = end.registration.claim().map_err(|_| ProblemKind::Malformed)?;
    let verified = end.registration.verify(&claim.transport).map_err(|_| ProblemKind::Refused)?;
    let registration = verified.into_value();
    if registration.server != server.key() {
        return Err(ProblemKind::Refused.into());
    }
    let made = server.work(move |server| {
        let _room = taken;
        let now_ms = (server.now_ms)();
        // Before anything is judged, which costs more.
        server.accounts.admit(&registration.name, invitation.as_ref(), now_ms)?;
        let listing = listed(&registration, &end.lineage)?;
        // What an earlier account of the vault left behind when it was closed.
        server.take_away(registration.vault)?;
        let account = Account {
            vault: registration.vault,
            record: login::record(&registration.upload)?,
            name: registration.name,
            device: registration.device,
            transport: registration.transport,
            quota_bytes: None,
            made_ms: now_ms,
        };
        server.accounts.open_account((&account, &listing), invitation.as_ref())?;
        // What an earlier account of the vault has left is not this one's to read.
        server.tokens.forget(account.vault)?;
        Ok(server.vaults.remove(account.vault)?)
    });
    made.await.map(|()| StatusCode::CREATED)
}

/// ACC-13: who opens an account is a device of the vault that waits for nobody, and shows why.
fn listed(asking: &Asking, lineage: &[SignedStatement]) -> Result<Listing, Refusal> {
    let judged = Roster::judge(asking.vault, lineage);
    let (roster, _) = judged.map_err(|_| ProblemKind::Refused)?;
    let listing = Listing::of(&roster, &[]);
    let own = listing.member(asking.device);
    let is_its = own.is_some_and(|listed| listed.transport == asking.transport);
    match (is_its, listing.is_confirmed(asking.device)) {
        (true, true) => Ok(listing),
        (true, false) => Err(ProblemKind::Forbidden.into()),
        (false, _) => Err(ProblemKind::Refused.into()),
    }
}

/// Begins a login: counted as failed until its end fits (ACC-9).
pub(super) async fn login(
    State(server): Shared,
    source: Source,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Refusal> {
    server.slow_source(source.0)?;
    let begin: LoginBegin = small(&headers, body).await?;
    if !is_key(&begin.transport) {
        return Err(ProblemKind::Malformed.into());
    }
    let login: [u8; 16] = random()?;
    let begun = server.work(move |server| {
        let now = Instant::now();
        let begun = server.guard.begin(&begin.name, source.0, now);
        begun.map_err(|left| {
            Refusal::later(ProblemKind::SlowDown, left.as_secs().saturating_add(1))
        })?;
        let account = server.accounts.named(&begin.name)?;
        let record = account.as_ref().map(|account| &account.record);
        let mut lack = None;
        let (halfway, response) = server.setup.login(
            &mut |bytes| lack = secrets::fill(bytes).err().or(lack.take()),
            (&begin.name, record),
            &begin.request,
            (server.key(), &begin.transport),
        )?;
        if lack.is_some() {
            return Err(ProblemKind::Internal.into());
        }
        let record = record.map(record_hash);
        let vault = account.map(|account| account.vault);
        let begun = Login { name: begin.name, transport: begin.transport, vault, record, halfway };
        server.tokens.begin(login, begun)?;
        Ok(LoginAnswer { login, response })
    });
    Ok(Answered::new(&begun.await?))
}

/// Ends a login: an enrolment token (ACC-11).
pub(super) async fn enrol(
    State(server): Shared,
    source: Source,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Refusal> {
    server.slow_source(source.0)?;
    let end: LoginEnd = small(&headers, body).await?;
    let refused = || {
        server.metrics.failed_login();
        Refusal::from(ProblemKind::LoginRefused)
    };
    let login = server.work(move |server| Ok(server.tokens.end(&end.login)?)).await?;
    let login = login.ok_or_else(refused)?;
    let (name, transport) = (login.name.clone(), login.transport);
    let fits = login.halfway.finish(&name, &end.proof, (server.key(), &transport));
    let (vault, is_right) = (login.vault, fits.is_ok());
    if let Some(vault) = vault {
        let kind = if is_right { AccessKind::LoggedIn } else { AccessKind::Unproved };
        // Beside the answer, which takes as long where there is no account.
        let shared = Arc::clone(&server);
        tokio::spawn(async move {
            let noted = shared.work(move |server| {
                note(&*hosted(server, vault)?, kind, None);
                Ok(())
            });
            noted.await.ok();
        });
    }
    // Without an account no proof fits; the vault is asked for last, so that both take the same way.
    let vault = vault.filter(|_| is_right).ok_or_else(refused)?;
    server.guard.end(&name, source.0);
    let granted = grant(&server, vault, Scope::Enrolment(transport)).await?;
    let token = Token(granted.token.0);
    // ACC-12: where a new password came in between, it did not find this token to end it.
    let counts = server.work(move |server| {
        let account = server.accounts.of_vault(vault)?;
        let now = account.map(|account| record_hash(&account.record));
        if now != login.record {
            server.tokens.revoke(&token)?;
        }
        Ok(now == login.record)
    });
    if counts.await? { Ok(Answered::new(&granted)) } else { Err(refused()) }
}

async fn grant(server: &Arc<Server>, vault: VaultId, scope: Scope) -> Result<Granted, Refusal> {
    let token = Token(random()?);
    let given = Token(token.0);
    let session = Session { vault, scope, since: Instant::now() };
    server.work(move |server| Ok(server.tokens.grant(&given, &session)?)).await?;
    Ok(Granted { vault, token, seconds: TOKEN_SECONDS })
}

/// Asks for a challenge. The answer is the same whether vault and device are known or not.
pub(super) async fn challenge(
    State(server): Shared,
    source: Source,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Refusal> {
    server.slow_source(source.0)?;
    let ask: Ask = small(&headers, body).await?;
    let nonce = Hash(random()?);
    let of = (ask.vault, ask.device);
    server.work(move |server| Ok(server.tokens.challenge(nonce, of)?)).await?;
    Ok(Answered::new(&Asked { nonce }))
}

/// Answers a challenge: a device token (ACC-3, ACC-5).
pub(super) async fn token(
    State(server): Shared,
    source: Source,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Refusal> {
    server.slow_source(source.0)?;
    let Answer { vault, device, nonce, signature } = small(&headers, body).await?;
    let proved = server.work(move |server| {
        if !server.tokens.answer(nonce, (vault, device))? {
            return Err(ProblemKind::Unauthenticated.into());
        }
        let hosted = hosted(server, vault)?;
        let challenge = Challenge { vault, device, server: server.key(), nonce };
        let listing = server.listing(&hosted)?;
        let fits = |key: &[u8; 32]| {
            let signature = Signature(signature);
            verify(key, Label::SigChallenge, &challenge.to_bytes(), &signature).is_ok()
        };
        let member = listing.member(device);
        let is_proved = member.is_some_and(|listed| fits(&listed.transport));
        let kind = if is_proved { AccessKind::Proved } else { AccessKind::Unproved };
        // A device that nobody lists may be made up.
        note(&hosted, kind, member.map(|_| device));
        if is_proved { Ok(()) } else { Err(ProblemKind::Unauthenticated.into()) }
    });
    proved.await?;
    Ok(Answered::new(&grant(&server, vault, Scope::Device(device)).await?))
}

/// A vault that has an account: one without gets no files by being asked for.
fn hosted(server: &Server, vault: VaultId) -> Result<Arc<Hosted>, Refusal> {
    server.accounts.of_vault(vault)?.ok_or(ProblemKind::Unauthenticated)?;
    Ok(server.vaults.hosted(vault)?)
}

/// Puts it in the vault's access log.
fn note(hosted: &Hosted, kind: AccessKind, device: Option<DeviceId>) {
    if let Some(log) = hosted.log() {
        log.note(kind, device, 1);
    }
}

/// The session of a listed device.
pub(super) async fn of_device(
    server: &Arc<Server>,
    bearer: Bearer,
) -> Result<(Session, DeviceId), Refusal> {
    let session = bearer.session(server).await?;
    match session.scope {
        Scope::Device(device) => Ok((session, device)),
        Scope::Enrolment(_) => Err(ProblemKind::Forbidden.into()),
    }
}

/// How the account stands.
pub(super) async fn view(State(server): Shared, bearer: Bearer) -> Result<Answered, Refusal> {
    let (session, _) = of_device(&server, bearer).await?;
    let view = server.with_vault(session, move |server, hosted, account| {
        let (used_bytes, quota_bytes) = (hosted.used(), server.quota(account));
        Ok(AccountView { name: account.name.clone(), used_bytes, quota_bytes })
    });
    Ok(Answered::new(&view.await?))
}

/// Whether a device may change the account: it is not quarantined.
pub(super) fn may_change(
    server: &Server,
    hosted: &Hosted,
    device: DeviceId,
) -> Result<(), Refusal> {
    let is_confirmed = server.listing(hosted)?.is_confirmed(device);
    if is_confirmed { Ok(()) } else { Err(ProblemKind::Forbidden.into()) }
}

/// Lets go of the account and everything that is kept for it (ACC-14).
pub(super) async fn close(State(server): Shared, bearer: Bearer) -> Result<StatusCode, Refusal> {
    let (session, device) = of_device(&server, bearer).await?;
    let vault = session.vault;
    server.with_vault(session, move |server, hosted, _| may_change(server, hosted, device)).await?;
    let closed = server.work(move |server| {
        server.accounts.close(vault)?;
        server.bells.ring(vault, News::Devices);
        server.try_take_away(vault);
        Ok(())
    });
    closed.await.map(|()| DONE)
}

/// Begins a new password.
pub(super) async fn password(
    State(server): Shared,
    bearer: Bearer,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Refusal> {
    let (session, device) = of_device(&server, bearer).await?;
    let begin: PasswordBegin = small(&headers, body).await?;
    let begun = server.with_vault(session, move |server, hosted, account| {
        may_change(server, hosted, device)?;
        Ok(Begun { response: server.setup.register(&account.name, &begin.request)? })
    });
    Ok(Answered::new(&begun.await?))
}

/// Ends a new password (ACC-12).
pub(super) async fn replace(
    State(server): Shared,
    bearer: Bearer,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Refusal> {
    let (session, device) = of_device(&server, bearer).await?;
    let end: PasswordEnd = small(&headers, body).await?;
    let vault = session.vault;
    let replaced = server.with_vault(session, move |server, hosted, _| {
        may_change(server, hosted, device)?;
        server.accounts.replace_record(vault, &login::record(&end.upload)?)?;
        server.tokens.forget_logins(vault)?;
        note(hosted, AccessKind::Password, Some(device));
        Ok(())
    });
    replaced.await.map(|()| DONE)
}
