// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why a place did not do what it was asked, in a form that passes through the libraries. Never what it said in words.

use aura_protocol::store::StoreError;

/// The longest wait that a place is believed to ask for, in seconds.
#[cfg(any(feature = "s3", feature = "webdav"))]
const RETRY_AFTER_S_MAX: u64 = 3600;

pub(super) const LATE: Fault = Fault::Unreachable("it did not answer in time");
pub(super) const UNMADE: Fault = Fault::Unreachable("no connection could be made");
pub(super) const BROKEN: Fault = Fault::Unreachable("the connection broke");
pub(super) const LARGE: &str = "a file is larger than any of the store's";

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("unreachable: {0}")]
    Unreachable(&'static str),
    #[error("it asks to wait {0} s")]
    SlowDown(u64),
    #[error("full")]
    Full,
    #[error("forbidden")]
    Forbidden,
    #[error("unauthenticated")]
    Unauthenticated,
    #[error("it failed: {0}")]
    Server(&'static str),
    #[error("more than it may be")]
    Large,
    #[error("it does not know what was asked")]
    Unknown,
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unreachable(why) => Self::Unreachable(why),
            Fault::SlowDown(seconds) => Self::SlowDown(seconds),
            Fault::Full => Self::Full,
            Fault::Forbidden => Self::Forbidden,
            Fault::Unauthenticated => Self::Unauthenticated,
            Fault::Server(why) => Self::Server(why),
            Fault::Large => Self::Damaged(LARGE),
            Fault::Unknown => Self::Server("it does not know what was asked"),
        }
    }
}

/// FLD-16: what an HTTP status says of the place itself, rather than of one file.
#[cfg(any(feature = "s3", feature = "webdav"))]
pub(super) fn of_status(status: u16, retry_after: Option<&str>) -> Option<Fault> {
    let wait = || {
        let asked = retry_after.and_then(|text| text.trim().parse::<u64>().ok());
        asked.unwrap_or(1).clamp(1, RETRY_AFTER_S_MAX)
    };
    match status {
        401 => Some(Fault::Unauthenticated),
        403 => Some(Fault::Forbidden),
        429 | 503 => Some(Fault::SlowDown(wait())),
        413 | 507 => Some(Fault::Full),
        501 => Some(Fault::Unknown),
        300..=399 if status != 304 => Some(Fault::Server("it points to another address")),
        500.. => Some(Fault::Server("it met an error of its own")),
        _ => None,
    }
}

#[cfg(all(test, any(feature = "s3", feature = "webdav")))]
mod tests {
    use super::*;

    /// FLD-16.
    #[test]
    fn fld_16_statuses_say_what_is_the_matter() {
        assert_eq!(of_status(401, None), Some(Fault::Unauthenticated));
        assert_eq!(of_status(403, None), Some(Fault::Forbidden));
        assert_eq!(of_status(429, Some("7")), Some(Fault::SlowDown(7)));
        assert_eq!(of_status(503, Some("99999999")), Some(Fault::SlowDown(RETRY_AFTER_S_MAX)));
        assert_eq!(of_status(503, Some("soon")), Some(Fault::SlowDown(1)));
        assert_eq!(of_status(507, None), Some(Fault::Full));
        assert_eq!(of_status(501, None), Some(Fault::Unknown));
        for plain in [200, 204, 206, 207, 304, 404, 405, 409, 412, 416] {
            assert_eq!(of_status(plain, None), None, "{plain}");
        }
        for failed in [301, 307, 500, 502, 504, 599] {
            assert!(matches!(of_status(failed, None), Some(Fault::Server(_))), "{failed}");
        }
    }
}
