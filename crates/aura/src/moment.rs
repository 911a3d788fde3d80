// SPDX-License-Identifier: MIT OR Apache-2.0
//! Points in time, as people and scripts read and write them: RFC 3339 in UTC, days, and spans.
//!
//! In milliseconds since 1970, proleptic Gregorian calendar, no leap seconds.

use std::time::{SystemTime, UNIX_EPOCH};

const DAY_MS: i64 = 86_400_000;
/// Beyond these years RFC 3339 has no form.
const YEARS: std::ops::RangeInclusive<i64> = 0..=9999;

/// Now.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// `2025-03-14T09:26:53Z`, with milliseconds where there are any.
pub(crate) fn rfc3339(ms: i64) -> String {
    let (year, month, day) = civil(ms.div_euclid(DAY_MS));
    if !YEARS.contains(&year) {
        return String::new();
    }
    let rest = ms.rem_euclid(DAY_MS);
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    let (second, milli) = (rest / 1000 % 60, rest % 1000);
    let fraction = if milli == 0 { String::new() } else { format!(".{milli:03}") };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// `2025-03-14`.
pub(crate) fn day(ms: i64) -> String {
    rfc3339(ms).get(..10).unwrap_or_default().to_owned()
}

/// A time that was typed: `30d`, `12h`, `15m`, `45s` ago, a day, or a time in RFC 3339 (UTC).
pub(crate) fn parse(text: &str, now_ms: i64) -> Option<i64> {
    let units = [('d', DAY_MS), ('h', 3_600_000), ('m', 60_000), ('s', 1000)];
    for (unit, size) in units {
        if let Some(count) = text.strip_suffix(unit)
            && let Ok(count) = count.parse::<u32>()
        {
            return Some(now_ms.saturating_sub(i64::from(count).saturating_mul(size)));
        }
    }
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00:00Z"));
    let mut parts = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let year = parts.next()??;
    let month = parts.next().unwrap_or(Some(1))?;
    let day = parts.next().unwrap_or(Some(1))?;
    let is_day = YEARS.contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    // Only then are the numbers small enough to be reckoned with.
    let days = is_day.then(|| days(year, month, day))?;
    if civil(days) != (year, month, day) {
        return None;
    }
    Some(days.saturating_mul(DAY_MS).saturating_add(time_of_day(time)?))
}

fn time_of_day(text: &str) -> Option<i64> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let mut parts = text.splitn(3, ':');
    let hour: i64 = parts.next()?.parse().ok()?;
    let minute: i64 = parts.next()?.parse().ok()?;
    let seconds: f64 = parts.next().unwrap_or("0").parse().ok()?;
    let is_time =
        (0..24).contains(&hour) && (0..60).contains(&minute) && (0.0..60.0).contains(&seconds);
    #[expect(clippy::cast_possible_truncation, reason = "below 60,000")]
    let ms = (seconds * 1000.0).round() as i64;
    is_time.then(|| hour * 3_600_000 + minute * 60_000 + ms)
}

/// Days since 1970 of a civil date, whose year is one of some thousand.
pub(crate) const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of such a number of days.
pub(crate) fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days.saturating_add(719_468);
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(rfc3339(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(i64::MAX), "");
        assert_eq!(day(1_700_000_000_000), "2023-11-14");
    }

    #[test]
    fn typed_times() {
        assert_eq!(parse("2d", 10 * DAY_MS), Some(8 * DAY_MS));
        assert_eq!(parse("2023-11-14T22:13:20Z", 0), Some(1_700_000_000_000));
        assert_eq!(parse("2000-02-29", 0), Some(951_782_400_000));
        assert_eq!(parse("2001-02-29", 0), None);
        assert_eq!(parse("soon", 0), None);
        for far in ["999999999999999999-01-01", "2000-9223372036854775807-01"] {
            assert_eq!(parse(far, 0), None);
        }
        assert_eq!(parse("2000-01-01T9223372036854775807:00", 0), None);
    }

    #[test]
    fn every_day_comes_back() {
        for count in (-40_000..40_000).step_by(17) {
            let (year, month, day) = civil(count);
            assert_eq!(days(year, month, day), count);
        }
    }
}
