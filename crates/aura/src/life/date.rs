// SPDX-License-Identifier: MIT OR Apache-2.0
//! Points in time and the forms in which mail, calendars and JSON write them.
//!
//! Only what the sample life needs: UTC seconds, the civil calendar, and the summer time of the
//! three cities it is lived in (last Sunday of March to last Sunday of October, 01:00 UTC).

use crate::moment::{civil, days};

const DAY: i64 = 86_400;
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Seconds since 1970, UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At(i64);

/// Where home was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum City {
    Berlin,
    Paris,
    Lisbon,
}

/// A point in time from its civil date (UTC).
pub(super) const fn at(year: i64, month: i64, day: i64, hour: i64, minute: i64) -> At {
    At(days(year, month, day) * DAY + hour * 3600 + minute * 60)
}

/// Midnight of a day.
pub(super) const fn day(year: i64, month: i64, day: i64) -> At {
    at(year, month, day, 0, 0)
}

impl At {
    pub(super) fn unix(self) -> i64 {
        self.0
    }

    pub(super) fn plus_days(self, days: i64) -> Self {
        Self(self.0 + days * DAY)
    }

    pub(super) fn plus_minutes(self, minutes: i64) -> Self {
        Self(self.0 + minutes * 60)
    }

    /// Year, month and day.
    pub(super) fn civil(self) -> (i64, i64, i64) {
        civil(self.0.div_euclid(DAY))
    }

    fn clock(self) -> (i64, i64, i64) {
        let second = self.0.rem_euclid(DAY);
        (second / 3600, second / 60 % 60, second % 60)
    }

    /// `2025-04-12T09:30:00Z`
    pub(super) fn iso(self) -> String {
        let (hour, minute, second) = self.clock();
        format!("{}T{hour:02}:{minute:02}:{second:02}Z", self.date())
    }

    /// `2025-04-12`
    pub(super) fn date(self) -> String {
        let (year, month, day) = self.civil();
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// `20250412`
    pub(super) fn compact_date(self) -> String {
        self.date().replace('-', "")
    }

    /// `20250412T093000`
    pub(super) fn compact(self) -> String {
        let (hour, minute, second) = self.clock();
        format!("{}T{hour:02}{minute:02}{second:02}", self.compact_date())
    }

    fn weekday(self) -> &'static str {
        pick(&WEEKDAYS, self.0.div_euclid(DAY).rem_euclid(7))
    }

    /// Days since the last Monday.
    pub(super) fn since_monday(self) -> i64 {
        (self.0.div_euclid(DAY) + 3).rem_euclid(7)
    }

    /// The date of a mail header, in the local time of home (RFC 5322).
    pub(super) fn mail(self) -> String {
        let offset = City::of(self).offset_hours(self);
        let local = self.plus_minutes(offset * 60);
        let (year, month, day) = local.civil();
        let (hour, minute, second) = local.clock();
        let month = pick(&MONTHS, month - 1);
        let weekday = local.weekday();
        format!("{weekday}, {day} {month} {year} {hour:02}:{minute:02}:{second:02} +{offset:02}00")
    }

    /// The date of an mbox separator line (asctime form, UTC).
    pub(super) fn asctime(self) -> String {
        let (year, month, day) = self.civil();
        let (hour, minute, second) = self.clock();
        let month = pick(&MONTHS, month - 1);
        format!("{} {month} {day:2} {hour:02}:{minute:02}:{second:02} {year}", self.weekday())
    }
}

impl City {
    /// The home of that day: Berlin, then Paris, then Lisbon.
    pub(super) fn of(at: At) -> Self {
        if at < day(2019, 9, 2) {
            Self::Berlin
        } else if at < day(2025, 7, 3) {
            Self::Paris
        } else {
            Self::Lisbon
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Berlin => "Berlin",
            Self::Paris => "Paris",
            Self::Lisbon => "Lisbon",
        }
    }

    fn offset_hours(self, at: At) -> i64 {
        let (year, _, _) = at.civil();
        let summer = last_sunday(year, 3) <= at && at < last_sunday(year, 10);
        let winter = i64::from(self != Self::Lisbon);
        winter + i64::from(summer)
    }
}

/// 01:00 UTC on the last Sunday of a month of 31 days.
fn last_sunday(year: i64, month: i64) -> At {
    let end = at(year, month, 31, 1, 0);
    end.plus_days(-((end.since_monday() + 1) % 7))
}

fn pick(names: &[&'static str], index: i64) -> &'static str {
    usize::try_from(index).ok().and_then(|index| names.get(index).copied()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekdays_are_right() {
        assert_eq!(at(2025, 4, 12, 9, 30).unix(), 1_744_450_200);
        assert_eq!(at(2025, 4, 12, 9, 30).asctime(), "Sat Apr 12 09:30:00 2025");
        assert_eq!(at(2025, 4, 12, 9, 30).since_monday(), 5);
    }

    #[test]
    fn mail_dates_know_summer_time() {
        assert_eq!(at(2025, 4, 12, 9, 30).mail(), "Sat, 12 Apr 2025 11:30:00 +0200");
        assert_eq!(at(2026, 1, 5, 9, 0).mail(), "Mon, 5 Jan 2026 09:00:00 +0000");
        assert_eq!(at(2025, 10, 26, 0, 59).mail(), "Sun, 26 Oct 2025 01:59:00 +0100");
        assert_eq!(at(2025, 10, 26, 1, 0).mail(), "Sun, 26 Oct 2025 01:00:00 +0000");
    }
}
