// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why a server did not do what it was asked, and what that is to the callers of a store.
//! Source: spec/http.md, rules HTP-5 and HTP-6.

use aura_protocol::http::{Problem, ProblemKind};
use aura_protocol::id::{CollectionId, DeviceId, FeedId, Incarnation};
use aura_protocol::store::StoreError;
use serde_json::Value;

/// The longest wait that a server is believed to ask for, in seconds.
const RETRY_AFTER_S_MAX: u64 = 3600;
/// What begins the `type` of a problem.
const TYPE: &str = "urn:aura:problem:";

/// Why a server did not do what it was asked. Never carries what it said in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Nobody answers there, or not in time.
    #[error("the server could not be reached: {0}")]
    Unreachable(&'static str),
    /// It shows another key than the one that was expected: nothing was sent to it.
    #[error("the server shows another key than the one that is known; nothing was sent to it")]
    OtherKey,
    /// What it answered is no answer.
    #[error("the server failed: {0}")]
    Answer(&'static str),
    /// It says why not.
    #[error("{}", .0.kind.title())]
    Problem(Problem),
}

impl Fault {
    /// The problem's kind, where the server named one.
    pub fn kind(&self) -> Option<ProblemKind> {
        match self {
            Self::Problem(problem) => Some(problem.kind),
            _ => None,
        }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unreachable(why) => Self::Unreachable(why),
            Fault::OtherKey => Self::OtherKey,
            Fault::Answer(why) => Self::Server(why),
            Fault::Problem(problem) => of_problem(&problem),
        }
    }
}

fn of_problem(problem: &Problem) -> StoreError {
    match (problem.kind, problem.place) {
        (ProblemKind::Absent, _) => StoreError::Absent,
        (ProblemKind::Gap, Some((feed, expected))) => StoreError::Gap { feed, expected },
        (ProblemKind::Fork, _) => StoreError::Fork,
        (ProblemKind::Refused, _) => StoreError::Refused("the server says so"),
        (ProblemKind::TooLarge, _) => StoreError::Refused("more than the server takes"),
        (ProblemKind::Forbidden | ProblemKind::Closed, _) => StoreError::Forbidden,
        (ProblemKind::Full, _) => StoreError::Full,
        (ProblemKind::DamagedEntry, Some((feed, number))) => {
            StoreError::DamagedEntry { feed, number }
        }
        (ProblemKind::Forgotten, Some((feed, upto))) => StoreError::Forgotten { feed, upto },
        (ProblemKind::Unproven, _) => StoreError::Unproven,
        (ProblemKind::Damaged, _) => StoreError::Damaged("what the server keeps of this vault"),
        (ProblemKind::Unauthenticated | ProblemKind::LoginRefused, _) => {
            StoreError::Unauthenticated
        }
        (ProblemKind::SlowDown | ProblemKind::Busy, _) => {
            StoreError::SlowDown(problem.retry_after_s.unwrap_or(1))
        }
        (ProblemKind::Protocol, _) => StoreError::Protocol,
        (ProblemKind::Internal, _) => StoreError::Server("it met an error of its own"),
        _ => StoreError::Server("it did not understand the request"),
    }
}

/// The problem that an answer with this status is. `body` is its document, if it is one (HTP-5).
pub(super) fn problem(status: u16, body: Option<&[u8]>, retry_after: Option<&str>) -> Fault {
    let document: Option<Value> = body.and_then(|body| serde_json::from_slice(body).ok());
    let text = |member: &str| document.as_ref()?.get(member)?.as_str();
    let code = text("type").and_then(|text| text.strip_prefix(TYPE));
    let known = ProblemKind::ALL.iter().find(|kind| Some(kind.code()) == code);
    let Some(kind) = known.copied().or_else(|| by_status(status)) else {
        return Fault::Answer("it answered with what is none");
    };
    let number = document.as_ref().and_then(|document| document.get("number")?.as_u64());
    let place = text("feed").and_then(feed).zip(number);
    let retry_after_s = retry_after.and_then(|text| text.parse().ok());
    let retry_after_s = retry_after_s.map(|seconds: u64| seconds.min(RETRY_AFTER_S_MAX));
    Fault::Problem(Problem { kind, place, retry_after_s })
}

/// Where the code is not known, the status says what is to be done.
fn by_status(status: u16) -> Option<ProblemKind> {
    let exact = match status {
        401 => ProblemKind::Unauthenticated,
        403 => ProblemKind::Forbidden,
        404 => ProblemKind::Absent,
        405 => ProblemKind::Method,
        409 => ProblemKind::Fork,
        413 => ProblemKind::TooLarge,
        415 => ProblemKind::Media,
        422 => ProblemKind::Refused,
        429 => ProblemKind::SlowDown,
        503 => ProblemKind::Busy,
        507 => ProblemKind::Full,
        400..500 => ProblemKind::Malformed,
        500..600 => ProblemKind::Internal,
        _ => return None,
    };
    Some(exact)
}

/// `COLLECTION/DEVICE/INCARNATION` (HTP-6).
fn feed(text: &str) -> Option<FeedId> {
    let mut parts = text.split('/');
    let feed = FeedId {
        collection: CollectionId::parse(parts.next()?)?,
        device: DeviceId::parse(parts.next()?)?,
        incarnation: Incarnation::parse(parts.next()?)?,
    };
    parts.next().is_none().then_some(feed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16, body: &str) -> Option<ProblemKind> {
        problem(status, Some(body.as_bytes()), None).kind()
    }

    /// HTP-5: the code says what it is; an unknown one goes by the status, and so does noise.
    #[test]
    fn htp_5_codes_and_then_statuses() {
        for known in ProblemKind::ALL {
            let body = format!("{{\"type\":\"{TYPE}{}\",\"title\":\"x\"}}", known.code());
            assert_eq!(kind(known.status(), &body), Some(*known));
        }
        assert_eq!(kind(507, "{\"type\":\"urn:aura:problem:newer\"}"), Some(ProblemKind::Full));
        assert_eq!(kind(418, "<html>"), Some(ProblemKind::Malformed));
        assert_eq!(kind(599, "[]"), Some(ProblemKind::Internal));
        assert_eq!(kind(302, ""), None, "not sent on");
        assert_eq!(kind(200, ""), None);
    }

    /// HTP-6.
    #[test]
    fn htp_6_places_and_waits() {
        let feed = FeedId {
            collection: CollectionId([1; 16]),
            device: DeviceId([2; 16]),
            incarnation: Incarnation([3; 8]),
        };
        let place = format!("{}/{}/{}", feed.collection, feed.device, feed.incarnation);
        let gap = |place: &str| {
            let body =
                format!("{{\"type\":\"urn:aura:problem:gap\",\"feed\":\"{place}\",\"number\":7}}");
            StoreError::from(problem(409, Some(body.as_bytes()), None))
        };
        assert!(matches!(gap(&place), StoreError::Gap { feed: f, expected: 7 } if f == feed));
        for wrong in ["", "a/b/c", &format!("{place}/"), &place.replace('/', "")] {
            assert!(matches!(gap(wrong), StoreError::Server(_)), "{wrong}");
        }
        let slow = |after| StoreError::from(problem(429, None, after));
        assert!(matches!(slow(Some("9")), StoreError::SlowDown(9)));
        assert!(matches!(slow(Some("99999999")), StoreError::SlowDown(RETRY_AFTER_S_MAX)));
        assert!(matches!(slow(Some("-1")), StoreError::SlowDown(1)));
    }
}
