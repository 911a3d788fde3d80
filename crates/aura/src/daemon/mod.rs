// SPDX-License-Identifier: MIT OR Apache-2.0
//! The daemon: one process that holds the open vault, and answers the commands of this user.
//!
//! Started by the first command that needs it; locks the vault when nobody has used it for a while,
//! when the machine has slept, and when it is told to end; ends by itself when it has long been locked.
//! Once the vault is locked it begins anew, so that nothing of the open one is left in its memory.
//! The system releases its lock file with the process, so that a killed one leaves nothing behind.

mod fault;
pub(crate) mod guard;
mod renew;
mod reply;
pub(crate) mod keeper;
mod compact;
mod consent;
mod sync;
mod device;
mod join;
mod enter;
mod boxes;
mod pair;
mod record;
mod search;
mod guest;
mod peer;
mod import;
mod export;
mod audit;
mod proof;
mod desk;
mod server;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use self::desk::Desk;
use self::keeper::Keeper;
use self::renew::Legacy;
pub(crate) use self::renew::MEMORY;
use self::server::{Crowd, Notice};
use crate::exit::{Exit, Failure};
use crate::place;

const TICK: Duration = Duration::from_secs(1);
/// So much more time on one clock than on the other, and the machine has slept.
const SLEEP_MIN: Duration = Duration::from_secs(2);
/// A locked daemon ends after so long without anybody.
const LOCKED_LIFE: Duration = Duration::from_mins(10);
/// Before it begins anew, it lets whoever is connected finish, but not for longer.
const RENEW_PATIENCE: Duration = Duration::from_secs(2);
const RENEW_PAUSE: Duration = Duration::from_millis(5);
/// One for a folder without a vault ends sooner.
const ABSENT_LIFE: Duration = Duration::from_secs(5);

/// How a daemon is started.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) home: PathBuf,
    /// Without use for so long, the vault is locked.
    pub(crate) idle: Duration,
    /// Without use of what is behind it for so long, the second lock is shut.
    pub(crate) second_idle: Duration,
    pub(crate) start: Start,
}

/// Who started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// A person, who watches.
    Foreground,
    /// A command, which waits for one line on standard output and goes on.
    Detached,
}

/// What a starting daemon says on its standard output.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Readiness {
    /// It can be connected to.
    Ready,
    /// There is one already.
    Taken,
    /// It could not start.
    Failed(Failure),
}

/// Runs the daemon until it ends.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let protection = guard::protect();
    if options.start == Start::Detached {
        guard::detach();
    }
    quiet_panics();
    let result = prepare(options, &protection.memory);
    if options.start == Start::Detached {
        let said = match &result {
            Ok(_) => Readiness::Ready,
            Err(Trouble::Taken) => Readiness::Taken,
            Err(Trouble::Failed(failure)) => Readiness::Failed(failure.clone()),
        };
        let line = serde_json::to_string(&said).unwrap_or_default();
        drop(writeln!(io::stdout(), "{line}"));
        guard::close_streams();
    }
    let ready = match result {
        Ok(ready) => ready,
        Err(Trouble::Failed(failure)) => return Err(failure),
        Err(Trouble::Taken) if options.start == Start::Detached => return Ok(()),
        Err(Trouble::Taken) => return Err(taken()),
    };
    watch(&ready, (options.idle, options.second_idle));
    ready.desk.syncing().lan().end();
    let _still = ready.desk.syncing().pause();
    let result = ready.desk.keeper().close();
    drop(fs::remove_file(&ready.socket));
    result
}

fn taken() -> Failure {
    Failure::new(Exit::Failed, "Another daemon has this vault already.")
        .safe("Nothing was changed.")
        .next("Commands find it by themselves; stop it with `aura lock --stop`.")
}

enum Trouble {
    Taken,
    Failed(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

struct Ready {
    desk: Arc<Desk>,
    crowd: Crowd,
    notices: Receiver<Notice>,
    socket: PathBuf,
    /// The lock in it is released by the system when the process ends in any way.
    legacy: Legacy,
}

fn prepare(options: &Options, memory: &str) -> Result<Ready, Trouble> {
    let home = &options.home;
    let socket = place::socket(home);
    let inherited = renew::inherited(&socket);
    let lock = match hold(home) {
        // Ours, from before.
        Err(Trouble::Taken) if inherited.is_some() => None,
        other => Some(other?),
    };
    let keeper = Keeper::load(home)?;
    let failed = |error: io::Error| {
        Failure::file("The daemon's socket could not be made in the vault's folder", &error)
    };
    let listener = inherited.map_or_else(|| listen(home, &socket), Ok).map_err(failed)?;
    let legacy = Legacy { listener: listener.try_clone().map_err(failed)?, lock };
    let (sender, notices) = mpsc::channel();
    watch_signals(sender.clone())?;
    let desk = Arc::new(Desk::new(keeper, (options.idle, options.second_idle), memory.to_owned()));
    let crowd = Crowd::default();
    let (shared, counted) = (Arc::clone(&desk), crowd.clone());
    thread::Builder::new()
        .name("accept".to_owned())
        .spawn(move || server::accept(&listener, &shared, &counted, &sender))
        .map_err(thread_failed)?;
    let syncs = Arc::clone(&desk);
    thread::Builder::new()
        .name("sync".to_owned())
        .spawn(move || sync::rounds::run(syncs.keeper(), syncs.syncing()))
        .map_err(thread_failed)?;
    let others = Arc::clone(&desk);
    thread::Builder::new()
        .name("lan".to_owned())
        .spawn(move || sync::search(others.keeper(), others.syncing()))
        .map_err(thread_failed)?;
    Ok(Ready { desk, crowd, notices, socket, legacy })
}

#[expect(clippy::needless_pass_by_value, reason = "map_err gives it away")]
fn thread_failed(error: io::Error) -> Failure {
    Failure::file("The daemon could not start a thread", &error)
}

/// One daemon for one folder.
fn hold(home: &Path) -> Result<File, Trouble> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(home.join(place::LOCK)).map_err(|error| unwritable(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Trouble::Taken),
        Err(TryLockError::Error(error)) => Err(unwritable(&error).into()),
    }
}

fn unwritable(error: &io::Error) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("The vault's folder cannot be written: {}.", crate::exit::plain(error)),
    )
    .safe("Nothing was changed; what is in it is unharmed.")
    .next("Make the folder writable for you, or copy the vault to where it is.")
}

fn listen(home: &Path, socket: &Path) -> io::Result<UnixListener> {
    place::prepare_socket(home, socket)?;
    // Whoever left it is gone: the lock is ours.
    match fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    UnixListener::bind(socket)
}

fn watch_signals(notices: Sender<Notice>) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::file("The daemon could not watch for signals", &error);
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(failed)?;
    let wait = move || {
        for _ in signals.forever() {
            notices.send(Notice::Stop).ok();
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(wait).map_err(failed)?;
    Ok(())
}

/// Once a second until it is time to end.
fn watch(ready: &Ready, (idle, second_idle): (Duration, Duration)) {
    let keeper = ready.desk.keeper();
    let mut asleep = slept();
    let mut locked_since = Instant::now();
    loop {
        match ready.notices.recv_timeout(TICK) {
            Ok(Notice::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            // Their connection ends when this process begins anew, or cannot.
            Ok(Notice::Locked(held)) => {
                let turn = renew(ready);
                drop(held);
                if turn.is_break() {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        let now_asleep = slept();
        let has_slept = now_asleep.saturating_sub(asleep) >= SLEEP_MIN;
        asleep = now_asleep;
        let (is_locked, _) = keeper.standing();
        if !is_locked {
            locked_since = Instant::now();
            keeper.tick();
            if has_slept || keeper.idle() >= idle {
                // What could not be made last is in the log, and applied at the next unlock.
                drop(keeper.lock());
                if renew(ready).is_break() {
                    return;
                }
            } else {
                keeper.shut_idle_second(second_idle);
            }
            continue;
        }
        let life = if keeper.is_absent() { ABSENT_LIFE } else { LOCKED_LIFE };
        // A locked one goes on carrying for the person's other devices.
        let is_called = ready.desk.syncing().lan().is_listening();
        if !is_called
            && ready.crowd.is_empty()
            && locked_since.elapsed() >= life
            && keeper.idle() >= life
        {
            return;
        }
    }
}

/// Begins anew if secrets were here and the vault is locked. Returns only if it does not: because that
/// failed, or to end, since somebody asked for it meanwhile.
fn renew(ready: &Ready) -> ControlFlow<()> {
    let keeper = ready.desk.keeper();
    if !keeper.is_worn() {
        return ControlFlow::Continue(());
    }
    let begun = Instant::now();
    // Whoever had it locked as well waits for the end of their connection.
    let mut held = Vec::new();
    loop {
        match ready.notices.recv_timeout(RENEW_PAUSE) {
            Ok(Notice::Stop) | Err(RecvTimeoutError::Disconnected) => {
                return ControlFlow::Break(());
            }
            Ok(Notice::Locked(stream)) => held.push(stream),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if ready.crowd.is_empty() || begun.elapsed() >= RENEW_PATIENCE {
            break;
        }
    }
    let _still = ready.desk.syncing().pause();
    // Somebody may have opened it again.
    if keeper.let_go() {
        ready.desk.syncing().lan().end();
        drop(renew::again(&ready.legacy));
        keeper.take_up();
        ready.desk.syncing().lan().resume();
    }
    ControlFlow::Continue(())
}

/// For how long the machine has slept since it was started.
fn slept() -> Duration {
    let read = |clock| {
        let time = clock_gettime(clock);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
    };
    read(ClockId::Boottime).saturating_sub(read(ClockId::Monotonic))
}

/// A panic says where it was and not what it was about.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        drop(writeln!(io::stderr(), "aura: internal error at {place}"));
    }));
}
