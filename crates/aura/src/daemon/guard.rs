// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the operating system is told about a process that holds keys: no dumps, no debugger of this
//! user, no swap as far as it lets us, and files for this user alone.
//!
//! Each of these can be refused; the daemon then runs all the same and `aura status` says so.

use std::fs::File;

use rustix::fs::Mode;
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit};

/// What was achieved.
#[derive(Debug, Clone)]
pub(crate) struct Protection {
    /// About memory and swap, for people.
    pub(crate) memory: String,
}

/// Protects this process and everything it will make.
pub(crate) fn protect() -> Protection {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let no_core = rustix::process::setrlimit(Resource::Core, none).is_ok();
    let no_dump = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok();
    let mut memory = lock_memory();
    if !(no_core && no_dump) {
        memory.push_str("; the system may write it to a core file");
    }
    Protection { memory }
}

/// Keeps all pages out of swap, from when they are first touched.
///
/// Only where the limit cannot be reached: behind a limit, the first allocation beyond it would end
/// the process.
fn lock_memory() -> String {
    let limit = rustix::process::getrlimit(Resource::Memlock).current;
    let is_free = limit.is_none() || rustix::process::geteuid().is_root();
    if !is_free {
        let kib = limit.unwrap_or_default() / 1024;
        return format!("may be swapped out: the system lets this user lock {kib} KiB only");
    }
    let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    match mlockall(flags) {
        Ok(()) => "locked".to_owned(),
        Err(_) => "may be swapped out: the system refused to lock it".to_owned(),
    }
}

/// Leaves the terminal that it was started from: a session of its own, and nothing to read or write.
pub(crate) fn detach() {
    // Refused to the leader of a process group, which then keeps its terminal.
    rustix::process::setsid().ok();
    std::env::set_current_dir("/").ok();
}

/// Points standard input, output and error at nothing.
pub(crate) fn close_streams() {
    if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
        rustix::stdio::dup2_stdin(&null).ok();
        rustix::stdio::dup2_stdout(&null).ok();
        rustix::stdio::dup2_stderr(&null).ok();
    }
}
