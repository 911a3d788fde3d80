// SPDX-License-Identifier: MIT OR Apache-2.0
//! What lets this device into far folders: secrets of access keys and WebDAV passwords, in the file `far.key`.
//!
//! In the clear, for the person alone: a background sync needs them while nobody is there, and they open nothing of the
//! vault. Source: spec/vault-directory.md, DIR-16.

use std::io;
use std::path::Path;

use aura_vault::home::{self, Home};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::exit::{Exit, Failure};
use crate::secret::Secret;

const VERSION: u64 = 1;

#[derive(Serialize, Deserialize)]
struct Form {
    version: u64,
    secrets: Vec<Kept>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    url: String,
    secret: Secret,
}

/// The secret for an address, if one is kept.
pub(crate) fn find(home: &Path, url: &str) -> Result<Option<Secret>, Failure> {
    let kept = read(home)?.into_iter().find(|kept| kept.url == url);
    Ok(kept.map(|kept| kept.secret))
}

/// Keeps the secret for an address, or none any more.
pub(crate) fn keep(home: &Path, url: &str, secret: Option<Secret>) -> Result<(), Failure> {
    let mut secrets = read(home)?;
    let had = secrets.len();
    secrets.retain(|kept| kept.url != url);
    if secret.is_none() && secrets.len() == had {
        return Ok(());
    }
    secrets.extend(secret.map(|secret| Kept { url: url.to_owned(), secret }));
    let path = Home::new(home).far_key();
    let written = if secrets.is_empty() {
        home::remove(&path)
    } else {
        let form = Form { version: VERSION, secrets };
        let bytes = Zeroizing::new(serde_json::to_vec(&form).map_err(io::Error::from)?);
        home::replace(&path, &bytes)
    };
    written
        .map_err(|error| Failure::file("The vault's file `far.key` could not be written", &error))
}

fn read(home: &Path) -> Result<Vec<Kept>, Failure> {
    let bytes = match home::read(&Home::new(home).far_key()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(Failure::file("The vault's file `far.key` could not be read", &error));
        }
        Ok(bytes) => Zeroizing::new(bytes),
    };
    let form: Option<Form> = serde_json::from_slice(&bytes).ok();
    let form = form.filter(|form| form.version == VERSION);
    form.map(|form| form.secrets).ok_or_else(|| {
        Failure::new(Exit::Damaged, "The vault's file `far.key` is damaged.")
            .safe("It was left as it is. No record is in it; far folders are not synced meanwhile.")
            .next("Delete it, and give the secrets again: aura store add URL")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(Zeroizing::new(text.to_owned()))
    }

    /// DIR-16: for the person alone, and gone with the last of them.
    #[test]
    fn dir_16_secrets_are_kept_and_let_go_of() {
        let dir = tempfile::tempdir().unwrap();
        let found =
            |url: &str| find(dir.path(), url).unwrap().map(|secret| secret.reveal().to_owned());
        assert_eq!(found("s3://one"), None);
        keep(dir.path(), "s3://one", None).unwrap();
        assert!(!Home::new(dir.path()).far_key().exists());
        keep(dir.path(), "s3://one", Some(secret("a"))).unwrap();
        keep(dir.path(), "s3://two", Some(secret("b"))).unwrap();
        keep(dir.path(), "s3://one", Some(secret("c"))).unwrap();
        assert_eq!((found("s3://one"), found("s3://two")), (Some("c".into()), Some("b".into())));
        #[cfg(unix)]
        {
            let about = std::fs::metadata(Home::new(dir.path()).far_key()).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::mode(&about.permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
        keep(dir.path(), "s3://one", None).unwrap();
        keep(dir.path(), "s3://two", None).unwrap();
        assert!(!Home::new(dir.path()).far_key().exists());
        std::fs::write(Home::new(dir.path()).far_key(), "{").unwrap();
        assert_eq!(find(dir.path(), "s3://one").unwrap_err().exit, Exit::Damaged);
        assert_eq!(keep(dir.path(), "s3://one", None).unwrap_err().exit, Exit::Damaged);
    }
}
