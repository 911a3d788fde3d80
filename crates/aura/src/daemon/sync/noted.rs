// SPDX-License-Identifier: MIT OR Apache-2.0
//! What was found in a store, remembered until it is over and a person was told.
//!
//! The audit log has each once. What a tool that carries files may still be bringing is put on the record only
//! when it has stayed so for a while (FLD-4). Times are milliseconds since 1970.

use aura_protocol::id::DeviceId;
use aura_store::replicate::{Finding, Side};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How long files may be on their way, in milliseconds.
const SETTLING_MS: i64 = 10 * 60 * 1000;
/// What is over is shown for so long if nobody asks.
const SHOWN_MS: i64 = 7 * 24 * 3600 * 1000;
/// Kinds and devices that are told apart in one store.
const NOTED_MAX: usize = 256;

/// What kind of finding (REP-6 to REP-12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Withheld,
    RolledBack,
    Forked,
    /// A fork of this device's own, which it has left.
    Restored,
    /// A device was revoked by another one.
    Revoked,
    Damaged,
    Unfinished,
    Unasked,
    Incomplete,
    /// This device did not take it.
    Refused,
    /// The store did not take it.
    NotTaken,
    Malformed,
    Chunk,
    /// A server shows another key than the one that is kept.
    OtherKey,
    /// A server's access log is shorter than it was (ACL-8).
    LogShrank,
    /// It is another one than it was.
    LogForked,
    /// Another key signs it.
    LogKey,
    /// It leaves out what it should have.
    LogSilent,
}

impl Kind {
    /// As `--json` has it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Withheld => "withheld",
            Self::RolledBack => "rolled-back",
            Self::Forked => "forked",
            Self::Restored => "restored",
            Self::Revoked => "revoked",
            Self::Damaged => "damaged",
            Self::Unfinished => "unfinished",
            Self::Unasked => "unasked",
            Self::Incomplete => "incomplete",
            Self::Refused => "refused",
            Self::NotTaken => "not-taken",
            Self::Malformed => "malformed",
            Self::Chunk => "chunk",
            Self::OtherKey => "other-key",
            Self::LogShrank => "log-shrank",
            Self::LogForked => "log-forked",
            Self::LogKey => "log-key",
            Self::LogSilent => "log-silent",
        }
    }

    /// Whether it looks like this while a tool is still bringing files.
    fn may_settle(self) -> bool {
        matches!(self, Self::Withheld | Self::Incomplete | Self::Unfinished | Self::Chunk)
    }
}

/// What was found, by kind and device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Noted {
    pub(crate) kind: Kind,
    /// Whose change it is about.
    #[serde(serialize_with = "write_device", deserialize_with = "read_device")]
    pub(crate) device: Option<DeviceId>,
    /// Who says so: of a change that is kept back, or of a device that was revoked.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "write_device",
        deserialize_with = "read_device"
    )]
    pub(crate) by: Option<DeviceId>,
    pub(crate) count: u64,
    /// When it was first found.
    pub(crate) since_ms: i64,
    /// When it was last found.
    pub(crate) until_ms: i64,
    /// Whether it was there no more the last time.
    pub(crate) is_over: bool,
    is_told: bool,
    is_recorded: bool,
}

impl Noted {
    pub(crate) fn new(kind: Kind, device: Option<DeviceId>, now_ms: i64) -> Self {
        Self {
            kind,
            device,
            by: None,
            count: 1,
            since_ms: now_ms,
            until_ms: now_ms,
            is_over: false,
            is_told: false,
            is_recorded: false,
        }
    }

    /// A finding by what it is and whose.
    pub(crate) fn of(finding: &Finding, now_ms: i64) -> Self {
        let by = match finding {
            Finding::Withheld { by, .. } => Some(*by),
            _ => None,
        };
        let (kind, device) = match finding {
            Finding::Withheld { device, .. } => (Kind::Withheld, Some(*device)),
            Finding::RolledBack { device, .. } => (Kind::RolledBack, Some(*device)),
            Finding::Forked { device, .. } => (Kind::Forked, Some(*device)),
            Finding::Incomplete { feed, .. } => (Kind::Incomplete, Some(feed.device)),
            Finding::Damaged { feed, .. } => (Kind::Damaged, Some(feed.device)),
            Finding::Unfinished { device, .. } => (Kind::Unfinished, Some(*device)),
            Finding::Unasked(feed) => (Kind::Unasked, Some(feed.device)),
            Finding::Refused { device, by: Side::Local, .. } => (Kind::Refused, Some(*device)),
            Finding::Refused { device, .. } => (Kind::NotTaken, Some(*device)),
            Finding::Chunk(_) => (Kind::Chunk, None),
            _ => (Kind::Malformed, None),
        };
        Self::new(kind, device, now_ms).said_by(by)
    }

    /// The same, said by this device.
    pub(crate) fn said_by(self, by: Option<DeviceId>) -> Self {
        Self { by, ..self }
    }

    fn is_same(&self, other: &Self) -> bool {
        (self.kind, self.device) == (other.kind, other.device)
    }

    /// Whether it is more than files on their way.
    fn is_settled(&self) -> bool {
        !self.kind.may_settle() || self.until_ms.saturating_sub(self.since_ms) >= SETTLING_MS
    }
}

/// Counts findings of one visit, by kind and device.
pub(crate) fn count(found: &mut Vec<Noted>, findings: &[Finding], now_ms: i64) {
    for finding in findings {
        let one = Noted::of(finding, now_ms);
        match found.iter().position(|known| known.is_same(&one)).and_then(|at| found.get_mut(at)) {
            Some(known) => known.count = known.count.saturating_add(1),
            None => push(found, one),
        }
    }
}

/// Adds to what is remembered what kept a visit from finding out the rest.
pub(crate) fn alone(noted: &mut Vec<Noted>, one: Noted, now_ms: i64) {
    let mut found: Vec<_> = noted.iter().filter(|known| !known.is_over).cloned().collect();
    if !found.iter().any(|known| known.is_same(&one)) {
        found.push(one);
    }
    follow(noted, found, now_ms);
}

/// Brings what is remembered to what was found just now.
pub(crate) fn follow(noted: &mut Vec<Noted>, found: Vec<Noted>, now_ms: i64) {
    for known in noted.iter_mut() {
        known.is_over = !found.iter().any(|one| one.is_same(known));
    }
    for one in found {
        match noted.iter().position(|known| known.is_same(&one)).and_then(|at| noted.get_mut(at)) {
            Some(known) => (known.count, known.until_ms) = (one.count, now_ms),
            None => push(noted, one),
        }
    }
    let is_old = |known: &Noted| now_ms.saturating_sub(known.until_ms) >= SHOWN_MS;
    // What arrived after all is nothing to tell, and what was told is told.
    let is_news = |known: &Noted| known.is_settled() && !known.is_told && !is_old(known);
    noted.retain(|known| !known.is_over || is_news(known));
}

fn push(noted: &mut Vec<Noted>, one: Noted) {
    if noted.len() < NOTED_MAX {
        noted.push(one);
    }
}

/// How many are to be put on the record now; they are taken to be.
pub(crate) fn record(noted: &mut [Noted]) -> u64 {
    let due = noted.iter_mut().filter(|known| !known.is_recorded && known.is_settled());
    due.map(|known| {
        known.is_recorded = true;
        known.count
    })
    .fold(0, u64::saturating_add)
}

/// A person is told what is remembered; what is over is forgotten with that.
pub(crate) fn tell(noted: &mut Vec<Noted>) -> Vec<Noted> {
    let told = noted.clone();
    noted.iter_mut().for_each(|known| known.is_told = true);
    noted.retain(|known| !known.is_over);
    told
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn write_device<S: Serializer>(device: &Option<DeviceId>, out: S) -> Result<S::Ok, S::Error> {
    device.map(|device| device.to_string()).serialize(out)
}

fn read_device<'de, D: Deserializer<'de>>(input: D) -> Result<Option<DeviceId>, D::Error> {
    let text = Option::<String>::deserialize(input)?;
    let parse = |text: String| {
        let wrong = || serde::de::Error::custom("expected a device's id");
        DeviceId::parse(&text).ok_or_else(wrong)
    };
    text.map(parse).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(kinds: &[Kind], now_ms: i64) -> Vec<Noted> {
        kinds.iter().map(|kind| Noted::new(*kind, None, now_ms)).collect()
    }

    #[test]
    fn each_finding_is_recorded_once_and_kept_until_it_is_told() {
        let mut noted = Vec::new();
        follow(&mut noted, found(&[Kind::RolledBack], 1), 1);
        assert_eq!((record(&mut noted), record(&mut noted)), (1, 0));
        follow(&mut noted, found(&[Kind::RolledBack], 2), 2);
        assert_eq!(record(&mut noted), 0, "it is the same");
        follow(&mut noted, Vec::new(), 3);
        let told = tell(&mut noted);
        assert!(told.len() == 1 && told[0].is_over && noted.is_empty());
        follow(&mut noted, found(&[Kind::RolledBack], 4), 4);
        assert_eq!(record(&mut noted), 1, "it happened again");
        assert!(!tell(&mut noted)[0].is_over && noted.len() == 1);
        follow(&mut noted, Vec::new(), 5);
        assert!(noted.is_empty(), "it was told while it was there");
        follow(&mut noted, found(&[Kind::RolledBack], 6), 6);
        follow(&mut noted, Vec::new(), 6 + SHOWN_MS);
        assert!(noted.is_empty());
    }

    #[test]
    fn what_is_on_its_way_is_recorded_only_when_it_stays_so() {
        let mut noted = Vec::new();
        follow(&mut noted, found(&[Kind::Incomplete], 1), 1);
        assert_eq!(record(&mut noted), 0);
        follow(&mut noted, Vec::new(), 2);
        assert!(noted.is_empty(), "it has arrived");
        follow(&mut noted, found(&[Kind::Incomplete], 3), 3);
        follow(&mut noted, found(&[Kind::Incomplete], 3 + SETTLING_MS), 3 + SETTLING_MS);
        assert_eq!(record(&mut noted), 1);
    }
}
