// SPDX-License-Identifier: MIT OR Apache-2.0
//! A problem as an answer (RFC 9457). Source: spec/http.md, HTP-5 and HTP-6.

use aura_protocol::codec::CodecError;
use aura_protocol::http::{PROBLEM_JSON, Problem, ProblemKind};
use aura_protocol::store::StoreError;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::accounts::AccountError;

/// A request that was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) Problem);

impl From<ProblemKind> for Refusal {
    fn from(kind: ProblemKind) -> Self {
        Self(Problem::new(kind))
    }
}

impl From<CodecError> for Refusal {
    fn from(_: CodecError) -> Self {
        ProblemKind::Malformed.into()
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let problem = Problem::of_store(&error);
        if problem.kind == ProblemKind::Busy {
            tracing::warn!(error = &error as &dyn std::error::Error, "a store has too much to do");
        } else if problem.kind.status() >= 500 {
            tracing::error!(error = &error as &dyn std::error::Error, "a store failed");
        }
        Self(problem)
    }
}

impl From<AccountError> for Refusal {
    fn from(error: AccountError) -> Self {
        let kind = match &error {
            AccountError::Store(StoreError::SlowDown(seconds)) => {
                tracing::warn!("the accounts' database has too much to do");
                return Self::later(ProblemKind::Busy, *seconds);
            }
            AccountError::Taken => ProblemKind::Taken,
            AccountError::Uninvited => ProblemKind::Closed,
            AccountError::Absent => ProblemKind::Unauthenticated,
            AccountError::Closing => return Self::later(ProblemKind::Busy, 30),
            AccountError::Foreign
            | AccountError::Older
            | AccountError::Database(_)
            | AccountError::Store(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the accounts failed");
                ProblemKind::Internal
            }
        };
        kind.into()
    }
}

impl Refusal {
    /// To be tried again after so many seconds.
    pub(crate) fn later(kind: ProblemKind, seconds: u64) -> Self {
        Self(Problem { retry_after_s: Some(seconds.max(1)), ..Problem::new(kind) })
    }

    fn to_json(&self) -> Value {
        let Problem { kind, place, .. } = &self.0;
        let mut body = json!({
            "type": format!("urn:aura:problem:{}", kind.code()),
            "title": kind.title(),
            "status": kind.status(),
        });
        if let (Some((feed, number)), Some(members)) = (place, body.as_object_mut()) {
            let text = format!("{}/{}/{}", feed.collection, feed.device, feed.incarnation);
            members.insert("feed".to_owned(), text.into());
            members.insert("number".to_owned(), (*number).into());
        }
        body
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.to_json().to_string()));
        *response.status_mut() =
            StatusCode::from_u16(self.0.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = self.0.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// HTP-5, HTP-6: whoever is slow, stores or accounts, the answer says when to come again.
    #[test]
    fn htp_6_who_waits_in_vain_is_told_how_long() {
        let busy = Refusal::later(ProblemKind::Busy, 3);
        assert_eq!(Refusal::from(StoreError::SlowDown(3)), busy);
        assert_eq!(Refusal::from(AccountError::Store(StoreError::SlowDown(3))), busy);
        assert_eq!(busy.0.retry_after_s, Some(3));
    }
}
