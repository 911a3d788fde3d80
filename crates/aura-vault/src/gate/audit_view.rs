// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reading the audit log, and proving that nothing in it was removed, changed or reordered.
//!
//! The proof rebuilds every device incarnation's tree from the sealed events and compares its root with
//! the checkpoint that the device's newest head carries, signed by its log key. What a stranger needs to do
//! the same is handed on with the events. Source: spec/audit-events.md, rules LOG-12 to LOG-14;
//! spec/audit-export.md, rules AEX-1 to AEX-4.

use std::collections::{BTreeMap, BTreeSet};

use aura_protocol::authority::{Claim, SignedStatement, SlotKind};
use aura_protocol::codec::Encode as _;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{DeviceId, FeedId, Hash, Incarnation, VaultId};
use aura_protocol::log::{Frontier, NoteKey, open_note};

use super::{GateError, Session};
use crate::audit::{self, Action, Event};
use crate::feed::QuarantineReason;
use crate::keyring::Purpose;
use crate::op::Change;
use crate::open::Quarantined;
use crate::open::lock;
use crate::vault::{every_statement, read_roster};

/// An event as logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Its place in its log, from 0.
    pub number: u64,
    /// Whose log.
    pub device: DeviceId,
    /// Of which of its lives.
    pub incarnation: Incarnation,
    /// What happened.
    pub event: Event,
    /// Its hash as a leaf.
    pub leaf: Hash,
}

/// A piece of what proves the log to somebody who has nothing else, in this order (AEX-1 to AEX-4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exported<'a> {
    /// Whose log it is, which device wrote this, and how many statements follow.
    Begin {
        /// The vault.
        vault: VaultId,
        /// The device that exports.
        device: DeviceId,
        /// In which of its lives.
        incarnation: Incarnation,
        /// How many statements follow.
        statements: u64,
    },
    /// A signed statement by which devices are listed, encoded.
    Statement(Vec<u8>),
    /// An event that this version knows, and its bytes.
    Event(Logged, &'a [u8]),
    /// An event that this version does not know: its place, its bytes, and its hash as a leaf.
    Unknown((DeviceId, Incarnation, u64), &'a [u8], Hash),
    /// The signed head that ends a log, encoded.
    Head(Vec<u8>),
}

/// What verifying the audit log came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditVerdict {
    /// Whether every log is whole.
    pub is_ok: bool,
    /// Events in all logs.
    pub size: u64,
    /// The root of this device's present log.
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
                    each(logged(feed, number, event, encoded));
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

    /// Hands on every event, oldest first by device, with what proves them, and verifies exactly these. That the log
    /// is read is on the record before, and among them.
    ///
    /// # Errors
    /// When the principal may not, or the vault cannot be read or written.
    pub fn export_audit(
        &self,
        each: &mut dyn FnMut(Exported<'_>),
    ) -> Result<AuditVerdict, GateError> {
        self.decide(Action::ReadAudit)?;
        self.count(Action::ReadAudit, None, 1);
        self.tick()?;
        self.prove_audit(each)
    }

    fn prove_audit(&self, each: &mut dyn FnMut(Exported<'_>)) -> Result<AuditVerdict, GateError> {
        let mut verdict =
            AuditVerdict { is_ok: true, size: 0, root: Frontier::new().root(), first_bad: None };
        let mut feeds: BTreeMap<(DeviceId, Incarnation), (FeedId, u64)> = BTreeMap::new();
        let (own, mut heads, arriving) = {
            // Feeds and heads of one moment: nobody writes in between.
            let pen = lock(&self.open.pen);
            let (all, heads) = self.open.moment()?;
            for (feed, upto) in self.audit_feeds(all) {
                feeds.insert((feed.device, feed.incarnation), (feed, upto));
            }
            let arriving = self.open.arriving(&heads);
            ((pen.device().id(), pen.device().incarnation), heads, arriving)
        };
        heads.sort_by_key(|signed| signed.claim().ok().map(|head| (head.device, head.incarnation)));
        self.begin_export(own, each);
        let roster = read_roster(self.open.log.as_ref(), self.open.vault).ok();
        for signed in heads {
            let Ok(claim) = signed.claim() else { continue };
            let feed = feeds.remove(&(claim.device, claim.incarnation));
            let device = roster.as_ref().and_then(|(roster, _)| roster.device(claim.device));
            let encoded = signed.to_bytes();
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
                    each(if let Ok(event) = Event::parse(encoded) {
                        Exported::Event(logged(feed, number, event, encoded), encoded)
                    } else {
                        let place = (feed.device, feed.incarnation, number);
                        Exported::Unknown(place, encoded, leaf)
                    });
                })?;
            }
            each(Exported::Head(encoded));
            verdict.size = verdict.size.saturating_add(frontier.size());
            if (claim.device, claim.incarnation) == own {
                verdict.root = frontier.root();
            }
            let log_key = device.map(|device| device.keys.log).unwrap_or_default();
            // What comes while this goes on is read a moment later: its keys may not be known yet.
            let is_arriving = arriving.contains(&(claim.device, claim.incarnation));
            // The entry that cannot be used says more than that events are missing.
            if let Some((feed, _)) = feed.filter(|_| !is_arriving) {
                self.name_unusable(|entry| entry.feed == feed, &mut verdict);
            }
            if let Some(bad) = check(&head, &log_key, &frontier).filter(|_| !is_arriving) {
                verdict.bad(claim.device, &bad);
            }
        }
        for (device, _) in feeds.into_keys() {
            verdict.bad(device, "no signed head speaks of it");
        }
        let waits = |entry: &Quarantined| {
            let FeedId { device, incarnation, .. } = entry.feed;
            entry.reason == QuarantineReason::NoKey && arriving.contains(&(device, incarnation))
        };
        self.name_unusable(|entry| !waits(entry), &mut verdict);
        Ok(verdict)
    }

    /// Says of audit entries that were set aside that they cannot be used, the first by number first.
    fn name_unusable(&self, is_asked: impl Fn(&Quarantined) -> bool, verdict: &mut AuditVerdict) {
        let mut set_aside = lock(&self.open.quarantine).clone();
        set_aside.sort_by_key(|entry| (entry.feed.device, entry.feed.incarnation, entry.number));
        for entry in set_aside.iter().filter(|entry| is_asked(entry)) {
            let purpose = self.open.with_keyring(|keyring| keyring.purpose(entry.feed.collection));
            if purpose == Some(Purpose::Audit) {
                let what = format!("entry {} cannot be used: {}", entry.number, entry.reason);
                verdict.bad(entry.feed.device, &what);
            }
        }
    }

    /// AEX-2: whose log it is, and by which statements its devices are listed.
    fn begin_export(
        &self,
        (device, incarnation): (DeviceId, Incarnation),
        each: &mut dyn FnMut(Exported<'_>),
    ) {
        let vault = self.open.vault;
        // Where they cannot be read, no head verifies either, and the verdict says so.
        let said = every_statement(self.open.log.as_ref()).unwrap_or_default();
        let (mut genesis, mut others) = (None, BTreeSet::new());
        for signed in said.iter().filter(|signed| lists_devices(signed, vault)) {
            if signed.hash() == Hash(vault.0) {
                genesis = Some(signed.to_bytes());
            } else {
                others.insert(signed.to_bytes());
            }
        }
        let all: Vec<Vec<u8>> = genesis.into_iter().chain(others).collect();
        each(Exported::Begin { vault, device, incarnation, statements: all.len() as u64 });
        all.into_iter().for_each(|statement| each(Exported::Statement(statement)));
    }
}

fn logged(feed: FeedId, number: u64, event: Event, encoded: &[u8]) -> Logged {
    let FeedId { device, incarnation, .. } = feed;
    Logged { number, device, incarnation, event, leaf: Event::leaf(encoded) }
}

/// AEX-3: whether the device list follows from this. What is sealed to somebody, and what a password is stretched
/// with, proves nothing here and stays at home.
fn lists_devices(signed: &SignedStatement, vault: VaultId) -> bool {
    let Ok((statement, _)) = signed.verify() else { return false };
    match statement.claim {
        Claim::Genesis { .. } => signed.hash() == Hash(vault.0),
        Claim::Slot { kind, .. } => kind == SlotKind::Recovery && statement.vault == Some(vault),
        Claim::Add(_)
        | Claim::Confirm(_)
        | Claim::Revoke { .. }
        | Claim::Close { .. }
        | Claim::Identity { .. }
        | Claim::Unslot(_)
        | Claim::Second(_) => statement.vault == Some(vault),
        _ => false,
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
