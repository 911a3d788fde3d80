// SPDX-License-Identifier: MIT OR Apache-2.0
//! The daemon's socket: who may connect, how many, and one thread for each.
//!
//! The socket stands in a folder that only this user may enter, and every caller's user is asked of the
//! kernel besides.

use std::io::BufReader;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use super::desk::Desk;
use super::peer;
use super::reply::Reply;
use serde_json::Value;

use crate::exit::{Exit, Failure};
use crate::wire::{self, REQUEST_BYTES_MAX, Request};

/// Connections at one time.
const CONNECTIONS_MAX: usize = 64;
/// A client that does not read for so long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_mins(1);

/// What the main thread is told.
#[derive(Debug)]
pub(crate) enum Notice {
    /// Lock and end.
    Stop,
    /// Somebody had the vault locked, and waits for the end of this connection.
    Locked(UnixStream),
}

/// How many connections there are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Crowd(Arc<AtomicUsize>);

impl Crowd {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 0
    }
}

/// One connection's place; given back when it ends in any way.
struct Seat(Crowd);

impl Seat {
    fn take(crowd: &Crowd) -> Option<Self> {
        let seat = Self(crowd.clone());
        (crowd.0.fetch_add(1, Ordering::SeqCst) < CONNECTIONS_MAX).then_some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Takes connections until the process ends.
pub(crate) fn accept(
    listener: &UnixListener,
    desk: &Arc<Desk>,
    crowd: &Crowd,
    notices: &Sender<Notice>,
) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else {
            // Out of descriptors, most likely: others will be given back.
            thread::sleep(Duration::from_millis(50));
            continue;
        };
        if !is_own(&stream) {
            continue;
        }
        let Some(seat) = Seat::take(crowd) else {
            refuse(stream);
            continue;
        };
        let (desk, notices) = (Arc::clone(desk), notices.clone());
        let talk = move || {
            let _seat = seat;
            converse(&stream, &desk, &notices);
        };
        drop(thread::Builder::new().name("client".to_owned()).spawn(talk));
    }
}

/// Whether the caller is this very user.
fn is_own(stream: &UnixStream) -> bool {
    rustix::net::sockopt::socket_peercred(stream)
        .is_ok_and(|peer| peer.uid == rustix::process::geteuid())
}

fn refuse(stream: UnixStream) {
    let failure = Failure::new(Exit::Unreachable, "The daemon has too many callers.")
        .safe("Nothing was changed.")
        .next("Wait for the others to finish, and run it again.");
    Reply::new(stream).finish(Err(failure));
}

fn converse(stream: &UnixStream, desk: &Desk, notices: &Sender<Notice>) {
    drop(stream.set_write_timeout(Some(WRITE_TIMEOUT)));
    let (Ok(input), Ok(output)) = (stream.try_clone(), stream.try_clone()) else { return };
    let mut input = BufReader::new(input);
    let mut reply = Reply::new(output);
    let mut guest = None;
    loop {
        match wire::receive::<Request>(&mut input, REQUEST_BYTES_MAX) {
            // It never becomes the person's again.
            Ok(Some(Request::Come(coming))) if guest.is_none() => {
                guest = Some((coming, peer::program(stream)));
                if !reply.finish(Ok(Value::Null)) {
                    return;
                }
            }
            Ok(Some(request)) if guest.is_some() => {
                let of = guest.as_ref().map(|(coming, program)| (coming, program.as_deref()));
                let answered = of.map(|of| desk.answer_guest(of, request));
                if !answered.is_some_and(|answer| reply.finish(answer)) {
                    return;
                }
            }
            Ok(Some(request)) => {
                let is_stop = matches!(request, Request::Stop);
                let is_lock = matches!(request, Request::Lock);
                let result = desk.answer(request, &mut reply);
                let is_there = reply.finish(result);
                if is_stop {
                    notices.send(Notice::Stop).ok();
                }
                if is_lock && let Ok(held) = stream.try_clone() {
                    notices.send(Notice::Locked(held)).ok();
                    return;
                }
                if !is_there {
                    return;
                }
            }
            Ok(None) => return,
            Err(_) => {
                let failure =
                    Failure::new(Exit::Failed, "The daemon did not understand the request.")
                        .safe("Nothing was changed.")
                        .next("Stop it with `aura lock --stop` and run the command again.");
                reply.finish(Err(failure));
                return;
            }
        }
    }
}
