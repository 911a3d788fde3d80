// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tables of comma-, semicolon- or tab-separated values to records, one row at a time.
//!
//! The first row names the columns; the separator is the one it holds most of. Cells are UTF-8, else
//! Windows-1252. A quotation mark that is never closed would make one cell of the rest of the file:
//! a row may have so many bytes and no more. Source: RFC 4180.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use aura_vault::record::Fields;
use csv::{ByteRecord, ReaderBuilder};

use super::line::decode;
use super::mapping::Mapping;
use super::report::Report;
use crate::draft::{Sink, Stop};

/// Most bytes that are read without a row coming to its end.
const ROW_BYTES_MAX: u64 = 16 << 20;
/// Most columns of a table.
const COLUMNS_MAX: usize = 1_000;
/// Longest cell, in bytes.
const CELL_BYTES_MAX: usize = 4 << 20;
/// Most bytes looked at to find the separator.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// Whether this is a table whose columns name themselves; any other is a file like all files.
pub(crate) fn recognise(first: &[u8], path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    let is_named = [".csv", ".tsv", ".tab", ".txt"].iter().any(|ending| path.ends_with(ending));
    if !is_named || first.contains(&0) {
        return false;
    }
    let mut rows = ReaderBuilder::new()
        .delimiter(separator(first))
        .flexible(true)
        .has_headers(false)
        .from_reader(first);
    let mut row = ByteRecord::new();
    matches!(rows.read_byte_record(&mut row), Ok(true)) && Mapping::guess(&columns(&row)).is_some()
}

/// Reads a table whose columns name themselves.
///
/// # Errors
/// Only when the sink stops.
pub(crate) fn read(place: &str, input: &mut dyn BufRead, sink: &mut dyn Sink) -> Result<(), Stop> {
    read_rows(Report::new(place, sink), input, None)
}

/// Reads a table as the person says.
///
/// # Errors
/// Only when the sink stops.
pub(crate) fn read_mapped(
    place: &str,
    input: &mut dyn BufRead,
    mapping: &Mapping,
    sink: &mut dyn Sink,
) -> Result<(), Stop> {
    read_rows(Report::new(place, sink), input, Some(mapping))
}

fn read_rows(
    mut report: Report<'_>,
    input: &mut dyn BufRead,
    mapping: Option<&Mapping>,
) -> Result<(), Stop> {
    let separator = match input.fill_buf() {
        Ok(head) => separator(head),
        Err(error) => return report.broken_input(&error),
    };
    let since_row = Rc::new(Cell::new(0));
    let metered = Metered { input, since_row: since_row.clone() };
    let mut rows = ReaderBuilder::new()
        .delimiter(separator)
        .flexible(true)
        .has_headers(false)
        .from_reader(metered);
    let mut row = ByteRecord::new();
    let mut table: Option<(Vec<String>, Mapping)> = None;
    loop {
        let line = rows.position().line();
        match rows.read_byte_record(&mut row) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                let reason = if since_row.get() > ROW_BYTES_MAX {
                    "the row has no end within 16 MiB; a quotation mark may not be closed. Rows \
                     before it were read"
                } else {
                    return report.broken_input(&io::Error::from(error));
                };
                return report.failed(format_args!("line {line}"), reason);
            }
        }
        since_row.set(0);
        report.progress = rows.position().byte();
        let Some((columns, mapping)) = &table else {
            let columns = columns(&row);
            if columns.len() > COLUMNS_MAX {
                return report.failed("", "the table has more columns than this program reads");
            }
            match mapping.cloned().or_else(|| Mapping::guess(&columns)) {
                Some(mapping) => table = Some((columns, mapping)),
                None => {
                    return report.skipped(
                        "",
                        "the names of its columns do not tell what the rows are; import it with a \
                         mapping that says so",
                    );
                }
            }
            continue;
        };
        match cells(&row, columns) {
            Ok(cells) if cells.is_empty() => {
                report.skipped(format_args!("line {line}"), "the row is empty")?;
            }
            Ok(cells) => match mapping.problem(&cells) {
                Some(reason) => report.failed(format_args!("line {line}"), reason)?,
                None => report.draft(mapping.draft(cells, "csv"))?,
            },
            Err(reason) => report.failed(format_args!("line {line}"), reason)?,
        }
    }
    match table {
        Some(_) => Ok(()),
        None => report.skipped("", "there is nothing in it"),
    }
}

fn columns(row: &ByteRecord) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    for (at, cell) in row.iter().enumerate() {
        let cell = if at == 0 { cell.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(cell) } else { cell };
        let name = decode(cell).trim().to_owned();
        let is_taken = name.is_empty() || columns.contains(&name);
        columns.push(if is_taken { format!("column {}", at + 1) } else { name });
        if columns.len() > COLUMNS_MAX {
            break;
        }
    }
    columns
}

fn cells(row: &ByteRecord, columns: &[String]) -> Result<Fields, &'static str> {
    if row.len() > COLUMNS_MAX {
        return Err("the row has more cells than this program reads");
    }
    let mut cells = Fields::new();
    for (at, cell) in row.iter().enumerate() {
        if cell.len() > CELL_BYTES_MAX {
            return Err("a cell of the row is larger than this program reads (4 MiB)");
        }
        if cell.is_empty() {
            continue;
        }
        let name = columns.get(at).cloned().unwrap_or_else(|| format!("column {}", at + 1));
        cells.insert(name, decode(cell).into());
    }
    Ok(cells)
}

/// The separator that the first line with anything in it holds most of.
fn separator(head: &[u8]) -> u8 {
    let head = head.get(..head.len().min(HEAD_BYTES_MAX)).unwrap_or_default();
    let lines = head.split(|byte| *byte == b'\n');
    let line = lines.into_iter().find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    // The later of equals wins, so the comma stands last.
    *[b'|', b'\t', b';', b',']
        .iter()
        .max_by_key(|separator| count_outside_quotes(line, **separator))
        .unwrap_or(&b',')
}

fn count_outside_quotes(line: &[u8], wanted: u8) -> usize {
    let mut is_quoted = false;
    let mut count = 0;
    for &byte in line {
        if byte == b'"' {
            is_quoted = !is_quoted;
        } else if byte == wanted && !is_quoted {
            count += 1;
        }
    }
    count
}

/// Counts what is read between two rows, and ends the input when it is too much.
struct Metered<'a> {
    input: &'a mut dyn BufRead,
    since_row: Rc<Cell<u64>>,
}

impl Read for Metered<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since_row.get() > ROW_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let read = self.input.read(buffer)?;
        self.since_row.set(self.since_row.get().saturating_add(read as u64));
        Ok(read)
    }
}

#[cfg(test)]
#[path = "csv_rows_tests.rs"]
mod tests;
