// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an operator settles: one TOML file, every key optional but for the folder.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The largest file of settings, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// Who may open an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// Anybody.
    Open,
    /// Whoever has an invitation.
    #[default]
    Invitation,
    /// Nobody.
    Closed,
}

/// The server's settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its folder: accounts, keys and vaults.
    pub data: PathBuf,
    /// Who may open an account.
    pub registration: Registration,
    /// Bytes that an account may keep; 0 for no bound.
    pub quota_bytes: u64,
    /// Where metrics and health are served in the clear, if anywhere: for the operator's own network.
    pub metrics_listen: Option<SocketAddr>,
    /// A certificate of the operator's own.
    pub tls: Option<Tls>,
    /// A file with what logins rest on, kept elsewhere than in the server's folder; it is never made or changed.
    pub logins_key: Option<PathBuf>,
    /// A file with the key that signs access logs; the same.
    pub log_key: Option<PathBuf>,
    /// A database that this server shares with other nodes, instead of its folder.
    pub storage: Option<Storage>,
    /// Proxies that pass connections on and say where they come from (PROXY protocol, version 2).
    pub proxies: Vec<IpAddr>,
    /// What one source and the whole server may ask for.
    pub limits: Limits,
}

/// A certificate and its key, in PEM files that are read again when they change.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate, with those between it and its root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Where vaults and accounts are that any number of nodes serve.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// The database: `host=… dbname=… user=…` or `postgres://…`, without a password.
    pub postgres: String,
    /// A file whose first line is its password.
    pub password: Option<PathBuf>,
    /// A file with the authorities, in PEM, of which one must have signed the database's certificate. Without it the
    /// database is on this machine.
    pub authority: Option<PathBuf>,
    /// Connections of this node to it.
    #[serde(default = "connections")]
    pub connections: u32,
    /// A directory that every node sees, or a bucket (`s3://BUCKET/PREFIX`); without either chunks are in the database.
    pub chunks: Option<String>,
    /// How the bucket is reached.
    pub bucket: Option<Bucket>,
}

fn connections() -> u32 {
    16
}

/// How a bucket is reached.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// The id of the access key.
    pub account: String,
    /// A file whose first line is the secret access key.
    pub secret: PathBuf,
    /// Whom to ask: `https://HOST:PORT`. Amazon, if nothing is said.
    pub endpoint: Option<String>,
    /// Its region.
    pub region: Option<String>,
    /// A file with the certificates that are believed, in PEM; the system's, if nothing is said.
    pub certificate: Option<PathBuf>,
}

/// What one source and the whole server may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Requests a second of one source without a token.
    pub open_per_second: u32,
    /// Requests a second of one account.
    pub account_per_second: u32,
    /// Vaults whose files are held open.
    pub open_vaults: usize,
    /// Requests that are worked on at once.
    pub requests: usize,
    /// Connections at once.
    pub connections: usize,
    /// Connections of one source at once.
    pub connections_per_source: u32,
    /// Seconds that a connection may take to say anything.
    pub first_byte_seconds: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            open_per_second: 20,
            account_per_second: 2_000,
            open_vaults: 128,
            requests: 512,
            connections: 20_000,
            connections_per_source: 256,
            first_byte_seconds: 15,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 8443)),
            data: PathBuf::from("/var/lib/aura-server"),
            registration: Registration::default(),
            quota_bytes: 20 << 30,
            metrics_listen: None,
            tls: None,
            logins_key: None,
            log_key: None,
            storage: None,
            proxies: Vec::new(),
            limits: Limits::default(),
        }
    }
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file could not be read.
    #[error("the settings in {path} could not be read")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// The file is larger than settings are.
    #[error("{0} is larger than a file of settings; nothing of it was used")]
    TooLarge(PathBuf),
    /// The file does not say what settings say.
    #[error("{path} is not as expected; the server was not started: {error}")]
    Parse {
        /// Which file.
        path: PathBuf,
        /// Where and what.
        error: Box<toml::de::Error>,
    },
    /// The place for chunks is not described.
    #[error(
        "`chunks` in [storage] is a directory's absolute path, or s3://… with [storage.bucket]"
    )]
    Chunks,
    /// A limit would keep the server from doing anything.
    #[error("every limit in the settings must be at least 1")]
    Zero,
}

impl Config {
    /// The settings in a file.
    ///
    /// # Errors
    /// When it cannot be read or says something unknown.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let failed = |error| ConfigError::Read { path: path.to_owned(), error };
        if std::fs::metadata(path).map_err(failed)?.len() > FILE_BYTES_MAX {
            return Err(ConfigError::TooLarge(path.to_owned()));
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let parsed = toml::from_str::<Self>(&text);
        let config = parsed.map_err(|error| ConfigError::Parse {
            path: path.to_owned(),
            error: Box::new(error),
        })?;
        config.check()
    }

    /// The settings, if the server can work with them.
    ///
    /// # Errors
    /// When a limit is zero, or the place for chunks is not described.
    pub fn check(self) -> Result<Self, ConfigError> {
        let Limits {
            open_per_second, account_per_second, open_vaults, requests, connections, ..
        } = self.limits;
        let Limits { connections_per_source, first_byte_seconds, .. } = self.limits;
        let rates =
            [open_per_second, account_per_second, connections_per_source, first_byte_seconds];
        let counts = [open_vaults, requests, connections];
        if rates.contains(&0) || counts.contains(&0) {
            return Err(ConfigError::Zero);
        }
        if let Some(Storage { connections, chunks, bucket, .. }) = &self.storage {
            if *connections == 0 {
                return Err(ConfigError::Zero);
            }
            let is_bucket = chunks.as_ref().is_some_and(|chunks| chunks.starts_with("s3://"));
            let is_path = |chunks: &String| chunks.starts_with('/');
            if is_bucket != bucket.is_some() || !is_bucket && !chunks.as_ref().is_none_or(is_path) {
                return Err(ConfigError::Chunks);
            }
        }
        Ok(self)
    }

    /// Whether devices find the same keys at every node that has these settings.
    pub fn has_shared_keys(&self) -> bool {
        self.tls.is_some() && self.logins_key.is_some() && self.log_key.is_some()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    fn read(text: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("aura-server.toml");
        std::fs::write(&path, text).unwrap();
        Config::read(&path)
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        assert_eq!(read("").unwrap(), Config::default());
        let config =
            read("data = \"/srv/aura\"\nregistration = \"open\"\n[limits]\nrequests = 7\n")
                .unwrap();
        assert_eq!(config.registration, Registration::Open);
        assert_eq!(config.limits.requests, 7);
        let given = "logins_key = \"/run/secrets/logins\"";
        assert_eq!(read(given).unwrap().logins_key, Some(PathBuf::from("/run/secrets/logins")));
        assert_eq!(config.limits.connections, Limits::default().connections);
    }

    #[test]
    fn a_word_that_is_not_known_stops_the_server() {
        for text in [
            "quota = 1",
            "registration = \"maybe\"",
            "listen = \"here\"",
            "[limits]\nx = 1",
            "data",
        ] {
            assert!(matches!(read(text), Err(ConfigError::Parse { .. })), "{text}");
        }
        assert!(matches!(read("[limits]\nrequests = 0"), Err(ConfigError::Zero)));
        assert!(matches!(read(&"#".repeat(70_000)), Err(ConfigError::TooLarge(_))));
    }

    #[test]
    fn a_shared_database_is_described_whole() {
        let of =
            |more: &str| read(&format!("[storage]\npostgres = \"host=/run/postgresql\"\n{more}"));
        let bucket = "[storage.bucket]\naccount = \"a\"\nsecret = \"/run/secrets/s3\"\n";
        let storage = of("").unwrap().storage.unwrap();
        assert_eq!((storage.connections, storage.chunks), (16, None));
        assert!(of("chunks = \"/srv/chunks\"").is_ok());
        assert!(of(&format!("chunks = \"s3://aura/chunks\"\n{bucket}")).is_ok());
        for unfit in
            ["chunks = \"chunks\"", "chunks = \"s3://aura\"", bucket, "chunks = \"sftp://a/b\""]
        {
            assert!(matches!(of(unfit), Err(ConfigError::Chunks)), "{unfit}");
        }
        assert!(matches!(of("connections = 0"), Err(ConfigError::Zero)));
        assert!(matches!(of("password_of_it = \"x\""), Err(ConfigError::Parse { .. })));
    }
}
