// SPDX-License-Identifier: MIT OR Apache-2.0
//! An entry in a configuration of JSON with comments: found, put in, taken out; every other byte stays.
//!
//! The library says where things are, and the text is changed there. Its tree is not written back: taking out what was
//! put in must give the same bytes again, and it does not promise that. A new entry is the first of its object, so that
//! no line but its own changes: no comma after what stood last, no comment that changes its owner.

use jsonc_parser::ast::{Object, ObjectProp, Value as Ast};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::Value;

use super::splice::{Broken, Splice, newline, place};

/// An indentation where nothing says another.
const UNIT: &str = "  ";

/// The members of an entry, in their order.
type Entry = [(&'static str, Value)];

/// What stands under the keys.
pub(super) fn get(text: &str, keys: &[&str]) -> Result<Option<Value>, Broken> {
    let Some(root) = parse(text)? else { return Ok(None) };
    Ok(match descend(text, &root, keys)? {
        Spot::There(prop) => Some(prop.value.clone().into()),
        Spot::Missing { .. } => None,
    })
}

/// Puts the entry under the keys, in the place of what stands there.
pub(super) fn put(text: &str, keys: &[&str], entry: &Entry) -> Result<Splice, Broken> {
    let Some(root) = parse(text)? else { return Ok(begin(text, keys, entry)) };
    match descend(text, &root, keys)? {
        Spot::There(prop) => {
            let range = prop.value_range();
            let writer =
                Writer::of(text, prop.range.start, is_first_of_line(text, prop.range.start));
            Splice::replace(text, range.0, range.1, writer.object(entry)).ok_or_else(unknown)
        }
        Spot::Missing { object, keys } => insert(text, &root, object, keys, entry),
    }
}

/// Takes out what stands under the keys, and nothing else: what holds it stays, be it empty.
pub(super) fn cut(text: &str, keys: &[&str]) -> Result<String, Broken> {
    let Some(root) = parse(text)? else { return Ok(text.to_owned()) };
    let Spot::There(prop) = descend(text, &root, keys)? else { return Ok(text.to_owned()) };
    let holder = holder(text, &root, keys).ok_or_else(unknown)?;
    let end = prop.range.end;
    let comma = comma_after(text, end);
    // What is between the two is a comment, and somebody's.
    let is_close = comma.is_none_or(|comma| comma == end);
    let to = comma.filter(|_| is_close).map_or(end, |comma| comma.saturating_add(1));
    let from = cut_from(text, holder, prop.range.start, to).ok_or_else(unknown)?;
    let mut pieces = vec![(from, to)];
    match comma {
        Some(comma) if !is_close => pieces.push((comma, comma.saturating_add(1))),
        Some(_) => {}
        None => {
            if let Some(comma) = comma_before(text, holder, keys) {
                pieces.insert(0, (comma, comma.saturating_add(1)));
            }
        }
    }
    let mut rest = String::with_capacity(text.len());
    let mut at = 0;
    for (from, to) in pieces {
        rest.push_str(text.get(at..from).ok_or_else(unknown)?);
        at = to;
    }
    rest.push_str(text.get(at..).ok_or_else(unknown)?);
    Ok(rest)
}

/// Where to begin to cut: with the line, if nothing else is in it, or with what is between it and the brace.
fn cut_from(text: &str, holder: &Object<'_>, start: usize, to: usize) -> Option<usize> {
    let before = text.get(..start)?;
    let blank = before.trim_end_matches([' ', '\t']).len();
    if blank == holder.range.start.saturating_add(1) {
        return Some(blank);
    }
    let after = text.get(to..)?.trim_start_matches([' ', '\t', '\r']);
    let Some(line) = before.get(..blank)?.strip_suffix('\n') else { return Some(start) };
    Some(if after.starts_with('\n') {
        line.strip_suffix('\r').unwrap_or(line).len()
    } else {
        blank
    })
}

/// Where the value begins, in bytes.
pub(super) fn value_at(text: &str, keys: &[&str]) -> Result<Option<usize>, Broken> {
    let Some(root) = parse(text)? else { return Ok(None) };
    Ok(match descend(text, &root, keys)? {
        Spot::There(prop) => Some(prop.value_range().0),
        Spot::Missing { .. } => None,
    })
}

/// The whole, to compare. An empty file is an empty object.
pub(super) fn whole(text: &str) -> Result<Value, Broken> {
    let empty = || Value::Object(serde_json::Map::new());
    Ok(parse(text)?.map_or_else(empty, Value::from))
}

/// Comments and trailing commas are what clients take; nothing else that is not JSON.
fn parse(text: &str) -> Result<Option<Ast<'_>>, Broken> {
    let options = ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let parsed = parse_to_ast(text, &CollectOptions::default(), &options).map_err(|error| {
        let (line, column) = place(text, error.range().start);
        Broken::At { line, column, why: "that is not JSON".to_owned() }
    })?;
    Ok(parsed.value)
}

/// Where the keys lead.
enum Spot<'a, 'k> {
    There(&'a ObjectProp<'a>),
    /// The object that has none of this name, and what is missing in it.
    Missing {
        object: &'a Object<'a>,
        keys: &'k [&'k str],
    },
}

fn descend<'a, 'k>(
    text: &str,
    root: &'a Ast<'a>,
    keys: &'k [&'k str],
) -> Result<Spot<'a, 'k>, Broken> {
    let mut value = root;
    let mut rest = keys;
    loop {
        let Ast::Object(object) = value else {
            let at = place(text, start_of(value));
            let why = "an object was expected here".to_owned();
            return Err(Broken::At { line: at.0, column: at.1, why });
        };
        let Some((key, deeper)) = rest.split_first() else { return Err(unknown()) };
        let mut alike = object.properties.iter().filter(|prop| prop.name.as_str() == *key);
        let Some(prop) = alike.next() else {
            return Ok(Spot::Missing { object, keys: rest });
        };
        if let Some(twice) = alike.next() {
            let (line, column) = place(text, twice.range.start);
            let why = "this name is there twice".to_owned();
            return Err(Broken::At { line, column, why });
        }
        if deeper.is_empty() {
            return Ok(Spot::There(prop));
        }
        (value, rest) = (&prop.value, deeper);
    }
}

fn insert(
    text: &str,
    root: &Ast<'_>,
    object: &Object<'_>,
    keys: &[&str],
    entry: &Entry,
) -> Result<Splice, Broken> {
    let open = object.range.start.saturating_add(1);
    let close = object.range.end.saturating_sub(1);
    let inner = text.get(open..close).ok_or_else(unknown)?;
    let first = object.properties.first().map(|prop| prop.range.start);
    let is_root = object.range.start == start_of(root);
    let is_lines = match first {
        Some(first) => text.get(open..first).is_some_and(|gap| gap.contains('\n')),
        None => is_root || text.trim().contains('\n'),
    };
    if !is_lines {
        let member = Writer { newline: "", outer: String::new(), unit: "" }.members(keys, entry);
        let gap = inner.starts_with([' ', '\t']) && first.is_some();
        let (gap, comma) = (if gap { " " } else { "" }, if first.is_some() { "," } else { "" });
        return Ok(Splice::insert(open, format!("{gap}{member}{comma}")));
    }
    let at = open.saturating_add(remarks(inner));
    let outer = indentation(text, object.range.start).to_owned();
    let unit = match first {
        Some(first) => indentation(text, first).strip_prefix(outer.as_str()),
        None => None,
    };
    let unit = unit.filter(|unit| !unit.is_empty()).unwrap_or_else(|| unit_of(text, root));
    let writer = Writer { newline: newline(text), outer, unit };
    let mut inserted = writer.line(&writer.deeper().members(keys, entry));
    if first.is_some() {
        inserted.push(',');
    } else if !text.get(at..close).is_some_and(|rest| rest.contains('\n')) {
        inserted.push_str(writer.newline);
        inserted.push_str(&writer.outer);
    }
    Ok(Splice::insert(at, inserted))
}

/// A file that says nothing yet: an object after its comments, if it has any.
fn begin(text: &str, keys: &[&str], entry: &Entry) -> Splice {
    let writer = Writer { newline: newline(text), outer: String::new(), unit: UNIT };
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { writer.newline };
    let line = writer.line(&writer.deeper().members(keys, entry));
    let inserted = format!("{gap}{{{line}{}}}{}", writer.newline, writer.newline);
    Splice::insert(text.len(), inserted)
}

/// Writes members of an object in the manner of the text around it; all in one line without a newline.
struct Writer<'t> {
    newline: &'t str,
    outer: String,
    unit: &'t str,
}

impl<'t> Writer<'t> {
    fn of(text: &'t str, at: usize, is_lines: bool) -> Self {
        if !is_lines {
            return Self { newline: "", outer: String::new(), unit: "" };
        }
        let outer = indentation(text, at).to_owned();
        let unit = if outer.starts_with('\t') { "\t" } else { UNIT };
        Self { newline: newline(text), outer, unit }
    }

    fn deeper(&self) -> Self {
        let outer = format!("{}{}", self.outer, self.unit);
        Self { newline: self.newline, outer, unit: self.unit }
    }

    fn line(&self, text: &str) -> String {
        format!("{}{}{}{text}", self.newline, self.outer, self.unit)
    }

    /// A member at this depth.
    fn members(&self, keys: &[&str], entry: &Entry) -> String {
        let Some((key, deeper)) = keys.split_first() else { return String::new() };
        let key = Value::from(*key);
        if deeper.is_empty() {
            return format!("{key}: {}", self.object(entry));
        }
        let inside = self.line(&self.deeper().members(deeper, entry));
        format!("{key}: {{{inside}{}{}}}", self.newline, self.outer)
    }

    /// An object whose brace closes at this depth.
    fn object(&self, entry: &Entry) -> String {
        let between = if self.newline.is_empty() { ", " } else { "," };
        let members = entry.iter().map(|(name, value)| {
            let member = format!("{}: {}", Value::from(*name), spaced(value));
            self.line(&member)
        });
        let members: Vec<_> = members.collect();
        format!("{{{}{}{}}}", members.join(between), self.newline, self.outer)
    }
}

/// A value in one line, as people write it.
fn spaced(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(ToString::to_string).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}

/// The white space that the line of a byte begins with.
fn indentation(text: &str, at: usize) -> &str {
    let before = text.get(..at).unwrap_or_default();
    let line = before.rfind('\n').map_or(0, |end| end.saturating_add(1));
    let line = text.get(line..).unwrap_or_default();
    let length = line.len().saturating_sub(line.trim_start_matches([' ', '\t']).len());
    line.get(..length).unwrap_or_default()
}

fn is_first_of_line(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    before.contains('\n') && line.chars().all(|c| c == ' ' || c == '\t')
}

/// What the text is indented by: what its first member is.
fn unit_of<'t>(text: &'t str, root: &Ast<'_>) -> &'t str {
    let Ast::Object(root) = root else { return UNIT };
    let first = root.properties.first().map(|prop| prop.range.start);
    let unit = first.filter(|first| is_first_of_line(text, *first));
    unit.map(|first| indentation(text, first)).filter(|unit| !unit.is_empty()).unwrap_or(UNIT)
}

/// How many bytes the comments have that stand in the line of an opening brace, with what is before them.
fn remarks(inner: &str) -> usize {
    let mut length = 0usize;
    loop {
        let rest = inner.get(length..).unwrap_or_default();
        let comment = rest.trim_start_matches([' ', '\t']);
        let blank = rest.len().saturating_sub(comment.len());
        let line = comment.lines().next().unwrap_or_default();
        let bytes = if line.starts_with("//") {
            line.len()
        } else if line.starts_with("/*")
            && let Some(end) = line.get(2..).and_then(|line| line.find("*/"))
        {
            end.saturating_add(4)
        } else {
            return length;
        };
        length = length.saturating_add(blank).saturating_add(bytes);
    }
}

/// The comma that follows, comments and white space aside.
fn comma_after(text: &str, at: usize) -> Option<usize> {
    let mut at = at;
    loop {
        let rest = text.get(at..)?;
        let next = rest.trim_start();
        at = at.checked_add(rest.len().checked_sub(next.len())?)?;
        let comment = if next.starts_with("//") {
            next.find('\n').unwrap_or(next.len())
        } else if next.starts_with("/*") {
            next.find("*/")?.checked_add(2)?
        } else {
            return next.starts_with(',').then_some(at);
        };
        at = at.checked_add(comment)?;
    }
}

/// The object that has the last of the keys.
fn holder<'a>(text: &str, root: &'a Ast<'a>, keys: &[&str]) -> Option<&'a Object<'a>> {
    match keys.split_last()?.1 {
        [] => root.as_object(),
        outer => match descend(text, root, outer).ok()? {
            Spot::There(prop) => prop.value.as_object(),
            Spot::Missing { .. } => None,
        },
    }
}

/// The comma that stands before the last member of an object.
fn comma_before(text: &str, holder: &Object<'_>, keys: &[&str]) -> Option<usize> {
    let name = keys.last()?;
    let at = holder.properties.iter().position(|prop| prop.name.as_str() == *name)?;
    let before = holder.properties.get(at.checked_sub(1)?)?;
    comma_after(text, before.range.end)
}

fn start_of(value: &Ast<'_>) -> usize {
    jsonc_parser::common::Ranged::range(value).start
}

trait ValueRange {
    fn value_range(&self) -> (usize, usize);
}

impl ValueRange for ObjectProp<'_> {
    fn value_range(&self) -> (usize, usize) {
        let range = jsonc_parser::common::Ranged::range(&self.value);
        (range.start, range.end)
    }
}

fn unknown() -> Broken {
    Broken::Other("it is written in a way that is not known".to_owned())
}
