// SPDX-License-Identifier: MIT OR Apache-2.0
//! Listens to one server, which tells when it has news of other devices.
//!
//! Moves nothing and holds no lock: it rings, and a round follows. A server that is away is asked for less and less
//! often, at times that no two devices share; so is one that has news again and again of which nothing comes.

use std::thread::sleep;
use std::time::{Duration, Instant};

use aura_crypto::entropy::Entropy as _;
use aura_protocol::store::{Access, StoreError};
use pollster::block_on;

use super::Syncing;
use super::site::SiteId;
use super::visit::{Host, Places};
use crate::daemon::keeper::{Keeper, SystemEntropy};

/// How long one question is open.
const WATCH_MS: u64 = 4 * 60 * 1000;
/// How often it is looked whether a shut vault is open.
const SHUT: Duration = Duration::from_secs(2);
/// How long a server that is away is left alone, at first and at last.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_mins(1);

/// So often a store may have news before the first of them was fetched.
const NEWS_FREE: u32 = 16;
/// How long what a store told is left to a round. One that takes longer is not waited for.
const ROUND: Duration = Duration::from_secs(10);
/// An answer without news that comes sooner than this was no wait for any.
const SOON: Duration = Duration::from_secs(1);
/// After so long without news, those before are forgotten.
const FORGET: Duration = Duration::from_mins(5);

/// Until the server is no store any more.
pub(super) fn watch(keeper: &Keeper, syncing: &Syncing, id: &SiteId) {
    let (mut seen, mut is_away, mut pause) = (Places::new(), true, PAUSE_MIN);
    let mut pace = Pace::default();
    loop {
        if !keeper.is_open() || syncing.halt.is_set() {
            sleep(SHUT);
            continue;
        }
        let Ok(stores) = syncing.read(keeper) else {
            sleep(PAUSE_MAX);
            continue;
        };
        if !stores.iter().any(|kept| kept.site.id() == *id) {
            return;
        }
        let begun = Instant::now();
        match ask(keeper, syncing, id, (&seen, is_away)) {
            Ok((ours, news)) => {
                let has_news = is_away || !news.is_empty();
                if has_news {
                    syncing.ring(id);
                    syncing.bells.wait(id, ROUND);
                }
                if has_news || begun.elapsed() < SOON {
                    sleep(pace.after(ours, Instant::now()));
                }
                (seen, is_away, pause) = (news, false, PAUSE_MIN);
            }
            Err(error) => {
                let asked = match error {
                    StoreError::SlowDown(seconds) => Duration::from_secs(seconds),
                    _ => Duration::ZERO,
                };
                sleep(scattered(pause.max(asked)));
                (is_away, pause) = (true, pause.saturating_mul(2).min(PAUSE_MAX));
            }
        }
    }
}

/// How long a store is left alone after news: not at all while something comes of them, so that what somebody writes is
/// seen at once; longer and longer while nothing does, since whoever keeps a store can make up heads without end.
#[derive(Default)]
struct Pace {
    ours: Places,
    last: Option<Instant>,
    count: u32,
}

impl Pace {
    /// After news, when this was here as they were asked for.
    fn after(&mut self, ours: Places, now: Instant) -> Duration {
        let is_old = self.last.is_none_or(|last| now.saturating_duration_since(last) >= FORGET);
        self.last = Some(now);
        if is_old || ours != self.ours {
            (self.ours, self.count) = (ours, 0);
        }
        self.count = self.count.saturating_add(1);
        match self.count.checked_sub(NEWS_FREE) {
            None | Some(0) => Duration::ZERO,
            Some(idle) => {
                let factor = 2_u32.saturating_pow(idle.saturating_sub(1));
                PAUSE_MIN.saturating_mul(factor).min(PAUSE_MAX)
            }
        }
    }
}

/// What is here, and what is new there: at once if it was away, else as soon as there is something.
fn ask(
    keeper: &Keeper,
    syncing: &Syncing,
    id: &SiteId,
    (seen, is_away): (&Places, bool),
) -> Result<(Places, Places), StoreError> {
    let gone = || StoreError::Unreachable("the vault is shut");
    let (vault, local) = keeper.local().ok_or_else(gone)?;
    let stores = syncing.read(keeper).map_err(|_| gone())?;
    let kept = stores.into_iter().find(|kept| kept.site.id() == *id).ok_or_else(gone)?;
    let access = Access::Vault(vault);
    let host = Host { local: &local, access: access.clone(), own: None, halt: &syncing.halt };
    // What was told once and not taken is no news.
    let ours = host.ours()?;
    let known = [&ours[..], seen].concat();
    // Waiting must not keep the store open when the vault is shut.
    drop(local);
    let store = syncing.open(keeper, vault, &kept.site)?;
    let news = if is_away {
        block_on(store.heads(&access, &known))?.news
    } else {
        block_on(store.watch(&access, &known, WATCH_MS))?
    };
    let news = news.iter().map(|head| (head.device, head.incarnation, head.position));
    Ok((ours, news.collect()))
}

/// Between half of it and one and a half.
fn scattered(pause: Duration) -> Duration {
    let mut byte = [0];
    SystemEntropy.fill(&mut byte);
    let part = pause.saturating_mul(u32::from(byte[0])) / 256;
    (pause / 2).saturating_add(part)
}

#[cfg(test)]
mod tests {
    use aura_protocol::head::Position;
    use aura_protocol::id::{DeviceId, Incarnation};

    use super::*;

    /// Fault F-29: those whom a server sent away do not all come back at once.
    #[test]
    fn pauses_scatter_around_what_they_are_for() {
        let pauses: Vec<_> = (0..64).map(|_| scattered(PAUSE_MAX)).collect();
        assert!(pauses.iter().all(|pause| *pause >= PAUSE_MAX / 2 && *pause < PAUSE_MAX * 3 / 2));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }

    fn heads(number: u64) -> Places {
        let at = Position { number, hash: aura_protocol::id::Hash([1; 32]) };
        vec![(DeviceId([1; 16]), Incarnation([1; 8]), at)]
    }

    /// How often a store is asked within some time that answers at once, always with news.
    fn asked(within: Duration, ours: impl Fn(u64) -> Places) -> u64 {
        let (mut pace, begun, mut count) = (Pace::default(), Instant::now(), 0);
        let mut now = begun;
        while now < begun + within {
            count += 1;
            now += Duration::from_millis(5) + pace.after(ours(count), now);
        }
        count
    }

    /// A store that makes up news is asked less and less often, one whose news are fetched at once.
    #[test]
    fn news_of_which_nothing_comes_are_asked_for_less_and_less_often() {
        let made_up = asked(Duration::from_secs(10), |_| heads(1));
        assert!((17..=24).contains(&made_up), "{made_up}");
        let hour = asked(Duration::from_hours(1), |_| heads(1));
        assert!(hour < 100, "{hour}");
        // A round fetches what up to ten news told of.
        assert_eq!(asked(Duration::from_secs(10), |count| heads(count / 10)), 2000);
        let mut pace = Pace::default();
        let now = Instant::now();
        let long = (0..99).map(|_| pace.after(heads(1), now)).max();
        assert_eq!(long, Some(PAUSE_MAX));
        assert_eq!(pace.after(heads(1), now + FORGET), Duration::ZERO);
    }
}
