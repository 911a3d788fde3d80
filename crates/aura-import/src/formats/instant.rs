// SPDX-License-Identifier: MIT OR Apache-2.0
//! Points in time as exports write them, to milliseconds since 1970 (UTC).
//!
//! A time without a zone is taken as UTC, because every re-import must give the same value, whatever
//! the zone of the machine. Source: RFC 3339 and what exports make of it.

use serde_json::Value;

const MS_A_DAY: i64 = 86_400_000;

/// `2025-12-02T21:17:10.100000Z`, `2025-12-02 21:17`, `2025-12-02`, `+02:00` or `+0200` at the end.
pub(crate) fn iso_ms(text: &str) -> Option<i64> {
    let text = text.trim();
    let days = day(text.get(..10)?)?;
    let rest = text.get(10..)?;
    let Some(rest) = rest.strip_prefix(['T', 't', ' ']) else {
        return if rest.is_empty() { days.checked_mul(MS_A_DAY) } else { None };
    };
    let (clock, offset_minutes) = split_offset(rest.trim())?;
    let clock_ms = clock_ms(clock.trim())?;
    days.checked_mul(MS_A_DAY)?.checked_add(clock_ms)?.checked_sub(offset_minutes * 60_000)
}

/// A number of seconds (with a fraction), or such a number written as a string. Zero is no time.
pub(crate) fn seconds_ms(value: &Value) -> Option<i64> {
    scaled(value, 1_000.0)
}

/// Milliseconds as a number or a string. Zero is no time.
pub(crate) fn millis_ms(value: &Value) -> Option<i64> {
    scaled(value, 1.0)
}

/// Microseconds as a number or a string. Zero is no time.
pub(crate) fn micros_ms(value: &Value) -> Option<i64> {
    scaled(value, 0.001)
}

/// A date that a table may hold: ISO 8601, or `31.01.2026`. Not `01/02/2026`: nobody can tell which
/// of the two is the month.
pub(crate) fn table_ms(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(ms) = iso_ms(text) {
        return Some(ms);
    }
    let mut parts = text.split('.');
    let (Some(day), Some(month), Some(year), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    if day.len() > 2 || month.len() > 2 || year.len() != 4 {
        return None;
    }
    days_from_civil(number(year)?, number(month)?, number(day)?)?.checked_mul(MS_A_DAY)
}

fn scaled(value: &Value, to_ms: f64) -> Option<i64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse::<f64>().ok()?,
        _ => return None,
    };
    let ms = (number * to_ms).round();
    // Years 1 to 9999; the bounds also make the conversion exact.
    if ms == 0.0 || !(-62_135_596_800_000.0..253_402_300_800_000.0).contains(&ms) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole, and within the bounds above")]
    let ms = ms as i64;
    Some(ms)
}

fn day(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 {
        return None;
    }
    days_from_civil(number(year)?, number(month)?, number(day)?)
}

/// The clock and the offset in minutes east of UTC.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let Some(at) = text.rfind(['+', '-']) else { return Some((text, 0)) };
    let (clock, offset) = text.split_at_checked(at)?;
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let digits: String = offset.chars().filter(char::is_ascii_digit).collect();
    let hours = number(digits.get(..2)?)?;
    let minutes = if digits.len() >= 4 { number(digits.get(2..4)?)? } else { 0 };
    if hours > 23 || minutes > 59 {
        return None;
    }
    Some((clock, sign * (hours * 60 + minutes)))
}

fn clock_ms(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let hours = number(parts.next()?)?;
    let minutes = number(parts.next()?)?;
    let seconds = parts.next().unwrap_or("0");
    let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let seconds = number(seconds)?;
    if parts.next().is_some() || hours > 24 || minutes > 59 || seconds > 60 {
        return None;
    }
    let mut millis = 0;
    let mut digits = fraction.chars();
    for weight in [100, 10, 1] {
        millis += digits.next().map_or(Some(0), |c| c.to_digit(10)).map(i64::from)? * weight;
    }
    Some(((hours * 60 + minutes) * 60 + seconds) * 1_000 + millis)
}

fn number(text: &str) -> Option<i64> {
    if text.is_empty() || text.len() > 4 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Days since 1970-01-01 of the proleptic Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap),
        _ => return None,
    };
    if day < 1 || day > length {
        return None;
    }
    // Counted from March, so that the leap day is the last of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn iso_in_its_forms() {
        assert_eq!(iso_ms("1970-01-01"), Some(0));
        assert_eq!(iso_ms("1970-01-01T00:00:00.5Z"), Some(500));
        assert_eq!(iso_ms("2025-12-02T21:17:10.123456+00:00"), Some(1_764_710_230_123));
        assert_eq!(iso_ms("2025-12-02T23:17:10+0200"), Some(1_764_710_230_000));
        assert_eq!(iso_ms("2025-12-02 21:17"), Some(1_764_710_220_000));
        assert_eq!(iso_ms("2000-02-29"), Some(951_782_400_000));
        for wrong in ["", "2025-02-30", "2025-13-01", "2025-12-02T", "2025-12-02x", "12.2025", "é"]
        {
            assert_eq!(iso_ms(wrong), None, "{wrong}");
        }
        assert_eq!(table_ms("31.01.2026"), iso_ms("2026-01-31"));
        assert_eq!(table_ms("01/02/2026"), None);
    }

    #[test]
    fn numbers_and_strings() {
        assert_eq!(seconds_ms(&json!(1.5)), Some(1_500));
        assert_eq!(millis_ms(&json!("1500")), Some(1_500));
        assert_eq!(micros_ms(&json!(1_500_000)), Some(1_500));
        assert_eq!(seconds_ms(&json!(0)), None);
        assert_eq!(seconds_ms(&json!(1e300)), None);
        assert_eq!(seconds_ms(&json!(null)), None);
    }
}
