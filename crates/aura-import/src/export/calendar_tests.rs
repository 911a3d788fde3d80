// SPDX-License-Identifier: MIT OR Apache-2.0
//! What went in must come out the same: read, write, read again.

use std::fs;

use super::*;
use crate::draft::Draft;
use crate::formats::collect::{Collect, bytes, data_files};
use crate::formats::ical;

fn seen(text: &[u8]) -> Vec<Draft> {
    let mut sink = Collect::default();
    ical::read("c.ics", &mut &text[..], &mut sink).unwrap();
    sink.drafts.retain(|draft| draft.kind != Kind::Note);
    sink.drafts
}

fn exported(draft: Draft) -> Exported {
    Exported {
        id: "r".to_owned(),
        kind: draft.kind,
        category: draft.category,
        fields: draft.fields,
        attachments: draft.attachments,
        source: Some(draft.source.to_owned()),
        source_id: draft.source_id,
        time_ms: draft.time_ms,
    }
}

fn written(drafts: Vec<Draft>) -> (Vec<u8>, Outcome) {
    let mut out = Vec::new();
    let outcome = write(&mut drafts.into_iter().map(exported), &mut out).unwrap();
    (out, outcome)
}

#[test]
fn out_and_in_again() {
    let text = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:a\\, b\r\n\
        DTSTART;TZID=Europe/Berlin:20260131T100000\r\nDTEND;TZID=Europe/Berlin:20260131T110000\r\n\
        RRULE:FREQ=WEEKLY;COUNT=3\r\nEXDATE;TZID=Europe/Berlin:20260207T100000\r\nX-OWN:kept\r\n\
        ATTACH;FMTTYPE=text/plain;ENCODING=BASE64;VALUE=BINARY:aGk=\r\nEND:VEVENT\r\n\
        BEGIN:VEVENT\r\nUID:2\r\nDTSTAMP:20260101T000000Z\r\nRECURRENCE-ID;VALUE=DATE:20260201\r\n\
        DTSTART;VALUE=DATE:20260202\r\nEND:VEVENT\r\n\
        BEGIN:VTODO\r\nUID:3\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:t\r\nSTATUS:COMPLETED\r\n\
        DUE:20260131T100000Z\r\nEND:VTODO\r\nEND:VCALENDAR\r\n";
    let before = seen(text);
    assert_eq!(before.len(), 3);
    let (out, outcome) = written(seen(text));
    assert_eq!((outcome.records, outcome.attachments, outcome.failed.len()), (3, 1, 0));
    let after = seen(&out);
    let text = String::from_utf8(out).unwrap();
    assert_eq!(after.len(), 3, "{text}");
    for (one, two) in before.iter().zip(&after) {
        assert_eq!(
            (one.kind, &one.source_id, one.time_ms),
            (two.kind, &two.source_id, two.time_ms),
            "{text}"
        );
        for name in [
            "title",
            "start",
            "timeZone",
            "duration",
            "recurrenceRule",
            "recurrenceOverrides",
            "recurrenceId",
            "due",
            "progress",
            "showWithoutTime",
        ] {
            assert_eq!(one.fields.get(name), two.fields.get(name), "{name}: {text}");
        }
        let files = |draft: &Draft| draft.attachments.iter().map(bytes).collect::<Vec<_>>();
        assert_eq!(files(one), files(two), "{text}");
    }
    assert!(text.contains("X-OWN:kept"), "{text}");
}

/// What stands in the vault stays as it was: the definitions are no part of a record.
#[test]
fn a_zone_stands_before_whoever_names_it_and_changes_no_record() {
    let text = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\n\
        DTSTART;TZID=Europe/Lisbon:20260131T100000\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:2\r\n\
        DTSTAMP:20260101T000000Z\r\nDTSTART;TZID=W. Europe Standard Time:20260731T100000\r\n\
        END:VEVENT\r\nBEGIN:VEVENT\r\nUID:3\r\nDTSTAMP:20260101T000000Z\r\n\
        DTSTART;TZID=Atlantis/Port:20260731T100000\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let (first, _) = written(seen(text));
    let (second, _) = written(seen(&first));
    assert_eq!(first, second);
    for (one, two) in seen(&first).iter().zip(&seen(&second)) {
        assert_eq!((&one.fields, one.time_ms), (&two.fields, two.time_ms));
    }
    let text = String::from_utf8_lossy(&first);
    for (name, named) in [
        ("Europe/Lisbon", "DTSTART;TZID=Europe/Lisbon:"),
        ("W. Europe Standard Time", "DTSTART;TZID=\"W. Europe Standard Time\":"),
    ] {
        let definition = text.find(&format!("BEGIN:VTIMEZONE\r\nTZID:{name}\r\n"));
        assert!(definition.is_some() && definition < text.find(named), "{name}: {text}");
    }
    assert!(text.contains(";TZID=Atlantis/Port:") && !text.contains("TZID:Atlantis"), "{text}");
}

/// The name of its calendar, and that it never had an id nor a stamp.
#[test]
fn what_has_no_place_in_a_component_comes_back() {
    let text = b"BEGIN:VCALENDAR\r\nX-WR-CALNAME:Home\\, sweet\r\nMETHOD:PUBLISH\r\nBEGIN:VEVENT\r\nSUMMARY:a\r\n\
        DTSTART:20260131T100000Z\r\nLAST-MODIFIED:20250101T000000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let mut before = seen(text).remove(0);
    // As the vault calls one that has no id of its own.
    before.source_id = Some("content:1".to_owned());
    let (fields, id) = (before.fields.clone(), before.source_id.clone());
    let (out, _) = written(vec![before]);
    let after = seen(&out).remove(0);
    assert_eq!((&after.fields, &after.source_id), (&fields, &id));
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("\r\nUID:r\r\n") && text.contains("\r\nDTSTAMP:"), "{text}");
}

#[test]
fn an_occurrence_named_in_utc_stays_the_one_it_is() {
    let text = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\n\
        RECURRENCE-ID:20260131T100000Z\r\nDTSTART;TZID=America/Los_Angeles:20260131T030000\r\n\
        END:VEVENT\r\nEND:VCALENDAR\r\n";
    let before = seen(text);
    assert_eq!(before[0].fields["recurrenceId"], "2026-01-31T10:00:00");
    let (out, _) = written(seen(text));
    let after = seen(&out);
    for name in ["recurrenceId", "recurrenceIdTimeZone"] {
        assert_eq!(before[0].fields[name], after[0].fields[name], "{name}");
    }
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.matches("RECURRENCE-ID:20260131T100000Z\r\n").count(), 1, "{text}");
}

#[test]
fn a_record_that_was_never_a_calendar() {
    let fields = json!({"title": "new", "start": "2026-01-31T10:00:00"});
    let record = Exported {
        id: "r9".to_owned(),
        kind: Kind::Event,
        category: Kind::Event.category(),
        fields: fields.as_object().unwrap().clone(),
        attachments: Vec::new(),
        source: None,
        source_id: None,
        time_ms: Some(0),
    };
    let mut out = Vec::new();
    write(&mut [record].into_iter(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    for line in ["UID:r9", "DTSTAMP:19700101T000000Z", "DTSTART:20260131T100000", "SUMMARY:new"] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn real_calendars_come_back() {
    let Some(files) = data_files("packages/calendar", "ics") else { return };
    let (mut all, mut back, mut same) = (0, 0, 0);
    for path in files {
        let before = seen(&fs::read(&path).unwrap());
        let (out, outcome) = written(seen(&fs::read(&path).unwrap()));
        let after = seen(&out);
        all += before.len();
        back += after.len();
        for (id, reason) in outcome.failed {
            println!("{} {id}: {reason}", path.display());
        }
        if before.len() == after.len() {
            same += before
                .iter()
                .zip(&after)
                .filter(|(one, two)| {
                    ["title", "start", "timeZone", "duration"]
                        .iter()
                        .all(|name| one.fields.get(*name) == two.fields.get(*name))
                })
                .count();
        }
    }
    println!(
        "{all} records, {back} come back, {same} with the same title, start, zone and duration"
    );
    assert!(same * 100 >= all * 97);
}
