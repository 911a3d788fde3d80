// SPDX-License-Identifier: MIT OR Apache-2.0
//! Counting what has been read, so that progress can be told.

use std::io::{self, BufRead, Read};

use crate::draft::{Finding, Sink, Stop};

/// A reader that counts the bytes taken from it.
pub(crate) struct Counted<'a> {
    input: &'a mut dyn BufRead,
    read: u64,
}

impl<'a> Counted<'a> {
    pub(crate) fn new(input: &'a mut dyn BufRead) -> Self {
        Self { input, read: 0 }
    }

    /// How many bytes have been taken.
    pub(crate) fn read_bytes(&self) -> u64 {
        self.read
    }
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.read = self.read.saturating_add(count as u64);
        Ok(count)
    }
}

impl BufRead for Counted<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.input.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.read = self.read.saturating_add(count as u64);
        self.input.consume(count);
    }
}

/// A sink that counts over several inputs; what it tells never goes back.
pub(crate) struct Onward<'a> {
    sink: &'a mut dyn Sink,
    /// Bytes of the inputs that are done.
    before: u64,
    told: u64,
}

impl<'a> Onward<'a> {
    pub(crate) fn new(sink: &'a mut dyn Sink) -> Self {
        Self { sink, before: 0, told: 0 }
    }

    /// An input of this size is done.
    pub(crate) fn done(&mut self, bytes: u64) {
        self.before = self.before.saturating_add(bytes);
    }
}

impl Sink for Onward<'_> {
    fn take(&mut self, finding: Finding, progress: u64) -> Result<(), Stop> {
        self.told = self.told.max(self.before.saturating_add(progress));
        self.sink.take(finding, self.told)
    }
}
