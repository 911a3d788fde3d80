// SPDX-License-Identifier: MIT OR Apache-2.0
//! What was brought in, and what became of it.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;

use super::frame::{Answer, Frame, show};
use super::hall::Hall;
use super::session::Visit;
use super::words::{Time, label, line};
use crate::screen::{count, size};
use crate::view::Ledger;
use crate::wire::Request;

/// Runs on the page.
const RUNS_MAX: usize = 50;

struct Reason {
    what: String,
    count: String,
    place: String,
}

struct Run {
    number: u64,
    when: Time,
    paths: String,
    /// `read = new + …`, each with its name.
    sum: Vec<(&'static str, String)>,
    is_well: bool,
    parts: Vec<String>,
    reasons: Vec<Reason>,
    stopped: Option<String>,
    has_waiting: bool,
}

impl Run {
    fn of(ledger: &Ledger) -> Self {
        let sum = [
            ("read", ledger.read),
            ("new", ledger.new),
            ("merged", ledger.merged),
            ("unchanged", ledger.unchanged),
            ("skipped", ledger.skipped),
            ("failed", ledger.failed),
        ];
        let parts = ledger.found.iter().map(|part| {
            let name = line(part.path.rsplit('/').next().unwrap_or_default());
            format!(
                "{name}: {}, {} ({})",
                part.format,
                size(part.bytes),
                part.categories.join(", ")
            )
        });
        let reasons = ledger.reasons.iter().map(|reason| Reason {
            what: format!("{}: {}", label(&reason.outcome), line(&reason.reason)),
            count: count(reason.count),
            place: reason.places.first().map(|place| line(place)).unwrap_or_default(),
        });
        Self {
            number: ledger.run,
            when: Time::of(&ledger.finished),
            paths: line(&ledger.paths.join(", ")),
            is_well: ledger.adds_up() && ledger.failed == 0 && ledger.stopped.is_none(),
            sum: sum.map(|(name, number)| (name, count(number))).into(),
            parts: parts.collect(),
            reasons: reasons.collect(),
            stopped: ledger.stopped.as_deref().map(line),
            has_waiting: ledger.second_lock > 0,
        }
    }
}

#[derive(Template)]
#[template(path = "imports.html")]
struct Page {
    frame: Frame,
    runs: Vec<Run>,
    is_cut: bool,
}

/// The page.
pub(crate) async fn page(
    State(hall): State<Arc<Hall>>,
    Extension(visit): Extension<Visit>,
) -> Answer {
    let mut ledgers: Vec<Ledger> = hall.list(Request::Imports).await?;
    ledgers.reverse();
    let is_cut = ledgers.len() > RUNS_MAX;
    let runs = ledgers.iter().take(RUNS_MAX).map(Run::of).collect();
    Ok(show(&Page { frame: Frame::new("Imports", "/imports", &visit), runs, is_cut }))
}
