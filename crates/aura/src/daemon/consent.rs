// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the person grants to assistants, for commands.

use aura_protocol::id::GrantId;
use aura_vault::gate::{Granted, Session};
use aura_vault::grant::{Assistant, Terms};
use serde_json::{Value, json};

use super::reply::Reply;
use crate::exit::Failure;
use crate::moment::rfc3339;
use crate::secret::Secret;
use crate::view;

/// The assistant of this name.
pub(super) fn assistant(name: &str) -> Result<Assistant, Failure> {
    Assistant::new(name).ok_or_else(|| {
        Failure::usage(
            "That is no name for an assistant.",
            "Write it in lower case, as in claude or open-webui: letters, digits, - _ and .",
        )
    })
}

pub(super) fn give(session: &Session, to: &str, terms: Terms) -> Result<view::Grant, Failure> {
    Ok(show(session.give(&assistant(to)?, terms)?))
}

pub(super) fn list(session: &Session, reply: &mut Reply) -> Result<Value, Failure> {
    let (granted, unknown) = session.grants()?;
    let count = granted.len();
    for granted in granted {
        reply.item(&show(granted))?;
    }
    Ok(json!({ "grants": count, "unknown": unknown }))
}

/// Ends the one grant whose id begins like this.
pub(super) fn end(session: &Session, id: &str) -> Result<view::Grant, Failure> {
    let (granted, _) = session.grants()?;
    let known = granted.iter().map(|granted| granted.grant.id);
    let mut alike = known.filter(|known| known.to_string().starts_with(id));
    let (Some(found), None) = (alike.next().filter(|_| !id.is_empty()), alike.next()) else {
        return Err(Failure::usage(
            "No grant, or more than one, has an id that begins like this.",
            "See `aura grant ls --all`.",
        ));
    };
    Ok(show(session.end_grant(found)?))
}

pub(super) fn connect(session: &Session, name: &str) -> Result<view::Connected, Failure> {
    let key = session.connect(&assistant(name)?)?;
    Ok(view::Connected { key: Secret::new(key) })
}

pub(super) fn connected(session: &Session, reply: &mut Reply) -> Result<Value, Failure> {
    for (who, program) in session.connected()? {
        reply.item(&view::Client { name: who.name().to_owned(), program })?;
    }
    Ok(Value::Null)
}

pub(super) fn show(granted: Granted) -> view::Grant {
    let Granted { grant, is_active, records } = granted;
    let terms = grant.terms;
    view::Grant {
        id: grant.id.to_string(),
        to: grant.to.name().to_owned(),
        active: is_active,
        rights: terms.rights.iter().map(|right| right.as_str().to_owned()).collect(),
        categories: terms.categories.iter().map(ToString::to_string).collect(),
        kinds: terms.kinds.map(|kinds| kinds.iter().map(ToString::to_string).collect()),
        fields: terms.fields.map(|fields| fields.into_iter().collect()),
        after: terms.after.map(rfc3339),
        before: terms.before.map(rfc3339),
        records_max: terms.records,
        rate: terms.rate.map(|rate| format!("{}/{}s", rate.records, rate.seconds)),
        from: rfc3339(terms.from),
        until: rfc3339(terms.until),
        ended: grant.ended_ms.map(rfc3339),
        records,
        why: terms.why,
    }
}

/// What is granted, in the words of an id.
pub(super) fn id(grant: GrantId) -> String {
    grant.to_string()
}
