// SPDX-License-Identifier: MIT OR Apache-2.0
//! The log in a file: with everything that proves it (spec/audit-export.md), or for other programs.
//!
//! The first form is whole or nothing: a part of a Merkle tree proves nothing of what was left out. The others
//! prove nothing and may be a part.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::filter::{Filter, Filters};
use super::{ocsf, sheet};
use crate::cli::context::Context;
use crate::client::parse;
use crate::exit::{Exit, Failure};
use crate::screen::{counted, note};
use crate::view::{AuditVerdict, Event};
use crate::wire::Request;

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// JSON Lines with everything that a stranger needs to verify them
    Jsonl,
    /// A table for spreadsheets
    Csv,
    /// JSON Lines of the Open Cybersecurity Schema Framework
    Ocsf,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The file
    file: PathBuf,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    #[command(flatten)]
    filters: Filters,
}

impl Export {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        if self.format == Format::Jsonl && !self.filters.are_none() {
            return Err(Failure::usage(
                "A part of the log cannot be verified: this form has all of it or nothing.",
                "Leave --since, --who and --category out, or take --format csv or ocsf.",
            ));
        }
        let filter = self.filters.read()?;
        let mut client = context.open()?;
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.file)
            .map_err(|error| failed(&error))?;
        let mut writer = Writer {
            out: BufWriter::new(file),
            format: self.format,
            filter,
            vault: String::new(),
            events: 0,
            unknown: 0,
        };
        let written = writer.begin().map_err(|error| failed(&error)).and_then(|()| {
            let verdict = client.call(&Request::ExportAudit, &mut |item| writer.take(item))?;
            let verdict: AuditVerdict = parse(verdict)?;
            writer.end(&verdict).map_err(|error| failed(&error))?;
            Ok((verdict, writer.events, writer.unknown))
        });
        let (verdict, events, unknown) = written.inspect_err(|_| {
            // Half a log proves nothing, and would be in the way of the next one.
            fs::remove_file(&self.file).ok();
        })?;
        super::warn(&verdict);
        if unknown > 0 && self.format != Format::Jsonl {
            let unknown = counted(unknown, "event");
            note(&format!("{unknown} of a newer version of Aura left out: update Aura."));
        }
        let path = self.file.display().to_string();
        if context.screen.json {
            context.screen.value(&json!({ "path": path, "events": events }))?;
        } else {
            context.screen.line(&format!("Wrote {} to {path}", counted(events, "event")))?;
        }
        Ok(if verdict.ok { Exit::Done } else { Exit::Damaged })
    }
}

fn failed(error: &io::Error) -> Failure {
    Failure::file("The audit log could not be written", error)
}

struct Writer {
    out: BufWriter<File>,
    format: Format,
    filter: Filter,
    vault: String,
    events: u64,
    /// Events that this version does not know.
    unknown: u64,
}

impl Writer {
    fn begin(&mut self) -> io::Result<()> {
        match self.format {
            Format::Csv => self.out.write_all(sheet::header().as_bytes()),
            Format::Jsonl | Format::Ocsf => Ok(()),
        }
    }

    /// One line of an export, as the daemon gives it.
    fn take(&mut self, item: Value) -> Result<(), Failure> {
        let is_event = item.get("number").is_some();
        let is_known = item.get("who").is_some();
        if let Some(vault) = item.get("vault").and_then(Value::as_str) {
            vault.clone_into(&mut self.vault);
        }
        self.unknown = self.unknown.saturating_add(u64::from(is_event && !is_known));
        if self.format == Format::Jsonl {
            self.events = self.events.saturating_add(u64::from(is_event));
            return writeln!(self.out, "{item}").map_err(|error| failed(&error));
        }
        if !is_known {
            return Ok(());
        }
        let event: Event = parse(item)?;
        if !self.filter.takes(&event) {
            return Ok(());
        }
        self.events = self.events.saturating_add(1);
        match self.format {
            Format::Csv => self.out.write_all(sheet::row(&event).as_bytes()),
            _ => writeln!(self.out, "{}", ocsf::event(&self.vault, &event)),
        }
        .map_err(|error| failed(&error))
    }

    /// The last line is the verdict (AEX-7).
    fn end(&mut self, verdict: &AuditVerdict) -> io::Result<()> {
        if self.format == Format::Jsonl {
            writeln!(self.out, "{}", json!({ "verdict": verdict }))?;
        }
        self.out.flush()?;
        self.out.get_ref().sync_all()
    }
}
