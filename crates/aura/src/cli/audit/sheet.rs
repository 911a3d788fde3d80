// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events as a table for spreadsheets: CSV (RFC 4180), lines ended by CR LF.
//!
//! A cell that a spreadsheet would compute (attack IMP-05: `=`, `+`, `-`, `@`, a tab or a line end first) gets an
//! apostrophe before it. Who acts is a text that another device has written.

use crate::view::Event;

/// The columns; they are only ever added to, at the end.
const COLUMNS: [&str; 11] = [
    "time",
    "device",
    "incarnation",
    "number",
    "who",
    "action",
    "outcome",
    "categories",
    "count",
    "grant",
    "hash",
];

/// The first line.
pub(super) fn header() -> String {
    line(&COLUMNS.map(str::to_owned))
}

/// The line of an event. Categories stand with a blank between them.
pub(super) fn row(event: &Event) -> String {
    line(&[
        event.time.clone(),
        event.device.clone(),
        event.incarnation.clone(),
        event.number.to_string(),
        event.who.clone(),
        event.action.clone(),
        event.outcome.clone(),
        event.categories.join(" "),
        event.count.to_string(),
        event.grant.clone(),
        event.hash.clone(),
    ])
}

fn line(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
    format!("{}\r\n", cells.join(","))
}

fn cell(text: &str) -> String {
    let is_computed = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let text = if is_computed { format!("'{text}") } else { text.to_owned() };
    // Where a spreadsheet separates by these, what follows would be a cell of its own.
    let text = text.replace([';', '\t'], " ");
    if text.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// attack IMP-05: no cell is one that a spreadsheet computes, and none ends its line or the next cell.
    #[test]
    fn imp_05_no_cell_is_computed() {
        assert_eq!(cell("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0");
        assert_eq!(cell("@SUM(1,2)"), "\"'@SUM(1,2)\"");
        for first in ['=', '+', '-', '@', '\t', '\r', '\n'] {
            let cell = cell(&format!("{first}1"));
            assert!(cell.trim_start_matches('"').starts_with('\''), "{cell:?}");
        }
        assert_eq!(cell("a;=cmd|' /C calc'!A0;b\tc"), "a =cmd|' /C calc'!A0 b c");
        assert_eq!(cell("a\"b\r\nc"), "\"a\"\"b\r\nc\"");
        assert_eq!(cell("assistant:a-b"), "assistant:a-b");
        assert_eq!(cell(""), "");
    }

    #[test]
    fn a_row_has_the_columns_of_the_header() {
        let event: Event = serde_json::from_value(serde_json::json!({
            "number": 3, "device": "d", "incarnation": "i", "time": "t", "who": "=1+1", "action": "read",
            "outcome": "done", "categories": ["mail", "notes"], "count": 2, "grant": "g", "hash": "h",
        }))
        .unwrap();
        assert_eq!(row(&event), "t,d,i,3,'=1+1,read,done,mail notes,2,g,h\r\n");
        assert_eq!(header().split(',').count(), row(&event).split(',').count());
    }
}
