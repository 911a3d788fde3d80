// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names inside an archive, checked before anything is done with them.
//!
//! Nothing is ever unpacked to a disk, but names travel on into records and later into exports, and
//! there a name that leads elsewhere would do harm.

use super::{DEPTH_MAX, PATH_BYTES_MAX};

/// The path as the tree shows it, or why it is refused.
pub(super) fn safe_path(name: &str) -> Result<String, &'static str> {
    if name.len() > PATH_BYTES_MAX {
        return Err("its name is longer than this program reads");
    }
    if name.contains('\\') {
        return Err("its name has a backslash, which some systems take for a folder; not read");
    }
    if name.chars().any(char::is_control) {
        return Err("its name has control characters; not read");
    }
    if name.starts_with('/') {
        return Err("its name starts at the root of the disk; not read");
    }
    if let [letter, b':', ..] = name.as_bytes()
        && letter.is_ascii_alphabetic()
    {
        return Err("its name starts with a drive letter; not read");
    }
    let mut path = String::with_capacity(name.len());
    let mut depth = 0_usize;
    for part in name.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            return Err("its name leads out of the archive; not read");
        }
        depth += 1;
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(part);
    }
    if depth == 0 {
        return Err("it has no name");
    }
    if depth > DEPTH_MAX {
        return Err("it is nested deeper than this program reads");
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_safe_comes_back_and_what_is_not_is_refused() {
        assert_eq!(safe_path("a/b.md").as_deref(), Ok("a/b.md"));
        assert_eq!(safe_path("./a//b/./c").as_deref(), Ok("a/b/c"));
        assert_eq!(safe_path("a..b/...c").as_deref(), Ok("a..b/...c"));
        for bad in
            ["", "/", ".", "/etc/passwd", "a/../../b", "..", "C:/x", "c:x", "a\\b", "a\0b", "a\nb"]
        {
            assert!(safe_path(bad).is_err(), "{bad:?}");
        }
        assert!(safe_path(&"a/".repeat(65)).is_err());
        assert!(safe_path(&"a".repeat(4097)).is_err());
    }
}
