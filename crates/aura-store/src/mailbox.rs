// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where two devices that pair leave messages for each other: a box in a store that both reach.
//!
//! Whoever keeps it reads nothing: messages are sealed under a code that is shown on one device and typed at the
//! other. Source: spec/pairing.md, rules PAI-2 and PAI-11.

use async_trait::async_trait;
use aura_protocol::pairing::Step;
use aura_protocol::store::StoreError;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posted {
    /// It lies in the box.
    There,
    /// Another one of its step lies there, and stays.
    Taken,
}

/// One box.
#[async_trait]
pub trait Mailbox: Send + Sync {
    /// Puts a message into it, unless there is one of its step.
    async fn put(&self, step: Step, sealed: &[u8]) -> Result<Posted, StoreError>;

    /// The message of a step, if it is there.
    async fn take(&self, step: Step) -> Result<Option<Vec<u8>>, StoreError>;

    /// Whether there is such a box (still).
    async fn is_open(&self) -> Result<bool, StoreError>;

    /// Takes it away, with whatever is in it.
    async fn close(&self) -> Result<(), StoreError>;

    /// How long to wait between two looks, in milliseconds.
    fn pause_ms(&self) -> u64;
}
