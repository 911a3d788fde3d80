// SPDX-License-Identifier: MIT OR Apache-2.0
//! What commands print with `--json`. Field names are fixed: they are only ever added to.
//!
//! Times are RFC 3339 in UTC, ids hexadecimal, sizes bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::secret::Secret;

/// What opening the vault found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Opened {
    /// What somebody should see to, in words.
    pub(crate) warnings: Vec<String>,
}

/// `aura status`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) locked: bool,
    pub(crate) vault_id: String,
    pub(crate) home: String,
    pub(crate) records: Option<u64>,
    pub(crate) by_category: Option<BTreeMap<String, Option<u64>>>,
    pub(crate) state_hash: Option<String>,
    pub(crate) category_hashes: Option<BTreeMap<String, Option<String>>>,
    pub(crate) devices: Vec<Device>,
    pub(crate) stores: Vec<Store>,
    pub(crate) backups: Vec<Value>,
    pub(crate) grants: Option<Vec<Grant>>,
    /// Whether some categories have a lock of their own.
    pub(crate) second_lock: bool,
    /// Whether that lock is open; not known while the vault is locked.
    pub(crate) second_lock_open: Option<bool>,
    /// Entries that are kept sealed, since it is shut.
    pub(crate) waiting: Option<u64>,
    /// In how many seconds without use it shuts itself.
    pub(crate) second_idle_lock_seconds: u64,
    /// How long until the next second password is looked at, after wrong ones.
    pub(crate) second_wait_ms: u64,
    /// Entries that could not be used.
    pub(crate) quarantined: Option<u64>,
    /// What was found when the vault was opened and somebody should see to, in words.
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
    /// Bytes of the log, and of attachments.
    pub(crate) log_bytes: Option<u64>,
    pub(crate) attachment_bytes: Option<u64>,
    /// Whether the daemon's memory stays out of swap, and if not, why.
    pub(crate) memory: String,
    /// In how many seconds without use the vault locks itself.
    pub(crate) idle_lock_seconds: u64,
    /// How long until the next password is looked at, after wrong ones.
    pub(crate) wait_ms: u64,
}

/// One device of the vault.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Device {
    pub(crate) id: String,
    pub(crate) this: bool,
    /// Whether what it writes counts; until then it waits.
    pub(crate) confirmed: bool,
    pub(crate) revoked: bool,
    /// The device that revoked it.
    #[serde(default)]
    pub(crate) revoked_by: Option<String>,
    /// When it last said something, by its own clock.
    #[serde(default)]
    pub(crate) heard: Option<String>,
    /// Whether what was deleted stays everywhere until it has adopted a snapshot.
    #[serde(default)]
    pub(crate) awaited: bool,
}

/// A store that this device syncs with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Store {
    pub(crate) kind: String,
    /// The folder's path, or the address; `lan` for the network, `lan/` and the beginning of its id for a device there.
    pub(crate) path: String,
    /// Another device's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) device: Option<String>,
    /// The UDP port at which other devices call this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) port: Option<u16>,
    /// The account at a server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,
    /// The key that a server is known by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    /// Whether the account has the vault's former password still.
    #[serde(default)]
    pub(crate) password_due: bool,
    /// When it last had everything that this device has.
    pub(crate) synced: Option<String>,
    /// Changes that are here and not known to be there.
    pub(crate) waiting: Option<u64>,
    /// Pieces of attachments that are still to be carried, or were found nowhere yet.
    pub(crate) wanted: u64,
    /// Why it was not reached, or not to the end, the last time.
    pub(crate) trouble: Option<String>,
    pub(crate) findings: Vec<Finding>,
}

/// What `aura passwd` did.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PasswordChanged {
    pub(crate) changed: bool,
    /// Servers whose account has the former password still.
    pub(crate) accounts_left: Vec<String>,
}

/// What was not as it should be in a store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Finding {
    pub(crate) kind: String,
    /// Whose change it is about.
    pub(crate) device: Option<String>,
    pub(crate) count: u64,
    pub(crate) since: String,
    /// Whether it was there no more the last time.
    pub(crate) over: bool,
    /// What it means, and what to do.
    pub(crate) text: String,
    pub(crate) next: String,
}

/// `aura compact`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Compacted {
    /// Whether it was done, or only counted.
    pub(crate) done: bool,
    /// Deleted records.
    pub(crate) records: u64,
    /// Changes, those of such records included.
    pub(crate) changes: u64,
    /// Of attachments, as they are kept.
    pub(crate) attachment_bytes: u64,
    /// Entries that this device let go of at once.
    pub(crate) entries_gone: u64,
    /// What other devices have let go of, and stays here for some days; or did, until now.
    pub(crate) by_others: Vec<Going>,
}

/// What goes for good here since another device has let go of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Going {
    pub(crate) device: String,
    pub(crate) records: u64,
    /// Of those, the ones that are not in the trash here.
    pub(crate) live: u64,
    pub(crate) changes: u64,
    /// When it goes.
    pub(crate) due: String,
}

/// `aura sync`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Synced {
    pub(crate) stores: Vec<Visit>,
    /// Whether what came can be seen already.
    pub(crate) taken_in: bool,
}

/// What syncing with one store came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Visit {
    pub(crate) reached: bool,
    pub(crate) came: Moved,
    pub(crate) went: Moved,
    /// Entries and pieces of attachments that were damaged here and are whole again.
    #[serde(default)]
    pub(crate) healed: u64,
    #[serde(flatten)]
    pub(crate) store: Store,
}

/// What went one way.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Moved {
    /// Heads, as many as incarnations that went forward.
    pub(crate) heads: u64,
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    /// Pieces of attachments; their bytes are not among those above.
    pub(crate) chunks: u64,
}

/// `aura join`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Joined {
    pub(crate) vault_id: String,
    pub(crate) home: String,
    pub(crate) device: String,
    pub(crate) confirmed: bool,
    /// Whether the secret key is here: without it the password opens nothing.
    pub(crate) secret_key: bool,
    pub(crate) store: Store,
}

/// `aura pair`: what it shows first.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PairingCode {
    pub(crate) code: Secret,
    /// What its picture says.
    pub(crate) picture: Secret,
    /// When it ends.
    pub(crate) until: String,
    /// Where the new device can be told it.
    pub(crate) stores: Vec<String>,
    /// Stores that could not be reached, and why.
    pub(crate) unreached: Vec<String>,
}

/// A device that has answered a code, or that answers one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Newcomer {
    pub(crate) device: String,
    pub(crate) name: String,
}

/// `aura pair`: a device was let in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Paired {
    pub(crate) device: String,
    pub(crate) name: String,
    /// Whether it has said that it has everything.
    pub(crate) arrived: bool,
}

/// One hit of `aura search`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Hit {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) category: String,
    pub(crate) title: String,
    pub(crate) snippet: String,
    pub(crate) score: f32,
    pub(crate) time: String,
    pub(crate) source: Option<String>,
    /// Where the words stand in the snippet: begin and end in bytes.
    pub(crate) matches: Vec<(usize, usize)>,
    /// Whether words had to be read one letter off.
    pub(crate) guess: bool,
}

/// `aura get` and whatever shows a whole record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) category: String,
    pub(crate) title: String,
    pub(crate) time: String,
    pub(crate) modified: String,
    pub(crate) source: Option<String>,
    pub(crate) source_id: Option<String>,
    pub(crate) deleted: bool,
    pub(crate) conflicts: Vec<String>,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) fields: Map<String, Value>,
}

/// A file of a record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Attachment {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) media_type: String,
    pub(crate) size: u64,
    pub(crate) sha256: String,
}

/// One line of `aura history`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) time: String,
    pub(crate) author: String,
    pub(crate) act: String,
    pub(crate) changes: Vec<Change>,
}

/// One field of a version; no value where it was removed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Change {
    pub(crate) field: String,
    pub(crate) value: Option<Value>,
}

/// What an import came to. `read` is the sum of the five that follow it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ledger {
    pub(crate) run: u64,
    pub(crate) read: u64,
    pub(crate) new: u64,
    pub(crate) merged: u64,
    pub(crate) unchanged: u64,
    pub(crate) skipped: u64,
    pub(crate) failed: u64,
    /// How many of those that were skipped wait for the second lock.
    #[serde(default)]
    pub(crate) second_lock: u64,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) paths: Vec<String>,
    pub(crate) found: Vec<Part>,
    pub(crate) by_category: BTreeMap<String, u64>,
    pub(crate) started: String,
    pub(crate) finished: String,
    /// Why it ended early; running it again goes on.
    pub(crate) stopped: Option<String>,
}

impl Ledger {
    pub(crate) fn adds_up(&self) -> bool {
        let parts = [self.new, self.merged, self.unchanged, self.skipped, self.failed];
        self.read == parts.iter().sum::<u64>()
    }
}

/// Why something was not imported.
#[expect(clippy::struct_field_names, reason = "the names are those of the JSON form")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reason {
    /// `skipped` or `failed`.
    pub(crate) outcome: String,
    pub(crate) reason: String,
    pub(crate) count: u64,
    /// Some of the places.
    pub(crate) places: Vec<String>,
}

/// What was recognised in what a person gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) path: String,
    pub(crate) format: String,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) categories: Vec<String>,
}

/// What an export wrote.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Export {
    pub(crate) path: String,
    pub(crate) records: u64,
    pub(crate) attachments: u64,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) state_hash: String,
    /// Whether everything was read back and compared.
    pub(crate) verified: bool,
    pub(crate) failed: Vec<Lost>,
    /// Categories that are not in it, since the second lock was shut.
    pub(crate) missing: Vec<String>,
}

/// A record that an export could not write.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Lost {
    pub(crate) id: String,
    pub(crate) reason: String,
}

/// One event of the audit log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) number: u64,
    pub(crate) device: String,
    pub(crate) incarnation: String,
    pub(crate) time: String,
    pub(crate) who: String,
    pub(crate) action: String,
    pub(crate) outcome: String,
    pub(crate) categories: Vec<String>,
    pub(crate) count: u64,
    pub(crate) grant: String,
    pub(crate) hash: String,
    /// Its bytes, in an export alone.
    #[serde(default, rename = "event", skip_serializing_if = "Option::is_none")]
    pub(crate) encoded: Option<String>,
}

/// `aura audit verify`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AuditVerdict {
    pub(crate) ok: bool,
    pub(crate) size: u64,
    pub(crate) root: String,
    pub(crate) first_bad: Option<String>,
}

/// `aura verify`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) ok: bool,
    /// How many things were looked at.
    pub(crate) checked: u64,
    pub(crate) problems: Vec<String>,
    /// Entries of which only the place was checked, since the second lock is shut.
    pub(crate) waiting: u64,
}

/// One way to open the vault.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Slot {
    pub(crate) id: String,
    pub(crate) kind: String,
}

/// What was granted to an assistant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) id: String,
    pub(crate) to: String,
    pub(crate) active: bool,
    pub(crate) rights: Vec<String>,
    pub(crate) categories: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kinds: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fields: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) records_max: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<String>,
    pub(crate) from: String,
    pub(crate) until: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<String>,
    /// Records that were shown under it.
    pub(crate) records: u64,
    pub(crate) why: String,
}

/// An assistant's new key.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Connected {
    pub(crate) key: Secret,
}

/// An assistant that is connected on this device.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Client {
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) program: Option<String>,
}
