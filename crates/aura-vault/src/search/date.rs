// SPDX-License-Identifier: MIT OR Apache-2.0
//! The dates that a person types into a query: `2025`, `2025-03`, `2025-03-14`, in UTC.
//!
//! A date names its first millisecond. Source: RFC 3339 (full-date); days are counted in the
//! proleptic Gregorian calendar. Milliseconds since 1970-01-01T00:00:00Z.

const DAY_MS: i64 = 86_400_000;

/// The first millisecond of the year, month or day that `text` names.
pub(super) fn first_ms(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let year = number(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |part| number(part, 2))?;
    let day = parts.next().map_or(Some(1), |part| number(part, 2))?;
    let is_date = parts.next().is_none()
        && year >= 1
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day);
    if is_date { days_since_1970(year, month, day).checked_mul(DAY_MS) } else { None }
}

fn number(text: &str, digits: usize) -> Option<i64> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days before the year, by counting leap days, and days before the month, by adding them up.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let before = year - 1;
    let before_year = before * 365 + before / 4 - before / 100 + before / 400;
    let before_month: i64 = (1..month).map(|month| days_in(year, month)).sum();
    // 719,162 days lie between 0001-01-01 and 1970-01-01.
    before_year + before_month + day - 1 - 719_162
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_begin_where_the_calendar_says() {
        assert_eq!(first_ms("1970"), Some(0));
        assert_eq!(first_ms("1969-12-31"), Some(-DAY_MS));
        assert_eq!(first_ms("2000-02-29"), Some(951_782_400_000));
        assert_eq!(first_ms("2025-03"), Some(1_740_787_200_000));
        assert_eq!(first_ms("2025-03-14"), Some(1_741_910_400_000));
        assert!(first_ms("0001").is_some() && first_ms("9999-12-31").is_some());
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in ["", "25", "2025-3", "2025-13", "2025-02-29", "2025-00", "2025-01-32", "0000"] {
            assert_eq!(first_ms(text), None, "{text}");
        }
        assert_eq!(first_ms("2025-01-01-01"), None);
        assert_eq!(first_ms("+025"), None);
    }
}
