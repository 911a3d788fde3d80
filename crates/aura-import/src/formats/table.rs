// SPDX-License-Identifier: MIT OR Apache-2.0
//! One file of rows, read as the person says: which column is what.

use std::io::{BufRead, BufReader};
use std::sync::Arc;

use super::mapping::Mapping;
use super::report::Report;
use super::{csv_rows, json_lines};
use crate::draft::{Sink, Stop};
use crate::tree::Tree;

/// Reads a table (CSV and its kin) or JSON Lines with a mapping; its content tells which it is.
///
/// # Errors
/// Only when the sink stops; what can't be read is a finding.
pub fn read_mapped(
    tree: &Arc<dyn Tree>,
    path: &str,
    mapping: &Mapping,
    sink: &mut dyn Sink,
) -> Result<(), Stop> {
    let mut input = match tree.open(path) {
        Ok(opened) => BufReader::with_capacity(64 << 10, opened),
        Err(error) => return Report::new(path, sink).broken_input(&error),
    };
    let is_json = match input.fill_buf() {
        Ok(head) => {
            let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
            head.trim_ascii_start().starts_with(b"{")
        }
        Err(error) => return Report::new(path, sink).broken_input(&error),
    };
    if is_json {
        json_lines::read_mapped(path, &mut input, mapping, sink)
    } else {
        csv_rows::read_mapped(path, &mut input, mapping, sink)
    }
}
