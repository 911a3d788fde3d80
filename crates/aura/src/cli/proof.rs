// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether everything is there and genuine.

use clap::Args;

use super::context::{Context, Watch};
use crate::client::parse;
use crate::exit::{Exit, Failure};
use crate::screen::{Screen, count, counted, wrap};
use crate::view::Verdict;
use crate::wire::{Rebuild, Request};

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
