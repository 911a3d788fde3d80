// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a component of an own export says of its record that calendars and cards have no place for, in
//! one line of its own, so that it is the same record when it is read again.
//!
//! The value is a JSON object, escaped as text. Others pass over the line. Source: RFC 5545, 3.3.11
//! and 3.8.8.2; RFC 6350, 6.10.

use aura_vault::record::Fields;
use serde_json::{Value, json};

use super::component::property;

/// The name of the line.
const NAME: &str = "X-AURA-ORIGIN";
/// That the parts of an address are in order, which the converter says of all of them.
pub(crate) const ORDER: &str = "isOrdered";
/// What may have been added, because the grammar or the converter asks for it.
const ADDED: [&str; 4] = ["UID", "DTSTAMP", "FN", ORDER];

/// What the line says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// What identifies the record in its source, where no property does.
    pub(crate) source_id: Option<String>,
    /// The UID that stands in for the one that the record does not have. A copy with another UID is
    /// another record.
    pub(crate) uid: Option<String>,
    /// Properties that the record does not have, and [`ORDER`].
    pub(crate) added: Vec<&'static str>,
    /// What is kept of the record beside its standard form.
    pub(crate) extra: Fields,
}

impl Origin {
    /// The line, not folded; `None` when there is nothing to say.
    pub(crate) fn line(&self) -> Option<String> {
        if *self == Self::default() {
            return None;
        }
        let mut members = Fields::new();
        if let Some(id) = &self.source_id {
            members.insert("sourceId".to_owned(), id.as_str().into());
        }
        if let Some(uid) = &self.uid {
            members.insert("uid".to_owned(), uid.as_str().into());
        }
        if !self.added.is_empty() {
            members.insert("added".to_owned(), json!(self.added));
        }
        if !self.extra.is_empty() {
            members.insert("extra".to_owned(), Value::Object(self.extra.clone()));
        }
        let mut line = format!("{NAME}:");
        for letter in Value::Object(members).to_string().chars() {
            if matches!(letter, '\\' | ';' | ',') {
                line.push('\\');
            }
            line.push(letter);
        }
        Some(line)
    }

    /// Takes the line out of a component, and what it says was added.
    pub(crate) fn lift(lines: &mut Vec<String>) -> Self {
        // Most components are not ours.
        if !lines.iter().any(|line| line.starts_with(NAME)) {
            return Self::default();
        }
        let Some(at) = own(lines).into_iter().find(|(_, name)| name == NAME).map(|(at, _)| at)
        else {
            return Self::default();
        };
        let line = lines.remove(at);
        let value = property(&line).map(|(_, value)| unescaped(value)).unwrap_or_default();
        let Ok(Value::Object(mut members)) = serde_json::from_str(&value) else {
            return Self::default();
        };
        let is_said = |name: &&str| {
            let said = members.get("added").and_then(Value::as_array);
            said.into_iter().flatten().any(|said| said.as_str() == Some(name))
        };
        let added: Vec<&'static str> = ADDED.into_iter().filter(is_said).collect();
        let uid = members.get("uid").and_then(Value::as_str).map(str::to_owned);
        if added.contains(&"UID") && (uid.is_none() || own_uid(lines) != uid) {
            return Self::default();
        }
        // One that the record has has parameters: that is why it counts for none.
        let is_plain = |at: usize, name: &str| {
            lines
                .get(at)
                .and_then(|line| line.strip_prefix(name))
                .is_some_and(|l| l.starts_with(':'))
        };
        let mut gone: Vec<usize> = own(lines)
            .into_iter()
            .filter(|(at, name)| added.contains(&name.as_str()) && is_plain(*at, name))
            .map(|(at, _)| at)
            .collect();
        while let Some(at) = gone.pop() {
            lines.remove(at);
        }
        let source_id = members.get("sourceId").and_then(Value::as_str).map(str::to_owned);
        let extra = match members.remove("extra") {
            Some(Value::Object(extra)) => extra,
            _ => Fields::new(),
        };
        Self { source_id, uid, added, extra }
    }
}

/// The UID of the component itself.
fn own_uid(lines: &[String]) -> Option<String> {
    let (at, _) = own(lines).into_iter().find(|(_, name)| name == "UID")?;
    lines.get(at).and_then(|line| property(line)).map(|(_, value)| unescaped(value))
}

/// The properties of the component itself: where they stand, and their names.
fn own(lines: &[String]) -> Vec<(usize, String)> {
    let mut depth = 0_usize;
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some((name, _)) = property(line) else { continue };
        match name.as_str() {
            "BEGIN" => depth = depth.saturating_add(1),
            "END" => depth = depth.saturating_sub(1),
            _ if depth == 1 => found.push((at, name)),
            _ => {}
        }
    }
    found
}

fn unescaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        text.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[&str]) -> Vec<String> {
        text.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn what_is_said_comes_back_and_what_was_added_goes() {
        let extra = json!({"calendar": "a;b,c\\ \"d\"", "strayLines": ["x\ny"]});
        let origin = Origin {
            source_id: Some("content:1".to_owned()),
            uid: Some("r".to_owned()),
            added: vec!["UID"],
            extra: extra.as_object().unwrap().clone(),
        };
        let line = origin.line().unwrap();
        assert!(!line.contains('\n'), "{line}");
        let mut read = lines(&[
            "BEGIN:VEVENT",
            "UID:r",
            "DTSTAMP:1",
            "UID;X=1:kept",
            "BEGIN:VALARM",
            "UID:inner",
            "END:VALARM",
            &line,
            "END:VEVENT",
        ]);
        assert_eq!(Origin::lift(&mut read), origin);
        let left = [
            "BEGIN:VEVENT",
            "DTSTAMP:1",
            "UID;X=1:kept",
            "BEGIN:VALARM",
            "UID:inner",
            "END:VALARM",
            "END:VEVENT",
        ];
        assert_eq!(read, left);
    }

    /// A program that copies a card gives the copy a UID of its own and may leave our line in it.
    #[test]
    fn a_copy_with_another_uid_is_another_record() {
        let origin = Origin {
            source_id: Some("content:1".to_owned()),
            uid: Some("r".to_owned()),
            added: vec!["UID"],
            extra: Fields::new(),
        };
        let line = origin.line().unwrap();
        for uid in ["UID:copy", "NOTE:none"] {
            let mut read = lines(&["BEGIN:VCARD", uid, &line, "END:VCARD"]);
            assert_eq!(Origin::lift(&mut read), Origin::default(), "{uid}");
            assert_eq!(read, ["BEGIN:VCARD", uid, "END:VCARD"]);
        }
    }

    #[test]
    fn nothing_to_say_is_not_said_and_nonsense_says_nothing() {
        assert_eq!(Origin::default().line(), None);
        for value in ["", "1", "{", r#"{"added":["SUMMARY"]}"#, r#"{"sourceId":1\,"extra":[]}"#] {
            let mut read = lines(&["BEGIN:VEVENT", "SUMMARY:x", &format!("{NAME}:{value}")]);
            assert_eq!(Origin::lift(&mut read), Origin::default(), "{value}");
            assert_eq!(read, ["BEGIN:VEVENT", "SUMMARY:x"]);
        }
    }
}
