// SPDX-License-Identifier: MIT OR Apache-2.0
//! Boxes in which two devices that pair leave messages for each other: a few, small, for minutes.
//!
//! A device of the vault opens one and takes it away; the new device, which the server does not know yet, knows its
//! id and that is all it shows. So nothing can be kept here by anybody without an account for longer than a
//! pairing takes, and nothing beside the two messages that are a new device's. One server has them in memory, nodes in
//! their database; what a box takes is decided here. Source: spec/http.md, rule HTP-15.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aura_protocol::http::{PairingMessage, ProblemKind};
use aura_protocol::id::{PairingBox, VaultId};
use aura_protocol::limits::PAIRING_SECONDS_MAX;
use aura_protocol::pairing::Step;
use aura_protocol::store::StoreError;

/// How long a box is kept.
pub(crate) const LIFE: Duration = Duration::from_secs(PAIRING_SECONDS_MAX);
/// Boxes at once, of all vaults: 128 MiB at the very most.
pub(crate) const BOXES_MAX: usize = 1024;
/// Boxes of one vault.
pub(crate) const VAULT_BOXES_MAX: usize = 4;

/// Why a message was not put or taken.
#[derive(Debug)]
pub(crate) enum BoxError {
    /// It may not be.
    Refused(ProblemKind),
    /// Where boxes are kept failed.
    Store(StoreError),
}

impl From<ProblemKind> for BoxError {
    fn from(kind: ProblemKind) -> Self {
        Self::Refused(kind)
    }
}

impl From<StoreError> for BoxError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Every box there is, wherever they are kept. Its calls may block.
pub(crate) trait Mail: Send + Sync + core::fmt::Debug {
    /// Puts a message into a box of a vault's, by one of its devices; the offer opens it.
    fn put(
        &self,
        at: (PairingBox, VaultId),
        step: Step,
        message: PairingMessage,
    ) -> Result<(), BoxError>;

    /// Puts a message into a box, by whoever knows where it is.
    fn answer(
        &self,
        place: PairingBox,
        step: Step,
        message: PairingMessage,
    ) -> Result<(), BoxError>;

    /// The message of a step, if it is there; an error where there is no box.
    fn take(&self, place: PairingBox, step: Step) -> Result<Option<PairingMessage>, BoxError>;

    /// Takes a box of a vault's away.
    fn close(&self, place: PairingBox, by: VaultId) -> Result<(), BoxError>;

    /// Lets go of those that have ended.
    fn sweep(&self) -> Result<(), StoreError>;
}

/// A box with what was said at each step.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) vault: VaultId,
    pub(crate) said: [Option<PairingMessage>; Step::ALL.len()],
}

impl Said {
    /// A box that is opened.
    pub(crate) fn opened(vault: VaultId, offer: PairingMessage) -> Self {
        Self { vault, said: [Some(offer), None, None, None] }
    }

    /// Takes a message of a device of this vault.
    pub(crate) fn put(
        &mut self,
        by: VaultId,
        step: Step,
        message: PairingMessage,
    ) -> Result<(), ProblemKind> {
        match step {
            Step::Answer | Step::Done => Err(ProblemKind::Forbidden),
            Step::Offer | Step::Grant if self.vault != by => Err(ProblemKind::Taken),
            Step::Offer | Step::Grant => self.keep(step, message),
        }
    }

    /// Takes a message of a device that nobody knows yet.
    pub(crate) fn answer(
        &mut self,
        step: Step,
        message: PairingMessage,
    ) -> Result<(), ProblemKind> {
        match step {
            Step::Offer | Step::Grant => Err(ProblemKind::Forbidden),
            Step::Answer | Step::Done => self.keep(step, message),
        }
    }

    /// The message of a step, if it is there.
    pub(crate) fn at(&self, step: Step) -> Option<PairingMessage> {
        self.said.get(index(step)).cloned().flatten()
    }

    /// One message a step, each after the one before it; the same again is there already.
    fn keep(&mut self, step: Step, message: PairingMessage) -> Result<(), ProblemKind> {
        let at = index(step);
        let follows =
            at.checked_sub(1).is_none_or(|before| matches!(self.said.get(before), Some(Some(_))));
        match self.said.get_mut(at) {
            Some(Some(said)) if *said == message => Ok(()),
            Some(Some(_)) => Err(ProblemKind::Taken),
            Some(none) if follows => {
                *none = Some(message);
                Ok(())
            }
            _ => Err(ProblemKind::Refused),
        }
    }
}

/// What comes of a message of a vault's own device for a box that is not there.
pub(crate) fn may_open(step: Step) -> Result<(), ProblemKind> {
    match step {
        Step::Offer => Ok(()),
        Step::Grant => Err(ProblemKind::Absent),
        Step::Answer | Step::Done => Err(ProblemKind::Forbidden),
    }
}

#[derive(Debug)]
struct Opened {
    since: Instant,
    said: Said,
}

impl Opened {
    fn counts(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < LIFE
    }
}

/// Every box of one server.
#[derive(Debug, Default)]
pub(crate) struct Boxes(Mutex<HashMap<PairingBox, Opened>>);

impl Boxes {
    /// Puts a message into a box of a vault's, by one of its devices; the offer opens it.
    pub(crate) fn put(
        &self,
        (place, by): (PairingBox, VaultId),
        step: Step,
        message: PairingMessage,
        now: Instant,
    ) -> Result<(), ProblemKind> {
        let mut boxes = self.lock();
        if let Some(opened) = boxes.get_mut(&place).filter(|opened| opened.counts(now)) {
            return opened.said.put(by, step, message);
        }
        may_open(step)?;
        open(&mut boxes, (place, by), message, now)
    }

    /// Puts a message into a box, by whoever knows where it is.
    pub(crate) fn answer(
        &self,
        place: PairingBox,
        step: Step,
        message: PairingMessage,
        now: Instant,
    ) -> Result<(), ProblemKind> {
        let mut boxes = self.lock();
        let opened = boxes.get_mut(&place).filter(|opened| opened.counts(now));
        opened.ok_or(ProblemKind::Absent)?.said.answer(step, message)
    }

    /// The message of a step, if it is there; an error where there is no box.
    pub(crate) fn take(
        &self,
        place: PairingBox,
        step: Step,
        now: Instant,
    ) -> Result<Option<PairingMessage>, ProblemKind> {
        let boxes = self.lock();
        let opened = boxes.get(&place).filter(|opened| opened.counts(now));
        Ok(opened.ok_or(ProblemKind::Absent)?.said.at(step))
    }

    /// Takes a box of a vault's away.
    pub(crate) fn close(&self, place: PairingBox, by: VaultId) {
        let mut boxes = self.lock();
        if boxes.get(&place).is_some_and(|opened| opened.said.vault == by) {
            boxes.remove(&place);
        }
    }

    /// Lets go of those that have ended.
    pub(crate) fn sweep(&self, now: Instant) {
        self.lock().retain(|_, opened| opened.counts(now));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PairingBox, Opened>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mail for Boxes {
    fn put(
        &self,
        at: (PairingBox, VaultId),
        step: Step,
        message: PairingMessage,
    ) -> Result<(), BoxError> {
        Ok(Self::put(self, at, step, message, Instant::now())?)
    }

    fn answer(
        &self,
        place: PairingBox,
        step: Step,
        message: PairingMessage,
    ) -> Result<(), BoxError> {
        Ok(Self::answer(self, place, step, message, Instant::now())?)
    }

    fn take(&self, place: PairingBox, step: Step) -> Result<Option<PairingMessage>, BoxError> {
        Ok(Self::take(self, place, step, Instant::now())?)
    }

    fn close(&self, place: PairingBox, by: VaultId) -> Result<(), BoxError> {
        Self::close(self, place, by);
        Ok(())
    }

    fn sweep(&self) -> Result<(), StoreError> {
        Self::sweep(self, Instant::now());
        Ok(())
    }
}

fn open(
    boxes: &mut HashMap<PairingBox, Opened>,
    (place, vault): (PairingBox, VaultId),
    offer: PairingMessage,
    now: Instant,
) -> Result<(), ProblemKind> {
    boxes.retain(|_, opened| opened.counts(now));
    let own = boxes.values().filter(|opened| opened.said.vault == vault).count();
    if own >= VAULT_BOXES_MAX {
        return Err(ProblemKind::SlowDown);
    }
    if boxes.len() >= BOXES_MAX {
        return Err(ProblemKind::Busy);
    }
    boxes.insert(place, Opened { since: now, said: Said::opened(vault, offer) });
    Ok(())
}

fn index(step: Step) -> usize {
    match step {
        Step::Offer => 0,
        Step::Answer => 1,
        Step::Grant => 2,
        Step::Done => 3,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    const PLACE: PairingBox = PairingBox([1; 16]);
    const VAULT: VaultId = VaultId([2; 32]);
    const OTHER: VaultId = VaultId([3; 32]);

    fn said(byte: u8) -> PairingMessage {
        PairingMessage(vec![byte; 8])
    }

    fn place(number: usize) -> PairingBox {
        let mut place = [9; 16];
        place[..8].copy_from_slice(&(number as u64).to_be_bytes());
        PairingBox(place)
    }

    /// HTP-15, attack DEV-04: each message once, each by who may, each after the one before; the first one stays.
    #[test]
    fn htp_15_a_box_takes_each_message_once_in_order() {
        let (boxes, now) = (Boxes::default(), Instant::now());
        let own = (PLACE, VAULT);
        assert_eq!(boxes.take(PLACE, Step::Offer, now), Err(ProblemKind::Absent));
        assert_eq!(boxes.answer(PLACE, Step::Answer, said(2), now), Err(ProblemKind::Absent));
        assert_eq!(boxes.put(own, Step::Grant, said(3), now), Err(ProblemKind::Absent));
        boxes.put(own, Step::Offer, said(1), now).unwrap();
        assert_eq!(boxes.put(own, Step::Grant, said(3), now), Err(ProblemKind::Refused));
        assert_eq!(boxes.answer(PLACE, Step::Done, said(4), now), Err(ProblemKind::Refused));
        assert_eq!(boxes.take(PLACE, Step::Answer, now), Ok(None));
        boxes.answer(PLACE, Step::Answer, said(2), now).unwrap();
        boxes.answer(PLACE, Step::Answer, said(2), now).unwrap();
        let second = boxes.answer(PLACE, Step::Answer, said(9), now);
        assert_eq!(second, Err(ProblemKind::Taken), "a second device");
        boxes.put(own, Step::Grant, said(3), now).unwrap();
        boxes.answer(PLACE, Step::Done, said(4), now).unwrap();
        for (step, byte) in Step::ALL.into_iter().zip(1..) {
            assert_eq!(boxes.take(PLACE, step, now), Ok(Some(said(byte))), "{step:?}");
        }
        for step in [Step::Offer, Step::Grant] {
            assert_eq!(boxes.answer(PLACE, step, said(9), now), Err(ProblemKind::Forbidden));
            assert_eq!(boxes.put((PLACE, OTHER), step, said(9), now), Err(ProblemKind::Taken));
        }
        for step in [Step::Answer, Step::Done] {
            assert_eq!(boxes.put(own, step, said(9), now), Err(ProblemKind::Forbidden));
        }
        boxes.close(PLACE, OTHER);
        assert!(boxes.take(PLACE, Step::Offer, now).is_ok());
        boxes.close(PLACE, VAULT);
        assert_eq!(boxes.take(PLACE, Step::Offer, now), Err(ProblemKind::Absent));
    }

    /// HTP-15: a box ends by itself.
    #[test]
    fn htp_15_a_box_ends() {
        let (boxes, now) = (Boxes::default(), Instant::now());
        boxes.put((PLACE, VAULT), Step::Offer, said(1), now).unwrap();
        let late = now + LIFE;
        assert!(boxes.take(PLACE, Step::Offer, now + LIFE / 2).is_ok());
        assert_eq!(boxes.take(PLACE, Step::Offer, late), Err(ProblemKind::Absent));
        assert_eq!(boxes.answer(PLACE, Step::Answer, said(2), late), Err(ProblemKind::Absent));
        boxes.sweep(late);
        assert!(boxes.lock().is_empty());
        // The id is free again, for whoever has it.
        boxes.put((PLACE, OTHER), Step::Offer, said(1), late).unwrap();
    }

    /// HTP-15, attack AVL-04: a vault has a few, and all vaults together have so many.
    #[test]
    fn htp_15_boxes_are_few() {
        let (boxes, now) = (Boxes::default(), Instant::now());
        let put = |number, vault| boxes.put((place(number), vault), Step::Offer, said(1), now);
        assert!((0..VAULT_BOXES_MAX).all(|number| put(number, VAULT).is_ok()));
        assert_eq!(put(VAULT_BOXES_MAX, VAULT), Err(ProblemKind::SlowDown));
        for number in VAULT_BOXES_MAX..BOXES_MAX {
            let mut vault = [4; 32];
            vault[..8].copy_from_slice(&(number as u64).to_be_bytes());
            put(number, VaultId(vault)).unwrap();
        }
        assert_eq!(put(BOXES_MAX, OTHER), Err(ProblemKind::Busy));
        let late = now + LIFE;
        boxes.put((place(BOXES_MAX), OTHER), Step::Offer, said(1), late).unwrap();
        assert_eq!(boxes.lock().len(), 1);
    }
}
