// SPDX-License-Identifier: MIT OR Apache-2.0
//! Letting a new device in by a code: boxes in the stores, the person's yes or no, and an end in any case.
//!
//! The code is in this process alone, for as long as one request lasts. Whoever hangs up, locks the vault or waits too
//! long has ended it; the boxes are taken away then. Source: spec/pairing.md, rules PAI-7, PAI-10 to PAI-12.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use aura_protocol::limits::PAIRING_SECONDS_MAX;
use aura_protocol::pairing::{PairedServer, Step};
use aura_store::mailbox::Posted;
use aura_vault::vault::{Admitted, Newcomer, Pairing};
use pollster::block_on;

use super::boxes::{Boxes, Opened};
use super::keeper::{Keeper, SystemEntropy};
use super::reply::Reply;
use super::sync::{self, Site, Syncing};
use crate::exit::{Exit, Failure};
use crate::moment::{now_ms, rfc3339};
use crate::secret::Secret;
use crate::view;
use crate::wire::Progress;

/// How often it is looked whether anybody is there still.
const TICK: Duration = Duration::from_millis(200);
/// How long a code that is being ended is waited for.
const AFTER_ANOTHER: Duration = Duration::from_secs(4);
/// So long a refusal lies in its box, to be read.
const FAREWELL: Duration = Duration::from_secs(8);
/// How long to wait before a store is tried again that did not take the new device.
const AGAIN: Duration = Duration::from_secs(3);

const NOTHING_CHANGED: &str = "No device was let in; the code is void.";

/// What a person has said about a device that has answered.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Held for as long as a code counts: there is one at a time.
    turn: Mutex<()>,
    said: Mutex<Option<(String, bool)>>,
    is_said: Condvar,
}

impl Verdict {
    /// The turn of the one code that counts; one that was ended just now is waited for.
    fn take_turn(&self) -> Result<MutexGuard<'_, ()>, Failure> {
        let begun = Instant::now();
        loop {
            match self.turn.try_lock() {
                Ok(turn) => return Ok(turn),
                Err(TryLockError::Poisoned(turn)) => return Ok(turn.into_inner()),
                Err(TryLockError::WouldBlock) if begun.elapsed() < AFTER_ANOTHER => {
                    thread::sleep(TICK);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Failure::new(Exit::Failed, "Another code is being shown already.")
                        .safe("It counts as before.")
                        .next("Use that one, or end it with Ctrl-C where it is shown."));
                }
            }
        }
    }

    /// Yes or no, to the device with this id.
    pub(super) fn say(&self, device: String, is_yes: bool) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some((device, is_yes));
        self.is_said.notify_all();
    }

    fn forget(&self) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What was said about this device, if that comes soon.
    fn hear(&self, device: &str, longest: Duration) -> Option<bool> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.is_said.wait_timeout_while(said, longest, |said| said.is_none());
        let (mut said, _) = waited.unwrap_or_else(PoisonError::into_inner);
        // What was said about another one is about nobody now.
        said.take().filter(|(id, _)| id == device).map(|(_, is_yes)| is_yes)
    }
}

/// Whether this goes on: for how long, and in which of the vault's openings.
struct Watch<'a> {
    keeper: &'a Keeper,
    locks: u64,
    begun: Instant,
    life: Duration,
}

impl Watch<'_> {
    fn is_late(&self) -> bool {
        self.begun.elapsed() >= self.life
    }

    /// Whether the vault was open all the time.
    fn is_open_still(&self) -> Result<(), Failure> {
        if self.keeper.locks() == self.locks {
            return Ok(());
        }
        Err(voided(Exit::Locked, "The vault was locked."))
    }

    /// Says why this has to end, if it has to.
    fn go_on(&self, task: &str, reply: &mut Reply) -> Result<(), Failure> {
        self.is_open_still()?;
        if self.is_late() {
            return Err(voided(Exit::Failed, "The time is over, and no device has come."));
        }
        let (done, total) = (self.begun.elapsed().as_secs(), self.life.as_secs());
        reply.progress(&Progress { task: task.to_owned(), done, total, ..Progress::default() })
    }
}

/// Shows a code, and lets in the device at which it is typed, if a person says yes.
pub(super) fn pair(
    (keeper, syncing): (&Keeper, &Syncing),
    (verdict, seconds): (&Verdict, u64),
    reply: &mut Reply,
) -> Result<view::Paired, Failure> {
    let life = Duration::from_secs(seconds.min(PAIRING_SECONDS_MAX));
    let turn = verdict.take_turn()?;
    verdict.forget();
    let watch = Watch { keeper, locks: keeper.locks(), begun: Instant::now(), life };
    let pairing = keeper.with_open(|vault, _| Ok(vault.begin_pairing()?))?;
    let boxes = Boxes::open((keeper, syncing), (&pairing, life))?;
    if boxes.places().is_empty() {
        let what = format!("No store could be reached: {}.", boxes.troubles.join("; "));
        return Err(Failure::new(Exit::Unreachable, what)
            .safe(NOTHING_CHANGED)
            .next("See `aura store ls`, and run it again when the disk or the network is there."));
    }
    reply.item(&shown(&pairing, &boxes, life))?;
    reply.flush()?;
    let (newcomer, opened) = wait(pairing, &boxes, &watch, reply)?;
    let told =
        view::Newcomer { device: newcomer.device().to_string(), name: newcomer.name().to_string() };
    reply.item(&told)?;
    reply.flush()?;
    let is_wanted = loop {
        watch.go_on("waiting for your answer", reply)?;
        if let Some(is_yes) = verdict.hear(&told.device, TICK) {
            break is_yes;
        }
    };
    // The code has let in whom it lets in: another one may be shown.
    drop(turn);
    if !is_wanted {
        let refusal = newcomer.refuse(&mut SystemEntropy);
        block_on(opened.mailbox.put(Step::Grant, &refusal)).ok();
        linger(opened, FAREWELL);
        return Err(Failure::new(Exit::Refused, "The device was not let in.")
            .safe(NOTHING_CHANGED)
            .next("If you do not know it, somebody has seen your code: nothing came of that."));
    }
    let servers = servers(keeper)?;
    let admitted = keeper.with_open_mut(|vault| {
        // Nobody locks it from here on until it is done.
        watch.is_open_still()?;
        let listed = vault.admit(newcomer, servers)?;
        Ok(vault.grant(listed))
    })?;
    // From here on it is listed: whatever happens, that is told.
    let mut handing = Handing::NotYet;
    let admitted = admitted.map_err(|error| unfinished(&error.into(), &told, handing))?;
    let way = (opened, &mut handing);
    let has_come = hand_over((keeper, syncing), way, (&admitted, &watch), reply);
    let has_come = has_come.map_err(|failure| unfinished(&failure, &told, handing))?;
    syncing.nudge();
    Ok(view::Paired { device: told.device, name: told.name, arrived: has_come })
}

fn shown(pairing: &Pairing, boxes: &Boxes, life: Duration) -> view::PairingCode {
    let life_ms = i64::try_from(life.as_millis()).unwrap_or(i64::MAX);
    view::PairingCode {
        code: Secret::new(pairing.code().to_text()),
        picture: Secret::new(pairing.code().to_picture()),
        until: rfc3339(now_ms().saturating_add(life_ms)),
        stores: boxes.places(),
        unreached: boxes.troubles.clone(),
    }
}

/// Waits for an answer in any of the boxes: the first one counts, and nothing else does from then on.
fn wait<'a>(
    pairing: Pairing,
    boxes: &'a Boxes,
    watch: &Watch<'_>,
    reply: &mut Reply,
) -> Result<(Newcomer, &'a Opened), Failure> {
    let (opened, sealed) = loop {
        watch.go_on("waiting for the new device", reply)?;
        if let Some(found) = boxes.answer(TICK) {
            break found;
        }
    };
    let newcomer = pairing.answered(&opened.offered, &sealed).map_err(|_| {
        let place = opened.site.text();
        let what = format!("What lies in {place} as an answer was not said under this code.");
        Failure::new(Exit::Unreachable, what).safe(NOTHING_CHANGED).next(
            "Whoever can write there has put it there. Run it again; if that stays, pair over another \
             store.",
        )
    })?;
    Ok((newcomer, opened))
}

/// Whether a new device may know what it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handing {
    NotYet,
    /// A store that fails may have taken it.
    Tried,
}

/// Brings the new device's statement to its store, tells it what it needs, and waits for its last word.
fn hand_over(
    (keeper, syncing): (&Keeper, &Syncing),
    (opened, handing): (&Opened, &mut Handing),
    (admitted, watch): (&Admitted, &Watch<'_>),
    reply: &mut Reply,
) -> Result<bool, Failure> {
    // The person has said yes: that they are gone now takes nothing back.
    let mut go_on = |task: &str| match watch.go_on(task, reply) {
        Err(failure) if failure.exit == Exit::Locked => Err(failure),
        _ if watch.is_late() => Err(voided(Exit::Partly, "The time is over.")),
        _ => Ok(()),
    };
    loop {
        go_on("listing the new device")?;
        let trouble = syncing.bring(keeper, &opened.site)?;
        let posted = match trouble {
            None => {
                *handing = Handing::Tried;
                block_on(opened.mailbox.put(Step::Grant, admitted.grant())).ok()
            }
            Some(_) => None,
        };
        match posted {
            Some(Posted::There) => break,
            Some(Posted::Taken) => {
                let what = "Something else was put in the place of what the new device is told.";
                return Err(voided(Exit::Unreachable, what));
            }
            None => thread::sleep(AGAIN),
        }
    }
    loop {
        if go_on("waiting until the new device has everything").is_err() {
            return Ok(false);
        }
        if let Ok(Some(sealed)) = block_on(opened.mailbox.take(Step::Done)) {
            return Ok(admitted.has_come(&sealed).is_ok());
        }
        thread::sleep(Duration::from_millis(opened.mailbox.pause_ms()));
    }
}

/// Leaves a box where it is for a moment.
fn linger(opened: &Opened, longest: Duration) {
    let pause = Duration::from_millis(opened.mailbox.pause_ms());
    thread::sleep(pause.saturating_mul(3).min(longest));
}

/// The servers of this vault, as a new device is told them.
fn servers(keeper: &Keeper) -> Result<Vec<PairedServer>, Failure> {
    let stores = sync::kept(keeper.home())?;
    let server = |site: &Site| {
        let account = site.account()?;
        let url = account.address.to_string();
        Some(PairedServer { url, account: account.name.clone(), pin: account.pin })
    };
    Ok(stores.iter().filter_map(|kept| server(&kept.site)).collect())
}

fn voided(exit: Exit, what: &str) -> Failure {
    Failure::new(exit, what)
        .safe(NOTHING_CHANGED)
        .next("Make another code when the new device is at hand: aura pair")
}

/// It is listed, and may not have come.
fn unfinished(failure: &Failure, newcomer: &view::Newcomer, handing: Handing) -> Failure {
    let id = newcomer.device.get(..8).unwrap_or(&newcomer.device);
    let (told, safe) = match handing {
        Handing::NotYet => (
            "was not told what it needs",
            "Nobody has keys by which it could read or write; everything else is as it was.",
        ),
        Handing::Tried => (
            "may have been told what it needs",
            "If it has come it is the device that you said yes to; everything else is as it was.",
        ),
    };
    let what = format!("{} The new device is listed, and {told}.", failure.what);
    let next = match handing {
        Handing::NotYet => String::new(),
        Handing::Tried => "Look there: `aura status`. If it has not come:\n".to_owned(),
    };
    Failure::new(Exit::Partly, what)
        .safe(safe)
        .next(format!("{next}Strike it off: aura device revoke {id}. Then pair it anew: aura pair"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PAI-12: that nobody has keys is said only where nobody can have them.
    #[test]
    fn pai_12_what_may_have_been_told_is_not_denied() {
        let newcomer = view::Newcomer { device: "ab".repeat(16), name: "phone".to_owned() };
        let failure = voided(Exit::Partly, "The time is over.");
        let before = unfinished(&failure, &newcomer, Handing::NotYet);
        assert!(before.what.contains("was not told") && before.safe.contains("Nobody has keys"));
        let after = unfinished(&failure, &newcomer, Handing::Tried);
        assert!(after.what.contains("may have been told") && !after.safe.contains("Nobody"));
        assert!(after.next.contains("aura device revoke abababab"));
    }

    /// PAI-7: a yes is for the device that was shown, and for no other.
    #[test]
    fn pai_7_a_verdict_is_about_one_device() {
        let verdict = Verdict::default();
        let soon = Duration::from_millis(1);
        assert_eq!(verdict.hear("aa", soon), None);
        verdict.say("bb".to_owned(), true);
        assert_eq!(verdict.hear("aa", soon), None);
        verdict.say("bb".to_owned(), true);
        assert_eq!(verdict.hear("bb", soon), Some(true));
        verdict.say("bb".to_owned(), true);
        verdict.forget();
        assert_eq!(verdict.hear("bb", soon), None);
        verdict.say("aa".to_owned(), false);
        assert_eq!(verdict.hear("aa", soon), Some(false));
    }
}
