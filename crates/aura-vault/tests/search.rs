// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a person can search for, in several languages, and what a scope keeps out.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

mod search_fixture;

use aura_vault::record::{Category, Kind};
use aura_vault::search::{Document, Index, Params, Query, Scope, SearchError, Typing};
use search_fixture::{id, keys, number, small};

const DAY: i64 = 86_400_000;

/// Ids, by their number, of what a query finds.
fn found(index: &Index, text: &str) -> Vec<u64> {
    found_in(index, text, &Scope::everything(), Typing::Done)
}

fn found_in(index: &Index, text: &str, scope: &Scope, typing: Typing) -> Vec<u64> {
    let query = Query::parse(text, typing).unwrap();
    let hits = index.search(&query, scope, 50).unwrap();
    hits.iter().map(|hit| number(hit.id)).collect()
}

fn sorted(mut numbers: Vec<u64>) -> Vec<u64> {
    numbers.sort_unstable();
    numbers
}

fn sample() -> (tempfile::TempDir, Index) {
    let dir = tempfile::tempdir().unwrap();
    let index = Index::create(dir.path(), keys(1), small()).unwrap();
    // 20,150 days after 1970 is 2025-03-03.
    let mut mail = Document::new(id(1), Kind::Email, 20_150 * DAY)
        .with_text("Lisbon flat", "The landlord wants 1.250 EUR a month, deposit included.");
    mail.from = vec!["Anna Smith", "anna.smith@example.com"];
    mail.to = vec!["Bert Jones <bert@jones.example>"];
    mail.has_attachment = true;
    mail.source = "google-takeout";
    let mut note = Document::new(id(2), Kind::Note, 20_200 * DAY)
        .with_text("Ideas", "A flat in Lisbon would be nice; so would Porto. Straße in Łódź.");
    note.tags = vec!["travel", "home-search"];
    let japanese = Document::new(id(3), Kind::Note, 20_210 * DAY)
        .with_text("旅行", "東京都庁で会議がある。ラーメンを食べた");
    let korean =
        Document::new(id(4), Kind::Note, 20_220 * DAY).with_text("메모", "서울에서 친구를 만났다");
    let russian =
        Document::new(id(5), Kind::Message, 20_230 * DAY).with_text("", "Завтра идём за ёлкой");
    let health = Document::new(id(6), Kind::Observation, 20_240 * DAY)
        .with_text("Blood pressure", "canaryword measured in Lisbon");
    for document in [&mail, &note, &japanese, &korean, &russian, &health] {
        index.add_new(document).unwrap();
    }
    (dir, index)
}

#[test]
fn words_are_all_wanted_and_operators_work() {
    let (_dir, index) = sample();
    assert_eq!(sorted(found(&index, "lisbon")), [1, 2, 6]);
    assert_eq!(sorted(found(&index, "LISBON flat")), [1, 2]);
    assert_eq!(found(&index, "lisbon porto"), [2]);
    assert_eq!(sorted(found(&index, "porto OR landlord")), [1, 2]);
    assert_eq!(sorted(found(&index, "lisbon -porto")), [1, 6]);
    assert_eq!(found(&index, "\"flat in lisbon\""), [2]);
    assert_eq!(found(&index, "\"lisbon in flat\""), [0; 0]);
    assert_eq!(sorted(found(&index, "-lisbon")), [3, 4, 5]);
    assert_eq!(found(&index, "!!!"), [0; 0]);
}

#[test]
fn a_title_counts_more_than_a_body() {
    let (_dir, index) = sample();
    assert_eq!(found(&index, "lisbon flat"), [1, 2], "the mail has both words in its title");
}

#[test]
fn beginnings_and_misspellings() {
    let (_dir, index) = sample();
    let typing = |text| found_in(&index, text, &Scope::everything(), Typing::Ongoing);
    assert_eq!(sorted(typing("lisb")), [1, 2, 6]);
    assert_eq!(typing("flat porto li"), [2]);
    assert_eq!(found(&index, "landl"), [0; 0]);
    assert_eq!(found(&index, "landl*"), [1]);
    assert_eq!(found(&index, "landlrod"), [1], "a swap");
    assert_eq!(found(&index, "porti"), [2], "a wrong letter");
    assert_eq!(found(&index, "flot"), [0; 0], "too short to guess at");
    let query = Query::parse("landlrod", Typing::Done).unwrap();
    assert!(index.search(&query, &Scope::everything(), 5).unwrap()[0].is_guess);
    assert_eq!(index.count(&query, &Scope::everything()).unwrap(), 0);
}

#[test]
fn addresses_numbers_and_folding() {
    let (_dir, index) = sample();
    assert_eq!(found(&index, "anna.smith@example.com"), [1]);
    assert_eq!(found(&index, "jones.example"), [1]);
    assert_eq!(found(&index, "1.250"), [1]);
    assert_eq!(found(&index, "strasse lodz"), [2]);
    assert_eq!(found(&index, "елкой"), [5]);
    assert_eq!(found(&index, "ЁЛКОЙ"), [5]);
}

#[test]
fn languages_without_spaces() {
    let (_dir, index) = sample();
    let queries =
        ["東京", "京都", "東京都庁", "会議", "庁", "ラーメン", "ﾗｰﾒﾝ", "旅行", "東", "た"];
    for query in queries {
        assert_eq!(found(&index, query), [3], "{query}");
    }
    assert_eq!(found(&index, "京東"), [0; 0]);
    let decomposed = "\u{1109}\u{1165}\u{110b}\u{116e}\u{11af}";
    for query in ["서울", "친구", "친구를", "서울 친구", decomposed] {
        assert_eq!(found(&index, query), [4], "{query}");
    }
}

#[test]
fn filters() {
    let (_dir, index) = sample();
    assert_eq!(found(&index, "lisbon category:mail"), [1]);
    assert_eq!(sorted(found(&index, "lisbon category:mail category:notes")), [1, 2]);
    assert_eq!(found(&index, "kind:message"), [5]);
    assert_eq!(found(&index, "from:anna"), [1]);
    assert_eq!(found(&index, "from:\"Smith Anna\""), [1]);
    assert_eq!(found(&index, "to:anna"), [0; 0]);
    assert_eq!(found(&index, "to:bert@jones.example"), [1]);
    assert_eq!(found(&index, "from:ann*"), [1]);
    assert_eq!(found(&index, "has:attachment"), [1]);
    assert_eq!(found(&index, "source:takeout"), [1]);
    assert_eq!(found(&index, "tag:home"), [2]);
    assert_eq!(found(&index, "tag:lisbon"), [0; 0]);
    assert_eq!(found(&index, "lisbon after:2025-03 before:2025-04"), [1]);
    assert_eq!(found(&index, "lisbon after:2025-03-03 before:2025-03-04"), [1]);
    assert_eq!(sorted(found(&index, "lisbon -before:2025-04")), [2, 6]);
    assert_eq!(sorted(found(&index, "porto OR category:health")), [2, 6]);
}

#[test]
fn filters_alone_list_the_newest_first_and_do_not_score() {
    let (_dir, index) = sample();
    assert_eq!(found(&index, ""), [6, 5, 4, 3, 2, 1]);
    assert_eq!(found(&index, "category:notes"), [4, 3, 2]);
    let score = |text| {
        let query = Query::parse(text, Typing::Done).unwrap();
        let hits = index.search(&query, &Scope::everything(), 9).unwrap();
        hits.iter().find(|hit| hit.id == id(1)).unwrap().score
    };
    let filtered = "landlord category:mail has:attachment after:2025 from:anna";
    assert!((score("landlord") - score(filtered)).abs() < 1e-6);
}

#[test]
fn the_newer_of_two_equals_comes_first() {
    let index = Index::in_memory(small()).unwrap();
    for (number, time_ms) in (1..30).zip((0..).step_by(1_000_000)) {
        let document = Document::new(id(number), Kind::Note, time_ms).with_text("same", "words");
        index.add_new(&document).unwrap();
    }
    assert_eq!(found(&index, "same")[..3], [29, 28, 27]);
}

#[test]
fn a_scope_keeps_out_hits_counts_guesses_and_statistics() {
    let (_dir, index) = sample();
    let scope = Scope::categories([Category::Notes, Category::Messages]);
    let query = |text| Query::parse(text, Typing::Done).unwrap();
    assert_eq!(found_in(&index, "lisbon", &scope, Typing::Done), [2]);
    assert_eq!(index.count(&query("lisbon"), &scope).unwrap(), 1);
    assert_eq!(found_in(&index, "landlrod", &scope, Typing::Done), [0; 0]);
    assert_eq!(found_in(&index, "canar", &scope, Typing::Ongoing), [0; 0]);
    assert_eq!(found_in(&index, "porto OR category:mail", &scope, Typing::Done), [2]);
    assert_eq!(found_in(&index, "-lisbon", &scope, Typing::Done), [5, 4, 3]);
    assert_eq!(found_in(&index, "", &Scope::categories([]), Typing::Done), [0; 0]);
    assert_eq!(found_in(&index, "lisbon", &Scope::categories([]), Typing::Done), [0; 0]);
    let notes = Scope::everything().of_kinds([Kind::Note]).after(20_205 * DAY).before(20_220 * DAY);
    assert_eq!(found_in(&index, "", &notes, Typing::Done), [3]);
    // What is outside changes nothing of what is seen: not the score, not the order.
    let before = index.search(&query("lisbon nice"), &scope, 9).unwrap();
    for number in 100..200 {
        let document = Document::new(id(number), Kind::Email, 0).with_text("lisbon", "lisbon nice");
        index.add_new(&document).unwrap();
    }
    assert_eq!(index.search(&query("lisbon nice"), &scope, 9).unwrap(), before);
}

#[test]
fn what_was_added_replaced_or_deleted_is_so_at_once() {
    let (_dir, index) = sample();
    index.add(&Document::new(id(2), Kind::Note, 0).with_text("Ideas", "Only Berlin now")).unwrap();
    assert_eq!(found(&index, "berlin"), [2]);
    assert_eq!(found(&index, "porto"), [0; 0]);
    index.delete(id(2)).unwrap();
    assert_eq!(found(&index, "berlin"), [0; 0]);
    assert_eq!(sorted(found(&index, "lisbon")), [1, 6]);
}

#[test]
fn a_commit_remembers_its_payload_and_an_opened_index_is_the_same() {
    let (dir, index) = sample();
    assert_eq!(index.payload(), None);
    index.commit(b"position \x00\xff").unwrap();
    index.delete(id(1)).unwrap();
    assert_eq!(sorted(found(&index, "lisbon")), [2, 6]);
    assert_eq!(index.commit(&vec![0; 2 << 20]), Err(SearchError::PayloadTooLong));
    drop(index);
    let index = Index::open(dir.path(), keys(1), small()).unwrap();
    assert_eq!(index.payload().unwrap(), b"position \x00\xff");
    assert_eq!(sorted(found(&index, "lisbon")), [2, 6], "searching had committed");
}

#[test]
fn a_bulk_load_is_seen_when_it_ends() {
    let index = Index::in_memory(small()).unwrap();
    index.begin_load();
    index.add_new(&Document::new(id(1), Kind::Note, 0).with_text("", "loaded")).unwrap();
    assert_eq!(found(&index, "loaded"), [0; 0]);
    index.end_load(b"x").unwrap();
    assert_eq!(found(&index, "loaded"), [1]);
}

#[test]
fn many_small_commits_are_joined_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let index = Index::create(dir.path(), keys(1), small()).unwrap();
    let query = Query::parse("small", Typing::Done).unwrap();
    for number in 0..60_u64 {
        let document = Document::new(id(number), Kind::Note, 0).with_text("", "small commit");
        index.add(&document).unwrap();
        let count = index.count(&query, &Scope::everything()).unwrap();
        assert_eq!(count as u64, number + 1);
    }
    index.compact().unwrap();
    assert_eq!(index.parts(), 1);
    assert_eq!(index.count(&query, &Scope::everything()).unwrap(), 60);
    drop(index);
    drop(Index::open(dir.path(), keys(1), small()).unwrap());
    let files = std::fs::read_dir(dir.path()).unwrap().count();
    assert!(files <= 8, "{files} files: old parts are removed");
}

#[test]
fn sealed_and_unsealed_find_the_same() {
    let dir = tempfile::tempdir().unwrap();
    // A cache of next to nothing, so that blocks are really read again.
    // One thread and enough memory for one part, so that both number their documents alike.
    let params = Params { threads: 1, heap_bytes: 200_000_000, cache_bytes: 1 << 18 };
    let sealed = Index::create(dir.path(), keys(1), params).unwrap();
    let plain = Index::in_memory(params).unwrap();
    let words: Vec<String> = (0..3000).map(|n| format!("w{}", n * n % 3001)).collect();
    for number in 0..20_000_u64 {
        let at = usize::try_from(number * 7919 % 3000).unwrap();
        let cycle = words.iter().cycle().skip(at).step_by(1 + at % 13).take(20 + at % 50);
        let body = cycle.map(String::as_str).collect::<Vec<_>>().join(" ");
        let time_ms = i64::try_from(number % 977).unwrap() * DAY;
        let document = Document::new(id(number), Kind::Note, time_ms).with_text(&words[at], &body);
        sealed.add_new(&document).unwrap();
        plain.add_new(&document).unwrap();
    }
    for index in [&sealed, &plain] {
        index.commit(b"").unwrap();
        assert_eq!(index.parts(), 1);
    }
    drop(sealed);
    let sealed = Index::open(dir.path(), keys(1), params).unwrap();
    let texts =
        ["w1", "w4 w9", "w16 OR w25", "\"w1 w4\"", "w10*", "w36 -w49", "w2 after:1971", "w301x"];
    for text in texts {
        let query = Query::parse(text, Typing::Done).unwrap();
        for scope in [Scope::everything(), Scope::everything().before(500 * DAY)] {
            let count = sealed.count(&query, &scope).unwrap();
            assert_eq!(count, plain.count(&query, &scope).unwrap(), "{text}");
            let hits = sealed.search(&query, &scope, 20).unwrap();
            assert_eq!(hits, plain.search(&query, &scope, 20).unwrap(), "{text}");
            assert_eq!(hits.is_empty(), count == 0, "{text}");
        }
    }
}

/// Ids share the terms by which they are found: taking one out leaves its neighbours alone.
#[test]
fn ids_of_one_bucket_are_told_apart() {
    let (_dir, index) = sample();
    let document = |number| Document::new(id(number), Kind::Note, 0).with_text("", "neighbour");
    let neighbours = [1 << 12, 2 << 12, 3 << 12].map(|step| 7 + step);
    for number in neighbours {
        index.add_new(&document(number)).unwrap();
    }
    index.commit(b"").unwrap();
    index.delete(id(neighbours[1])).unwrap();
    assert_eq!(sorted(found(&index, "neighbour")), [neighbours[0], neighbours[2]]);
    // Replaced, while it waits and when it has been committed.
    for _ in 0..2 {
        index.add(&document(neighbours[2])).unwrap();
        index.add(&document(neighbours[2])).unwrap();
        assert_eq!(sorted(found(&index, "neighbour")), [neighbours[0], neighbours[2]]);
    }
    index.delete(id(neighbours[0])).unwrap();
    assert_eq!(found(&index, "neighbour"), [neighbours[2]]);
}
