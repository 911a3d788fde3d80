// SPDX-License-Identifier: MIT OR Apache-2.0
//! Listens to one server, which tells when it has news of other devices.
//!
//! Moves nothing and holds no lock: it rings, and a round follows. A server that is away is asked for less and less
//! often, at times that no two devices share.

use std::thread::sleep;
use std::time::Duration;

use aura_crypto::entropy::Entropy as _;
use aura_protocol::head::Position;
use aura_protocol::id::{DeviceId, Incarnation};
use aura_protocol::store::{Access, StoreError};
use pollster::block_on;

use super::site::SiteId;
use super::visit::Host;
use super::{Syncing, lock};
use crate::daemon::keeper::{Keeper, SystemEntropy};

/// How long one question is open.
const WATCH_MS: u64 = 4 * 60 * 1000;
/// How often it is looked whether a shut vault is open.
const SHUT: Duration = Duration::from_secs(2);
/// How long a server that is away is left alone, at first and at last.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_mins(1);

type Places = Vec<(DeviceId, Incarnation, Position)>;

/// Until the server is no store any more.
pub(super) fn watch(keeper: &Keeper, syncing: &Syncing, id: &SiteId) {
    let (mut seen, mut is_away, mut pause) = (Places::new(), true, PAUSE_MIN);
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
        match ask(keeper, syncing, id, (&seen, is_away)) {
            Ok(news) => {
                if is_away || !news.is_empty() {
                    lock(&syncing.rung).insert(id.clone());
                    syncing.nudge();
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

/// What is new there: at once if it was away, else as soon as there is something.
fn ask(
    keeper: &Keeper,
    syncing: &Syncing,
    id: &SiteId,
    (seen, is_away): (&Places, bool),
) -> Result<Places, StoreError> {
    let gone = || StoreError::Unreachable("the vault is shut");
    let (vault, local) = keeper.local().ok_or_else(gone)?;
    let stores = syncing.read(keeper).map_err(|_| gone())?;
    let kept = stores.into_iter().find(|kept| kept.site.id() == *id).ok_or_else(gone)?;
    let access = Access::Vault(vault);
    let host = Host { local: &local, access: access.clone(), own: None, halt: &syncing.halt };
    // What was told once and not taken is no news.
    let mut known = host.ours()?;
    known.extend(seen);
    // Waiting must not keep the store open when the vault is shut.
    drop(local);
    let store = syncing.open(keeper, vault, &kept.site)?;
    let news = if is_away {
        block_on(store.heads(&access, &known))?.news
    } else {
        block_on(store.watch(&access, &known, WATCH_MS))?
    };
    Ok(news.iter().map(|head| (head.device, head.incarnation, head.position)).collect())
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
    use super::*;

    #[test]
    fn pauses_scatter_around_what_they_are_for() {
        let pauses: Vec<_> = (0..64).map(|_| scattered(PAUSE_MAX)).collect();
        assert!(pauses.iter().all(|pause| *pause >= PAUSE_MAX / 2 && *pause < PAUSE_MAX * 3 / 2));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}
