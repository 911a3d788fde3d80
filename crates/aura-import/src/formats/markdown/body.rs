// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a note's text says besides its words: its first heading, its tags, what it links to.
//!
//! One pass over the bytes; blocks and spans of code are passed over. Source: CommonMark for headings
//! and links, Obsidian's `[[page]]`, `![[file]]` and `#tag`.

/// Most tags and links that are taken from one note.
const MARKS_MAX: usize = 1000;

/// What was found in a text, each once and in the order of the text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) heading: Option<String>,
    pub(super) tags: Vec<String>,
    /// Targets of `[[…]]`, `![[…]]`, `[…](…)` and `![…](…)`, without headings and without the web.
    pub(super) links: Vec<String>,
}

/// Finds the marks of a text.
pub(super) fn scan(text: &str) -> Marks {
    let mut marks = Marks::default();
    let mut fence: Option<(u8, usize)> = None;
    for line in text.split('\n') {
        let bare = line.trim_start();
        if let Some(mark) = fence_of(bare) {
            match fence {
                None => fence = Some(mark),
                Some(open) if open.0 == mark.0 && mark.1 >= open.1 => fence = None,
                Some(_) => {}
            }
            continue;
        }
        if fence.is_some() {
            continue;
        }
        if marks.heading.is_none()
            && let Some(heading) = line.strip_prefix("# ")
        {
            let heading = heading.trim().trim_end_matches('#').trim_end();
            marks.heading = Some(heading.to_owned()).filter(|heading| !heading.is_empty());
        }
        if line.bytes().any(|byte| matches!(byte, b'#' | b'[')) {
            marks.scan_line(line);
        }
    }
    marks
}

/// The kind and length of a code fence that a line starts with.
fn fence_of(line: &str) -> Option<(u8, usize)> {
    let first = *line.as_bytes().first()?;
    if !matches!(first, b'`' | b'~') {
        return None;
    }
    let length = line.bytes().take_while(|&byte| byte == first).count();
    (length >= 3).then_some((first, length))
}

impl Marks {
    fn scan_line(&mut self, line: &str) {
        let bytes = line.as_bytes();
        let mut at = 0_usize;
        let mut before = b' ';
        while let Some(&byte) = bytes.get(at) {
            let used = match byte {
                b'`' => code_span(bytes, at),
                b'[' => self.link(line, at),
                b'#' if before.is_ascii_whitespace() || matches!(before, b'(' | b',' | b';') => {
                    self.tag(line, at)
                }
                b'\\' => 2,
                _ => 1,
            };
            at += used;
            before = at.checked_sub(1).and_then(|last| bytes.get(last)).copied().unwrap_or(b' ');
        }
    }

    /// How many bytes of a link were used; one, if it is none.
    fn link(&mut self, line: &str, at: usize) -> usize {
        let rest = line.get(at..).unwrap_or_default();
        if let Some(inner) = rest.strip_prefix("[[") {
            let Some(end) = inner.find("]]") else { return 1 };
            let inner = inner.get(..end).unwrap_or_default();
            let target = inner.split(['|', '#', '^']).next().unwrap_or_default().trim();
            // In a table the bar is written `\|`.
            self.add_link(target.trim_end_matches('\\'));
            return end + 4;
        }
        let Some((start, end)) = inline_target(rest) else { return 1 };
        let target = rest.get(start..end).unwrap_or_default().trim();
        let target = match target.strip_prefix('<') {
            Some(angled) => angled.split('>').next().unwrap_or_default(),
            None => target.split_ascii_whitespace().next().unwrap_or_default(),
        };
        let is_web = target.split_once(':').is_some_and(|(scheme, _)| {
            scheme.len() > 1
                && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        });
        if !is_web {
            let target = target.split('#').next().unwrap_or_default();
            self.add_link(&percent_decoded(target));
        }
        // Only the bracket: the words in it may hold an image, which is a link of its own.
        1
    }

    fn add_link(&mut self, target: &str) {
        if !target.is_empty()
            && self.links.len() < MARKS_MAX
            && !self.links.iter().any(|known| known == target)
        {
            self.links.push(target.to_owned());
        }
    }

    fn tag(&mut self, line: &str, at: usize) -> usize {
        let rest = line.get(at + 1..).unwrap_or_default();
        let length = rest
            .find(|letter: char| !(letter.is_alphanumeric() || matches!(letter, '_' | '-' | '/')))
            .unwrap_or(rest.len());
        let tag = rest.get(..length).unwrap_or_default();
        // A number is no tag: `#12` is a reference in most texts.
        if tag.chars().any(|letter| !letter.is_numeric())
            && self.tags.len() < MARKS_MAX
            && !self.tags.iter().any(|known| known == tag)
        {
            self.tags.push(tag.to_owned());
        }
        length + 1
    }
}

/// The length of the code span that starts at `at`, or of its opening if it is never closed.
fn code_span(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let open = rest.iter().take_while(|&&byte| byte == b'`').count();
    let mut run = 0_usize;
    for (index, &byte) in rest.iter().enumerate().skip(open) {
        if byte == b'`' {
            run += 1;
        } else {
            if run == open {
                return index;
            }
            run = 0;
        }
    }
    if run == open { rest.len() } else { open }
}

/// Where the target of `[words](target)` is, counted from the bracket.
fn inline_target(rest: &str) -> Option<(usize, usize)> {
    let bytes = rest.as_bytes();
    let mut depth = 0_usize;
    let mut close = None;
    for (index, &byte) in bytes.iter().enumerate().take(2000) {
        match byte {
            b'[' => depth += 1,
            b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    close = Some(index);
                    break;
                }
            }
            _ => {}
        }
    }
    let start = close? + 2;
    if bytes.get(start.checked_sub(1)?) != Some(&b'(') {
        return None;
    }
    let mut depth = 1_usize;
    for (index, &byte) in bytes.iter().enumerate().skip(start).take(4000) {
        depth = match byte {
            b'(' => depth + 1,
            b')' => depth - 1,
            _ => depth,
        };
        if depth == 0 {
            return Some((start, index));
        }
    }
    None
}

/// `%20` and the like as what they stand for; what is no such thing stays.
pub(crate) fn percent_decoded(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let pair = after.get(..2).and_then(|pair| core::str::from_utf8(pair).ok());
        let code = pair
            .filter(|pair| pair.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let decoded = code.filter(|_| *first == b'%');
        bytes.push(decoded.unwrap_or(*first));
        rest = if decoded.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tags_links_and_heading() {
        let marks = scan(
            "intro #first\n# The title #\n[[Page|alias]] ![[pic one.png|100]] [[A#B]] #a/b-c, #12 x#no\n\
             [t](docs/my%20file.pdf \"x\") ![alt](<a b.png>) [w](https://example.org) [m](mailto:a)\n\
             [![in](thumb.png)](full.png) `#code [[no]]` #first (#par)\n```\n#no [[no]]\n```\n#last",
        );
        assert_eq!(marks.heading.as_deref(), Some("The title"));
        assert_eq!(marks.tags, ["first", "a/b-c", "par", "last"]);
        assert_eq!(
            marks.links,
            ["Page", "pic one.png", "A", "docs/my file.pdf", "a b.png", "full.png", "thumb.png"]
        );
    }

    #[test]
    fn unclosed_things_end_with_their_line() {
        let marks = scan("[[open\n`open #tag\n~~~\n#no\n```\n~~~\n#yes");
        assert_eq!(marks.tags, ["tag", "yes"]);
        assert!(marks.links.is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_scanned(text in "[\\[\\]()#!`~|a é\n<>%2\\\\]{0,200}") {
            scan(&text);
        }
    }
}
