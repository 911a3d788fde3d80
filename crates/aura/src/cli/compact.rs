// SPDX-License-Identifier: MIT OR Apache-2.0
//! Letting go of what was deleted long ago.

use clap::Args;

use super::context::Context;
use crate::client::parse;
use crate::exit::{Exit, Failure};
use crate::screen::{counted, size, wrap};
use crate::view::{Compacted, Going};
use crate::wire::{Request, Resolve};

#[derive(Debug, Args)]
pub(crate) struct Compact {
    /// Records that were deleted longer ago than this
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    deleted_before: u32,
    /// Values that were replaced longer ago than this; all of them are kept without it
    #[arg(long, value_name = "DAYS")]
    replaced_before: Option<u32>,
    /// Do it: without this it is only counted
    #[arg(long)]
    now: bool,
}

impl Compact {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let resolve = if self.now { Resolve::Act } else { Resolve::Look };
        let (deleted_days, replaced_days) = (self.deleted_before, self.replaced_before);
        let request = Request::Compact { deleted_days, replaced_days, resolve };
        let found: Compacted = parse(context.open()?.ask(&request)?)?;
        let screen = &context.screen;
        if screen.json {
            screen.value(&found)?;
            return Ok(Exit::Done);
        }
        let wrapped = |text: &str| wrap(text, screen.width(), "");
        for going in &found.by_others {
            let Going { device, records, changes, due, .. } = going;
            let what = format!(
                "{} and {}",
                counted(*records, "deleted record"),
                counted(*changes, "change")
            );
            screen.line(&wrapped(&if found.done {
                format!("Gone for good here too, as device {device} let go of it: {what}.")
            } else {
                format!(
                    "Device {device} has let go of {what}: here that goes on {due}, or with --now."
                )
            }))?;
        }
        if found.changes == 0 {
            screen.line(if found.by_others.is_empty() {
                "Nothing is old enough to go."
            } else {
                "Nothing else is old enough to go."
            })?;
            return Ok(Exit::Done);
        }
        let what = format!(
            "{}, {} and {} of attachments",
            counted(found.records, "deleted record"),
            counted(found.changes, "change"),
            size(found.attachment_bytes),
        );
        if !found.done {
            screen.line(&wrapped(&format!("Would go for good: {what}.")))?;
            screen.line("Nothing was changed. To do it, add --now.")?;
            return Ok(Exit::Done);
        }
        screen.line(&wrapped(&format!("Gone for good: {what}.")))?;
        screen.line(&wrapped(if found.entries_gone > 0 {
            "It is gone from this device. Folders and servers let go of it with the next sync."
        } else {
            "Your other devices keep it for 7 days after they sync, so that you can change your mind; with `aura compact \
             --now` there it goes at once. Then every device, folder and server lets go of it. A device that never comes \
             back: aura device retire, or revoke if it is lost."
        }))?;
        Ok(Exit::Done)
    }
}
