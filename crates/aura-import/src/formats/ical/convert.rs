// SPDX-License-Identifier: MIT OR Apache-2.0
//! One VEVENT, VTODO or VJOURNAL to a draft.
//!
//! Events and tasks become JSCalendar; what JSCalendar has no place for stays in its `iCalendar`
//! member, so that the way back loses nothing. Source: RFC 8984 and its iCalendar mapping.

use std::collections::BTreeMap;

use aura_vault::record::{Fields, Kind};
use calcard::common::timezone::Tz;
use calcard::icalendar::timezone::TzResolver;
use calcard::icalendar::{
    ICalendar, ICalendarComponent, ICalendarComponentType, ICalendarProperty,
};
use calcard::jscalendar::JSCalendar;
use serde_json::{Value, json};

use super::super::component::{guarded, property, zone_of};
use super::super::media;
use super::super::origin::Origin;
use crate::draft::Draft;

/// The word that components of calendars are marked with.
pub(crate) const SOURCE: &str = "ical";
/// Most lines kept of those that are not properties.
const STRAY_LINES_MAX: usize = 100;

/// What stands around the components of a calendar.
#[derive(Default)]
pub(super) struct Calendar {
    pub(super) header: Header,
    /// Definitions by TZID.
    pub(super) zones: BTreeMap<String, String>,
}

#[derive(Default)]
pub(super) struct Header {
    pub(super) name: Option<String>,
    pub(super) zone: Option<String>,
    pub(super) method: Option<String>,
}

impl Calendar {
    /// Whether it is a message about an event, which need not have a time (RFC 5546, 3.2).
    pub(super) fn is_answer(&self) -> bool {
        matches!(
            self.header.method.as_deref(),
            Some("reply" | "cancel" | "refresh" | "counter" | "declinecounter")
        )
    }

    /// Whether every time zone that these lines name is defined by now, or known by its name.
    pub(super) fn knows_zones(&self, lines: &[String]) -> bool {
        lines.iter().filter_map(|line| zone_of(line)).all(|zone| {
            self.zones.contains_key(zone) || guarded(|| zone.parse::<Tz>().is_ok()) == Some(true)
        })
    }
}

/// A draft of these logical lines.
pub(super) fn draft(
    name: &str,
    lines: &[String],
    calendar: &Calendar,
) -> Result<Draft, &'static str> {
    let mut lines = lines.to_vec();
    let attachments = media::lift(&mut lines);
    let origin = Origin::lift(&mut lines);
    let lines = lines.as_slice();
    let own = own_properties(lines);
    let is_message = calendar.header.method.is_some() || origin.extra.contains_key("method");
    let stamp = if is_message { Stamp::OfTheMessage } else { Stamp::OfTheExport };
    let text = text(lines, calendar, &stamp);
    let parsed = guarded(|| convert(&text, name)).ok_or("its parts contradict each other")?;
    let (times, fields) = parsed?;
    let is_timeless = name == "VEVENT" && times.start.is_none();
    if is_timeless && (calendar.is_answer() || !says_something(&own)) {
        return Err(if own.iter().any(|(name, ..)| name == "DTSTART") {
            "its start (DTSTART) is not a date or time"
        } else {
            "it has no start (DTSTART)"
        });
    }
    let uid = own_value(&own, "UID").map(str::to_owned);
    let recurrence = own_value(&own, "RECURRENCE-ID");
    let source_id = uid.map(|uid| match recurrence {
        Some(recurrence) => format!("{uid}/{recurrence}"),
        None => uid,
    });
    let (kind, mut fields) = match name {
        "VEVENT" if !is_timeless => (Kind::Event, fields),
        "VTODO" => (Kind::Task, fields),
        _ => (Kind::Note, journal(&own)),
    };
    // The converter turns it into the zone of the event and still calls it UTC.
    if kind != Kind::Note
        && let Some(time) = recurrence.and_then(in_utc)
    {
        fields.insert("recurrenceId".to_owned(), time.into());
        fields.insert("recurrenceIdTimeZone".to_owned(), "Etc/UTC".into());
    }
    if kind != Kind::Note
        && let Some(day) = recurrence.and_then(whole_day)
    {
        fields.entry("recurrenceId").or_insert_with(|| day.into());
    }
    let mut extra = extra(lines, &calendar.header);
    extra.extend(origin.extra);
    if !extra.is_empty() {
        fields.insert("extra".to_owned(), Value::Object(extra));
    }
    Ok(Draft {
        kind,
        category: kind.category(),
        source: SOURCE,
        // An occurrence that another program changed carries its series' line.
        source_id: source_id.or(origin.source_id.filter(|_| recurrence.is_none())),
        time_ms: times.start.or(times.due).or(times.created),
        fields,
        attachments,
    })
}

/// In milliseconds since 1970 (UTC).
#[derive(Default)]
struct Times {
    start: Option<i64>,
    due: Option<i64>,
    created: Option<i64>,
}

/// The foreign part: everything in here may panic.
fn convert(text: &str, name: &str) -> Result<(Times, Fields), &'static str> {
    let Ok(calendar) = ICalendar::parse(text) else {
        return Err("its lines are not properties");
    };
    let resolver = calendar.build_owned_tz_resolver();
    let Some(component) = calendar.components.iter().find(|component| {
        matches!(
            component.component_type,
            ICalendarComponentType::VEvent
                | ICalendarComponentType::VTodo
                | ICalendarComponentType::VJournal
        )
    }) else {
        return Err("its lines are not properties");
    };
    let times = Times {
        start: time_ms(component, &ICalendarProperty::Dtstart, &resolver),
        due: time_ms(component, &ICalendarProperty::Due, &resolver),
        created: time_ms(component, &ICalendarProperty::Created, &resolver),
    };
    if name == "VJOURNAL" {
        return Ok((times, Fields::new()));
    }
    let converted: JSCalendar<'_, String, String> = calendar.into_jscalendar();
    let Ok(Value::Object(mut group)) = serde_json::to_value(&converted.0) else {
        return Err("it could not be converted");
    };
    match group.get_mut("entries").and_then(Value::as_array_mut).and_then(Vec::pop) {
        Some(Value::Object(fields)) => Ok((times, fields)),
        _ => Err("it could not be converted"),
    }
}

fn time_ms(
    component: &ICalendarComponent,
    name: &ICalendarProperty,
    resolver: &TzResolver<String>,
) -> Option<i64> {
    let entry = component.property(name)?;
    let zone = entry.tz_id().and_then(|zone| resolver.resolve(zone)).unwrap_or_default();
    let time = entry.values.first()?.as_partial_date_time()?.to_date_time()?;
    Some(time.to_date_time_with_tz(zone)?.timestamp_millis())
}

/// What the time stamp of a component means (RFC 5545, 3.8.7.2).
enum Stamp {
    /// When the message about the event was written, which is its last change.
    OfTheMessage,
    /// Services stamp an export with the time of the export, though it should be the last change.
    OfTheExport,
}

/// The calendar that the parser is given: the zones that are named, and the component.
fn text(lines: &[String], calendar: &Calendar, stamp: &Stamp) -> String {
    let mut text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n".to_owned();
    for (id, zone) in &calendar.zones {
        if lines.iter().any(|line| zone_of(line) == Some(id)) {
            text.push_str(zone);
            text.push_str("\r\n");
        }
    }
    let is_stamped = matches!(stamp, Stamp::OfTheExport)
        && own_properties(lines).iter().any(|(name, ..)| name == "LAST-MODIFIED");
    let mut depth = 0_usize;
    for line in lines {
        let (name, _) = property(line).unwrap_or_default();
        match name.as_str() {
            "BEGIN" => depth += 1,
            "END" => depth = depth.saturating_sub(1),
            // The other property says better when the last change was.
            "DTSTAMP" if depth == 1 && is_stamped => continue,
            "LAST-MODIFIED" if depth == 1 && is_stamped => {
                text.push_str("DTSTAMP");
                text.push_str(line.get("LAST-MODIFIED".len()..).unwrap_or_default());
                text.push_str("\r\n");
                continue;
            }
            _ => {}
        }
        text.push_str(line);
        text.push_str("\r\n");
    }
    text.push_str("END:VCALENDAR\r\n");
    text
}

/// Name, value and whole line of each property of the component itself.
fn own_properties(lines: &[String]) -> Vec<(String, &str, &str)> {
    let mut depth = 0_usize;
    let mut own = Vec::new();
    for line in lines {
        let Some((name, value)) = property(line) else { continue };
        match name.as_str() {
            "BEGIN" => depth += 1,
            "END" => depth = depth.saturating_sub(1),
            _ if depth == 1 => own.push((name, value, line.as_str())),
            _ => {}
        }
    }
    own
}

fn own_value<'a>(own: &[(String, &'a str, &str)], wanted: &str) -> Option<&'a str> {
    let value = own.iter().find(|(name, ..)| name == wanted).map(|(_, value, _)| value.trim());
    value.filter(|value| !value.is_empty())
}

/// `20260131T100000Z` as a JSCalendar local time.
fn in_utc(value: &str) -> Option<String> {
    let (day, time) = value.strip_suffix('Z')?.split_once('T')?;
    let day = whole_day(day)?;
    let is_time = time.len() == 6 && time.bytes().all(|byte| byte.is_ascii_digit());
    let (hour, minute, second) = (time.get(..2)?, time.get(2..4)?, time.get(4..)?);
    let date = day.split('T').next()?;
    is_time.then(|| format!("{date}T{hour}:{minute}:{second}"))
}

/// `20260131` as the JSCalendar local time that names a whole-day occurrence.
fn whole_day(value: &str) -> Option<String> {
    if value.len() != 8 || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, month, day) = (value.get(..4)?, value.get(4..6)?, value.get(6..)?);
    Some(format!("{year}-{month}-{day}T00:00:00"))
}

/// Whether a person would miss it, even without a time.
fn says_something(own: &[(String, &str, &str)]) -> bool {
    ["SUMMARY", "DESCRIPTION"].iter().any(|name| own_value(own, name).is_some())
}

fn journal(own: &[(String, &str, &str)]) -> Fields {
    let mut fields = Fields::new();
    let mut keywords = Vec::new();
    let mut rest = Vec::new();
    for (name, value, line) in own {
        match name.as_str() {
            "SUMMARY" => {
                fields.insert("name".to_owned(), unescape(value).into());
            }
            "DESCRIPTION" => match fields.get_mut("text") {
                // A journal may have several descriptions (RFC 5545, 3.6.3).
                Some(Value::String(text)) => {
                    text.push_str("\n\n");
                    text.push_str(&unescape(value));
                }
                _ => {
                    fields.insert("text".to_owned(), unescape(value).into());
                }
            },
            "CATEGORIES" => {
                let words = split_escaped(value);
                keywords.extend(words.into_iter().map(|word| Value::from(word.trim())));
            }
            "UID" | "DTSTAMP" => {}
            _ => rest.push(Value::from(*line)),
        }
    }
    if !keywords.is_empty() {
        fields.insert("keywords".to_owned(), keywords.into());
    }
    if !rest.is_empty() {
        fields.insert("iCalendar".to_owned(), json!({ "name": "vjournal", "lines": rest }));
    }
    fields
}

fn unescape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(c) = characters.next() {
        match (c, if c == '\\' { characters.next() } else { None }) {
            ('\\', Some('n' | 'N')) => text.push('\n'),
            ('\\', Some(other)) => text.push(other),
            (c, _) => text.push(c),
        }
    }
    text
}

fn split_escaped(value: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_escaped = false;
    for c in value.chars() {
        if c == ',' && !is_escaped {
            words.push(String::new());
        } else if let Some(word) = words.last_mut() {
            word.push(c);
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    words.iter().map(|word| unescape(word)).filter(|word| !word.is_empty()).collect()
}

/// What the calendar says about all its components, and lines that are nothing at all.
fn extra(lines: &[String], header: &Header) -> Fields {
    let mut extra = Fields::new();
    let words = [
        ("calendar", &header.name),
        ("calendarTimeZone", &header.zone),
        ("method", &header.method),
    ];
    for (name, value) in words {
        if let Some(value) = value {
            extra.insert(name.to_owned(), value.as_str().into());
        }
    }
    let mut stray = Vec::new();
    for line in lines {
        if property(line).is_none() && stray.len() < STRAY_LINES_MAX {
            stray.push(Value::from(line.as_str()));
        }
    }
    if !stray.is_empty() {
        extra.insert("strayLines".to_owned(), stray.into());
    }
    extra
}
