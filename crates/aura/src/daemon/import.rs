// SPDX-License-Identifier: MIT OR Apache-2.0
//! Importing: what was given is recognised, read, taken in, and accounted for to the last record.
//!
//! The ledger adds up: whatever a reader hands on is new, merged, unchanged, skipped or failed. It is
//! kept in the vault. An import that was stopped goes on when it is run again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use aura_import::draft::{Finding, Sink, Stop};
use aura_import::{Given, Survey, read, survey_all};
use aura_vault::gate::Session;
use aura_vault::intake::{Importer, Outcome, TakeError};
use aura_vault::record::Category;
use serde_json::{Value, json};

use super::keeper::Keeper;
use super::reply::Reply;
use crate::archive;
use crate::exit::{Exit, Failure};
use crate::moment::{now_ms, rfc3339};
use crate::view::{Ledger, Part, Reason};
use crate::wire::Progress;

/// Different reasons that are kept apart.
const REASONS_MAX: usize = 200;
/// Places that are kept for each reason.
const PLACES_MAX: usize = 20;
/// Why a record behind the second lock was not taken in.
const SECOND_LOCK: &str = "second lock: it is shut";
/// Longer places are cut.
const PLACE_CHARS_MAX: usize = 200;

/// What is to be read.
enum Source {
    Foreign(Survey),
    Archive(PathBuf),
}

/// Imports everything at these paths, as one run.
pub(super) fn import(
    session: &Session,
    paths: &[PathBuf],
    keeper: &Keeper,
    reply: &mut Reply,
) -> Result<Ledger, Failure> {
    let mut ledger = Ledger { started: rfc3339(now_ms()), ..Ledger::default() };
    let mut sources = Vec::new();
    let mut bytes = 0u64;
    ledger.paths = paths.iter().map(|path| path.display().to_string()).collect();
    for (source, parts) in recognise(paths)? {
        bytes = parts.iter().map(|part| part.bytes).fold(bytes, u64::saturating_add);
        for part in parts {
            reply.item(&part)?;
            ledger.found.push(part);
        }
        sources.push(source);
    }
    reply.flush()?;
    let (run, importer) = session.importer()?;
    let second = session.status()?.second;
    ledger.run = run;
    let progress = Progress { task: "importing".to_owned(), total: bytes, ..Progress::default() };
    let mut desk = Receiver {
        importer,
        ledger,
        reasons: Reasons::default(),
        keeper,
        reply,
        progress,
        before: 0,
        second,
        end: None,
    };
    for source in &sources {
        let read = match source {
            Source::Foreign(survey) => {
                let read = read(survey, &mut desk);
                desk.before = desk.before.saturating_add(survey.bytes());
                read
            }
            Source::Archive(path) => archive::read(path, &mut desk),
        };
        if read.is_err() {
            break;
        }
    }
    desk.finish()
}

/// What was given: archives of Aura's own, and everything else, of which parts of one export are one.
fn recognise(paths: &[PathBuf]) -> Result<Vec<(Source, Vec<Part>)>, Failure> {
    let mut found = Vec::new();
    let mut foreign = Vec::new();
    for path in paths {
        let Some(bytes) = archive::recognise(path) else {
            foreign.push(path.clone());
            continue;
        };
        let part = Part {
            path: path.display().to_string(),
            format: "aura-archive".to_owned(),
            files: 1,
            bytes,
            categories: Vec::new(),
        };
        found.push((Source::Archive(path.clone()), vec![part]));
    }
    let given = survey_all(&foreign).map_err(|(path, error)| {
        let what = format!("{} could not be read: {error}.", path.display());
        Failure::new(Exit::Failed, what)
            .safe("Nothing was imported, and the vault is as it was.")
            .next("Check the path; a damaged archive can be downloaded again.")
    })?;
    found.extend(given.into_iter().map(|Given { paths, survey }| {
        let mut name = paths.first().map(|path| path.display().to_string()).unwrap_or_default();
        if paths.len() > 1 {
            name = format!("{name} ({} parts)", paths.len());
        }
        let parts = survey.parts().iter().map(|part| Part {
            path: name.clone(),
            format: part.format.as_str().to_owned(),
            files: part.paths.len() as u64,
            bytes: part.bytes,
            categories: part.format.categories().iter().map(ToString::to_string).collect(),
        });
        let parts = parts.collect();
        (Source::Foreign(survey), parts)
    }));
    Ok(found)
}

/// Why an import ends before its end.
enum End {
    /// Somebody wants the vault locked, or the command was stopped.
    Asked(&'static str),
    /// The vault does not take more.
    Failed(Failure),
}

/// Takes what readers hand on.
struct Receiver<'a> {
    importer: Importer,
    ledger: Ledger,
    reasons: Reasons,
    keeper: &'a Keeper,
    reply: &'a mut Reply,
    progress: Progress,
    /// Bytes of the sources that are done.
    before: u64,
    /// Categories of whose records nothing is kept in the ledger but their number: the first lock opens it.
    second: Vec<Category>,
    end: Option<End>,
}

impl Sink for Receiver<'_> {
    fn take(&mut self, finding: Finding, progress: u64) -> Result<(), Stop> {
        match finding {
            Finding::Draft(draft) => {
                let category = draft.category;
                match self.importer.take(&draft) {
                    Ok(outcome) => self.count(category, &outcome),
                    Err(error) if error.is_fatal() => {
                        self.end = Some(End::Failed(error.into()));
                        return Err(Stop);
                    }
                    Err(TakeError::SecondLock) => self.wait(),
                    Err(error) => {
                        let is_open = !self.second.contains(&category);
                        let place = draft.source_id.as_deref().filter(|_| is_open);
                        self.fail(place.unwrap_or(draft.source), &error.to_string());
                    }
                }
            }
            Finding::Skipped { place, reason } => self.skip(&place, &reason),
            Finding::Failed { place, reason } => self.fail(&place, &reason),
        }
        self.go_on(progress)
    }
}

impl archive::Receive for Receiver<'_> {
    fn importer(&mut self) -> &mut Importer {
        &mut self.importer
    }

    fn took(&mut self, category: Category, outcome: &Outcome, progress: u64) -> Result<(), Stop> {
        self.count(category, outcome);
        self.go_on(progress)
    }

    fn failed(&mut self, place: &str, reason: &str) {
        self.fail(place, reason);
    }

    fn waits(&mut self, progress: u64) -> Result<(), Stop> {
        self.wait();
        self.go_on(progress)
    }

    fn broke(&mut self, failure: Failure) {
        self.end = Some(End::Failed(failure));
    }
}

impl Receiver<'_> {
    fn count(&mut self, category: Category, outcome: &Outcome) {
        increase(&mut self.ledger.read);
        if matches!(outcome, Outcome::New(_)) {
            increase(self.ledger.by_category.entry(category.to_string()).or_default());
        }
        increase(match outcome {
            Outcome::New(_) => &mut self.ledger.new,
            Outcome::Merged(_) => &mut self.ledger.merged,
            Outcome::Unchanged(_) => &mut self.ledger.unchanged,
        });
    }

    fn skip(&mut self, place: &str, reason: &str) {
        increase(&mut self.ledger.read);
        increase(&mut self.ledger.skipped);
        self.reasons.add("skipped", reason, place);
    }

    /// A record whose category is behind the second lock, which is shut.
    fn wait(&mut self) {
        increase(&mut self.ledger.second_lock);
        self.skip("", SECOND_LOCK);
    }

    fn fail(&mut self, place: &str, reason: &str) {
        increase(&mut self.ledger.read);
        increase(&mut self.ledger.failed);
        self.reasons.add("failed", reason, place);
    }

    fn go_on(&mut self, progress: u64) -> Result<(), Stop> {
        self.progress.done = self.before.saturating_add(progress).min(self.progress.total);
        self.progress.records = self.ledger.read;
        if self.keeper.is_locking() {
            self.end = Some(End::Asked("the vault was being locked"));
        } else if self.reply.progress(&self.progress).is_err() {
            self.end = Some(End::Asked("the command was stopped"));
        }
        if self.end.is_some() { Err(Stop) } else { Ok(()) }
    }

    fn finish(self) -> Result<Ledger, Failure> {
        let mut ledger = self.ledger;
        ledger.reasons = self.reasons.into_list();
        ledger.finished = rfc3339(now_ms());
        match self.end {
            Some(End::Failed(failure)) => {
                let what = format!("The import stopped: {}", failure.what);
                let safe = "What had been stored until then is kept, and running it again goes on.";
                return Err(Failure { what, safe: safe.to_owned(), ..failure });
            }
            Some(End::Asked(reason)) => ledger.stopped = Some(reason.to_owned()),
            None => {}
        }
        debug_assert!(ledger.adds_up());
        let kept = serde_json::to_value(&ledger).unwrap_or(Value::Null);
        self.importer.finish(ledger.run, &kept)?;
        Ok(ledger)
    }
}

fn increase(count: &mut u64) {
    *count = count.saturating_add(1);
}

/// Reasons, counted.
#[derive(Default)]
struct Reasons(BTreeMap<(&'static str, String), Reason>);

impl Reasons {
    fn add(&mut self, outcome: &'static str, reason: &str, place: &str) {
        let is_new = !self.0.contains_key(&(outcome, reason.to_owned()));
        let text = if is_new && self.0.len() >= REASONS_MAX { "other reasons" } else { reason };
        let entry = self.0.entry((outcome, text.to_owned())).or_insert_with(|| Reason {
            outcome: outcome.to_owned(),
            reason: text.to_owned(),
            count: 0,
            places: Vec::new(),
        });
        increase(&mut entry.count);
        if !place.is_empty() && entry.places.len() < PLACES_MAX {
            entry.places.push(place.chars().take(PLACE_CHARS_MAX).collect());
        }
    }

    /// The most frequent first.
    fn into_list(self) -> Vec<Reason> {
        let mut reasons: Vec<Reason> = self.0.into_values().collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.count));
        reasons
    }
}

/// Ledgers of past imports.
pub(super) fn runs(session: &Session, reply: &mut Reply) -> Result<Value, Failure> {
    let runs = session.imports()?;
    let count = runs.len();
    for (_, ledger) in runs {
        reply.item(&ledger)?;
    }
    Ok(json!({ "runs": count }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_and_bounded() {
        let mut reasons = Reasons::default();
        for count in 0..500 {
            reasons.add("skipped", &format!("reason {count}"), "here");
            reasons.add("failed", "the same", &"x".repeat(999));
        }
        let list = reasons.into_list();
        assert_eq!(list.iter().map(|reason| reason.count).sum::<u64>(), 1000);
        assert!(list.len() <= REASONS_MAX + 2);
        assert_eq!((list[0].count, list[0].places.len()), (500, PLACES_MAX));
        assert_eq!(list[0].places[0].len(), PLACE_CHARS_MAX);
    }
}
