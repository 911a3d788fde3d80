// SPDX-License-Identifier: MIT OR Apache-2.0
//! Days, times, sizes and texts as a page shows them, and what a form or an address says.

use crate::screen;

/// The longest text of a field on a page, in characters; the whole is in the export.
pub(crate) const TEXT_CHARS_MAX: usize = 400_000;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// What a form or an address says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Words(Vec<(String, String)>);

impl Words {
    /// Of `a=1&b=2`.
    pub(crate) fn of(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The first one of this name; empty if there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// `a=1&b=2` of these, those without a value left out.
pub(crate) fn query(words: &[(&str, &str)]) -> String {
    let mut text = form_urlencoded::Serializer::new(String::new());
    for (name, value) in words.iter().filter(|(_, value)| !value.is_empty()) {
        text.append_pair(name, value);
    }
    text.finish()
}

/// `2025-03-14T09:26:53Z` as `14 Mar 2025`; as it is if it is none.
pub(crate) fn day(time: &str) -> String {
    let named = || {
        let mut parts = time.get(..10)?.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let month = month.parse::<usize>().ok()?.checked_sub(1)?;
        let (day, year) = (day.parse::<u8>().ok()?, year.parse::<u16>().ok()?);
        Some(format!("{day} {} {year}", MONTHS.get(month)?))
    };
    named().unwrap_or_else(|| line(time))
}

/// The same with the time of day, `14 Mar 2025, 09:26`; what it is in is not said.
pub(crate) fn moment(time: &str) -> String {
    match time.get(11..16) {
        Some(clock) if time.as_bytes().get(10) == Some(&b'T') => format!("{}, {clock}", day(time)),
        _ => day(time),
    }
}

/// A time of a page: for programs, and for people. A script puts it into the reader's zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Time {
    pub(crate) iso: String,
    pub(crate) shown: String,
}

impl Time {
    pub(crate) fn of(time: &str) -> Self {
        Self { iso: line(time), shown: format!("{} UTC", moment(time)) }
    }
}

/// A word with a capital, and without hyphens.
pub(crate) fn label(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}", letters.as_str().replace(['-', '_'], " "))
}

/// Text on one line; characters that would turn the direction of what follows are gone.
pub(crate) fn line(text: &str) -> String {
    screen::clean(text)
}

/// The same with its lines, and cut where it is longer than a page can show.
pub(crate) fn text(text: &str) -> String {
    let lines = text.lines().map(|part| {
        let parts: Vec<String> = part.split('\t').map(screen::clean).collect();
        parts.join("\t")
    });
    screen::cut(&lines.collect::<Vec<_>>().join("\n"), TEXT_CHARS_MAX)
}

/// `camelCaseName` as `Camel case name`.
pub(crate) fn field(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    label(line(&words).trim().trim_start_matches('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_times_are_in_words() {
        assert_eq!(day("2025-03-04T09:26:53Z"), "4 Mar 2025");
        assert_eq!(moment("2025-03-14T09:26:53.120Z"), "14 Mar 2025, 09:26");
        for odd in ["", "soon", "2025-13-01", "2025-3-1", "é025-01-01é"] {
            assert_eq!(day(odd), odd);
            assert_eq!(moment(odd), odd);
        }
    }

    #[test]
    fn names_of_fields_are_words() {
        assert_eq!(field("effectiveDateTime"), "Effective date time");
        assert_eq!(field("@type"), "Type");
        assert_eq!(label("read-audit"), "Read audit");
    }

    #[test]
    fn what_a_form_says_comes_back() {
        let words = Words::of(query(&[("q", "a&b=ü +"), ("in", ""), ("page", "2")]).as_bytes());
        assert_eq!([words.get("q"), words.get("in"), words.get("page")], ["a&b=ü +", "", "2"]);
        assert_eq!(words.iter().count(), 2);
    }

    /// A text cannot turn the rest of the page around.
    #[test]
    fn texts_keep_their_lines_and_lose_what_steers() {
        assert_eq!(text("a\tb\r\nc\u{202e}d\u{7}"), "a\tb\nc d ");
        assert_eq!(line("a\nb"), "a b");
    }
}
