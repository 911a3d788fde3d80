// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records as they are read.

use serde_json::json;

use super::*;

fn record(kind: &str, title: &str, fields: Value) -> Record {
    let Value::Object(fields) = fields else { panic!("fields are an object") };
    Record {
        id: String::new(),
        kind: kind.to_owned(),
        category: String::new(),
        title: title.to_owned(),
        time: String::new(),
        modified: String::new(),
        source: None,
        source_id: None,
        deleted: false,
        conflicts: Vec::new(),
        attachments: Vec::new(),
        fields,
    }
}

fn facts(sheet: &Sheet) -> Vec<(&str, Vec<&str>)> {
    let values = |fact: &'_ Fact| fact.values.iter().map(|value| value.text.clone()).collect();
    let texts: Vec<Vec<String>> = sheet.facts.iter().map(values).collect();
    let texts: &'static [Vec<String>] = texts.leak();
    sheet
        .facts
        .iter()
        .zip(texts)
        .map(|(fact, texts)| (fact.label.as_str(), texts.iter().map(String::as_str).collect()))
        .collect()
}

#[test]
fn a_mail_reads_as_a_mail() {
    let mail = json!({
        "subject": "Hello", "from": [{ "name": "Ada", "email": "ada@example.com" }],
        "to": [{ "email": "lin@example.com" }, { "name": "Max" }], "sentAt": "2025-03-14T09:26:53Z",
        "textBody": "One\nTwo", "htmlBody": "<b>One</b>", "threadId": "t1",
    });
    let sheet = sheet(&record("email", "Hello", mail));
    assert_eq!(sheet.body, "One\nTwo");
    assert_eq!(
        facts(&sheet),
        [
            ("From", vec!["Ada <ada@example.com>"]),
            ("To", vec!["lin@example.com", "Max"]),
            ("Sent", vec!["14 Mar 2025, 09:26"]),
            ("Form", vec!["a designed mail (HTML), shown here as plain text"]),
        ]
    );
    assert_eq!(sheet.rest, [("Thread id".to_owned(), "t1".to_owned())]);
}

#[test]
fn an_event_and_a_contact_read_as_such() {
    let event = json!({
        "title": "Run", "start": "2026-12-06T10:00:00", "duration": "PT1H30M", "timeZone": "Etc/UTC",
        "locations": { "a": { "name": "Valencia" } }, "participants": { "b": { "name": "Lucía" } },
        "description": "To the end",
    });
    let sheet = sheet(&record("event", "Run", event));
    assert_eq!(
        facts(&sheet),
        [
            ("Begins", vec!["6 Dec 2026, 10:00"]),
            ("Lasts", vec!["1 h 30 min"]),
            ("Time zone", vec!["Etc/UTC"]),
            ("Where", vec!["Valencia"]),
            ("Who", vec!["Lucía"]),
        ]
    );
    assert!(sheet.body == "To the end" && sheet.rest.is_empty());
    let contact = json!({
        "name": { "full": "Ada Byron" }, "emails": { "k": { "address": "ada@example.com" } },
        "addresses": { "k": { "components": [{ "kind": "locality", "value": "Berlin" }] } },
        "notes": { "k": { "note": "Choir" } },
    });
    let sheet = super::sheet(&record("contact", "Ada Byron", contact));
    assert_eq!(facts(&sheet), [("Mail", vec!["ada@example.com"]), ("Address", vec!["Berlin"])]);
    assert!(sheet.body == "Choir" && sheet.rest.is_empty());
}

/// What opens other doors is covered, and not among what is open.
#[test]
fn a_password_is_covered() {
    let login = json!({
        "name": "Bank", "login": { "username": "nora", "password": "pw-1", "totp": "otp-1",
        "uris": [{ "uri": "https://bank.example.com" }] }, "notes": "Blue bag",
        "passwordHistory": [{ "password": "pw-0" }],
    });
    let sheet = sheet(&record("login", "Bank", login));
    for fact in &sheet.facts {
        for value in &fact.values {
            let opens = ["pw-", "otp-"].iter().any(|secret| value.text.contains(secret));
            assert_eq!(value.is_secret, opens, "{value:?}");
        }
    }
    assert!(sheet.rest.is_empty() && sheet.body == "Blue bag");
}

/// attack IMP-05: only the web is linked to, and only what is an address as a whole.
#[test]
fn imp_05_only_addresses_of_the_web_are_links() {
    let link = |url: &str| {
        let sheet = sheet(&record("bookmark", "", json!({ "url": url })));
        sheet.facts[0].values[0].link.clone()
    };
    assert_eq!(link("https://example.com/a"), Some("https://example.com/a".to_owned()));
    for odd in ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "https://a b", "x"]
    {
        assert_eq!(link(odd), None, "{odd}");
    }
}

#[test]
fn what_has_no_words_is_listed_and_bounded() {
    let odd = json!({ "deep": { "a": [{ "b": 1 }, null, true] }, "name": 7 });
    let sheet = sheet(&record("file", "", odd));
    let rest: Vec<_> = sheet.rest.iter().map(|(name, text)| format!("{name}={text}")).collect();
    assert_eq!(rest, ["Deep › A › 1 › B=1", "Deep › A › 3=yes", "Name=7"]);
    let many: Vec<u32> = (0..10_000).collect();
    let sheet = super::sheet(&record("file", "", json!({ "many": many })));
    assert_eq!(sheet.rest.len(), LINES_MAX);
    for odd in ["P", "PT", "x", "P1Y", "PTH", "P9999999999D"] {
        duration(odd);
    }
    assert_eq!([duration("P1D"), duration("P2W"), duration("P1Y")], ["1 day", "2 weeks", "P1Y"]);
}
