// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who did what, and whether everything is there and genuine.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::Value;

use super::context::{Context, Watch};
use crate::client::parse;
use crate::exit::{Exit, Failure};
use crate::moment;
use crate::screen::{Screen, count, counted, wrap};
use crate::view::{AuditVerdict, Event, Verdict};
use crate::wire::{Rebuild, Request};

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Show what was done, oldest first
    Show {
        /// Since a day, a time, or so long ago: 30d, 12h
        #[arg(long)]
        since: Option<String>,
        /// Only by this one
        #[arg(long)]
        who: Option<String>,
        /// Only where this category was touched
        #[arg(long)]
        category: Option<String>,
        /// Only the newest so many
        #[arg(long)]
        limit: Option<u32>,
    },
    /// Prove that nothing was removed, changed or reordered
    Verify,
    /// Write the log and its proof into a new file, as JSON Lines
    Export {
        /// The file
        file: PathBuf,
    },
}

impl Audit {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Show { since, who, category, limit } => {
                let filter = Filter::new(since.as_deref(), who, category)?;
                show(context, &filter, limit)
            }
            Self::Verify => verify_audit(context),
            Self::Export { file } => export(context, &file),
        }
    }
}

/// Which events are asked for.
struct Filter {
    since: Option<i64>,
    who: Option<String>,
    category: Option<String>,
}

impl Filter {
    fn new(
        since: Option<&str>,
        who: Option<String>,
        category: Option<String>,
    ) -> Result<Self, Failure> {
        let now_ms = moment::now_ms();
        let since = since.map(|since| {
            moment::parse(since, now_ms).ok_or_else(|| {
                Failure::usage("That is not a time.", "Write it as 30d, 12h or 2025-03-14.")
            })
        });
        Ok(Self { since: since.transpose()?, who, category })
    }

    fn takes(&self, event: &Event) -> bool {
        let time = moment::parse(&event.time, 0);
        self.since.is_none_or(|since| time.is_some_and(|time| time >= since))
            && self.who.as_ref().is_none_or(|who| *who == event.who)
            && self.category.as_ref().is_none_or(|category| event.categories.contains(category))
    }
}

fn show(context: &Context, filter: &Filter, limit: Option<u32>) -> Result<Exit, Failure> {
    let screen = &context.screen;
    let keep = limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let mut newest = std::collections::VecDeque::new();
    context.open()?.call(&Request::Audit, &mut |item: Value| {
        let event: Event = parse(item.clone())?;
        if !filter.takes(&event) {
            return Ok(());
        }
        let Some(keep) = keep else { return show_event(screen, &item, &event) };
        newest.push_back((item, event));
        if newest.len() > keep {
            newest.pop_front();
        }
        Ok(())
    })?;
    newest.iter().try_for_each(|(item, event)| show_event(screen, item, event))?;
    Ok(Exit::Done)
}

fn show_event(screen: &Screen, item: &Value, event: &Event) -> Result<(), Failure> {
    if screen.json {
        return screen.value(item);
    }
    let when = event.time.get(..19).unwrap_or_default().replace('T', " ");
    let outcome = (event.outcome != "done").then(|| event.outcome.clone());
    let times = (event.count != 1).then(|| format!("{}x", count(event.count)));
    let about = (!event.categories.is_empty()).then(|| event.categories.join(", "));
    let rest: Vec<String> = [outcome, times, about].into_iter().flatten().collect();
    let text = format!("{when}  {:<17} {:<14} {}", event.who, event.action, rest.join(" "));
    screen.line(&wrap(text.trim_end(), screen.width(), &" ".repeat(47)))
}

fn verify_audit(context: &Context) -> Result<Exit, Failure> {
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

fn export(context: &Context, path: &Path) -> Result<Exit, Failure> {
    let failed = |error| Failure::file("The audit log could not be written", &error);
    let mut client = context.open()?;
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    let mut out = BufWriter::new(file);
    let mut count = 0u64;
    let verdict = client.call(&Request::ExportAudit, &mut |item: Value| {
        count = count.saturating_add(1);
        writeln!(out, "{item}").map_err(failed)
    })?;
    let verdict: AuditVerdict = parse(verdict)?;
    let last = serde_json::json!({ "verdict": verdict });
    writeln!(out, "{last}").map_err(failed)?;
    let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    if context.screen.json {
        context
            .screen
            .value(&serde_json::json!({ "path": path.display().to_string(), "events": count }))?;
    } else {
        context.screen.line(&format!("Wrote {} to {}", counted(count, "event"), path.display()))?;
    }
    Ok(if verdict.ok { Exit::Done } else { Exit::Damaged })
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Build database and index again from the log first
    #[arg(long)]
    rebuild: bool,
}

impl Verify {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let screen = &context.screen;
        let rebuild = if self.rebuild { Rebuild::Yes } else { Rebuild::No };
        let mut client = context.open()?;
        let mut watch = Watch::new(screen, |_| Ok(()));
        let value = client.call(&Request::Verify { rebuild }, &mut watch)?;
        drop(watch);
        let verdict: Verdict = parse(value.clone())?;
        if screen.json {
            screen.value(&value)?;
        } else {
            report(screen, &verdict)?;
        }
        Ok(if verdict.ok { Exit::Done } else { Exit::Damaged })
    }
}

fn report(screen: &Screen, verdict: &Verdict) -> Result<(), Failure> {
    if verdict.waiting > 0 {
        let entries = if verdict.waiting == 1 { "entry" } else { "entries" };
        let waiting = format!("{} {entries}", count(verdict.waiting));
        screen.line(&format!(
            "Behind the second lock, which is shut: {waiting}, of which only the"
        ))?;
        screen.line(
            "place was checked, and nothing was built again. `aura unlock --second` first.",
        )?;
    }
    if verdict.ok {
        let checked = counted(verdict.checked, "thing");
        let what = if verdict.waiting > 0 { "All else" } else { "Everything" };
        return screen.line(&screen.good(&format!("{what} verifies: {checked} checked.")));
    }
    screen.line(&screen.bad("Not everything verifies:"))?;
    for problem in &verdict.problems {
        screen.line(&wrap(&format!("  {problem}"), screen.width(), "    "))?;
    }
    screen.line("What is not named here is whole. Database and index can be built again:")?;
    screen.line("aura verify --rebuild. The rest comes back from a backup or another device.")?;
    screen.line("About an older copy and a lost audit log, aura status says more.")
}
