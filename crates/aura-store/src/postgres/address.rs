// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where a database is, and that nobody on the way there listens.
//!
//! A database sees which vault syncs when, and its password opens it. So it is either behind a socket or an address of
//! this machine, or it is reached over TLS 1.3 and shows a certificate for its name from an authority that the operator
//! chose. Source: spec/store.md, rule STO-41.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use aura_protocol::store::StoreError;
use postgres::config::{Host, SslMode};
use postgres::{Client, Config, NoTls};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::OpenError;
use super::fault::failed;

/// How long a database has to answer who connects.
const CONNECT: Duration = Duration::from_secs(10);

/// How often a connection on which nothing is said is looked after.
const LISTENING: Duration = Duration::from_secs(30);

/// How long it may say nothing to what was sent.
const SILENCE: Duration = Duration::from_mins(1);

/// Authorities that are read from a file; more are refused.
const AUTHORITIES_MAX: usize = 64;

/// The address of a database, and the way there.
pub struct Address {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

impl core::fmt::Debug for Address {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // It may have a password.
        f.debug_struct("Address").field("has_tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}

impl Address {
    /// A database on this machine: `host=/run/postgresql dbname=aura user=aura`.
    ///
    /// # Errors
    /// When the text is no address, or names another machine.
    pub fn near(text: &str) -> Result<Self, OpenError> {
        let config = parse(text)?;
        let is_near = |host: &Host| match host {
            Host::Tcp(name) => ["localhost", "127.0.0.1", "::1"].contains(&name.as_str()),
            #[cfg(unix)]
            Host::Unix(_) => true,
        };
        let are_near = config.get_hostaddrs().iter().all(IpAddr::is_loopback);
        if !config.get_hosts().iter().all(is_near) || !are_near {
            return Err(OpenError::Remote);
        }
        Ok(Self { config, tls: None })
    }

    /// A database anywhere, that shows a certificate from one of these authorities, which are given as PEM.
    ///
    /// # Errors
    /// When the text is no address, or there is no authority.
    pub fn over_tls(text: &str, authorities: &[u8]) -> Result<Self, OpenError> {
        let mut config = parse(text)?;
        config.ssl_mode(SslMode::Require);
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authorities) {
            let certificate = certificate.map_err(|_| OpenError::Authority)?;
            roots.add(certificate).map_err(|_| OpenError::Authority)?;
            if roots.len() > AUTHORITIES_MAX {
                return Err(OpenError::Authority);
            }
        }
        if roots.is_empty() {
            return Err(OpenError::Authority);
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(|_| OpenError::Authority)?;
        let tls = builder.with_root_certificates(roots).with_no_client_auth();
        Ok(Self { config, tls: Some(MakeRustlsConnect::new(tls)) })
    }

    /// Whether the text had a password in it.
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    /// The same, with this password.
    #[must_use]
    pub fn with_password(mut self, password: &[u8]) -> Self {
        self.config.password(password);
        self
    }

    /// A new connection.
    pub(super) fn connect(&self) -> Result<Client, StoreError> {
        let connected = match &self.tls {
            Some(tls) => self.config.connect(tls.clone()),
            None => self.config.connect(NoTls),
        };
        connected.map_err(|error| match error.code() {
            Some(_) => failed(error),
            None => {
                StoreError::Unreachable("the database does not answer, or is not the right one")
            }
        })
    }
}

fn parse(text: &str) -> Result<Config, OpenError> {
    let mut config: Config = text.parse().map_err(|_| OpenError::Address)?;
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    // Who only listens says nothing, and would not notice that nobody is there.
    config.keepalives_idle(LISTENING).keepalives_interval(LISTENING / 3).keepalives_retries(3);
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENCE);
    }
    Ok(config)
}
