// SPDX-License-Identifier: MIT OR Apache-2.0
//! Answers that keep their room until they are read, or until whoever asked for them has been too slow.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aura_protocol::id::VaultId;
use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::Response;
use futures_util::stream::unfold;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::entry::time_for;
use super::state::{Room, Server};
use crate::crowd::Place;
use crate::line::Line;
use crate::problem::Refusal;

/// An answer goes out in pieces of so many bytes.
const PIECE_BYTES: usize = 64 << 10;

/// What of an answer is not read yet, and what that takes.
struct Unread {
    bytes: Vec<u8>,
    /// How much of it was read.
    read: usize,
    _room: (Place<VaultId>, Place<VaultId>, OwnedSemaphorePermit),
}

/// An answer on its way.
struct Sending {
    unread: Arc<Mutex<Option<Unread>>>,
    timer: JoinHandle<()>,
    is_over: bool,
}

fn lock(unread: &Mutex<Option<Unread>>) -> MutexGuard<'_, Option<Unread>> {
    unread.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.timer.abort();
        // The timer has it too, until it is heard of that it is over.
        drop(lock(&self.unread).take());
    }
}

/// An answer of this media type that keeps its room until it is read (HTP-16). Over a line that is too slow it ends halfway, and the
/// connection with it, which would keep pieces of it as well.
pub(super) fn held(
    (server, line): (&Server, Option<Line>),
    media: &'static str,
    bytes: Vec<u8>,
    Room { vault, place, mut permit }: Room,
) -> Result<Response, Refusal> {
    // What was set aside for the largest answer is more than this one needs.
    let surplus = permit.num_permits().saturating_sub((bytes.len() >> 10) + 1);
    drop(permit.split(surplus));
    let kib = u32::try_from(permit.num_permits()).unwrap_or(u32::MAX);
    let share = server.share(vault, kib)?;
    let (length, time) = (HeaderValue::from(bytes.len()), time_for(bytes.len()));
    let unread = Unread { bytes, read: 0, _room: (place, share, permit) };
    let unread = Arc::new(Mutex::new(Some(unread)));
    let late = Arc::clone(&unread);
    let timer = tokio::spawn(async move {
        sleep(time).await;
        if let (Some(_), Some(line)) = (lock(&late).take(), line) {
            line.cut();
        }
    });
    let sending = Sending { unread, timer, is_over: false };
    let pieces = unfold(sending, |mut sending| async move {
        let piece = sending.next()?;
        Some((piece, sending))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    Ok(response)
}

impl Sending {
    fn next(&mut self) -> Option<io::Result<Bytes>> {
        if self.is_over {
            return None;
        }
        let mut unread = lock(&self.unread);
        let Some(left) = unread.as_mut() else {
            self.is_over = true;
            return Some(Err(io::ErrorKind::TimedOut.into()));
        };
        let rest = left.bytes.get(left.read..).unwrap_or_default();
        let piece = rest.get(..PIECE_BYTES).unwrap_or(rest);
        if piece.is_empty() {
            *unread = None;
            self.is_over = true;
            return None;
        }
        // A copy: a piece that is not sent yet must not keep all of it.
        let piece = Bytes::copy_from_slice(piece);
        left.read = left.read.saturating_add(piece.len());
        Some(Ok(piece))
    }
}
