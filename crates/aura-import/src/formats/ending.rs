// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a file's name tells: its media type, for files that come without one. Source: IANA.

/// Media types by ending.
const TYPES: &[(&str, &str)] = &[
    ("3gp", "video/3gpp"),
    ("avif", "image/avif"),
    ("bmp", "image/bmp"),
    ("css", "text/css"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("eml", "message/rfc822"),
    ("epub", "application/epub+zip"),
    ("flac", "audio/flac"),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("heic", "image/heic"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("ics", "text/calendar"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("json", "application/json"),
    ("log", "text/plain"),
    ("m4a", "audio/mp4"),
    ("m4v", "video/mp4"),
    ("md", "text/markdown"),
    ("mkv", "video/x-matroska"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("ogg", "audio/ogg"),
    ("opus", "audio/ogg"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("ppt", "application/vnd.ms-powerpoint"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("svg", "image/svg+xml"),
    ("text", "text/plain"),
    ("tgz", "application/gzip"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("txt", "text/plain"),
    ("vcf", "text/vcard"),
    ("wav", "audio/wav"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("xml", "application/xml"),
    ("zip", "application/zip"),
];

/// How an export of this program calls the folder of what is attached: `note.attachments` beside
/// `note.md`, `file.attachments` beside `file.jsonl`.
pub(crate) const ATTACHED: &str = ".attachments";

/// The media type that a name's ending stands for.
pub(crate) fn media_type(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let lower = ending.get(..ending.len().min(8)).unwrap_or_default().to_ascii_lowercase();
    TYPES
        .binary_search_by(|(known, _)| (*known).cmp(&lower))
        .ok()
        .and_then(|at| TYPES.get(at))
        .map_or("application/octet-stream", |(_, media_type)| media_type)
}

/// Whether a file of this name is an image, a recording or a document: nothing that holds records.
pub(crate) fn is_opaque(name: &str) -> bool {
    let media_type = media_type(name);
    ["image/", "audio/", "video/", "application/vnd", "application/pdf", "application/epub"]
        .iter()
        .any(|start| media_type.starts_with(start))
}

/// The last part of a path.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_in_any_case() {
        assert!(TYPES.is_sorted());
        assert_eq!(media_type("a/b.PNG"), "image/png");
        for unknown in ["jpeg", "x.verylongending", "x.é", "x."] {
            assert_eq!(media_type(unknown), "application/octet-stream");
        }
        assert!(is_opaque("IMG.JPG") && !is_opaque("x.json"));
        assert_eq!(file_name("a/b/c"), "c");
    }
}
