// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is said on the daemon's socket: frames of JSON, each with its length before it.
//!
//! A request is one frame; an answer is any number of items and tellings of progress, and then one last
//! frame. Lengths are 4 bytes, big-endian, and bounded on both sides. Buffers are wiped. Both ends are
//! this program in one version: the format is not public.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use aura_vault::grant::Terms;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::exit::Failure;
use crate::faraway::Faraway;
use crate::secret::Secret;

/// Changes with every change of what is said.
pub(crate) const VERSION: u32 = 7;
/// The largest request: a record with its text.
pub(crate) const REQUEST_BYTES_MAX: u32 = 32 << 20;
/// The largest frame of an answer: a record with its history.
pub(crate) const ANSWER_BYTES_MAX: u32 = 256 << 20;

/// What opens a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Way {
    /// The password.
    Password,
    /// The recovery code.
    Recovery,
}

/// What stretching a new password costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub(crate) enum Cost {
    /// What is right today.
    Usual,
    /// The least that is ever computed: for tests.
    Least,
}

/// A record that a person adds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct NewRecord {
    pub(crate) kind: String,
    pub(crate) category: Option<String>,
    pub(crate) time_ms: Option<i64>,
    pub(crate) fields: serde_json::Map<String, Value>,
    pub(crate) files: Vec<PathBuf>,
}

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Shape {
    /// Each kind in its standard form, in a folder.
    Standard,
    /// Aura's own archive, one file.
    Archive,
}

/// Whether something is done, or only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Resolve {
    Look,
    Act,
}

/// Whether views are built again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Rebuild {
    /// They are compared with the log.
    No,
    /// They are thrown away and built again from the log first.
    Yes,
}

/// What the daemon is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    Hello {
        version: u32,
    },
    Init {
        password: Secret,
        /// The password of a second lock, if there is to be one.
        second: Option<Secret>,
        cost: Cost,
    },
    Unlock {
        way: Way,
        secret: Secret,
    },
    UnlockSecond {
        secret: Secret,
    },
    Lock,
    /// Shut the second lock alone.
    LockSecond,
    /// Lock, and end the daemon.
    Stop,
    Status,
    Add(NewRecord),
    Get {
        id: String,
    },
    Attachment {
        id: String,
        blob: String,
        to: PathBuf,
    },
    Edit {
        id: String,
        set: serde_json::Map<String, Value>,
        remove: Vec<String>,
    },
    Remove {
        id: String,
    },
    Undo {
        id: String,
    },
    History {
        id: String,
    },
    /// What was deleted or replaced so many days ago goes, or is only counted.
    Compact {
        deleted_days: u32,
        replaced_days: Option<u32>,
        resolve: Resolve,
    },
    RetireDevice {
        id: String,
    },
    Trash {
        limit: usize,
    },
    Search {
        query: String,
        limit: usize,
    },
    Import {
        paths: Vec<PathBuf>,
    },
    Imports,
    Export {
        to: PathBuf,
        shape: Shape,
    },
    Audit,
    VerifyAudit,
    /// Every event, and then the verdict over exactly these.
    ExportAudit,
    Verify {
        rebuild: Rebuild,
    },
    Slots,
    RenewRecovery {
        way: Way,
        secret: Secret,
    },
    ChangePassword {
        way: Way,
        secret: Secret,
        password: Secret,
        cost: Cost,
    },
    SetSecond {
        way: Way,
        secret: Secret,
        second: Secret,
        cost: Cost,
    },
    ChangeSecond {
        current: Secret,
        second: Secret,
        cost: Cost,
    },
    AddStore {
        folder: PathBuf,
    },
    Stores,
    AddServer(Serving),
    /// Sync with a folder over a network, or go on with one under another secret.
    AddFar {
        far: Faraway,
        secret: Option<Secret>,
    },
    /// Find other devices on this network, and let them in at a UDP port; 0 for any.
    AddLan {
        port: u16,
    },
    /// Sync with the device at an address.
    AddPeer {
        address: String,
    },
    RemoveStore {
        store: Where,
        account: Fate,
    },
    /// Know a server by another key from now on.
    PinServer {
        url: String,
        pin: String,
    },
    /// Give the account at a server the vault's password.
    RenewAccount {
        url: String,
        password: Secret,
        cost: Cost,
    },
    /// Sync with every store, and wait for it.
    Sync,
    Devices,
    ConfirmDevice {
        /// The beginning of its id.
        id: String,
    },
    RevokeDevice {
        /// The beginning of its id.
        id: String,
        password: Secret,
        /// The recovery code, if it is to be final.
        recovery_code: Option<Secret>,
        cost: Cost,
    },
    Join(Joining),
    /// Show a code that lets one new device in, and wait for it.
    Pair {
        /// For how long it counts; not for longer than any code does.
        seconds: u64,
    },
    /// Yes or no to the device that has answered the code.
    Decide {
        device: String,
        is_wanted: bool,
    },
    /// Come in by a code that another device shows.
    Enter(Arrival),
    /// Give an assistant a key for this device.
    Connect {
        name: String,
    },
    Disconnect {
        name: String,
    },
    Connected,
    Grant {
        to: String,
        terms: Terms,
    },
    Grants,
    EndGrant {
        /// The beginning of its id.
        id: String,
    },
    /// From here on an assistant speaks on this connection, and nobody else.
    Come(Coming),
    /// What an assistant asks.
    Ask(Asking),
    /// A search that is still being typed: its last word is a beginning.
    Type {
        query: String,
        limit: usize,
    },
    /// An attachment's bytes, in items of Base64.
    Download {
        id: String,
        blob: String,
    },
}

/// An assistant that shows its key.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Coming {
    pub(crate) name: String,
    pub(crate) key: Secret,
}

/// What an assistant may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Asking {
    Search {
        query: String,
        limit: Option<usize>,
    },
    Get {
        id: String,
    },
    Count {
        query: String,
    },
    /// What was granted to it.
    Grants,
}

/// A store that is meant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Where {
    Folder(PathBuf),
    /// Over a network, by its address.
    Far(String),
    /// By its address.
    Server(String),
    /// The other devices on this network.
    Lan,
    /// A device, by its address.
    Peer(String),
}

/// What becomes of an account whose server is let go of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fate {
    Kept,
    /// With everything that is kept for it.
    Deleted,
}

/// A server, by its address and its key, and the account there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct At {
    pub(crate) url: String,
    pub(crate) account: String,
    pub(crate) pin: String,
}

/// A server to sync with.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Serving {
    pub(crate) at: At,
    /// If an account is to be opened.
    pub(crate) opening: Option<Opening>,
}

/// What opens an account.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Opening {
    pub(crate) password: Secret,
    pub(crate) invitation: Option<Secret>,
    pub(crate) cost: Cost,
}

/// A new device of a vault that a store has.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Joining {
    pub(crate) source: Source,
    pub(crate) way: Way,
    pub(crate) secret: Secret,
    /// A password needs it.
    pub(crate) secret_key: Option<Secret>,
    pub(crate) cost: Cost,
}

/// A new device that comes in by a code.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Arrival {
    pub(crate) gate: Gate,
    pub(crate) code: Secret,
    /// What a person at the other device sees.
    pub(crate) name: String,
}

/// Where its messages lie.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Gate {
    Folder(PathBuf),
    Far {
        far: Faraway,
        secret: Option<Secret>,
    },
    Server {
        url: String,
        /// The key that it shows, or that a person has typed. The other device says whether it is the right one.
        pin: String,
    },
}

/// Where a vault comes from.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Source {
    Folder {
        folder: PathBuf,
        vault: String,
    },
    Far {
        far: Faraway,
        secret: Option<Secret>,
        vault: String,
    },
    Server {
        at: At,
        /// The beginning of its id, if a person wants to be sure.
        vault: Option<String>,
    },
}

/// How the second lock stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Second {
    /// There is none.
    #[default]
    Absent,
    /// It is shut, or the whole vault is.
    Shut,
    /// It is open.
    Open,
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// One of many.
    Item(Value),
    /// How far a long task is.
    Progress(Progress),
    /// The last of it.
    Done(Value),
    /// The last of it: it did not work.
    Failed(Failure),
}

/// How far a long task is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// What is being done, in a word or two.
    pub(crate) task: String,
    /// How much is done.
    pub(crate) done: u64,
    /// How much there is, if that is known.
    pub(crate) total: u64,
    /// Records so far.
    pub(crate) records: u64,
}

/// Writes one frame.
pub(crate) fn send<T: Serialize>(out: &mut impl Write, message: &T, max: u32) -> io::Result<()> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    bytes.extend([0; 4]);
    serde_json::to_writer(&mut *bytes, message)?;
    let length = u32::try_from(bytes.len().saturating_sub(4)).ok().filter(|length| *length <= max);
    let length = length.ok_or_else(|| oversized(max))?;
    bytes.iter_mut().zip(length.to_be_bytes()).for_each(|(to, from)| *to = from);
    out.write_all(&bytes)
}

/// Reads one frame; nothing if the other side has hung up.
pub(crate) fn receive<T: DeserializeOwned>(
    input: &mut impl Read,
    max: u32,
) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match input.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = u32::from_be_bytes(length);
    if length > max {
        return Err(oversized(max));
    }
    // Grown as bytes arrive: a length alone takes no memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity((length as usize).min(64 << 10)));
    input.take(u64::from(length)).read_to_end(&mut bytes)?;
    if bytes.len() != length as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(serde_json::from_slice(&bytes)?))
}

fn oversized(max: u32) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("expected a frame of at most {max} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back() {
        let mut bytes = Vec::new();
        let request = Request::Search { query: "lisbon \"flat\"".to_owned(), limit: 7 };
        send(&mut bytes, &request, REQUEST_BYTES_MAX).unwrap();
        let mut input = bytes.as_slice();
        let back: Request = receive(&mut input, REQUEST_BYTES_MAX).unwrap().unwrap();
        assert!(matches!(back, Request::Search { query, limit: 7 } if query == "lisbon \"flat\""));
        assert!(receive::<Request>(&mut input, REQUEST_BYTES_MAX).unwrap().is_none());
    }

    #[test]
    fn sizes_are_bounded_on_both_sides() {
        let mut bytes = Vec::new();
        assert!(send(&mut bytes, &"long".repeat(10), 10).is_err());
        assert!(bytes.is_empty());
        let claim = u32::MAX.to_be_bytes();
        assert!(receive::<Value>(&mut claim.as_slice(), ANSWER_BYTES_MAX).is_err());
        let short = [0, 0, 0, 9, b'1'];
        assert!(receive::<Value>(&mut short.as_slice(), ANSWER_BYTES_MAX).is_err());
    }

    #[test]
    fn noise_is_an_error_and_no_panic() {
        for bytes in [&[0, 0, 0, 1, 0xff][..], &[0, 0, 0, 2, b'{', b'}'], &[0, 0]] {
            let mut input = bytes;
            assert!(!matches!(receive::<Request>(&mut input, 99), Ok(Some(_))));
        }
    }
}
