// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which events are asked for.
//!
//! A word that nothing could ever match is refused: "no event" must not come of a misspelling.

use aura_vault::record::Category;
use clap::Args;

use crate::exit::Failure;
use crate::moment;
use crate::view::Event;

/// What may be typed.
#[derive(Debug, Args)]
pub(crate) struct Filters {
    /// Since a day, a time, or so long ago: 30d, 12h
    #[arg(long)]
    since: Option<String>,
    /// Only by this one: owner, system, or the name of an assistant
    #[arg(long)]
    who: Option<String>,
    /// Only where this category was touched
    #[arg(long)]
    category: Option<String>,
}

impl Filters {
    /// Whether nothing was typed.
    pub(super) fn are_none(&self) -> bool {
        self.since.is_none() && self.who.is_none() && self.category.is_none()
    }

    pub(super) fn read(self) -> Result<Filter, Failure> {
        let now_ms = moment::now_ms();
        let time = self.since.as_deref().map(|since| {
            moment::parse(since, now_ms).ok_or_else(|| {
                Failure::usage("That is not a time.", "Write it as 30d, 12h or 2025-03-14.")
            })
        });
        let category = self.category.as_deref().map(|word| {
            Category::parse(word).ok_or_else(|| {
                let words: Vec<_> = Category::ALL.iter().map(|one| one.as_str()).collect();
                let next = format!("There are: {}.", words.join(", "));
                Failure::usage("There is no such category.", next)
            })
        });
        let (since_ms, category) = (time.transpose()?, category.transpose()?);
        Ok(Filter { since_ms, category, is_known: self.who.is_none(), typed: self })
    }
}

/// The same, understood.
pub(super) struct Filter {
    typed: Filters,
    since_ms: Option<i64>,
    category: Option<Category>,
    /// Whether an event by whom is asked for was met, at whatever time.
    is_known: bool,
}

impl Filter {
    /// Whether anything is asked for but everything.
    pub(super) fn asks(&self) -> bool {
        !self.typed.are_none()
    }

    pub(super) fn takes(&mut self, event: &Event) -> bool {
        let is_theirs = self.typed.who.as_deref().is_none_or(|who| is_by(who, &event.who));
        self.is_known |= is_theirs;
        // An event whose time nobody can write down is no reason to hide it.
        let time = moment::parse(&event.time, 0);
        let is_since = |since| time.is_none_or(|time| time >= since);
        let is_about =
            |category: Category| event.categories.iter().any(|it| it == category.as_str());
        is_theirs && self.since_ms.is_none_or(is_since) && self.category.is_none_or(is_about)
    }

    /// Who was asked for, where none of the events that were looked at is by them.
    pub(super) fn unknown(&self) -> Option<&str> {
        self.typed.who.as_deref().filter(|_| !self.is_known)
    }

    /// What was asked for, in words.
    pub(super) fn words(&self) -> String {
        let minute = |ms| moment::rfc3339(ms).get(..16).unwrap_or_default().replace('T', " ");
        let since = self.since_ms.map(|since| format!("since {}", minute(since)));
        let who = self.typed.who.as_ref().map(|who| format!("by {}", crate::screen::clean(who)));
        let category = self.category.map(|category| format!("in {category}"));
        [since, who, category].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// An assistant is meant by its name as well.
fn is_by(who: &str, principal: &str) -> bool {
    principal == who || principal.strip_prefix("assistant:") == Some(who)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(who: &str, time: &str) -> Event {
        serde_json::from_value(serde_json::json!({
            "number": 0, "device": "d", "incarnation": "i", "time": time, "who": who, "action": "read",
            "outcome": "done", "categories": ["mail"], "count": 1, "grant": "", "hash": "h",
        }))
        .unwrap()
    }

    fn filter(since: Option<&str>, who: Option<&str>, category: Option<&str>) -> Filters {
        let typed = |word: Option<&str>| word.map(str::to_owned);
        Filters { since: typed(since), who: typed(who), category: typed(category) }
    }

    #[test]
    fn an_assistant_is_meant_by_its_name_and_nobody_else_is() {
        let takes = |who, by| filter(None, Some(who), None).read().unwrap().takes(&event(by, ""));
        assert!(
            takes("claude", "assistant:claude") && takes("assistant:claude", "assistant:claude")
        );
        assert!(takes("owner", "owner") && takes("assistant", "assistant"));
        assert!(!takes("claude", "assistant:claude2") && !takes("assistant", "assistant:claude"));
    }

    /// "No event" must not come of a misspelt category, nor of a time that has no form.
    #[test]
    fn nothing_is_hidden_by_what_is_not_understood() {
        assert!(filter(None, None, Some("helth")).read().is_err());
        assert!(filter(Some("gestern"), None, None).read().is_err());
        let mut since = filter(Some("1d"), None, Some("mail")).read().unwrap();
        assert!(since.takes(&event("owner", "")), "a year beyond 9999 has no form");
        assert!(!since.takes(&event("owner", "2001-01-01T00:00:00Z")));
        assert!(since.asks() && since.unknown().is_none());
        let mut other = filter(None, Some("claud"), None).read().unwrap();
        assert!(!other.takes(&event("assistant:claude", "")));
        assert_eq!((other.unknown(), other.words().as_str()), (Some("claud"), "by claud"));
    }
}
