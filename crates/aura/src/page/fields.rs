// SPDX-License-Identifier: MIT OR Apache-2.0
//! The fields of a record as a person reads them: what is its text, what are facts, and what is all the rest.
//!
//! A form's own names (JSCalendar, JSContact, JMAP, FHIR, schema.org) are put into words where a kind has them; whatever has
//! no words is not left out but listed at the end. Nothing here is markup: what is shown is text.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::words::{self, field, line, moment};
use crate::screen::size;
use crate::view::Record;

/// So many members deep, and so many lines, the rest is listed.
const DEPTH_MAX: usize = 8;
const LINES_MAX: usize = 400;
/// So many values of one fact are shown.
const VALUES_MAX: usize = 200;

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) text: String,
    /// Where it leads: only to the web.
    pub(crate) link: Option<String>,
    /// Whether it is covered until a person uncovers it.
    pub(crate) is_secret: bool,
}

/// Something that is said of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) label: String,
    pub(crate) values: Vec<Shown>,
}

/// A record, for reading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sheet {
    pub(crate) facts: Vec<Fact>,
    pub(crate) body: String,
    /// Everything else: name and value.
    pub(crate) rest: Vec<(String, String)>,
}

/// What a record says.
pub(crate) fn sheet(record: &Record) -> Sheet {
    let mut reader =
        Reader { fields: &record.fields, used: BTreeSet::new(), sheet: Sheet::default() };
    reader.used.extend(["title", "subject"].iter().filter(|name| is_text(&record.fields, name)));
    if record.fields.get("name").is_some_and(|name| name == &record.title) {
        reader.used.insert("name");
    }
    match record.kind.as_str() {
        "email" => reader.email(),
        "message" => reader.message(),
        "event" => reader.event(),
        "task" => reader.task(),
        "contact" => reader.contact(),
        "observation" => reader.observation(),
        "transaction" => reader.transaction(),
        "place" => reader.place(),
        "login" => reader.login(),
        _ => {}
    }
    reader.usual();
    reader.rest();
    reader.sheet
}

fn is_text(fields: &Map<String, Value>, name: &str) -> bool {
    fields.get(name).is_some_and(Value::is_string)
}

struct Reader<'a> {
    fields: &'a Map<String, Value>,
    used: BTreeSet<&'a str>,
    sheet: Sheet,
}

impl<'a> Reader<'a> {
    fn get(&mut self, name: &'a str) -> Option<&'a Value> {
        let value = self.fields.get(name)?;
        self.used.insert(name);
        Some(value)
    }

    fn fact(&mut self, label: &str, values: Vec<String>) {
        let shown = values.into_iter().filter(|text| !text.trim().is_empty()).take(VALUES_MAX);
        let values: Vec<_> = shown.map(|text| Shown::of(&text)).collect();
        if !values.is_empty() {
            self.sheet.facts.push(Fact { label: label.to_owned(), values });
        }
    }

    fn secret(&mut self, label: &str, text: Option<String>) {
        if let Some(text) = text {
            let value = Shown { text: line(&text), link: None, is_secret: true };
            self.sheet.facts.push(Fact { label: label.to_owned(), values: vec![value] });
        }
    }

    /// A text, number or truth.
    fn plain(&mut self, label: &str, name: &'a str) {
        if let Some(text) = self.fields.get(name).and_then(scalar) {
            self.used.insert(name);
            self.fact(label, vec![text]);
        }
    }

    fn time(&mut self, label: &str, name: &'a str) {
        if let Some(text) = self.fields.get(name).and_then(Value::as_str) {
            self.used.insert(name);
            self.fact(label, vec![moment(text)]);
        }
    }

    fn people(&mut self, label: &str, name: &'a str) {
        if let Some(value) = self.get(name) {
            self.fact(label, each(value).filter_map(person).collect());
        }
    }

    /// One of each member of an object or a list.
    fn each(&mut self, label: &str, name: &'a str, pick: fn(&Value) -> Option<String>) {
        if let Some(value) = self.get(name) {
            self.fact(label, each(value).filter_map(pick).collect());
        }
    }

    fn body(&mut self, name: &'a str) {
        if !self.sheet.body.is_empty() {
            return;
        }
        if let Some(text) = self.fields.get(name).and_then(Value::as_str) {
            self.used.insert(name);
            self.sheet.body = words::text(text);
        }
    }

    fn email(&mut self) {
        self.people("From", "from");
        self.people("To", "to");
        self.people("Copy", "cc");
        self.people("Blind copy", "bcc");
        self.people("Answer to", "replyTo");
        self.time("Sent", "sentAt");
        self.body("textBody");
        // Its text was taken from it when it came; it is shown as text, so that nothing in it loads or runs.
        if self.fields.contains_key("htmlBody") {
            self.used.insert("htmlBody");
            self.fact("Form", vec!["a designed mail (HTML), shown here as plain text".to_owned()]);
        }
    }

    fn message(&mut self) {
        self.people("From", "author");
        self.people("From", "sender");
        self.people("To", "recipient");
        self.time("Sent", "dateSent");
        self.body("text");
        self.used.extend(["branch", "hidden", "position"]);
    }

    fn event(&mut self) {
        let is_day = self.fields.get("showWithoutTime") == Some(&Value::Bool(true));
        self.used.insert("showWithoutTime");
        if let Some(start) = self.get("start").and_then(Value::as_str) {
            self.fact("Begins", vec![if is_day { words::day(start) } else { moment(start) }]);
        }
        if let Some(span) = self.get("duration").and_then(Value::as_str) {
            self.fact("Lasts", vec![duration(span)]);
        }
        self.plain("Time zone", "timeZone");
        self.each("Where", "locations", |place| text_of(place, "name"));
        self.each("Where", "virtualLocations", |place| text_of(place, "uri"));
        self.each("Who", "participants", person);
        self.plain("Status", "status");
        self.body("description");
    }

    fn task(&mut self) {
        let is_day = self.fields.get("showWithoutTime") == Some(&Value::Bool(true));
        self.used.insert("showWithoutTime");
        if let Some(due) = self.get("due").and_then(Value::as_str) {
            self.fact("Due", vec![if is_day { words::day(due) } else { moment(due) }]);
        }
        self.plain("Progress", "progress");
        self.plain("Priority", "priority");
        self.body("description");
    }

    fn contact(&mut self) {
        self.used.insert("name");
        self.each("Mail", "emails", |mail| text_of(mail, "address"));
        self.each("Phone", "phones", |phone| text_of(phone, "number"));
        self.each("Address", "addresses", |place| {
            text_of(place, "full").or_else(|| Some(components(place)))
        });
        self.each("Organisation", "organizations", |one| text_of(one, "name"));
        self.each("Title", "titles", |one| text_of(one, "name"));
        self.each("Online", "onlineServices", |one| text_of(one, "uri"));
        self.each("Link", "links", |one| text_of(one, "uri"));
        self.each("Day", "anniversaries", |one| {
            let date = one.get("date")?;
            let part = |name| date.get(name).and_then(Value::as_u64);
            let kind = text_of(one, "kind").unwrap_or_default();
            let parts = [part("year"), part("month"), part("day")].into_iter().flatten();
            let digits: Vec<String> = parts.map(|part| format!("{part:02}")).collect();
            Some(format!("{kind} {}", digits.join("-")))
        });
        if let Some(notes) = self.get("notes") {
            let notes = each(notes).filter_map(|note| text_of(note, "note"));
            self.sheet.body = words::text(&notes.collect::<Vec<_>>().join("\n\n"));
        }
    }

    fn observation(&mut self) {
        if let Some(quantity) = self.get("valueQuantity") {
            self.fact("Value", vec![measured(quantity)]);
        }
        self.plain("Value", "valueString");
        self.each("Part", "component", |part| {
            let name = part.pointer("/code/text").and_then(Value::as_str).unwrap_or_default();
            Some(format!("{name}: {}", measured(part.get("valueQuantity")?)))
        });
        self.each("Usual", "referenceRange", |range| {
            let bound = |name: &str| Some(measured(range.get(name)?));
            let text = text_of(range, "text").map(|text| format!(" ({text})")).unwrap_or_default();
            Some(match (bound("low"), bound("high")) {
                (Some(low), Some(high)) => format!("{low} to {high}{text}"),
                (Some(low), None) => format!("from {low}{text}"),
                (None, Some(high)) => format!("up to {high}{text}"),
                (None, None) => text,
            })
        });
        self.time("Measured", "effectiveDateTime");
        self.plain("Status", "status");
        if let Some(notes) = self.get("note") {
            let notes = each(notes).filter_map(|note| text_of(note, "text"));
            self.sheet.body = words::text(&notes.collect::<Vec<_>>().join("\n\n"));
        }
    }

    fn transaction(&mut self) {
        if let Some(amount) = self.get("amount") {
            let number = amount.get("value").and_then(scalar).or_else(|| scalar(amount));
            let currency = text_of(amount, "currency").unwrap_or_default();
            self.fact("Amount", vec![format!("{} {currency}", number.unwrap_or_default())]);
        }
        self.people("From", "sender");
        self.people("To", "recipient");
        self.plain("Bank", "beneficiaryBank");
        self.time("Booked", "startTime");
    }

    fn place(&mut self) {
        if let Some(address) = self.get("address") {
            let parts = ["streetAddress", "postalCode", "addressLocality", "addressCountry"];
            let parts: Vec<_> = parts.iter().filter_map(|name| text_of(address, name)).collect();
            self.fact("Address", vec![scalar(address).unwrap_or_else(|| parts.join(", "))]);
        }
        if let Some(geo) = self.get("geo") {
            let part = |name: &str| geo.get(name).and_then(scalar).unwrap_or_default();
            self.fact("Position", vec![format!("{}, {}", part("latitude"), part("longitude"))]);
        }
        self.time("From", "startTime");
        self.time("Until", "endTime");
    }

    fn login(&mut self) {
        if let Some(login) = self.get("login") {
            self.fact("User name", text_of(login, "username").into_iter().collect());
            self.secret("Password", text_of(login, "password"));
            self.secret("One-time code key", text_of(login, "totp"));
            let uris = login.get("uris").into_iter().flat_map(each);
            self.fact("For", uris.filter_map(|uri| text_of(uri, "uri")).collect());
        }
        for (name, label) in [("card", "Card"), ("identity", "Identity"), ("sshKey", "Key")] {
            if let Some(value) = self.get(name) {
                self.secret(label, Some(flat(value)));
            }
        }
        for name in ["fields", "passwordHistory"] {
            if let Some(value) = self.get(name).filter(|value| !value.is_null()) {
                self.secret(&field(name), Some(flat(value)));
            }
        }
        self.body("notes");
    }

    /// What many kinds have.
    fn usual(&mut self) {
        self.body("text");
        self.body("description");
        self.plain("Address", "url");
        self.plain("Also called", "alternateName");
        self.plain("Kind", "type");
        self.plain("Certainty", "confidence");
        self.plain("Status", "status");
        self.plain("Form", "encodingFormat");
        if let Some(bytes) = self.fields.get("contentSize").and_then(Value::as_u64) {
            self.used.insert("contentSize");
            self.fact("Size", vec![size(bytes)]);
        }
        for name in ["keywords", "tags", "categories"] {
            if let Some(value) = self.get(name) {
                let names: Vec<String> = match value {
                    Value::Object(members) => members.keys().cloned().collect(),
                    value => each(value).filter_map(scalar).collect(),
                };
                self.fact("Tags", vec![names.join(", ")]);
            }
        }
    }

    /// Whatever was not shown.
    fn rest(&mut self) {
        let fields = self.fields;
        for (name, value) in fields.iter().filter(|(name, _)| !self.used.contains(name.as_str())) {
            flatten(&field(name), value, DEPTH_MAX, &mut self.sheet.rest);
        }
    }
}

impl Shown {
    fn of(text: &str) -> Self {
        let is_web = text.starts_with("https://") || text.starts_with("http://");
        let is_link = is_web && !text.contains(char::is_whitespace);
        Self { text: words::text(text), link: is_link.then(|| text.to_owned()), is_secret: false }
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(true) => Some("yes".to_owned()),
        Value::Bool(false) => Some("no".to_owned()),
        _ => None,
    }
}

fn text_of(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(scalar).filter(|text| !text.is_empty())
}

/// The members of an object of objects, the items of a list, or the value itself.
fn each(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(members) if members.values().all(Value::is_object) => {
            Box::new(members.values())
        }
        value => Box::new(std::iter::once(value)),
    }
}

fn person(value: &Value) -> Option<String> {
    if let Some(text) = scalar(value) {
        return Some(text);
    }
    let name = text_of(value, "name");
    let mail = text_of(value, "email")
        .or_else(|| text_of(value, "calendarAddress"))
        .map(|mail| mail.trim_start_matches("mailto:").to_owned());
    match (name, mail) {
        (Some(name), Some(mail)) if name != mail => Some(format!("{name} <{mail}>")),
        (name, mail) => name.or(mail),
    }
}

fn components(value: &Value) -> String {
    let parts = value.get("components").into_iter().flat_map(each);
    parts.filter_map(|part| text_of(part, "value")).collect::<Vec<_>>().join(", ")
}

fn measured(quantity: &Value) -> String {
    let number = quantity.get("value").and_then(scalar).unwrap_or_default();
    format!("{number} {}", text_of(quantity, "unit").unwrap_or_default()).trim().to_owned()
}

/// `PT1H30M` as `1 h 30 min`; as it is if it is none.
fn duration(text: &str) -> String {
    let units = [('W', "weeks"), ('D', "days"), ('H', "h"), ('M', "min"), ('S', "s")];
    let mut words = Vec::new();
    let mut digits = String::new();
    for letter in text.trim_start_matches('P').chars().filter(|letter| *letter != 'T') {
        match units.iter().find(|(unit, _)| *unit == letter) {
            _ if letter.is_ascii_digit() => digits.push(letter),
            Some((_, unit)) if !digits.is_empty() => {
                let unit = if digits == "1" { unit.trim_end_matches('s') } else { unit };
                let unit = if unit.is_empty() { "s" } else { unit };
                words.push(format!("{} {unit}", std::mem::take(&mut digits)));
            }
            _ => return line(text),
        }
    }
    words.join(" ")
}

fn flat(value: &Value) -> String {
    let mut lines = Vec::new();
    flatten("", value, DEPTH_MAX, &mut lines);
    let lines = lines.into_iter().map(|(name, text)| format!("{name}: {text}"));
    lines.collect::<Vec<_>>().join(" · ")
}

fn flatten(name: &str, value: &Value, depth: usize, out: &mut Vec<(String, String)>) {
    if out.len() >= LINES_MAX {
        return;
    }
    let below = |part: &str| {
        if name.is_empty() { part.to_owned() } else { format!("{name} › {part}") }
    };
    match value {
        Value::Object(members) if depth > 0 => members.iter().for_each(|(part, value)| {
            flatten(&below(&field(part)), value, depth.saturating_sub(1), out);
        }),
        Value::Array(items) if depth > 0 => items.iter().enumerate().for_each(|(at, value)| {
            let number = at.saturating_add(1).to_string();
            let name = if items.len() == 1 { name.to_owned() } else { below(&number) };
            flatten(&name, value, depth.saturating_sub(1), out);
        }),
        Value::Null => {}
        value => {
            let text = scalar(value).unwrap_or_else(|| value.to_string());
            out.push((name.to_owned(), words::text(&text)));
        }
    }
}

#[cfg(test)]
#[path = "fields_tests.rs"]
mod tests;
