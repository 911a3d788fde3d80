// SPDX-License-Identifier: MIT OR Apache-2.0
//! News from other nodes: who waits for heads on this one is woken by a push on any.
//!
//! One connection of a node listens; a notification says which vault has news and nothing else. While it is down, who
//! waits looks by itself now and then. Source: spec/store.md, rule STO-43.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use aura_protocol::id::VaultId;
use aura_protocol::store::StoreError;
use postgres::fallible_iterator::FallibleIterator as _;
use postgres::{Client, Notifications};

use super::Bells;
use super::moment::Moment;
use super::pool::Pool;

/// How a notification ends that is not of heads alone.
const DEVICES: &str = " devices";

/// How long the listener waits for news before it looks whether anybody still needs it.
const LOOK: Duration = Duration::from_millis(500);

/// How long it waits before it connects anew.
const PAUSE: Duration = Duration::from_secs(1);

/// How long who waits does so at most while nobody listens, and while somebody does: a notification may be lost with
/// the connection that it came over.
const UNHEARD_MS: u64 = 1000;
const HEARD_MS: u64 = 30_000;

/// What one node tells the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum News {
    /// A vault has another head.
    Heads(VaultId),
    /// Who may ask for a vault may be another thing.
    Devices(VaultId),
    /// Nobody listened for a while: it may be anything.
    Anything,
}

impl News {
    fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix(DEVICES) {
            Some(vault) => VaultId::parse(vault).map(Self::Devices),
            None => VaultId::parse(text).map(Self::Heads),
        }
    }
}

/// A thread that listens as long as this is there.
#[derive(Debug)]
pub(super) struct Listening {
    is_heard: Arc<AtomicBool>,
}

impl Listening {
    pub(super) fn begin(pool: Arc<Pool>, bells: Arc<Bells>) -> Self {
        let is_heard = Arc::new(AtomicBool::new(false));
        let kept = Arc::downgrade(&is_heard);
        // Without the thread who waits looks by itself; there is nobody to tell.
        let name = thread::Builder::new().name("aura-listen".into());
        name.spawn(move || {
            while kept.strong_count() > 0 {
                listen(&pool, &bells, &kept).ok();
                if let Some(is_heard) = kept.upgrade() {
                    is_heard.store(false, Ordering::Release);
                }
                bells.hear(News::Anything);
                thread::sleep(PAUSE);
            }
        })
        .ok();
        Self { is_heard }
    }

    /// How long to wait before looking, in milliseconds.
    pub(super) fn patience_ms(&self) -> u64 {
        if self.is_heard.load(Ordering::Acquire) { HEARD_MS } else { UNHEARD_MS }
    }
}

fn listen(pool: &Pool, bells: &Bells, kept: &Weak<AtomicBool>) -> Result<(), StoreError> {
    let mut client = pool.connect()?;
    client.batch_execute("LISTEN aura_heads").map_err(super::fault::failed)?;
    if let Some(is_heard) = kept.upgrade() {
        is_heard.store(true, Ordering::Release);
    }
    // What came before it listened.
    bells.hear(News::Anything);
    while kept.strong_count() > 0 {
        ring_for(&mut client.notifications(), bells)?;
        if client.is_closed() {
            return Err(StoreError::Unreachable("the database has closed the connection"));
        }
    }
    Ok(())
}

/// Rings for what comes until nothing has come for a while.
fn ring_for(notifications: &mut Notifications<'_>, bells: &Bells) -> Result<(), StoreError> {
    let mut news = notifications.timeout_iter(LOOK);
    while let Some(notification) = news.next().map_err(super::fault::failed)? {
        if let Some(news) = News::parse(notification.payload()) {
            bells.hear(news);
        }
    }
    Ok(())
}

/// Tells all nodes once this is committed.
pub(super) fn tell(moment: &Moment<'_>, news: News) -> Result<(), StoreError> {
    let (vault, end) = match news {
        News::Heads(vault) => (vault, ""),
        News::Devices(vault) => (vault, DEVICES),
        News::Anything => return Ok(()),
    };
    moment.execute("SELECT pg_notify('aura_heads', $1)", &[&format!("{vault}{end}")])
}

/// Tells all nodes that who may ask for a vault may be another thing.
pub(super) fn tell_plainly(client: &mut Client, vault: VaultId) -> Result<(), postgres::Error> {
    let told = format!("{vault}{DEVICES}");
    client.execute("SELECT pg_notify('aura_heads', $1)", &[&told]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_come_as_they_were_told() {
        let vault = VaultId([7; 32]);
        assert_eq!(News::parse(&vault.to_string()), Some(News::Heads(vault)));
        assert_eq!(News::parse(&format!("{vault}{DEVICES}")), Some(News::Devices(vault)));
        for other in ["", DEVICES, "0707", "devices"] {
            assert_eq!(News::parse(other), None);
        }
    }
}
