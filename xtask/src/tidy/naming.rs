// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names that say nothing are not given to modules or types, and reading needs no `get_`.

use crate::source::Source;
use crate::tidy::finding::Finding;
use crate::token::{Token, tokens};

const EMPTY_WORDS: [&str; 13] = [
    "util", "utils", "helper", "helpers", "common", "misc", "manager", "handler", "handlers",
    "data", "info", "base", "core",
];
const ITEMS: [&str; 6] = ["mod", "struct", "enum", "trait", "type", "union"];

/// Checks the path and the items of every Rust file.
pub(crate) fn check(sources: &[Source]) -> Vec<Finding> {
    let rust = sources.iter().filter(|source| source.is_rust());
    rust.flat_map(|source| path(source).into_iter().chain(items(source))).collect()
}

fn path(source: &Source) -> Option<Finding> {
    let (_, inner) = source.path.split_once("src/")?;
    let inner = inner.strip_suffix(".rs")?;
    let name = inner.split('/').find(|name| is_empty_word(name))?;
    Some(Finding::of(&source.path, format!("`{name}` names no concept; say what is in it")))
}

fn items(source: &Source) -> Vec<Finding> {
    let all = tokens(&source.text);
    let found = all.windows(2).filter_map(|pair| match pair {
        [word, name] if ITEMS.contains(&word.text) && is_empty_word(name.text) => {
            let message = format!("`{} {}` names no concept", word.text, name.text);
            Some(Finding::at(&source.path, name.line, message))
        }
        _ => None,
    });
    found.chain(getters(&source.path, &all)).collect()
}

/// Public functions only: a trait from elsewhere may force the name on its implementation.
fn getters(path: &str, all: &[Token<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for [before, word, name] in all.windows(3).filter_map(|w| <&[_; 3]>::try_from(w).ok()) {
        let is_public = before.text == "pub" || before.text == ")";
        if is_public && word.text == "fn" && name.text.starts_with("get_") {
            let message = format!("`{}`: call it by what it returns, without get_", name.text);
            findings.push(Finding::at(path, name.line, message));
        }
    }
    findings
}

fn is_empty_word(name: &str) -> bool {
    EMPTY_WORDS.iter().any(|word| name.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::sample;

    fn said(path: &str, text: &str) -> String {
        check(&[sample(path, text)]).iter().map(|finding| format!("{finding}\n")).collect()
    }

    #[test]
    fn empty_module_names_are_found_in_paths_and_code() {
        assert!(said("crates/x/src/utils.rs", "").contains("`utils` names no concept"));
        assert!(said("crates/x/src/common/a.rs", "").contains("`common`"));
        assert!(said("crates/x/src/a.rs", "\nmod helper { }").contains("a.rs:2: `mod helper`"));
        assert_eq!(said("crates/x/src/database.rs", "use core::fmt; // mod util"), "");
    }

    #[test]
    fn empty_type_names_are_found() {
        assert!(said("src/a.rs", "pub struct Manager;").contains("`struct Manager`"));
        assert_eq!(said("src/a.rs", "pub struct BaseUrl; enum Database {}"), "");
    }

    #[test]
    fn getters_are_found_where_the_name_is_ours() {
        assert!(said("src/a.rs", "pub fn get_name() {}").contains("`get_name`"));
        assert!(said("src/a.rs", "pub(crate) fn get_name() {}").contains("`get_name`"));
        assert_eq!(said("src/a.rs", "impl Foreign for X { fn get_name() {} }"), "");
    }
}
