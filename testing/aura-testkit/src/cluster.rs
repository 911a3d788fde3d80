// SPDX-License-Identifier: MIT OR Apache-2.0
//! A PostgreSQL of a test's own: in a temporary folder, over a socket there, gone with the test.
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use postgres::{Client, NoTls};
use tempfile::TempDir;

/// Nobody, as Debian numbers it: PostgreSQL refuses to be root.
const NOBODY: u32 = 65_534;

/// A running PostgreSQL.
#[derive(Debug)]
pub struct Cluster {
    server: Child,
    folder: TempDir,
    port: u16,
    schemas: AtomicU32,
}

impl Cluster {
    /// Begins one; `None`, and a word about it, where PostgreSQL is not installed.
    pub fn begin() -> Option<Self> {
        Self::begin_with(None)
    }

    /// The same that also listens at `localhost`, with this certificate and its key, in PEM.
    pub fn begin_with_tls(certificate: &str, key: &str) -> Option<Self> {
        Self::begin_with(Some((certificate, key)))
    }

    fn begin_with(tls: Option<(&str, &str)>) -> Option<Self> {
        let Some(programs) = programs() else {
            let is_due = std::env::var_os("AURA_FAR").is_some();
            assert!(!is_due, "PostgreSQL is not installed; install the package postgresql");
            println!("skipped: PostgreSQL is not installed; install the package postgresql");
            return None;
        };
        let folder = TempDir::new().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let is_root = fs::metadata("/proc/self").is_ok_and(|own| is_owned_by_root(&own));
        if is_root {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let program = |name: &str| {
            let mut command = Command::new(programs.join(name));
            if is_root {
                command.uid(NOBODY).gid(NOBODY);
            }
            command.current_dir(folder.path()).env("LC_ALL", "C").stdout(Stdio::null());
            command
        };
        let tables = folder.path().join("data");
        let mut make = program("initdb");
        make.arg("-D").arg(&tables).args(["-U", "aura", "-A", "trust", "-E", "UTF8"]);
        assert!(make.args(["--no-sync", "--no-instructions"]).status().unwrap().success());
        let mut serve = program("postgres");
        serve.arg("-D").arg(&tables).arg("-k").arg(folder.path());
        let port = match tls {
            None => {
                serve.args(["-c", "listen_addresses="]);
                5432
            }
            Some((certificate, key)) => {
                let (at, key_at) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
                fs::write(&at, certificate).unwrap();
                fs::write(&key_at, key).unwrap();
                fs::set_permissions(&key_at, fs::Permissions::from_mode(0o600)).unwrap();
                if is_root {
                    chown(&key_at, Some(NOBODY), Some(NOBODY)).unwrap();
                }
                let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
                let files = [("ssl_cert_file", at), ("ssl_key_file", key_at)];
                let setting = |(name, file): &(&str, PathBuf)| format!("{name}={}", file.display());
                serve.args(["-c", "listen_addresses=127.0.0.1"]);
                // In its file, so that a test can turn it off.
                let mut settings =
                    OpenOptions::new().append(true).open(tables.join("postgresql.conf"));
                settings.as_mut().unwrap().write_all(b"ssl = on\n").unwrap();
                serve.args(files.iter().flat_map(|file| ["-c".to_owned(), setting(file)]));
                free.local_addr().unwrap().port()
            }
        };
        serve.args(["-c", &format!("port={port}")]);
        serve.args(["-c", "fsync=off", "-c", "shared_buffers=16MB"]).stderr(Stdio::null());
        let server = serve.spawn().unwrap();
        let cluster = Self { server, folder, port, schemas: AtomicU32::new(0) };
        let start = Instant::now();
        while Client::connect(&cluster.address("public"), NoTls).is_err() {
            assert!(start.elapsed() < Duration::from_mins(1), "PostgreSQL does not begin");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(cluster)
    }

    fn address(&self, schema: &str) -> String {
        let folder = self.folder.path().display();
        let port = self.port;
        format!(
            "host={folder} port={port} user=aura dbname=postgres options='-c search_path={schema}'"
        )
    }

    /// Where it listens, if it does.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The address of tables that nobody has used yet.
    pub fn fresh(&self) -> String {
        let schema = format!("t{}", self.schemas.fetch_add(1, Ordering::Relaxed));
        let mut client = Client::connect(&self.address("public"), NoTls).unwrap();
        client.batch_execute(&format!("CREATE SCHEMA {schema}")).unwrap();
        self.address(&schema)
    }
}

/// Everything that the tables at an address hold, as the database holds it, and how many tables that is.
pub fn tables(address: &str) -> (Vec<u8>, usize) {
    let mut client = Client::connect(address, NoTls).unwrap();
    let sql = "SELECT table_name::text FROM information_schema.tables
               WHERE table_schema = current_schema()";
    let names: Vec<String> = client.query(sql, &[]).unwrap().iter().map(|row| row.get(0)).collect();
    let mut all = Vec::new();
    for name in &names {
        let copy = format!("COPY {name} TO STDOUT (FORMAT binary)");
        client.copy_out(&copy).unwrap().read_to_end(&mut all).unwrap();
    }
    (all, names.len())
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

fn is_owned_by_root(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::uid(metadata) == 0
}

/// Where the newest installed PostgreSQL has its programs.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let found = versions.filter_map(|version| {
        let version = version.ok()?;
        let number: u32 = version.file_name().to_str()?.parse().ok()?;
        Some((number, version.path().join("bin")))
    });
    let newest = found.filter(|(_, folder)| has_server(folder)).max()?;
    Some(newest.1)
}

fn has_server(folder: &Path) -> bool {
    folder.join("initdb").exists() && folder.join("postgres").exists()
}
