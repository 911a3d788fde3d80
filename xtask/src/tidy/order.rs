// SPDX-License-Identifier: MIT OR Apache-2.0
//! Modules are declared ground first, and a module uses only those declared above it.
//!
//! So `lib.rs` reads like a floor plan, and no two modules use each other. A module may use its own
//! children and its parent's items; where two paths part, the one that is used must stand above the
//! one that uses it. Paths through a re-export at the root are not followed.

use crate::source::Source;
use crate::tidy::finding::Finding;
use crate::tidy::import::{Form, Name, outline};
use crate::token::{tokens, without_tests};

/// Checks every crate root (`src/lib.rs`, `src/main.rs`, `src/bin/*.rs`) among the sources.
pub(crate) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| is_root(&source.path)) {
        let mut house = House { sources, children: Vec::new(), named: Vec::new() };
        house.walk(source, &[]);
        findings.extend(house.named.iter().filter_map(|(path, name)| house.judge(path, name)));
    }
    findings.sort();
    findings.dedup();
    findings
}

fn is_root(path: &str) -> bool {
    let in_bin = path.rsplit_once('/').is_some_and(|(folder, _)| folder.ends_with("/src/bin"));
    path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs") || in_bin
}

struct House<'a> {
    sources: &'a [Source],
    /// Every module as (parent, name), in the order of declaration.
    children: Vec<(Vec<String>, String)>,
    /// Every name used, with the file that uses it.
    named: Vec<(&'a str, Name)>,
}

impl<'a> House<'a> {
    fn walk(&mut self, source: &'a Source, module: &[String]) {
        let all = tokens(&source.text);
        let outline = outline(&without_tests(&all), module);
        self.named.extend(outline.named.into_iter().map(|name| (source.path.as_str(), name)));
        for declaration in outline.declared {
            let mut child = declaration.parent.clone();
            child.push(declaration.name.clone());
            self.children.push((declaration.parent, declaration.name));
            let file = self.file(&source.path, module, &child);
            if let Some(file) = file.filter(|_| declaration.form == Form::File) {
                self.walk(file, &child);
            }
        }
    }

    /// The file of a module, given the file and path of the module around it.
    fn file(&self, parent: &str, module: &[String], child: &[String]) -> Option<&'a Source> {
        let (folder, name) = parent.rsplit_once('/')?;
        let stem = name.strip_suffix(".rs")?;
        let owns_folder = module.is_empty() || stem == "mod";
        let folder = if owns_folder { folder.to_owned() } else { format!("{folder}/{stem}") };
        let below = child.get(module.len()..)?.join("/");
        let candidates = [format!("{folder}/{below}.rs"), format!("{folder}/{below}/mod.rs")];
        self.sources.iter().find(|source| candidates.contains(&source.path))
    }

    fn judge(&self, path: &str, name: &Name) -> Option<Finding> {
        let parts = name.from.iter().zip(&name.path);
        let shared = parts.take_while(|(from, to)| from == to).count();
        let parent = name.from.get(..shared)?;
        let user = self.place(parent, name.from.get(shared)?)?;
        let used = self.place(parent, name.path.get(shared)?)?;
        (used > user).then(|| {
            let (user, used) = (name.from.get(shared), name.path.get(shared));
            let (user, used) = (user.map_or("", |u| u), used.map_or("", |u| u));
            let message = format!("module {user} uses {used}, which is declared below it");
            Finding::at(path, name.line, message)
        })
    }

    fn place(&self, parent: &[String], name: &str) -> Option<usize> {
        self.children.iter().position(|(found, child)| found == parent && child == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::sample;

    fn said(files: &[(&str, &str)]) -> String {
        let path = |name: &str| format!("crates/x/src/{name}");
        let sources: Vec<_> = files.iter().map(|(name, text)| sample(&path(name), text)).collect();
        check(&sources).iter().map(|finding| format!("{finding}\n")).collect()
    }

    const ROOT: (&str, &str) = ("lib.rs", "mod a; pub mod b; pub use b::Thing;");

    #[test]
    fn upward_is_fine_and_downward_is_found() {
        assert_eq!(said(&[ROOT, ("a.rs", ""), ("b.rs", "use crate::a::X;")]), "");
        let found = said(&[ROOT, ("a.rs", "\nuse crate::b::X;"), ("b.rs", "")]);
        assert!(found.contains("src/a.rs:2: module a uses b"), "{found}");
    }

    #[test]
    fn a_child_is_judged_as_its_ancestor_too() {
        let child = ("a/deep.rs", "fn f() { crate::b::g(); }");
        assert!(said(&[ROOT, ("a.rs", "mod deep;"), child, ("b.rs", "")]).contains("a/deep.rs:1"));
        assert!(said(&[ROOT, ("a/mod.rs", "mod deep;"), child]).contains("a/deep.rs:1"));
    }

    #[test]
    fn siblings_inside_a_module_have_an_order_too() {
        let parent = ("a.rs", "mod one; mod two;");
        assert_eq!(said(&[ROOT, parent, ("a/two.rs", "use super::one::X;")]), "");
        let found = said(&[ROOT, parent, ("a/one.rs", "use super::two::X;")]);
        assert!(found.contains("module one uses two"), "{found}");
    }

    #[test]
    fn own_children_parents_and_tests_are_free() {
        let parent = ("a.rs", "mod one; use self::one::X; use crate::a::one::Y;");
        let child = ("a/one.rs", "use super::Item; #[cfg(test)] mod t { use crate::b::X; }");
        assert_eq!(said(&[ROOT, parent, child, ("b.rs", "")]), "");
    }

    #[test]
    fn programs_are_checked_like_libraries() {
        let files = [("main.rs", "mod a; mod b;"), ("a.rs", "use crate::{b::C};"), ("b.rs", "")];
        assert!(said(&files).contains("module a uses b"));
    }
}
