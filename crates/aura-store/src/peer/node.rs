// SPDX-License-Identifier: MIT OR Apache-2.0
//! This device among the others: one UDP socket, through which it calls them and, if wanted, they call it.
//!
//! It has threads of its own, so that whoever waits may wait on any executor or on none; they end with it.
//! Source: spec/peer.md, rules PEE-1 to PEE-7.

use core::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use aura_protocol::id::{DeviceId, VaultId};
use aura_protocol::peer::Greeter;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    ClientConfig, Connection, ConnectionError, Endpoint, EndpointConfig, IdleTimeout, ServerConfig,
    TokioRuntime, TransportConfig, VarInt,
};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use super::serve::{self, House, OVER};
use super::source::Source;
use super::tls::{self, Judge};
use crate::http::Fault;

/// Threads that talk, and threads that read and write the local store.
const THREADS: usize = 2;
const BLOCKING_THREADS_MAX: usize = 8;
/// Streams that the other side may have open at once.
const STREAMS_MAX: u32 = 16;
/// How much the other side may send ahead of what is read: on a stream, and on all of a connection.
const STREAM_WINDOW: u32 = 2 << 20;
const WINDOW: u32 = 4 << 20;
/// Without a sign of life for so long, a connection is over.
const IDLE: Duration = Duration::from_secs(15);
/// How often whoever called gives one.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Handshakes that have begun and that nobody has looked at yet.
const INCOMING_MAX: usize = 64;
/// What one of them may send meanwhile, and all of them, in bytes.
const INCOMING_BYTES_MAX: u64 = 16 << 10;
const INCOMING_ALL_BYTES_MAX: u64 = 256 << 10;
/// Threads end within this when the node does.
const END_PATIENCE: Duration = Duration::from_millis(200);

/// Where random bytes come from.
pub type Fill = Box<dyn Fn(&mut [u8]) + Send + Sync>;

/// Whether other devices may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// This device calls, and is not called.
    No,
    /// At this UDP port of every address; 0 for any that is free.
    Everywhere(u16),
    /// At this address alone.
    At(SocketAddr),
}

/// What connections are made with.
pub(super) struct Inner {
    pub(super) house: Arc<House>,
    endpoint: Endpoint,
    handle: Handle,
    greeter: Arc<dyn Greeter>,
    fill: Fill,
}

/// This device among the others of its vault.
pub struct Node {
    pub(super) inner: Arc<Inner>,
    runtime: Option<Runtime>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("address", &self.address().ok()).finish_non_exhaustive()
    }
}

impl Node {
    /// Opens the socket, and listens if that is wanted.
    ///
    /// # Errors
    /// When the port is taken, or no thread can be started.
    pub fn open(
        vault: VaultId,
        greeter: Arc<dyn Greeter>,
        source: Arc<dyn Source>,
        fill: Fill,
        listen: Listen,
    ) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .max_blocking_threads(BLOCKING_THREADS_MAX)
            .enable_io()
            .enable_time()
            .thread_name("aura-peer")
            .build()?;
        let server = match listen {
            Listen::No => None,
            _ => Some(server(vault, &greeter, &source)?),
        };
        let endpoint = {
            let _within = runtime.enter();
            let config = EndpointConfig::default();
            Endpoint::new(config, server, bind(listen)?, Arc::new(TokioRuntime))?
        };
        let house = House::new(vault, source);
        if listen != Listen::No {
            runtime.spawn(serve::accept(endpoint.clone(), Arc::clone(&house)));
        }
        runtime.spawn(serve::guard(Arc::clone(&house)));
        let handle = runtime.handle().clone();
        let inner = Arc::new(Inner { house, endpoint, handle, greeter, fill });
        Ok(Self { inner, runtime: Some(runtime) })
    }

    /// Where it listens, or calls from.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.inner.endpoint.local_addr()
    }

    /// Which device of the vault is at a place (`HOST:PORT`).
    ///
    /// # Errors
    /// When nobody answers there, or somebody who is none of them.
    pub fn meet(
        &self,
        place: &str,
    ) -> impl Future<Output = Result<DeviceId, Fault>> + Send + use<> {
        self.meet_at(vec![place.to_owned()])
    }

    /// Which device of the vault is at one of these places, called one soon after the other. Takes 8 s at most.
    ///
    /// # Errors
    /// When nobody answers at any of them, or somebody who is none of them.
    pub fn meet_at(
        &self,
        places: Vec<String>,
    ) -> impl Future<Output = Result<DeviceId, Fault>> + Send + use<> {
        let inner = Arc::clone(&self.inner);
        async move {
            let met = meet(Arc::clone(&inner), places);
            inner.run(async { timeout(MEET, met).await.unwrap_or(Err(LATE)) }).await
        }
    }
}

/// Whoever answers first is whom the places are of.
async fn meet(inner: Arc<Inner>, places: Vec<String>) -> Result<DeviceId, Fault> {
    let mut calls = JoinSet::new();
    let mut pause = Duration::ZERO;
    for place in places.into_iter().take(ADDRESSES_MAX) {
        let inner = Arc::clone(&inner);
        calls.spawn(async move {
            tokio::time::sleep(pause).await;
            inner.call(&place, None).await
        });
        pause = pause.saturating_add(NEXT);
    }
    let mut last = UNKNOWN;
    while let Some(called) = calls.join_next().await {
        match called {
            Ok(Ok((device, connection))) => {
                connection.close(OVER, &[]);
                return Ok(device);
            }
            Ok(Err(fault)) => last = fault,
            Err(_) => {}
        }
    }
    Err(last)
}

impl Drop for Node {
    fn drop(&mut self) {
        self.inner.endpoint.close(OVER, &[]);
        if let Some(runtime) = self.runtime.take() {
            // The others are told if that can be done at once.
            runtime.shutdown_timeout(END_PATIENCE);
        }
    }
}

/// A task that ends when nobody waits for it any more.
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Inner {
    /// Runs to the end on the node's threads what is awaited here.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Result<T, Fault> {
        let mut task = Task(self.handle.spawn(work));
        (&mut task.0).await.unwrap_or(Err(Fault::Unreachable("it was ended here")))
    }

    /// Calls whoever is at a place: a device of the vault, and the one that is meant if one is.
    pub(super) async fn call(
        &self,
        place: &str,
        expected: Option<DeviceId>,
    ) -> Result<(DeviceId, Connection), Fault> {
        let found = timeout(CALL, tokio::net::lookup_host(place)).await;
        let found = found.map_err(|_| LATE)?;
        let found = found.map_err(|_| UNKNOWN)?;
        let mut last = UNKNOWN;
        for address in found.take(ADDRESSES_MAX) {
            match self.call_at(address, expected).await {
                Ok(called) => return Ok(called),
                Err(fault) => last = fault,
            }
        }
        Err(last)
    }

    async fn call_at(
        &self,
        address: SocketAddr,
        expected: Option<DeviceId>,
    ) -> Result<(DeviceId, Connection), Fault> {
        const UNMADE: Fault = Fault::Unreachable("no connection could be made");
        let judge = Judge::new(&self.house.source, self.greeter.transport(), expected);
        let tls = tls::client(&self.greeter, judge).map_err(|_| UNMADE)?;
        let crypto = QuicClientConfig::try_from(tls).map_err(|_| UNMADE)?;
        let mut config = ClientConfig::new(Arc::new(crypto));
        let mut transport = transport();
        transport.keep_alive_interval(Some(KEEP_ALIVE)).max_concurrent_bidi_streams(NONE);
        config.transport_config(Arc::new(transport));
        let mut random = [0; 32];
        (self.fill)(&mut random);
        let name = tls::name(self.house.vault, &random);
        let connecting = self.endpoint.connect_with(config, address, &name).map_err(|_| UNMADE)?;
        let connection = timeout(CALL, connecting).await.map_err(|_| LATE)?;
        let connection = connection.map_err(|error| over(&error))?;
        match self.house.welcome(&connection) {
            Some((device, _)) if expected.is_none_or(|meant| meant == device) => {
                Ok((device, connection))
            }
            _ => Err(Fault::OtherKey),
        }
    }
}

/// How long somebody who is called may take until they have shown their key: they are near.
const CALL: Duration = Duration::from_secs(4);
/// How long all places of one device may take together.
const MEET: Duration = Duration::from_secs(8);
/// How long after one place the next one is called, if nobody has answered.
const NEXT: Duration = Duration::from_millis(250);
/// Addresses of one place that are tried.
const ADDRESSES_MAX: usize = 8;
const NONE: VarInt = VarInt::from_u32(0);
const UNKNOWN: Fault = Fault::Unreachable("its name is not known");
/// It did not answer in time.
pub(super) const LATE: Fault = Fault::Unreachable("it did not answer in time");

/// What it means that a connection is over, or did not come about.
pub(super) fn over(error: &ConnectionError) -> Fault {
    use aura_protocol::http::{Problem, ProblemKind};

    /// Codes from here on are alerts of TLS (RFC 9001, 4.8).
    const ALERTS: u64 = 0x100;
    let out = || Fault::Problem(Problem::new(ProblemKind::Unauthenticated));
    match error {
        // Found out here.
        ConnectionError::TransportError(error) if u64::from(error.code) >= ALERTS => {
            Fault::OtherKey
        }
        // Found out there.
        ConnectionError::ConnectionClosed(close) if u64::from(close.error_code) >= ALERTS => out(),
        ConnectionError::ApplicationClosed(close) if close.error_code == serve::OUT => out(),
        ConnectionError::VersionMismatch => Fault::Problem(Problem::new(ProblemKind::Protocol)),
        ConnectionError::TimedOut => LATE,
        _ => Fault::Unreachable("the connection broke"),
    }
}

fn transport() -> TransportConfig {
    let mut config = TransportConfig::default();
    config
        .max_concurrent_bidi_streams(VarInt::from_u32(STREAMS_MAX))
        .max_concurrent_uni_streams(NONE)
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(WINDOW))
        .send_window(u64::from(WINDOW))
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(IdleTimeout::try_from(IDLE).ok());
    config
}

fn server(
    vault: VaultId,
    greeter: &Arc<dyn Greeter>,
    source: &Arc<dyn Source>,
) -> io::Result<ServerConfig> {
    let judge = Judge::new(source, greeter.transport(), None);
    let tls = tls::server(vault, greeter, judge).map_err(io::Error::other)?;
    let crypto = QuicServerConfig::try_from(tls).map_err(io::Error::other)?;
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(Arc::new(transport()));
    config
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_BYTES_MAX)
        .incoming_buffer_size_total(INCOMING_ALL_BYTES_MAX);
    Ok(config)
}

/// A socket for both families where there are both.
fn bind(listen: Listen) -> io::Result<UdpSocket> {
    let port = match listen {
        Listen::At(address) => return UdpSocket::bind(address),
        Listen::Everywhere(port) => port,
        Listen::No => 0,
    };
    match UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port)) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        Err(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)),
        bound => bound,
    }
}
