// SPDX-License-Identifier: MIT OR Apache-2.0
//! The server's own secrets: its TLS key and what its logins rest on. Made on the first start, readable
//! by the server's user alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aura_protocol::auth::ServerKey;
use aura_protocol::auth::login::Setup;
use aura_protocol::id::Hash;
use aura_protocol::signed::Signature;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{ServerConfig, SignatureScheme};

use crate::config::Config;

/// The largest file of keys or certificates, in bytes.
const FILE_BYTES_MAX: u64 = 256 << 10;

/// Why the server's secrets could not be read or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// A file could not be read or written.
    #[error("{path} could not be read or written")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// A file is not what it should be. It was left as it is.
    #[error(
        "{0} is damaged or not what it should be; it was left as it is: restore it from a backup"
    )]
    Damaged(PathBuf),
    /// Another program's, or a damaged one's.
    #[error(
        "{0} is damaged, or of a server that was built with another way to log in; it was left as it is, and no account \
         was touched: restore it from a backup, or start the server that made it"
    )]
    Logins(PathBuf),
    /// What all logins rest on is gone, and there are accounts.
    #[error("{0} is gone, and the accounts' logins rest on it; restore it from a backup")]
    Lost(PathBuf),
    /// The certificate and the key do not belong together, or are of a kind that is not supported.
    #[error("the certificate and the key do not belong together, or are not supported")]
    Mismatch,
    /// A certificate could not be made.
    #[error("a certificate could not be made")]
    Make,
}

/// Fills bytes from the operating system.
///
/// # Errors
/// When it has none to give.
pub fn fill(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::fill(bytes).map_err(|error| io::Error::other(error.to_string()))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> SecretError {
    let path = path.to_owned();
    move |error| SecretError::File { path, error }
}

/// The bytes of a file that may not be large; `None` if it is not there.
fn read(path: &Path) -> Result<Option<Vec<u8>>, SecretError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() > FILE_BYTES_MAX => {
            Err(SecretError::Damaged(path.to_owned()))
        }
        Ok(_) => fs::read(path).map(Some).map_err(failed(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path)(error)),
    }
}

/// Writes a new file that its owner alone can read, whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<(), SecretError> {
    let new = path.with_extension("new");
    let write = || {
        let mut file =
            OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    write().map_err(failed(path))
}

/// Where what logins rest on is: in the server's folder, or in the file that the settings name.
pub fn logins_path(config: &Config) -> PathBuf {
    config.logins_key.clone().unwrap_or_else(|| config.data.join("logins.key"))
}

/// What logins rest on.
///
/// # Errors
/// When it cannot be read or made. A damaged file is not replaced: every account's login rests on it. One that the
/// settings name is not made.
pub fn logins(config: &Config) -> Result<Setup, SecretError> {
    let path = logins_path(config);
    if let Some(bytes) = read(&path)? {
        return Setup::from_bytes(&bytes).map_err(|_| SecretError::Logins(path));
    }
    if config.logins_key.is_some() {
        return Err(failed(&path)(io::ErrorKind::NotFound.into()));
    }
    let mut lack = None;
    let setup = Setup::new(&mut |bytes| lack = fill(bytes).err().or(lack.take()));
    if let Some(error) = lack {
        return Err(failed(&path)(error));
    }
    write(&path, &setup.to_bytes())?;
    Ok(setup)
}

/// The certificate that the server shows, and its key.
#[derive(Debug, Clone)]
pub struct Certificate {
    certified: Arc<CertifiedKey>,
    key: ServerKey,
}

impl Certificate {
    /// What the settings name; without any, one of the server's own, made on the first start.
    ///
    /// # Errors
    /// When files cannot be read, made, or do not belong together.
    pub fn load(config: &Config) -> Result<Self, SecretError> {
        if let Some(tls) = &config.tls {
            return Self::read(&tls.certificate, &tls.key);
        }
        let (certificate, key) = (config.data.join("tls.crt"), config.data.join("tls.key"));
        if read(&key)?.is_none() {
            let pair = rcgen::KeyPair::generate().map_err(|_| SecretError::Make)?;
            write(&key, pair.serialize_pem().as_bytes())?;
        }
        if read(&certificate)?.is_none() {
            let pem = read(&key)?.and_then(|bytes| String::from_utf8(bytes).ok());
            let pair = pem.and_then(|pem| rcgen::KeyPair::from_pem(&pem).ok());
            let pair = pair.ok_or_else(|| SecretError::Damaged(key.clone()))?;
            let parameters = rcgen::CertificateParams::new(vec!["aura-server".to_owned()]);
            let made = parameters.and_then(|parameters| parameters.self_signed(&pair));
            let made = made.map_err(|_| SecretError::Make)?;
            write(&certificate, made.pem().as_bytes())?;
        }
        Self::read(&certificate, &key)
    }

    fn read(certificate: &Path, key: &Path) -> Result<Self, SecretError> {
        let absent = |path: &Path| failed(path)(io::ErrorKind::NotFound.into());
        let chain = read(certificate)?.ok_or_else(|| absent(certificate))?;
        let secret = read(key)?.ok_or_else(|| absent(key))?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&chain).collect();
        let chain = chain.map_err(|_| SecretError::Damaged(certificate.to_owned()))?;
        let secret = PrivateKeyDer::from_pem_slice(&secret)
            .map_err(|_| SecretError::Damaged(key.to_owned()))?;
        let provider = provider();
        let signing =
            provider.key_provider.load_private_key(secret).map_err(|_| SecretError::Mismatch)?;
        let certified = CertifiedKey::new(chain, signing);
        certified.keys_match().map_err(|_| SecretError::Mismatch)?;
        let public = certified.key.public_key().ok_or(SecretError::Mismatch)?;
        let key = ServerKey(Hash::of(&[public.as_ref()]));
        Ok(Self { certified: Arc::new(certified), key })
    }

    /// What clients pin (ACC-2).
    pub fn key(&self) -> ServerKey {
        self.key
    }

    /// How the server speaks TLS (HTP-1).
    ///
    /// # Errors
    /// When the library refuses the settings.
    pub fn tls(&self) -> Result<Arc<ServerConfig>, SecretError> {
        let resolver = rustls::sign::SingleCertAndKey::from(Arc::clone(&self.certified));
        let mut tls = ServerConfig::builder_with_provider(Arc::new(provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|_| SecretError::Make)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(resolver));
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // A ticket would let a connection begin without the hybrid exchange, and each costs memory.
        tls.send_tls13_tickets = 0;
        Ok(Arc::new(tls))
    }
}

/// The key that signs access logs, and nothing else (ACL-6).
#[derive(Debug)]
pub struct LogKey {
    key: Arc<dyn SigningKey>,
    public: [u8; 32],
}

impl LogKey {
    /// The key in the server's folder; made on the first start.
    ///
    /// # Errors
    /// When it cannot be read or made. A damaged one is not replaced: devices would say that the log has another key.
    pub fn load(data: &Path) -> Result<Self, SecretError> {
        let path = data.join("log.key");
        if read(&path)?.is_none() {
            let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519);
            let pair = pair.map_err(|_| SecretError::Make)?;
            write(&path, pair.serialize_pem().as_bytes())?;
        }
        Self::read(&path)
    }

    /// The key that the settings name, which is not made; without any, the one in the server's folder.
    ///
    /// # Errors
    /// When it cannot be read or made.
    pub fn of(config: &Config) -> Result<Self, SecretError> {
        match &config.log_key {
            Some(path) if !path.exists() => Err(failed(path)(io::ErrorKind::NotFound.into())),
            Some(path) => Self::read(path),
            None => Self::load(&config.data),
        }
    }

    fn read(path: &Path) -> Result<Self, SecretError> {
        let damaged = || SecretError::Damaged(path.to_owned());
        let pem = read(path)?.ok_or_else(damaged)?;
        let secret = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| damaged())?;
        let key = provider().key_provider.load_private_key(secret).map_err(|_| damaged())?;
        let public = key.public_key().ok_or_else(damaged)?;
        let public = public.as_ref().last_chunk().copied().ok_or_else(damaged)?;
        if key.choose_scheme(&[SignatureScheme::ED25519]).is_none() {
            return Err(damaged());
        }
        Ok(Self { key, public })
    }

    /// What devices know it by.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// The signature of a checkpoint's text; nothing if the library makes none.
    pub(crate) fn sign(&self, text: &[u8]) -> Option<Signature> {
        let signer = self.key.choose_scheme(&[SignatureScheme::ED25519])?;
        signer.sign(text).ok()?.try_into().ok().map(Signature)
    }
}

fn provider() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[test]
    fn secrets_are_made_once_and_for_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { data: folder.path().to_owned(), ..Config::default() };
        let (first, login) = (Certificate::load(&config).unwrap(), logins(&config).unwrap());
        let (again, login_again) = (Certificate::load(&config).unwrap(), logins(&config).unwrap());
        assert_eq!(first.key(), again.key());
        assert_eq!(*login.to_bytes(), *login_again.to_bytes());
        for name in ["tls.key", "logins.key"] {
            let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{name}");
        }
        // A lost certificate is made again for the same key: clients go on.
        fs::remove_file(folder.path().join("tls.crt")).unwrap();
        assert_eq!(Certificate::load(&config).unwrap().key(), first.key());
    }

    #[test]
    fn damaged_secrets_are_left_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { data: folder.path().to_owned(), ..Config::default() };
        fs::write(folder.path().join("logins.key"), [7; 127]).unwrap();
        assert!(matches!(logins(&config), Err(SecretError::Logins(_))));
        assert_eq!(fs::read(folder.path().join("logins.key")).unwrap(), [7; 127]);
        Certificate::load(&config).unwrap();
        fs::write(folder.path().join("tls.key"), "-----BEGIN NOTHING-----").unwrap();
        assert!(matches!(Certificate::load(&config), Err(SecretError::Damaged(_))));
    }

    /// A secret that is given as a file is used as it is, and is not made where it is not there.
    #[test]
    fn a_given_secret_is_used_and_never_made() {
        let (folder, given) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let own = Config { data: folder.path().to_owned(), ..Config::default() };
        let path = given.path().join("logins");
        let config = Config { logins_key: Some(path.clone()), ..own.clone() };
        assert!(matches!(logins(&config), Err(SecretError::File { .. })));
        assert!(!path.exists() && !folder.path().join("logins.key").exists());
        fs::write(&path, logins(&own).unwrap().to_bytes().as_slice()).unwrap();
        fs::remove_file(folder.path().join("logins.key")).unwrap();
        assert_eq!(logins(&config).unwrap().to_bytes().len(), fs::read(&path).unwrap().len());
        assert!(!folder.path().join("logins.key").exists());
    }

    #[test]
    fn a_certificate_with_another_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { data: folder.path().to_owned(), ..Config::default() };
        Certificate::load(&config).unwrap();
        let other = rcgen::KeyPair::generate().unwrap();
        fs::write(folder.path().join("tls.key"), other.serialize_pem()).unwrap();
        assert!(matches!(Certificate::load(&config), Err(SecretError::Mismatch)));
    }
}
