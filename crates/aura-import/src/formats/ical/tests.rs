// SPDX-License-Identifier: MIT OR Apache-2.0
//! What calendars of all makes must become, and what they must never do.

use std::fs;

use aura_vault::record::Kind;
use proptest::prelude::*;
use serde_json::json;

use super::super::collect::{Collect, bytes, data_files};
use super::*;

fn seen(text: &[u8]) -> Collect {
    let mut sink = Collect::default();
    read("c.ics", &mut &text[..], &mut sink).unwrap();
    sink
}

fn calendar(inside: &str) -> Collect {
    seen(format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{inside}END:VCALENDAR\r\n").as_bytes())
}

fn event(lines: &str) -> Collect {
    calendar(&format!("BEGIN:VEVENT\r\nUID:u1\r\n{lines}END:VEVENT\r\n"))
}

#[test]
fn an_event_in_a_zone_with_a_rule_and_an_alarm() {
    let sink = event(
        "DTSTART;TZID=Europe/Berlin:20260131T100000\r\nDTEND;TZID=Europe/Berlin:20260131T113000\r\n\
         SUMMARY:Dent\\, the\r\n  second\r\nRRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=4\r\n\
         EXDATE;TZID=Europe/Berlin:20260202T100000\r\nCATEGORIES:a,b\r\nX-OWN;X-P=1:kept\r\n\
         BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nDESCRIPTION:x\r\nEND:VALARM\r\n",
    );
    assert!(sink.failed.is_empty(), "{:?}", sink.failed);
    let draft = &sink.drafts[0];
    let fields = &draft.fields;
    assert_eq!(
        (draft.kind, draft.source, draft.source_id.as_deref()),
        (Kind::Event, "ical", Some("u1"))
    );
    assert_eq!(draft.time_ms, Some(1_769_850_000_000)); // 09:00 UTC
    assert_eq!(fields["title"], "Dent, the second");
    assert_eq!(fields["start"], "2026-01-31T10:00:00");
    assert_eq!(fields["timeZone"], "Europe/Berlin");
    assert_eq!(fields["duration"], "PT1H30M");
    assert_eq!(fields["keywords"], json!({"a": true, "b": true}));
    assert!(fields["alerts"].is_object());
    let text = serde_json::to_string(fields).unwrap();
    assert!(text.contains("weekly"), "the rule is kept: {text}");
    assert!(text.contains("\"excluded\":true"), "the exception is kept: {text}");
    assert!(
        text.contains("x-own") && text.contains("kept"),
        "the unknown property is kept: {text}"
    );
}

#[test]
fn all_day_floating_utc_and_windows_zones() {
    let day = event("DTSTART;VALUE=DATE:20260131\r\n");
    assert_eq!(day.drafts[0].fields["showWithoutTime"], true);
    assert_eq!(day.drafts[0].fields["start"], "2026-01-31T00:00:00");
    assert_eq!(day.drafts[0].time_ms, Some(1_769_817_600_000));
    let floating = event("DTSTART:20260131T100000\r\n");
    assert!(!floating.drafts[0].fields.contains_key("timeZone"));
    assert_eq!(floating.drafts[0].time_ms, Some(1_769_853_600_000));
    let utc = event("DTSTART:20260131T100000Z\r\n");
    assert_eq!(utc.drafts[0].fields["timeZone"], "Etc/UTC");
    let windows = event("DTSTART;TZID=W. Europe Standard Time:20260131T100000\r\n");
    assert_eq!(windows.drafts[0].fields["timeZone"], "Europe/Berlin");
    assert_eq!(windows.drafts[0].time_ms, Some(1_769_850_000_000));
}

const ODD_ZONE: &str = "BEGIN:VTIMEZONE\r\nTZID:Office\r\nX-LIC-LOCATION:Asia/Tokyo\r\n\
    BEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0900\r\nTZOFFSETTO:+0900\r\n\
    END:STANDARD\r\nEND:VTIMEZONE\r\n";
const IN_ODD_ZONE: &str =
    "BEGIN:VEVENT\r\nUID:z\r\nDTSTART;TZID=Office:20260131T100000\r\nEND:VEVENT\r\n";

#[test]
fn a_zone_that_is_defined_after_its_use() {
    let before = calendar(&format!("{ODD_ZONE}{IN_ODD_ZONE}"));
    let after = calendar(&format!("{IN_ODD_ZONE}{ODD_ZONE}"));
    assert_eq!(before.drafts[0].time_ms, Some(1_769_821_200_000)); // 01:00 UTC
    assert_eq!(before.essence(), after.essence());
    let never = calendar(IN_ODD_ZONE);
    assert_eq!(never.drafts.len(), 1, "an unknown zone loses no event");
}

#[test]
fn one_malformed_event_in_the_middle_does_not_stop_the_rest() {
    let good = |n: u32| format!("BEGIN:VEVENT\nUID:{n}\nDTSTART:2026013{n}T100000Z\nEND:VEVENT\n");
    let text = format!(
        "BEGIN:VCALENDAR\n{}BEGIN:VEVENT\nUID:bad\nDTSTART:tomorrow\nEND:VEVENT\n\
         BEGIN:VEVENT\nUID:worse\n{}BEGIN:VEVENT\nCLASS:PUBLIC\nEND:VEVENT\nEND:VCALENDAR\n",
        good(0),
        good(1)
    );
    let sink = seen(text.as_bytes());
    let ids: Vec<_> = sink.drafts.iter().map(|draft| draft.source_id.as_deref().unwrap()).collect();
    assert_eq!(ids, ["0", "1"]);
    let places: Vec<_> = sink.failed.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(places, ["c.ics, line 6", "c.ics, line 10", "c.ics, line 16"]);
}

#[test]
fn an_event_without_a_time_that_says_something_is_a_note() {
    let sink = event("SUMMARY:Dentist\r\nLOCATION:Graz\r\n");
    let draft = &sink.drafts[0];
    assert_eq!((draft.kind, draft.source_id.as_deref()), (Kind::Note, Some("u1")));
    assert_eq!((&draft.fields["name"], draft.time_ms), (&json!("Dentist"), None));
    assert!(draft.fields["iCalendar"].to_string().contains("LOCATION:Graz"));
    let someday = event("SUMMARY:Far away\r\nDTSTART:next year\r\n");
    assert!(someday.drafts[0].fields["iCalendar"].to_string().contains("DTSTART:next year"));
}

#[test]
fn an_answer_without_a_time_is_no_event() {
    let answer = "BEGIN:VEVENT\r\nUID:u\r\nSUMMARY:s\r\nEND:VEVENT\r\n";
    let sink = calendar(&format!("METHOD:REPLY\r\n{answer}"));
    assert_eq!((sink.drafts.len(), sink.skipped.len(), sink.failed.len()), (0, 1, 0));
    assert_eq!(calendar(&format!("METHOD:REQUEST\r\n{answer}")).drafts.len(), 1);
}

#[test]
fn lines_may_end_in_cr_alone() {
    let sink = seen(
        b"BEGIN:VCALENDAR\rBEGIN:VEVENT\rUID:1\rDTSTART:20260131\rSUMMARY:a\r  b\r\
          END:VEVENT\rEND:VCALENDAR\r",
    );
    assert_eq!(sink.drafts[0].fields["title"], "a b");
}

#[test]
fn overrides_have_ids_of_their_own() {
    let sink = calendar(
        "BEGIN:VEVENT\r\nUID:s\r\nDTSTART:20260105T100000Z\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\n\
         BEGIN:VEVENT\r\nUID:s\r\nRECURRENCE-ID:20260106T100000Z\r\nDTSTART:20260106T120000Z\r\n\
         END:VEVENT\r\n\
         BEGIN:VEVENT\r\nUID:d\r\nRECURRENCE-ID;VALUE=DATE:20260106\r\n\
         DTSTART;VALUE=DATE:20260107\r\nEND:VEVENT\r\n",
    );
    let ids: Vec<_> = sink.drafts.iter().map(|draft| draft.source_id.as_deref().unwrap()).collect();
    assert_eq!(ids, ["s", "s/20260106T100000Z", "d/20260106"]);
    assert_eq!(sink.drafts[1].fields["recurrenceId"], "2026-01-06T10:00:00");
    assert_eq!(sink.drafts[2].fields["recurrenceId"], "2026-01-06T00:00:00");
}

/// Another program that changes one day of an exported series leaves our line in it.
#[test]
fn a_changed_occurrence_is_not_the_series_that_it_came_from() {
    let line = r#"X-AURA-ORIGIN:{"sourceId":"content:1"\,"uid":"r"\,"added":["UID"]}"#;
    let sink = calendar(&format!(
        "BEGIN:VEVENT\r\nUID:r\r\nDTSTART:20260105T100000Z\r\nRRULE:FREQ=DAILY\r\n{line}\r\n\
         END:VEVENT\r\n\
         BEGIN:VEVENT\r\nUID:r\r\nRECURRENCE-ID:20260106T100000Z\r\nDTSTART:20260106T120000Z\r\n\
         {line}\r\nEND:VEVENT\r\n",
    ));
    let ids: Vec<_> = sink.drafts.iter().map(|draft| draft.source_id.as_deref()).collect();
    assert_eq!(ids, [Some("content:1"), None]);
}

#[test]
fn tasks_journals_and_what_is_no_record() {
    let sink = calendar(
        "X-WR-CALNAME:Home\r\nBEGIN:VTODO\r\nUID:t\r\nSUMMARY:Buy\r\nDUE:20260131T100000Z\r\n\
         STATUS:COMPLETED\r\nEND:VTODO\r\nBEGIN:VJOURNAL\r\nUID:j\r\nSUMMARY:Day\r\n\
         DESCRIPTION:one\\ntwo\r\nCATEGORIES:x\\,y,z\r\nDTSTART;VALUE=DATE:20260131\r\nX-MOOD:fine\r\n\
         END:VJOURNAL\r\nBEGIN:VFREEBUSY\r\nUID:f\r\nEND:VFREEBUSY\r\n",
    );
    let (task, note) = (&sink.drafts[0], &sink.drafts[1]);
    assert_eq!(task.kind, Kind::Task);
    assert_eq!(task.fields["title"], "Buy");
    assert_eq!(task.fields["progress"], "completed");
    assert_eq!(task.time_ms, Some(1_769_853_600_000));
    assert_eq!(task.fields["extra"]["calendar"], "Home");
    assert_eq!(note.kind, Kind::Note);
    assert_eq!(note.fields["name"], "Day");
    assert_eq!(note.fields["text"], "one\ntwo");
    assert_eq!(note.fields["keywords"], json!(["x,y", "z"]));
    assert!(note.fields["iCalendar"].to_string().contains("X-MOOD:fine"));
    assert_eq!(sink.skipped.len(), 1);
}

#[test]
fn the_stamp_of_the_export_is_not_a_change() {
    let export = |stamp: &str| {
        event(&format!(
            "DTSTART:20260131T100000Z\r\nDTSTAMP:{stamp}\r\nLAST-MODIFIED:20250101T000000Z\r\n"
        ))
    };
    let one = export("20260201T000000Z");
    assert_eq!(one.drafts[0].fields["updated"], "2025-01-01T00:00:00Z");
    assert_eq!(one.essence(), export("20260301T000000Z").essence());
}

#[test]
fn an_inline_attachment_becomes_bytes() {
    let sink = event(
        "DTSTART:20260131T100000Z\r\nATTACH;FMTTYPE=image/png;ENCODING=BASE64;VALUE=BINARY:AQID\r\n\
         ATTACH:https://example.org/a.pdf\r\n",
    );
    let draft = &sink.drafts[0];
    assert_eq!(draft.attachments.len(), 1, "{:?}", draft.fields);
    assert_eq!(bytes(&draft.attachments[0]), [1, 2, 3]);
    assert!(serde_json::to_string(&draft.fields).unwrap().contains("https://example.org/a.pdf"));
}

#[test]
fn marks_old_charsets_and_stray_lines() {
    let marked = seen(
        b"\xEF\xBB\xBFBEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20260131\nSUMMARY:Caf\xE9\n\
        lost line\nEND:VEVENT\nEND:VCALENDAR",
    );
    assert_eq!(marked.drafts[0].fields["title"], "Caf\u{e9}");
    assert_eq!(marked.drafts[0].fields["extra"]["strayLines"], json!(["lost line"]));
    assert!(recognise(b"\xEF\xBB\xBFbegin:vcalendar\r\n", "x"));
    assert!(!recognise(b"BEGIN:VCARD", "x.ics"));
    assert_eq!(seen(b"hello").failed.len(), 1);
}

#[test]
fn the_sink_can_stop() {
    let text = "BEGIN:VEVENT\nUID:1\nDTSTART:20260131\nEND:VEVENT\n".repeat(5);
    let mut sink = Collect { stop_after: Some(2), ..Collect::default() };
    assert_eq!(read("c", &mut text.as_bytes(), &mut sink), Err(Stop));
    assert_eq!(sink.count(), 2);
}

#[test]
fn real_calendars_are_accounted_for_and_read_alike_twice() {
    let Some(files) = data_files("packages/calendar", "ics") else { return };
    let (mut components, mut drafts, mut skipped, mut failed) = (0, 0, 0, 0);
    for path in files {
        let text = fs::read(&path).unwrap();
        let (one, two) = (seen(&text), seen(&text));
        assert_eq!(one.essence(), two.essence(), "{}", path.display());
        for (place, reason) in &one.failed {
            println!("{} {place}: {reason}", path.file_name().unwrap().to_string_lossy());
        }
        drafts += one.drafts.len();
        skipped += one.skipped.len();
        failed += one.failed.len();
        components += one.count();
    }
    println!("read {components} = {drafts} drafts + {skipped} skipped + {failed} failed");
    assert!(drafts > 300 && failed * 10 < drafts);
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_their_end(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        seen(&bytes);
    }

    #[test]
    fn any_properties_are_read_to_their_end(
        lines in proptest::collection::vec(
            "(DTSTART|DTEND|RRULE|EXDATE|RDATE|TRIGGER|DUE|DURATION|ATTACH|ATTENDEE|RECURRENCE-ID|GEO|LOCATION|STATUS|RELATED-TO|X-A|JSPROP|CATEGORIES|BEGIN|END)(;TZID=(Office|Europe/Rome|)|;VALUE=(DATE|PERIOD|BINARY|DATE-TIME)|;ENCODING=BASE64|)*:(20260131(T100000Z?)?(/PT1H)?|FREQ=(DAILY|YEARLY);(UNTIL=2026|COUNT=2|BYDAY=MO)|-?PT1[HM]|mailto:a@b|VALARM|PARTICIPANT|data:,x|[ -~]{0,12})",
            0..12,
        )
    ) {
        let sink = event(&format!("{}\r\n", lines.join("\r\n")));
        prop_assert!(sink.count() > 0);
    }
}
