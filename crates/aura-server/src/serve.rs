// SPDX-License-Identifier: MIT OR Apache-2.0
//! Starts a server and ends it: its folder, its sockets, its certificate.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use aura_protocol::auth::ServerKey;
use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use hyper_util::rt::TokioTimer;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::accounts::AccountError;
use crate::backing::{Backing, BackingError};
use crate::config::Config;
use crate::crowd::Lines;
use crate::line::Bounded;
use crate::routes::{self, Server, Start};
use crate::secrets::{self, Certificate, LogKey, SecretError};
use crate::vaults::{self, Company, Held};

/// How long requests that go on may take when the server ends.
const GRACE: Duration = Duration::from_secs(10);
/// How long a TLS handshake, and the head of a request, may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
const HEAD: Duration = Duration::from_secs(30);
/// How often a certificate's files are looked at, and what nobody needs is forgotten.
const LOOK: Duration = Duration::from_secs(30);
/// Requests of one HTTP/2 connection at once.
const STREAMS_MAX: u32 = 64;
/// What a client may send before it is read, in bytes: of a request, and of a connection.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 2 << 20;
/// The largest head of a request, in bytes.
const HEAD_BYTES_MAX: u32 = 16 << 10;
/// Threads that wait for disks.
const DISK_THREADS: usize = 256;

/// Why a server was not started. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Its folder cannot be used.
    #[error("the server's folder {path} cannot be used")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// Another server works on the folder.
    #[error("another server works on {0}; end that one first")]
    Busy(PathBuf),
    /// The address cannot be listened on.
    #[error("the server cannot listen on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// Its keys.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// What it stands on.
    #[error(transparent)]
    Backing(#[from] BackingError),
    /// Everything there is being moved to another place.
    #[error("what the database keeps is being moved elsewhere; wait until that is done")]
    Moving,
    /// Its accounts.
    #[error("the accounts cannot be used")]
    Accounts(#[from] AccountError),
    /// Threads could not be started.
    #[error("threads could not be started")]
    Threads(#[source] io::Error),
}

/// A server at work, on threads of its own. Ends when it is dropped.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    operator_address: Option<SocketAddr>,
    key: ServerKey,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _locks: (File, Box<dyn Held>),
}

/// Makes the server's folder if it is not there, and holds it.
///
/// # Errors
/// When it cannot be made, or another server works on it.
pub fn hold(data: &Path) -> Result<File, StartError> {
    let failed = |error| StartError::Folder { path: data.to_owned(), error };
    if !data.is_dir() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(failed)?;
    }
    let lock = data.join("server.lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(lock);
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::Busy(data.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

impl Running {
    /// Starts a server. It answers when this returns.
    ///
    /// # Errors
    /// When its folder, keys, accounts or address cannot be used.
    pub fn start(config: Config, now_ms: fn() -> i64) -> Result<Self, StartError> {
        let lock = hold(&config.data)?;
        let certificate = Certificate::load(&config)?;
        let backing = Backing::of(&config, now_ms)?;
        let place = backing.hosting.hold(Company::Others).map_err(BackingError::Vaults)?;
        let place = place.ok_or(StartError::Moving)?;
        let logins = secrets::logins_path(&config);
        if !logins.exists() && !backing.accounts.is_empty()? {
            return Err(SecretError::Lost(logins).into());
        }
        let setup = secrets::logins(&config)?;
        let log = LogKey::of(&config)?;
        backing.hosting.agree(&setup, &log).map_err(BackingError::from)?;
        let root = config.data.join("vaults");
        vaults::sweep(&root).map_err(|error| StartError::Folder { path: root, error })?;
        let tls = RustlsConfig::from_config(certificate.tls()?);
        let listener = listen(config.listen)?;
        let address = bound(&listener, config.listen)?;
        let operator = config.metrics_listen.map(listen).transpose()?;
        let operator_address = match (&operator, config.metrics_listen) {
            (Some(listener), Some(wanted)) => Some(bound(listener, wanted)?),
            _ => None,
        };
        let runtime = Builder::new_multi_thread()
            .thread_name("aura-server")
            .max_blocking_threads(DISK_THREADS)
            .enable_all()
            .build()
            .map_err(StartError::Threads)?;
        let key = certificate.key();
        // A database is shut on a thread that drives no runtime: it goes last.
        let last = Arc::clone(&backing.hosting);
        let server = Arc::new(Server::new(Start { config, backing, setup, key, log, now_ms }));
        let hearing = Arc::downgrade(&server);
        last.listen(Box::new(move |heard| {
            hearing.upgrade().into_iter().for_each(|server| server.hear(heard));
        }));
        let (stop, stopped) = oneshot::channel();
        let work = move || {
            run(&runtime, &server, tls, (listener, operator), stopped);
            drop((server, runtime));
            drop(last);
        };
        let thread = thread::Builder::new().name("aura-server".to_owned()).spawn(work);
        let thread = Some(thread.map_err(StartError::Threads)?);
        let locks = (lock, place);
        Ok(Self { address, operator_address, key, stop: Some(stop), thread, _locks: locks })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where metrics are, if anywhere.
    pub fn operator_address(&self) -> Option<SocketAddr> {
        self.operator_address
    }

    /// What clients pin.
    pub fn key(&self) -> ServerKey {
        self.key
    }

    /// Ends it: requests that go on are finished first, within ten seconds.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended already.
            stop.send(()).ok();
        }
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    let listener = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    listener.map_err(|error| StartError::Listen { address, error })
}

fn bound(listener: &TcpListener, address: SocketAddr) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|error| StartError::Listen { address, error })
}

/// Serves until it is told to stop.
fn run(
    runtime: &Runtime,
    server: &Arc<Server>,
    tls: RustlsConfig,
    (listener, operator): (TcpListener, Option<TcpListener>),
    stopped: oneshot::Receiver<()>,
) {
    runtime.block_on(async {
        let handle = Handle::new();
        let (shared, ending) = (Arc::clone(server), handle.clone());
        tokio::spawn(async move {
            // Also when the other side is gone.
            stopped.await.ok();
            shared.stop();
            shared.bells.ring_all();
            ending.graceful_shutdown(Some(GRACE));
        });
        tokio::spawn(look_after(Arc::clone(server), tls.clone()));
        if let Some(operator) = operator {
            tokio::spawn(operate(Arc::clone(server), operator));
        }
        if let Err(error) = serve(server, tls, listener, handle).await {
            tracing::error!(%error, "the server ended");
        }
        let shared = Arc::clone(server);
        spawn_blocking(move || shared.vaults.shut_all()).await.ok();
    });
}

async fn serve(
    server: &Arc<Server>,
    tls: RustlsConfig,
    listener: TcpListener,
    handle: Handle<SocketAddr>,
) -> io::Result<()> {
    let router = routes::router(Arc::clone(server));
    let acceptor =
        RustlsAcceptor::new(tls).handshake_timeout(HANDSHAKE).acceptor(NoDelayAcceptor::new());
    let places = Arc::new(Semaphore::new(server.config.limits.connections));
    let sources = Arc::new(Lines::new(server.config.limits.connections_per_source));
    let first = Duration::from_secs(u64::from(server.config.limits.first_byte_seconds));
    let proxies: Arc<[IpAddr]> = server.config.proxies.iter().map(IpAddr::to_canonical).collect();
    let mut listening = axum_server::from_tcp(listener)?
        .acceptor(Bounded { acceptor, places, sources, first, header: HANDSHAKE, proxies })
        .handle(handle);
    let http = listening.http_builder();
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEAD_BYTES_MAX)
        .keep_alive_interval(Duration::from_mins(1))
        .keep_alive_timeout(Duration::from_secs(20));
    listening.serve(router.into_make_service_with_connect_info::<SocketAddr>()).await
}

async fn operate(server: Arc<Server>, listener: TcpListener) {
    let listener = tokio::net::TcpListener::from_std(listener);
    let router = routes::operator_router(server);
    let served = match listener {
        Ok(listener) => axum::serve(listener, router).await,
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        tracing::error!(%error, "metrics are not served any more");
    }
}

/// Reads the certificate again when its files change, and forgets what nobody needs.
async fn look_after(server: Arc<Server>, tls: RustlsConfig) {
    let mut seen = changed(&server.config);
    // What was cut short when it ended.
    server.tidy().await;
    loop {
        sleep(LOOK).await;
        server.tidy().await;
        let now = changed(&server.config);
        if now == seen {
            continue;
        }
        match Certificate::load(&server.config).and_then(|new| Ok((new.tls()?, new.key()))) {
            Ok((new, key)) => {
                seen = now;
                tls.reload_from_config(new);
                server.change_key(key);
                tracing::info!(%key, "the certificate was read again");
            }
            Err(error) => {
                tracing::error!(%error, "the new certificate was not taken; the old one stays");
            }
        }
    }
}

/// When the certificate's files were changed.
fn changed(config: &Config) -> Option<[Option<SystemTime>; 2]> {
    let of = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    config.tls.as_ref().map(|tls| [of(&tls.certificate), of(&tls.key)])
}
