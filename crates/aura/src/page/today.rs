// SPDX-License-Identifier: MIT OR Apache-2.0
//! Today: is it safe, is it synced, who looked?

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;

use super::event::{Filter, Proof, gather, sentence, who};
use super::frame::{Answer, Frame, show};
use super::hall::Hall;
use super::session::Visit;
use super::words::{Time, line};
use crate::moment::{self, now_ms};
use crate::screen::{count, counted};
use crate::view::{Event, Status, Store};
use crate::wire::Request;

/// Events that are looked at for the list, and lines of it.
const EVENTS_MAX: usize = 200;
const LINES_MAX: usize = 10;

/// What is said of one question: whether it is well, a line, and what to know besides.
struct Said {
    is_well: bool,
    line: String,
    more: Vec<String>,
}

/// An event in words.
pub(crate) struct Told {
    pub(crate) time: Time,
    pub(crate) who: String,
    pub(crate) what: String,
    /// Empty if it was done.
    pub(crate) outcome: String,
    pub(crate) is_own: bool,
}

impl Told {
    /// Events in their order, newest first; alike ones of one hour that follow each other are one line.
    pub(crate) fn all(events: &[Event]) -> Vec<Self> {
        let mut joined: Vec<Event> = Vec::new();
        let is_alike = |one: &Event, other: &Event| {
            let key = |event: &Event| {
                let hour = event.time.get(..13).unwrap_or_default().to_owned();
                (hour, event.who.clone(), event.action.clone(), event.outcome.clone())
            };
            key(one) == key(other) && one.categories == other.categories
        };
        for event in events {
            match joined.last_mut() {
                Some(last) if is_alike(last, event) => {
                    last.count = last.count.saturating_add(event.count);
                }
                _ => joined.push(event.clone()),
            }
        }
        joined.iter().map(Self::of).collect()
    }

    fn of(event: &Event) -> Self {
        Self {
            time: Time::of(&event.time),
            who: who(&event.who),
            what: sentence(event),
            outcome: if event.outcome == "done" { String::new() } else { event.outcome.clone() },
            is_own: event.who == "owner",
        }
    }
}

#[derive(Template)]
#[template(path = "today.html")]
struct Page {
    frame: Frame,
    records: Option<String>,
    /// Each question with its answer, and the page that has more.
    answers: [(&'static str, Said, &'static str, &'static str); 3],
    warnings: Vec<String>,
    events: Vec<Told>,
    /// How many there were today, if not all are shown.
    more: Option<String>,
}

/// The page.
pub(crate) async fn page(
    State(hall): State<Arc<Hall>>,
    Extension(visit): Extension<Visit>,
) -> Answer {
    let today = moment::parse(&moment::day(now_ms()), 0);
    let filter = Filter { since_ms: today, ..Filter::default() };
    let (status, is_known, gathered) = hall
        .with(move |client| {
            let mut status: Status = client.ask(&Request::Status)?;
            // A status says no stores where they could not be read. Nothing is not known to be nothing then.
            let stores: Option<Vec<Store>> = client.ask(&Request::Stores).ok();
            let is_known = stores.is_some();
            status.stores = stores.unwrap_or_default();
            Ok((status, is_known, gather(client, (&filter, EVENTS_MAX), Proof::Left)?))
        })
        .await?;
    let shown = u64::try_from(gathered.newest.len()).unwrap_or(u64::MAX);
    let mut lines = Told::all(&gathered.newest);
    lines.truncate(LINES_MAX);
    let has_more = gathered.events > shown || lines.len() == LINES_MAX;
    let sums = gathered.who.iter().map(|(who, sum)| (who.as_str(), *sum));
    Ok(show(&Page {
        frame: Frame::new("Today", "/", &visit),
        records: status.records.map(count),
        answers: [
            ("Is it safe?", safe(&status), "/safety", "Safety"),
            ("Is it synced?", synced(is_known.then_some(&status.stores)), "/devices", "Devices"),
            ("Who looked?", looked(sums, &status), "/audit", "Audit"),
        ],
        warnings: status.warnings.iter().map(|warning| line(warning)).collect(),
        events: lines,
        more: has_more.then(|| counted(gathered.events, "event")),
    }))
}

/// Is it safe? Only what this device knows of itself is said.
fn safe(status: &Status) -> Said {
    let mut more = Vec::new();
    let bad = status.quarantined.unwrap_or_default();
    if bad > 0 {
        let what = if bad == 1 { "1 entry".to_owned() } else { format!("{} entries", count(bad)) };
        more.push(format!("{what} cannot be read. In a terminal: aura verify"));
    }
    let waiting = status.devices.iter().filter(|device| !device.confirmed && !device.revoked);
    let waiting = u64::try_from(waiting.count()).unwrap_or(u64::MAX);
    if waiting > 0 {
        more.push(format!("{} to be confirmed: see Devices.", waits(waiting)));
    }
    if status.backups.is_empty() {
        more.push("No backup is known here. Keep a copy: aura export --archive FILE".to_owned());
    }
    let found: Vec<_> = status.stores.iter().flat_map(open_findings).collect();
    let is_well = status.warnings.is_empty() && bad == 0 && waiting == 0 && found.is_empty();
    more.extend(found);
    let line = if is_well {
        "Nothing is amiss that this device knows of."
    } else {
        "Something needs you."
    };
    Said { is_well, line: line.to_owned(), more }
}

fn waits(devices: u64) -> String {
    if devices == 1 {
        "1 device waits".to_owned()
    } else {
        format!("{} devices wait", count(devices))
    }
}

/// What was found to be wrong with a store and is so still.
fn open_findings(store: &Store) -> impl Iterator<Item = String> {
    let open = store.findings.iter().filter(|finding| !finding.over);
    open.map(|finding| format!("{}: {}", line(&store.path), line(&finding.text)))
}

/// Is it synced? A store is, if it is known to have everything.
fn synced(stores: Option<&[Store]>) -> Said {
    let Some(stores) = stores else {
        return Said {
            is_well: false,
            line: "It is not known which stores there are.".to_owned(),
            more: vec!["In a terminal: aura status".to_owned()],
        };
    };
    if stores.is_empty() {
        return Said {
            is_well: false,
            line: "Everything is on this device only.".to_owned(),
            more: vec!["Sync with a folder, a server or another device: see Devices.".to_owned()],
        };
    }
    let is_synced = |store: &&Store| {
        store.waiting == Some(0)
            && store.wanted == 0
            && store.trouble.is_none()
            && store.synced.is_some()
            && !store.password_due
            && open_findings(store).next().is_none()
    };
    let well = stores.iter().filter(is_synced).count();
    let troubles = stores.iter().filter(|store| !is_synced(store)).map(|store| {
        let name = line(&store.path);
        match (&store.trouble, store.waiting) {
            (Some(trouble), _) => format!("{name}: {}", line(trouble)),
            (None, Some(waiting)) if waiting > 0 => {
                format!("{name}: {} not there yet.", counted(waiting, "change"))
            }
            _ => open_findings(store).next().unwrap_or_else(|| {
                let due = "the account has the vault's former password still.";
                let what = if store.password_due { due } else { "not known yet." };
                format!("{name}: {what}")
            }),
        }
    });
    let more: Vec<_> = troubles.collect();
    let line = if well == stores.len() {
        "Every store has everything that is here.".to_owned()
    } else if stores.len() == 1 {
        "The one store is not known to have everything.".to_owned()
    } else {
        format!("{well} of {} stores are known to have everything.", stores.len())
    };
    Said { is_well: well == stores.len(), line, more }
}

/// Who looked today, besides the person?
fn looked<'a>(sums: impl Iterator<Item = (&'a str, u64)>, status: &Status) -> Said {
    let others = sums.filter(|(name, _)| !matches!(*name, "owner" | "system"));
    let others: Vec<_> =
        others.map(|(name, sum)| format!("{}: {}", who(name), counted(sum, "time"))).collect();
    let grants = status.grants.as_ref().map(Vec::len).unwrap_or_default();
    let grants = match grants {
        0 => "Nothing is granted to anybody.".to_owned(),
        1 => "1 grant counts now.".to_owned(),
        number => format!("{number} grants count now."),
    };
    let line = if others.is_empty() {
        "Nobody but you, as far as this device has heard.".to_owned()
    } else {
        "Others looked today.".to_owned()
    };
    Said { is_well: others.is_empty(), line, more: others.into_iter().chain([grants]).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Finding;

    fn store(synced: Option<&str>, waiting: Option<u64>, trouble: Option<&str>) -> Store {
        Store {
            kind: "folder".to_owned(),
            path: "/media/stick".to_owned(),
            device: None,
            port: None,
            account: None,
            key: None,
            password_due: false,
            synced: synced.map(str::to_owned),
            waiting,
            wanted: 0,
            trouble: trouble.map(str::to_owned),
            findings: Vec::new(),
        }
    }

    /// Nothing says synced unless it can be proved.
    #[test]
    fn synced_is_said_only_of_what_is_known() {
        let finding = |over| Finding {
            kind: "rolled-back".to_owned(),
            device: None,
            count: 1,
            since: String::new(),
            over,
            text: "It shows an older state.".to_owned(),
            next: String::new(),
        };
        let well = store(Some("t"), Some(0), None);
        assert!(synced(Some(&[well])).is_well);
        let over = vec![finding(true)];
        assert!(
            synced(Some(&[Store { findings: over, ..store(Some("t"), Some(0), None) }])).is_well
        );
        let unknown = [
            store(None, Some(0), None),
            store(Some("t"), None, None),
            store(Some("t"), Some(1), None),
            store(Some("t"), Some(0), Some("it could not be reached")),
            Store { wanted: 1, ..store(Some("t"), Some(0), None) },
            Store { password_due: true, ..store(Some("t"), Some(0), None) },
            Store { findings: vec![finding(false)], ..store(Some("t"), Some(0), None) },
        ];
        for store in unknown {
            let said = synced(Some(std::slice::from_ref(&store)));
            assert!(!said.is_well && !said.line.contains("Every"), "{store:?}");
            assert_eq!(said.more.len(), 1);
        }
        assert!(!synced(Some(&[])).is_well);
        assert!(!synced(None).is_well && !synced(None).line.contains("only"));
        let stores =
            vec![Store { findings: vec![finding(false)], ..store(Some("t"), Some(0), None) }];
        assert!(!safe(&Status { stores, ..Status::default() }).is_well);
        assert!(safe(&Status::default()).is_well);
    }

    #[test]
    fn alike_events_are_one_line() {
        let event = |time: &str, action: &str| Event {
            number: 0,
            device: String::new(),
            incarnation: String::new(),
            time: time.to_owned(),
            who: "owner".to_owned(),
            action: action.to_owned(),
            outcome: "done".to_owned(),
            categories: Vec::new(),
            count: 2,
            grant: String::new(),
            hash: String::new(),
            encoded: None,
        };
        let log = [
            event("2026-11-24T02:00:00Z", "read"),
            event("2026-11-24T01:50:00Z", "read"),
            event("2026-11-24T01:40:00Z", "read"),
            event("2026-11-24T01:30:00Z", "write"),
            event("2026-11-24T01:20:00Z", "read"),
        ];
        let lines: Vec<_> = Told::all(&log).into_iter().map(|line| line.what).collect();
        assert_eq!(
            lines,
            ["read 2 records", "read 4 records", "wrote 2 records", "read 2 records"]
        );
    }

    #[test]
    fn who_looked_is_said() {
        let status = Status::default();
        assert!(looked([("owner", 9)].into_iter(), &status).is_well);
        let said = looked([("owner", 9), ("assistant:claude", 2)].into_iter(), &status);
        assert!(!said.is_well && said.more.first().unwrap() == "claude: 2 times");
    }
}
