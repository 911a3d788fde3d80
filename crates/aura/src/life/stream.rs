// SPDX-License-Identifier: MIT OR Apache-2.0
//! The JSON Lines files: health, money, places, memories, bookmarks and the person themselves.
//!
//! Each line is `{"kind", "id", "time", "fields"}`; fields follow FHIR R4, schema.org and PAM 1.0.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use serde_json::{Value, json};

use super::date::{At, City, day};
use super::random::Dice;
use super::{Tally, fact};

/// Writes the six files below `folder`.
pub(super) fn write(folder: &Path, dice: &mut Dice, tally: &mut Tally) -> io::Result<()> {
    let files = [
        ("health", "observation", health(dice)),
        ("finance", "transaction", finance(dice)),
        ("places", "place", places(dice)),
        ("memories", "memory", memories()),
        ("bookmarks", "bookmark", bookmarks()),
        ("profile", "person", profile()),
    ];
    for (name, kind, rows) in files {
        let mut text = String::new();
        for (index, (at, fields)) in rows.iter().enumerate() {
            let id = format!("{name}-{index:04}");
            let line = json!({"kind": kind, "id": id, "time": at.iso(), "fields": fields});
            let _ = writeln!(text, "{line}");
        }
        fs::write(folder.join(format!("{name}.jsonl")), text)?;
        tally.add(kind, rows.len());
    }
    Ok(())
}

type Rows = Vec<(At, Value)>;

fn observation(at: At, code: &str, name: &str, amount: &Value, unit: &str) -> Value {
    json!({
        "resourceType": "Observation", "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code, "display": name}], "text": name},
        "effectiveDateTime": at.iso(),
        "valueQuantity": {"value": amount, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit},
    })
}

fn health(dice: &mut Dice) -> Rows {
    let mut rows = Rows::new();
    for (year, month, date, ferritin, haemoglobin, remark) in fact::BLOOD {
        let at = day(year, month, date).plus_minutes(495);
        let mut fields = observation(at, "2276-4", "Ferritin", &json!(ferritin), "ug/L");
        if let Some(fields) = fields.as_object_mut() {
            fields.insert("note".to_owned(), json!([{"text": remark}]));
            let range = json!([{"low": {"value": 30, "unit": "ug/L"}, "text": "iron stores"}]);
            fields.insert("referenceRange".to_owned(), range);
        }
        rows.push((at, fields));
        let amount = json!(haemoglobin);
        rows.push((at, observation(at, "718-7", "Hemoglobin", &amount, "g/dL")));
    }
    let mut on = day(2016, 2, 1);
    while on < day(2026, 10, 20) {
        let at = on.plus_minutes(dice.between(360, 430));
        let is_runner = on > day(2022, 9, 1);
        let tenths = dice.between(0, 9);
        let kilos = if is_runner { dice.between(58, 60) } else { dice.between(61, 64) };
        let weight: Value = serde_json::from_str(&format!("{kilos}.{tenths}")).unwrap_or_default();
        rows.push((at, observation(at, "29463-7", "Body weight", &weight, "kg")));
        let pulse = if is_runner { dice.between(49, 57) } else { dice.between(60, 72) };
        let at = at.plus_minutes(5);
        rows.push((at, observation(at, "40443-4", "Resting heart rate", &json!(pulse), "/min")));
        on = on.plus_days(dice.between(42, 56));
    }
    for date in 2..9 {
        let at = day(2019, 1, date).plus_minutes(420);
        let pressure = json!(dice.between(112, 124));
        rows.push((at, observation(at, "8480-6", "Systolic blood pressure", &pressure, "mm[Hg]")));
    }
    rows
}

fn money(at: At, name: &str, cents: i64, about: &str) -> Value {
    let sign = if cents < 0 { "-" } else { "" };
    let text = format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100);
    let owner = "Nora Velbrück";
    let (sender, beneficiary) = if cents < 0 { (owner, name) } else { (name, owner) };
    json!({
        "@type": "MoneyTransfer", "name": name, "description": about, "startTime": at.iso(),
        "amount": {"@type": "MonetaryAmount", "value": text, "currency": "EUR"},
        "sender": {"name": sender}, "beneficiaryBank": "Sample Bank", "recipient": {"name": beneficiary},
    })
}

fn finance(dice: &mut Dice) -> Rows {
    let mut rows = Rows::new();
    for (at, name, cents, about) in fact::PAYMENTS {
        rows.push((*at, money(*at, name, *cents, about)));
    }
    let mut on = day(2016, 1, 4);
    while on < day(2026, 10, 20) {
        let (name, low, high, about) = match City::of(on) {
            City::Berlin => dice.pick(&fact::SHOPS_BERLIN),
            City::Paris => dice.pick(&fact::SHOPS_PARIS),
            City::Lisbon => dice.pick(&fact::SHOPS_LISBON),
        };
        let at = on.plus_minutes(dice.between(500, 1200));
        rows.push((at, money(at, name, -dice.between(low, high), about)));
        on = on.plus_days(dice.between(20, 36));
    }
    rows
}

fn places(dice: &mut Dice) -> Rows {
    let mut rows = Rows::new();
    let mut visit = |at: At, minutes: i64, spot: &fact::Spot| {
        let (name, town, latitude, longitude) = *spot;
        let fields = json!({
            "@type": "Place", "name": name, "address": {"addressLocality": town},
            "geo": {"@type": "GeoCoordinates", "latitude": latitude, "longitude": longitude},
            "startTime": at.iso(), "endTime": at.plus_minutes(minutes).iso(),
        });
        rows.push((at, fields));
    };
    for (at, minutes, spot) in fact::VISITS {
        visit(*at, *minutes, spot);
    }
    let mut on = day(2016, 1, 20);
    while on < day(2026, 10, 20) {
        let spot = match City::of(on) {
            City::Berlin => dice.pick(&fact::SPOTS_BERLIN),
            City::Paris => dice.pick(&fact::SPOTS_PARIS),
            City::Lisbon => dice.pick(&fact::SPOTS_LISBON),
        };
        visit(on.plus_minutes(dice.between(480, 1140)), dice.between(20, 240), &spot);
        on = on.plus_days(dice.between(38, 62));
    }
    rows
}

fn memories() -> Rows {
    let row = |(at, kind, text, percent): &(At, &str, &str, i64)| {
        let confidence: Value =
            serde_json::from_str(&format!("0.{percent:02}")).unwrap_or_default();
        let fields =
            json!({"text": text, "type": kind, "status": "active", "confidence": confidence});
        (*at, fields)
    };
    fact::MEMORIES.iter().map(row).collect()
}

fn bookmarks() -> Rows {
    let row = |(at, url, name, about): &(At, &str, &str, &str)| {
        (*at, json!({"@type": "BookmarkAction", "url": url, "name": name, "description": about}))
    };
    fact::BOOKMARKS.iter().map(row).collect()
}

fn profile() -> Rows {
    let row = |(name, property, text): &(&str, &str, &str)| {
        let mut fields = json!({"@type": "Person", "name": name, "text": text});
        if let Some(fields) = fields.as_object_mut() {
            fields.insert((*property).to_owned(), json!(text));
        }
        (day(2026, 7, 1), fields)
    };
    fact::PROFILE.iter().map(row).collect()
}
