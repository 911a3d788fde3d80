// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes what an import has gathered while the next drafts are read: two processors, two halves.
//!
//! At most one load is on its way, so memory stays bounded and an error is told with the next load.
//! Where no thread can be started, loads are written on the spot.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use aura_protocol::entry::ChunkAdded;
use aura_protocol::limits::ENTRY_OPS_MAX;

use crate::feed::{Batch, Commit};
use crate::keyring::Purpose;
use crate::op::{Change, Op};
use crate::open::{Open, OpenError};
use crate::record::Category;

/// Ops of one entry.
pub(super) const BATCH_OPS: usize = 1000;
/// Plaintext bytes of one entry, about.
const BATCH_BYTES: usize = 256 << 10;

/// Ops that wait for their commit.
#[derive(Default)]
pub(super) struct Waiting {
    /// The ops, and how many bytes each takes, about.
    pub(super) ops: Vec<(Change, usize)>,
    /// Chunks that come with them.
    pub(super) added: Vec<ChunkAdded>,
}

/// What is written in one commit, by category.
pub(super) type Load = BTreeMap<Category, Waiting>;

/// Writes loads, one after the other.
pub(super) struct Pipeline {
    open: Arc<Open>,
    author: String,
    thread: Option<Thread>,
    is_busy: bool,
}

struct Thread {
    loads: Sender<Load>,
    written: Receiver<Result<(), OpenError>>,
    handle: JoinHandle<()>,
}

impl Pipeline {
    /// A pipeline for ops of this author.
    pub(super) fn start(open: Arc<Open>, author: String) -> Self {
        let (loads, todo) = channel::<Load>();
        let (done, written) = channel();
        let worker = (Arc::clone(&open), author.clone());
        let work = move || {
            let (open, author) = worker;
            for load in todo {
                if done.send(write(&open, &author, load)).is_err() {
                    break;
                }
            }
        };
        let handle = std::thread::Builder::new().name("import".to_owned()).spawn(work);
        let thread = handle.ok().map(|handle| Thread { loads, written, handle });
        Self { open, author, thread, is_busy: false }
    }

    /// Begins to write a load, as soon as the one before it is written.
    ///
    /// # Errors
    /// Those of the load before; this one is not written then.
    pub(super) fn push(&mut self, load: Load) -> Result<(), OpenError> {
        self.settle()?;
        match &self.thread {
            None => write(&self.open, &self.author, load),
            Some(thread) => {
                thread.loads.send(load).map_err(|_| OpenError::Stale)?;
                self.is_busy = true;
                Ok(())
            }
        }
    }

    /// Waits until everything that was pushed is durable and findable.
    ///
    /// # Errors
    /// Those of writing it.
    pub(super) fn settle(&mut self) -> Result<(), OpenError> {
        match &self.thread {
            Some(thread) if self.is_busy => {
                self.is_busy = false;
                thread.written.recv().unwrap_or(Err(OpenError::Stale))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        if let Some(Thread { loads, handle, .. }) = self.thread.take() {
            // Without a sender the thread ends after what it is writing; who dropped the pipeline without
            // settling it does not want to know how that went.
            drop(loads);
            drop(handle.join());
        }
    }
}

fn write(open: &Open, author: &str, load: Load) -> Result<(), OpenError> {
    open.write(|pen| {
        let now_ms = open.clock.now_ms();
        let mut batches = Vec::new();
        for (category, waiting) in load {
            let mut added = waiting.added;
            for chunk in split(waiting.ops) {
                let ops = chunk.into_iter().map(|change| Op {
                    clock: pen.tick(now_ms),
                    author: author.to_owned(),
                    change,
                });
                let batch = open.batch(Purpose::Category(category), ops.collect())?;
                batches.push(Batch { added: core::mem::take(&mut added), ..batch });
            }
        }
        Ok((Commit { batches, ..Commit::default() }, ()))
    })
    .map(drop)
}

/// Cuts ops into entries of bounded count and size (OPS-20).
fn split(ops: Vec<(Change, usize)>) -> Vec<Vec<Change>> {
    let limit = BATCH_OPS.min(ENTRY_OPS_MAX);
    let mut batches: Vec<Vec<Change>> = Vec::new();
    let mut bytes = usize::MAX;
    for (change, size) in ops {
        let is_full = bytes.saturating_add(size) > BATCH_BYTES
            || batches.last().is_none_or(|batch| batch.len() >= limit);
        if is_full {
            batches.push(Vec::new());
            bytes = 0;
        }
        bytes = bytes.saturating_add(size);
        if let Some(batch) = batches.last_mut() {
            batch.push(change);
        }
    }
    batches
}
