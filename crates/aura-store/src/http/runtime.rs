// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where requests run: one thread for all of them, so that whoever waits may wait on any executor or on none.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use super::Fault;

/// Threads that look up names, at most.
const LOOKUPS_MAX: usize = 4;

fn of_process() -> Option<&'static Runtime> {
    static RUNTIME: OnceLock<Option<Runtime>> = OnceLock::new();
    let make = || {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).max_blocking_threads(LOOKUPS_MAX).enable_io().enable_time();
        builder.thread_name("aura-http").build().ok()
    };
    RUNTIME.get_or_init(make).as_ref()
}

/// A task that ends when nobody waits for it any more.
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs to the end there what is awaited here.
pub(crate) async fn run<T: Send + 'static>(
    work: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> Result<T, Fault> {
    let runtime = of_process().ok_or(Fault::Unreachable("no thread could be started"))?;
    let mut task = Task(runtime.spawn(work));
    (&mut task.0).await.unwrap_or(Err(Fault::Unreachable("the request was ended")))
}
