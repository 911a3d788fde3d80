// SPDX-License-Identifier: MIT OR Apache-2.0
//! One mail to one draft, in the form of a JMAP Email.
//!
//! Its id is its Message-ID with a digest of what it says, because there are programs that give
//! several mails one Message-ID. The digest leaves out white space and everything that mail programs
//! and servers add, so that every copy of a mail has one id. Source: RFC 8621.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use aura_vault::record::{Fields, Kind};
use mail_parser::{Message, MessageParser, MimeHeaders, PartType};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::super::ending::file_name;
use super::body::{Body, body, decoded};
use super::{NO_MAIL, SOURCE, header};
use crate::draft::{Attachment, Draft};

/// Most files of one mail.
const ATTACHMENTS_MAX: usize = 1000;

/// Most ids kept of one header.
const IDS_MAX: usize = 500;

/// What is known of a mail from where it lay.
#[derive(Default)]
pub(super) struct Origin<'a> {
    pub(super) mailbox: Option<&'a str>,
    pub(super) keywords: Vec<&'static str>,
    pub(super) filed: Filed,
}

/// When a mail was put there, in milliseconds since 1970.
#[derive(Default)]
pub(super) enum Filed {
    /// Nobody says.
    #[default]
    Unknown,
    /// When it was received, or when somebody sorted their mail.
    Perhaps(i64),
    /// When it was received.
    Received(i64),
}

/// Reads mails; made once for many.
pub(super) struct Reader {
    parser: MessageParser,
}

impl Reader {
    pub(super) fn new() -> Self {
        // Naming any header of its own would turn off what the parser knows about the others.
        Self { parser: MessageParser::new() }
    }

    /// The draft of a mail, or why there is none.
    pub(super) fn draft(&self, raw: &[u8], origin: &Origin<'_>) -> Result<Draft, &'static str> {
        // The parser promises not to panic; mail is hostile, and one mail must not stop the rest.
        catch_unwind(AssertUnwindSafe(|| {
            self.parser.parse(raw).ok_or(NO_MAIL).and_then(|message| draft(&message, origin))
        }))
        .unwrap_or(Err("this mail is broken in a way this program can't read"))
    }
}

fn draft(message: &Message<'_>, origin: &Origin<'_>) -> Result<Draft, &'static str> {
    // Headers may be empty and still be those of a mail, whose text is worth keeping.
    if message.parts.is_empty() || message.headers().is_empty() {
        return Err(NO_MAIL);
    }
    let mut fields = Fields::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value);
        }
    };
    put("subject", message.subject().map(|text| text.trim().into()));
    put("from", header::addresses(message.from()));
    put("sender", header::addresses(message.sender()));
    put("to", header::addresses(message.to()));
    put("cc", header::addresses(message.cc()));
    put("bcc", header::addresses(message.bcc()));
    put("replyTo", header::addresses(message.reply_to()));

    let sent_ms = header::date_ms(message.date());
    let traced_ms = header::received_ms(message).or(sent_ms);
    let received_ms = match origin.filed {
        Filed::Received(ms) => Some(ms),
        Filed::Perhaps(ms) => traced_ms.or(Some(ms)),
        Filed::Unknown => traced_ms,
    };
    put("sentAt", sent_ms.and(message.date()).map(|date| date.to_rfc3339().into()));
    put("receivedAt", received_ms.map(|ms| crate::stamp::timestamp(ms).into()));
    let message_id = message.message_id().map(header::bare_id).filter(|id| !id.is_empty());
    put("messageId", message_id.map(|id| vec![id].into()));
    let replied = header::ids(message.in_reply_to());
    let references = header::ids(message.references());
    let first = references.first().or(replied.first()).copied().or(message_id);
    let thread = header::text(message, "X-GM-THRID").or(first);
    put("threadId", thread.map(Into::into));
    put("inReplyTo", list(&replied));
    put("references", list(&references));

    let labels = header::decoded(message, "X-Gmail-Labels");
    let labels = labels.as_deref().map(header::gmail_labels);
    let labels = labels
        .or_else(|| origin.mailbox.map(|name| BTreeSet::from([name.to_owned()])))
        .unwrap_or_default();
    let mut keywords = header::keywords(message, &labels);
    keywords.extend(origin.keywords.iter().copied());
    put("mailboxIds", set(labels));
    put("keywords", set(keywords.into_iter().map(str::to_owned)));

    let others = header::others(message);
    if !others.is_empty() {
        let mut extra = Fields::new();
        extra.insert("headers".to_owned(), others.into());
        put("extra", Some(Value::Object(extra)));
    }
    let body = body(message);
    let attachments = attachments(message, &body);
    let source_id = source_id(message, sent_ms, &body, attachments.len());
    put("textBody", Some(body.text.into()));
    put("htmlBody", body.html.map(Into::into));
    Ok(Draft {
        kind: Kind::Email,
        category: Kind::Email.category(),
        source: SOURCE,
        source_id: Some(source_id),
        time_ms: sent_ms.or(received_ms),
        fields,
        attachments,
    })
}

fn list(ids: &[&str]) -> Option<Value> {
    (!ids.is_empty()).then(|| ids.iter().take(IDS_MAX).copied().collect())
}

fn set(words: impl IntoIterator<Item = String>) -> Option<Value> {
    let members: Fields = words.into_iter().map(|word| (word, Value::Bool(true))).collect();
    (!members.is_empty()).then_some(Value::Object(members))
}

/// The Message-ID and a digest of date, sender, subject, words and number of files.
fn source_id(message: &Message<'_>, sent_ms: Option<i64>, body: &Body, files: usize) -> String {
    let mut digest = Sha256::new();
    digest.update(sent_ms.unwrap_or(0).to_be_bytes());
    digest.update((files as u64).to_be_bytes());
    let from = message.from().and_then(|from| from.first()).and_then(|from| from.address());
    // The HTML first: the text may be made of it, and better made of it some day.
    let words = body.html.as_ref().unwrap_or(&body.text);
    let mut dense = Vec::with_capacity(words.len() + 200);
    for text in [from.unwrap_or_default(), message.subject().unwrap_or_default(), words] {
        dense.extend(text.bytes().filter(|byte| !byte.is_ascii_whitespace()));
        dense.push(0);
    }
    digest.update(&dense);
    let mut id = message.message_id().map(header::bare_id).unwrap_or_default().to_owned();
    id.push('#');
    for byte in digest.finalize().iter().take(12) {
        // Writing to a string can't fail.
        let _ = write!(id, "{byte:02x}");
    }
    id
}

fn attachments(message: &Message<'_>, body: &Body) -> Vec<Attachment> {
    let mut found = Vec::new();
    for &id in message.attachments.iter().take(ATTACHMENTS_MAX) {
        let Some(part) = message.part(id) else { continue };
        let bytes = match &part.body {
            PartType::Binary(bytes) | PartType::InlineBinary(bytes) => bytes.to_vec(),
            PartType::Text(_) | PartType::Html(_) => decoded(message, part).as_bytes().to_vec(),
            PartType::Message(nested) => nested.raw_message().to_vec(),
            PartType::Multipart(_) => continue,
        };
        let media_type = match (part.content_type(), &part.body) {
            (_, PartType::Message(_)) => "message/rfc822".to_owned(),
            (Some(content), _) => match content.subtype() {
                Some(subtype) => format!("{}/{subtype}", content.ctype()).to_ascii_lowercase(),
                None => "application/octet-stream".to_owned(),
            },
            (None, PartType::Text(_)) => "text/plain".to_owned(),
            (None, _) => "application/octet-stream".to_owned(),
        };
        let name = match part.attachment_name().map(bare_name).filter(|name| !name.is_empty()) {
            Some(name) => name.to_owned(),
            None => format!("attachment-{}{}", found.len() + 1, ending(&media_type)),
        };
        found.push(Attachment { name, media_type, content: Arc::new(bytes) });
    }
    if let Some(html) = &body.large_html {
        found.push(Attachment {
            name: "message.html".to_owned(),
            media_type: "text/html".to_owned(),
            content: Arc::new(html.clone().into_bytes()),
        });
    }
    found
}

/// A name without the folders some programs put before it.
fn bare_name(name: &str) -> &str {
    let name = file_name(name);
    name.rsplit_once('\\').map_or(name, |(_, name)| name).trim()
}

fn ending(media_type: &str) -> &'static str {
    match media_type {
        "message/rfc822" => ".eml",
        "text/plain" => ".txt",
        "text/html" => ".html",
        "text/calendar" => ".ics",
        "image/png" => ".png",
        "image/jpeg" => ".jpg",
        "image/gif" => ".gif",
        "application/pdf" => ".pdf",
        _ => "",
    }
}
