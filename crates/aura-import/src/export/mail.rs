// SPDX-License-Identifier: MIT OR Apache-2.0
//! Mails to `.eml` files, or to one mbox. Reading them again gives the same mails with the same ids.
//!
//! Written are the properties and the kept headers, not the raw message, which the vault does not
//! hold. Source: RFC 5322, 2045-2049, 4155.

use std::io::{self, Read, Write};

use aura_vault::record::Fields;
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::date::Date;
use mail_builder::headers::message_id::MessageId;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;
use mail_builder::mime::MimePart;
use serde_json::Value;

use super::name::{Names, safe_part};
use super::{Exported, Folder, Outcome};
use crate::formats::iso_ms;
use crate::formats::mail::{OWN_SENDER, recognise_eml};

/// Most bytes of attachments that one mail is written with.
const ATTACHMENT_BYTES_MAX: u64 = 256 << 20;

/// Longest line that may be sent as it is (RFC 5322, 2.1.1), with a CR.
const LINE_BYTES_MAX: usize = 999;

/// Longest title in a file's name, in bytes.
const TITLE_BYTES_MAX: usize = 60;

/// Writes every mail into a file of its own, in folders by year.
///
/// # Errors
/// Never as a whole; what could not be written is in the outcome.
pub fn write(records: &mut dyn Iterator<Item = Exported>, folder: &mut dyn Folder) -> Outcome {
    let mut outcome = Outcome::default();
    let mut names = Names::default();
    for record in records {
        let date = crate::stamp::timestamp(record.time_ms.unwrap_or(0));
        let day = date.get(..10).unwrap_or_default();
        let year = date.get(..4).unwrap_or_default();
        let subject = string(&record.fields, "subject").unwrap_or("no subject");
        let title = subject.get(..subject.floor_char_boundary(TITLE_BYTES_MAX)).unwrap_or_default();
        let path = names.free(&format!("{year}/{}", safe_part(&format!("{day} {title}"))), ".eml");
        let written = eml(&record).and_then(|bytes| {
            let mut out = folder.create(&path)?;
            out.write_all(&bytes)?;
            out.flush()
        });
        count(&mut outcome, &record, written);
    }
    outcome
}

/// Writes all mails into one mbox (mboxrd).
///
/// # Errors
/// Never as a whole; what could not be written is in the outcome.
pub fn write_mbox(records: &mut dyn Iterator<Item = Exported>, out: &mut dyn Write) -> Outcome {
    let mut outcome = Outcome::default();
    for record in records {
        let written = eml(&record).and_then(|bytes| append(&record, &bytes, out));
        count(&mut outcome, &record, written);
    }
    outcome
}

fn count(outcome: &mut Outcome, record: &Exported, written: io::Result<()>) {
    match written {
        Ok(()) => {
            outcome.records = outcome.records.saturating_add(1);
            let files = record.attachments.len() as u64;
            outcome.attachments = outcome.attachments.saturating_add(files);
        }
        Err(error) => {
            outcome.failed.push((record.id.clone(), format!("it could not be written: {error}")));
        }
    }
}

fn append(record: &Exported, mail: &[u8], out: &mut dyn Write) -> io::Result<()> {
    // The line says when the mail was received (RFC 4155), which nothing else in it does.
    let received = string(&record.fields, "receivedAt").and_then(iso_ms);
    let seconds = received.or(record.time_ms).unwrap_or(0).div_euclid(1000);
    // `Thu, 1 Jan 1970 00:00:00 +0000` without its comma and zone, year last.
    let date = Date::new(seconds).to_rfc822().replace(',', "");
    let words: Vec<&str> = date.split_ascii_whitespace().collect();
    if let [week, day, month, year, time, ..] = words.as_slice() {
        writeln!(out, "From {OWN_SENDER} {week} {month} {day:>2} {time} {year}")?;
    }
    for line in mail.split_inclusive(|&byte| byte == b'\n') {
        let marks = line.iter().take_while(|&&byte| byte == b'>').count();
        if line.get(marks..).is_some_and(|rest| rest.starts_with(b"From ")) {
            out.write_all(b">")?;
        }
        out.write_all(line)?;
    }
    out.write_all(b"\r\n")
}

/// One mail as it would be sent.
///
/// # Errors
/// When an attachment can't be read or all of them are larger than a mail can be.
pub fn eml(record: &Exported) -> io::Result<Vec<u8>> {
    let fields = &record.fields;
    let mut mail = MessageBuilder::new();
    for (name, header) in [
        ("from", "From"),
        ("sender", "Sender"),
        ("to", "To"),
        ("cc", "Cc"),
        ("bcc", "Bcc"),
        ("replyTo", "Reply-To"),
    ] {
        if let Some(list) = addresses(fields, name) {
            mail = mail.header(header, list);
        }
    }
    if let Some(subject) = string(fields, "subject") {
        mail = mail.subject(one_line(subject));
    }
    // The builder makes up a date where there is none.
    let date = date(record);
    mail = mail.header("Date", Raw::new(date.clone().unwrap_or_default()));
    // Nor does a mail get an id that it never had: it would be another mail when it is read again.
    let id = ids(fields, "messageId").into_iter().next();
    mail = match &id {
        Some(id) => mail.message_id(id.as_str()),
        None => mail.header("Message-ID", Raw::new("")),
    };
    for (name, header) in [("inReplyTo", "In-Reply-To"), ("references", "References")] {
        let list = ids(fields, name);
        if !list.is_empty() {
            mail = mail.header(header, MessageId::new_list(list.into_iter()));
        }
    }
    mail = labels(mail, fields);
    for (name, value) in kept_headers(fields) {
        mail = mail.header(name, Raw::new(value));
    }
    let mut bytes = body(mail, record)?.write_to_vec()?;
    for (name, is_there) in [("Date", date.is_some()), ("Message-ID", id.is_some())] {
        if !is_there {
            without(&mut bytes, name);
        }
    }
    Ok(bytes)
}

/// The date as the sender wrote it, zone and all; the record's own for a mail that was never sent.
fn date(record: &Exported) -> Option<String> {
    let sent = string(&record.fields, "sentAt");
    let ms = match sent {
        Some(sent) => iso_ms(sent)?,
        None if record.fields.contains_key("receivedAt") => return None,
        None => record.time_ms?,
    };
    let (zone, minutes) = sent.and_then(zone).unwrap_or(("+0000".to_owned(), 0));
    let there = ms.div_euclid(1000).saturating_add(minutes * 60);
    let text = Date::new(there).to_rfc822();
    Some(text.strip_suffix("+0000").map_or(text.clone(), |start| format!("{start}{zone}")))
}

/// `-04:00` at the end of a time as mails write it, and as minutes.
fn zone(time: &str) -> Option<(String, i64)> {
    let zone = time.get(time.len().checked_sub(6)?..)?;
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let away = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
    match zone.get(..1)? {
        "-" => Some((format!("-{hours}{minutes}"), -away)),
        "+" => Some((format!("+{hours}{minutes}"), away)),
        _ => None,
    }
}

/// Takes a header of one line out of a mail.
fn without(mail: &mut Vec<u8>, name: &str) {
    let line = |from: &[u8]| from.iter().position(|&byte| byte == b'\n').map(|end| end + 1);
    let mut at = 0;
    while let Some(rest) = mail.get(at..)
        && let Some(length) = line(rest)
        && length > 2
    {
        let start = rest.get(..name.len()).unwrap_or_default();
        if start.eq_ignore_ascii_case(name.as_bytes()) && rest.get(name.len()) == Some(&b':') {
            mail.drain(at..at + length);
            return;
        }
        at += length;
    }
}

fn body<'x>(mut mail: MessageBuilder<'x>, record: &'x Exported) -> io::Result<MessageBuilder<'x>> {
    let text = string(&record.fields, "textBody").unwrap_or_default();
    let html = string(&record.fields, "htmlBody");
    // Text that was made of the HTML is made of it again.
    if !html.is_some_and(|html| crate::formats::mail::is_text_of(html, text)) {
        mail = mail.text_body(text);
    }
    if let Some(html) = html {
        mail = mail.html_body(html);
    }
    let mut left = ATTACHMENT_BYTES_MAX;
    for attachment in &record.attachments {
        let mut bytes = Vec::new();
        attachment.content.open()?.take(left + 1).read_to_end(&mut bytes)?;
        left = left.checked_sub(bytes.len() as u64).ok_or_else(|| {
            io::Error::new(io::ErrorKind::FileTooLarge, "its files are larger than a mail can be")
        })?;
        let media_type = attachment.media_type.as_str();
        mail = if media_type == "message/rfc822" && recognise_eml(&bytes, "") {
            nested(mail, &attachment.name, bytes)
        } else if media_type.starts_with("multipart/") || media_type.starts_with("message/") {
            // Those may not be written as base64 (RFC 2045, 6.4), and nothing else is safe for any bytes.
            mail.attachment("application/octet-stream", attachment.name.as_str(), bytes)
        } else {
            mail.attachment(media_type, attachment.name.as_str(), bytes)
        };
    }
    Ok(mail)
}

/// A mail inside a mail stands as it is, and never as base64 (RFC 2046, 5.2.1).
fn nested<'x>(mail: MessageBuilder<'x>, name: &'x str, bytes: Vec<u8>) -> MessageBuilder<'x> {
    let mut mail = mail;
    let is_long = bytes.split(|&byte| byte == b'\n').any(|line| line.len() > LINE_BYTES_MAX);
    let encoding = match () {
        () if is_long || bytes.contains(&0) => "binary",
        () if bytes.is_ascii() => "7bit",
        () => "8bit",
    };
    let part = MimePart::new("message/rfc822", bytes).attachment(name).transfer_encoding(encoding);
    mail.attachments.get_or_insert_default().push(part);
    mail
}

fn labels<'x>(mail: MessageBuilder<'x>, fields: &'x Fields) -> MessageBuilder<'x> {
    let mut mail = mail;
    if let Some(Value::Object(labels)) = fields.get("mailboxIds") {
        let quoted: Vec<String> = labels
            .keys()
            .map(|label| label.replace('"', "'"))
            .map(|label| if label.contains(',') { format!("\"{label}\"") } else { label })
            .collect();
        mail = mail.header("X-Gmail-Labels", Text::new(quoted.join(",")));
    }
    if let Some(thread) = string(fields, "threadId") {
        mail = mail.header("X-GM-THRID", Raw::new(one_line(thread)));
    }
    let Some(Value::Object(keywords)) = fields.get("keywords") else { return mail };
    for (header, letters) in [
        ("Status", &[("$seen", 'R')][..]),
        ("X-Status", &[("$answered", 'A'), ("$flagged", 'F'), ("$draft", 'T')][..]),
    ] {
        let set: String = letters
            .iter()
            .filter(|(word, _)| keywords.contains_key(*word))
            .map(|(_, l)| l)
            .collect();
        if !set.is_empty() {
            mail = mail.header(header, Raw::new(set));
        }
    }
    if keywords.contains_key("$forwarded") {
        mail = mail.header("X-Mozilla-Status", Raw::new("1000"));
    }
    mail
}

/// Headers kept at import, those only that can stand in a mail as they are.
fn kept_headers(fields: &Fields) -> Vec<(&str, String)> {
    let headers = fields.get("extra").and_then(|extra| extra.get("headers"));
    let Some(Value::Array(headers)) = headers else { return Vec::new() };
    headers
        .iter()
        .filter_map(|header| {
            let name = header.get("name")?.as_str()?;
            let value = header.get("value")?.as_str()?;
            let is_name = !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
            is_name.then(|| (name, one_line(value)))
        })
        .collect()
}

/// A value that can't begin a header of its own.
fn one_line(value: &str) -> String {
    value.replace(|letter: char| letter.is_control(), " ")
}

fn addresses<'x>(fields: &'x Fields, name: &str) -> Option<Address<'x>> {
    let Some(Value::Array(list)) = fields.get(name) else { return None };
    let list: Vec<Address<'x>> = list
        .iter()
        .filter_map(|one| {
            let email = one.get("email").and_then(Value::as_str).unwrap_or_default();
            let name = one.get("name").and_then(Value::as_str).map(one_line);
            (!email.is_empty() || name.is_some())
                .then(|| Address::new_address(name, one_line(email)))
        })
        .collect();
    (!list.is_empty()).then(|| Address::new_list(list))
}

fn string<'x>(fields: &'x Fields, name: &str) -> Option<&'x str> {
    fields.get(name).and_then(Value::as_str)
}

/// Ids, each without anything that could end its header or the id itself.
fn ids(fields: &Fields, name: &str) -> Vec<String> {
    let Some(Value::Array(values)) = fields.get(name) else { return Vec::new() };
    let bare = |id: &str| -> String {
        let is_kept = |letter: &char| {
            !letter.is_control() && !letter.is_whitespace() && !matches!(letter, '<' | '>')
        };
        id.chars().filter(is_kept).collect()
    };
    values.iter().filter_map(Value::as_str).map(bare).filter(|id| !id.is_empty()).collect()
}
