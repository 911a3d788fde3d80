// SPDX-License-Identifier: MIT OR Apache-2.0
//! A mail's headers as JMAP properties.
//!
//! Headers without a property of their own are kept as they stood, but for those that only the mail's
//! way through the network has left (traces, signatures, spam scores). Source: RFC 8621, 4.1.

use std::collections::BTreeSet;

use aura_vault::record::Fields;
use mail_parser::{Address, DateTime, HeaderForm, HeaderName, HeaderValue, Message};
use serde_json::Value;

/// Most addresses taken from one header, and most of other headers.
const ADDRESSES_MAX: usize = 2000;
const HEADERS_MAX: usize = 200;

/// Longest other header that is kept, in bytes.
const HEADER_BYTES_MAX: usize = 8 << 10;

/// Headers that only tell the mail's way, by the start of their names.
const TRACES: &[&str] = &[
    "arc-",
    "authentication-results",
    "dkim-",
    "domainkey-",
    "received",
    "x-received",
    "x-google-",
    "x-gm-",
    "x-gmail-",
    "x-ms-",
    "x-microsoft-",
    "x-forefront-",
    "x-spam",
    "x-virus",
    "x-mozilla-",
    "x-uid",
    "x-status",
    "status",
    "x-evolution",
    "x-account-key",
    "content-length",
    "lines",
    "x-originalarrivaltime",
    "mime-version",
    "delivered-to",
    "return-path",
    "x-keywords",
];

/// A list of `{name, email}`.
pub(super) fn addresses(address: Option<&Address<'_>>) -> Option<Value> {
    let list: Vec<Value> = address?
        .iter()
        .take(ADDRESSES_MAX)
        .filter(|one| one.name.is_some() || one.address.is_some())
        .map(|one| {
            let mut members = Fields::new();
            if let Some(name) = one.name.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
                members.insert("name".to_owned(), name.into());
            }
            let email = one.address.as_deref().map_or("", str::trim);
            members.insert("email".to_owned(), email.into());
            Value::Object(members)
        })
        .collect();
    (!list.is_empty()).then_some(Value::Array(list))
}

/// The ids of a header that holds one or several.
pub(super) fn ids<'v>(value: &'v HeaderValue<'_>) -> Vec<&'v str> {
    match value {
        HeaderValue::Text(id) => vec![bare_id(id)],
        HeaderValue::TextList(ids) => ids.iter().map(|id| bare_id(id)).collect(),
        _ => Vec::new(),
    }
}

/// An id without its angle brackets.
pub(super) fn bare_id(id: &str) -> &str {
    let id = id.trim();
    id.strip_prefix('<').and_then(|id| id.strip_suffix('>')).unwrap_or(id)
}

/// A date that is one, in milliseconds since 1970.
pub(super) fn date_ms(date: Option<&DateTime>) -> Option<i64> {
    let date = date.filter(|date| date.is_valid())?;
    date.to_timestamp().checked_mul(1000)
}

/// When the first server took it, which is who wrote its trace below those of the others (RFC 5321, 4.4):
/// the same in each copy of a mail, whichever way that has gone.
pub(super) fn received_ms(message: &Message<'_>) -> Option<i64> {
    message.headers().iter().rev().find_map(|header| match &header.value {
        HeaderValue::Received(trace) => date_ms(trace.date.as_ref()),
        _ => None,
    })
}

/// A header's text.
pub(super) fn text<'m>(message: &'m Message<'_>, name: &'static str) -> Option<&'m str> {
    message.header(HeaderName::Other(name.into()))?.as_text().map(str::trim)
}

/// A header's text, its encoded words decoded.
pub(super) fn decoded(message: &Message<'_>, name: &'static str) -> Option<String> {
    message.header(HeaderName::Other(name.into()))?;
    let values = message.header_as(HeaderName::Other(name.into()), HeaderForm::Text);
    values.into_iter().next()?.into_text().map(std::borrow::Cow::into_owned)
}

/// Gmail's labels: words separated by commas, some of them in quotation marks.
pub(super) fn gmail_labels(text: &str) -> BTreeSet<String> {
    let mut labels = BTreeSet::new();
    let mut label = String::new();
    let mut is_quoted = false;
    for letter in text.chars().chain([',']) {
        match letter {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => {
                let done = label.split_whitespace().collect::<Vec<_>>().join(" ");
                if !done.is_empty() {
                    labels.insert(done);
                }
                label.clear();
            }
            letter => label.push(letter),
        }
    }
    labels
}

/// What the headers of mail programs say was done with a mail.
pub(super) fn keywords(message: &Message<'_>, labels: &BTreeSet<String>) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    for name in ["Status", "X-Status"] {
        for letter in text(message, name).unwrap_or_default().chars() {
            found.extend(match letter {
                'R' => Some("$seen"),
                'A' => Some("$answered"),
                'F' => Some("$flagged"),
                'T' => Some("$draft"),
                _ => None,
            });
        }
    }
    let mozilla =
        text(message, "X-Mozilla-Status").and_then(|text| u32::from_str_radix(text, 16).ok());
    for (bit, word) in [(1, "$seen"), (2, "$answered"), (4, "$flagged"), (0x1000, "$forwarded")] {
        if mozilla.is_some_and(|bits| bits & bit != 0) {
            found.insert(word);
        }
    }
    // Gmail writes these in the language of the account; only the English ones are certain.
    for (label, word) in [("Opened", "$seen"), ("Starred", "$flagged"), ("Drafts", "$draft")] {
        if labels.contains(label) {
            found.insert(word);
        }
    }
    found
}

/// The headers that have no property of their own, as `{name, value}`.
pub(super) fn others(message: &Message<'_>) -> Vec<Value> {
    let mut kept = Vec::new();
    for header in message.headers() {
        let is_property = matches!(
            header.name,
            HeaderName::From
                | HeaderName::To
                | HeaderName::Cc
                | HeaderName::Bcc
                | HeaderName::ReplyTo
                | HeaderName::Sender
                | HeaderName::Subject
                | HeaderName::Date
                | HeaderName::MessageId
                | HeaderName::InReplyTo
                | HeaderName::References
                | HeaderName::Received
        ) || header.name.is_mime_header();
        if is_property || kept.len() >= HEADERS_MAX {
            continue;
        }
        let name = header.name();
        let is_trace = TRACES.iter().any(|trace| {
            name.get(..trace.len()).is_some_and(|start| start.eq_ignore_ascii_case(trace))
        });
        if is_trace {
            continue;
        }
        let range = header.offset_start as usize..header.offset_end as usize;
        let raw = message.raw_message.get(range).unwrap_or_default();
        if raw.len() > HEADER_BYTES_MAX {
            continue;
        }
        let text = String::from_utf8_lossy(raw);
        let value = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut member = Fields::new();
        member.insert("name".to_owned(), name.into());
        member.insert("value".to_owned(), value.into());
        kept.push(Value::Object(member));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_with_commas_in_quotation_marks() {
        let labels = gmail_labels("Inbox,\"Work, old\",Opened, Two\r\n words");
        assert_eq!(
            labels.iter().map(String::as_str).collect::<Vec<_>>(),
            ["Inbox", "Opened", "Two words", "Work, old"]
        );
        assert!(gmail_labels("").is_empty());
    }
}
