// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who did what: by day, by whom, by category. It is called verified only if exactly what is shown was proved.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{RawQuery, State};

use super::chart::{Bar, Days, bars, days};
use super::event::{Filter, Proof, gather, who};
use super::frame::{Answer, Frame, show};
use super::hall::Hall;
use super::session::Visit;
use super::today::Told;
use super::words::{Words, label, query};
use crate::moment::now_ms;
use crate::screen::counted;
use crate::view::AuditVerdict;
use aura_vault::record::Category;

/// Events on the page.
const EVENTS_MAX: usize = 200;
/// Bars of a chart.
const BARS_MAX: usize = 14;
const DAY_MS: i64 = 86_400_000;

/// A choice of a list: value, name, and whether it is chosen.
struct Choice {
    value: String,
    name: String,
    is_chosen: bool,
}

/// What is known of the log as a whole.
struct Proved {
    is_whole: bool,
    line: String,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Page {
    frame: Frame,
    spans: Vec<Choice>,
    names: Vec<Choice>,
    categories: Vec<Choice>,
    /// The address of this page, with a proof.
    prove: String,
    proved: Option<Proved>,
    days: Days,
    by_who: Vec<Bar>,
    by_category: Vec<Bar>,
    events: Vec<Told>,
    total: String,
    is_cut: bool,
}

/// The page.
pub(crate) async fn page(
    State(hall): State<Arc<Hall>>,
    Extension(visit): Extension<Visit>,
    RawQuery(asked): RawQuery,
) -> Answer {
    let words = Words::of(asked.unwrap_or_default().as_bytes());
    let now = now_ms();
    let span = match words.get("span") {
        "" => "30",
        other => other,
    };
    let back = span.parse::<i64>().ok().filter(|days| (1..=3660).contains(days));
    let since_ms = back.map(|days| {
        let first = now.saturating_sub(days.saturating_sub(1).saturating_mul(DAY_MS));
        first.saturating_sub(first.rem_euclid(DAY_MS))
    });
    let filter = Filter {
        since_ms,
        who: words.get("who").to_owned(),
        category: words.get("in").to_owned(),
        is_others_only: false,
    };
    let wanted = filter.clone();
    let proof = if words.get("prove") == "yes" { Proof::Wanted } else { Proof::Left };
    let gathered = hall.with(move |client| gather(client, (&wanted, EVENTS_MAX), proof)).await?;
    let spans = [("7", "7 days"), ("30", "30 days"), ("90", "90 days"), ("all", "All")];
    let choose = |value: &str, name: String, chosen: &str| Choice {
        is_chosen: value == chosen,
        value: value.to_owned(),
        name,
    };
    let all = |chosen: &str| choose("", "All".to_owned(), chosen);
    let known = gathered.names.iter().map(|name| choose(name, who(name), &filter.who));
    let categories =
        Category::ALL.iter().map(|one| choose(one.as_str(), label(one.as_str()), &filter.category));
    let prove =
        [("span", span), ("who", &*filter.who), ("in", &*filter.category), ("prove", "yes")];
    Ok(show(&Page {
        spans: spans.map(|(value, name)| choose(value, name.to_owned(), span)).into(),
        names: std::iter::once(all(&filter.who)).chain(known).collect(),
        categories: std::iter::once(all(&filter.category)).chain(categories).collect(),
        prove: format!("/audit?{}", query(&prove)),
        proved: gathered.verdict.as_ref().map(proved),
        days: days(gathered.days.iter(), (since_ms, now)),
        by_who: bars(gathered.who.iter(), (who, BARS_MAX)),
        by_category: bars(gathered.categories.iter(), (label, BARS_MAX)),
        is_cut: gathered.events > u64::try_from(EVENTS_MAX).unwrap_or(u64::MAX),
        total: counted(gathered.events, "event"),
        events: Told::all(&gathered.newest),
        frame: Frame::new("Audit", "/audit", &visit),
    }))
}

fn proved(verdict: &AuditVerdict) -> Proved {
    match &verdict.first_bad {
        None if verdict.ok => Proved {
            is_whole: true,
            line: format!(
                "Verified: {}, none missing, changed or reordered.",
                counted(verdict.size, "event")
            ),
        },
        bad => Proved {
            is_whole: false,
            line: format!(
                "Not verified: {}. Everything else can be used; compare with another device or a backup.",
                bad.as_deref().unwrap_or("the log does not verify")
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "Verified" is said only of what was.
    #[test]
    fn verified_is_said_only_if_it_is() {
        let verdict = |ok, bad: Option<&str>| AuditVerdict {
            ok,
            size: 3,
            root: String::new(),
            first_bad: bad.map(str::to_owned),
        };
        assert!(proved(&verdict(true, None)).line.starts_with("Verified: 3 events"));
        for verdict in [verdict(false, None), verdict(false, Some("x")), verdict(true, Some("x"))] {
            let said = proved(&verdict);
            assert!(!said.is_whole && said.line.starts_with("Not verified"));
        }
    }
}
