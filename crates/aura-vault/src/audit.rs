// SPDX-License-Identifier: MIT OR Apache-2.0
//! The audit log: who did what, when, under which consent; never what it was about.
//!
//! Events are sealed in a collection of their own, and their hashes form one Merkle tree per device
//! incarnation, whose checkpoints the device's log key signs. Reading events is for people and lives in
//! the program. Source: spec/audit-events.md, rules LOG-10 to LOG-14.

use aura_crypto::sign::{LogSigningKey, NoteSigner};
use aura_protocol::codec::{CodecError, Decode, Encode, Reader, Writer};
use aura_protocol::id::{DeviceId, GrantId, Hash, Incarnation};
use aura_protocol::label::Label;
use aura_protocol::log::{Checkpoint, Frontier, NoteKey, leaf_hash, sealed_note};

use crate::record::Category;

const EVENT_BYTES_MAX: usize = 4096;
const CATEGORIES_MAX: usize = 64;

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $code:literal $word:literal,)*) => {
        /// What was done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action { $($(#[$doc])* $name,)* }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable number used in events.
            pub fn code(self) -> u64 {
                match self { $(Self::$name => $code,)* }
            }

            fn from_code(code: u64) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }

            /// The word that a person reads.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

actions! {
    /// The vault was made.
    Create = 1 "create",
    /// The vault was opened.
    Unlock = 2 "unlock",
    /// A wrong secret was tried.
    FailedUnlock = 3 "failed-unlock",
    /// The vault was shut.
    Lock = 4 "lock",
    /// Records were read.
    Read = 5 "read",
    /// Records were searched.
    Search = 6 "search",
    /// Records were written.
    Write = 7 "write",
    /// Records were deleted.
    Delete = 8 "delete",
    /// An export was read into the vault.
    Import = 9 "import",
    /// Records were written out in the clear.
    Export = 10 "export",
    /// A key slot was made.
    SlotAdd = 11 "slot-add",
    /// A key slot was removed.
    SlotRemove = 12 "slot-remove",
    /// A key was made or replaced.
    Rotate = 13 "rotate",
    /// Something in the vault's files was found damaged or not to be trusted.
    Anomaly = 14 "anomaly",
    /// The views were built again from the log.
    Rebuild = 15 "rebuild",
    /// The audit log was read.
    ReadAudit = 16 "read-audit",
    /// The second lock was opened.
    UnlockSecond = 17 "unlock-second",
    /// A wrong second password was tried.
    FailedUnlockSecond = 18 "failed-unlock-second",
    /// The second lock was shut.
    LockSecond = 19 "lock-second",
    /// A device was listed.
    DeviceAdd = 20 "device-add",
    /// A listed device was confirmed.
    DeviceConfirm = 21 "device-confirm",
    /// A device was revoked.
    DeviceRevoke = 22 "device-revoke",
    /// What was deleted or replaced long ago was let go of, or another device's snapshot that does so was adopted.
    Compact = 23 "compact",
    /// A device that was silent for long holds up no letting go any more.
    DeviceRetire = 24 "device-retire",
    /// Something was granted.
    Grant = 25 "grant",
    /// A grant was ended before its time.
    Ungrant = 26 "ungrant",
    /// Records were counted.
    Count = 27 "count",
    /// An assistant's client was given a key, or has shown it for the first time.
    Connect = 28 "connect",
    /// An assistant's client was sent away.
    Disconnect = 29 "disconnect",
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was refused.
    Refused,
    /// It failed.
    Failed,
}

/// One decision or act, without content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When, in milliseconds since 1970.
    pub time_ms: i64,
    /// Who: `owner`, `assistant:…`, `system`.
    pub principal: String,
    /// What.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// On which categories, ascending.
    pub categories: Vec<Category>,
    /// How many records or occurrences.
    pub count: u64,
    /// Under which grant; empty for the owner.
    pub grant: String,
}

impl Event {
    /// The event's hash as a leaf of the log (LOG-10).
    pub fn leaf(encoded: &[u8]) -> Hash {
        let label = Label::AuditEvent.as_str().as_bytes();
        leaf_hash(&[label, &[0], encoded].concat())
    }

    /// The grant of which this event has used something up, if it has.
    pub fn spent(&self) -> Option<GrantId> {
        let is_reading = matches!(self.action, Action::Read | Action::Search);
        let is_done = self.outcome == Outcome::Done && self.count > 0;
        GrantId::parse(&self.grant).filter(|_| is_reading && is_done)
    }

    /// The event in these bytes.
    ///
    /// # Errors
    /// When the bytes are not an event's.
    pub fn parse(encoded: &[u8]) -> Result<Self, CodecError> {
        Self::from_bytes(encoded, EVENT_BYTES_MAX)
    }
}

impl Encode for Event {
    fn encode(&self, w: &mut Writer) {
        w.map(7).uint(1).int(self.time_ms).uint(2).text(&self.principal);
        w.uint(3).uint(self.action.code());
        w.uint(4).uint(match self.outcome {
            Outcome::Done => 0,
            Outcome::Refused => 1,
            Outcome::Failed => 2,
        });
        w.uint(5).array(self.categories.len());
        self.categories.iter().for_each(|category| {
            w.uint(u64::from(category.code()));
        });
        w.uint(6).uint(self.count).uint(7).text(&self.grant);
    }
}

impl Decode for Event {
    fn decode(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        let (event, _) = r.map(|map| {
            Ok(Self {
                time_ms: map.required(1, Reader::int)?,
                principal: map.required(2, |r| r.text().map(str::to_owned))?,
                action: map
                    .required(3, |r| Action::from_code(r.uint()?).ok_or(CodecError::Bounds))?,
                outcome: map.required(4, |r| match r.uint()? {
                    0 => Ok(Outcome::Done),
                    1 => Ok(Outcome::Refused),
                    2 => Ok(Outcome::Failed),
                    _ => Err(CodecError::Bounds),
                })?,
                categories: map.required(5, categories)?,
                count: map.required(6, Reader::uint)?,
                grant: map.required(7, |r| r.text().map(str::to_owned))?,
            })
        })?;
        Ok(event)
    }
}

/// Ascending, each once (LOG-10).
fn categories(r: &mut Reader<'_>) -> Result<Vec<Category>, CodecError> {
    let categories = r.array(CATEGORIES_MAX, category)?;
    if categories.is_sorted_by(|a, b| a < b) { Ok(categories) } else { Err(CodecError::Bounds) }
}

fn category(r: &mut Reader<'_>) -> Result<Category, CodecError> {
    let code = u8::try_from(r.uint()?).map_err(|_| CodecError::Bounds)?;
    Category::from_code(code).ok_or(CodecError::Bounds)
}

/// What is counted until it is written: one event for a principal, act, outcome and category. The owner's own reads, and
/// the refusals of those who are refused very often.
#[derive(Debug, Default)]
pub struct Reads {
    counts: Vec<(Counted, u64)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Counted {
    principal: String,
    action: Action,
    outcome: Outcome,
    category: Option<Category>,
}

impl Reads {
    /// Counts reads.
    pub fn add(&mut self, principal: &str, action: Action, category: Option<Category>, count: u64) {
        self.count((principal, action, Outcome::Done, category), count);
    }

    /// Counts a refusal.
    pub fn refuse(&mut self, principal: &str, action: Action, category: Option<Category>) {
        self.count((principal, action, Outcome::Refused, category), 1);
    }

    /// Counts again what could not be written.
    pub fn restore(&mut self, events: Vec<Event>) {
        for event in events {
            let category = event.categories.first().copied();
            let kind = (event.principal.as_str(), event.action, event.outcome, category);
            self.count(kind, event.count);
        }
    }

    /// There are few kinds of them between two writes, so they are looked for in turn.
    fn count(
        &mut self,
        (principal, action, outcome, category): (&str, Action, Outcome, Option<Category>),
        count: u64,
    ) {
        let counted = Counted { principal: principal.to_owned(), action, outcome, category };
        if let Some((_, times)) = self.counts.iter_mut().find(|(known, _)| *known == counted) {
            *times = times.saturating_add(count);
        } else {
            self.counts.push((counted, count));
        }
    }

    /// What was counted, as events of this time; the counts start again.
    pub fn take(&mut self, time_ms: i64) -> Vec<Event> {
        let event = |(counted, count): (Counted, u64)| Event {
            time_ms,
            principal: counted.principal,
            action: counted.action,
            outcome: counted.outcome,
            categories: counted.category.into_iter().collect(),
            count,
            grant: String::new(),
        };
        core::mem::take(&mut self.counts).into_iter().map(event).collect()
    }
}

/// The name of a device incarnation's audit log, as in its checkpoints (LOG-11).
pub fn origin(device: DeviceId, incarnation: Incarnation) -> String {
    format!("aura/audit/{device}/{incarnation}")
}

/// A signed checkpoint of a log that stands at this frontier (LOG-13).
pub fn checkpoint(frontier: &Frontier, origin: &str, key: &LogSigningKey) -> Vec<u8> {
    let signer = NoteKey { name: origin.to_owned(), key: key.verifying_key() };
    let checkpoint =
        Checkpoint { origin: origin.to_owned(), size: frontier.size(), root: frontier.root() };
    let signature = key.sign_note(checkpoint.to_text().as_bytes());
    sealed_note(&checkpoint, &signer, &signature).into_bytes()
}
