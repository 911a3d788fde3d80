// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sealed objects of any length, written and read with a few chunks of memory.
//!
//! What the reader hands out has been verified chunk by chunk, but the object is only known to be
//! whole when the reader has said that it ends: keep what came before under a provisional name.
//! Source: spec/sealed-object.md, rules SEA-9 to SEA-11.

use std::io::{self, Read, Write};

use zeroize::{Zeroize, Zeroizing};

use crate::aead::{CHUNK, Context, HEADER, Hedge, Opener, Position, Sealer, TAG};
use crate::key::SealingKey;

/// Seals what is written to it. Without [`SealWriter::finish`] the object is recognisably cut short.
pub struct SealWriter<W> {
    inner: W,
    sealer: Sealer,
    plain: Zeroizing<Vec<u8>>,
    sealed: Vec<u8>,
}

impl<W: Write> SealWriter<W> {
    /// Starts an object in `inner`.
    ///
    /// # Errors
    /// Those of `inner`.
    pub fn new(
        key: &impl SealingKey,
        context: &Context,
        hedge: &mut Hedge<'_>,
        mut inner: W,
    ) -> io::Result<Self> {
        let (sealer, header) = Sealer::new(key, context, hedge);
        inner.write_all(&header)?;
        let plain = Zeroizing::new(Vec::with_capacity(CHUNK));
        Ok(Self { inner, sealer, plain, sealed: Vec::with_capacity(CHUNK.saturating_add(TAG)) })
    }

    /// Ends the object and gives `inner` back, flushed.
    ///
    /// # Errors
    /// Those of `inner`.
    pub fn finish(mut self) -> io::Result<W> {
        self.sealed.clear();
        self.sealer.finish(&self.plain, &mut self.sealed).map_err(io::Error::other)?;
        self.inner.write_all(&self.sealed)?;
        self.inner.flush()?;
        Ok(self.inner)
    }

    fn seal_full(&mut self) -> io::Result<()> {
        let (chunks, _) = self.plain.as_chunks::<CHUNK>();
        let Some(chunk) = chunks.first() else { return Ok(()) };
        self.sealed.clear();
        self.sealer.chunk(chunk, &mut self.sealed).map_err(io::Error::other)?;
        self.plain.clear();
        self.inner.write_all(&self.sealed)
    }
}

impl<W: Write> Write for SealWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = CHUNK.saturating_sub(self.plain.len());
        let taken = bytes.len().min(room);
        self.plain.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        if self.plain.len() == CHUNK {
            self.seal_full()?;
        }
        Ok(taken)
    }

    /// Flushes `inner`. Bytes of an unfinished chunk stay here: sealing them would end the object.
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<W> core::fmt::Debug for SealWriter<W> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SealWriter(redacted)")
    }
}

/// Reads what an object holds. A chunk is handed out only after it verified, and the end is
/// reported only after the short last chunk did; any fault is an error of kind `InvalidData`,
/// for good.
pub struct OpenReader<R> {
    inner: R,
    opener: Opener,
    next: u64,
    state: State,
    sealed: Vec<u8>,
    plain: Zeroizing<Vec<u8>>,
    given: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    More,
    Ended,
    Failed,
}

impl<R: Read> OpenReader<R> {
    /// Reads and checks the header.
    ///
    /// # Errors
    /// Those of `inner`; `InvalidData` when this is no object for this key and place.
    pub fn new(key: &impl SealingKey, context: &Context, mut inner: R) -> io::Result<Self> {
        let mut header = [0; HEADER];
        inner.read_exact(&mut header).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => invalid(),
            _ => error,
        })?;
        let opener = Opener::new(key, context, &header).map_err(|_| invalid())?;
        Ok(Self {
            inner,
            opener,
            next: 0,
            state: State::More,
            sealed: Vec::with_capacity(CHUNK.saturating_add(TAG)),
            plain: Zeroizing::new(Vec::with_capacity(CHUNK)),
            given: 0,
        })
    }

    /// Whether the last chunk has verified, so that what was read is the whole object.
    pub fn is_complete(&self) -> bool {
        self.state == State::Ended
    }

    fn refill(&mut self) -> io::Result<()> {
        let full = CHUNK.saturating_add(TAG) as u64;
        self.sealed.clear();
        // `take` and `read_to_end` turn short reads into whole chunks; a short one is the end.
        self.inner.by_ref().take(full).read_to_end(&mut self.sealed)?;
        self.plain.zeroize();
        self.given = 0;
        match self.opener.open_chunk(self.next, &self.sealed, &mut self.plain) {
            Ok(Position::Inner) => self.next = self.next.saturating_add(1),
            Ok(Position::Last) => self.state = State::Ended,
            Err(_) => {
                self.state = State::Failed;
                return Err(invalid());
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for OpenReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        while self.given == self.plain.len() {
            match self.state {
                State::More => self.refill()?,
                State::Ended => return Ok(0),
                State::Failed => return Err(invalid()),
            }
        }
        let ready = self.plain.get(self.given..).unwrap_or_default();
        let count = ready.len().min(out.len());
        out.iter_mut().zip(ready).for_each(|(to, from)| *to = *from);
        self.given = self.given.saturating_add(count);
        Ok(count)
    }
}

impl<R> core::fmt::Debug for OpenReader<R> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("OpenReader(redacted)")
    }
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, crate::aead::OpenError)
}
