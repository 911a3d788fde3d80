// SPDX-License-Identifier: MIT OR Apache-2.0
//! One side of a stream, read or written to its end within bounds of length and time.
//! Source: spec/peer.md, rules PEE-5 and PEE-7.

use std::time::{Duration, Instant};

use quinn::{Connection, ReadError, RecvStream, SendStream};
use tokio::time::timeout;

/// How long nothing may come.
pub(super) const SILENCE: Duration = Duration::from_secs(10);
/// After the first silence, so many bytes a second come and go at least.
const BYTES_PER_SECOND_MIN: u64 = 16 << 10;
/// How much is taken from a stream at a time.
const PART_BYTES: usize = 64 << 10;

/// Why a stream came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// It went too slowly.
    Late,
    /// More came than may.
    Large,
    /// It ended before its beginning was whole.
    Short,
    /// The stream was ended, or the connection.
    Lost,
}

/// For how long so many bytes may be on their way.
fn allowance(bytes: usize) -> Duration {
    let seconds = u64::try_from(bytes).unwrap_or(u64::MAX) / BYTES_PER_SECOND_MIN;
    SILENCE.saturating_add(Duration::from_secs(seconds))
}

/// The two bytes that say what follows; `patience` is for the first of them.
pub(super) async fn begin(stream: &mut RecvStream, patience: Duration) -> Result<[u8; 2], Broken> {
    let mut bytes = [0; 2];
    let read = timeout(patience, stream.read_exact(&mut bytes)).await.map_err(|_| Broken::Late)?;
    match read {
        Ok(()) => Ok(bytes),
        Err(quinn::ReadExactError::FinishedEarly(_)) => Err(Broken::Short),
        Err(quinn::ReadExactError::ReadError(_)) => Err(Broken::Lost),
    }
}

/// What follows them, to the end.
pub(super) async fn rest(stream: &mut RecvStream, most: usize) -> Result<Vec<u8>, Broken> {
    let begun = Instant::now();
    // Grown as bytes arrive: a length alone takes no memory.
    let mut bytes = Vec::new();
    loop {
        let part = timeout(SILENCE, stream.read_chunk(PART_BYTES, true)).await;
        let part = part.map_err(|_| Broken::Late)?.map_err(|_: ReadError| Broken::Lost)?;
        let Some(part) = part else { return Ok(bytes) };
        if bytes.len().saturating_add(part.bytes.len()) > most {
            return Err(Broken::Large);
        }
        bytes.extend_from_slice(&part.bytes);
        if begun.elapsed() > allowance(bytes.len()) {
            return Err(Broken::Late);
        }
    }
}

/// Writes all of it, and that it is all.
pub(super) async fn send(
    stream: &mut SendStream,
    begin: [u8; 2],
    body: &[u8],
) -> Result<(), Broken> {
    let (begun, mut sent) = (Instant::now(), 0_usize);
    for part in std::iter::once(&begin[..]).chain(body.chunks(PART_BYTES)) {
        let written = timeout(SILENCE, stream.write_all(part)).await;
        written.map_err(|_| Broken::Late)?.map_err(|_| Broken::Lost)?;
        sent = sent.saturating_add(part.len());
        if begun.elapsed() > allowance(sent) {
            return Err(Broken::Late);
        }
    }
    stream.finish().map_err(|_| Broken::Lost)
}

/// A new stream, as soon as the other side has room for one.
pub(super) async fn open(connection: &Connection) -> Result<(SendStream, RecvStream), Broken> {
    let opened = timeout(SILENCE, connection.open_bi()).await.map_err(|_| Broken::Late)?;
    opened.map_err(|_| Broken::Lost)
}
