// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where things are: the vault directory, and the daemon's socket and lock file in it.
//!
//! A socket's path may have about a hundred bytes. Where the vault's own path is longer, the socket
//! stands in a folder of the person's that lasts as long as the machine runs, under a name that
//! follows from the vault's path.

use std::env;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use aura_protocol::id::Hash;

/// What the kernels that we know take, and a few bytes of reserve.
const SOCKET_PATH_BYTES_MAX: usize = 100;

/// Bits of a mode that are others' and must be zero: six from the right.
const PRIVATE_ZEROS: u32 = 6;

/// Files of the daemon in a vault directory.
pub(crate) const SOCKET: &str = "daemon.sock";
pub(crate) const LOCK: &str = "daemon.lock";

/// The vault directory unless the person names one.
pub(crate) fn default_home() -> Option<PathBuf> {
    let user = env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    if cfg!(target_os = "macos") {
        return user.map(|user| user.join("Library/Application Support/Aura"));
    }
    let data = env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|data| data.is_absolute());
    data.or_else(|| user.map(|user| user.join(".local/share"))).map(|data| data.join("aura"))
}

/// One path for one directory, however it was written.
pub(crate) fn settle(home: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(home) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => std::path::absolute(home),
        other => other,
    }
}

/// The daemon's socket for a vault directory.
pub(crate) fn socket(home: &Path) -> PathBuf {
    let inside = home.join(SOCKET);
    if inside.as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
        return inside;
    }
    let name = Hash::of(&[inside.as_os_str().as_encoded_bytes()]).to_string();
    runtime().join(format!("{}.sock", name.get(..32).unwrap_or_default()))
}

fn runtime() -> PathBuf {
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let short = |path: &PathBuf| path.is_absolute() && path.as_os_str().len() < 40;
    match runtime.filter(short) {
        Some(runtime) => runtime.join("aura"),
        None => PathBuf::from(format!("/tmp/aura-{}", rustix::process::geteuid().as_raw())),
    }
}

/// Makes the folder that a socket stands in, if it is not the vault's own, and makes sure that it is
/// the person's alone.
pub(crate) fn prepare_socket(home: &Path, socket: &Path) -> io::Result<()> {
    let Some(folder) = socket.parent().filter(|folder| *folder != home) else { return Ok(()) };
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    is_private(folder).then_some(()).ok_or_else(|| {
        io::Error::new(io::ErrorKind::PermissionDenied, "the folder for the socket is not private")
    })
}

/// Whether a folder belongs to this user and nobody else may enter it.
pub(crate) fn is_private(folder: &Path) -> bool {
    fs::symlink_metadata(folder).is_ok_and(|found| {
        found.is_dir()
            && found.uid() == rustix::process::geteuid().as_raw()
            && found.mode().trailing_zeros() >= PRIVATE_ZEROS
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_fit_and_differ() {
        let short = Path::new("/home/nora/vault");
        assert_eq!(socket(short), short.join(SOCKET));
        let long = |tail: &str| PathBuf::from(format!("/home/{}/{tail}", "deep/".repeat(40)));
        let (one, other) = (socket(&long("one")), socket(&long("two")));
        assert!(one != other && one.as_os_str().len() <= SOCKET_PATH_BYTES_MAX);
        assert_eq!(one, socket(&long("one")));
    }
}
