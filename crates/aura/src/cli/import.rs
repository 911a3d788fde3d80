// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bringing things in, and the ledgers of what came in.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::context::{Context, Watch};
use crate::client::parse;
use crate::exit::{Exit, Failure};
use crate::interrupt::on_interrupt;
use crate::screen::{Screen, clean, count, counted, cut, size, tell, wrap};
use crate::view::{Ledger, Part};
use crate::wire::Request;

/// Reasons that are shown after an import; `import show` shows all.
const REASONS_SHOWN: usize = 10;

#[derive(Debug, Args)]
#[command(
    override_usage = "aura import [OPTIONS] PATH...\n       aura import ls\n       aura import show [RUN]",
    after_help = "What a file is, is read from what is in it: Markdown folders, mbox, EML, Maildir, \
                  iCalendar, vCard,\nChatGPT, Claude, Google Takeout, Bitwarden, JSON Lines, CSV, and \
                  Aura's own archive; zip and tar\nas they are. Importing the same again changes nothing. \
                  A folder called `ls` or `show`: ./ls"
)]
pub(crate) struct Import {
    /// Files, folders and archives; or `ls`, or `show` and the number of a run
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
}

impl Import {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let words: Vec<Option<&str>> = self.paths.iter().map(|path| path.to_str()).collect();
        match words.as_slice() {
            [Some("ls")] => list(context),
            [Some("show")] => show(context, None),
            [Some("show"), Some(run)] => {
                let run = run.parse().map_err(|_| {
                    Failure::usage("That is not the number of a run.", "See `aura import ls`.")
                })?;
                show(context, Some(run))
            }
            _ => import(context, &self.paths),
        }
    }
}

fn import(context: &Context, paths: &[PathBuf]) -> Result<Exit, Failure> {
    let paths = paths.iter().map(|path| Context::absolute(path)).collect::<Result<_, _>>()?;
    let mut client = context.open()?;
    let screen = &context.screen;
    on_interrupt(|| {
        tell(
            "\nStopped. What came in until now stays and can be found. Run the same again to go on: \
             what is there already is not taken twice.",
        );
    });
    let mut shown = String::new();
    let mut watch = Watch::new(screen, |item| {
        let part: Part = parse(item)?;
        if !screen.json {
            if part.path != shown {
                screen.line(&format!("Found in {}:", clean(&part.path)))?;
                shown.clone_from(&part.path);
            }
            screen.line(&describe(screen, &part))?;
        }
        Ok(())
    });
    let ledger = client.call(&Request::Import { paths }, &mut watch)?;
    drop(watch);
    let read: Ledger = parse(ledger.clone())?;
    if screen.json {
        screen.value(&ledger)?;
    } else {
        if read.found.is_empty() {
            screen.line("Nothing was found that could be imported.")?;
        }
        report(screen, &read, REASONS_SHOWN)?;
        screen.line(&format!("This is kept: aura import show {}", read.run))?;
    }
    let is_whole = read.failed == 0 && read.second_lock == 0 && read.stopped.is_none();
    Ok(if is_whole { Exit::Done } else { Exit::Partly })
}

fn describe(screen: &Screen, part: &Part) -> String {
    let categories = part.categories.join(", ");
    let files = counted(part.files, "file");
    let bytes = size(part.bytes);
    let text = format!("  {:<13} {files:>14} {bytes:>10}   {categories}", part.format);
    wrap(&text, screen.width(), &" ".repeat(44))
}

fn report(screen: &Screen, ledger: &Ledger, reasons: usize) -> Result<(), Failure> {
    let sum = format!(
        "Read {} = {} new + {} merged + {} unchanged + {} skipped + {} failed",
        count(ledger.read),
        count(ledger.new),
        count(ledger.merged),
        count(ledger.unchanged),
        count(ledger.skipped),
        count(ledger.failed),
    );
    let sum = wrap(&sum, screen.width(), "     ");
    screen.line(&if ledger.failed > 0 { screen.bad(&sum) } else { screen.good(&sum) })?;
    for reason in ledger.reasons.iter().take(reasons) {
        let text =
            format!("{:>7} {}: {}", count(reason.count), reason.outcome, clean(&reason.reason));
        screen.line(&wrap(&text, screen.width(), "          "))?;
        if let Some(place) = reason.places.first() {
            let place = format!("          such as {}", clean(place));
            screen.line(&screen.faint(&cut(&place, screen.width())))?;
        }
    }
    if ledger.reasons.len() > reasons {
        screen.line(&format!("        … and {} other reasons", ledger.reasons.len() - reasons))?;
    }
    if ledger.second_lock > 0 {
        screen.line(
            "What is behind the second lock comes in by `aura unlock --second` and the same again.",
        )?;
    }
    if let Some(stopped) = &ledger.stopped {
        let text = format!("It ended early: {stopped}. Run it again to go on.");
        screen.line(&screen.bad(&text))?;
    }
    Ok(())
}

fn ledgers(context: &Context) -> Result<Vec<(Value, Ledger)>, Failure> {
    let mut client = context.open()?;
    let mut runs = Vec::new();
    client.call(&Request::Imports, &mut |item: Value| {
        runs.push((item.clone(), parse(item)?));
        Ok(())
    })?;
    Ok(runs)
}

fn list(context: &Context) -> Result<Exit, Failure> {
    let screen = &context.screen;
    for (value, ledger) in ledgers(context)? {
        if screen.json {
            screen.value(&value)?;
            continue;
        }
        let day = ledger.finished.get(..10).unwrap_or_default();
        let paths = clean(&ledger.paths.join(", "));
        let text = format!(
            "{:>4}  {day}  {:>9} read  {:>9} new  {paths}",
            ledger.run,
            count(ledger.read),
            count(ledger.new),
        );
        screen.line(&cut(&text, screen.width()))?;
    }
    Ok(Exit::Done)
}

fn show(context: &Context, run: Option<u64>) -> Result<Exit, Failure> {
    let screen = &context.screen;
    let mut runs = ledgers(context)?;
    let found = match run {
        None => runs.pop(),
        Some(run) => runs.into_iter().find(|(_, ledger)| ledger.run == run),
    };
    let Some((value, ledger)) = found else {
        return Err(Failure::new(Exit::Failed, "There is no such run.")
            .safe("Nothing was changed.")
            .next("See `aura import ls`."));
    };
    if screen.json {
        screen.value(&value)?;
        return Ok(Exit::Done);
    }
    screen.line(&format!("Run {}, {} to {}", ledger.run, ledger.started, ledger.finished))?;
    let mut shown = "";
    for part in &ledger.found {
        if part.path != shown {
            screen.line(&format!("Found in {}:", clean(&part.path)))?;
            shown = &part.path;
        }
        screen.line(&describe(screen, part))?;
    }
    report(screen, &ledger, usize::MAX)?;
    Ok(Exit::Done)
}
