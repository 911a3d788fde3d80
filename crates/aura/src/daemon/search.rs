// SPDX-License-Identifier: MIT OR Apache-2.0
//! Searching, for commands.

use aura_vault::gate::{Found, Session};
use aura_vault::search::Typing;
use serde_json::{Value, json};

use super::reply::Reply;
use crate::exit::Failure;
use crate::moment::rfc3339;
use crate::view;

/// The records that answer a query best.
pub(super) fn search(
    session: &Session,
    (query, typing): (&str, Typing),
    limit: usize,
    reply: &mut Reply,
) -> Result<Value, Failure> {
    let found = session.search(query, typing, limit)?;
    let count = found.len();
    for hit in found {
        reply.item(&show(hit))?;
    }
    Ok(json!({ "hits": count }))
}

fn show(found: Found) -> view::Hit {
    view::Hit {
        id: found.id.to_string(),
        kind: found.kind.to_string(),
        category: found.category.to_string(),
        title: found.title,
        matches: found.snippet.matches.iter().map(|range| (range.start, range.end)).collect(),
        snippet: found.snippet.text,
        score: found.score,
        time: rfc3339(found.time_ms),
        source: found.source,
        guess: found.is_guess,
    }
}
