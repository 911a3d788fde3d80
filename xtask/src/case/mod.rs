// SPDX-License-Identifier: MIT OR Apache-2.0
//! Attacks and faults, the tests that show what stands against them, and the page that says so.
//!
//! The list is `testing/security-cases.md`, in words of our own; which tests there are is read from the tests.
//! The page is made from both, and from what became of mutants.

pub(crate) mod id;

pub(crate) mod list;

pub(crate) mod shown;

mod page;

use std::fs;

use anyhow::{Context, Result};

use crate::run::Checkout;
use crate::source::{self, Source};
use crate::table::Table;

pub(crate) use page::{MUTANTS, PAGE};

/// The list's table.
pub(crate) fn table(sources: &[Source]) -> Result<Table> {
    Table::find(text(sources, list::LIST)?, "cases").context(list::LIST)
}

/// The page, as it should be.
pub(crate) fn page(sources: &[Source]) -> Result<String> {
    let table = table(sources)?;
    let cases = list::read(&table, text(sources, list::MODEL)?)?;
    let tables = page::Tables {
        oracles: Table::find(text(sources, list::LIST)?, "oracles").context(list::LIST)?,
        mutants: Table::find(text(sources, MUTANTS)?, "mutants").context(MUTANTS)?,
    };
    page::render(&cases, &shown::read(sources).shown, &tables)
}

/// A file's text.
pub(crate) fn text<'a>(sources: &'a [Source], path: &str) -> Result<&'a str> {
    let source = sources.iter().find(|source| source.path == path);
    Ok(source.with_context(|| format!("{path} is missing"))?.text.as_str())
}

/// Writes the page.
pub(crate) fn write(checkout: &Checkout) -> Result<()> {
    let page = page(&source::read_all(checkout)?)?;
    fs::write(checkout.root.join(PAGE), page).context(PAGE)?;
    println!("{PAGE} is written");
    Ok(())
}
