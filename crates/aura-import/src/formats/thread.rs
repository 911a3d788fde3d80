// SPDX-License-Identifier: MIT OR Apache-2.0
//! The order of a conversation whose messages are a tree: edits and repeated answers are siblings.
//!
//! The thread that the person saw last is the walk from the current message to its root; all others
//! are branches. Several roots, orphans, circles and doubled ids occur, and nothing is lost to them.

use std::collections::{BTreeMap, BTreeSet};

/// A message's place in its tree, as the export tells it.
pub(crate) struct Node<'a> {
    pub(crate) id: &'a str,
    pub(crate) parent: Option<&'a str>,
    /// Its place among its siblings, if the export tells it.
    pub(crate) rank: usize,
    pub(crate) time_ms: Option<i64>,
}

/// A message's place in the order of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed {
    /// Which of the given nodes.
    pub(crate) node: usize,
    /// Which node comes before it in its thread.
    pub(crate) parent: Option<usize>,
    pub(crate) is_branch: bool,
}

/// Every node once; a parent comes before its children.
pub(crate) fn order(nodes: &[Node<'_>], current: Option<&str>) -> Vec<Placed> {
    let mut by_id = BTreeMap::new();
    for (at, node) in nodes.iter().enumerate() {
        by_id.entry(node.id).or_insert(at);
    }
    let parent_of = |at: usize| {
        let parent = nodes.get(at)?.parent?;
        by_id.get(parent).copied().filter(|parent| *parent != at)
    };
    let mut children: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
    for at in 0..nodes.len() {
        children.entry(parent_of(at)).or_default().push(at);
    }
    for siblings in children.values_mut() {
        siblings.sort_by_key(|at| {
            nodes.get(*at).map(|node| (node.rank, node.time_ms.unwrap_or(i64::MAX), node.id, *at))
        });
    }
    let leaf = current.and_then(|current| by_id.get(current).copied()).or_else(|| {
        // Without a current message it is the last one written that nobody answered.
        let leaves = (0..nodes.len()).filter(|at| !children.contains_key(&Some(*at)));
        leaves.max_by_key(|at| nodes.get(*at).map(|node| (node.time_ms, node.id)))
    });
    let mut main = BTreeSet::new();
    let mut next = leaf;
    while let Some(at) = next.filter(|at| main.insert(*at)) {
        next = parent_of(at);
    }
    let mut placed = Vec::with_capacity(nodes.len());
    let mut seen = BTreeSet::new();
    // Roots first; what a circle keeps from every root follows in the order it was given.
    let roots = children.get(&None).cloned().unwrap_or_default();
    for start in roots.into_iter().chain(0..nodes.len()) {
        let mut stack = vec![start];
        while let Some(at) = stack.pop() {
            if !seen.insert(at) {
                continue;
            }
            placed.push(Placed { node: at, parent: parent_of(at), is_branch: !main.contains(&at) });
            stack.extend(children.get(&Some(at)).into_iter().flatten().rev());
        }
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn node<'a>(id: &'a str, parent: Option<&'a str>, time: i64) -> Node<'a> {
        Node { id, parent, rank: 0, time_ms: Some(time) }
    }

    fn told(nodes: &[Node<'_>], current: Option<&str>) -> String {
        let mut text = String::new();
        for placed in order(nodes, current) {
            text.push_str(nodes[placed.node].id);
            text.push_str(if placed.is_branch { "? " } else { " " });
        }
        text
    }

    #[test]
    fn branches_roots_and_circles() {
        let tree = [
            node("r", None, 0),
            node("b", Some("r"), 2),
            node("a", Some("r"), 1),
            node("c", Some("b"), 3),
        ];
        assert_eq!(told(&tree, Some("a")), "r a b? c? ");
        assert_eq!(told(&tree, None), "r a? b c ");
        let circle = [node("x", Some("y"), 0), node("y", Some("x"), 1), node("z", Some("gone"), 2)];
        assert_eq!(told(&circle, Some("z")), "z x? y? ");
        let double = [node("x", None, 0), node("x", Some("x"), 1)];
        assert_eq!(order(&double, Some("x")).len(), 2);
    }

    proptest! {
        #[test]
        fn every_node_once(pairs in proptest::collection::vec((0u8..9, 0u8..9), 0..20), current in 0u8..9) {
            let names: Vec<String> = (0..9).map(|n: u8| n.to_string()).collect();
            let nodes: Vec<Node<'_>> = pairs.iter().map(|(id, parent)| {
                node(&names[usize::from(*id)], Some(&names[usize::from(*parent)]), i64::from(*id))
            }).collect();
            let mut seen: Vec<usize> =
                order(&nodes, Some(&names[usize::from(current)])).iter().map(|p| p.node).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..nodes.len()).collect::<Vec<_>>());
        }
    }
}
