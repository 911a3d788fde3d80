// SPDX-License-Identifier: MIT OR Apache-2.0
//! An entry in a configuration of TOML: a table of its own at the end; every other byte stays.

use serde_json::{Map, Value};
use toml_edit::{Document, Item, TableLike};

use super::splice::{Broken, Splice, newline, place};

/// What stands under the keys, as far as it says what is started.
pub(super) fn get(text: &str, keys: &[&str]) -> Result<Option<Value>, Broken> {
    let document = parse(text)?;
    let Some(item) = find(document.as_item(), keys)? else { return Ok(None) };
    let Some(table) = item.as_table_like() else { return Ok(Some(Value::Null)) };
    let members = table.iter().map(|(name, item)| (name.to_owned(), plain(item)));
    Ok(Some(Value::Object(members.collect::<Map<_, _>>())))
}

/// Puts the entry under the keys: new, or its values in the place of those that are there.
pub(super) fn put(
    text: &str,
    keys: &[&str],
    entry: &[(&'static str, Value)],
) -> Result<Splice, Broken> {
    let document = parse(text)?;
    let Some(item) = find(document.as_item(), keys)? else {
        let newline = newline(text);
        let gap = match text {
            "" => String::new(),
            text if text.ends_with('\n') => newline.to_owned(),
            _ => newline.repeat(2),
        };
        let inserted = format!("{gap}{}", block(keys, entry, newline));
        return Ok(Splice::insert(text.len(), inserted));
    };
    let table = item.as_table_like().ok_or_else(by_hand)?;
    let mut values = Vec::new();
    for (name, value) in entry {
        let span = table.get(name).and_then(Item::span).ok_or_else(by_hand)?;
        values.push((span, literal(value)));
    }
    values.sort_by_key(|(span, _)| span.start);
    let (Some((first, _)), Some((last, _))) = (values.first(), values.last()) else {
        return Err(by_hand());
    };
    let (from, to) = (first.start, last.end);
    // One piece from the first to the last, and what is between them as it is.
    let (mut piece, mut at) = (String::new(), from);
    for (span, literal) in values {
        piece.push_str(text.get(at..span.start).ok_or_else(by_hand)?);
        piece.push_str(&literal);
        at = span.end;
    }
    Splice::replace(text, from, to, piece).ok_or_else(by_hand)
}

/// Takes out the table under the keys.
pub(super) fn cut(text: &str, keys: &[&str]) -> Result<String, Broken> {
    let document = parse(text)?;
    let Some(item) = find(document.as_item(), keys)? else { return Ok(text.to_owned()) };
    let table = item.as_table_like().ok_or_else(by_hand)?;
    let head = format!("[{}]", keys.join("."));
    let mut at = 0usize;
    let mut heads = text.split_inclusive('\n').filter_map(|line| {
        let start = at;
        at = at.saturating_add(line.len());
        (line.split('#').next().unwrap_or_default().trim() == head).then_some((start, at))
    });
    let (Some((from, mut to)), None) = (heads.next(), heads.next()) else { return Err(by_hand()) };
    for (_, item) in table.iter() {
        to = to.max(item.span().ok_or_else(by_hand)?.end);
    }
    let rest = text.get(to..).ok_or_else(by_hand)?;
    if !text.get(..to).is_some_and(|text| text.ends_with('\n')) {
        to = to.saturating_add(rest.find('\n').map_or(rest.len(), |end| end.saturating_add(1)));
    }
    let before = text.get(..from).ok_or_else(by_hand)?;
    let after = text.get(to..).ok_or_else(by_hand)?;
    // The empty line that set it apart goes with it.
    let before = match before.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line))
    {
        Some(line) if line.is_empty() || line.ends_with('\n') => line,
        _ => before,
    };
    Ok(format!("{before}{after}"))
}

/// Where the entry's first value begins, in bytes.
pub(super) fn value_at(text: &str, keys: &[&str]) -> Result<Option<usize>, Broken> {
    let document = parse(text)?;
    let Some(item) = find(document.as_item(), keys)? else { return Ok(None) };
    let command = item.as_table_like().and_then(|table| table.get("command"));
    Ok(command.and_then(Item::span).map(|span| span.start))
}

/// The whole, to compare.
pub(super) fn whole(text: &str) -> Result<Value, Broken> {
    Ok(plain(parse(text)?.as_item()))
}

fn parse(text: &str) -> Result<Document<&str>, Broken> {
    Document::parse(text).map_err(|error| {
        let (line, column) = place(text, error.span().map_or(0, |span| span.start));
        Broken::At { line, column, why: "that is not TOML".to_owned() }
    })
}

fn find<'a>(root: &'a Item, keys: &[&str]) -> Result<Option<&'a Item>, Broken> {
    let mut item = root;
    for key in keys {
        let table: &dyn TableLike = item.as_table_like().ok_or_else(by_hand)?;
        match table.get(key) {
            Some(next) => item = next,
            None => return Ok(None),
        }
    }
    Ok(Some(item))
}

/// The table as it is written.
fn block(keys: &[&str], entry: &[(&'static str, Value)], newline: &str) -> String {
    let mut block = format!("[{}]{newline}", keys.join("."));
    for (name, value) in entry {
        block.push_str(name);
        block.push_str(" = ");
        block.push_str(&literal(value));
        block.push_str(newline);
    }
    block
}

fn literal(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(literal).collect();
            format!("[{}]", items.join(", "))
        }
        Value::String(text) => toml_edit::Value::from(text.as_str()).to_string(),
        other => other.to_string(),
    }
}

fn plain(item: &Item) -> Value {
    if let Some(table) = item.as_table_like() {
        let members = table.iter().map(|(name, item)| (name.to_owned(), plain(item)));
        return Value::Object(members.collect());
    }
    match item {
        Item::Value(toml_edit::Value::Array(items)) => {
            Value::Array(items.iter().map(|value| plain(&Item::Value(value.clone()))).collect())
        }
        Item::Value(value) => match value.as_str() {
            Some(text) => Value::from(text),
            // Only compared with itself.
            None => Value::from(value.to_string().trim()),
        },
        Item::ArrayOfTables(tables) => {
            let tables = tables.iter().map(|table| plain(&Item::Table(table.clone())));
            Value::Array(tables.collect())
        }
        _ => Value::Null,
    }
}

fn by_hand() -> Broken {
    Broken::Other("it is written in a way that Aura does not change".to_owned())
}
