// SPDX-License-Identifier: MIT OR Apache-2.0
//! A grant: what an assistant may do with which records, and until when.
//!
//! It is a fact of the root collection, so that it is sealed, on every device, and in an entry that a listed device has
//! signed. It never changes: more or less is another grant, and one that was ended stays ended. Who may do what in a
//! call is decided by `crate::gate`. Source: spec/consent.md, rules CNS-1 to CNS-5.

pub mod pace;

pub mod client;

use std::collections::{BTreeMap, BTreeSet};

use aura_protocol::id::GrantId;
use serde::{Deserialize, Serialize};

use crate::json;
use crate::record::{Category, Fields, Kind};
use crate::search::Scope;

/// The longest time for which something is granted, in milliseconds.
pub const GRANT_MS_MAX: i64 = 366 * 86_400_000;
/// The longest reason, in bytes.
pub const REASON_BYTES_MAX: usize = 1000;
/// Fields that one grant names.
pub const FIELDS_MAX: usize = 64;
/// The longest name of a field, in bytes.
pub const FIELD_BYTES_MAX: usize = 128;
/// The longest name of an assistant, in bytes.
pub const ASSISTANT_BYTES_MAX: usize = 64;
/// The longest time over which a rate is counted, in seconds.
pub const RATE_SECONDS_MAX: u32 = 7 * 86_400;

const GIVEN: &str = "grant/";
const ENDED: &str = "ungrant/";

/// An assistant, by the name that the person has connected it under: lower-case letters, digits, `-`, `_` and `.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Assistant(String);

impl Assistant {
    const PREFIX: &str = "assistant:";

    /// The assistant of this name, if it may be one.
    pub fn new(name: &str) -> Option<Self> {
        let is_plain =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
        let is_name = (1..=ASSISTANT_BYTES_MAX).contains(&name.len()) && name.chars().all(is_plain);
        is_name.then(|| Self(format!("{}{name}", Self::PREFIX)))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0.strip_prefix(Self::PREFIX).unwrap_or_default()
    }

    /// What the audit log and a record's history call it.
    pub fn principal(&self) -> &str {
        &self.0
    }

    fn of_principal(principal: &str) -> Option<Self> {
        Self::new(principal.strip_prefix(Self::PREFIX)?)
    }
}

/// What may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// Find records, and see their titles and the passage that was found.
    Search,
    /// See whole records.
    Read,
    /// Know how many there are.
    Count,
}

impl Right {
    /// Every right.
    pub const ALL: &'static [Self] = &[Self::Search, Self::Read, Self::Count];

    /// The word that a person reads and types.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Read => "read",
            Self::Count => "count",
        }
    }

    /// The right that this word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|right| right.as_str() == word)
    }
}

/// So many records in so many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Records.
    pub records: u64,
    /// Seconds.
    pub seconds: u32,
}

/// What is granted. What is not said is not limited, but for rights, categories and the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// What may be done.
    pub rights: BTreeSet<Right>,
    /// With records of these categories.
    pub categories: BTreeSet<Category>,
    /// And of these kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinds: Option<BTreeSet<Kind>>,
    /// Of which only these fields are shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<BTreeSet<String>>,
    /// That happened at this time or later, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<i64>,
    /// That happened before this time, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<i64>,
    /// So many records in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// And so many at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// From when, in milliseconds since 1970.
    pub from: i64,
    /// Until when, in milliseconds since 1970; not at that time any more.
    pub until: i64,
    /// Why, as the person who granted it said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// Why terms cannot be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TermsError {
    /// No right, category, kind or field.
    #[error("a grant says what may be done with which categories; none of its lists is empty")]
    Nothing,
    /// Secrets for getting in elsewhere.
    #[error("credentials are never shown to an assistant")]
    Credentials,
    /// It ends before it begins, or lasts for too long.
    #[error("a grant ends after it begins, and within 366 days")]
    Time,
    /// No record can be within its limits, or a number is out of bounds.
    #[error("a limit of a grant lets something through, and a rate is for 7 days at most")]
    Limits,
    /// Texts that are too long, or not plain.
    #[error("the texts of a grant are short and plain: 1000 bytes for the reason, 128 for a field")]
    Text,
}

impl Terms {
    /// Checks what CNS-2 says of terms.
    ///
    /// # Errors
    /// Why they cannot be granted.
    pub fn check(&self) -> Result<(), TermsError> {
        let is_empty = |set: &Option<BTreeSet<_>>| set.as_ref().is_some_and(BTreeSet::is_empty);
        if self.rights.is_empty()
            || self.categories.is_empty()
            || self.kinds.as_ref().is_some_and(BTreeSet::is_empty)
            || is_empty(&self.fields)
        {
            return Err(TermsError::Nothing);
        }
        if self.categories.contains(&Category::Credentials) {
            return Err(TermsError::Credentials);
        }
        if self.until <= self.from || self.until.saturating_sub(self.from) > GRANT_MS_MAX {
            return Err(TermsError::Time);
        }
        let is_window = self.after.zip(self.before).is_none_or(|(after, before)| after < before);
        let is_rate = self
            .rate
            .is_none_or(|rate| rate.records > 0 && (1..=RATE_SECONDS_MAX).contains(&rate.seconds));
        if !is_window || !is_rate || self.records == Some(0) {
            return Err(TermsError::Limits);
        }
        let is_text =
            |text: &str, bytes_max| text.len() <= bytes_max && !text.chars().any(char::is_control);
        let fields = self.fields.iter().flatten();
        let is_few = fields.clone().count() <= FIELDS_MAX;
        let is_plain = fields.into_iter().all(|name| is_text(name, FIELD_BYTES_MAX));
        let is_said = is_few && is_plain && is_text(&self.why, REASON_BYTES_MAX);
        if is_said { Ok(()) } else { Err(TermsError::Text) }
    }

    /// The records that these terms are about, as what a search may look at.
    pub fn scope(&self) -> Scope {
        let mut scope = Scope::categories(self.categories.iter().copied());
        if let Some(kinds) = &self.kinds {
            scope = scope.of_kinds(kinds.iter().copied());
        }
        if let Some(after) = self.after {
            scope = scope.after(after);
        }
        if let Some(before) = self.before {
            scope = scope.before(before);
        }
        scope
    }

    /// Whether a record is among them.
    pub fn covers(&self, category: Category, kind: Kind, time_ms: i64) -> bool {
        self.categories.contains(&category)
            && self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind))
            && self.after.is_none_or(|after| time_ms >= after)
            && self.before.is_none_or(|before| time_ms < before)
    }

    /// Leaves the fields that are shown.
    pub fn show(&self, fields: &mut Fields) {
        if let Some(shown) = &self.fields {
            fields.retain(|name, _| shown.contains(name));
        }
    }

    /// Whether whole records are shown.
    pub fn shows_all(&self) -> bool {
        self.fields.is_none()
    }
}

/// Something that was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// To whom.
    pub to: Assistant,
    /// When, in milliseconds since 1970.
    pub made_ms: i64,
    /// What.
    pub terms: Terms,
    /// When it was ended before its time, in milliseconds since 1970.
    pub ended_ms: Option<i64>,
}

/// A grant's fact (CNS-1). What this version does not know might be a limit, so nothing is skipped.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    to: String,
    made: i64,
    terms: Terms,
}

#[derive(Serialize, Deserialize)]
struct Ended {
    at: i64,
}

impl Grant {
    /// Whether it counts at this time.
    pub fn is_active(&self, now_ms: i64) -> bool {
        self.ended_ms.is_none() && (self.terms.from..self.terms.until).contains(&now_ms)
    }

    /// Name and value of its fact.
    pub fn fact(&self) -> (String, String) {
        let to = self.to.principal().to_owned();
        let given = Given { to, made: self.made_ms, terms: self.terms.clone() };
        (format!("{GIVEN}{}", self.id), text(&given))
    }

    /// Name and value of the fact that ends a grant.
    pub fn end_fact(id: GrantId, now_ms: i64) -> (String, String) {
        (format!("{ENDED}{id}"), text(&Ended { at: now_ms }))
    }
}

fn text(value: &impl Serialize) -> String {
    json::canonical(&serde_json::to_value(value).unwrap_or_default())
}

/// Every grant that a vault knows, ended ones included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Those that this version understands, oldest first.
    pub all: Vec<Grant>,
    /// How many it does not: they count for nothing here.
    pub unknown: u64,
}

impl Grants {
    /// The names of the facts that grants are read from begin so.
    pub const PREFIXES: [&str; 2] = [GIVEN, ENDED];

    /// Reads grants off facts.
    pub fn read(facts: impl IntoIterator<Item = (String, String)>) -> Self {
        let (mut given, mut ended) = (Vec::new(), BTreeMap::new());
        let mut unknown = 0u64;
        for (name, value) in facts {
            if let Some(id) = name.strip_prefix(GIVEN) {
                match read(id, &value) {
                    Some(grant) => given.push(grant),
                    None => unknown = unknown.saturating_add(1),
                }
            } else if let Some(id) = name.strip_prefix(ENDED) {
                // Whatever it says: that it is there ends the grant.
                let at = serde_json::from_str(&value).map_or(0, |Ended { at }| at);
                ended.extend(GrantId::parse(id).map(|id| (id, at)));
            }
        }
        for grant in &mut given {
            grant.ended_ms = ended.get(&grant.id).copied();
        }
        given.sort_by_key(|grant| (grant.made_ms, grant.id));
        Self { all: given, unknown }
    }

    /// Those that count at this time for an assistant and a right.
    pub fn of(&self, who: &Assistant, right: Right, now_ms: i64) -> Vec<Grant> {
        let is_one = |grant: &&Grant| {
            grant.to == *who && grant.is_active(now_ms) && grant.terms.rights.contains(&right)
        };
        self.all.iter().filter(is_one).cloned().collect()
    }
}

fn read(id: &str, value: &str) -> Option<Grant> {
    let id = GrantId::parse(id)?;
    let Given { to, made, terms } = serde_json::from_str(value).ok()?;
    terms.check().ok()?;
    let to = Assistant::of_principal(&to)?;
    Some(Grant { id, to, made_ms: made, terms, ended_ms: None })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;

    fn terms() -> Terms {
        Terms {
            rights: [Right::Search, Right::Read].into(),
            categories: [Category::Calendar].into(),
            kinds: None,
            fields: None,
            after: None,
            before: None,
            records: None,
            rate: None,
            from: 1000,
            until: 2000,
            why: "planning a journey".to_owned(),
        }
    }

    fn grant() -> Grant {
        let to = Assistant::new("claude").unwrap();
        Grant { id: GrantId([7; 16]), to, made_ms: 999, terms: terms(), ended_ms: None }
    }

    /// CNS-1: what was granted comes back, as one text; what another version says more is not honoured by half.
    #[test]
    fn cns_1_a_grant_is_a_fact() {
        let (name, value) = grant().fact();
        assert_eq!(name, "grant/07070707070707070707070707070707");
        assert_eq!(
            value,
            "{\"made\":999,\"terms\":{\"categories\":[\"calendar\"],\"from\":1000,\"rights\":[\"search\",\"read\"],\
             \"until\":2000,\"why\":\"planning a journey\"},\"to\":\"assistant:claude\"}"
        );
        let read = Grants::read([(name.clone(), value.clone())]);
        assert_eq!((read.all.as_slice(), read.unknown), (&[grant()][..], 0));
        let more = value.replacen("\"from\"", "\"floor\":3,\"from\"", 1);
        for unread in [more, value.replacen("calendar", "dreams", 1), "{}".to_owned()] {
            let read = Grants::read([(name.clone(), unread)]);
            assert_eq!((read.all.len(), read.unknown), (0, 1));
        }
    }

    /// CNS-2: what no grant may say, also not in one that is read.
    #[test]
    fn cns_2_terms_have_bounds() {
        use TermsError::{Credentials, Limits, Nothing, Text, Time};
        let none = BTreeSet::new;
        let name = |bytes| Some(BTreeSet::from(["x".repeat(bytes)]));
        let rate = |records, seconds| Some(Rate { records, seconds });
        let many = (0..=FIELDS_MAX).map(|n| n.to_string()).collect();
        let wrong: Vec<(Terms, TermsError)> = vec![
            (Terms { rights: BTreeSet::new(), ..terms() }, Nothing),
            (Terms { categories: BTreeSet::new(), ..terms() }, Nothing),
            (Terms { kinds: Some(BTreeSet::new()), ..terms() }, Nothing),
            (Terms { fields: Some(none()), ..terms() }, Nothing),
            (Terms { categories: [Category::Credentials].into(), ..terms() }, Credentials),
            (Terms { until: 1000, ..terms() }, Time),
            (Terms { until: 1001 + GRANT_MS_MAX, ..terms() }, Time),
            (Terms { after: Some(5), before: Some(5), ..terms() }, Limits),
            (Terms { records: Some(0), ..terms() }, Limits),
            (Terms { rate: rate(0, 1), ..terms() }, Limits),
            (Terms { rate: rate(1, 0), ..terms() }, Limits),
            (Terms { rate: rate(1, RATE_SECONDS_MAX + 1), ..terms() }, Limits),
            (Terms { fields: name(FIELD_BYTES_MAX + 1), ..terms() }, Text),
            (Terms { fields: Some(many), ..terms() }, Text),
            (Terms { why: "x".repeat(REASON_BYTES_MAX + 1), ..terms() }, Text),
            (Terms { why: "two\nlines".to_owned(), ..terms() }, Text),
        ];
        for (terms, error) in wrong {
            assert_eq!(terms.check(), Err(error), "{terms:?}");
            let (name, value) = Grant { terms, ..grant() }.fact();
            assert_eq!(Grants::read([(name, value)]).unknown, 1);
        }
        let most = Terms {
            until: 1000 + GRANT_MS_MAX,
            after: Some(4),
            before: Some(5),
            records: Some(1),
            rate: rate(1, RATE_SECONDS_MAX),
            fields: name(FIELD_BYTES_MAX),
            why: "x".repeat(REASON_BYTES_MAX),
            ..terms()
        };
        assert_eq!(most.check(), Ok(()));
    }

    /// CNS-3: from its beginning to before its end, and never again once it was ended, whatever comes first.
    #[test]
    fn cns_3_a_grant_has_an_end() {
        let active = [999, 1000, 1999, 2000].map(|now_ms| grant().is_active(now_ms));
        assert_eq!(active, [false, true, true, false]);
        let end = Grant::end_fact(grant().id, 1500);
        for facts in [vec![grant().fact(), end.clone()], vec![end.clone(), grant().fact()]] {
            let read = Grants::read(facts);
            assert_eq!(read.all[0].ended_ms, Some(1500));
            assert!(!read.all[0].is_active(1200));
        }
        let read = Grants::read([grant().fact(), (end.0, "noise".to_owned())]);
        assert!(!read.all[0].is_active(1200));
    }

    /// CNS-4: who, what for, and which records.
    #[test]
    fn cns_4_a_grant_is_for_one_and_for_what_it_says() {
        let grants = Grants { all: vec![grant()], unknown: 0 };
        let found = |name, right| grants.of(&Assistant::new(name).unwrap(), right, 1500).len();
        assert_eq!([found("claude", Right::Read), found("claude", Right::Count)], [1, 0]);
        assert_eq!(found("claud", Right::Read), 0);
        let terms = Terms {
            kinds: Some([Kind::Event].into()),
            after: Some(10),
            before: Some(20),
            ..terms()
        };
        let covers = |category, kind, time_ms| terms.covers(category, kind, time_ms);
        assert!(covers(Category::Calendar, Kind::Event, 10));
        assert!(covers(Category::Calendar, Kind::Event, 19));
        assert!(!covers(Category::Calendar, Kind::Event, 9));
        assert!(!covers(Category::Calendar, Kind::Event, 20));
        assert!(!covers(Category::Calendar, Kind::Task, 15));
        assert!(!covers(Category::Notes, Kind::Event, 15));
    }

    #[test]
    fn rights_have_words() {
        let words = ["search", "read", "count"];
        assert_eq!(words.map(Right::parse), [Right::Search, Right::Read, Right::Count].map(Some));
        assert_eq!(Right::ALL.iter().map(|right| right.as_str()).collect::<Vec<_>>(), words);
        assert_eq!(Right::parse("export"), None);
        assert_eq!((GRANT_MS_MAX, RATE_SECONDS_MAX), (31_622_400_000, 604_800));
    }

    #[test]
    fn names_are_plain() {
        for name in ["claude", "open-webui", "zed_1.2", &"x".repeat(ASSISTANT_BYTES_MAX)] {
            assert_eq!(Assistant::new(name).unwrap().name(), name);
        }
        for name in ["", "Claude", "a b", "a:b", "é", "a\n", &"x".repeat(ASSISTANT_BYTES_MAX + 1)]
        {
            assert_eq!(Assistant::new(name), None);
        }
    }
}
