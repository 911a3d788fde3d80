// SPDX-License-Identifier: MIT OR Apache-2.0
//! Asks a place a few times for what fails for a moment, each time within bounds; nothing waits for ever (FLD-15).

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aura_protocol::store::StoreError;
use tokio::time::{sleep, timeout};

use super::super::files::{Done, Files, Fits, Listed, Put};
use super::fault::LATE;
use super::remote::{Item, LISTED_MAX, Remote, too_many};
use crate::http;

/// How often something is asked, at most.
const TRIES: u32 = 3;
/// The pause after the first try; twice that after the second.
const PAUSE: Duration = Duration::from_millis(150);
/// A longer wait is left to the caller, who has other things to do meanwhile.
const WAIT_S_MAX: u64 = 3;
/// How long a small request may take.
const SHORT: Duration = Duration::from_secs(45);
/// How long a listing may take, all its pages.
const LISTING: Duration = Duration::from_mins(3);
/// Beyond a short time, so many bytes a second come and go at least.
const BYTES_PER_SECOND_MIN: u64 = 16 << 10;
/// How often it is worth looking for news: each look is a request that somebody may pay for.
const LOOK_MS: u64 = 30_000;

/// A place that is asked again.
pub(super) struct Patient<R>(Arc<R>);

impl<R: Remote> Patient<R> {
    pub(super) fn new(remote: R) -> Self {
        Self(Arc::new(remote))
    }

    async fn list(&self, directory: &str) -> Result<Vec<Item>, StoreError> {
        let (remote, directory) = (Arc::clone(&self.0), directory.to_owned());
        on_runtime(async move {
            let found = again(LISTING, || remote.list(&directory)).await?;
            settled(&*remote, found).await
        })
        .await
    }

    async fn walk(&self, directory: &str, shapes: &[Fits]) -> Result<Vec<Item>, StoreError> {
        let mut level = vec![Item { path: String::new(), is_directory: true, mark: None }];
        for (depth, fits) in shapes.iter().enumerate() {
            let is_last = depth.saturating_add(1) == shapes.len();
            let mut below = Vec::new();
            for parent in &level {
                let found = self.list(&joined(directory, &parent.path)).await?;
                let fit = found.into_iter().filter(|item| fits(&item.path));
                let kind = fit.filter(|item| item.is_directory != is_last);
                let path = |item: Item| Item { path: joined(&parent.path, &item.path), ..item };
                below.extend(kind.map(path));
                if below.len() > LISTED_MAX {
                    return Err(too_many());
                }
            }
            level = below;
        }
        Ok(level)
    }
}

#[async_trait]
impl<R: Remote> Files for Patient<R> {
    async fn is_there(&self) -> Result<(), StoreError> {
        // Found out where it matters: whenever nothing is found.
        Ok(())
    }

    async fn names(&self, directory: &Path) -> Result<Vec<String>, StoreError> {
        let found = self.list(&text(directory)).await?;
        let mut names: Vec<String> = found.into_iter().map(|item| item.path).collect();
        names.sort_unstable();
        Ok(names)
    }

    async fn tree(&self, directory: &Path, shapes: &[Fits]) -> Result<Vec<Listed>, StoreError> {
        let root = text(directory);
        let (remote, all) = (Arc::clone(&self.0), root.clone());
        let at_once = on_runtime(async move {
            match again(LISTING, || remote.list_all(&all)).await? {
                Some(found) => settled(&*remote, found).await.map(Some),
                None => Ok(None),
            }
        });
        let found = match at_once.await? {
            Some(found) => found,
            None => self.walk(&root, shapes).await?,
        };
        let fits = |item: &Item| {
            let mut parts = item.path.split('/');
            let each = shapes.iter().all(|fits| parts.next().is_some_and(fits));
            each && parts.next().is_none() && !item.is_directory
        };
        let fit = found.into_iter().filter(fits);
        let mut listed: Vec<Listed> =
            fit.map(|item| Listed { path: directory.join(item.path), mark: item.mark }).collect();
        listed.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(listed)
    }

    async fn has_directory(&self, directory: &Path) -> Result<bool, StoreError> {
        Ok(!self.list(&text(directory)).await?.is_empty())
    }

    async fn read(&self, path: &Path, most: usize) -> Result<Option<Vec<u8>>, StoreError> {
        let (remote, path) = (Arc::clone(&self.0), text(path));
        let within = allowance(most as u64);
        on_runtime(async move { again(within, || remote.read(&path, most)).await }).await
    }

    async fn has(&self, path: &Path) -> Result<bool, StoreError> {
        let (remote, path) = (Arc::clone(&self.0), text(path));
        on_runtime(async move { again(SHORT, || remote.has(&path)).await }).await
    }

    async fn write(
        &self,
        path: &Path,
        beside: &Path,
        (bytes, put): (&[u8], Put),
    ) -> Result<Done, StoreError> {
        let (remote, path, beside) = (Arc::clone(&self.0), text(path), text(beside));
        let (bytes, within) = (bytes.to_vec(), allowance(bytes.len() as u64));
        on_runtime(
            async move { again(within, || remote.write(&path, &beside, (&bytes, put))).await },
        )
        .await
    }

    async fn remove(&self, path: &Path) -> Result<(), StoreError> {
        let (remote, path) = (Arc::clone(&self.0), text(path));
        on_runtime(async move { again(SHORT, || remote.remove(&path)).await }).await
    }

    fn look_ms(&self) -> u64 {
        LOOK_MS
    }
}

/// FLD-17: where nothing is found, it is because nothing is there, and not because the place is another one.
async fn settled<R: Remote>(remote: &R, found: Vec<Item>) -> Result<Vec<Item>, StoreError> {
    if found.is_empty() {
        again(SHORT, || remote.is_there()).await?;
    }
    Ok(found)
}

/// Tries something until it works, fails for good, or was tried often enough.
async fn again<T, F>(within: Duration, mut attempt: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut tried: u32 = 0;
    loop {
        let begun = Instant::now();
        let done = timeout(within, attempt()).await.unwrap_or_else(|_| Err(LATE.into()));
        tried = tried.saturating_add(1);
        let pause = match &done {
            Err(StoreError::Unreachable(_) | StoreError::Server(_)) => PAUSE,
            Err(StoreError::SlowDown(seconds)) if *seconds <= WAIT_S_MAX => {
                Duration::from_secs(*seconds)
            }
            _ => return done,
        };
        // What took so long will not be quicker now, and somebody waits.
        if tried >= TRIES || begun.elapsed() >= SHORT {
            return done;
        }
        // How long the answer took is different for each of those who ask at one time.
        let scatter = Duration::from_micros(u64::from(begun.elapsed().subsec_micros() % 100_000));
        sleep(pause.saturating_mul(1 << tried.saturating_sub(1)).saturating_add(scatter)).await;
    }
}

async fn on_runtime<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    http::run(async move { Ok(work.await) }).await?
}

fn allowance(bytes: u64) -> Duration {
    SHORT.saturating_add(Duration::from_secs(bytes / BYTES_PER_SECOND_MIN))
}

fn joined(parent: &str, name: &str) -> String {
    match (parent.is_empty(), name.is_empty()) {
        (true, _) => name.to_owned(),
        (_, true) => parent.to_owned(),
        _ => format!("{parent}/{name}"),
    }
}

/// A path as a place has it.
fn text(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}
