// SPDX-License-Identifier: MIT OR Apache-2.0
//! Charts, drawn as SVG by hand: columns by day, and bars by name.

use super::words::day;
use crate::moment;
use crate::screen::count;

const WIDTH: u64 = 720;
const HEIGHT: u64 = 120;
/// Columns in one chart.
const COLUMNS_MAX: i64 = 92;

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) x: u64,
    pub(crate) y: u64,
    pub(crate) width: u64,
    pub(crate) height: u64,
    pub(crate) label: String,
    pub(crate) count: String,
}

/// Columns of days, one for each, also where nothing was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Days {
    pub(crate) columns: Vec<Column>,
    pub(crate) first: String,
    pub(crate) last: String,
    pub(crate) most: String,
    /// Whether older days are left out.
    pub(crate) is_cut: bool,
}

/// The days from `since` (or the first with anything) until today.
pub(crate) fn days<'a>(
    counts: impl Iterator<Item = (&'a String, &'a u64)> + Clone,
    (since_ms, now_ms): (Option<i64>, i64),
) -> Days {
    let day_of = |ms: i64| ms.div_euclid(86_400_000);
    let known: Vec<(i64, u64)> =
        counts.filter_map(|(day, count)| Some((day_of(moment::parse(day, 0)?), *count))).collect();
    let last = day_of(now_ms);
    let first = since_ms.map(day_of).or(known.iter().map(|(day, _)| *day).min()).unwrap_or(last);
    let shown = first.clamp(last.saturating_sub(COLUMNS_MAX.saturating_sub(1)), last);
    let number = u64::try_from(last.saturating_sub(shown).saturating_add(1)).unwrap_or(1);
    let most = known.iter().map(|(_, count)| *count).max().unwrap_or_default();
    let step = (WIDTH / number).max(1);
    let gap = if step > 4 { 2 } else { 1 };
    let columns = (0..number).map(|at| {
        let day = shown.saturating_add(i64::try_from(at).unwrap_or_default());
        let sum = known.iter().filter(|(known, _)| *known == day).map(|(_, count)| *count).sum();
        let height = part(sum, most, HEIGHT);
        Column {
            x: at.saturating_mul(step),
            y: HEIGHT.saturating_sub(height),
            width: step.saturating_sub(gap).max(1),
            height,
            label: name(day),
            count: count(sum),
        }
    });
    Days {
        columns: columns.collect(),
        first: name(shown),
        last: name(last),
        most: count(most),
        is_cut: shown > first,
    }
}

fn name(of: i64) -> String {
    day(&moment::rfc3339(of.saturating_mul(86_400_000)))
}

/// So much of `whole` as `sum` is of `most`; something is never nothing.
fn part(sum: u64, most: u64, whole: u64) -> u64 {
    let height = u128::from(sum).saturating_mul(u128::from(whole)) / u128::from(most.max(1));
    let height = u64::try_from(height).unwrap_or(whole).min(whole);
    if sum > 0 { height.max(2) } else { 0 }
}

/// One bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bar {
    pub(crate) label: String,
    /// Of 200.
    pub(crate) width: u64,
    pub(crate) count: String,
}

/// The largest bars first.
pub(crate) fn bars<'a>(
    counts: impl Iterator<Item = (&'a String, &'a u64)>,
    (name, most): (fn(&str) -> String, usize),
) -> Vec<Bar> {
    let mut counts: Vec<_> = counts.collect();
    counts.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), (*name).clone()));
    let largest = counts.first().map(|(_, count)| **count).unwrap_or_default();
    let bar = |(label, sum): (&String, &u64)| Bar {
        label: name(label),
        width: part(*sum, largest, 200),
        count: count(*sum),
    };
    counts.into_iter().take(most).map(bar).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn each_day_has_a_column() {
        let now = moment::parse("2026-11-24T12:00:00Z", 0).unwrap();
        let sums: BTreeMap<String, u64> =
            [("2026-11-22".to_owned(), 10), ("2026-11-24".to_owned(), 1)].into();
        let chart = days(sums.iter(), (None, now));
        let seen: Vec<_> =
            chart.columns.iter().map(|one| (one.height, one.count.as_str())).collect();
        assert_eq!(seen, [(120, "10"), (0, "0"), (12, "1")]);
        assert_eq!((chart.first.as_str(), chart.last.as_str()), ("22 Nov 2026", "24 Nov 2026"));
        let far: BTreeMap<String, u64> = [("1970-01-01".to_owned(), u64::MAX)].into();
        let chart = days(far.iter(), (None, now));
        assert!(chart.columns.len() == 92 && chart.is_cut);
        assert_eq!(days(far.iter().take(0), (None, now)).columns.len(), 1);
    }

    #[test]
    fn bars_are_as_long_as_what_they_count() {
        let sums: BTreeMap<String, u64> =
            [("a".to_owned(), 1), ("b".to_owned(), 100), ("c".to_owned(), u64::MAX)].into();
        let drawn = bars(sums.iter(), (str::to_owned, 2));
        let drawn: Vec<_> = drawn.iter().map(|bar| (bar.label.as_str(), bar.width)).collect();
        assert_eq!(drawn, [("c", 200), ("b", 2)]);
    }
}
