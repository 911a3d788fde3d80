// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which column of a table becomes which field of a record.
//!
//! A person says it, or the names of the columns do: the tables of password managers, of banks and
//! of reading lists name themselves. Nothing is dropped: a column without a field of its own goes to
//! `extra`. Amounts stay the words that the table has, because a comma may mean either of two things.

use std::collections::BTreeMap;

use aura_vault::record::{Category, Fields, Kind};
use serde_json::Value;

use super::instant::{micros_ms, millis_ms, seconds_ms, table_ms};
use crate::draft::Draft;

/// Deepest field that a mapping may name.
const DEPTH_MAX: usize = 8;

/// What a row of a table, or a JSON object, becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The schema of the records.
    pub kind: Kind,
    /// Where they belong.
    pub category: Category,
    /// The column that identifies a row in its source.
    pub source_id: Option<String>,
    /// The column that says when it happened.
    pub time: Option<String>,
    /// From a column to a field. `login.username` is a field within a field, and a number (as in
    /// `login.uris.0.uri`) a place in a list. A column that is not named here keeps its name if that
    /// is a field of every record, and goes to `extra` otherwise.
    pub rename: BTreeMap<String, String>,
}

/// Names that mean the same in every kind.
const STANDARD: [&str; 10] = [
    "name",
    "title",
    "text",
    "description",
    "notes",
    "url",
    "keywords",
    "subject",
    "startTime",
    "endTime",
];

/// Tables that name themselves: the kind, the columns that must be there, all known columns with
/// their fields, the column with an id, the columns with a time.
struct Known {
    kind: Kind,
    must: &'static [&'static str],
    columns: &'static [(&'static str, &'static str)],
    id: &'static [&'static str],
    time: &'static [&'static str],
}

const KNOWN: [Known; 5] = [
    // Bitwarden's own table.
    Known {
        kind: Kind::Login,
        must: &["login_username", "login_password"],
        columns: &[
            ("login_username", "login.username"),
            ("login_password", "login.password"),
            ("login_totp", "login.totp"),
            ("login_uri", "login.uris.0.uri"),
        ],
        id: &[],
        time: &[],
    },
    // Browsers and KeePass.
    Known {
        kind: Kind::Login,
        must: &["username", "password"],
        columns: &[
            ("title", "name"),
            ("username", "login.username"),
            ("password", "login.password"),
            ("totp", "login.totp"),
            ("url", "login.uris.0.uri"),
            ("note", "notes"),
            ("group", "folder"),
        ],
        id: &["guid"],
        time: &["timecreated", "created"],
    },
    Known {
        kind: Kind::Bookmark,
        must: &["url", "time_added"],
        columns: &[("title", "name"), ("url", "url"), ("tags", "keywords")],
        id: &["url"],
        time: &["time_added"],
    },
    Known {
        kind: Kind::Transaction,
        must: &["date", "amount"],
        columns: &[
            ("amount", "amount"),
            ("currency", "currency"),
            ("description", "description"),
            ("counterparty", "name"),
            ("merchant", "name"),
            ("payee", "name"),
        ],
        id: &["reference", "transaction id", "fitid"],
        time: &["date"],
    },
    Known {
        kind: Kind::Note,
        must: &["title", "content"],
        columns: &[("title", "name"), ("content", "text"), ("tags", "keywords")],
        id: &["id"],
        time: &["created", "date"],
    },
];

impl Mapping {
    /// The mapping that the columns' names tell, if they tell one.
    pub fn guess(columns: &[String]) -> Option<Self> {
        let find = |wanted: &str| {
            columns.iter().find(|column| column.trim().eq_ignore_ascii_case(wanted)).cloned()
        };
        let known =
            KNOWN.iter().find(|known| known.must.iter().all(|must| find(must).is_some()))?;
        let rename = known
            .columns
            .iter()
            .filter_map(|(column, field)| Some((find(column)?, (*field).to_owned())))
            .collect();
        Some(Self {
            kind: known.kind,
            category: known.kind.category(),
            source_id: known.id.iter().find_map(|column| find(column)),
            time: known.time.iter().find_map(|column| find(column)),
            rename,
        })
    }

    /// Why a row of movements of money cannot be one: a wrong date or sum is worse than none.
    pub(crate) fn problem(&self, row: &Fields) -> Option<&'static str> {
        if self.kind != Kind::Transaction {
            return None;
        }
        let date = self.time.as_ref().and_then(|column| row.get(column));
        if date.is_some_and(|date| time_ms(date).is_none()) {
            return Some("its date cannot be read");
        }
        let amount = self.rename.iter().find(|(_, field)| *field == "amount");
        let amount = amount.and_then(|(column, _)| row.get(column)).and_then(Value::as_str);
        if amount.is_some_and(|amount| !amount.contains(|c: char| c.is_ascii_digit())) {
            return Some("its amount is no number");
        }
        None
    }

    /// The draft of one row. Empty cells are left out.
    pub(crate) fn draft(&self, row: Fields, source: &'static str) -> Draft {
        let cell = |column: &Option<String>| column.as_ref().and_then(|column| row.get(column));
        let source_id = cell(&self.source_id).and_then(|value| match value {
            Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        });
        let time_ms = cell(&self.time).and_then(time_ms);
        let mut fields = Fields::new();
        let mut extra = Fields::new();
        for (column, value) in row {
            if value.is_null() || value.as_str().is_some_and(str::is_empty) {
                continue;
            }
            if let Some(path) = self.rename.get(&column) {
                let mut all = Value::Object(fields);
                place(&mut all, &path.split('.').collect::<Vec<_>>(), value);
                fields = match all {
                    Value::Object(fields) => fields,
                    _ => Fields::new(),
                };
            } else if STANDARD.contains(&column.as_str()) {
                fields.insert(column, value);
            } else {
                extra.insert(column, value);
            }
        }
        if !extra.is_empty() {
            fields.insert("extra".to_owned(), extra.into());
        }
        // What a bank says of a movement is all that it can be called by.
        if self.kind == Kind::Transaction
            && !fields.contains_key("name")
            && let Some(said) = fields.remove("description")
        {
            fields.insert("name".to_owned(), said);
        }
        if self.kind == Kind::Login {
            // Bitwarden's number for a login; without it the way back does not know what it is.
            fields.entry("type").or_insert_with(|| 1.into());
        }
        Draft {
            kind: self.kind,
            category: self.category,
            source,
            source_id,
            time_ms,
            fields,
            attachments: Vec::new(),
        }
    }
}

/// Puts a value at a path; what stands in the way gives way.
fn place(into: &mut Value, path: &[&str], value: Value) {
    let Some((first, rest)) = path.split_first().filter(|_| path.len() <= DEPTH_MAX) else {
        *into = value;
        return;
    };
    if let Ok(index) = first.parse::<usize>() {
        if !into.is_array() {
            *into = Value::Array(Vec::new());
        }
        if let Value::Array(list) = into {
            // A list has no gaps: a number past its end is its next place.
            if index >= list.len() {
                list.push(Value::Null);
            }
            let at = index.min(list.len().saturating_sub(1));
            if let Some(slot) = list.get_mut(at) {
                place(slot, rest, value);
            }
        }
        return;
    }
    if !into.is_object() {
        *into = Value::Object(Fields::new());
    }
    if let Value::Object(members) = into {
        place(members.entry((*first).to_owned()).or_insert(Value::Null), rest, value);
    }
}

/// A time in a cell: words, or a number whose size tells its unit.
fn time_ms(value: &Value) -> Option<i64> {
    if let Some(ms) = value.as_str().and_then(table_ms) {
        return Some(ms);
    }
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse::<f64>().ok()?,
        _ => return None,
    };
    // A hundred thousand million seconds is the year 5138; as milliseconds it is 1973.
    match number.abs() {
        size if size < 1e11 => seconds_ms(value),
        size if size < 1e14 => millis_ms(value),
        _ => micros_ms(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn columns(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn tables_that_name_themselves() {
        let chrome =
            Mapping::guess(&columns(&["name", "url", "username", "password", "note"])).unwrap();
        assert_eq!((chrome.kind, chrome.category), (Kind::Login, Category::Credentials));
        let row = json!({"name": "n", "url": "u", "username": "a", "password": "p", "note": "", "x": "y"});
        let draft = chrome.draft(row.as_object().unwrap().clone(), "csv");
        assert_eq!(
            Value::Object(draft.fields),
            json!({"name": "n", "type": 1, "extra": {"x": "y"},
                "login": {"username": "a", "password": "p", "uris": [{"uri": "u"}]}})
        );
        let bank = Mapping::guess(&columns(&["Date", "Amount", "Reference"])).unwrap();
        assert_eq!((bank.kind, bank.time.as_deref()), (Kind::Transaction, Some("Date")));
        assert!(Mapping::guess(&columns(&["a", "b"])).is_none());
    }

    #[test]
    fn times_and_paths_of_all_sizes() {
        for (cell, ms) in [
            (json!("2026-01-31"), 1_769_817_600_000),
            (json!("1769817600"), 1_769_817_600_000),
            (json!(1_769_817_600_000_i64), 1_769_817_600_000),
            (json!("1769817600000000"), 1_769_817_600_000),
        ] {
            assert_eq!(time_ms(&cell), Some(ms), "{cell}");
        }
        let mut value = json!({"a": 1});
        place(&mut value, &["a", "9", "b"], json!(2));
        place(&mut value, &["a", "9", "c"], json!(3));
        assert_eq!(value, json!({"a": [{"b": 2}, {"c": 3}]}));
    }
}
