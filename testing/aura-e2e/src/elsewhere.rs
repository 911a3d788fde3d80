// SPDX-License-Identifier: MIT OR Apache-2.0
//! Servers with a directory of their own, each on a free port of this device: S3, WebDAV (Apache's), SFTP (OpenSSH's).
//!
//! What they keep lies in that directory as files, so that a test can look at it, spoil it and take it away. The S3
//! server runs within the test; the others are Debian's `apache2-bin` and `openssh-server`. Where one is not installed, the
//! test says that it is skipped, and fails if `AURA_FAR` is set, as it is where `cargo xtask test` has installed them.

mod bucket;

use std::fs;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rustix::process::{Pid, Signal, kill_process};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tempfile::TempDir;

use self::bucket::Buckets;

/// Who lets a person in, everywhere.
pub const ACCOUNT: &str = "wallaby";
/// What lets them in.
pub const SECRET: &str = "pademelonsecret";
/// The same for Apache: SHA-1 in Base64.
const SECRET_SHA: &str = "ZxhuDD3yd8mNsZOIrS0exkg6g9c=";
/// The bucket, and the directory that each server shows.
const NAME: &str = "aura-far";
/// How long a server may take to begin.
const PATIENCE: Duration = Duration::from_secs(20);
/// Debian's account of nobody.
const NOBODY: u32 = 65_534;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elsewhere {
    /// A bucket.
    S3,
    /// Apache's `mod_dav`.
    Webdav,
    /// OpenSSH's `sftp-server`.
    Sftp,
}

/// A server, until it is dropped.
pub struct Server {
    kind: Elsewhere,
    dir: TempDir,
    port: u16,
    child: Option<Child>,
    requests: Arc<AtomicU64>,
}

impl Server {
    /// One that has begun; nothing where it is not installed.
    pub fn begin(kind: Elsewhere) -> Option<Self> {
        let program = match kind {
            Elsewhere::S3 => None,
            Elsewhere::Webdav => Some("/usr/sbin/apache2"),
            Elsewhere::Sftp => Some("/usr/sbin/sshd"),
        };
        if let Some(program) = program
            && !Path::new(program).exists()
        {
            assert!(std::env::var_os("AURA_FAR").is_none(), "{program} is not installed");
            writeln!(
                io::stderr(),
                "skipped: {program} is not installed (apache2-bin, openssh-server)"
            )
            .ok();
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir_all(dir.path().join("data").join(NAME)).unwrap();
        let mut server =
            Self { kind, dir, port: free_port(), child: None, requests: Arc::default() };
        server.starts();
        Some(server)
    }

    /// Starts it (again).
    pub fn starts(&mut self) {
        match self.kind {
            Elsewhere::S3 => self.serve_bucket(),
            Elsewhere::Webdav => self.child = Some(self.apache()),
            Elsewhere::Sftp => self.child = Some(self.sshd()),
        }
        let begun = Instant::now();
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        while TcpStream::connect(at).is_err() {
            if let Some(child) = &mut self.child
                && let Some(status) = child.try_wait().unwrap()
            {
                let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
                panic!("the server ended: {status}: {log}");
            }
            assert!(begun.elapsed() < PATIENCE, "the server does not begin");
            sleep(Duration::from_millis(20));
        }
    }

    /// Ends it, where it is a process.
    pub fn stops(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        // Each ends its own children when it is asked to end, and leaves them behind when it is killed.
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        pid.and_then(|pid| kill_process(pid, Signal::TERM).ok());
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE && matches!(child.try_wait(), Ok(None)) {
            sleep(Duration::from_millis(20));
        }
        drop(child.kill());
        drop(child.wait());
    }

    /// Whether it is a process of its own, that can be stopped.
    pub fn is_process(&self) -> bool {
        self.kind != Elsewhere::S3
    }

    /// How many requests a bucket has answered.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    /// The directory that it shows.
    pub fn folder(&self) -> PathBuf {
        self.dir.path().join("data").join(NAME)
    }

    /// Where something may be put aside.
    pub fn aside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What is in it is there no more.
    pub fn is_emptied(&self) {
        let gone = self.dir.path().join("gone");
        fs::rename(self.folder(), &gone).unwrap();
        fs::create_dir(self.folder()).unwrap();
        self.own(&self.folder());
        fs::remove_dir_all(gone).unwrap();
    }

    /// Puts a copy of a directory in the place of what is shown.
    pub fn is_replaced_by(&self, copy: &Path) {
        fs::remove_dir_all(self.folder()).unwrap();
        fs::rename(copy, self.folder()).unwrap();
        self.own(&self.folder());
    }

    /// The address of a directory in it.
    pub fn address(&self, below: &str) -> String {
        let port = self.port;
        match self.kind {
            Elsewhere::S3 => format!("s3://{NAME}/{below}"),
            Elsewhere::Webdav => format!("webdavs://localhost:{port}/{NAME}/{below}"),
            Elsewhere::Sftp => {
                format!("sftp://127.0.0.1:{port}{}/{below}", self.folder().display())
            }
        }
    }

    /// What a S3 server is asked at.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The certificates to believe.
    pub fn certificate(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// How `ssh` finds its key and the server's.
    pub fn ssh_config(&self) -> PathBuf {
        self.dir.path().join("ssh_config")
    }

    /// What `aura store add` and `aura join` are told of it, but for the address; the secret is in a file.
    pub fn options(&self, secret_file: &str) -> Vec<String> {
        let path = |path: PathBuf| path.to_str().unwrap().to_owned();
        match self.kind {
            Elsewhere::S3 => vec![
                "--endpoint".to_owned(),
                self.endpoint(),
                "--account".to_owned(),
                ACCOUNT.to_owned(),
                "--store-secret-file".to_owned(),
                secret_file.to_owned(),
            ],
            Elsewhere::Webdav => vec![
                "--certificate".to_owned(),
                path(self.certificate()),
                "--account".to_owned(),
                ACCOUNT.to_owned(),
                "--store-secret-file".to_owned(),
                secret_file.to_owned(),
            ],
            Elsewhere::Sftp => vec!["--ssh-config".to_owned(), path(self.ssh_config())],
        }
    }

    /// Lets whoever the server runs as write there.
    fn own(&self, folder: &Path) {
        if self.kind == Elsewhere::Webdav && is_root() {
            for entry in walk(folder) {
                chown(entry, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
    }

    fn serve_bucket(&self) {
        let (root, port) = (self.dir.path().join("data"), self.port);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let mut service = S3ServiceBuilder::new(Buckets::new(root, Arc::clone(&self.requests)));
        service.set_auth(SimpleAuth::from_single(ACCOUNT, SECRET));
        let service = service.build();
        // Ends with the test.
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    stream.set_nodelay(true).unwrap();
                    let service = service.clone();
                    tokio::spawn(async move {
                        let server = Builder::new(TokioExecutor::new());
                        drop(server.serve_connection(TokioIo::new(stream), service).await);
                    });
                }
            });
        });
    }

    fn apache(&self) -> Child {
        let (dir, port) = (self.dir.path().to_str().unwrap().to_owned(), self.port);
        if !self.certificate().exists() {
            certify(self.dir.path());
        }
        let module =
            |name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so");
        let modules = [
            "mpm_event",
            "authn_core",
            "authn_file",
            "authz_core",
            "authz_user",
            "auth_basic",
            "dav",
            "dav_fs",
            "dav_lock",
            "ssl",
        ];
        let modules: Vec<String> = modules.into_iter().map(module).collect();
        let nobody = if is_root() { "User nobody\nGroup nogroup" } else { "" };
        let locks = self.dir.path().join("locks");
        fs::create_dir_all(&locks).unwrap();
        self.own(&locks);
        self.own(&self.folder());
        fs::write(self.dir.path().join("users"), format!("{ACCOUNT}:{{SHA}}{SECRET_SHA}\n"))
            .unwrap();
        let text = format!(
            "{}\n{nobody}\nServerRoot {dir}\nPidFile {dir}/pid\nErrorLog {dir}/log\nLogLevel error\n\
             ServerName localhost\nListen 127.0.0.1:{port}\nDocumentRoot {dir}/data\nDavLockDB {dir}/locks/db\n\
             StartServers 1\nThreadsPerChild 8\nServerLimit 1\nMaxRequestWorkers 8\nMinSpareThreads 1\n\
             MaxSpareThreads 8\nSSLEngine on\nSSLCertificateFile {dir}/server.pem\n\
             SSLCertificateKeyFile {dir}/server.key\nSSLSessionCache none\n\
             <Directory {dir}/data>\nDav On\nAuthType Basic\nAuthName far\nAuthUserFile {dir}/users\n\
             Require valid-user\n</Directory>\n",
            modules.join("\n")
        );
        fs::write(self.dir.path().join("apache.conf"), text).unwrap();
        let mut command = Command::new("/usr/sbin/apache2");
        command.args(["-DFOREGROUND", "-f", &format!("{dir}/apache.conf")]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    fn sshd(&self) -> Child {
        let (dir, port) = (self.dir.path().to_str().unwrap().to_owned(), self.port);
        for name in ["host", "user"] {
            let key = format!("{dir}/{name}");
            if !Path::new(&key).exists() {
                let made = Command::new("ssh-keygen")
                    .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", &key])
                    .status();
                assert!(made.unwrap().success(), "ssh-keygen makes a key");
            }
        }
        if is_root() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let host = fs::read_to_string(format!("{dir}/host.pub")).unwrap();
        fs::write(format!("{dir}/known"), format!("[127.0.0.1]:{port} {host}")).unwrap();
        let user = Command::new("id").arg("-un").output().unwrap().stdout;
        let user = String::from_utf8(user).unwrap();
        let text = format!(
            "IdentityFile {dir}/user\nIdentitiesOnly yes\nUserKnownHostsFile {dir}/known\n\
             GlobalKnownHostsFile /dev/null\nUser {user}\n"
        );
        fs::write(self.ssh_config(), text).unwrap();
        let text = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {dir}/host\nAuthorizedKeysFile {dir}/user.pub\n\
             StrictModes no\nUsePAM no\nPidFile none\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n\
             Subsystem sftp internal-sftp\nMaxStartups 100\n"
        );
        fs::write(format!("{dir}/sshd_config"), text).unwrap();
        let mut command = Command::new("/usr/sbin/sshd");
        command.args(["-D", "-f", &format!("{dir}/sshd_config"), "-E", &format!("{dir}/log")]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stops();
    }
}

/// A certificate of an authority of its own.
fn certify(dir: &Path) {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let (ca_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut ca = CertificateParams::new(Vec::<String>::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let server = server.signed_by(&key, &issuer).unwrap();
    fs::write(dir.join("ca.pem"), ca_certificate.pem()).unwrap();
    fs::write(dir.join("server.pem"), server.pem()).unwrap();
    fs::write(dir.join("server.key"), key.serialize_pem()).unwrap();
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// A directory and everything in it.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_path_buf()];
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(walk(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}
