// SPDX-License-Identifier: MIT OR Apache-2.0
//! What assistants may do: granting, listing, taking back.

use std::collections::BTreeSet;

use aura_vault::grant::{Rate, Right, Terms};
use aura_vault::record::{Category, Kind};
use clap::{Args, Subcommand};
use serde_json::Value;

use super::context::Context;
use crate::client::parse;
use crate::exit::{Exit, Failure};
use crate::moment::{self, now_ms};
use crate::screen::{Screen, count, wrap};
use crate::view;
use crate::wire::Request;

const INDENT: &str = "            ";

#[derive(Debug, Subcommand)]
pub(crate) enum Grant {
    /// Let an assistant find and read what you name, for a while
    Add(Box<Add>),
    /// List what was granted
    Ls(Ls),
    /// Take back a grant: it counts no more from the next call on
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The assistant, by the name that it was connected under
    assistant: String,
    /// Records of this category; several may be named
    #[arg(long, value_name = "CATEGORY", required = true)]
    category: Vec<String>,
    /// Only records of this kind; several may be named
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// What it may do: search, read, count; several may be named
    #[arg(long, value_name = "RIGHT", default_values = ["search", "read"])]
    right: Vec<String>,
    /// Show only this field of a record; several may be named
    #[arg(long, value_name = "FIELD")]
    field: Vec<String>,
    /// For how long, from now: 1h, 7d, at most 366d
    #[arg(long = "for", value_name = "TIME", default_value = "1d")]
    lasting: String,
    /// Only what happened at this time or later: 2025, 2025-03-14, 30d
    #[arg(long, value_name = "TIME")]
    after: Option<String>,
    /// Only what happened before this time
    #[arg(long, value_name = "TIME")]
    before: Option<String>,
    /// So many records in all, and no more
    #[arg(long, value_name = "N")]
    records: Option<u64>,
    /// So many records in so much time: 60/1h
    #[arg(long, value_name = "N/TIME")]
    rate: Option<String>,
    /// Why: you will read it when you look at your grants
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
}

#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// Also those that have ended
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The grant's id, or as much of its beginning as no other one has
    id: String,
}

impl Grant {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Add(args) => args.run(context),
            Self::Ls(args) => args.run(context),
            Self::Revoke(args) => args.run(context),
        }
    }
}

impl Add {
    fn run(self, context: &Context) -> Result<Exit, Failure> {
        let request = Request::Grant { to: self.assistant.clone(), terms: self.terms()? };
        let granted: view::Grant = context.open_first()?.ask(&request)?;
        let screen = &context.screen;
        if screen.json {
            screen.value(&granted)?;
            return Ok(Exit::Done);
        }
        show(screen, &granted)?;
        screen.line(&format!(
            "Take it back at any time: aura grant revoke {}",
            granted.id.get(..8).unwrap_or(&granted.id)
        ))?;
        Ok(Exit::Done)
    }

    fn terms(&self) -> Result<Terms, Failure> {
        let now = now_ms();
        let from_now = |text: &str| span_ms(text).and_then(|span| now.checked_add(span));
        let until = from_now(&self.lasting).ok_or_else(|| time("--for", "1h or 7d"))?;
        let at = |text: &Option<String>, option| {
            let parsed = text.as_ref().map(|text| moment::parse(text, now));
            parsed.map(|at| at.ok_or_else(|| time(option, "2025-03-14 or 30d"))).transpose()
        };
        let kinds = words(&self.kind, Kind::parse, "kind, like event or note")?;
        let fields: BTreeSet<String> = self.field.iter().cloned().collect();
        Ok(Terms {
            rights: words(&self.right, Right::parse, "right: search, read or count")?,
            categories: words(&self.category, Category::parse, "category, like calendar or mail")?,
            kinds: Some(kinds).filter(|kinds| !kinds.is_empty()),
            fields: Some(fields).filter(|fields| !fields.is_empty()),
            after: at(&self.after, "--after")?,
            before: at(&self.before, "--before")?,
            records: self.records,
            rate: self.rate.as_deref().map(rate).transpose()?,
            from: now,
            until,
            why: self.why.clone(),
        })
    }
}

/// `60/1h`.
fn rate(text: &str) -> Result<Rate, Failure> {
    let parts = text.split_once('/').and_then(|(records, span)| {
        let seconds = u32::try_from(span_ms(span)? / 1000).ok()?;
        Some(Rate { records: records.parse().ok()?, seconds })
    });
    parts.ok_or_else(|| Failure::usage("--rate was not understood.", "Write it as 60/1h."))
}

/// `45s`, `15m`, `12h`, `30d`, in milliseconds.
fn span_ms(text: &str) -> Option<i64> {
    // A span before the beginning is as long as one after it.
    let is_span = text.ends_with(['s', 'm', 'h', 'd']);
    is_span.then(|| moment::parse(text, 0)).flatten().map(|ms| -ms)
}

fn time(option: &str, example: &str) -> Failure {
    Failure::usage(format!("{option} was not understood."), format!("Write it as {example}."))
}

fn words<T: Ord>(
    words: &[String],
    parse: impl Fn(&str) -> Option<T>,
    what: &str,
) -> Result<BTreeSet<T>, Failure> {
    let all = words.iter().flat_map(|words| words.split(',')).map(|word| parse(word.trim()));
    let all: Option<BTreeSet<T>> = all.collect();
    all.ok_or_else(|| {
        Failure::usage(format!("There is no such {what}."), "See `aura grant add --help`.")
    })
}

impl Ls {
    fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut client = context.open_first()?;
        let screen = &context.screen;
        let mut shown = 0u64;
        let done = client.call(&Request::Grants, &mut |item: Value| {
            let granted: view::Grant = parse(item)?;
            if !self.all && !granted.active {
                return Ok(());
            }
            shown = shown.saturating_add(1);
            if screen.json { screen.value(&granted) } else { show(screen, &granted) }
        })?;
        if screen.json {
            return Ok(Exit::Done);
        }
        let number = |name| done.get(name).and_then(Value::as_u64).unwrap_or_default();
        let hidden = number("grants").saturating_sub(shown);
        if shown == 0 {
            screen.line("Nothing is granted to anybody.")?;
        }
        if hidden > 0 {
            screen.line(&format!("{} more have ended: aura grant ls --all", count(hidden)))?;
        }
        if number("unknown") > 0 {
            screen.line(&screen.bad(&format!(
                "{} of a newer version are not understood, and count for nothing here.",
                count(number("unknown"))
            )))?;
        }
        Ok(Exit::Done)
    }
}

impl Revoke {
    fn run(self, context: &Context) -> Result<Exit, Failure> {
        let ended: view::Grant = context.open_first()?.ask(&Request::EndGrant { id: self.id })?;
        let screen = &context.screen;
        if screen.json {
            screen.value(&ended)?;
            return Ok(Exit::Done);
        }
        screen.line(&format!("Taken back: {} may not do this any more.", ended.to))?;
        screen.line(&wrap(
            &format!(
                "It was shown {} under it. What was read cannot be unread.",
                crate::screen::counted(ended.records, "record")
            ),
            screen.width(),
            "",
        ))?;
        Ok(Exit::Done)
    }
}

/// Who may do something now, for `aura status`.
pub(crate) fn summary(screen: &Screen, grants: &[view::Grant]) -> Result<(), Failure> {
    if grants.is_empty() {
        return screen.line("Assistants  none may read anything");
    }
    for (at, granted) in grants.iter().enumerate() {
        let head = if at == 0 { "Assistants  " } else { INDENT };
        let may = format!("{} may {}", granted.to, granted.rights.join(", "));
        let what =
            format!("{head}{may}: {}, until {}", granted.categories.join(", "), granted.until);
        screen.line(&wrap(&what, screen.width(), INDENT))?;
    }
    Ok(())
}

/// A grant in plain words.
fn show(screen: &Screen, granted: &view::Grant) -> Result<(), Failure> {
    let id = granted.id.get(..8).unwrap_or(&granted.id);
    let state = match (&granted.ended, granted.active) {
        (Some(at), _) => format!("taken back {at}"),
        (None, true) => format!("until {}", granted.until),
        (None, false) => format!("not now: from {} until {}", granted.from, granted.until),
    };
    screen.line(&format!("{id}    {}, {state}", granted.to))?;
    let line = |text: String| screen.line(&wrap(&text, screen.width(), INDENT));
    let what = granted.categories.join(", ");
    line(format!("{INDENT}may {}: {what}", granted.rights.join(", ")))?;
    let listed = |words: &Option<Vec<String>>| words.as_ref().map(|words| words.join(", "));
    let limits = [
        listed(&granted.kinds).map(|kinds| format!("only kinds: {kinds}")),
        listed(&granted.fields).map(|fields| format!("only fields: {fields}")),
        granted.after.as_ref().map(|at| format!("only from {at}")),
        granted.before.as_ref().map(|at| format!("only before {at}")),
        granted.records_max.map(|most| format!("at most {} records", count(most))),
        granted.rate.as_ref().map(|rate| format!("at most {rate}")),
        Some(format!("shown so far: {}", count(granted.records))),
        Some(granted.why.clone()).filter(|why| !why.is_empty()).map(|why| format!("why: {why}")),
    ];
    for limit in limits.into_iter().flatten() {
        line(format!("{INDENT}{limit}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;

    #[test]
    fn spans_and_rates() {
        assert_eq!(
            ["45s", "15m", "12h", "30d"].map(span_ms),
            [Some(45_000), Some(900_000), Some(43_200_000), Some(2_592_000_000)]
        );
        for wrong in ["", "d", "2025", "2025-01-01", "-1h", "1.5h", "1w"] {
            assert_eq!(span_ms(wrong), None, "{wrong}");
        }
        assert_eq!(rate("60/1h").unwrap(), Rate { records: 60, seconds: 3600 });
        assert!(["60", "/1h", "60/", "x/1h", "60/1y"].iter().all(|text| rate(text).is_err()));
    }
}
