// SPDX-License-Identifier: MIT OR Apache-2.0
//! What assistants may do, in plain words, and taking it back.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use serde_json::Value;

use super::event::connected;
use super::frame::{Answer, Frame, go, show};
use super::hall::{Hall, list};
use super::session::Visit;
use super::words::{Words, line, moment};
use crate::exit::Failure;
use crate::screen::{count, counted};
use crate::view;
use crate::wire::Request;

/// Grants that have ended, on the page.
const ENDED_MAX: usize = 50;

/// A grant in words.
struct Grant {
    id: String,
    to: String,
    /// `search and read`
    may: String,
    what: String,
    until: String,
    limits: Vec<String>,
    shown: String,
    why: String,
    state: String,
    is_active: bool,
}

impl Grant {
    fn of(grant: view::Grant) -> Self {
        let listed = |words: &Option<Vec<String>>, what: &str| {
            words.as_ref().map(|words| format!("only {what}: {}", line(&words.join(", "))))
        };
        let limits = [
            listed(&grant.kinds, "these kinds"),
            listed(&grant.fields, "these fields"),
            grant.after.as_deref().map(|at| format!("only what happened from {} on", moment(at))),
            grant.before.as_deref().map(|at| format!("only what happened before {}", moment(at))),
            grant.records_max.map(|most| format!("at most {}", counted(most, "record"))),
            grant.rate.as_deref().map(|rate| format!("at most {rate}")),
        ];
        let state = match (&grant.ended, grant.active) {
            (Some(at), _) => format!("Taken back {}", moment(at)),
            (None, true) => format!("Until {}", moment(&grant.until)),
            (None, false) => {
                format!("Not now: from {} until {}", moment(&grant.from), moment(&grant.until))
            }
        };
        Self {
            id: grant.id,
            to: line(&grant.to),
            may: and(&grant.rights),
            what: and(&grant.categories),
            until: grant.until,
            limits: limits.into_iter().flatten().collect(),
            shown: counted(grant.records, "record"),
            why: line(&grant.why),
            state,
            is_active: grant.active,
        }
    }
}

/// `a, b and c`.
fn and(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

struct Connected {
    name: String,
    program: String,
}

#[derive(Template)]
#[template(path = "assistants.html")]
struct Page {
    frame: Frame,
    active: Vec<Grant>,
    ended: Vec<Grant>,
    connected: Vec<Connected>,
    /// Grants that are not understood here, and count for nothing.
    unknown: Option<String>,
    notice: Option<&'static str>,
}

/// The page.
pub(crate) async fn page(
    State(hall): State<Arc<Hall>>,
    Extension(visit): Extension<Visit>,
    RawQuery(asked): RawQuery,
) -> Answer {
    let words = Words::of(asked.unwrap_or_default().as_bytes());
    let (grants, said, clients) = hall
        .with(|client| {
            let mut grants = Vec::new();
            let said = client.call(&Request::Grants, &mut |item: Value| {
                grants.push(crate::client::parse::<view::Grant>(item)?);
                Ok(())
            })?;
            Ok::<_, Failure>((grants, said, connected(client)?))
        })
        .await?;
    let (active, mut ended): (Vec<_>, Vec<_>) =
        grants.into_iter().map(Grant::of).partition(|grant| grant.is_active);
    ended.sort_by(|one, other| other.until.cmp(&one.until));
    ended.truncate(ENDED_MAX);
    let unknown = said.get("unknown").and_then(Value::as_u64).filter(|unknown| *unknown > 0);
    let clients = clients.into_iter().map(|client| Connected {
        name: line(&client.name),
        program: client.program.as_deref().map(line).unwrap_or_default(),
    });
    Ok(show(&Page {
        frame: Frame::new("Assistants", "/assistants", &visit),
        active,
        ended,
        connected: clients.collect(),
        unknown: unknown.map(count),
        notice: (words.get("done") == "revoked").then_some(
            "Taken back: from its next call on nothing is shown. What was read cannot be unread.",
        ),
    }))
}

/// Takes a grant back.
pub(crate) async fn revoke(State(hall): State<Arc<Hall>>, Path(id): Path<String>) -> Answer {
    hall.with(move |client| {
        // A whole id: what only begins alike is not meant.
        let known = list::<view::Grant>(client, &Request::Grants)?;
        if known.iter().any(|grant| grant.id == id) {
            return client.ask::<view::Grant>(&Request::EndGrant { id });
        }
        Err(Failure::usage("There is no such grant.", "Load the page again."))
    })
    .await?;
    Ok(go("/assistants?done=revoked"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_aloud() {
        let words = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(
            [and(&words[..1]), and(&words[..2]), and(&words)],
            ["a", "a and b", "a, b and c"]
        );
    }
}
