// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who did what: shown, counted, proved, and written out.

mod filter;
mod tally;
mod sheet;
mod ocsf;
mod export;

use std::collections::VecDeque;

use clap::Subcommand;
use serde_json::Value;

use self::export::Export;
use self::filter::{Filter, Filters};
use self::tally::{By, Tally};
use super::context::Context;
use crate::client::parse;
use crate::exit::{Exit, Failure};
use crate::screen::{Screen, clean, count, counted, note, wrap};
use crate::view::{AuditVerdict, Event};
use crate::wire::Request;

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Show what was done, oldest first
    Show {
        #[command(flatten)]
        filters: Filters,
        /// Only the newest so many
        #[arg(long, conflicts_with = "by")]
        limit: Option<u32>,
        /// Only how many events there are, by day, by who, or by category
        #[arg(long)]
        by: Option<By>,
    },
    /// Prove that nothing was removed, changed or reordered
    Verify,
    /// Write the log into a new file: with its proof, or for other programs
    Export(Export),
}

impl Audit {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Show { filters, limit, by } => {
                let filter = filters.read()?;
                match by {
                    Some(by) => count_by(context, filter, by),
                    None => show(context, filter, limit),
                }
            }
            Self::Verify => verify(context),
            Self::Export(export) => export.run(context),
        }
    }
}

fn show(context: &Context, mut filter: Filter, limit: Option<u32>) -> Result<Exit, Failure> {
    let screen = &context.screen;
    let keep = limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let mut newest = VecDeque::new();
    let (mut shown, mut all) = (0u64, 0u64);
    context.open()?.call(&Request::Audit, &mut |item: Value| {
        let event: Event = parse(item.clone())?;
        all = all.saturating_add(1);
        if !filter.takes(&event) {
            return Ok(());
        }
        shown = shown.saturating_add(1);
        let Some(keep) = keep else { return show_event(screen, &item, &event) };
        newest.push_back((item, event));
        if newest.len() > keep {
            newest.pop_front();
            shown = shown.saturating_sub(1);
        }
        Ok(())
    })?;
    newest.iter().try_for_each(|(item, event)| show_event(screen, item, event))?;
    if shown == 0 && filter.asks() {
        return none(context, &filter);
    }
    if !screen.json {
        let (shown, all) = (counted(shown, "event"), count(all));
        screen.line(&screen.faint(&format!("{shown} shown, of {all} in the log.")))?;
    }
    Ok(Exit::Done)
}

fn show_event(screen: &Screen, item: &Value, event: &Event) -> Result<(), Failure> {
    if screen.json {
        return screen.value(item);
    }
    screen.line(&line(event, screen.width()))
}

fn line(event: &Event, width: usize) -> String {
    let when = event.time.get(..19).unwrap_or_default().replace('T', " ");
    let outcome = (event.outcome != "done").then(|| event.outcome.clone());
    let times = (event.count != 1).then(|| format!("{}x", count(event.count)));
    let about = (!event.categories.is_empty()).then(|| event.categories.join(", "));
    let rest: Vec<String> = [outcome, times, about].into_iter().flatten().collect();
    // Another device may have written anything there.
    let who = clean(&event.who);
    let text = format!("{when}  {who:<17} {:<14} {}", event.action, rest.join(" "));
    wrap(text.trim_end(), width, &" ".repeat(47))
}

fn count_by(context: &Context, mut filter: Filter, by: By) -> Result<Exit, Failure> {
    let screen = &context.screen;
    let mut tally = Tally::new(by);
    let (mut shown, mut all) = (0u64, 0u64);
    context.open()?.call(&Request::Audit, &mut |item: Value| {
        let event: Event = parse(item)?;
        all = all.saturating_add(1);
        if filter.takes(&event) {
            shown = shown.saturating_add(1);
            tally.add(&event);
        }
        Ok(())
    })?;
    if shown == 0 && filter.asks() {
        return none(context, &filter);
    }
    if screen.json {
        tally.rows().iter().try_for_each(|row| screen.value(row))?;
        return Ok(Exit::Done);
    }
    tally.lines(screen.width()).iter().try_for_each(|line| screen.line(line))?;
    let (shown, all) = (counted(shown, "event"), count(all));
    screen.line(&screen.faint(&format!("{shown} counted, of {all} in the log.")))?;
    Ok(Exit::Done)
}

/// That there is nothing is worth something only if nothing is missing.
fn none(context: &Context, filter: &Filter) -> Result<Exit, Failure> {
    let screen = &context.screen;
    let value: Value = context.open()?.ask(&Request::VerifyAudit)?;
    let verdict: AuditVerdict = parse(value)?;
    screen.say(&format!("No event: {}.", filter.words()))?;
    if let Some(who) = filter.unknown() {
        let who = clean(who);
        screen.say(&format!("{who} is in no event at all; `aura connect` lists the names."))?;
    }
    if let Some(bad) = verdict.first_bad {
        screen.say(&screen.bad(&format!("But the audit log does not verify: {bad}.")))?;
        return Ok(Exit::Damaged);
    }
    let events = counted(verdict.size, "event");
    screen.say(&screen.good(&format!("The log verifies: {events}, none missing.")))?;
    Ok(Exit::Done)
}

fn verify(context: &Context) -> Result<Exit, Failure> {
    let screen = &context.screen;
    let value: Value = context.open()?.ask(&Request::VerifyAudit)?;
    let verdict: AuditVerdict = parse(value.clone())?;
    if screen.json {
        screen.value(&value)?;
    } else if let Some(bad) = &verdict.first_bad {
        screen.line(&screen.bad(&format!("The audit log does not verify: {bad}.")))?;
        screen.line("Everything else can be used. Compare with another device or a backup.")?;
    } else {
        let events = counted(verdict.size, "event");
        screen.line(&screen.good(&format!("The audit log verifies: {events}, none missing.")))?;
        screen.line(&format!("Root {}", verdict.root))?;
    }
    Ok(if verdict.ok { Exit::Done } else { Exit::Damaged })
}

/// Says on standard error that what was written out does not verify.
fn warn(verdict: &AuditVerdict) {
    if let Some(bad) = &verdict.first_bad {
        note(&format!(
            "The audit log does not verify: {bad}. What can be read of it is in the file."
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a device wrote as a name steers no terminal, and ends no line.
    #[test]
    fn a_name_is_shown_without_what_steers_a_terminal() {
        let event: Event = serde_json::from_value(serde_json::json!({
            "number": 0, "device": "d", "incarnation": "i", "time": "2026-11-24T10:00:00Z",
            "who": "owner\u{1b}[2J\r\nowner\u{202e}", "action": "read", "outcome": "refused",
            "categories": ["mail"], "count": 2, "grant": "", "hash": "h",
        }))
        .unwrap();
        let line = line(&event, 80);
        assert!(!line.contains(['\u{1b}', '\r', '\n', '\u{202e}']), "{line:?}");
        assert!(
            line.starts_with("2026-11-24 10:00:00  owner") && line.ends_with("refused 2x mail")
        );
    }
}
