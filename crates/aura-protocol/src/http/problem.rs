// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a server says when it does not do what it was asked. Source: spec/http.md, rules HTP-5 and HTP-6.

use crate::id::FeedId;
use crate::store::StoreError;

macro_rules! problems {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $status:literal, $title:literal;)*) => {
        /// The kinds of problems. Each has one code, one status and one title.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ProblemKind { $($(#[$doc])* $variant,)* }

        impl ProblemKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The last part of its `type`, `urn:aura:problem:CODE`.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The HTTP status that it comes with.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// What it is, in words for people.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

problems! {
    /// The request is not what this path takes.
    Malformed = "malformed", 400, "The request is not well-formed; nothing was changed.";
    /// The client's version of the protocol is not spoken here.
    Protocol = "protocol", 400, "This server does not speak the client's version; update the older of the two.";
    /// No token, or none that counts (any more).
    Unauthenticated = "unauthenticated", 401, "The token is not valid, or not any more; prove the device again.";
    /// Name, password or secret key are not those of an account. Which one is not said.
    LoginRefused = "login-refused", 401, "The account and what was given for it do not fit together.";
    /// The token does not extend to this.
    Forbidden = "forbidden", 403, "The token does not extend to this.";
    /// Accounts are not opened here, or only by invitation.
    Closed = "closed", 403, "This server opens accounts by invitation only, or not at all.";
    /// Nothing is under this name.
    Absent = "absent", 404, "There is nothing under this name.";
    /// The path takes another method.
    Method = "method", 405, "This path takes another method.";
    /// The account's name is taken, or the vault has an account.
    Taken = "taken", 409, "This name or this vault has an account here already.";
    /// An entry does not come right after what is kept of its feed.
    Gap = "gap", 409, "An entry does not come right after what the server keeps of its feed.";
    /// Something else stands in this place.
    Fork = "fork", 409, "Something else stands in this place already; the server keeps the first.";
    /// The body is larger than this path takes.
    TooLarge = "too-large", 413, "The body is larger than this path takes; nothing of it was kept.";
    /// The body is of another media type.
    Media = "media", 415, "The body is of another media type than this path takes.";
    /// What was asked for was let go of.
    Forgotten = "forgotten", 410, "The server has let go of these entries; a snapshot has what is left of them.";
    /// A snapshot is not adopted by every device.
    Unproven = "unproven", 409, "Not every device has taken this snapshot in yet; nothing was let go of.";
    /// Something does not verify.
    Refused = "refused", 422, "Something in the request does not verify; nothing of it was kept.";
    /// Too many requests, or failed logins.
    SlowDown = "slow-down", 429, "Too many requests; wait as long as retry-after says.";
    /// What is kept is damaged in one place.
    DamagedEntry = "damaged-entry", 500, "An entry is damaged on the server; every other one can be read.";
    /// What is kept is damaged.
    Damaged = "damaged", 500, "What the server keeps of this vault is damaged; any device can fill it again.";
    /// The server itself failed.
    Internal = "internal", 500, "The server failed; nothing that it confirmed is lost.";
    /// The server stops, or has too much to do.
    Busy = "busy", 503, "The server has too much to do or is stopping; try again.";
    /// The quota or the disk is full.
    Full = "full", 507, "The account's quota or the server's disk is full; nothing of this write was kept.";
}

/// A problem, with what a client needs to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which.
    pub kind: ProblemKind,
    /// The place in a feed that it is about.
    pub place: Option<(FeedId, u64)>,
    /// After how many seconds to try again.
    pub retry_after_s: Option<u64>,
}

impl Problem {
    /// A problem of this kind.
    pub const fn new(kind: ProblemKind) -> Self {
        Self { kind, place: None, retry_after_s: None }
    }

    /// What a store's error is to a client. Nothing of the server's own files is told.
    pub fn of_store(error: &StoreError) -> Self {
        let kind = match error {
            StoreError::Absent => ProblemKind::Absent,
            StoreError::Gap { .. } => ProblemKind::Gap,
            StoreError::Fork => ProblemKind::Fork,
            StoreError::Refused(_) => ProblemKind::Refused,
            StoreError::Forbidden => ProblemKind::Forbidden,
            StoreError::Full => ProblemKind::Full,
            StoreError::Damaged(_) => ProblemKind::Damaged,
            StoreError::DamagedEntry { .. } => ProblemKind::DamagedEntry,
            StoreError::Forgotten { .. } => ProblemKind::Forgotten,
            StoreError::Unproven => ProblemKind::Unproven,
            StoreError::SlowDown(_) => ProblemKind::Busy,
            StoreError::Io(_)
            | StoreError::Database(_)
            | StoreError::Unreachable(_)
            | StoreError::OtherKey
            | StoreError::Unauthenticated
            | StoreError::Protocol
            | StoreError::Server(_) => ProblemKind::Internal,
        };
        let place = match error {
            StoreError::Gap { feed, expected } => Some((*feed, *expected)),
            StoreError::DamagedEntry { feed, number } => Some((*feed, *number)),
            StoreError::Forgotten { feed, upto } => Some((*feed, *upto)),
            _ => None,
        };
        let retry_after_s = match error {
            StoreError::SlowDown(seconds) => Some((*seconds).max(1)),
            _ => None,
        };
        Self { kind, place, retry_after_s }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// HTP-5: a code is one kind, and comes with a status for errors.
    #[test]
    fn kinds_have_codes_of_their_own() {
        for (at, kind) in ProblemKind::ALL.iter().enumerate() {
            assert!((400..600).contains(&kind.status()));
            assert!(!kind.title().is_empty());
            let rest = ProblemKind::ALL.iter().skip(at + 1);
            assert!(rest.clone().all(|other| other.code() != kind.code()));
        }
    }
}
