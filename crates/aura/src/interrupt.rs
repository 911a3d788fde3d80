// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a long command still does when somebody presses Ctrl-C or closes its terminal.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// What shells expect of a program that a signal has ended: this and the signal's number.
const ENDED_BY_SIGNAL: i32 = 128;

/// Whether a signal has asked for the end.
static IS_ENDING: AtomicBool = AtomicBool::new(false);

/// Leaves the end to the signal that has asked for it, if one has: what failed since then failed for that.
pub(crate) fn give_way() {
    while IS_ENDING.load(Ordering::SeqCst) {
        thread::park();
    }
}

/// Runs `last` and ends the process when a signal asks for it. The first to ask for this in a process has
/// the say: a command that runs others tidies up for them.
pub(crate) fn on_interrupt(last: impl FnOnce() + Send + 'static) {
    static IS_SET: AtomicBool = AtomicBool::new(false);
    if IS_SET.swap(true, Ordering::SeqCst) {
        return;
    }
    // Without it a signal ends the process as it always did.
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) else { return };
    let wait = move || {
        if let Some(signal) = signals.forever().next() {
            IS_ENDING.store(true, Ordering::SeqCst);
            last();
            process::exit(ENDED_BY_SIGNAL.saturating_add(signal));
        }
    };
    drop(thread::Builder::new().name("interrupt".to_owned()).spawn(wait));
}
