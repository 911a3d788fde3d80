// SPDX-License-Identifier: MIT OR Apache-2.0
//! Connections: so many at once, none that says nothing, and none that asks for nothing for a minute.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum_server::accept::Accept;
use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tower_http::add_extension::AddExtension;

use crate::crowd::{LinePlace, Lines};
use crate::guard::source;
use crate::proxy::{self, Origin};

/// How long a connection may be open while nothing is asked for over it (HTP-16).
const IDLE: Duration = Duration::from_mins(1);

/// What is asked for over a connection.
#[derive(Debug, Clone)]
pub(crate) struct Line(Arc<State>);

#[derive(Debug)]
struct State {
    now: Mutex<Asking>,
    is_cut: AtomicBool,
    reader: AtomicWaker,
}

#[derive(Debug)]
struct Asking {
    requests: u32,
    /// When the last one was done with, or the connection was opened.
    last: Instant,
}

/// A request on a connection, until its answer is read.
#[derive(Debug)]
pub(crate) struct Asked(Line);

impl Line {
    fn new() -> Self {
        let now = Mutex::new(Asking { requests: 0, last: Instant::now() });
        Self(Arc::new(State { now, is_cut: AtomicBool::new(false), reader: AtomicWaker::new() }))
    }

    fn lock(&self) -> MutexGuard<'_, Asking> {
        self.0.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is asked for.
    pub(crate) fn ask(&self) -> Asked {
        let mut now = self.lock();
        now.requests = now.requests.saturating_add(1);
        drop(now);
        Asked(self.clone())
    }

    /// Ends it: whoever is at its other end does not read what they asked for.
    pub(crate) fn cut(&self) {
        self.0.is_cut.store(true, Ordering::Release);
        self.0.reader.wake();
    }

    fn is_cut(&self) -> bool {
        self.0.is_cut.load(Ordering::Acquire)
    }

    /// Until when something must be asked for over it.
    fn until(&self) -> Instant {
        let now = self.lock();
        let since = if now.requests > 0 { Instant::now() } else { now.last };
        since.checked_add(IDLE).unwrap_or(since)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let mut now = self.0.lock();
        now.requests = now.requests.saturating_sub(1);
        now.last = Instant::now();
    }
}

/// Takes so many connections at once; those beyond are closed before their handshake.
#[derive(Debug, Clone)]
pub(crate) struct Bounded<A> {
    pub(crate) acceptor: A,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) sources: Arc<Lines>,
    /// How long a connection may take to say anything.
    pub(crate) first: Duration,
    /// How long a proxy may take to say where it comes from.
    pub(crate) header: Duration,
    /// Whose word about where a connection comes from is taken.
    pub(crate) proxies: Arc<[IpAddr]>,
}

/// A connection with its place.
pub(crate) struct Placed<S> {
    stream: S,
    line: Line,
    has_spoken: bool,
    /// Until when it must have said, or asked for, something.
    silence: Pin<Box<Sleep>>,
    _places: (OwnedSemaphorePermit, LinePlace),
}

impl<A, S> Accept<TcpStream, S> for Bounded<A>
where
    A: Accept<TcpStream, S> + Clone + Send + 'static,
    A::Stream: Send,
    A::Service: Send,
    A::Future: Send,
    S: Send + 'static,
{
    type Stream = Placed<A::Stream>;
    type Service = AddExtension<AddExtension<A::Service, Origin>, Line>;
    type Future =
        Pin<Box<dyn Future<Output = io::Result<(Placed<A::Stream>, Self::Service)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let (acceptor, first, header, sources) =
            (self.acceptor.clone(), self.first, self.header, Arc::clone(&self.sources));
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let peer = stream.peer_addr().map(|address| address.ip().to_canonical());
        let is_proxy = peer.as_ref().is_ok_and(|peer| self.proxies.contains(peer));
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| refused());
        Box::pin(async move {
            let (mut stream, peer, place) = (stream, peer?, place?);
            let origin = if is_proxy {
                timeout(header, proxy::origin(&mut stream)).await??
            } else {
                Origin(None)
            };
            let of_source = sources.enter(source(origin.0.unwrap_or(peer))).ok_or_else(refused)?;
            let (stream, service) = acceptor.accept(stream, service).await?;
            let line = Line::new();
            let service = AddExtension::new(AddExtension::new(service, origin), line.clone());
            Ok((Placed::new(stream, line, first, (place, of_source)), service))
        })
    }
}

impl<S> Placed<S> {
    fn new(
        stream: S,
        line: Line,
        first: Duration,
        places: (OwnedSemaphorePermit, LinePlace),
    ) -> Self {
        let silence = Box::pin(sleep(first));
        Self { stream, line, has_spoken: false, silence, _places: places }
    }

    fn check(&self) -> io::Result<()> {
        if self.line.is_cut() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }

    /// Whether it has been silent, or has asked for nothing, for too long.
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        while self.silence.as_mut().poll(context).is_ready() {
            let until = self.line.until();
            if !self.has_spoken || until <= Instant::now() {
                return true;
            }
            self.silence.as_mut().reset(until);
        }
        false
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Placed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.line.0.reader.register(context.waker());
        self.check()?;
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before && !self.has_spoken {
            self.has_spoken = true;
            let until = self.line.until();
            self.silence.as_mut().reset(until);
        }
        if read.is_pending() && self.is_late(context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Placed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::advance;

    use super::*;

    fn placed() -> (Placed<DuplexStream>, DuplexStream, Line) {
        let (here, there) = duplex(64);
        let line = Line::new();
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let of_source = Lines::new(1).enter(IpAddr::from([192, 0, 2, 1])).unwrap();
        let first = Duration::from_secs(15);
        (Placed::new(here, line.clone(), first, (place, of_source)), there, line)
    }

    async fn is_open(placed: &mut Placed<DuplexStream>) -> bool {
        let read = timeout(Duration::from_millis(1), placed.read_u8()).await;
        !matches!(read, Ok(Err(_)))
    }

    /// HTP-16, attack AVL-04: who has said something and asks for nothing any more is let go of after a minute; who is answered, or
    /// listens, is not.
    #[test]
    fn a_connection_that_asks_for_nothing_is_closed() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (mut placed, mut there, line) = placed();
            there.write_u8(1).await.unwrap();
            assert!(is_open(&mut placed).await);
            let request = line.ask();
            for _ in 0..10 {
                advance(IDLE).await;
                assert!(is_open(&mut placed).await, "something is asked for");
            }
            drop(request);
            advance(IDLE / 2).await;
            // Signs of life are no requests.
            there.write_u8(1).await.unwrap();
            assert!(is_open(&mut placed).await);
            advance(IDLE / 2).await;
            assert!(!is_open(&mut placed).await);
        });
    }

    /// HTP-16, attack AVL-04: who does not read what was asked for is cut off.
    #[test]
    fn a_connection_that_is_cut_is_closed() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (mut placed, _there, line) = placed();
            let cutting = tokio::spawn(async move { line.cut() });
            assert!(placed.read_u8().await.is_err());
            cutting.await.unwrap();
            assert!(placed.write_u8(1).await.is_err());
        });
    }
}
