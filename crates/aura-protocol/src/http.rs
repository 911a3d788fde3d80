// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a blind store is spoken to over HTTPS: paths, bodies, problems.
//!
//! Every body is canonical CBOR, but for problems (RFC 9457). Nothing here opens a socket.
//! Source: spec/http.md, rules HTP-1 to HTP-13.

mod body;

mod problem;

pub use body::{
    AccountBegin, AccountEnd, AccountView, Answer, Ask, Asked, Begun, Entries, ForgetAnswer,
    ForgetAsk, Granted, HasAnswer, HasAsk, HeadsAnswer, HeadsAsk, Invitation, LoginAnswer,
    LoginBegin, LoginEnd, PairingClose, PairingMessage, PairingPut, PairingTake, PairingTaken,
    PasswordBegin, PasswordEnd, Push, PushAnswer, Read, RegistrationPolicy, ServerView,
};
pub use problem::{Problem, ProblemKind};

/// The version of this protocol, in the header [`PROTOCOL_HEADER`] of every request and answer (HTP-2).
pub const PROTOCOL: u64 = 1;
/// The oldest version that this code still speaks.
pub const PROTOCOL_MIN: u64 = 1;
/// The header that carries the version.
pub const PROTOCOL_HEADER: &str = "aura-protocol";
/// The media type of bodies.
pub const CBOR: &str = "application/cbor";
/// The media type of chunks.
pub const OCTETS: &str = "application/octet-stream";
/// The media type of checkpoints and keys of logs.
pub const TEXT: &str = "text/plain; charset=utf-8";
/// The media type of problems (RFC 9457).
pub const PROBLEM_JSON: &str = "application/problem+json";
/// The event that says that there may be new heads (HTP-11).
pub const EVENT_HEADS: &str = "heads";

/// Paths, all with POST unless said otherwise (HTP-3).
pub mod path {
    /// GET: what the server is.
    pub const SERVER: &str = "/v1/server";
    /// Begins an account.
    pub const ACCOUNT_BEGIN: &str = "/v1/accounts/begin";
    /// Makes an account.
    pub const ACCOUNT_END: &str = "/v1/accounts/end";
    /// Begins a login.
    pub const LOGIN_BEGIN: &str = "/v1/login/begin";
    /// Ends a login: an enrolment token.
    pub const LOGIN_END: &str = "/v1/login/end";
    /// Asks for a challenge.
    pub const CHALLENGE: &str = "/v1/challenge";
    /// Answers one: a device token.
    pub const TOKEN: &str = "/v1/token";
    /// GET: how the account stands. DELETE: lets go of it and of everything that is kept for it.
    pub const ACCOUNT: &str = "/v1/account";
    /// Begins a new password of the account.
    pub const PASSWORD_BEGIN: &str = "/v1/account/password/begin";
    /// Ends it.
    pub const PASSWORD_END: &str = "/v1/account/password/end";
    /// Puts a message of the device that shows a code into a box; the first one opens it.
    pub const PAIRING_PUT: &str = "/v1/pairing/put";
    /// Puts a message of the new device into a box.
    pub const PAIRING_ANSWER: &str = "/v1/pairing/answer";
    /// A message in a box.
    pub const PAIRING_TAKE: &str = "/v1/pairing/take";
    /// Takes a box away.
    pub const PAIRING_CLOSE: &str = "/v1/pairing/close";
    /// Heads beside those known.
    pub const HEADS: &str = "/v1/vault/heads";
    /// A head, and entries towards it.
    pub const PUSH: &str = "/v1/vault/push";
    /// Entries of a feed.
    pub const READ: &str = "/v1/vault/read";
    /// Whether chunks are there.
    pub const HAS: &str = "/v1/vault/chunks/has";
    /// GET and PUT of a chunk: this, and its name in hexadecimal.
    pub const CHUNKS: &str = "/v1/vault/chunks/";
    /// Lets go of what a snapshot covers.
    pub const FORGET: &str = "/v1/vault/forget";
    /// GET: what the access log has: this, and `checkpoint`, `key` or the path of a tile.
    pub const LOG: &str = "/v1/vault/log/";
    /// GET: server-sent events.
    pub const EVENTS: &str = "/v1/vault/events";
}
