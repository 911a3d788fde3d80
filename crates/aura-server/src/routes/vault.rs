// SPDX-License-Identifier: MIT OR Apache-2.0
//! The vault's own paths: heads, entries and chunks. Source: spec/http.md, HTP-7 to HTP-14.

use std::sync::Arc;

use aura_protocol::authority::{Claim, decode_body};
use aura_protocol::codec::{Decode as _, Encode as _};
use aura_protocol::http::{
    CBOR, Entries, ForgetAnswer, ForgetAsk, HasAnswer, HasAsk, HeadsAnswer, HeadsAsk, OCTETS,
    ProblemKind, Push, PushAnswer, Read,
};
use aura_protocol::id::{ChunkName, CollectionId, DeviceId};
use aura_protocol::limits::{
    CHUNK_BYTES_MAX, ENTRY_BODY_BYTES_MAX, ENTRY_HEADER_BYTES_MAX, HEAD_BYTES_MAX,
    KNOWN_REQUEST_BYTES_MAX, PUSH_BYTES_MAX, READ_BYTES_MAX, SMALL_REQUEST_BYTES_MAX,
};
use aura_protocol::log::AccessKind;
use aura_protocol::store::Access;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use pollster::block_on;

use super::entry::{Answered, Bearer, DONE, decode, take};
use super::held::held;
use super::state::{Owner, Server};
use crate::bell::News;
use crate::line::Line;
use crate::listing::Listing;
use crate::problem::Refusal;
use crate::token::Scope;
use crate::vaults::Hosted;

type Shared = State<Arc<Server>>;

/// The largest answer with entries: until the bound is reached or passed by the last one.
const READ_ANSWER_BYTES: usize = READ_BYTES_MAX + ENTRY_BODY_BYTES_MAX + ENTRY_HEADER_BYTES_MAX;

/// Heads beside those known.
pub(super) async fn heads(
    State(server): Shared,
    bearer: Bearer,
    line: Option<Extension<Line>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let session = bearer.session(&server).await?;
    let ask: HeadsAsk = decode(&headers, body, KNOWN_REQUEST_BYTES_MAX).await?;
    let access = Access::Vault(session.vault);
    let (vault, device) = (session.vault, session.device());
    let place = server.answering(vault)?;
    let answer = server.with_vault(session, move |server, hosted, _| {
        count(hosted, AccessKind::Polled, device);
        let heads = HeadsAnswer(block_on(hosted.store().heads(&access, &ask.known))?).to_bytes();
        // Most are small, the largest would fill an eighth of the room: it is taken for what there is.
        let room = server.answered((vault, place), heads.len())?;
        Ok((heads, room))
    });
    let (heads, room) = answer.await?;
    held((&server, line.map(|Extension(line)| line)), CBOR, heads, room)
}

/// Takes a head and entries.
pub(super) async fn push(
    State(server): Shared,
    bearer: Bearer,
    line: Option<Extension<Line>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let session = bearer.session(&server).await?;
    let owner = Owner::Vault(session.vault);
    let taken = take((&server, owner), &headers, body, (CBOR, PUSH_BYTES_MAX)).await?;
    // What is missing is told by feeds that the head names, in about as many bytes.
    let receipt_bytes = taken.bytes.len().saturating_mul(2).min(2 * HEAD_BYTES_MAX);
    let room = server.answer(session.vault, receipt_bytes).await?;
    let (vault, scope, device) = (session.vault, session.scope, session.device());
    let receipt = server.with_vault(session, move |server, hosted, account| {
        let push = Push::from_bytes(&taken.bytes, PUSH_BYTES_MAX)?;
        let listing = server.listing(hosted)?;
        if let Scope::Enrolment(transport) = scope {
            enrols(&push, &transport, &listing)?;
        }
        let within = (server.quota(account), &*listing);
        let (receipt, news) = hosted.push(&push.head, &push.entries, within)?;
        server.metrics.received(taken.bytes.len());
        if let Some(log) = hosted.log() {
            log.note(AccessKind::Written, device, push.entries.len() as u64);
        }
        if news == News::Devices {
            // Kept before it is confirmed: whoever is out stays out, whatever becomes of the vault's files.
            server.listing(hosted)?;
        }
        if receipt.missing.is_empty() {
            server.bells.ring(vault, news);
        }
        Ok(receipt)
    });
    let receipt = PushAnswer(receipt.await?).to_bytes();
    held((&server, line.map(|Extension(line)| line)), CBOR, receipt, room)
}

/// HTP-12: an enrolment token lists the device that its login was bound to, and does nothing else.
fn enrols(push: &Push, transport: &[u8; 32], listing: &Listing) -> Result<(), Refusal> {
    let head = push.head.claim().map_err(|_| ProblemKind::Malformed)?;
    let known = listing.member(head.device);
    let mut is_bound = known.is_some_and(|listed| listed.transport == *transport);
    for entry in &push.entries {
        if entry.header().feed.collection != CollectionId::AUTHORITY {
            // What it says of itself in other feeds waits until it is confirmed.
            continue;
        }
        for statement in decode_body(entry.body()).map_err(|_| ProblemKind::Refused)? {
            let claim = statement.claim().map_err(|_| ProblemKind::Refused)?.claim;
            is_bound |= is_own(&claim, head.device, transport)?;
        }
    }
    if is_bound { Ok(()) } else { Err(ProblemKind::Forbidden.into()) }
}

/// Whether a claim lists the device; an error for every claim that does neither that nor confirm it.
fn is_own(claim: &Claim, device: DeviceId, transport: &[u8; 32]) -> Result<bool, Refusal> {
    match claim {
        Claim::Add(keys) if keys.id() == device && keys.transport == *transport => Ok(true),
        Claim::Confirm(confirmed) if *confirmed == device => Ok(false),
        _ => Err(ProblemKind::Forbidden.into()),
    }
}

/// Entries of a feed.
pub(super) async fn read(
    State(server): Shared,
    bearer: Bearer,
    line: Option<Extension<Line>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let session = bearer.session(&server).await?;
    let read: Read = decode(&headers, body, SMALL_REQUEST_BYTES_MAX).await?;
    let access = Access::Vault(session.vault);
    let room = server.answer(session.vault, READ_ANSWER_BYTES).await?;
    let device = session.device();
    let answer = server.with_vault(session, move |server, hosted, _| {
        count(hosted, AccessKind::Read, device);
        let limit = usize::try_from(read.limit).unwrap_or(usize::MAX);
        let entries = block_on(hosted.store().read(&access, read.feed, read.after, limit))?;
        let sizes = entries.iter().map(|entry| entry.body().len());
        server.metrics.sent(sizes.fold(0, usize::saturating_add));
        Ok(Entries { entries }.to_bytes())
    });
    held((&server, line.map(|Extension(line)| line)), CBOR, answer.await?, room)
}

/// Whether chunks are there.
pub(super) async fn has(
    State(server): Shared,
    bearer: Bearer,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Refusal> {
    let session = bearer.session(&server).await?;
    let ask: HasAsk = decode(&headers, body, KNOWN_REQUEST_BYTES_MAX).await?;
    let access = Access::Vault(session.vault);
    let device = session.device();
    let answer = server.with_vault(session, move |_, hosted, _| {
        count(hosted, AccessKind::Polled, device);
        Ok(Answered::new(&HasAnswer { has: block_on(hosted.store().has(&access, &ask.names))? }))
    });
    answer.await
}

/// Lets go of what a snapshot covers (HTP-14); whether every device has adopted it, the store sees to.
pub(super) async fn forget(
    State(server): Shared,
    bearer: Bearer,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Refusal> {
    let session = bearer.session(&server).await?;
    if matches!(session.scope, Scope::Enrolment(_)) {
        return Err(ProblemKind::Forbidden.into());
    }
    let ask: ForgetAsk = decode(&headers, body, SMALL_REQUEST_BYTES_MAX).await?;
    let device = session.device();
    let answer = server.with_vault(session, move |_, hosted, _| {
        let entries = hosted.forget(ask.base)?;
        if let Some(log) = hosted.log().filter(|_| entries > 0) {
            log.note(AccessKind::LetGo, device, entries);
        }
        Ok(Answered::new(&ForgetAnswer { entries }))
    });
    answer.await
}

/// A sealed chunk.
pub(super) async fn chunk(
    State(server): Shared,
    name: Path<String>,
    bearer: Bearer,
    line: Option<Extension<Line>>,
) -> Result<Response, Refusal> {
    let session = bearer.session(&server).await?;
    let name = chunk_name(&name)?;
    let access = Access::Vault(session.vault);
    let room = server.answer(session.vault, CHUNK_BYTES_MAX).await?;
    let device = session.device();
    let sealed = server.with_vault(session, move |server, hosted, _| {
        count(hosted, AccessKind::Read, device);
        let sealed = block_on(hosted.store().chunk(&access, name))?;
        server.metrics.sent(sealed.len());
        Ok(sealed)
    });
    held((&server, line.map(|Extension(line)| line)), OCTETS, sealed.await?, room)
}

/// Keeps a sealed chunk (HTP-10); that an entry names it, the store sees to.
pub(super) async fn put(
    State(server): Shared,
    name: Path<String>,
    bearer: Bearer,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Refusal> {
    let session = bearer.session(&server).await?;
    if matches!(session.scope, Scope::Enrolment(_)) {
        return Err(ProblemKind::Forbidden.into());
    }
    let name = chunk_name(&name)?;
    let owner = Owner::Vault(session.vault);
    let taken = take((&server, owner), &headers, body, (OCTETS, CHUNK_BYTES_MAX)).await?;
    let device = session.device();
    let kept = server.with_vault(session, move |server, hosted, account| {
        let within = (server.quota(account), &*server.listing(hosted)?);
        hosted.put((name, &taken.bytes), within)?;
        if let Some(log) = hosted.log() {
            log.note(AccessKind::Chunk, device, 1);
        }
        server.metrics.received(taken.bytes.len());
        Ok(())
    });
    kept.await.map(|()| DONE)
}

/// Counts it in the vault's access log.
fn count(hosted: &Hosted, kind: AccessKind, device: Option<DeviceId>) {
    if let Some(log) = hosted.log() {
        log.count(kind, device);
    }
}

/// One spelling alone: lower-case hexadecimal.
fn chunk_name(text: &str) -> Result<ChunkName, Refusal> {
    let name = ChunkName::parse(text).filter(|name| name.to_string() == text);
    name.ok_or_else(|| ProblemKind::Absent.into())
}
