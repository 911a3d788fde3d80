// SPDX-License-Identifier: MIT OR Apache-2.0
//! The vault: find anything, newest first while nothing is looked for.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{RawQuery, State};

use super::frame::{Answer, Frame, show};
use super::hall::{Hall, list};
use super::session::Visit;
use super::words::{Words, day, label, line, query};
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::screen::count;
use crate::view;
use crate::wire::Request;

/// Hits on one page.
const PAGE: usize = 30;
/// The vault gives no more for one search.
const HITS_MAX: usize = 1000;

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    text: String,
    /// A category, or empty.
    category: String,
    /// From 0.
    page: usize,
}

impl Wanted {
    fn of(words: &Words) -> Self {
        let page = words.get("page").parse::<usize>().unwrap_or_default().min(HITS_MAX / PAGE);
        Self { text: words.get("q").to_owned(), category: words.get("in").to_owned(), page }
    }

    /// As the search language has it; what is typed comes last, so that its last word may be a beginning.
    fn query(&self) -> String {
        if self.category.is_empty() {
            return self.text.clone();
        }
        // Only a word: what else an address says is no filter of ours.
        let word = self.category.chars().filter(char::is_ascii_lowercase).collect::<String>();
        format!("category:{word} {}", self.text)
    }

    fn address(&self, category: &str, page: usize) -> String {
        let page = if page == 0 { String::new() } else { page.to_string() };
        let words = query(&[("q", &self.text), ("in", category), ("page", &page)]);
        if words.is_empty() { "/vault".to_owned() } else { format!("/vault?{words}") }
    }
}

/// A passage, in which what was looked for is marked.
struct Piece {
    text: String,
    is_match: bool,
}

struct Hit {
    id: String,
    title: String,
    kind: String,
    category: String,
    day: String,
    pieces: Vec<Piece>,
    is_guess: bool,
}

impl Hit {
    fn of(hit: view::Hit) -> Self {
        // A passage that only says the title again says nothing.
        let is_same = hit.snippet == hit.title;
        // Of these it is what the index has, in no order that anybody would read.
        let is_list =
            matches!(hit.kind.as_str(), "contact" | "observation" | "place" | "transaction");
        let is_mute = hit.matches.is_empty() && (is_same || is_list);
        let pieces = if is_mute { Vec::new() } else { pieces(&hit.snippet, &hit.matches) };
        let title = if hit.title.is_empty() {
            // A message has no title: its own words are shown, below.
            label(&hit.kind)
        } else {
            line(&hit.title)
        };
        Self {
            id: hit.id,
            title,
            kind: label(&hit.kind),
            category: hit.category,
            day: day(&hit.time),
            pieces,
            is_guess: hit.guess,
        }
    }
}

/// A passage cut where what was found begins and ends; places that are none are left out.
fn pieces(text: &str, matches: &[(usize, usize)]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = 0;
    let mut push = |part: Option<&str>, is_match| {
        if let Some(part) = part.filter(|part| !part.is_empty()) {
            pieces.push(Piece { text: line(part), is_match });
        }
    };
    for &(begin, end) in matches {
        if begin < at || end <= begin || text.get(at..begin).is_none() {
            continue;
        }
        if let Some(found) = text.get(begin..end) {
            push(text.get(at..begin), false);
            push(Some(found), true);
            at = end;
        }
    }
    push(text.get(at..), false);
    pieces
}

/// A category to choose.
struct Choice {
    address: String,
    label: String,
    category: String,
    /// How many records there are; nothing while they are shut.
    count: Option<String>,
    is_chosen: bool,
}

/// What was found.
struct Hits {
    shown: Vec<Hit>,
    /// Where hits before these are, and after them.
    newer: Option<String>,
    older: Option<String>,
    /// Why nothing was looked for.
    trouble: Option<String>,
    is_all: bool,
    /// Whether the vault gives no more, although there may be more.
    is_cut: bool,
    /// Whether the second lock is shut, so that nobody knows what is behind it.
    is_shut: bool,
}

#[derive(Template)]
#[template(path = "vault.html")]
struct Page {
    frame: Frame,
    wanted: Wanted,
    choices: Vec<Choice>,
    hits: Hits,
    notice: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "hits.html")]
struct Fragment {
    hits: Hits,
}

/// The page.
pub(crate) async fn page(
    State(hall): State<Arc<Hall>>,
    Extension(visit): Extension<Visit>,
    RawQuery(asked): RawQuery,
) -> Answer {
    let words = Words::of(asked.unwrap_or_default().as_bytes());
    let wanted = Wanted::of(&words);
    let asked = wanted.clone();
    let (hits, status) = hall
        .with(move |client| {
            let status: view::Status = client.ask(&Request::Status)?;
            let is_shut = status.second_lock_open == Some(false);
            Ok((look(client, &asked, (Typed::Done, is_shut))?, status))
        })
        .await?;
    let choices = choices(&wanted, &status);
    let notice =
        (words.get("done") == "gone").then_some("Taken back: the record is deleted again.");
    let frame = Frame::new("Vault", "/vault", &visit);
    Ok(show(&Page { frame, wanted, choices, hits, notice }))
}

/// Only what was found, for somebody who is typing.
pub(crate) async fn hits(State(hall): State<Arc<Hall>>, RawQuery(asked): RawQuery) -> Answer {
    let wanted = Wanted::of(&Words::of(asked.unwrap_or_default().as_bytes()));
    let hits = hall
        .with(move |client| {
            let is_shut = client.standing().second == crate::wire::Second::Shut;
            look(client, &wanted, (Typed::Ongoing, is_shut))
        })
        .await?;
    Ok(show(&Fragment { hits }))
}

/// Whether a person goes on typing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Typed {
    Ongoing,
    Done,
}

fn look(
    client: &mut Client,
    wanted: &Wanted,
    (typed, is_shut): (Typed, bool),
) -> Result<Hits, Failure> {
    let begin = wanted.page.saturating_mul(PAGE);
    // One more than is shown says whether there are more.
    let limit = begin.saturating_add(PAGE).saturating_add(1).min(HITS_MAX);
    let query = wanted.query();
    let request = match typed {
        Typed::Ongoing => Request::Type { query, limit },
        Typed::Done => Request::Search { query, limit },
    };
    let (found, trouble) = match list::<view::Hit>(client, &request) {
        Ok(found) => (found, None),
        Err(failure) if failure.exit == Exit::Usage => {
            (Vec::new(), Some(format!("{} {}", failure.what, failure.next)))
        }
        Err(failure) => return Err(failure),
    };
    let total = found.len();
    let page = wanted.page;
    let has_more = total > begin.saturating_add(PAGE);
    let at = |page| wanted.address(&wanted.category, page);
    Ok(Hits {
        shown: found.into_iter().skip(begin).take(PAGE).map(Hit::of).collect(),
        newer: page.checked_sub(1).map(at),
        older: has_more.then(|| at(page.saturating_add(1))),
        trouble,
        is_all: wanted.text.trim().is_empty() && wanted.category.is_empty(),
        is_cut: total >= HITS_MAX && !has_more,
        is_shut,
    })
}

fn choices(wanted: &Wanted, status: &view::Status) -> Vec<Choice> {
    let all = Choice {
        address: wanted.address("", 0),
        label: "All".to_owned(),
        category: String::new(),
        count: status.records.map(count),
        is_chosen: wanted.category.is_empty(),
    };
    let known = status.by_category.iter().flatten();
    let each = known.map(|(category, number)| Choice {
        address: wanted.address(category, 0),
        label: label(category),
        category: category.clone(),
        count: number.map(count),
        is_chosen: wanted.category == *category,
    });
    std::iter::once(all).chain(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_is_looked_for() {
        let words = Words::of(b"q=lisbon+fl&in=mail&page=2");
        let wanted = Wanted::of(&words);
        assert_eq!(wanted.query(), "category:mail lisbon fl");
        assert_eq!(wanted.address("notes", 0), "/vault?q=lisbon+fl&in=notes");
        assert_eq!(Wanted::of(&Words::of(b"page=-1")).page, 0);
        assert_eq!(Wanted::of(&Words::of(b"page=99999999999999999999")).page, 0);
        assert_eq!(Wanted::of(&Words::of(b"page=99999")).page, HITS_MAX / PAGE);
        let odd = Wanted::of(&Words::of(b"in=mail)+OR+kind:note"));
        assert_eq!(odd.query(), "category:mailkindnote ");
    }

    #[test]
    fn passages_are_marked_where_they_say_so() {
        let show = |text, matches: &[_]| {
            let mark = |piece: &Piece| {
                if piece.is_match { format!("[{}]", piece.text) } else { piece.text.clone() }
            };
            pieces(text, matches).iter().map(mark).collect::<String>()
        };
        assert_eq!(show("a flat in Lisbon", &[(2, 6), (10, 16)]), "a [flat] in [Lisbon]");
        assert_eq!(show("äöü", &[(1, 3), (2, 4), (4, 99)]), "ä[ö]ü");
        assert_eq!(show("ab", &[(1, 1), (1, 0)]), "ab");
    }
}
