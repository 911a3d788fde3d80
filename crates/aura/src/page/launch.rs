// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files between `aura open` and the page's process, in a folder of the vault's that only this user may enter: who serves
//! the page and where, and the launch files that let a browser in.
//!
//! A launch file is a form that posts a token, so that none stands in an address, a history or a list of processes. Beside
//! it lies the token's hash with its time. A token counts once, for a minute: who takes the hash away has used it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use askama::Template;
use serde::{Deserialize, Serialize};

use super::token::{self, Token};
use crate::place;

/// The folder in a vault's.
const FOLDER: &str = "page";
const LOCK: &str = "page.lock";
const WHERE: &str = "page.json";
/// For so long a token counts, in milliseconds.
pub(crate) const TOKEN_MS: i64 = 60_000;
/// Clocks are set; a token from further ahead than this is none.
const AHEAD_MS: i64 = 5_000;
/// No file here is longer, in bytes.
const FILE_BYTES_MAX: u64 = 4096;
/// So many files are looked at.
const FILES_MAX: usize = 256;

/// Who serves the page of a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
}

/// What is kept of a token.
#[derive(Serialize, Deserialize)]
struct Kept {
    hash: String,
    made_ms: i64,
}

#[derive(Template)]
#[template(path = "launch.html")]
struct Launch<'a> {
    address: SocketAddr,
    token: &'a str,
}

/// Makes the folder, if it is not there, and makes sure that it is this user's alone.
pub(crate) fn prepare(home: &Path) -> io::Result<PathBuf> {
    let folder = home.join(FOLDER);
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    place::is_private(&folder).then_some(folder).ok_or_else(|| {
        io::Error::new(io::ErrorKind::PermissionDenied, "the folder of the page is not private")
    })
}

/// One process for one vault: the lock, which the system releases when the process ends; nothing if another one has it.
pub(crate) fn hold(folder: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    let file = options.create(true).truncate(false).write(true).mode(0o600);
    let file = file.open(folder.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Takes back where one was that ended without saying so: somebody else may be at that address.
pub(crate) fn forget(folder: &Path) -> io::Result<()> {
    remove(&folder.join(WHERE))
}

/// Says where the page is.
pub(crate) fn tell(folder: &Path, serving: Serving) -> io::Result<()> {
    let path = folder.join(WHERE);
    remove(&path)?;
    write_new(&path, serde_json::to_string(&serving)?.as_bytes())
}

/// Where it is, as its process has said.
pub(crate) fn find(folder: &Path) -> Option<Serving> {
    serde_json::from_slice(&read(&folder.join(WHERE))?).ok()
}

/// Takes back where it was.
pub(crate) fn untell(folder: &Path) {
    remove(&folder.join(WHERE)).ok();
    sweep(folder, i64::MAX);
}

/// Makes a launch file. Returns its path.
pub(crate) fn make(folder: &Path, address: SocketAddr, now_ms: i64) -> io::Result<PathBuf> {
    let token = Token::fresh();
    let name = Token::fresh();
    let name = name.reveal().get(..16).unwrap_or_default();
    let kept = Kept { hash: token.hash().to_string(), made_ms: now_ms };
    let page = Launch { address, token: token.reveal() }.render().map_err(io::Error::other)?;
    write_new(&folder.join(format!("enter-{name}.json")), &serde_json::to_vec(&kept)?)?;
    let path = folder.join(format!("enter-{name}.html"));
    write_new(&path, page.as_bytes())?;
    Ok(path)
}

/// Whether this is a token of one of the launch files; it is then used up, and its files are gone.
pub(crate) fn claim(folder: &Path, shown: &str, now_ms: i64) -> bool {
    let hash = token::hash(shown);
    let mut found = None;
    for (path, kept) in kept(folder) {
        let is_this = aura_protocol::id::Hash::parse(&kept.hash)
            .is_some_and(|kept| token::is_same(&kept, &hash));
        if is_this && is_fresh(&kept, now_ms) {
            found = Some(path);
        }
    }
    let Some(path) = found else { return false };
    // Of two who show the same one at once, the system lets one take it away.
    let is_ours = fs::remove_file(&path).is_ok();
    remove(&path.with_extension("html")).ok();
    is_ours
}

/// Removes launch files whose time is over.
pub(crate) fn sweep(folder: &Path, now_ms: i64) {
    for (path, kept) in kept(folder) {
        if !is_fresh(&kept, now_ms) {
            remove(&path.with_extension("html")).ok();
            remove(&path).ok();
        }
    }
}

fn is_fresh(kept: &Kept, now_ms: i64) -> bool {
    (-AHEAD_MS..TOKEN_MS).contains(&now_ms.saturating_sub(kept.made_ms))
}

fn kept(folder: &Path) -> Vec<(PathBuf, Kept)> {
    let entries = fs::read_dir(folder).into_iter().flatten().map_while(Result::ok);
    let named = |path: &PathBuf| {
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("enter-") && path.extension().is_some_and(|kind| kind == "json")
    };
    let paths = entries.map(|entry| entry.path()).filter(named).take(FILES_MAX);
    paths
        .map(|path| {
            let kept = read(&path).and_then(|bytes| serde_json::from_slice(&bytes).ok());
            // What cannot be read lets nobody in, and goes with the others.
            (path, kept.unwrap_or(Kept { hash: String::new(), made_ms: i64::MIN }))
        })
        .collect()
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(bytes)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    const NOW: i64 = 1_764_000_000_000;
    const HERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 1, 2, 3)), 7);
    const THERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 1, 2, 3)), 8);

    /// The token in a launch file.
    fn token(path: &Path) -> String {
        let page = fs::read_to_string(path).unwrap();
        let (_, rest) = page.split_once("name=\"token\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let folder = prepare(home.path()).unwrap();
        (home, folder)
    }

    fn files(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    /// attack AST-12: a token lets one in once, and leaves no file behind.
    #[test]
    fn ast_12_a_launch_file_counts_once() {
        let (_home, folder) = folder();
        let (one, other) = (make(&folder, HERE, NOW).unwrap(), make(&folder, HERE, NOW).unwrap());
        let shown = token(&one);
        assert!(!claim(&folder, "", NOW) && !claim(&folder, &"0".repeat(64), NOW));
        assert!(claim(&folder, &shown, NOW + TOKEN_MS - 1));
        assert!(!claim(&folder, &shown, NOW));
        assert!(!one.exists() && other.exists() && files(&folder) == 2);
        assert!(claim(&folder, &token(&other), NOW));
        assert_eq!(files(&folder), 0);
    }

    /// attack AST-12: after a minute it counts no more, nor from a clock that was far ahead.
    #[test]
    fn ast_12_a_launch_file_counts_for_a_minute() {
        let (_home, folder) = folder();
        let path = make(&folder, HERE, NOW).unwrap();
        assert!(!claim(&folder, &token(&path), NOW + TOKEN_MS));
        assert!(!claim(&folder, &token(&path), NOW - AHEAD_MS - 1));
        sweep(&folder, NOW + TOKEN_MS - 1);
        assert!(path.exists());
        sweep(&folder, NOW + TOKEN_MS);
        assert_eq!(files(&folder), 0);
    }

    /// attack SID-03: the token stands in a file that only this user may read, and beside it only its hash.
    #[test]
    fn sid_03_a_token_is_in_one_private_file() {
        let (home, folder) = folder();
        let path = make(&folder, HERE, NOW).unwrap();
        let shown = token(&path);
        tell(&folder, Serving { address: HERE, pid: 9 }).unwrap();
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().mode() & 0o777, 0o600, "{entry:?}");
            let text = fs::read_to_string(entry.path()).unwrap();
            assert_eq!(text.contains(&shown), entry.path() == path, "{entry:?}");
        }
        assert_eq!(folder.metadata().unwrap().mode() & 0o777, 0o700);
        fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        assert!(prepare(home.path()).is_err());
    }

    #[test]
    fn one_process_serves_a_vault_and_says_where() {
        let (_home, folder) = folder();
        assert_eq!(find(&folder), None);
        let held = hold(&folder).unwrap();
        assert!(held.is_some() && hold(&folder).unwrap().is_none());
        for address in [HERE, THERE] {
            tell(&folder, Serving { address, pid: 9 }).unwrap();
            assert_eq!(find(&folder), Some(Serving { address, pid: 9 }));
        }
        drop(held);
        assert!(hold(&folder).unwrap().is_some());
        untell(&folder);
        assert_eq!(find(&folder), None);
    }
}
