// SPDX-License-Identifier: MIT OR Apache-2.0
//! What assistants are answered. A connection that has shown an assistant's key asks for nothing else any more.

use aura_protocol::id::RecordId;
use aura_vault::gate::{Excerpt, GateError, Guest, Shown};
use aura_vault::grant::{Grant, Right};
use aura_vault::record::Kind;
use serde_json::{Value, json};

use super::consent::{assistant, id};
use super::keeper::Keeper;
use crate::exit::Failure;
use crate::moment::rfc3339;
use crate::wire::{Asking, Coming};

/// Records that one answer has unless it is asked for another number.
const LIMIT: usize = 10;
/// Made in 1970: no record has it.
const NO_RECORD: RecordId = RecordId([0; 16]);

/// Answers an assistant. Each time it shows its key anew, so that it counts no more as soon as it was sent away.
pub(super) fn answer(
    keeper: &Keeper,
    (coming, program): (&Coming, Option<&str>),
    asking: Asking,
) -> Result<Value, Failure> {
    Ok(act(&enter(keeper, (coming, program))?, asking)?)
}

/// Refuses an assistant what only the person may ask for, on the record.
pub(super) fn turn_away(
    keeper: &Keeper,
    coming: (&Coming, Option<&str>),
) -> Result<Value, Failure> {
    enter(keeper, coming)?.turn_away()?;
    Ok(Value::Null)
}

fn enter(keeper: &Keeper, (coming, program): (&Coming, Option<&str>)) -> Result<Guest, Failure> {
    let who = assistant(&coming.name)?;
    // Where the system could tell which program it is, and does not, no key counts.
    let key = if program.is_none() && cfg!(target_os = "linux") { "" } else { coming.key.reveal() };
    keeper.with_guest(|vault| Ok(vault.guest(who, key, program)?))
}

fn act(guest: &Guest, asking: Asking) -> Result<Value, GateError> {
    Ok(match asking {
        Asking::Search { query, limit } => {
            let answer = guest.search(&query, limit.unwrap_or(LIMIT))?;
            let found: Vec<_> = answer.found.iter().map(excerpt).collect();
            json!({ "records": found, "more_withheld_by_a_limit": answer.is_cut })
        }
        // What is no id is the id of no record: that it was asked for is on the record as well.
        Asking::Get { id } => shown(&guest.get(RecordId::parse(&id).unwrap_or(NO_RECORD))?),
        Asking::Count { query } => json!({ "count": guest.count(&query)? }),
        Asking::Grants => {
            let grants: Vec<_> = guest.grants()?.into_iter().map(granted).collect();
            json!({ "you_are": guest.who().name(), "granted": grants })
        }
    })
}

fn excerpt(found: &Excerpt) -> Value {
    json!({
        "id": found.id.to_string(),
        "kind": found.kind.as_str(),
        "category": found.category.as_str(),
        "time": rfc3339(found.time_ms),
        "source": found.source,
        "written_by": written_by(found.kind, found.source.as_deref()),
        "title": found.title,
        "passage": found.text,
    })
}

fn shown(shown: &Shown) -> Value {
    let attachments = shown.attachments.iter().map(|attachment| {
        json!({
            "name": attachment.name,
            "media_type": attachment.media_type,
            "size": attachment.size,
        })
    });
    json!({
        "id": shown.id.to_string(),
        "kind": shown.kind.as_str(),
        "category": shown.category.as_str(),
        "time": rfc3339(shown.time_ms),
        "source": shown.source,
        "written_by": written_by(shown.kind, shown.source.as_deref()),
        "title": shown.title,
        "attachments": attachments.collect::<Vec<_>>(),
        "all_fields": shown.is_whole,
        "fields": shown.fields,
    })
}

/// Whose words a record holds, as far as its kind and its source tell.
fn written_by(kind: Kind, source: Option<&str>) -> &'static str {
    match (kind, source) {
        (
            Kind::Email | Kind::Message | Kind::Conversation | Kind::Event | Kind::Bookmark,
            Some(_),
        ) => "anybody",
        (_, Some(_)) => "imported",
        (_, None) => "the person",
    }
}

fn granted(grant: Grant) -> Value {
    let terms = grant.terms;
    json!({
        "grant": id(grant.id),
        "may": terms.rights.iter().map(|right: &Right| right.as_str()).collect::<Vec<_>>(),
        "categories": terms.categories.iter().map(|category| category.as_str()).collect::<Vec<_>>(),
        "kinds": terms.kinds.map(|kinds| kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>()),
        "fields": terms.fields,
        "after": terms.after.map(rfc3339),
        "before": terms.before.map(rfc3339),
        "records_max": terms.records,
        "until": rfc3339(terms.until),
        "why": terms.why,
    })
}
