// SPDX-License-Identifier: MIT OR Apache-2.0
//! The audit log for people: which events are meant, their sums, and each in a sentence.

use std::collections::BTreeMap;

use super::hall::list;
use super::words::{label, line};
use crate::client::{Client, parse};
use crate::exit::Failure;
use crate::moment;
use crate::screen::counted;
use crate::view::{AuditVerdict, Client as Connected, Event};
use crate::wire::Request;
use serde_json::Value;

/// So many different ones are counted apart; a log has no more assistants than that by honest means.
const NAMES_MAX: usize = 200;

/// Which events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) since_ms: Option<i64>,
    pub(crate) who: String,
    pub(crate) category: String,
    /// Whether the owner's own ones are left out.
    pub(crate) is_others_only: bool,
}

impl Filter {
    fn takes(&self, event: &Event) -> bool {
        let time = moment::parse(&event.time, 0);
        self.since_ms.is_none_or(|since| time.is_some_and(|time| time >= since))
            && (self.who.is_empty() || self.who == event.who)
            && (self.category.is_empty() || event.categories.contains(&self.category))
            && !(self.is_others_only && event.who == "owner")
    }
}

/// Whether the log is proved on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    Wanted,
    Left,
}

/// The events that were meant, and their sums.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// How often something was done, by day.
    pub(crate) days: BTreeMap<String, u64>,
    /// By who did it.
    pub(crate) who: BTreeMap<String, u64>,
    /// By category.
    pub(crate) categories: BTreeMap<String, u64>,
    /// The newest ones, newest first.
    pub(crate) newest: Vec<Event>,
    /// How many there were, shown or not.
    pub(crate) events: u64,
    /// Everybody who is in the log.
    pub(crate) names: Vec<String>,
    /// Whether exactly this log is whole, if that was asked for.
    pub(crate) verdict: Option<AuditVerdict>,
}

/// Reads the log, and keeps the newest so many.
pub(crate) fn gather(
    client: &mut Client,
    (filter, keep): (&Filter, usize),
    proof: Proof,
) -> Result<Gathered, Failure> {
    let mut gathered = Gathered::default();
    let mut newest = BTreeMap::new();
    let mut names = std::collections::BTreeSet::new();
    let request = match proof {
        Proof::Wanted => Request::ExportAudit,
        Proof::Left => Request::Audit,
    };
    let said = client.call(&request, &mut |item: Value| {
        // What proves the events stands among them, and so do those of a newer version.
        if item.get("who").is_none() {
            return Ok(());
        }
        let event: Event = parse(item)?;
        if names.len() < NAMES_MAX {
            names.insert(event.who.clone());
        }
        if !filter.takes(&event) {
            return Ok(());
        }
        gathered.take(&event);
        newest.insert((event.time.clone(), event.device.clone(), event.number), event);
        if newest.len() > keep {
            newest.pop_first();
        }
        Ok(())
    })?;
    if proof == Proof::Wanted {
        gathered.verdict = Some(parse(said)?);
    }
    gathered.newest = newest.into_values().rev().collect();
    gathered.names = names.into_iter().collect();
    Ok(gathered)
}

impl Gathered {
    fn take(&mut self, event: &Event) {
        self.events = self.events.saturating_add(1);
        let add = |sums: &mut BTreeMap<String, u64>, name: &str| {
            if sums.len() < 4 * NAMES_MAX || sums.contains_key(name) {
                let sum = sums.entry(name.to_owned()).or_default();
                *sum = sum.saturating_add(event.count);
            }
        };
        add(&mut self.days, event.time.get(..10).unwrap_or_default());
        add(&mut self.who, &event.who);
        for category in &event.categories {
            add(&mut self.categories, category);
        }
    }
}

/// Who is connected on this device.
pub(crate) fn connected(client: &mut Client) -> Result<Vec<Connected>, Failure> {
    list(client, &Request::Connected)
}

/// Who did it, as a person calls them.
pub(crate) fn who(name: &str) -> String {
    match name {
        "owner" => "You".to_owned(),
        "system" => "Aura itself".to_owned(),
        "assistant" => "A program that is not connected".to_owned(),
        name => line(name.strip_prefix("assistant:").unwrap_or(name)),
    }
}

/// What was done, in a sentence without its subject.
pub(crate) fn sentence(event: &Event) -> String {
    let n = event.count;
    let times = || if n == 1 { String::new() } else { format!(" {}", counted(n, "time")) };
    let what = match event.action.as_str() {
        "create" => "made the vault".to_owned(),
        "unlock" => format!("opened the vault{}", times()),
        "failed-unlock" => format!("tried a wrong password{}", times()),
        "lock" => format!("locked the vault{}", times()),
        "read" => format!("read {}", counted(n, "record")),
        "search" => format!("searched{}", times()),
        "count" => format!("counted records{}", times()),
        "write" => format!("wrote {}", counted(n, "record")),
        "delete" => format!("deleted {}", counted(n, "record")),
        "import" => format!("imported {}", counted(n, "record")),
        "export" => format!("exported {}", counted(n, "record")),
        "slot-add" => "added a way to open the vault".to_owned(),
        "slot-remove" => "removed a way to open the vault".to_owned(),
        "rotate" => "made new keys".to_owned(),
        "anomaly" => "found something that is not as it should be".to_owned(),
        "rebuild" => "built database and search anew".to_owned(),
        "read-audit" => format!("looked at the audit log{}", times()),
        "unlock-second" => "opened the second lock".to_owned(),
        "failed-unlock-second" => format!("tried a wrong second password{}", times()),
        "lock-second" => "shut the second lock".to_owned(),
        "device-add" => "let in a device".to_owned(),
        "device-confirm" => "confirmed a device".to_owned(),
        "device-revoke" => "revoked a device".to_owned(),
        "device-retire" => "retired a device".to_owned(),
        "compact" => "let go of what was deleted long ago".to_owned(),
        "grant" => "granted something".to_owned(),
        "ungrant" => "took a grant back".to_owned(),
        "connect" => "connected an assistant".to_owned(),
        "disconnect" => "sent an assistant away".to_owned(),
        other => format!("{}{}", label(other).to_lowercase(), times()),
    };
    let where_: Vec<_> = event.categories.iter().map(String::as_str).collect();
    if where_.is_empty() { what } else { format!("{what} in {}", where_.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(who: &str, action: &str, count: u64, time: &str) -> Event {
        Event {
            number: 0,
            device: String::new(),
            incarnation: String::new(),
            time: time.to_owned(),
            who: who.to_owned(),
            action: action.to_owned(),
            outcome: "done".to_owned(),
            categories: vec!["mail".to_owned()],
            count,
            grant: String::new(),
            hash: String::new(),
            encoded: None,
        }
    }

    #[test]
    fn events_are_sentences() {
        let said = |who_, action, n| {
            let event = event(who_, action, n, "2026-11-24T01:00:00Z");
            format!("{} {}", who(&event.who), sentence(&event))
        };
        assert_eq!(said("owner", "read", 3), "You read 3 records in mail");
        assert_eq!(said("assistant:claude", "search", 1), "claude searched in mail");
        assert_eq!(said("system", "new-thing", 2), "Aura itself new thing 2 times in mail");
    }

    #[test]
    fn filters_take_what_they_say() {
        let one = event("assistant:claude", "read", 1, "2026-11-24T01:00:00Z");
        let filter = |who: &str, category: &str, since| Filter {
            since_ms: since,
            who: who.to_owned(),
            category: category.to_owned(),
            is_others_only: true,
        };
        let time = moment::parse(&one.time, 0).unwrap();
        assert!(filter("", "", None).takes(&one));
        assert!(filter("assistant:claude", "mail", Some(time)).takes(&one));
        assert!(!filter("owner", "", None).takes(&one));
        assert!(!filter("", "health", None).takes(&one));
        assert!(!filter("", "", Some(time + 1)).takes(&one));
        assert!(!filter("", "", None).takes(&event("owner", "read", 1, "")));
    }
}
