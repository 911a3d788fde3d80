// SPDX-License-Identifier: MIT OR Apache-2.0
//! No file carries what belongs to one machine, or to how it was written.
//!
//! The forbidden words are put together here so that this file does not contain them.

use crate::source::Source;
use crate::tidy::finding::Finding;

/// Folders of a particular machine: a checkout elsewhere has none of them.
const PLACES: [&str; 5] = [
    concat!("/", "work"),
    concat!("/", "root"),
    concat!("/", "farm"),
    concat!("/", "tmp/bash_jobs"),
    concat!("/", "tmp/aura"),
];

/// Hosts of package registries. Packages are named, and the person's own tools know where from.
const HOSTS: [&str; 5] = [
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("files.python", "hosted.org"),
    concat!("registry.npm", "js.org"),
    concat!("deb.debian", ".org"),
];

/// Traces of the tools that a text was written with, in lower case.
const TRACES: [&str; 5] = [
    concat!("co-authored", "-by"),
    concat!("ai-", "generated"),
    concat!("as an ai ", "language model"),
    concat!("sub", "agent"),
    concat!("github ", "copilot"),
];

/// Checks every text file but lock files, in which Cargo names its registry.
pub(crate) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| !source.has_extension("lock")) {
        for (at, line) in source.text.lines().enumerate() {
            let found = words(line).into_iter();
            findings.extend(found.map(|message| Finding::at(&source.path, at + 1, message)));
        }
    }
    findings
}

fn words(line: &str) -> Vec<String> {
    let lower = line.to_lowercase();
    let places = PLACES.iter().filter(|place| has_place(line, place));
    let places = places.map(|place| format!("{place} is a folder of one machine"));
    let hosts = HOSTS.iter().filter(|host| lower.contains(*host));
    let hosts = hosts.map(|host| format!("{host} is a registry's host: name the package only"));
    let traces = TRACES.iter().filter(|trace| lower.contains(*trace));
    let traces = traces.map(|trace| format!("`{trace}` tells how a text was made, not what it is"));
    places.chain(hosts).chain(traces).collect()
}

/// Whether the line has this folder, alone or with something in it, and not `/workspace`,
/// `home/work`, or a file or host whose name begins so.
fn has_place(line: &str, place: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '}' | ')' | '*');
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    line.match_indices(place).any(|(at, _)| {
        let before = line.get(..at).unwrap_or_default();
        let after = line.get(at + place.len()..).unwrap_or_default();
        !before.ends_with(is_part)
            && !before.ends_with(":/")
            && !after.strip_prefix('.').unwrap_or(after).starts_with(is_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::sample;

    fn said(text: &str) -> String {
        check(&[sample("a.md", text)]).iter().map(|finding| format!("{finding}\n")).collect()
    }

    #[test]
    fn folders_of_a_machine_are_found() {
        for place in PLACES {
            assert!(said(&format!("\nsee {place}/main")).contains("a.md:2: "), "{place}");
            assert!(said(&format!("`{place}`")).contains("one machine"), "{place}");
        }
        assert_eq!(said(&format!("https:/{}.example", PLACES[0])), "");
        assert!(said(&format!("file://{}/x", PLACES[0])).contains("one machine"));
        assert_eq!(
            said("/workspace, home/work/fax, $HOME/.cache, /rooted, /root.txt, ${ROOT}/root"),
            ""
        );
    }

    #[test]
    fn hosts_and_traces_are_found() {
        for word in HOSTS.iter().chain(&TRACES) {
            assert!(!said(&format!("x {word} y")).is_empty(), "{word}");
            assert!(!said(&word.to_uppercase()).is_empty(), "{word}");
        }
    }

    #[test]
    fn lock_files_may_name_their_registry() {
        assert!(check(&[sample("Cargo.lock", HOSTS[0])]).is_empty());
    }
}
