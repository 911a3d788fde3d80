// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a person types into the search, and the piece of a text that shows why it was found.
#![no_main]

use aura_fuzz::input::{chosen, text};
use aura_vault::search::{Query, SNIPPET_CHARS_MAX, Typing, snippet};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let (choice, bytes) = chosen(input);
    let typing = if choice % 2 == 0 { Typing::Done } else { Typing::Ongoing };
    let input = text(bytes);
    // The first line is the query, the rest what it is looked for in.
    let (query, body) = input.split_once('\n').unwrap_or((&input, &input));
    let Ok(parsed) = Query::parse(query, typing) else { return };
    assert_eq!(Query::parse(query, typing).as_ref(), Ok(&parsed));
    let snippet = snippet(body, &parsed);
    assert!(snippet.text.chars().count() <= SNIPPET_CHARS_MAX);
    assert!(!snippet.text.contains(char::is_control), "more than one line");
    let mut last = 0;
    for range in &snippet.matches {
        assert!(last <= range.start && range.start < range.end, "ranges in disorder");
        assert!(snippet.text.get(range.clone()).is_some(), "a range cuts a character");
        last = range.end;
    }
});
