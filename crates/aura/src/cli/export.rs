// SPDX-License-Identifier: MIT OR Apache-2.0
//! Taking everything out again.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::context::{Context, Watch};
use crate::client::parse;
use crate::exit::{Exit, Failure};
use crate::screen::{counted, note, size, wrap};
use crate::view;
use crate::wire::{Request, Shape};

/// Failures that are shown; the manifest has all.
const FAILURES_SHOWN: usize = 10;

#[derive(Debug, Args)]
#[command(
    after_help = "What is written is readable by anybody who gets it: keep it where only you can look.\n\
                  An earlier export in the same place is replaced only when the new one was read back."
)]
pub(crate) struct Export {
    /// Every kind in its standard form, into a folder
    #[arg(long, value_name = "DIR", required_unless_present = "archive")]
    all: Option<PathBuf>,
    /// Everything into one file that Aura imports again as it was
    #[arg(long, value_name = "FILE", conflicts_with = "all")]
    archive: Option<PathBuf>,
}

impl Export {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let (to, shape) = match (self.all, self.archive) {
            (Some(to), _) => (to, Shape::Standard),
            (None, Some(to)) => (to, Shape::Archive),
            (None, None) => return Err(Failure::usage("Nothing to export to.", "Use --all DIR.")),
        };
        let to = Context::absolute(&to)?;
        let mut client = context.open()?;
        let screen = &context.screen;
        let mut watch = Watch::new(screen, |_| Ok(()));
        let value = client.call(&Request::Export { to, shape }, &mut watch)?;
        drop(watch);
        let export: view::Export = parse(value.clone())?;
        report(context, &value, (&export, shape))?;
        let is_whole = export.failed.is_empty() && export.missing.is_empty();
        Ok(if is_whole { Exit::Done } else { Exit::Partly })
    }
}

fn report(
    context: &Context,
    value: &Value,
    (export, shape): (&view::Export, Shape),
) -> Result<(), Failure> {
    let screen = &context.screen;
    if screen.json {
        return screen.value(value);
    }
    let wrote = format!(
        "Wrote {} and {} in {} ({}), read back and compared:",
        counted(export.records, "record"),
        counted(export.attachments, "attachment"),
        counted(export.files, "file"),
        size(export.bytes),
    );
    screen.line(&wrap(&wrote, screen.width(), ""))?;
    screen.line(&format!("  {}", export.path))?;
    for lost in export.failed.iter().take(FAILURES_SHOWN) {
        screen.line(&screen.bad(&format!("  {}: {}", lost.id, lost.reason)))?;
    }
    if export.failed.len() > FAILURES_SHOWN {
        let others = export.failed.len() - FAILURES_SHOWN;
        screen.line(&match shape {
            Shape::Standard => format!("  … and {others} others, in manifest.json"),
            Shape::Archive => format!("  … and {others} others: aura verify names them all"),
        })?;
    }
    if !export.failed.is_empty() {
        screen.line("The rest is there. What is missing comes back from a copy of the vault.")?;
    }
    if !export.missing.is_empty() {
        let missing = export.missing.join(" and ");
        screen
            .line(&screen.bad(&format!("  {missing} are not in it: the second lock is shut.")))?;
        screen.line("  To have them: aura unlock --second, then export again.")?;
    }
    note("It is not encrypted: keep it where only you can look.");
    Ok(())
}
