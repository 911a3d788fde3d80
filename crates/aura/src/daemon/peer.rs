// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which program is at the other end of a connection: asked of the system, never of the caller.

use std::os::unix::net::UnixStream;

use rustix::process::Pid;

/// The program that speaks, as a path; where that is Aura itself, the one that has started it: an assistant's client starts
/// `aura mcp`. Nothing where the system does not tell.
pub(super) fn program(stream: &UnixStream) -> Option<String> {
    let peer = rustix::net::sockopt::socket_peercred(stream).ok()?;
    let own = executable(rustix::process::getpid())?;
    let speaker = executable(peer.pid)?;
    let program = if speaker == own { executable(parent(peer.pid)?)? } else { speaker };
    // Aura is started by everybody.
    Some(program).filter(|program| *program != own)
}

/// The path of a process's program; also of one that was replaced by a newer version meanwhile.
fn executable(pid: Pid) -> Option<String> {
    let path = std::fs::read_link(format!("/proc/{}/exe", pid.as_raw_nonzero())).ok()?;
    let path = path.into_os_string().into_string().ok()?;
    Some(path.strip_suffix(" (deleted)").map_or(path.clone(), str::to_owned))
}

fn parent(pid: Pid) -> Option<Pid> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name before it is in parentheses, and may hold any.
    let (_, after) = stat.rsplit_once(')')?;
    Pid::from_raw(after.split_whitespace().nth(1)?.parse().ok()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_has_a_program_and_a_parent() {
        let own = Pid::from_raw(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert_eq!(executable(own), std::env::current_exe().unwrap().to_str().map(str::to_owned));
        assert_eq!(parent(own), rustix::process::getppid());
        // Both ends are this program: its parent is who counts.
        let (one, _other) = UnixStream::pair().unwrap();
        assert_eq!(program(&one), executable(parent(own).unwrap()));
    }
}
