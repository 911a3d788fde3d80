// SPDX-License-Identifier: MIT OR Apache-2.0
//! Server-sent events: that there may be news. What they are, the heads say. Source: spec/http.md, rule HTP-11.

use std::time::Duration;

use aura_protocol::http::{EVENT_HEADS, path};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Response};
use tokio::time::timeout;

use super::Fault;
use super::call::Call;
use super::token::Pass;

/// A comment comes every 30 s; twice that and some more is silence.
const SILENCE: Duration = Duration::from_secs(70);
/// The longest line, in bytes.
const LINE_BYTES_MAX: usize = 1024;
const MEDIA: &str = "text/event-stream";

/// A stream of events, as it comes.
pub(super) struct Events {
    response: Response,
    lines: Lines,
}

impl Events {
    /// Opens the stream. It begins with an event.
    pub(super) async fn open(pass: &Pass) -> Result<Self, Fault> {
        let call = Call::bare(Method::GET, path::EVENTS, (MEDIA, 0));
        let response = pass.open(call).await?;
        let media = response.headers().get(CONTENT_TYPE);
        if !media.is_some_and(|media| media.as_bytes().starts_with(MEDIA.as_bytes())) {
            return Err(Fault::Answer("it answered with another media type"));
        }
        Ok(Self { response, lines: Lines::default() })
    }

    /// Waits for an event that says that there may be news.
    pub(super) async fn next(&mut self) -> Result<(), Fault> {
        loop {
            let chunk = timeout(SILENCE, self.response.chunk()).await;
            let chunk = chunk.map_err(|_| Fault::Unreachable("it fell silent"))?;
            let chunk = chunk.map_err(|_| Fault::Unreachable("the connection broke"))?;
            let chunk = chunk.ok_or(Fault::Unreachable("it ended the stream"))?;
            if self.lines.take(&chunk)? {
                return Ok(());
            }
        }
    }
}

/// What has come of a line, and of an event.
#[derive(Debug, Default)]
struct Lines {
    line: Vec<u8>,
    is_heads: bool,
}

impl Lines {
    /// Takes some bytes in; whether an event `heads` was whole with them.
    fn take(&mut self, bytes: &[u8]) -> Result<bool, Fault> {
        let mut is_news = false;
        for byte in bytes {
            match byte {
                b'\n' => is_news |= self.end_line(),
                b'\r' => {}
                _ if self.line.len() >= LINE_BYTES_MAX => {
                    return Err(Fault::Answer("it sent an event without end"));
                }
                _ => self.line.push(*byte),
            }
        }
        Ok(is_news)
    }

    fn end_line(&mut self) -> bool {
        let line = core::mem::take(&mut self.line);
        if line.is_empty() {
            return core::mem::take(&mut self.is_heads);
        }
        if let Some(name) = line.strip_prefix(b"event:") {
            self.is_heads = name.trim_ascii() == EVENT_HEADS.as_bytes();
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// HTP-11: an event counts when it is whole, however it is cut; comments and other events do not.
    #[test]
    fn htp_11_events_come_in_pieces() {
        let mut lines = Lines::default();
        let text = b": comment\n\nevent: other\ndata: 1\n\nevent: heads\r\ndata:\r\n";
        for byte in text {
            assert!(!lines.take(&[*byte]).unwrap());
        }
        assert!(lines.take(b"\r\n").unwrap());
        assert!(!lines.take(b"data: 1\n\n").unwrap(), "an event has its own name");
        assert!(lines.take(b"event:heads\n\nevent: hea").unwrap());
        assert!(lines.take(b"ds\n\n").unwrap());
        assert!(lines.take(&[b'a'; LINE_BYTES_MAX + 1]).is_err());
    }
}
