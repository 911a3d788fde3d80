// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files that stand inside a field as a `data:` URI, to attachments and back.
//!
//! A field holds words; bytes belong to the attachment, and the field names it as
//! `attachment:NAME`. Source: RFC 2397.

use std::io::Read;
use std::sync::Arc;

use aura_vault::record::Fields;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_parser::decoders::base64::base64_decode;
use serde_json::Value;

use super::component::property;
use crate::draft::Attachment;

/// Largest file that is written into a field.
const EMBEDDED_BYTES_MAX: u64 = 11 << 20;

/// What a field says instead of the bytes.
const REFERENCE: &str = "attachment:";

/// Takes the bytes out of `uri` if it is a `data:` URI, and leaves a reference in their place.
pub(crate) fn take(uri: &mut String, stem: &str) -> Option<Attachment> {
    let rest = uri.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("data:"));
    let (head, data) = rest.and_then(|_| uri.get(5..))?.split_once(',')?;
    // Some writers escape the comma as if it were text.
    let mut words = head.trim_end_matches('\\').split(';');
    let media_type = words.next().unwrap_or_default().trim().to_ascii_lowercase();
    let media_type =
        if media_type.contains('/') { media_type } else { "application/octet-stream".to_owned() };
    let bytes = if words.any(|word| word.eq_ignore_ascii_case("base64")) {
        base64_decode(data.as_bytes())?
    } else {
        percent_decode(data)
    };
    let name = match extension(&media_type) {
        Some(extension) if !stem.contains('.') => format!("{stem}.{extension}"),
        _ => stem.to_owned(),
    };
    *uri = format!("{REFERENCE}{name}");
    Some(Attachment { name, media_type, content: Arc::new(bytes) })
}

/// Properties of calendars and cards that may hold bytes, and what such a file is called.
const HOLDERS: [(&str, &str, &str); 6] = [
    ("ATTACH", "attachment", "application"),
    ("IMAGE", "image", "image"),
    ("PHOTO", "photo", "image"),
    ("LOGO", "logo", "image"),
    ("SOUND", "sound", "audio"),
    ("KEY", "key", "application"),
];

/// Takes the bytes out of the property lines of a calendar or card, before they are parsed.
pub(crate) fn lift(lines: &mut [String]) -> Vec<Attachment> {
    let mut attachments: Vec<Attachment> = Vec::new();
    for line in lines {
        let Some((name, value)) = property(line) else { continue };
        let Some((_, word, family)) = HOLDERS.iter().find(|(holder, ..)| *holder == name) else {
            continue;
        };
        let head = line.get(..line.len() - value.len() - 1).unwrap_or_default();
        let params: Vec<&str> = head.split(';').collect();
        let param = |wanted: &str| {
            params.iter().filter_map(|param| param.split_once('=')).find_map(|(name, value)| {
                name.eq_ignore_ascii_case(wanted).then(|| value.trim_matches('"'))
            })
        };
        let is_base64 = params.iter().skip(1).any(|param| {
            let param = param.to_ascii_uppercase();
            matches!(param.as_str(), "ENCODING=B" | "ENCODING=BASE64" | "BASE64")
        });
        let mut uri = value.trim().to_owned();
        if is_base64 && !uri.is_empty() {
            let declared = param("FMTTYPE").or(param("MEDIATYPE")).map(str::to_owned);
            let told = param("TYPE").filter(|word| word.len() < 20).map(|word| {
                let word = word.to_ascii_lowercase();
                if word.contains('/') { word } else { format!("{family}/{word}") }
            });
            let media_type = declared.or(told).unwrap_or_default();
            uri.retain(|c| !c.is_ascii_whitespace());
            uri = format!("data:{media_type};base64,{uri}");
        }
        let stem = param("FILENAME").or(param("X-FILENAME")).map(file_name);
        let stem = stem.filter(|stem| !stem.is_empty()).unwrap_or_else(|| {
            match attachments.iter().filter(|a| a.name.starts_with(*word)).count() {
                0 => (*word).to_owned(),
                earlier => format!("{word}-{}", earlier + 1),
            }
        });
        let Some(attachment) = take(&mut uri, &stem) else { continue };
        let kept = params.iter().filter(|param| {
            let param = param.to_ascii_uppercase();
            !param.starts_with("ENCODING=") && !param.starts_with("VALUE=") && param != "BASE64"
        });
        let kept: Vec<&str> = kept.copied().collect();
        let typed = if name == "ATTACH" { "FMTTYPE" } else { "MEDIATYPE" };
        let media = match param(typed) {
            Some(_) => String::new(),
            None => format!(";{typed}={}", attachment.media_type),
        };
        let rewritten = format!("{}{media};VALUE=URI:{uri}", kept.join(";"));
        attachments.push(attachment);
        *line = rewritten;
    }
    attachments
}

/// A title without what a file name may not hold.
pub(crate) fn file_name(title: &str) -> String {
    title.rsplit(['/', '\\']).next().unwrap_or_default().replace(char::is_control, "")
}

/// What became of the files of a record that were written into it.
#[derive(Default)]
pub(crate) struct Embedded {
    pub(crate) written: u64,
    /// Reasons, for the person.
    pub(crate) failed: Vec<String>,
}

/// Puts the bytes of attachments back into the field that refers to them: `fields.MEMBER.*.KEY`.
pub(crate) fn embed(
    fields: &mut Fields,
    member: &str,
    key: &str,
    attachments: &[Attachment],
) -> Embedded {
    let mut embedded = Embedded::default();
    let entries = fields.get_mut(member).and_then(Value::as_object_mut);
    for (_, entry) in entries.into_iter().flatten() {
        let Some(Value::String(uri)) = entry.get_mut(key) else { continue };
        let Some(name) = referred(uri) else { continue };
        let Some(attachment) = attachments.iter().find(|a| a.name == name) else {
            embedded.failed.push("one of its files is missing".to_owned());
            continue;
        };
        match content(attachment) {
            Ok(bytes) => {
                *uri = write(&attachment.media_type, &bytes);
                embedded.written += 1;
            }
            Err(reason) => embedded.failed.push(reason),
        }
    }
    embedded
}

fn content(attachment: &Attachment) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = attachment.content.open().and_then(|input| {
        input.take(EMBEDDED_BYTES_MAX + 1).read_to_end(&mut bytes).map(|read| read as u64)
    });
    match read {
        Ok(read) if read > EMBEDDED_BYTES_MAX => {
            Err("one of its files is too large to be written into it (11 MiB)".to_owned())
        }
        Ok(_) => Ok(bytes),
        Err(error) => Err(format!("one of its files could not be read: {}", error.kind())),
    }
}

/// The name of the attachment that a field refers to.
pub(crate) fn referred(uri: &str) -> Option<&str> {
    uri.strip_prefix(REFERENCE)
}

/// The `data:` URI of these bytes.
pub(crate) fn write(media_type: &str, bytes: &[u8]) -> String {
    format!("data:{media_type};base64,{}", STANDARD.encode(bytes))
}

fn extension(media_type: &str) -> Option<&'static str> {
    Some(match media_type {
        "image/jpeg" | "image/jpg" => "jpg",
        "image/png" => "png",
        "image/gif" => "gif",
        "image/webp" => "webp",
        "image/heic" => "heic",
        "audio/basic" => "au",
        "audio/mpeg" => "mp3",
        "audio/ogg" => "ogg",
        "application/pdf" => "pdf",
        "text/plain" => "txt",
        "text/html" => "html",
        _ => return None,
    })
}

fn percent_decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = (first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|digits| core::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(attachment: &Attachment) -> Vec<u8> {
        let mut bytes = Vec::new();
        attachment.content.open().unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn bytes_are_lifted_out_of_lines() {
        let mut lines = [
            "ATTACH;ENCODING=BASE64;VALUE=BINARY;X-FILENAME=\"a/b.txt\":aGk=".to_owned(),
            "item1.PHOTO;TYPE=JPEG;BASE64:AQ ID".to_owned(),
            "PHOTO:data:image/png;base64,AQID".to_owned(),
            "PHOTO:https://example.org/a.png".to_owned(),
            "NOTE;ENCODING=BASE64:aGk=".to_owned(),
        ];
        let lifted = lift(&mut lines);
        let told: Vec<_> =
            lifted.iter().map(|a| (a.name.as_str(), a.media_type.as_str())).collect();
        assert_eq!(
            told,
            [
                ("b.txt", "application/octet-stream"),
                ("photo.jpg", "image/jpeg"),
                ("photo-2.png", "image/png")
            ]
        );
        assert_eq!(bytes(&lifted[0]), b"hi");
        assert_eq!(bytes(&lifted[1]), [1, 2, 3]);
        assert_eq!(
            lines[1],
            "item1.PHOTO;TYPE=JPEG;MEDIATYPE=image/jpeg;VALUE=URI:attachment:photo.jpg"
        );
        assert_eq!(lines[3], "PHOTO:https://example.org/a.png");
    }

    #[test]
    fn out_and_in_again() {
        let mut uri = "data:image/png;base64,AQID".to_owned();
        let attachment = take(&mut uri, "photo").unwrap();
        assert_eq!(uri, "attachment:photo.png");
        assert_eq!(referred(&uri), Some("photo.png"));
        assert_eq!(bytes(&attachment), [1, 2, 3]);
        assert_eq!(write("image/png", &[1, 2, 3]), "data:image/png;base64,AQID");

        let mut text = "DATA:,a%20b%zz".to_owned();
        assert_eq!(bytes(&take(&mut text, "x.txt").unwrap()), b"a b%zz");
        for other in ["https://example.org/a.png", "data:none", "", "dat"] {
            assert!(take(&mut other.to_owned(), "x").is_none());
        }
    }
}
