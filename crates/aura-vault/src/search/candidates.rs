// SPDX-License-Identifier: MIT OR Apache-2.0
//! The candidates that score best, part after part of one index.
//!
//! What was found so far is the bar for the parts that follow, so that block-max WAND passes over most blocks
//! of common words there too. Tantivy's own collector begins each part without a bar.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use tantivy::query::{Bm25StatisticsProvider, EnableScoring, Query as Node};
use tantivy::{DocAddress, Score, Searcher};

/// At most `limit` candidates, the best first; of equal ones those of earlier addresses.
pub(super) fn best(
    searcher: &Searcher,
    node: &dyn Node,
    counts: &dyn Bm25StatisticsProvider,
    limit: usize,
) -> tantivy::Result<Vec<(Score, DocAddress)>> {
    let weight = node.weight(EnableScoring::enabled_from_statistics_provider(counts, searcher))?;
    let mut best = Best { heap: BinaryHeap::new(), limit };
    for (ordinal, part) in (0..).zip(searcher.segment_readers()) {
        let alive = part.alive_bitset();
        weight.for_each_pruning(best.bar(), part, &mut |doc, score| {
            if alive.is_none_or(|alive| alive.is_alive(doc)) {
                best.offer(Candidate { score, address: DocAddress::new(ordinal, doc) });
            }
            best.bar()
        })?;
    }
    let sorted = best.heap.into_sorted_vec();
    Ok(sorted.into_iter().map(|Reverse(found)| (found.score, found.address)).collect())
}

struct Best {
    heap: BinaryHeap<Reverse<Candidate>>,
    limit: usize,
}

impl Best {
    /// The score that a candidate must exceed.
    fn bar(&self) -> Score {
        match self.heap.peek() {
            Some(Reverse(least)) if self.heap.len() >= self.limit => least.score,
            _ => Score::MIN,
        }
    }

    fn offer(&mut self, candidate: Candidate) {
        self.heap.push(Reverse(candidate));
        if self.heap.len() > self.limit {
            self.heap.pop();
        }
    }
}

/// Ordered by how good it is.
#[derive(PartialEq)]
struct Candidate {
    score: Score,
    address: DocAddress,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.address.cmp(&self.address))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Candidate {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tantivy::collector::TopDocs;
    use tantivy::merge_policy::NoMergePolicy;
    use tantivy::query::{BooleanQuery, TermQuery};
    use tantivy::schema::{Field, IndexRecordOption, Schema, TEXT};
    use tantivy::{Index, IndexWriter, TantivyDocument, Term, doc};

    use super::*;

    /// Parts of documents, each a list of words out of four.
    fn index(parts: &[Vec<Vec<u8>>], deleted: &[u8]) -> (Searcher, Field) {
        let mut schema = Schema::builder();
        let field = schema.add_text_field("text", TEXT);
        let index = Index::create_in_ram(schema.build());
        let mut writer: IndexWriter<TantivyDocument> =
            index.writer_with_num_threads(1, 15 << 20).unwrap();
        writer.set_merge_policy(Box::new(NoMergePolicy));
        for part in parts {
            for words in part {
                let text: Vec<_> = words.iter().map(|word| format!("w{word}")).collect();
                writer.add_document(doc!(field => text.join(" "))).unwrap();
            }
            writer.commit().unwrap();
        }
        for word in deleted {
            writer.delete_term(Term::from_field_text(field, &format!("w{word}")));
        }
        writer.commit().unwrap();
        (index.reader().unwrap().searcher(), field)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        /// Tantivy's own collector is the oracle; parts of more than 128 documents have several blocks. Of each block an
        /// index keeps which frequency and length scored best by the average length in its own part; by that of all parts
        /// another one may be a hair better, and a bar from another part passes over it.
        #[test]
        fn the_best_of_all_parts_are_those_that_a_search_without_a_bar_finds(
            parts in prop::collection::vec(
                prop::collection::vec(prop::collection::vec(0..6_u8, 1..12), 1..300),
                1..5,
            ),
            deleted in prop::collection::vec(4..6_u8, 0..2),
            limit in 1..60_usize,
        ) {
            let (searcher, field) = index(&parts, &deleted);
            let term = |word: u8| -> Box<dyn Node> {
                let term = Term::from_field_text(field, &format!("w{word}"));
                Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs))
            };
            let nodes: [Box<dyn Node>; 3] = [
                term(0),
                Box::new(BooleanQuery::union(vec![term(0), term(1)])),
                Box::new(BooleanQuery::intersection(vec![term(0), term(1)])),
            ];
            for node in nodes {
                let top = TopDocs::with_limit(limit).order_by_score();
                let expected = searcher.search(node.as_ref(), &top).unwrap();
                let found = best(&searcher, node.as_ref(), &searcher, limit).unwrap();
                prop_assert_eq!(found.len(), expected.len());
                let is_hair = |one: Score, other: Score| (one - other).abs() <= 0.005 * other;
                for ((score, address), (best, _)) in found.iter().zip(&expected) {
                    prop_assert!(is_hair(*score, *best), "{found:?} and not {expected:?}");
                    let explained = node.explain(&searcher, *address).unwrap().value();
                    prop_assert!(is_hair(explained, *score));
                }
                let mut addresses: Vec<_> = found.iter().map(|(_, address)| *address).collect();
                addresses.sort_unstable();
                addresses.dedup();
                prop_assert_eq!(addresses.len(), found.len());
            }
        }
    }
}
