// SPDX-License-Identifier: MIT OR Apache-2.0
//! Beginning anew: the same process, in memory in which no vault was ever open.
//!
//! Wiping reaches the keys. It does not reach what parsers, SQLCipher, the allocator and the stacks of
//! threads leave behind. So a daemon that has locked a vault executes its own program again, and the
//! kernel throws all of its memory away. Two things outlast that: the listening socket, as standard
//! input, and the lock file, which stays open unseen. So whoever connects meanwhile waits, and whoever
//! starts a daemon meanwhile finds that there is one.

use std::env;
use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use rustix::io::{FdFlags, fcntl_setfd};

/// What outlasts the memory.
pub(super) struct Legacy {
    pub(super) listener: UnixListener,
    /// Nothing if it is held by a descriptor from before, which outlasts the next time as well.
    pub(super) lock: Option<File>,
}

/// The listening socket at this path, if this process has begun anew with it.
pub(super) fn inherited(socket: &Path) -> Option<UnixListener> {
    let input = io::stdin();
    if !rustix::net::sockopt::socket_acceptconn(&input).unwrap_or(false) {
        return None;
    }
    let listener = UnixListener::from(input.as_fd().try_clone_to_owned().ok()?);
    let is_ours = listener.local_addr().ok()?.as_pathname() == Some(socket);
    is_ours.then_some(listener)
}

/// Tells the allocator of a new process to take whatever is larger than a MiB from the system and to unmap it again:
/// the only way to give memory back while all of it is locked. The password's hash alone takes 256 MiB.
pub(crate) const MEMORY: (&str, &str) = ("MIMALLOC_ARENA_MAX_OBJECT_SIZE", "1024");

/// Begins anew. Returns only if that fails: then everything is as it was.
pub(super) fn again(legacy: &Legacy) -> io::Result<()> {
    rustix::stdio::dup2_stdin(&legacy.listener)?;
    if let Some(lock) = &legacy.lock {
        fcntl_setfd(lock, FdFlags::empty())?;
    }
    // By its path, so that it keeps its name; as the kernel knows it, if another file is there now.
    let failed = exec(&env::current_exe()?);
    if cfg!(target_os = "linux") {
        return Err(exec(Path::new("/proc/self/exe")));
    }
    Err(failed)
}

fn exec(program: &Path) -> io::Error {
    let mut args = env::args_os();
    let mut command = Command::new(program);
    if let Some(name) = args.next() {
        command.arg0(name);
    }
    command.args(args).env(MEMORY.0, MEMORY.1).exec()
}
