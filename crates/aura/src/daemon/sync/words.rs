// SPDX-License-Identifier: MIT OR Apache-2.0
//! What was found in a store, in words: what it means, that nothing is lost, and what to do.

use aura_protocol::store::StoreError;

use super::book::Kept;
use super::noted::{Kind, Noted};
use super::site::{SHORT, Site};
use crate::exit::plain;
use crate::moment::rfc3339;
use crate::screen::{count, counted};
use crate::view;

/// A store and what is known of it; `waiting` says how many changes it lacks, if that is known.
pub(crate) fn store(kept: &Kept, waiting: Option<u64>) -> view::Store {
    let account = kept.site.account();
    let device = match &kept.site {
        Site::Peer(peer) => Some(peer.device.to_string()),
        _ => None,
    };
    view::Store {
        device,
        port: None,
        kind: kept.site.kind().to_owned(),
        path: kept.site.text(),
        account: account.map(|account| account.name.to_string()),
        key: account.map(|account| account.pin.to_string()),
        password_due: account.is_some_and(|account| account.is_password_due),
        synced: kept.synced_ms.map(rfc3339),
        waiting,
        wanted: kept.chunks.wanted.values().map(|chunks| chunks.len() as u64).sum(),
        trouble: kept.trouble.clone(),
        findings: kept.noted.iter().map(finding).collect(),
    }
}

/// One finding.
pub(crate) fn finding(noted: &Noted) -> view::Finding {
    let device = noted.device.map(|device| device.to_string());
    let by = noted.by.map(|device| device.to_string());
    let short =
        |id: &Option<String>| id.as_deref().and_then(|id| id.get(..SHORT)).map(str::to_owned);
    let (text, next) = words(noted, short(&device).as_deref(), short(&by).as_deref());
    view::Finding {
        kind: noted.kind.as_str().to_owned(),
        device,
        count: noted.count,
        since: rfc3339(noted.since_ms),
        over: noted.is_over,
        text,
        next: next.to_owned(),
    }
}

fn words(noted: &Noted, device: Option<&str>, by: Option<&str>) -> (String, &'static str) {
    let (device, by) = (device.unwrap_or("unknown"), by.unwrap_or("unknown"));
    let (text, next) = match noted.kind {
        Kind::RolledBack => (
            format!(
                "Rolled back: it shows less of device {device} than it did before, as if an older \
                 copy had been put in its place or files had been deleted."
            ),
            "What this device has is put there again; nothing is lost here. If you restored or \
             emptied it yourself, all is well. If not, find out who can write to it.",
        ),
        Kind::Withheld => (
            format!(
                "Withheld: device {by} says that it has seen a change of device {device}, which is \
                 not shown here."
            ),
            "It may be on its way still. If this stays, sync that device again, and find out who \
             can delete files there, or why the other device says so.",
        ),
        Kind::Forked => (
            format!(
                "Forked: device {device} has signed two changes of which neither follows the \
                 other: its vault was copied and both copies are used, or somebody has its keys."
            ),
            "Neither is lost, and the other one was not taken. Use one of the copies only; if \
             there is no copy that you know of, do not use that device any more.",
        ),
        Kind::Restored => (
            "Restored: this vault's folder was put back from an older copy, or copied, and both \
             have written since."
                .to_owned(),
            "Nothing is lost: what had been written before was fetched, and what was written here \
             since goes on under a new number. If you copied the folder, use one copy only, and \
             let the other computer join as a device: aura join",
        ),
        Kind::Revoked => (
            format!("Revoked: device {device} was revoked by device {by}."),
            "What it had written stays; nothing that it writes now counts. If nobody of yours did \
             that, somebody has a device of yours: get the kit, and revoke that one with \
             `aura device revoke --with-recovery-code`.",
        ),
        Kind::Damaged => (
            format!("Damaged: a change of device {device} is damaged where it is kept."),
            "The others are not. It is fetched from wherever it is whole; sync a device that has \
             it. `aura verify` names what is damaged here.",
        ),
        Kind::Unfinished => (
            format!("Unfinished: device {device} has written more than one run carries."),
            "The next run goes on. If this stays, that device writes without end: find out why, \
             and do not use it meanwhile.",
        ),
        Kind::Unasked => (
            format!("Unasked: asked for changes of device {device}, it answered with others."),
            "They were passed over, and harm nothing. If this stays, the store is damaged or lies.",
        ),
        Kind::Incomplete => (
            format!("Incomplete: a change of device {device} is there without all of its files."),
            "A tool that carries the files may be bringing them still: wait, and sync again. If \
             this stays, sync that device with the store.",
        ),
        Kind::Refused => (
            format!("Refused: something under the name of device {device} does not verify."),
            "It was not taken; everything else was. It is damaged, or somebody who can write there \
             has put it there.",
        ),
        Kind::NotTaken => (
            format!("Not taken: the store does not take a change of device {device}."),
            "It is here, and nothing is lost. Something damaged or foreign stands in its place: \
             move it aside there, and sync again.",
        ),
        Kind::Malformed => (
            "Malformed: something there has the name of a change and is none.".to_owned(),
            "It was passed over, and harms nothing.",
        ),
        Kind::OtherKey => (
            "Another key: the server shows another key than the one that is kept for it. Nothing was \
             sent to it."
                .to_owned(),
            "If whoever runs it has given it a new key, compare that and accept it: aura store pin URL. \
             If not, somebody stands between you and the server.",
        ),
        Kind::Chunk => (
            format!(
                "Attachments: {} of them {} not what a record names, or did not arrive.",
                counted(noted.count, "piece"),
                if noted.count == 1 { "is" } else { "are" }
            ),
            "They are asked for again each time. If this stays, sync a device that has the \
             attachment, or delete the damaged files under `chunks` there.",
        ),
        Kind::LogShrank | Kind::LogForked | Kind::LogKey | Kind::LogSilent => of_log(noted.kind),
    };
    let times = match noted.count {
        2.. if !matches!(noted.kind, Kind::Chunk | Kind::Revoked) => {
            format!(" ({} times)", count(noted.count))
        }
        _ => String::new(),
    };
    let over = if noted.is_over && noted.kind != Kind::Revoked { " It is over." } else { "" };
    (format!("{text}{times}{over}"), next)
}

/// What was found in a server's access log.
fn of_log(kind: Kind) -> (String, &'static str) {
    const NEXT: &str = "Your records are not touched by it. If whoever runs the server put back a copy or lost data, \
                        all is well. If not, what it says about who asked for your vault is not to be relied on.";
    let text = match kind {
        Kind::LogShrank => {
            "Access log shrank: the server's record of who asked for this vault is shorter than it was."
        }
        Kind::LogKey => {
            "Access log signed anew: another key signs the server's record of who asked for this vault."
        }
        Kind::LogSilent => {
            "Access log silent: the server's record of who asked for this vault is gone, or leaves out \
             that this device wrote."
        }
        _ => {
            "Access log forked: the server's record of who asked for this vault does not begin with what it \
             was before."
        }
    };
    (text.to_owned(), NEXT)
}

/// Why a store could not be used.
pub(crate) fn trouble(error: &StoreError, site: &Site) -> String {
    match (error, site) {
        (StoreError::Absent, Site::Folder(_)) => "the folder is not there".to_owned(),
        (StoreError::Absent, Site::Far(_)) => {
            "there is no such bucket or folder; make it there first".to_owned()
        }
        (StoreError::Full, Site::Far(_)) => "it is full, or its quota is reached".to_owned(),
        (StoreError::Forbidden, Site::Far(_)) => {
            "it does not let this account in there; check its rights, and the secret".to_owned()
        }
        (StoreError::Unauthenticated, Site::Far(far)) if far.kind() == "sftp" => {
            "`ssh` was not let in without being asked; check the key and the agent".to_owned()
        }
        (StoreError::Unauthenticated, Site::Far(far)) => {
            format!(
                "it does not take the account or its secret; give it anew: aura store add {}",
                far.url
            )
        }
        (StoreError::OtherKey, Site::Far(_)) => {
            "the host shows another key than the one that `ssh` knows, and nothing was sent to it; \
             compare it with whoever runs the host before you use `ssh-keygen -R`"
                .to_owned()
        }
        (StoreError::Unreachable(why), Site::Peer(_)) => {
            format!("the device could not be reached: {why}")
        }
        (StoreError::OtherKey, Site::Peer(_)) => {
            "another device is there, or none of this vault's".to_owned()
        }
        (StoreError::Unauthenticated, Site::Peer(_)) => {
            "it does not take this device for one of the vault's: it has not heard of it yet, or one \
             of the two is revoked"
                .to_owned()
        }
        (StoreError::Server(why), Site::Peer(_)) => format!("the device failed: {why}"),
        (StoreError::Absent, Site::Server(_)) => "the server has nothing of this vault".to_owned(),
        (StoreError::Full, Site::Folder(_)) => "its disk is full".to_owned(),
        (StoreError::Full, Site::Server(_)) => {
            "the account's quota or the server's disk is full".to_owned()
        }
        (StoreError::Unauthenticated, Site::Server(account)) => format!(
            "{error}; if it lost this vault's account, open one again: aura store add {} --account {} \
             --register",
            account.address, account.name
        ),
        (StoreError::Io(error), _) => plain(error),
        (other, _) => other.to_string(),
    }
}
