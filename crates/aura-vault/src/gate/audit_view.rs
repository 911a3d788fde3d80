// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reading the audit log, and proving that nothing in it was removed, changed or reordered.
//!
//! The proof rebuilds every device incarnation's tree from the sealed events and compares its root with
//! the checkpoint that the device's newest head carries, signed by its log key.
//! Source: spec/audit-events.md, rules LOG-12 to LOG-14.

use std::collections::BTreeMap;

use aura_protocol::head::{Head, Position};
use aura_protocol::id::{DeviceId, FeedId, Hash, Incarnation};
use aura_protocol::log::{Frontier, NoteKey, open_note};

use super::{GateError, Session};
use crate::audit::{self, Action, Event};
use crate::feed::QuarantineReason;
use crate::keyring::Purpose;
use crate::op::Change;
use crate::open::lock;
use crate::vault::read_roster;

/// An event as logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Its place in its device's log, from 0.
    pub number: u64,
    /// Whose log.
    pub device: DeviceId,
    /// What happened.
    pub event: Event,
    /// Its hash as a leaf.
    pub leaf: Hash,
}

/// What verifying the audit log came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditVerdict {
    /// Whether every log is whole.
    pub is_ok: bool,
    /// Events in all logs.
    pub size: u64,
    /// The root of this device's log.
    pub root: Hash,
    /// The first thing that fails, in words; `None` if nothing does.
    pub first_bad: Option<String>,
}

impl AuditVerdict {
    fn bad(&mut self, device: DeviceId, what: &str) {
        self.is_ok = false;
        self.first_bad.get_or_insert(format!("log of device {device}: {what}"));
    }
}

impl Session {
    fn audit_feeds(&self, feeds: Vec<(FeedId, Position)>) -> Vec<(FeedId, u64)> {
        let is_audit = |feed: &FeedId| {
            self.open.with_keyring(|keyring| keyring.purpose(feed.collection))
                == Some(Purpose::Audit)
        };
        let audit = feeds.into_iter().filter(|(feed, _)| is_audit(feed));
        audit.map(|(feed, position)| (feed, position.number)).collect()
    }

    /// Hands on every event, oldest first by device. Reading the log is itself on the record.
    ///
    /// # Errors
    /// When the principal may not, or the vault cannot be read.
    pub fn audit(&self, each: &mut dyn FnMut(Logged)) -> Result<(), GateError> {
        self.decide(Action::ReadAudit)?;
        self.tick()?;
        self.count(Action::ReadAudit, None, 1);
        for (feed, upto) in self.audit_feeds(self.open.log.feeds()?) {
            self.each_event(feed, upto, &mut |number, encoded| {
                if let Ok(event) = Event::parse(encoded) {
                    let leaf = Event::leaf(encoded);
                    each(Logged { number, device: feed.device, event, leaf });
                }
            })?;
        }
        Ok(())
    }

    fn each_event(
        &self,
        feed: FeedId,
        upto: u64,
        each: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<(), GateError> {
        let mut number = 0u64;
        self.open.each_entry(feed, 0, upto, &mut |entries| {
            for op in entries.iter().flat_map(|entry| &entry.ops) {
                if let Change::Event(encoded) = &op.change {
                    each(number, encoded);
                    number = number.saturating_add(1);
                }
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Verifies every device's audit log against its signed checkpoint (LOG-14).
    ///
    /// # Errors
    /// When the vault cannot be read; what does not verify is in the verdict.
    pub fn verify_audit(&self) -> Result<AuditVerdict, GateError> {
        self.prove_audit(&mut |_| {})
    }

    /// Hands on every event, oldest first by device, and verifies exactly these. That the log is read is
    /// on the record before, and among them.
    ///
    /// # Errors
    /// When the principal may not, or the vault cannot be read or written.
    pub fn export_audit(&self, each: &mut dyn FnMut(Logged)) -> Result<AuditVerdict, GateError> {
        self.decide(Action::ReadAudit)?;
        self.count(Action::ReadAudit, None, 1);
        self.tick()?;
        self.prove_audit(each)
    }

    fn prove_audit(&self, each: &mut dyn FnMut(Logged)) -> Result<AuditVerdict, GateError> {
        let mut verdict =
            AuditVerdict { is_ok: true, size: 0, root: Frontier::new().root(), first_bad: None };
        let mut feeds: BTreeMap<(DeviceId, Incarnation), (FeedId, u64)> = BTreeMap::new();
        let (own, heads, arriving) = {
            // Feeds and heads of one moment: nobody writes in between.
            let pen = lock(&self.open.pen);
            let (all, heads) = self.open.moment()?;
            for (feed, upto) in self.audit_feeds(all) {
                feeds.insert((feed.device, feed.incarnation), (feed, upto));
            }
            let arriving = self.open.arriving(&heads);
            (pen.device().id(), heads, arriving)
        };
        let roster = read_roster(self.open.log.as_ref(), self.open.vault).ok();
        for signed in heads {
            let Ok(claim) = signed.claim() else { continue };
            let feed = feeds.remove(&(claim.device, claim.incarnation));
            let device = roster.as_ref().and_then(|(roster, _)| roster.device(claim.device));
            let Some(head) = device.and_then(|device| signed.verify(&device.keys.sign).ok()) else {
                verdict.bad(claim.device, "the device's signed head does not verify");
                continue;
            };
            let mut frontier = Frontier::new();
            if let Some((feed, upto)) = feed {
                // Of one that has ended, more may be here than is accepted.
                let has_ended = device.is_some_and(|d| d.revoked.is_some() || !d.closed.is_empty());
                let last = head.position(feed.collection).number;
                let upto = if has_ended { upto.min(last) } else { upto };
                self.each_event(feed, upto, &mut |number, encoded| {
                    let leaf = Event::leaf(encoded);
                    frontier.push(leaf);
                    if let Ok(event) = Event::parse(encoded) {
                        each(Logged { number, device: feed.device, event, leaf });
                    }
                })?;
            }
            verdict.size = verdict.size.saturating_add(frontier.size());
            if claim.device == own {
                verdict.root = frontier.root();
            }
            let log_key = device.map(|device| device.keys.log).unwrap_or_default();
            // What comes while this goes on is read a moment later: its keys may not be known yet.
            let is_arriving = arriving.contains(&(claim.device, claim.incarnation));
            if let Some(bad) = check(&head, &log_key, &frontier).filter(|_| !is_arriving) {
                verdict.bad(claim.device, &bad);
            }
        }
        for (device, _) in feeds.into_keys() {
            verdict.bad(device, "no signed head speaks of it");
        }
        let quarantined = lock(&self.open.quarantine).clone();
        for set_aside in quarantined {
            let FeedId { device, incarnation, .. } = set_aside.feed;
            let waits = set_aside.reason == QuarantineReason::NoKey;
            if waits && arriving.contains(&(device, incarnation)) {
                continue;
            }
            let is_audit = self.open.with_keyring(|keyring| {
                keyring.purpose(set_aside.feed.collection) == Some(Purpose::Audit)
            });
            if is_audit && verdict.first_bad.is_none() {
                verdict.is_ok = false;
                verdict.first_bad = Some(format!(
                    "audit entry {} cannot be used: {}",
                    set_aside.number, set_aside.reason
                ));
            }
        }
        Ok(verdict)
    }
}

fn check(head: &Head, log_key: &[u8; 32], frontier: &Frontier) -> Option<String> {
    if head.checkpoint.is_empty() && frontier.size() == 0 {
        return None;
    }
    let origin = audit::origin(head.device, head.incarnation);
    let signer = NoteKey { name: origin, key: *log_key };
    let Ok(checkpoint) = open_note(&head.checkpoint, &signer) else {
        return Some("the checkpoint is missing or not signed by the device's log key".to_owned());
    };
    if checkpoint.size != frontier.size() {
        let (size, found) = (checkpoint.size, frontier.size());
        return Some(format!("the checkpoint covers {size} events, but there are {found}"));
    }
    (checkpoint.root != frontier.root())
        .then(|| "the events do not lead to the checkpoint's root".to_owned())
}
