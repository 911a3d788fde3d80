// SPDX-License-Identifier: MIT OR Apache-2.0
//! Milliseconds since 1970 as RFC 3339 text, the way records and exports hold times.

use mail_parser::DateTime;

/// `2025-12-02T21:17:10Z`, with milliseconds only if there are any.
pub(crate) fn timestamp(ms: i64) -> String {
    let seconds = ms.div_euclid(1000).clamp(-62_135_596_800, 253_402_300_799);
    let millis = ms.rem_euclid(1000);
    let time = DateTime::from_timestamp(seconds);
    let (year, month, day) = (time.year, time.month, time.day);
    let (hour, minute, second) = (time.hour, time.minute, time.second);
    let fraction = if millis == 0 { String::new() } else { format!(".{millis:03}") };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00Z");
        assert_eq!(timestamp(1_764_710_230_123), "2025-12-02T21:17:10.123Z");
        assert_eq!(timestamp(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(timestamp(i64::MAX), "9999-12-31T23:59:59.807Z");
    }
}
