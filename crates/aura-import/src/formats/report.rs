// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a reader says to its sink, with the place it is reading.

use std::fmt::Display;
use std::io;

use crate::draft::{Draft, Finding, Sink, Stop};

/// A sink together with the file that is being read.
pub(crate) struct Report<'a> {
    place: &'a str,
    sink: &'a mut dyn Sink,
    /// Bytes read so far; told to the sink with every finding.
    pub(crate) progress: u64,
}

impl<'a> Report<'a> {
    pub(crate) fn new(place: &'a str, sink: &'a mut dyn Sink) -> Self {
        Self { place, sink, progress: 0 }
    }

    pub(crate) fn draft(&mut self, draft: Draft) -> Result<(), Stop> {
        self.sink.take(Finding::Draft(Box::new(draft)), self.progress)
    }

    /// `at` is what follows the file's path: `line 12`, an id, or nothing.
    pub(crate) fn skipped(&mut self, at: impl Display, reason: &str) -> Result<(), Stop> {
        let place = self.at(&at);
        self.sink.take(Finding::Skipped { place, reason: reason.to_owned() }, self.progress)
    }

    pub(crate) fn failed(&mut self, at: impl Display, reason: &str) -> Result<(), Stop> {
        let place = self.at(&at);
        self.sink.take(Finding::Failed { place, reason: reason.to_owned() }, self.progress)
    }

    /// The input broke off; what came before it stands.
    pub(crate) fn broken_input(&mut self, error: &io::Error) -> Result<(), Stop> {
        let reason = format!(
            "the rest of it could not be read ({}); what came before it was read",
            error.kind()
        );
        self.failed("", &reason)
    }

    fn at(&self, at: &impl Display) -> String {
        let at = at.to_string();
        if at.is_empty() { self.place.to_owned() } else { format!("{}, {at}", self.place) }
    }
}
