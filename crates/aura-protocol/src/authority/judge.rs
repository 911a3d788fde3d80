// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a vault's statements come to, in whatever order they are found.
//!
//! Stores and vaults judge alike, so that no device is listed here and not there. Each statement's
//! signatures are checked once. Where a statement stands matters only once its signer was revoked.
//! Source: spec/authority.md, rules AUT-21, AUT-23 and AUT-24.

use std::collections::{BTreeMap, BTreeSet};

use super::claim::Claim;
use super::device::Device;
use super::roster::{AuthorityError, Checked, Roster};
use super::statement::SignedStatement;
use crate::head::Position;
use crate::id::{DeviceId, Hash, Incarnation, VaultId};
use crate::signed::SignedError;

/// How often statements that did not count are tried again: a chain of devices that were each listed by the
/// next, all with clocks that run the wrong way. A bound, since anybody who is listed may write one.
const PASSES_MAX: usize = 64;

/// A statement, and the place in the authority feeds where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Whose feed, in which life.
    pub life: (DeviceId, Incarnation),
    /// The number of the entry.
    pub number: u64,
    /// The statement.
    pub statement: SignedStatement,
}

/// Says up to which entry an incarnation's authority feed goes at a head of its; `None` where that head is not
/// known.
pub type Extent<'a> = &'a dyn Fn(DeviceId, Incarnation, Position) -> Option<u64>;

impl Roster {
    /// The roster of a vault that has these statements, and why some of them do not count. Each
    /// of those changes nothing, and keeps no other from counting. Where they stand is not looked at.
    ///
    /// # Errors
    /// When the vault's genesis is not among them, or is none.
    pub fn judge(
        vault: VaultId,
        statements: &[SignedStatement],
    ) -> Result<(Self, Vec<AuthorityError>), AuthorityError> {
        let found = statements.iter().map(|statement| (None, statement));
        Case::new(vault, found)?.judge(None)
    }

    /// The roster of a vault whose authority feeds have these statements, each in its place.
    ///
    /// # Errors
    /// As [`Roster::judge`].
    pub fn judge_placed(
        vault: VaultId,
        statements: &[Placed],
        extent: Extent<'_>,
    ) -> Result<(Self, Vec<AuthorityError>), AuthorityError> {
        let place = |placed: &Placed| Some((placed.life, placed.number));
        let found = statements.iter().map(|placed| (place(placed), &placed.statement));
        Case::new(vault, found)?.judge(Some(extent))
    }

    /// Takes what counts out of these, again as long as something new does. Says why the rest does not.
    fn take_all(&mut self, left: &mut Vec<Said>) -> Vec<AuthorityError> {
        let mut refused = Vec::new();
        for _ in 0..PASSES_MAX {
            refused.clear();
            let before = left.len();
            left.retain(|said| match self.take(&said.checked) {
                Ok(()) => false,
                Err(error) => {
                    refused.push(error);
                    true
                }
            });
            if left.is_empty() || left.len() == before {
                break;
            }
        }
        refused
    }

    /// Lists a device that an active one added, or that somebody has confirmed who may.
    fn lists(&mut self, add: &Checked, others: &[Said]) -> bool {
        if self.is_by_device(&add.signers) {
            return self.take(add).is_ok();
        }
        let Claim::Add(keys) = &add.statement.claim else { return false };
        let id = keys.id();
        let confirms = |other: &&Said| {
            matches!(other.checked.statement.claim, Claim::Confirm(device) if device == id)
                && self.may_confirm(&other.checked.signers)
        };
        let Some(confirm) = others.iter().find(confirms) else { return false };
        // The confirm is taken with it, so that it waits at no time.
        self.take(add).is_ok() && self.take(&confirm.checked).is_ok()
    }

    /// Of two devices that end each other, the one that was listed earlier is heard first, and whoever holds
    /// the recovery code before both.
    fn rank(&self, end: &Checked) -> (bool, usize, u64, Hash) {
        let first = self.first_signer(&end.signers).map_or(usize::MAX, |device| self.order(device));
        (!self.is_by_any_recovery(&end.signers), first, end.statement.clock, end.payload)
    }

    /// AUT-24: whether a revoke goes on to count although its signer was revoked since.
    fn is_earlier(&self, end: &Said, extent: Extent<'_>) -> bool {
        let Claim::Revoke { device: target, .. } = &end.checked.statement.claim else {
            return false;
        };
        let Some(((signer, incarnation), number)) = end.place else { return false };
        let has_signed = end.checked.signers.iter().any(|key| DeviceId::of_key(key) == signer);
        let Some(ended) = self.device(signer).filter(|device| has_signed && device.is_confirmed)
        else {
            return false;
        };
        let Some(last) = &ended.revoked else { return false };
        let is_within = last.get(&incarnation).is_some_and(|last| {
            extent(signer, incarnation, *last).is_none_or(|upto| number <= upto)
        });
        is_within && ended.order < self.order(*target) && ended.revoked_by != Some(*target)
    }

    /// Whether a device signed this that is revoked.
    fn is_of_revoked(&self, end: &Checked) -> bool {
        let first = self.first_signer(&end.signers).and_then(|id| self.device(id));
        first.is_some_and(|device| device.revoked.is_some())
    }

    /// AUT-23: devices whose revoke nobody listed earlier can undo, who has signed the strongest one first.
    fn finally_revoked(&self) -> Vec<DeviceId> {
        let mut found = Vec::new();
        for (id, device) in self.devices() {
            let by = device.revoked_by.map_or(usize::MAX, |by| self.order(by));
            let is_final = device.is_revoked_by_recovery || by <= device.order;
            if device.revoked.is_some() && is_final {
                found.push((!device.is_revoked_by_recovery, by, device.order, *id));
            }
        }
        found.sort_unstable();
        found.into_iter().map(|(.., id)| id).collect()
    }
}

/// Whose authority feed, in which life, and the number of the entry.
type Place = ((DeviceId, Incarnation), u64);

/// A statement whose signatures hold.
#[derive(Debug, Clone)]
struct Said {
    place: Option<Place>,
    checked: Checked,
}

/// Up to which entry of each authority feed a revoked device's signature counts; `None` where the head that says
/// so is not known.
type Cut = BTreeMap<Incarnation, Option<u64>>;

/// Everything that is to be judged.
struct Case<'a> {
    genesis: &'a SignedStatement,
    said: Vec<Said>,
    newer: Vec<&'a SignedStatement>,
    broken: Vec<AuthorityError>,
}

impl<'a> Case<'a> {
    fn new(
        vault: VaultId,
        found: impl Iterator<Item = (Option<Place>, &'a SignedStatement)>,
    ) -> Result<Self, AuthorityError> {
        let found: Vec<_> = found.collect();
        let genesis = found.iter().find(|(_, signed)| signed.hash() == Hash(vault.0));
        let (_, genesis) = *genesis.ok_or(AuthorityError::Genesis)?;
        let (mut said, mut newer, mut broken) = (Vec::new(), Vec::new(), Vec::new());
        for (place, signed) in found.into_iter().filter(|(_, signed)| *signed != genesis) {
            match Checked::of(signed) {
                Ok(checked) => said.push(Said { place, checked }),
                Err(SignedError::Payload(error)) if error.is_newer() => newer.push(signed),
                Err(error) => broken.push(AuthorityError::Signed(error)),
            }
        }
        Ok(Self { genesis, said, newer, broken })
    }

    fn judge(
        self,
        extent: Option<Extent<'_>>,
    ) -> Result<(Roster, Vec<AuthorityError>), AuthorityError> {
        let (mut roster, mut refused) = self.take(&BTreeMap::new(), extent)?;
        if let Some(extent) = extent {
            let mut cuts: BTreeMap<DeviceId, Cut> = BTreeMap::new();
            let mut seen = BTreeSet::new();
            for _ in 0..PASSES_MAX {
                // One after the other: what a cut takes away may have been another revoke.
                let mut ended = roster.finally_revoked().into_iter();
                let Some(next) = ended.find(|device| seen.insert(*device)) else { break };
                let mut with = cuts.clone();
                let Some(cut) = roster.device(next).and_then(|device| cut_of(device, extent))
                else {
                    continue;
                };
                with.insert(next, cut);
                let (judged, why) = self.take(&with, Some(extent))?;
                // One that takes away what it rests on is none.
                let stands = |device: &DeviceId| {
                    let of =
                        |roster: &Roster| roster.device(*device).and_then(|d| d.revoked.clone());
                    of(&judged).is_some() && of(&judged) == of(&roster)
                };
                if with.keys().all(stands) {
                    (roster, refused, cuts) = (judged, why, with);
                }
            }
        }
        refused.extend(self.broken.iter().copied());
        refused.extend(self.newer.iter().map(|signed| roster.newer(signed)));
        Ok((roster, refused))
    }

    /// AUT-21, where signatures of revoked devices count up to these entries alone.
    fn take(
        &self,
        cuts: &BTreeMap<DeviceId, Cut>,
        extent: Option<Extent<'_>>,
    ) -> Result<(Roster, Vec<AuthorityError>), AuthorityError> {
        let mut roster = Roster::begin(self.genesis)?;
        let mut refused = Vec::new();
        let mut sorted = Sorted::default();
        for said in &self.said {
            match within(said, cuts) {
                Some(said) => sorted.put(said),
                None => refused.push(AuthorityError::Ended),
            }
        }
        let Sorted { mut adds, mut others, mut ends } = sorted;
        for statements in [&mut adds, &mut others] {
            statements.sort_by_key(|said| (said.checked.statement.clock, said.checked.payload));
        }
        for _ in 0..PASSES_MAX {
            roster.take_all(&mut others);
            let before = adds.len();
            adds.retain(|add| !roster.lists(&add.checked, &others));
            if adds.len() == before {
                break;
            }
        }
        // Whoever waits for nobody's word that is there yet comes last (AUT-22).
        refused.append(&mut roster.take_all(&mut adds));
        let why = roster.take_all(&mut others);
        let is_moot = |said: &Said| match &said.checked.statement.claim {
            // Whoever let it in first need not be there any more.
            Claim::Confirm(id) => roster.device(*id).is_some_and(|device| device.is_confirmed),
            _ => false,
        };
        let why = others.iter().zip(why).filter(|(said, _)| !is_moot(said));
        refused.extend(why.map(|(_, why)| why));
        ends.sort_by_cached_key(|said| roster.rank(&said.checked));
        let why = roster.take_all(&mut ends);
        for (end, why) in ends.iter().zip(why) {
            let is_earlier = extent.is_some_and(|extent| roster.is_earlier(end, extent));
            if !(is_earlier && roster.take_earlier(&end.checked).is_ok()) {
                let is_of_ended = roster.is_of_revoked(&end.checked);
                refused.push(if is_of_ended { AuthorityError::Ended } else { why });
            }
        }
        Ok((roster, refused))
    }
}

/// Where the authority feeds of a revoked device end.
fn cut_of(device: &Device, extent: Extent<'_>) -> Option<Cut> {
    let id = device.keys.id();
    let last = device.revoked.as_ref()?.iter();
    Some(last.map(|(incarnation, at)| (*incarnation, extent(id, *incarnation, *at))).collect())
}

/// The statement with those of its signatures that count where it stands; `None` if there are none.
fn within(said: &Said, cuts: &BTreeMap<DeviceId, Cut>) -> Option<Said> {
    // That it wanted to be listed, a device says wherever it is listed.
    let is_own_add = |key: &[u8; 32]| matches!(&said.checked.statement.claim, Claim::Add(keys) if keys.sign == *key);
    let counts = |key: &[u8; 32]| {
        let id = DeviceId::of_key(key);
        let Some(cut) = cuts.get(&id) else { return true };
        let is_within = said.place.is_some_and(|((device, incarnation), number)| {
            let upto = cut.get(&incarnation).filter(|_| device == id);
            upto.is_some_and(|upto| upto.is_none_or(|upto| number <= upto))
        });
        is_within || is_own_add(key)
    };
    let all = &said.checked.signers;
    let signers: Vec<_> = all.iter().filter(|key| counts(key)).copied().collect();
    if signers.len() < all.len() && signers.iter().all(is_own_add) {
        return None;
    }
    let checked = Checked { signers, ..said.checked.clone() };
    Some(Said { checked, ..said.clone() })
}

/// Statements by what they need before them.
#[derive(Default)]
struct Sorted {
    /// New devices.
    adds: Vec<Said>,
    /// Whatever is neither of the two.
    others: Vec<Said>,
    /// Revokes and closes.
    ends: Vec<Said>,
}

impl Sorted {
    fn put(&mut self, said: Said) {
        match said.checked.statement.claim {
            Claim::Add(_) => self.adds.push(said),
            Claim::Revoke { .. } | Claim::Close { .. } => self.ends.push(said),
            _ => self.others.push(said),
        }
    }
}
