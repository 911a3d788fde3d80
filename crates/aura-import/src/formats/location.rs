// SPDX-License-Identifier: MIT OR Apache-2.0
//! Location history in its four forms to places, one position, visit, ride or path at a time.
//!
//! `Records.json` and the monthly files of older exports, `Timeline.json` of an Android phone, and
//! the array that an iPhone writes are told apart by their members, because folder names are
//! translated. Degrees, UTC.

use std::io::BufRead;

use aura_vault::record::{Fields, Kind};
use serde_json::{Value, json};

use super::instant::{iso_ms, millis_ms};
use super::json_stream::{Fault, JsonStream};
use super::report::Report;
use crate::draft::{Draft, Sink, Stop};

/// Largest element that is read, in bytes.
const ELEMENT_BYTES_MAX: usize = 8 << 20;

const MEMBERS: &[&str] = &["locations", "timelineObjects", "semanticSegments"];

/// Whether this is the beginning of a location history.
pub(crate) fn recognise(first: &[u8], _path: &str) -> bool {
    let text = String::from_utf8_lossy(first);
    let start = text.trim_start_matches('\u{feff}').trim_start();
    let says = |word: &str| text.contains(word);
    let is_old = says("\"locations\"") && says("\"latitudeE7\"");
    let is_monthly = says("\"timelineObjects\"");
    let is_phone = says("\"semanticSegments\"");
    let is_array = start.starts_with('[') && says("\"startTime\"") && says("geo:");
    (start.starts_with('{') && (is_old || is_monthly || is_phone)) || is_array
}

/// Reads one file.
///
/// # Errors
/// Only when the sink stops.
pub(crate) fn read(place: &str, input: &mut dyn BufRead, sink: &mut dyn Sink) -> Result<(), Stop> {
    let mut report = Report::new(place, sink);
    let mut stream = JsonStream::new(input, MEMBERS, ELEMENT_BYTES_MAX);
    loop {
        let element = match stream.next() {
            Ok(Some(element)) => element,
            Ok(None) => return Ok(()),
            Err(error) => return report.broken_input(&error),
        };
        report.progress = stream.progress();
        let at = match &element.member {
            Some(member) => format!("line {}, {member} {}", element.line, element.index + 1),
            None => format!("line {}, element {}", element.line, element.index + 1),
        };
        let value = match element.value {
            Ok(value) => value,
            Err(fault @ Fault::Unasked) => {
                report.skipped(at, fault.reason())?;
                continue;
            }
            Err(fault) => {
                report.failed(at, fault.reason())?;
                continue;
            }
        };
        let found = match element.member.as_deref() {
            Some("locations") => position(&value),
            Some("timelineObjects") => monthly(&value),
            _ => segment(&value),
        };
        match found {
            Ok(Some(fields)) => report.draft(draft(fields))?,
            Ok(None) => report.skipped(at, "it is neither a place nor a way between places")?,
            Err(reason) => report.failed(at, reason)?,
        }
    }
}

type Found = Result<Option<Fields>, &'static str>;

fn draft(fields: Fields) -> Draft {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let start = text("startTime").unwrap_or_default();
    let id = |name: &str| fields.get(name).map(Value::to_string).unwrap_or_default();
    let kind = text("type").unwrap_or_default();
    let source_id = format!("{kind}/{start}/{},{}", id("latitude"), id("longitude"));
    Draft {
        kind: Kind::Place,
        category: Kind::Place.category(),
        source: "location",
        source_id: Some(source_id),
        time_ms: iso_ms(start),
        fields,
        attachments: Vec::new(),
    }
}

/// One element of `Records.json`.
fn position(value: &Value) -> Found {
    let (latitude, longitude) = e7(value)?;
    let start = time(value, "timestamp", "timestampMs").ok_or("it has no time")?;
    let mut fields = place("position", Some((latitude, longitude)), &start, None);
    let known = ["timestamp", "timestampMs", "latitudeE7", "longitudeE7"];
    keep_rest(&mut fields, value, &known);
    Ok(Some(fields))
}

/// One element of a monthly file of an older export.
fn monthly(value: &Value) -> Found {
    if let Some(visit) = value.get("placeVisit") {
        let (start, end) = duration(visit)?;
        let spot = visit.get("location").ok_or("it has no place")?;
        let mut fields = place("visit", Some(e7(spot)?), &start, end.as_deref());
        for name in ["name", "address", "placeId", "semanticType"] {
            copy(&mut fields, spot, name, name);
        }
        let known = ["location", "duration", "otherCandidateLocations"];
        keep_rest(&mut fields, visit, &known);
        return Ok(Some(fields));
    }
    let Some(ride) = value.get("activitySegment") else { return Ok(None) };
    let (start, end) = duration(ride)?;
    let from = ride.get("startLocation").and_then(|spot| e7(spot).ok());
    let mut fields = place("activity", from, &start, end.as_deref());
    if let Some((latitude, longitude)) = ride.get("endLocation").and_then(|spot| e7(spot).ok()) {
        fields.insert("endLatitude".to_owned(), latitude.into());
        fields.insert("endLongitude".to_owned(), longitude.into());
    }
    copy(&mut fields, ride, "activityType", "name");
    copy(&mut fields, ride, "distance", "distanceMeters");
    let known = ["startLocation", "endLocation", "duration", "activityType", "distance"];
    keep_rest(&mut fields, ride, &known);
    Ok(Some(fields))
}

/// One segment that a phone wrote.
fn segment(value: &Value) -> Found {
    let Some(start) = value.get("startTime").and_then(Value::as_str) else {
        return Err("it has no time (`startTime`)");
    };
    if iso_ms(start).is_none() {
        return Err("its time (`startTime`) is not a time");
    }
    let end = value.get("endTime").and_then(Value::as_str);
    let top = |part: &Value| part.get("topCandidate").cloned().unwrap_or_default();
    let mut fields = if let Some(visit) = value.get("visit") {
        let best = top(visit);
        let spot = best.get("placeLocation").and_then(degrees);
        let mut fields =
            place("visit", Some(spot.ok_or("its place is not a pair of degrees")?), start, end);
        copy(&mut fields, &best, "placeId", "placeId");
        copy(&mut fields, &best, "placeID", "placeId");
        copy(&mut fields, &best, "semanticType", "semanticType");
        copy(&mut fields, visit, "probability", "probability");
        fields
    } else if let Some(ride) = value.get("activity") {
        let from = ride.get("start").and_then(degrees);
        let mut fields = place("activity", from, start, end);
        if let Some((latitude, longitude)) = ride.get("end").and_then(degrees) {
            fields.insert("endLatitude".to_owned(), latitude.into());
            fields.insert("endLongitude".to_owned(), longitude.into());
        }
        copy(&mut fields, &top(ride), "type", "name");
        copy(&mut fields, ride, "distanceMeters", "distanceMeters");
        fields
    } else if let Some(points) = value.get("timelinePath").and_then(Value::as_array) {
        let spots: Vec<(f64, f64)> =
            points.iter().filter_map(|point| degrees(point.get("point")?)).collect();
        let mut fields = place("path", spots.first().copied(), start, end);
        fields.insert("path".to_owned(), points.clone().into());
        fields
    } else {
        return Ok(None);
    };
    keep_rest(&mut fields, value, &["startTime", "endTime", "visit", "activity", "timelinePath"]);
    Ok(Some(fields))
}

fn place(kind: &str, spot: Option<(f64, f64)>, start: &str, end: Option<&str>) -> Fields {
    let mut fields = Fields::new();
    fields.insert("type".to_owned(), kind.into());
    fields.insert("startTime".to_owned(), start.into());
    if let Some(end) = end {
        fields.insert("endTime".to_owned(), end.into());
    }
    if let Some((latitude, longitude)) = spot {
        fields.insert("latitude".to_owned(), json!(latitude));
        fields.insert("longitude".to_owned(), json!(longitude));
    }
    fields
}

fn copy(fields: &mut Fields, from: &Value, name: &str, to: &str) {
    if let Some(value) = from.get(name).filter(|value| !value.is_null()) {
        fields.insert(to.to_owned(), value.clone());
    }
}

fn keep_rest(fields: &mut Fields, value: &Value, known: &[&str]) {
    let rest: Fields = value
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, value)| !known.contains(&name.as_str()) && !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if !rest.is_empty() {
        fields.insert("extra".to_owned(), rest.into());
    }
}

/// Ten-millionths of a degree; some exports wrapped negative numbers around at 32 bits.
fn e7(value: &Value) -> Result<(f64, f64), &'static str> {
    let degrees = |name: &str, most: i64| {
        let number = value.get(name)?.as_i64()?;
        let number = if number > most { number.checked_sub(1 << 32)? } else { number };
        let number = i32::try_from(number).ok().filter(|n| i64::from(*n).abs() <= most)?;
        Some(f64::from(number) / 1e7)
    };
    match (degrees("latitudeE7", 900_000_000), degrees("longitudeE7", 1_800_000_000)) {
        (Some(latitude), Some(longitude)) => Ok((latitude, longitude)),
        _ => Err("its place is not a pair of degrees"),
    }
}

/// `35.1°, 139.1°`, `geo:35.1,139.1`, or an object with `latLng`.
fn degrees(value: &Value) -> Option<(f64, f64)> {
    let text = value.as_str().or_else(|| value.get("latLng")?.as_str())?;
    let text = text.trim().strip_prefix("geo:").unwrap_or(text);
    let (latitude, longitude) = text.split_once(',')?;
    let number = |text: &str| text.trim().trim_end_matches('\u{b0}').trim().parse::<f64>().ok();
    let (latitude, longitude) = (number(latitude)?, number(longitude)?);
    (latitude.abs() <= 90.0 && longitude.abs() <= 180.0).then_some((latitude, longitude))
}

fn time(value: &Value, iso: &str, ms: &str) -> Option<String> {
    let text = value.get(iso).and_then(Value::as_str).filter(|text| iso_ms(text).is_some());
    text.map(str::to_owned)
        .or_else(|| value.get(ms).and_then(millis_ms).map(crate::stamp::timestamp))
}

fn duration(value: &Value) -> Result<(String, Option<String>), &'static str> {
    let span = value.get("duration").ok_or("it has no time (`duration`)")?;
    let start = time(span, "startTimestamp", "startTimestampMs").ok_or("it has no start")?;
    Ok((start, time(span, "endTimestamp", "endTimestampMs")))
}

#[cfg(test)]
mod tests {
    use super::super::collect::Collect;
    use super::*;

    fn seen(value: &Value) -> Collect {
        let mut sink = Collect::default();
        read("l.json", &mut value.to_string().as_bytes(), &mut sink).unwrap();
        assert!(recognise(value.to_string().as_bytes(), "x") || sink.drafts.is_empty());
        sink
    }

    #[test]
    fn older_records_and_wrapped_numbers() {
        let sink = seen(&json!({"locations": [
            {"timestamp": "2014-01-31T10:00:00.5Z", "latitudeE7": 473_769_000, "longitudeE7": 85_417_000, "accuracy": 9},
            {"timestampMs": "1391162400000", "latitudeE7": 3_956_000_000_i64, "longitudeE7": 4_223_000_000_i64},
            {"latitudeE7": 1, "longitudeE7": 1}, {"timestampMs": "1391162400000", "latitudeE7": 950_000_000_000_i64, "longitudeE7": 1},
        ], "settings": {}}));
        assert_eq!((sink.drafts.len(), sink.failed.len(), sink.skipped.len()), (2, 2, 1));
        let (one, two) = (&sink.drafts[0], &sink.drafts[1]);
        assert_eq!((one.kind, one.time_ms), (Kind::Place, Some(1_391_162_400_500)));
        assert_eq!(
            (&one.fields["latitude"], &one.fields["extra"]["accuracy"]),
            (&json!(47.3769), &json!(9))
        );
        assert_eq!(
            (&two.fields["latitude"], &two.fields["longitude"]),
            (&json!(-33.896_729_6), &json!(-7.196_729_6))
        );
        assert_eq!(two.fields["startTime"], "2014-01-31T10:00:00Z");
    }

    #[test]
    fn monthly_files() {
        let span =
            json!({"startTimestamp": "2020-01-31T10:00:00Z", "endTimestampMs": "1580468400000"});
        let sink = seen(&json!({"timelineObjects": [
            {"placeVisit": {"location": {"latitudeE7": 10_000_000, "longitudeE7": 20_000_000, "name": "Cafe", "address": "A"}, "duration": span, "placeConfidence": "HIGH"}},
            {"activitySegment": {"startLocation": {"latitudeE7": 1, "longitudeE7": 2}, "endLocation": {"latitudeE7": 10_000_000, "longitudeE7": 0}, "duration": span, "activityType": "WALKING", "distance": 5}},
            {"other": 1}, {"placeVisit": {}},
        ]}));
        assert_eq!((sink.drafts.len(), sink.failed.len(), sink.skipped.len()), (2, 1, 1));
        assert_eq!(sink.drafts[0].fields["name"], "Cafe");
        assert_eq!(sink.drafts[0].fields["endTime"], "2020-01-31T11:00:00Z");
        assert_eq!(
            (&sink.drafts[1].fields["name"], &sink.drafts[1].fields["endLatitude"]),
            (&json!("WALKING"), &json!(1.0))
        );
    }

    #[test]
    fn phones_of_both_kinds() {
        let android = json!({"semanticSegments": [
            {"startTime": "2024-01-31T10:00:00.000+01:00", "endTime": "2024-01-31T11:00:00.000+01:00", "visit": {"topCandidate": {"placeId": "p", "semanticType": "HOME", "placeLocation": {"latLng": "35.1\u{b0}, -139.1\u{b0}"}}}},
            {"startTime": "2024-01-31T11:00:00.000+01:00", "activity": {"start": "1.0\u{b0}, 2.0\u{b0}", "end": {"latLng": "3\u{b0}, 4\u{b0}"}, "topCandidate": {"type": "CYCLING"}}},
            {"startTime": "2024-01-31T12:00:00.000+01:00", "timelinePath": [{"point": "1\u{b0}, 2\u{b0}", "time": "t"}]},
            {"startTime": "2024-01-31T12:00:00.000+01:00", "timelineMemory": {}}, {"visit": {}},
        ], "rawSignals": [{"position": {}}]});
        let sink = seen(&android);
        assert_eq!((sink.drafts.len(), sink.failed.len(), sink.skipped.len()), (3, 1, 2));
        assert_eq!(sink.drafts[0].time_ms, Some(1_706_691_600_000));
        assert_eq!(
            (&sink.drafts[0].fields["longitude"], &sink.drafts[0].fields["semanticType"]),
            (&json!(-139.1), &json!("HOME"))
        );
        assert_eq!(sink.drafts[1].fields["endLongitude"], json!(4.0));
        assert_eq!(sink.drafts[2].fields["type"], "path");
        let ios = seen(
            &json!([{"startTime": "2024-01-31T10:00:00Z", "visit": {"probability": "0.9", "topCandidate": {"placeID": "q", "placeLocation": "geo:35.1,139.1"}}}]),
        );
        assert_eq!(
            (&ios.drafts[0].fields["latitude"], &ios.drafts[0].fields["placeId"]),
            (&json!(35.1), &json!("q"))
        );
    }

    proptest::proptest! {
        #[test]
        fn any_numbers_and_words_are_read(number in proptest::prelude::any::<i64>(), text in "[0-9.,°geo: -]{0,20}") {
            seen(&json!({"locations": [{"timestampMs": number, "latitudeE7": number, "longitudeE7": number}]}));
            seen(&json!({"semanticSegments": [{"startTime": "2024-01-31", "visit": {"topCandidate": {"placeLocation": text}}}]}));
        }
    }
}
