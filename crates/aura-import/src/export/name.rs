// SPDX-License-Identifier: MIT OR Apache-2.0
//! File names that every system takes, and that don't collide where case and accents don't count.

use std::collections::{HashMap, HashSet};

use unicode_normalization::UnicodeNormalization as _;

/// Longest name that is made, in bytes; systems allow 255, and copies like to add to it.
const NAME_BYTES_MAX: usize = 180;
/// Longest path of a record's file, in bytes, without its ending: Windows allows 260 letters, of which the folder that
/// the person chose takes some.
const PATH_BYTES_MAX: usize = 180;
/// The same of a file that lies in a folder named after a record's.
const INNER_BYTES_MAX: usize = 230;
/// So much is left of a name, and of a folder's, where a path is too long.
const NAME_BYTES_MIN: usize = 40;
const FOLDER_BYTES_MIN: usize = 16;

/// Names that stand for devices on Windows, with any ending.
const RESERVED: &[&str] = &["con", "prn", "aux", "nul", "conin$", "conout$"];

/// Gives each file of an export a name of its own.
#[derive(Default)]
pub(super) struct Names {
    taken: HashSet<String>,
    /// The number to try next for a wish that was taken.
    next: HashMap<String, u64>,
}

impl Names {
    /// A free path for a wished one; `wish` is separated by `/`, each part of it made safe.
    pub(super) fn free(&mut self, wish: &str, ending: &str) -> String {
        self.free_within(wish, ending, PATH_BYTES_MAX)
    }

    fn free_within(&mut self, wish: &str, ending: &str, bytes_max: usize) -> String {
        let parts = wish.split('/').filter(|part| !part.is_empty()).map(safe_part);
        let stem = fit(parts.collect(), bytes_max);
        let stem = if stem.is_empty() { "unnamed".to_owned() } else { stem };
        let key = fold(&format!("{stem}{ending}"));
        let mut number = self.next.get(&key).copied().unwrap_or(1);
        loop {
            let path = match number {
                1 => format!("{stem}{ending}"),
                _ => format!("{stem} ({number}){ending}"),
            };
            number = number.saturating_add(1);
            if self.taken.insert(fold(&path)) {
                self.next.insert(key, number);
                return path;
            }
        }
    }
}

impl Names {
    /// A free path for a file with an ending of its own.
    pub(super) fn free_file(&mut self, wish: &str) -> String {
        match wish.rsplit_once('.') {
            Some((stem, ending)) if !stem.ends_with('/') && !ending.contains('/') => {
                self.free_within(stem, &format!(".{ending}"), INNER_BYTES_MAX)
            }
            _ => self.free_within(wish, "", INNER_BYTES_MAX),
        }
    }

    /// Takes a path as it is, if it is free.
    pub(super) fn take(&mut self, path: &str) -> bool {
        self.taken.insert(fold(path))
    }
}

/// What systems compare that take no notice of case, nor of how an accent is written.
fn fold(path: &str) -> String {
    path.nfd().flat_map(char::to_lowercase).nfd().collect()
}

/// A path of these parts that is no longer than that: its name is cut first, then folders, the innermost first; then
/// those are left out.
fn fit(mut parts: Vec<String>, bytes_max: usize) -> String {
    let bytes = |parts: &[String]| {
        parts.iter().map(|part| part.len().saturating_add(1)).sum::<usize>().saturating_sub(1)
    };
    for at in (0..parts.len()).rev() {
        let excess = bytes(&parts).saturating_sub(bytes_max);
        let least = if at + 1 == parts.len() { NAME_BYTES_MIN } else { FOLDER_BYTES_MIN };
        if let Some(part) = parts.get_mut(at).filter(|part| excess > 0 && part.len() > least) {
            *part = safe_part(cut(part, part.len().saturating_sub(excess).max(least)));
        }
    }
    while bytes(&parts) > bytes_max && parts.len() > 1 {
        parts.remove(parts.len() - 2);
    }
    parts.join("/")
}

fn cut(part: &str, bytes: usize) -> &str {
    part.get(..part.floor_char_boundary(bytes)).unwrap_or(part)
}

/// One part of a path made safe for every system.
pub(super) fn safe_part(part: &str) -> String {
    let mut safe = String::with_capacity(part.len());
    for letter in part.chars() {
        let letter = match letter {
            '<' | '>' | ':' | '"' | '/' | '\\' | '|' | '?' | '*' => '_',
            // Marks that turn the writing direction make `exe.txt` out of `txt.exe`.
            '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => continue,
            letter if letter.is_control() => '_',
            letter => letter,
        };
        if safe.len() + letter.len_utf8() > NAME_BYTES_MAX {
            break;
        }
        safe.push(letter);
    }
    let trimmed = safe.trim_start().trim_end_matches([' ', '.']);
    if trimmed.is_empty() {
        return "unnamed".to_owned();
    }
    // A name that starts with a dot is hidden from the person, and from the next import.
    if is_reserved(trimmed) || trimmed.starts_with('.') {
        return format!("_{trimmed}");
    }
    trimmed.to_owned()
}

fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_lowercase();
    if RESERVED.contains(&stem.as_str()) {
        return true;
    }
    let number = stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt"));
    number.is_some_and(|rest| {
        matches!(rest, "\u{b9}" | "\u{b2}" | "\u{b3}")
            || rest.len() == 1 && rest.bytes().all(|digit| digit.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Fault F-38.
    #[test]
    fn names_that_some_system_refuses_are_changed() {
        assert_eq!(safe_part("a:b?"), "a_b_");
        assert_eq!(safe_part("CON"), "_CON");
        assert_eq!(safe_part("con.md"), "_con.md");
        assert_eq!(safe_part("Com7"), "_Com7");
        assert_eq!(safe_part("common"), "common");
        assert_eq!(safe_part(".."), "unnamed");
        assert_eq!(safe_part(".hidden"), "_.hidden");
        assert_eq!(safe_part("end. . "), "end");
        assert_eq!(safe_part("\u{202E}txt.exe"), "txt.exe");
        assert_eq!(safe_part(&"é".repeat(200)).len(), 180);
    }

    /// Fault F-38.
    #[test]
    fn names_that_differ_only_in_case_are_kept_apart() {
        let mut names = Names::default();
        assert_eq!(names.free("a/Note", ".md"), "a/Note.md");
        assert_eq!(names.free("a/note", ".md"), "a/note (2).md");
        assert_eq!(names.free("A/NOTE", ".md"), "A/NOTE (3).md");
        assert_eq!(names.free("../../x", ".md"), "unnamed/unnamed/x.md");
        assert_eq!(names.free("", ".md"), "unnamed.md");
    }

    /// Fault F-38.
    #[test]
    fn names_that_differ_only_in_how_accents_are_written_are_kept_apart() {
        let mut names = Names::default();
        assert_eq!(names.free("Caf\u{e9}", ".md"), "Caf\u{e9}.md");
        assert_eq!(names.free("Cafe\u{301}", ".md"), "Cafe\u{301} (2).md");
        assert_eq!(names.free("CAF\u{c9}", ".md"), "CAF\u{c9} (3).md");
        assert!(!names.take("cafe\u{301}.md"));
        assert!(names.take("cafe.md"));
    }

    /// Fault F-38.
    #[test]
    fn paths_that_some_system_refuses_are_shortened() {
        let long = |letter: &str, count: usize| letter.repeat(count);
        let mut names = Names::default();
        let deep = format!("{}/{}", ["folder"; 5].join("/"), long("n", 180));
        let path = names.free(&deep, ".md");
        assert_eq!(path, format!("{}/{}.md", ["folder"; 5].join("/"), long("n", 145)));
        let path = names.free(&format!("{}/{}", long("f", 150), long("n", 90)), ".md");
        assert_eq!(path, format!("{}/{}.md", long("f", 139), long("n", 40)));
        let deepest = format!("{}/{}", vec![long("f", 30); 40].join("/"), long("n", 90));
        let path = names.free(&deepest, ".md");
        assert!(path.len() <= PATH_BYTES_MAX + 3);
        assert!(path.ends_with(&format!("{}.md", long("n", 40))));
        assert_ne!(names.free(&deepest, ".md"), path, "and is no other's");
    }

    proptest! {
        /// Fault F-38.
        #[test]
        fn no_name_leads_elsewhere(wish in any::<String>(), deep in "(.{0,60}/){0,9}.{0,90}") {
            for wish in [&deep, &wish] {
                let mut names = Names::default();
                let path = names.free(wish, "");
                prop_assert!(path.len() <= PATH_BYTES_MAX, "{}", path.len());
                let upper: String = path.to_uppercase().nfd().collect();
                prop_assert!(fold(&upper) != fold(&path) || !names.take(&upper));
            }
            let path = Names::default().free(&wish, "");
            for part in path.split('/') {
                prop_assert!(!part.is_empty() && part != "." && part != "..");
                prop_assert!(!part.contains(['\\', '\0', ':']) && part.len() <= 200);
                prop_assert!(!part.ends_with(['.', ' ']));
            }
        }
    }
}
