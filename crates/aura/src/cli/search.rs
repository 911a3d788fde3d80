// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::context::Context;
use crate::client::{Client, parse};
use crate::exit::{Exit, Failure};
use crate::screen::{Screen, clean, cut};
use crate::view::Hit;
use crate::wire::Request;

/// The longest file of queries.
const BATCH_BYTES_MAX: u64 = 16 << 20;

#[derive(Debug, Args)]
#[command(
    override_usage = "aura search [OPTIONS] QUERY...\n       aura search [OPTIONS] --batch FILE",
    after_help = "Filters: category:mail kind:note from:ada to:lin before:2025-03 after:2024 \
                  has:attachment source:mail tag:home\n\"Words in quotes\" stand together, -word is \
                  left out. For example:\n  aura search lisbon flat after:2025-03 category:mail\n  \
                  aura search '\"notary appointment\" -cancelled'"
)]
pub(crate) struct Search {
    /// Words and filters
    #[arg(value_name = "QUERY", required_unless_present = "batch")]
    query: Vec<String>,
    /// At most so many hits
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Run the queries in a file, one a line
    #[arg(long, value_name = "FILE", conflicts_with = "query")]
    batch: Option<PathBuf>,
}

/// Long options that take a value of their own: what follows one is no word of a query.
const VALUED: &[&str] = &[
    "--limit",
    "--batch",
    "--home",
    "--password-file",
    "--second-password-file",
    "--idle",
    "--second-idle",
];

/// What was typed, with the left-out words of a query (`-hotel`) marked so that they are not taken for
/// options: by a space before, which changes no query. Only after the first word, and never `-h` alone.
pub(super) fn with_left_out_words(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut args: Vec<OsString> = args.into_iter().collect();
    let mut is_value = false;
    let mut words = 0u32;
    for arg in args.iter_mut().skip(1) {
        let Some(text) = arg.to_str() else { continue };
        if text == "--" || (words == 0 && !is_value && !text.starts_with('-') && text != "search") {
            break;
        }
        let is_short = text.starts_with('-') && !text.starts_with("--") && text.len() > 1;
        if core::mem::take(&mut is_value) {
            continue;
        }
        if is_short && text != "-h" && (words > 1 || text.contains(' ')) {
            *arg = OsString::from(format!(" {text}"));
        } else if text.starts_with("--") {
            is_value = VALUED.contains(&text);
        } else if !is_short {
            // The first word is the command itself.
            words = words.saturating_add(1);
        }
    }
    args
}

impl Search {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let limit = usize::from(self.limit);
        let Some(path) = self.batch else {
            let mut client = context.open()?;
            find(context, &mut client, (&self.query.join(" "), limit), None)?;
            return Ok(Exit::Done);
        };
        let unread = |error| Failure::file("The file of queries could not be read", &error);
        if fs::metadata(&path).map_err(unread)?.len() > BATCH_BYTES_MAX {
            return Err(Failure::usage("The file of queries is too long.", "Cut it into several."));
        }
        let queries = fs::read_to_string(&path).map_err(unread)?;
        let mut client = context.open()?;
        for (number, query) in (1u64..).zip(queries.lines()).filter(|(_, q)| !q.trim().is_empty()) {
            find(context, &mut client, (query, limit), Some(number))?;
        }
        Ok(Exit::Done)
    }
}

fn find(
    context: &Context,
    client: &mut Client,
    (query, limit): (&str, usize),
    line: Option<u64>,
) -> Result<(), Failure> {
    let screen = &context.screen;
    if line.is_some() && !screen.json {
        screen.line(&screen.strong(&format!("> {}", clean(query))))?;
    }
    let mut count = 0u32;
    client.call(&Request::Search { query: query.to_owned(), limit }, &mut |mut item: Value| {
        count = count.saturating_add(1);
        if !screen.json {
            return show(screen, &parse(item)?);
        }
        if let (Some(line), Some(hit)) = (line, item.as_object_mut()) {
            hit.insert("line".to_owned(), line.into());
        }
        screen.value(&item)
    })?;
    if count == 0 && !screen.json {
        screen.line("Nothing found.")?;
    }
    Ok(())
}

/// A hit, as a person reads it: title, passage, and where it is from.
pub(super) fn show(screen: &Screen, hit: &Hit) -> Result<(), Failure> {
    let title = if hit.title.is_empty() { "(no title)" } else { &hit.title };
    screen.line(&screen.strong(&cut(&clean(title), screen.width())))?;
    let snippet = mark(screen, hit);
    if !snippet.trim().is_empty() {
        screen.line(&format!("  {snippet}"))?;
    }
    let day = hit.time.get(..10).unwrap_or_default();
    // Both would not fit beside an id in 80 columns.
    let about = match hit.source.as_deref() {
        _ if hit.guess => " · one letter off".to_owned(),
        Some(source) => format!(" · {source}"),
        None => String::new(),
    };
    screen.line(&screen.faint(&format!("  {} · {day}{about} · {}", hit.category, hit.id)))
}

/// The passage, cut to the screen around the first match, with its matches marked.
fn mark(screen: &Screen, hit: &Hit) -> String {
    let text = clean_keeping_bytes(&hit.snippet);
    let width = screen.width().saturating_sub(3);
    let mut from = 0;
    if text.chars().count() > width {
        // Some of what stands before the first match, from a whole character on.
        let first = hit.matches.first().map_or(0, |(start, _)| *start);
        from = text.floor_char_boundary(first.saturating_sub(width / 4));
    }
    let blank = |rest: &str| rest.len().saturating_sub(rest.trim_start().len());
    let is_later = !text.get(..from).unwrap_or_default().trim().is_empty();
    from = from.saturating_add(text.get(from..).map_or(0, blank));
    let mut out = String::new();
    let mut left = width;
    let mut at = from;
    if is_later {
        out.push('…');
        left = left.saturating_sub(1);
    }
    let is_cut = text.get(from..).is_some_and(|rest| rest.trim_end().chars().count() > left);
    left = left.saturating_sub(usize::from(is_cut));
    let put = |out: &mut String, piece: &str, left: &mut usize, is_match: bool| {
        let piece: String = piece.chars().take(*left).collect();
        *left = left.saturating_sub(piece.chars().count());
        out.push_str(&if is_match { screen.strong(&piece) } else { piece });
    };
    for (start, end) in hit.matches.iter().filter(|(start, _)| *start >= from) {
        put(&mut out, text.get(at..*start).unwrap_or_default(), &mut left, false);
        put(&mut out, text.get(*start..*end).unwrap_or_default(), &mut left, true);
        at = *end;
    }
    put(&mut out, text.get(at..).unwrap_or_default(), &mut left, false);
    if is_cut {
        out.push('…');
    }
    out
}

/// Cleaned, with every character in its place: what is replaced has as many bytes.
fn clean_keeping_bytes(text: &str) -> String {
    let clean = |c: char| {
        let replaced = clean(c.encode_utf8(&mut [0; 4]));
        if replaced.len() == c.len_utf8() { replaced } else { " ".repeat(c.len_utf8()) }
    };
    text.chars().map(clean).collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::super::Cli;
    use super::*;

    #[test]
    fn every_option_with_a_value_is_known() {
        let program = Cli::command();
        let search = program.find_subcommand("search").unwrap();
        for option in program.get_arguments().chain(search.get_arguments()) {
            let Some(name) = option.get_long() else { continue };
            let name = format!("--{name}");
            assert_eq!(VALUED.contains(&&*name), option.get_action().takes_values(), "{name}");
        }
    }

    #[test]
    fn left_out_words_are_told_from_options() {
        let typed = |line: &str| {
            let args = with_left_out_words(line.split('|').map(OsString::from));
            args.into_iter().map(|arg| arg.into_string().unwrap()).collect::<Vec<_>>().join("|")
        };
        for (line, expected) in [
            ("aura|search|lisbon|-hotel", "aura|search|lisbon| -hotel"),
            ("aura|search|lisbon|-x|--limit|5|-hotel", "aura|search|lisbon| -x|--limit|5| -hotel"),
            ("aura|--json|--home|d|search|a|-b", "aura|--json|--home|d|search|a| -b"),
            ("aura|search|--limit|5|a|-b", "aura|search|--limit|5|a| -b"),
            ("aura|--second-idle|5m|search|a|-b", "aura|--second-idle|5m|search|a| -b"),
            ("aura|search|-b a", "aura|search| -b a"),
            // Help stays help, and other commands keep their options.
            ("aura|search|-h", "aura|search|-h"),
            ("aura|search|lisbon|-h", "aura|search|lisbon|-h"),
            ("aura|search|-hotel", "aura|search|-hotel"),
            ("aura|search|a|--|-b", "aura|search|a|--|-b"),
            ("aura|add|search|-b", "aura|add|search|-b"),
            ("aura|--home|search|get|a|-h", "aura|--home|search|get|a|-h"),
        ] {
            assert_eq!(typed(line), expected);
        }
    }

    #[test]
    fn passages_are_cut_around_the_match_and_keep_their_bytes() {
        let snippet = format!("{}naïve flat\u{1b}[1m{}", "x ".repeat(60), "y".repeat(99));
        let at = snippet.find("flat").unwrap();
        let hit = Hit {
            id: String::new(),
            kind: String::new(),
            category: String::new(),
            title: String::new(),
            snippet,
            score: 1.0,
            time: String::new(),
            source: None,
            matches: vec![(at, at + 4)],
            guess: false,
        };
        let marked = mark(&Screen::new(true), &hit);
        assert!(marked.contains("flat [1m"), "{marked}");
        assert!(marked.chars().count() <= 78);
        assert!(marked.starts_with('…') && marked.ends_with('…'), "{marked}");
        let whole = Hit { snippet: "  naïve flat ".to_owned(), matches: vec![(9, 13)], ..hit };
        assert_eq!(mark(&Screen::new(true), &whole), "naïve flat ");
    }
}
