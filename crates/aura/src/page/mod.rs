// SPDX-License-Identifier: MIT OR Apache-2.0
//! The page: a process of its own that shows the vault in the browser of the person who has it, on this machine alone.
//!
//! It holds no key. It reads HTTP, far from those who do, and asks the daemon as commands do; so the gate, the record and
//! the lock hold for it as for them. While the vault is locked it shows nothing, and takes no password.
//! Ends by itself when nobody has used it for a while, or when the vault has been locked for a while.

mod token;
pub(crate) mod launch;
mod peer;
mod words;
mod session;
mod hall;
mod frame;
mod guard;
mod asset;
mod enter;
mod fields;
mod event;
mod chart;
mod vault;
mod record;
mod edit;
mod download;
mod today;
mod audit;
mod assistants;
mod devices;
mod safety;
mod imports;
mod router;

use std::fs::File;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener as Listener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use self::hall::Hall;
use self::launch::Serving;
use crate::client::Client;
use crate::daemon::{Readiness, Start, guard as process};
use crate::exit::{Exit, Failure};
use crate::moment::now_ms;

/// Without a request for so long, it ends.
const IDLE_LIFE: Duration = Duration::from_hours(1);
/// With the vault locked for so long, it ends.
const LOCKED_LIFE: Duration = Duration::from_mins(10);
/// How often it looks at launch files, and every how many of these times whether the vault is open.
const LOOK: Duration = Duration::from_secs(10);
const LOOKS: u32 = 6;
/// Connections at once.
const CONNECTIONS_MAX: usize = 64;
/// Threads that wait for the daemon.
const THREADS_MAX: usize = 16;
/// How long the head of a request may take, and how large it may be: bytes, lines.
const HEAD_PATIENCE: Duration = Duration::from_secs(20);
const HEAD_BYTES_MAX: usize = 32 << 10;
const HEAD_LINES_MAX: usize = 64;

/// Serves the page of the vault in this folder until it ends.
pub(crate) fn run(home: &Path, start: Start) -> Result<(), Failure> {
    // Records pass through its memory.
    let _protection = process::protect();
    if start == Start::Detached {
        process::detach();
    }
    quiet_panics();
    let prepared = prepare(home);
    if start == Start::Detached {
        let said = match &prepared {
            Ok(Some(_)) => Readiness::Ready,
            Ok(None) => Readiness::Taken,
            Err(failure) => Readiness::Failed(failure.clone()),
        };
        let said = serde_json::to_string(&said).unwrap_or_default();
        drop(writeln!(io::stdout(), "{said}"));
        process::close_streams();
    }
    let Some(ready) = prepared? else {
        if start == Start::Detached {
            return Ok(());
        }
        return Err(Failure::new(Exit::Failed, "The page of this vault is served already.")
            .safe("Nothing was changed.")
            .next("`aura open` finds it."));
    };
    let served = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(THREADS_MAX)
        .build()
        .map(|runtime| {
            let served = runtime.block_on(serve(&ready));
            // Whoever waits for the daemon still is not waited for.
            runtime.shutdown_background();
            served
        })
        .map_err(failed);
    launch::untell(&ready.folder);
    served?
}

/// What is there before anybody is told.
struct Ready {
    home: PathBuf,
    folder: PathBuf,
    listener: Listener,
    here: SocketAddr,
    /// Released with the process.
    _lock: File,
}

/// Takes the place of the one who serves, and a port; nothing if somebody has that place.
fn prepare(home: &Path) -> Result<Option<Ready>, Failure> {
    let folder = launch::prepare(home).map_err(failed)?;
    let Some(lock) = launch::hold(&folder).map_err(failed)? else { return Ok(None) };
    launch::forget(&folder).map_err(failed)?;
    let listener = listen().map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let here = listener.local_addr().map_err(failed)?;
    launch::tell(&folder, Serving { address: here, pid: std::process::id() }).map_err(failed)?;
    Ok(Some(Ready { home: home.to_owned(), folder, listener, here, _lock: lock }))
}

/// An address of this machine that nobody has had before. Ports come round again: at one that everybody uses somebody else
/// may have answered a browser earlier, and what a browser keeps of that origin, scripts and workers, would run in ours.
fn listen() -> io::Result<Listener> {
    let mut random = [0; 3];
    // Elsewhere than on Linux only 127.0.0.1 is there.
    if cfg!(target_os = "linux") && getrandom::fill(&mut random).is_ok() {
        let [a, b, c] = random;
        let own = Ipv4Addr::new(127, a.max(1), b, c.clamp(1, 254));
        match Listener::bind((own, 0)) {
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {}
            other => return other,
        }
    }
    Listener::bind((Ipv4Addr::LOCALHOST, 0))
}

#[expect(clippy::needless_pass_by_value, reason = "map_err gives it away")]
fn failed(error: io::Error) -> Failure {
    Failure::file("The page could not be served", &error)
}

async fn serve(ready: &Ready) -> Result<(), Failure> {
    let listener = ready.listener.try_clone().and_then(TcpListener::from_std).map_err(failed)?;
    let hall = Arc::new(Hall::new(ready.home.clone(), ready.folder.clone(), ready.here));
    let router = router::router(&hall);
    let mut end = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    tokio::select! {
        () = accept(&listener, &router, ready.here) => {}
        () = watch(&hall) => {}
        _ = end.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Takes connections of this user's programs.
async fn accept(listener: &TcpListener, router: &Router, here: SocketAddr) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, caller)) = listener.accept().await else {
            // Out of descriptors, most likely: others will be given back.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        if !peer::is_own(caller, here) {
            continue;
        }
        let router = router.clone();
        tokio::spawn(async move {
            let _place = place;
            converse(stream, router).await;
        });
    }
}

async fn converse(stream: TcpStream, router: Router) {
    stream.set_nodelay(true).ok();
    let service = TowerToHyperService::new(router);
    let mut builder = Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEAD_LINES_MAX);
    // Whoever breaks off is told nothing.
    drop(builder.serve_connection(TokioIo::new(stream), service).await);
}

/// Waits until it is time to end.
async fn watch(hall: &Hall) {
    let mut open = Instant::now();
    for look in (0..LOOKS).cycle() {
        sleep(LOOK).await;
        launch::sweep(hall.folder(), now_ms());
        if look == 0 {
            let home = hall.home().clone();
            if spawn_blocking(move || is_open(&home)).await.unwrap_or(false) {
                open = Instant::now();
            }
        }
        // A vault that was moved or thrown away has no page.
        let is_gone = !hall.folder().is_dir();
        if is_gone || is_over(hall.idle(), open.elapsed()) {
            return;
        }
    }
}

/// Whether nobody has asked for so long, or the vault has not been open for so long, that it is time to end.
fn is_over(idle: Duration, locked: Duration) -> bool {
    idle >= IDLE_LIFE || locked >= LOCKED_LIFE
}

fn is_open(home: &Path) -> bool {
    matches!(Client::find(home), Ok(Some(client)) if !client.standing().locked)
}

/// A panic says where it was and not what it was about.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        drop(writeln!(io::stderr(), "aura: internal error at {place}"));
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process that nobody uses is gone after an hour, one of a locked vault after ten minutes.
    #[test]
    fn it_ends_by_itself() {
        let minutes = Duration::from_mins;
        assert!(!is_over(minutes(59), minutes(9)));
        assert!(is_over(minutes(60), minutes(0)) && is_over(minutes(0), minutes(10)));
    }
}
