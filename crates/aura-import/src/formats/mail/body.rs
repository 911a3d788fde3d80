// SPDX-License-Identifier: MIT OR Apache-2.0
//! A mail's words: its text, or the text of its HTML.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mail_parser::decoders::html::html_to_text;
use mail_parser::{Encoding, Message, MessagePart, PartType};

/// Larger HTML, or HTML with more tables, is turned to text without regard to its layout.
const LAYOUT_BYTES_MAX: usize = 128 << 10;
const LAYOUT_TABLES_MAX: usize = 100;

/// Columns of text made of HTML.
const WIDTH: usize = 100;

/// Most text and most HTML that a record holds, in bytes; larger HTML becomes an attachment.
const TEXT_BYTES_MAX: usize = 4 << 20;
const HTML_BYTES_MAX: usize = 1 << 20;

/// What a mail says.
#[derive(Default)]
pub(super) struct Body {
    pub(super) text: String,
    pub(super) html: Option<String>,
    /// HTML too large for a field.
    pub(super) large_html: Option<String>,
}

/// The words of a mail.
pub(super) fn body(message: &Message<'_>) -> Body {
    let mut body = Body::default();
    let mut html = String::new();
    for part in message.html_body.iter().filter_map(|&id| message.part(id)) {
        if let PartType::Html(_) = &part.body {
            push(&mut html, &decoded(message, part), usize::MAX);
        }
    }
    for part in message.text_body.iter().filter_map(|&id| message.part(id)) {
        if let PartType::Text(_) = &part.body {
            push(&mut body.text, &decoded(message, part), TEXT_BYTES_MAX);
        }
    }
    if body.text.trim().is_empty() && !html.trim().is_empty() {
        body.text = plain(&html);
    }
    trim_end(&mut body.text);
    trim_end(&mut html);
    if html.len() > HTML_BYTES_MAX {
        body.large_html = Some(html);
    } else if !html.is_empty() {
        body.html = Some(html);
    }
    body
}

/// A text part; where it names no charset and is not UTF-8, it is read as Windows-1252.
pub(super) fn decoded<'p>(
    message: &'p Message<'_>,
    part: &'p MessagePart<'_>,
) -> std::borrow::Cow<'p, str> {
    let (PartType::Text(text) | PartType::Html(text)) = &part.body else { return "".into() };
    if part.encoding == Encoding::None && text.contains('\u{FFFD}') {
        let range = part.offset_body as usize..part.offset_end as usize;
        let raw = message.raw_message.get(range).unwrap_or_default();
        if core::str::from_utf8(raw).is_err() && !is_multibyte(part) {
            return encoding_rs::WINDOWS_1252.decode_without_bom_handling(raw).0;
        }
    }
    text.as_ref().into()
}

/// Whether the part names a charset that is not the plain one.
fn is_multibyte(part: &MessagePart<'_>) -> bool {
    use mail_parser::MimeHeaders;
    part.content_type()
        .and_then(|content| content.attribute("charset"))
        .is_some_and(|charset| !charset.eq_ignore_ascii_case("us-ascii"))
}

/// Adds a part's text with plain line ends, up to so many bytes in all.
fn push(text: &mut String, part: &str, bytes_max: usize) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let room = bytes_max.saturating_sub(text.len());
    let part = part.get(..part.floor_char_boundary(room)).unwrap_or_default();
    for (index, line) in part.split("\r\n").enumerate() {
        if index > 0 {
            text.push('\n');
        }
        text.push_str(line);
    }
}

fn trim_end(text: &mut String) {
    text.truncate(text.trim_end().len());
}

/// Whether a mail's text is what this module makes of its HTML.
pub(crate) fn is_text_of(html: &str, text: &str) -> bool {
    text.is_empty() || plain(html).trim_end() == text
}

/// The words of an HTML text.
fn plain(html: &str) -> String {
    let is_simple = html.len() <= LAYOUT_BYTES_MAX
        && html.matches("<table").take(LAYOUT_TABLES_MAX + 1).count() <= LAYOUT_TABLES_MAX;
    // The renderer is not ours and mail is hostile: what it can't take goes the plain way.
    let laid_out = is_simple
        .then(|| {
            catch_unwind(AssertUnwindSafe(|| {
                html2text::config::plain_no_decorate()
                    .no_table_borders()
                    .allow_width_overflow()
                    .string_from_read(html.as_bytes(), WIDTH)
                    .ok()
            }))
            .ok()
            .flatten()
        })
        .flatten();
    let mut text = laid_out.unwrap_or_else(|| html_to_text(html));
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_start_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_becomes_words() {
        let text = plain(
            "<html><style>x{}</style><p>One &amp; <b>two</b></p><p>three</p><script>no</script>",
        );
        assert_eq!(text.trim(), "One & two\n\nthree");
        let nested = format!("{}words", "<div>".repeat(20_000));
        assert!(plain(&nested).contains("words"));
        let tables = format!("{}words", "<table><tr><td>".repeat(2_000));
        assert!(plain(&tables).contains("words"));
    }
}
