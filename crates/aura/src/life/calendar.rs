// SPDX-License-Identifier: MIT OR Apache-2.0
//! The calendar: single and repeating events, whole days, changed instances, and tasks.
//!
//! Source: RFC 5545; the tables are in `agenda`.

use std::path::Path;
use std::{fs, io};

use super::agenda::{
    ALL_DAY, BERLIN, EVENTS, LISBON, PARIS, REPEATING, ROUTINE, Row, TASKS, TOKYO,
};
use super::date::{City, day};
use super::random::Dice;
use super::{Tally, people};

/// Writes `calendar.ics` below `folder`.
pub(super) fn write(folder: &Path, dice: &mut Dice, tally: &mut Tally) -> io::Result<()> {
    let mut lines = vec![
        "BEGIN:VCALENDAR".to_owned(),
        "VERSION:2.0".to_owned(),
        "PRODID:-//Sample life//EN".to_owned(),
        "X-WR-CALNAME:Nora".to_owned(),
    ];
    zones(&mut lines);
    for (index, row) in EVENTS.iter().enumerate() {
        event(&mut lines, &format!("event-{index:03}"), row, None);
    }
    for (index, row) in REPEATING.iter().enumerate() {
        let (zone, at, minutes, title, place, rule) = *row;
        let uid = format!("repeating-{index}");
        event(&mut lines, &uid, &(zone, at, minutes, title, place, "", ""), Some(rule));
    }
    tally.add("event", EVENTS.len() + REPEATING.len());
    changed_instance(&mut lines);
    routine(&mut lines, dice, tally);
    birthdays(&mut lines, tally);
    for (index, (due, title, is_done, priority)) in TASKS.iter().enumerate() {
        let status = if *is_done { "COMPLETED" } else { "NEEDS-ACTION" };
        lines.push(format!("BEGIN:VTODO\r\nUID:task-{index:03}@velbrueck.example"));
        lines.push(format!("DTSTAMP:{}Z", due.plus_days(-20).compact()));
        lines.push(format!("DUE;VALUE=DATE:{}", due.compact_date()));
        lines.push(format!("SUMMARY:{}", escape(title)));
        lines.push(format!("STATUS:{status}\r\nPRIORITY:{priority}"));
        if *is_done {
            lines.push(format!("COMPLETED:{}Z", due.plus_days(-1).plus_minutes(700).compact()));
        }
        lines.push("END:VTODO".to_owned());
    }
    tally.add("task", TASKS.len());
    lines.push("END:VCALENDAR".to_owned());
    let text: String = lines.iter().flat_map(|line| line.split("\r\n")).map(fold).collect();
    fs::write(folder.join("calendar.ics"), text)
}

fn zones(lines: &mut Vec<String>) {
    for (zone, winter) in [(BERLIN, 1), (PARIS, 1), (LISBON, 0)] {
        let summer = winter + 1;
        lines.push(format!("BEGIN:VTIMEZONE\r\nTZID:{zone}"));
        lines.push(format!(
            "BEGIN:DAYLIGHT\r\nDTSTART:19960331T{summer:02}0000\r\nTZOFFSETFROM:+{winter:02}00\r\n\
             TZOFFSETTO:+{summer:02}00\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nEND:DAYLIGHT"
        ));
        lines.push(format!(
            "BEGIN:STANDARD\r\nDTSTART:19961027T{:02}0000\r\nTZOFFSETFROM:+{summer:02}00\r\n\
             TZOFFSETTO:+{winter:02}00\r\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD",
            summer + 1
        ));
        lines.push("END:VTIMEZONE".to_owned());
    }
    lines.push(format!(
        "BEGIN:VTIMEZONE\r\nTZID:{TOKYO}\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n\
         TZOFFSETFROM:+0900\r\nTZOFFSETTO:+0900\r\nEND:STANDARD\r\nEND:VTIMEZONE"
    ));
}

fn event(lines: &mut Vec<String>, uid: &str, row: &Row, rule: Option<&str>) {
    let (zone, at, length, title, place, description, guests) = *row;
    lines.push(format!("BEGIN:VEVENT\r\nUID:{uid}@velbrueck.example"));
    lines.push(format!("DTSTAMP:{}Z", at.plus_days(-14).compact()));
    if zone == ALL_DAY {
        lines.push(format!("DTSTART;VALUE=DATE:{}", at.compact_date()));
        lines.push(format!("DTEND;VALUE=DATE:{}", at.plus_days(length).compact_date()));
    } else {
        lines.push(format!("DTSTART;TZID={zone}:{}", at.compact()));
        lines.push(format!("DTEND;TZID={zone}:{}", at.plus_minutes(length).compact()));
    }
    lines.push(format!("SUMMARY:{}", escape(title)));
    for (name, value) in [("LOCATION", place), ("DESCRIPTION", description)] {
        if !value.is_empty() {
            lines.push(format!("{name}:{}", escape(value)));
        }
    }
    if let Some(rule) = rule {
        lines.push(format!("RRULE:{rule}"));
        if zone == PARIS && rule.contains("MO,TU") {
            lines.push(format!("EXDATE;TZID={PARIS}:20191225T130000,20200101T130000"));
        }
    }
    if !guests.is_empty() {
        lines.push("ORGANIZER;CN=Nora Velbrück:mailto:nora@velbrueck.example".to_owned());
        for one in guests.split(' ').map(people::find) {
            let name = one.name();
            lines.push(format!("ATTENDEE;CN={name};PARTSTAT=ACCEPTED:mailto:{}", one.mail));
        }
        lines.push("BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT1H".to_owned());
        lines.push(format!("DESCRIPTION:{}\r\nEND:VALARM", escape(title)));
    }
    lines.push("END:VEVENT".to_owned());
}

/// The telephone call with Mama that was moved to after the wedding.
fn changed_instance(lines: &mut Vec<String>) {
    lines.push(format!(
        "BEGIN:VEVENT\r\nUID:repeating-0@velbrueck.example\r\nDTSTAMP:20260601T090000Z\r\n\
         RECURRENCE-ID;TZID={BERLIN}:20260621T180000\r\nDTSTART;TZID={BERLIN}:20260621T200000\r\n\
         DTEND;TZID={BERLIN}:20260621T203000\r\nSUMMARY:Telefon mit Mama (sie sitzt nebenan)\r\n\
         END:VEVENT"
    ));
}

fn routine(lines: &mut Vec<String>, dice: &mut Dice, tally: &mut Tally) {
    let mut on = day(2016, 1, 13);
    let mut number = 0;
    while on < day(2026, 11, 1) {
        let city = City::of(on);
        let zone = [BERLIN, PARIS, LISBON].into_iter().find(|zone| zone.ends_with(city.name()));
        let titles = ROUTINE.iter().find(|row| row.0 == city.name()).map_or(&[][..], |row| row.1);
        let start = on.plus_minutes(dice.between(16, 40) * 30);
        let minutes = dice.between(1, 5) * 30;
        let title = dice.pick(titles);
        let row = (zone.unwrap_or(BERLIN), start, minutes, title, city.name(), "", "");
        event(lines, &format!("routine-{number:03}"), &row, None);
        number += 1;
        on = on.plus_days(dice.between(12, 28));
    }
    tally.add("event", number);
}

fn birthdays(lines: &mut Vec<String>, tally: &mut Tally) {
    for one in people::cast() {
        if let Some(born) = one.born() {
            lines.push(format!("BEGIN:VEVENT\r\nUID:birthday-{}@velbrueck.example", one.key));
            lines.push("DTSTAMP:20160101T000000Z".to_owned());
            lines.push(format!("DTSTART;VALUE=DATE:{}", born.compact_date()));
            lines.push(format!("SUMMARY:🎂 {}\r\nRRULE:FREQ=YEARLY\r\nEND:VEVENT", one.name()));
            tally.add("event", 1);
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace(',', "\\,").replace(';', "\\;").replace('\n', "\\n")
}

/// A content line in pieces of at most 75 octets, ended by CRLF.
fn fold(line: &str) -> String {
    let mut folded = String::new();
    let mut width = 0;
    for c in line.chars() {
        if width + c.len_utf8() > 75 {
            folded.push_str("\r\n ");
            width = 1;
        }
        width += c.len_utf8();
        folded.push(c);
    }
    folded + "\r\n"
}
