// SPDX-License-Identifier: MIT OR Apache-2.0
//! A reader that gives exactly as many bytes as were announced, and an error otherwise.

use std::io::{self, Read};

use flate2::Crc;

/// Gives an error when the source is longer or shorter than announced, or its checksum is wrong.
pub(super) struct Bounded<R> {
    source: R,
    left: u64,
    crc: Option<(Crc, u32)>,
    is_done: bool,
}

impl<R: Read> Bounded<R> {
    pub(super) fn new(source: R, size: u64, crc: Option<u32>) -> Self {
        Self { source, left: size, crc: crc.map(|wanted| (Crc::new(), wanted)), is_done: false }
    }

    fn finish(&mut self) -> io::Result<usize> {
        self.is_done = true;
        let mut probe = [0_u8; 1];
        if self.source.read(&mut probe)? > 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the file is longer than its archive says",
            ));
        }
        match &self.crc {
            Some((crc, wanted)) if crc.sum() != *wanted => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "the file's checksum is wrong"))
            }
            _ => Ok(0),
        }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.is_done {
            return Ok(0);
        }
        if self.left == 0 {
            return self.finish();
        }
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let target = buffer.get_mut(..room).unwrap_or_default();
        let count = self.source.read(target)?;
        if count == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file is shorter than its archive says",
            ));
        }
        self.left = self.left.saturating_sub(count as u64);
        if let Some((crc, _)) = &mut self.crc {
            crc.update(target.get(..count).unwrap_or_default());
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], size: u64, crc: Option<u32>) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Bounded::new(bytes, size, crc).read_to_end(&mut out).map(|_| out)
    }

    #[test]
    fn only_the_announced_bytes_pass() {
        assert_eq!(read(b"abc", 3, None).unwrap(), b"abc");
        assert_eq!(read(b"abc", 3, Some(0x3524_41C2)).unwrap(), b"abc");
        assert!(read(b"abc", 3, Some(1)).is_err());
        assert!(read(b"abcd", 3, None).is_err());
        assert!(read(b"ab", 3, None).is_err());
        assert_eq!(read(b"", 0, None).unwrap(), b"");
    }
}
