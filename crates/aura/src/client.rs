// SPDX-License-Identifier: MIT OR Apache-2.0
//! A command's side of the daemon's socket: finds the daemon or starts it, asks, and hands on answers.

use std::env;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::daemon::{MEMORY, Readiness};
use crate::exit::{Exit, Failure};
use crate::place;
use crate::wire::{
    self, ANSWER_BYTES_MAX, Answer, Progress, REQUEST_BYTES_MAX, Request, Second, VERSION,
};

/// Another command may be starting or ending a daemon: for so long it is tried again.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);
/// After so many, it is tried to start one again.
const PAUSES: u32 = 25;

/// After how many seconds without use a daemon that is started locks the vault, and shuts the second lock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Idle {
    pub(crate) vault: u64,
    pub(crate) second: u64,
}

/// A connection to the daemon.
pub(crate) struct Client {
    input: BufReader<UnixStream>,
    output: UnixStream,
    standing: Standing,
}

/// What the daemon says first.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Standing {
    pub(crate) locked: bool,
    pub(crate) wait_ms: u64,
    pub(crate) second: Second,
    pub(crate) second_wait_ms: u64,
}

/// Who hears what comes before the last word.
pub(crate) trait Listen {
    fn item(&mut self, item: Value) -> Result<(), Failure>;

    fn progress(&mut self, _: Progress) {}
}

impl<F: FnMut(Value) -> Result<(), Failure>> Listen for F {
    fn item(&mut self, item: Value) -> Result<(), Failure> {
        self(item)
    }
}

/// Who listens in a vault directory.
enum Met {
    Nobody,
    Daemon(Client),
    /// A daemon of another version: what it said, its process, and the connection to it.
    Other(Failure, Pid, UnixStream),
}

impl Met {
    fn at(home: &Path) -> Result<Self, Failure> {
        let Ok(stream) = UnixStream::connect(place::socket(home)) else { return Ok(Self::Nobody) };
        let peer = rustix::net::sockopt::socket_peercred(&stream).ok();
        let Some(peer) = peer.filter(|peer| peer.uid == rustix::process::geteuid()) else {
            return Err(Failure::new(Exit::Refused, "The daemon of this vault is another user's.")
                .safe("Nothing was said to it.")
                .next("Check who may write to the vault's folder."));
        };
        let Ok(output) = stream.try_clone() else { return Ok(Self::Nobody) };
        let standing =
            Standing { locked: true, wait_ms: 0, second: Second::Absent, second_wait_ms: 0 };
        let mut client =
            Client { input: BufReader::with_capacity(64 << 10, stream), output, standing };
        let hello = Request::Hello { version: VERSION };
        if wire::send(&mut client.output, &hello, REQUEST_BYTES_MAX).is_err() {
            return Ok(Self::Nobody);
        }
        match wire::receive(&mut client.input, ANSWER_BYTES_MAX) {
            // It ended just then.
            Ok(None) | Err(_) => Ok(Self::Nobody),
            Ok(Some(Answer::Done(standing))) => {
                client.standing = parse(standing)?;
                Ok(Self::Daemon(client))
            }
            Ok(Some(Answer::Failed(failure))) => {
                Ok(Self::Other(failure, peer.pid, client.input.into_inner()))
            }
            Ok(Some(_)) => Err(broken()),
        }
    }
}

impl Client {
    /// Connects to the daemon of a vault directory, and starts one if there is none.
    pub(crate) fn reach(home: &Path, idle: Idle) -> Result<Self, Failure> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(client) = Self::find(home)? {
                return Ok(client);
            }
            match start(home, idle)? {
                Readiness::Ready => {}
                Readiness::Failed(failure) => return Err(failure),
                // It is on its way up, or down.
                Readiness::Taken => {
                    if let Some(client) = Self::wait(home)? {
                        return Ok(client);
                    }
                }
            }
        }
        Err(unreachable())
    }

    fn wait(home: &Path) -> Result<Option<Self>, Failure> {
        for _ in 0..PAUSES {
            thread::sleep(PAUSE);
            if let Some(client) = Self::find(home)? {
                return Ok(Some(client));
            }
        }
        Ok(None)
    }

    /// Connects to the daemon if there is one.
    pub(crate) fn find(home: &Path) -> Result<Option<Self>, Failure> {
        match Met::at(home)? {
            Met::Nobody => Ok(None),
            Met::Daemon(client) => Ok(Some(client)),
            Met::Other(failure, ..) => Err(failure),
        }
    }

    /// Ends the daemon if there is one, whatever version of Aura it is of.
    pub(crate) fn stop(home: &Path) -> Result<(), Failure> {
        let mut stream = match Met::at(home)? {
            Met::Nobody => return Ok(()),
            Met::Daemon(mut client) => {
                client.ask::<Value>(&Request::Stop)?;
                client.input.into_inner()
            }
            // What it understands of this one's requests is not known; a signal it does.
            Met::Other(failure, daemon, stream) => {
                kill_process(daemon, Signal::TERM).map_err(|_| failure)?;
                stream
            }
        };
        // The process lets go of this connection last.
        stream.read_to_end(&mut Vec::new()).ok();
        Ok(())
    }

    /// How the vault stood when this connection was made.
    pub(crate) fn standing(&self) -> Standing {
        self.standing
    }

    /// Asks, hands on what comes before the last word, and returns that.
    pub(crate) fn call(
        &mut self,
        request: &Request,
        listen: &mut dyn Listen,
    ) -> Result<Value, Failure> {
        match wire::send(&mut self.output, request, REQUEST_BYTES_MAX) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(Failure::usage(
                    "That is more than one record may hold.",
                    "Attach it as a file.",
                ));
            }
            Err(_) => return Err(broken()),
            Ok(()) => {}
        }
        // Read by a thread of its own: the daemon must not wait while `less` waits for a key.
        let (answers, received) = channel();
        let input = &mut self.input;
        thread::scope(|scope| {
            scope.spawn(move || pass_on(input, &answers));
            for answer in received {
                match answer {
                    Answer::Item(item) => listen.item(item)?,
                    Answer::Progress(progress) => listen.progress(progress),
                    Answer::Done(value) => return Ok(value),
                    Answer::Failed(failure) => return Err(failure),
                }
            }
            Err(broken())
        })
    }

    /// Tells the daemon to lock, and waits until nothing of the vault is in its memory.
    pub(crate) fn lock(mut self) -> Result<(), Failure> {
        let done = self.ask::<Value>(&Request::Lock);
        // It ends this connection last.
        self.input.read_to_end(&mut Vec::new()).ok();
        done.map(drop)
    }

    /// Asks for one answer.
    pub(crate) fn ask<T: DeserializeOwned>(&mut self, request: &Request) -> Result<T, Failure> {
        let nothing = &mut |_: Value| Ok(());
        parse(self.call(request, nothing)?)
    }
}

/// Hands on answers up to the last one; hangs up when nobody wants them any more.
fn pass_on(input: &mut BufReader<UnixStream>, answers: &Sender<Answer>) {
    while let Ok(Some(answer)) = wire::receive::<Answer>(input, ANSWER_BYTES_MAX) {
        let is_last = matches!(answer, Answer::Done(_) | Answer::Failed(_));
        if answers.send(answer).is_err() {
            input.get_ref().shutdown(Shutdown::Both).ok();
            return;
        }
        if is_last {
            return;
        }
    }
}

/// An answer as what it should be.
pub(crate) fn parse<T: DeserializeOwned>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value).map_err(|_| broken())
}

fn start(home: &Path, idle: Idle) -> Result<Readiness, Failure> {
    let failed = |error: io::Error| Failure::file("The daemon could not be started", &error);
    let program = env::current_exe().map_err(failed)?;
    let mut child = Command::new(program)
        .arg("--home")
        .arg(home)
        .args(["--idle", &format!("{}s", idle.vault)])
        .args(["--second-idle", &format!("{}s", idle.second), "daemon", "--detached"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .env_remove("AURA_PASSWORD_FILE")
        .env_remove("AURA_SECOND_PASSWORD_FILE")
        .env(MEMORY.0, MEMORY.1)
        .spawn()
        .map_err(failed)?;
    let mut line = String::new();
    if let Some(out) = child.stdout.take() {
        drop(BufReader::new(out.take(64 << 10)).read_line(&mut line));
    }
    serde_json::from_str(&line).map_err(|_| {
        Failure::new(Exit::Unreachable, "The daemon ended before it was ready.")
            .safe("Nothing that was stored is lost.")
            .next("Run `aura daemon` in another terminal to see why.")
    })
}

fn unreachable() -> Failure {
    Failure::new(Exit::Unreachable, "The vault's daemon does not answer.")
        .safe("Nothing was changed.")
        .next("Run `aura lock --stop`, or end the process, and run the command again.")
}

fn broken() -> Failure {
    Failure::new(Exit::Unreachable, "The daemon ended before it had answered.")
        .safe("Everything that it had acknowledged is stored.")
        .next("Run the command again; what was not done is done then.")
}
