// SPDX-License-Identifier: MIT OR Apache-2.0
//! The way back to whoever asked: items, tellings of progress, and one last frame.

use std::io::{BufWriter, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::wire::{self, ANSWER_BYTES_MAX, Answer, Progress};

/// Progress is told no more often.
const PAUSE: Duration = Duration::from_millis(100);

/// The way back to one client.
pub(crate) struct Reply {
    out: BufWriter<UnixStream>,
    told: Option<Instant>,
}

impl Reply {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self { out: BufWriter::with_capacity(64 << 10, stream), told: None }
    }

    /// Sends one of many.
    pub(crate) fn item<T: Serialize>(&mut self, item: &T) -> Result<(), Failure> {
        let value = serde_json::to_value(item).map_err(|_| unsayable())?;
        self.send(&Answer::Item(value))
    }

    /// Tells how far a task is, now and then.
    pub(crate) fn progress(&mut self, progress: &Progress) -> Result<(), Failure> {
        if self.told.is_some_and(|told| told.elapsed() < PAUSE) {
            return Ok(());
        }
        self.told = Some(Instant::now());
        self.send(&Answer::Progress(progress.clone()))?;
        self.out.flush().map_err(|_| gone())
    }

    /// Sends the last frame.
    pub(crate) fn finish(&mut self, result: Result<serde_json::Value, Failure>) -> bool {
        let answer = match result {
            Ok(value) => Answer::Done(value),
            Err(failure) => Answer::Failed(failure),
        };
        self.send(&answer).is_ok() && self.out.flush().is_ok()
    }

    /// Sends what is waiting.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(|_| gone())
    }

    fn send(&mut self, answer: &Answer) -> Result<(), Failure> {
        match wire::send(&mut self.out, answer, ANSWER_BYTES_MAX) {
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => Err(unsayable()),
            Err(_) => Err(gone()),
            Ok(()) => Ok(()),
        }
    }
}

/// The client has hung up; nobody will read this.
fn gone() -> Failure {
    Failure::new(Exit::Failed, "The command was stopped.")
}

fn unsayable() -> Failure {
    Failure::new(Exit::Failed, "The answer is too large for one message.")
        .safe("Nothing was changed.")
        .next("Export it instead: `aura export --all DIR`.")
}
