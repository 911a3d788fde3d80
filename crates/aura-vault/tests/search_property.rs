// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whatever is typed or indexed, nothing panics, and a text is found by its own words.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

mod search_fixture;

use aura_vault::record::Kind;
use aura_vault::search::{Document, Index, Query, SNIPPET_CHARS_MAX, Scope, Typing, snippet};
use proptest::prelude::*;
use search_fixture::{id, small};

fn query_text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        "[a-z]{0,8}",
        "\\PC{0,6}",
        any::<String>(),
        Just("OR".to_owned()),
        Just("-".to_owned()),
        Just("\"".to_owned()),
        Just("東京都".to_owned()),
        "(category|kind|from|to|before|after|has|tag|source|x):[a-z0-9\\-\"]{0,9}",
        "[a-z]{1,3}\\*",
    ];
    prop::collection::vec(word, 0..8).prop_map(|words| words.join(" "))
}

/// The first word of a text, unless something follows that may go with it: a mark belongs to the letter before it, and
/// the letter after it to the same word.
fn first_word(text: &str) -> Option<&str> {
    let start = text.find(char::is_alphanumeric)?;
    let rest = text.get(start..)?;
    let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    let is_end = after.chars().next().is_none_or(|c| c.is_ascii() || c.is_whitespace());
    is_end.then_some(word)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn anything_can_be_typed(texts in prop::collection::vec(query_text(), 24)) {
        let index = Index::in_memory(small()).unwrap();
        let document = Document::new(id(1), Kind::Note, 0).with_text("a b c", "東京都 abc def");
        index.add_new(&document).unwrap();
        for text in texts {
            for typing in [Typing::Done, Typing::Ongoing] {
                let Ok(query) = Query::parse(&text, typing) else { continue };
                index.search(&query, &Scope::everything(), 5).unwrap();
                index.search(&query, &Scope::everything().after(5), 5).unwrap();
                index.count(&query, &Scope::everything()).unwrap();
                snippet(&text, &query);
            }
        }
    }

    #[test]
    fn anything_can_be_indexed_and_is_found_by_its_words(
        texts in prop::collection::vec(prop_oneof!["\\PC{0,60}", any::<String>()], 1..12),
    ) {
        let index = Index::in_memory(small()).unwrap();
        for (number, text) in (0..).zip(&texts) {
            index.add(&Document::new(id(number), Kind::Note, 0).with_text("", text)).unwrap();
        }
        for (number, text) in (0..).zip(&texts) {
            // Of each text, the first word that is one to a person, as a phrase.
            let Some(word) = first_word(text) else { continue };
            let word: String = word.chars().take(20).collect();
            let Ok(query) = Query::parse(&format!("\"{word}\""), Typing::Ongoing) else { continue };
            let hits = index.search(&query, &Scope::everything(), 50).unwrap();
            let is_found = hits.iter().any(|hit| hit.id == id(number));
            // What folding drops altogether (marks alone) cannot be found.
            let is_empty = index.count(&query, &Scope::everything()).unwrap() == 0;
            prop_assert!(is_found || is_empty, "{word:?}");
        }
    }

    #[test]
    fn snippets_are_short_and_their_ranges_cut_nothing(
        text in prop_oneof!["\\PC{0,600}", any::<String>()],
        typed in query_text(),
    ) {
        let Ok(query) = Query::parse(&typed, Typing::Ongoing) else { return Ok(()) };
        let snippet = snippet(&text, &query);
        prop_assert!(snippet.text.chars().count() <= SNIPPET_CHARS_MAX);
        let mut last = 0;
        for range in &snippet.matches {
            prop_assert!(range.start >= last && range.start < range.end);
            prop_assert!(snippet.text.get(range.clone()).is_some());
            last = range.end;
        }
    }
}
