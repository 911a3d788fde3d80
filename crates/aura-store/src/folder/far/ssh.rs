// SPDX-License-Identifier: MIT OR Apache-2.0
//! The system's `ssh`, started so that it asks nobody, trusts no new host, and ends with whoever started it.
//!
//! The person's keys, agent, configuration and known hosts are used as they are (FLD-14).

use std::process::Stdio;

use openssh_sftp_client::{Sftp, SftpOptions};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStderr, Command};

use super::fault::{Fault, UNMADE};
use super::place::Far;

/// How much of what `ssh` complains of is read.
const COMPLAINT_BYTES_MAX: u64 = 8 << 10;
/// No more than asking nobody, and ending when the line is dead.
const OPTIONS: [&str; 10] = [
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "ConnectTimeout=10",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=2",
    "ForwardAgent=no",
    "ForwardX11=no",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "RequestTTY=no",
];

/// A connection; it ends when this is dropped.
pub(super) struct Session {
    pub(super) sftp: Sftp,
    _ssh: Child,
}

/// Why there is none.
pub(super) enum Unmade {
    OtherKey,
    For(Fault),
}

/// Connects.
pub(super) async fn connect(far: &Far) -> Result<Session, Unmade> {
    let mut ssh = command(far).spawn().map_err(|_| {
        Unmade::For(Fault::Unreachable("the program `ssh` is needed, and could not be started"))
    })?;
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (ssh.stdin.take(), ssh.stdout.take(), ssh.stderr.take())
    else {
        return Err(Unmade::For(UNMADE));
    };
    match Sftp::new(stdin, stdout, SftpOptions::new()).await {
        Ok(sftp) => {
            // Nobody would read it, and a full pipe would stop it.
            tokio::spawn(drain(stderr));
            Ok(Session { sftp, _ssh: ssh })
        }
        Err(_) => Err(why(&complaint(stderr).await)),
    }
}

fn command(far: &Far) -> Command {
    let address = &far.address;
    let mut command = Command::new("ssh");
    if let Some(config) = &far.ssh_config {
        command.arg("-F").arg(config);
    }
    for option in OPTIONS {
        command.arg("-o").arg(option);
    }
    if let Some(port) = address.port() {
        command.arg("-p").arg(port.to_string());
    }
    if let Some(user) = address.user() {
        command.arg("-l").arg(user);
    }
    let host = address.host().trim_matches(['[', ']']);
    command.arg("-s").arg("--").arg(host).arg("sftp");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env("LC_ALL", "C").kill_on_drop(true);
    command
}

async fn complaint(stderr: ChildStderr) -> String {
    let mut bytes = Vec::new();
    stderr.take(COMPLAINT_BYTES_MAX).read_to_end(&mut bytes).await.ok();
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn drain(mut stderr: ChildStderr) {
    let mut buffer = [0; 1024];
    while stderr.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}

/// What `ssh` complained of, as far as it matters. Its words go nowhere else.
fn why(complaint: &str) -> Unmade {
    let has = |words: &str| complaint.contains(words);
    if has("REMOTE HOST IDENTIFICATION HAS CHANGED") {
        Unmade::OtherKey
    } else if has("Host key verification failed") {
        let why = "`ssh` does not know its key: connect once with `ssh`, and compare it";
        Unmade::For(Fault::Unreachable(why))
    } else if has("Permission denied") {
        Unmade::For(Fault::Unauthenticated)
    } else if has("subsystem request failed") {
        Unmade::For(Fault::Server("it does not speak SFTP"))
    } else {
        Unmade::For(UNMADE)
    }
}

#[cfg(test)]
mod tests {
    use super::super::address::FarAddress;
    use super::*;

    /// FLD-14: whatever the address, `ssh` is asked to know the host and to ask nobody.
    #[test]
    fn fld_14_ssh_is_started_strictly() {
        let mut far = Far::new(FarAddress::parse("sftp://nora@[::1]:2222/a").unwrap());
        far.ssh_config = Some("/etc/ours".into());
        let command = command(&far);
        let args: Vec<_> =
            command.as_std().get_args().map(|arg| arg.to_string_lossy().into_owned()).collect();
        let text = args.join(" ");
        assert!(text.starts_with("-F /etc/ours -o BatchMode=yes -o StrictHostKeyChecking=yes"));
        assert!(text.ends_with("-p 2222 -l nora -s -- ::1 sftp"), "{text}");
    }

    #[test]
    fn complaints_are_understood() {
        assert!(matches!(why("@@ REMOTE HOST IDENTIFICATION HAS CHANGED! @@"), Unmade::OtherKey));
        let unknown = "No ED25519 host key is known for nas\r\nHost key verification failed.";
        assert!(
            matches!(why(unknown), Unmade::For(Fault::Unreachable(why)) if why.contains("key"))
        );
        let denied = "nora@nas: Permission denied (publickey).";
        assert!(matches!(why(denied), Unmade::For(Fault::Unauthenticated)));
        assert!(matches!(why("ssh: connect to host nas port 22: No route"), Unmade::For(UNMADE)));
    }
}
