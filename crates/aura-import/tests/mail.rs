// SPDX-License-Identifier: MIT OR Apache-2.0
//! Mail in all its containers, well-formed and not, and that an export gives the same mails again.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod found;

use aura_import::draft::Draft;
use aura_import::export::{DiskFolder, Exported, mail};
use found::{Found, bytes};
use proptest::prelude::*;
use serde_json::{Value, json};

const PLAIN: &str = "From: =?utf-8?q?J=C3=B6rg?= <joerg@example.org>\r\nTo: a@example.org, \
    \"B, C\" <bc@example.org>\r\nSubject: =?iso-8859-1?q?Caf=E9?=\r\nDate: Wed, 1 May 2024 \
    12:00:00 +0200\r\nMessage-ID: <one@example.org>\r\nReferences: <root@example.org> \
    <mid@example.org>\r\nIn-Reply-To: <mid@example.org>\r\nList-Id: <list.example.org>\r\n\
    X-GM-THRID: 1234\r\nX-Gmail-Labels: Inbox,Opened,=?UTF-8?Q?M=C3=BCll?=\r\n\
    Content-Type: text/plain; charset=iso-8859-15\r\nContent-Transfer-Encoding: quoted-printable\
    \r\n\r\n5 =A4 please\r\nFrom here on.\r\n";

const PARTS: &str = "From: a@example.org\nTo: b@example.org\nSubject: Parts\n\
    Date: Thu, 2 May 2024 12:00:00 +0000\nMessage-ID: <two@example.org>\nMIME-Version: 1.0\n\
    Content-Type: multipart/mixed; boundary=X\n\n--X\nContent-Type: multipart/alternative; \
    boundary=Y\n\n--Y\nContent-Type: text/plain\n\nwords\n--Y\nContent-Type: text/html\n\n\
    <p>words</p>\n--Y--\n--X\nContent-Type: image/png; name=\"..\\\\x/pic.png\"\n\
    Content-Disposition: attachment; filename=\"dir/pic.png\"\nContent-Transfer-Encoding: \
    base64\n\nAAEC\n--X\nContent-Type: message/rfc822\n\nSubject: Inner\nFrom: c@example.org\n\n\
    inside\n--X--\n";

const HTML: &str = "From: a@example.org\nSubject: Html\nDate: Fri, 3 May 2024 12:00:00 +0000\n\
    Message-ID: <three@example.org>\nContent-Type: text/html; charset=utf-8\n\n\
    <html><head><style>p {}</style></head><body><p>Dear &amp; near</p></body></html>\n";

#[test]
fn a_mail_becomes_a_jmap_email() {
    let found = Found::in_memory(&[("any name", PLAIN.as_bytes())]);
    let draft = found.draft("one@example.org#");
    assert_eq!(draft.source, "mail");
    assert_eq!(draft.time_ms, Some(1_714_557_600_000));
    let mut fields = draft.fields.clone();
    assert_eq!(fields.remove("textBody"), Some(json!("5 \u{20ac} please\nFrom here on.")));
    assert_eq!(
        Value::Object(fields),
        json!({
            "subject": "Café",
            "from": [{"name": "Jörg", "email": "joerg@example.org"}],
            "to": [{"email": "a@example.org"}, {"name": "B, C", "email": "bc@example.org"}],
            "sentAt": "2024-05-01T12:00:00+02:00",
            "receivedAt": "2024-05-01T10:00:00Z",
            "messageId": ["one@example.org"],
            "inReplyTo": ["mid@example.org"],
            "references": ["root@example.org", "mid@example.org"],
            "threadId": "1234",
            "mailboxIds": {"Inbox": true, "Opened": true, "Müll": true},
            "keywords": {"$seen": true},
            "extra": {"headers": [{"name": "List-ID", "value": "<list.example.org>"}]},
        })
    );
}

#[test]
fn parts_and_html() {
    let found = Found::in_memory(&[("2", PARTS.as_bytes()), ("3", HTML.as_bytes())]);
    let parts = found.draft("two@example.org#");
    assert_eq!(parts.fields["textBody"], "words");
    assert_eq!(parts.fields["htmlBody"], "<p>words</p>");
    assert_eq!(bytes(parts, "pic.png"), [0, 1, 2]);
    assert_eq!(parts.attachments[0].media_type, "image/png");
    let inner = String::from_utf8(bytes(parts, "attachment-2.eml")).unwrap();
    assert!(inner.starts_with("Subject: Inner") && inner.trim_end().ends_with("inside"), "{inner}");
    let html = found.draft("three@example.org#");
    assert_eq!(html.fields["textBody"], "Dear & near");
    assert!(html.fields["htmlBody"].as_str().unwrap().contains("&amp;"));
}

fn mbox() -> Vec<u8> {
    let mut mbox = Vec::new();
    for mail in [PLAIN, PARTS, HTML] {
        mbox.extend(b"From x@example.org Thu Jan  1 00:00:00 1970\r\n");
        mbox.extend(mail.replace("\nFrom here", "\n>From here").bytes());
        mbox.extend(b"\r\n");
    }
    mbox
}

#[test]
fn every_container_gives_the_same_ids() {
    let found = Found::in_memory(&[("Mail/Work.mbox", &mbox())]);
    assert_eq!((found.drafts.len(), found.failed.len()), (3, 0));
    assert_eq!(found.progress, mbox().len() as u64);
    assert_eq!(found.draft("two").fields["mailboxIds"], json!({"Work": true}));
    let unix = PLAIN.replace("\r\n", "\n");
    let apple = format!("{}\n{HTML}<?xml version=\"1.0\"?><plist></plist>", HTML.len());
    let others = Found::in_memory(&[
        ("mail/.Sent/cur/1.x.host:2,FS", unix.as_bytes()),
        ("b.eml", PARTS.as_bytes()),
        ("c.emlx", apple.as_bytes()),
    ]);
    let ids = |found: &Found| {
        let mut ids: Vec<_> = found.drafts.iter().map(|draft| draft.source_id.clone()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&found), ids(&others));
    let flagged = others.draft("one");
    assert_eq!(flagged.fields["keywords"], json!({"$flagged": true, "$seen": true}));
    assert_eq!(others.draft("three").fields["textBody"], "Dear & near");
}

#[test]
fn one_message_id_may_name_several_mails() {
    let other = PLAIN.replace("please", "thanks");
    let again = PLAIN.replace("X-GM-THRID: 1234\r\n", "X-Spam: no\r\n");
    let found = Found::in_memory(&[
        ("1", PLAIN.as_bytes()),
        ("2", other.as_bytes()),
        ("3", again.as_bytes()),
    ]);
    let id = |at: usize| found.drafts[at].source_id.as_deref().unwrap();
    assert!(id(0) != id(1) && id(0) == id(2), "{} {} {}", id(0), id(1), id(2));
}

#[test]
fn a_mail_that_cannot_be_read_does_not_stop_the_rest() {
    let mut bad = mbox();
    bad.splice(0..0, *b"From - Mon Jan  5 10:00:00 2015\nno header at all\n\n");
    let found = Found::in_memory(&[("x", &bad)]);
    assert_eq!(found.drafts.len(), 3);
    assert_eq!(found.failed.len(), 1);
    assert_eq!(found.failed[0].0, "x, mail 1");
}

#[test]
fn a_mail_larger_than_the_limit_is_passed_over() {
    let mut large = b"From - Mon Jan  5 10:00:00 2015\nSubject: large\nFrom: a\n\n".to_vec();
    large.resize(large.len() + (97 << 20), b'x');
    large.push(b'\n');
    large.extend(mbox());
    let found = Found::in_memory(&[("x", &large)]);
    assert_eq!(found.failed.len(), 1);
    assert!(found.failed[0].1.contains("larger"));
    assert_eq!(found.drafts.len(), 3);
}

fn exported(draft: &Draft) -> Exported {
    Exported {
        id: "id".to_owned(),
        kind: draft.kind,
        category: draft.category,
        fields: draft.fields.clone(),
        attachments: draft.attachments.clone(),
        source: Some(draft.source.to_owned()),
        source_id: draft.source_id.clone(),
        time_ms: draft.time_ms,
    }
}

#[test]
fn an_export_reads_back_as_the_same_mails() {
    let found = Found::in_memory(&[("Work.mbox", &mbox())]);
    let home = tempfile::tempdir().unwrap();
    let mut folder = DiskFolder::new(home.path()).unwrap();
    let outcome = mail::write(&mut found.drafts.iter().map(exported), &mut folder);
    assert_eq!((outcome.records, outcome.failed.len()), (3, 0));
    let mut one_file = Vec::new();
    mail::write_mbox(&mut found.drafts.iter().map(exported), &mut one_file);
    for again in [Found::at(home.path()), Found::in_memory(&[("Other.mbox", &one_file)])] {
        assert_eq!((again.drafts.len(), again.failed.len()), (3, 0));
        for draft in &found.drafts {
            let back = again.draft(draft.source_id.as_deref().unwrap());
            assert_eq!(found::shape(draft), found::shape(back));
        }
    }
}

/// What is in the vault already must not look changed when an own export is read again.
#[test]
fn an_own_mbox_keeps_when_a_mail_came_and_where_it_lay() {
    let traced = format!(
        "Received: from a by b; Wed, 1 May 2024 23:30:00 -0430\r\nReceived: by a; Wed, 1 May 2024 \
         12:00:05 +0200\r\n{PLAIN}"
    );
    let undated = "From: a@example.org\nSubject: neither date nor trace\n\nshort\n";
    let found = Found::in_memory(&[
        ("cur/traced.eml", traced.as_bytes()),
        ("html.eml", HTML.as_bytes()),
        ("undated.eml", undated.as_bytes()),
    ]);
    assert_eq!(found.draft("one").fields["receivedAt"], "2024-05-01T10:00:05Z");
    let mut out = Vec::new();
    mail::write_mbox(&mut found.drafts.iter().map(exported), &mut out);
    let text = String::from_utf8_lossy(&out).into_owned();
    assert!(text.contains("From aura Wed May  1 10:00:05 2024\n"), "{text}");
    assert_eq!(Found::in_memory(&[("mail.mbox", &out)]).shape(), found.shape(), "{text}");
}

#[test]
fn of_a_foreign_mbox_the_separator_counts_only_where_nothing_else_does() {
    let undated = "From: b@example.org\nSubject: undated\n\nshort\n\n";
    let separator = "From x Fri Feb 27 10:00:00 2015";
    let text = format!("{separator}\n{HTML}\n{separator}\n{undated}");
    let found = Found::in_memory(&[("Work.mbox", text.as_bytes())]);
    assert_eq!(found.draft("three").fields["receivedAt"], "2024-05-03T12:00:00Z");
    assert_eq!(found.draft("#").fields["receivedAt"], "2015-02-27T10:00:00Z");
    assert_eq!(found.draft("#").time_ms, Some(1_425_031_200_000));
}

#[test]
fn an_export_makes_up_neither_date_nor_id() {
    let text = b"From: a@example.org\nSubject: s\n\nDate: in the text\n";
    let draft = Found::in_memory(&[("x.eml", text)]).drafts.remove(0);
    let eml = String::from_utf8(mail::eml(&exported(&draft)).unwrap()).unwrap();
    let (headers, body) = eml.split_once("\r\n\r\n").unwrap();
    assert!(!headers.contains("Date:") && !headers.contains("Message-ID:"), "{eml}");
    assert!(body.contains("Date: in the text"), "{eml}");
    let back = Found::in_memory(&[("x.eml", eml.as_bytes())]).drafts.remove(0);
    assert_eq!(found::shape(&draft), found::shape(&back));
    let dated = [b"Date: Tue, 3 Mar 2026 23:30:00 -0430\n", &text[..]].concat();
    let draft = Found::in_memory(&[("x.eml", &dated)]).drafts.remove(0);
    let eml = String::from_utf8(mail::eml(&exported(&draft)).unwrap()).unwrap();
    assert!(eml.contains("Tue, 3 Mar 2026 23:30:00 -0430\r\n"), "{eml}");
}

#[test]
fn an_export_cannot_be_made_to_write_headers() {
    let mut draft = Found::in_memory(&[("x", PLAIN.as_bytes())]).drafts.remove(0);
    draft.fields.insert("threadId".into(), "1\r\nBcc: evil@example.org".into());
    draft.fields.insert("subject".into(), "x\r\nBcc: evil@example.org".into());
    draft.fields.insert("messageId".into(), json!(["a>\r\nBcc: evil@example.org\r\n"]));
    draft.fields.insert("mailboxIds".into(), json!({"a\r\nBcc: evil@example.org": true}));
    draft.fields.insert(
        "extra".into(),
        json!({"headers": [{"name": "X\r\nBcc", "value": "x"}, {"name": "Y", "value": "\r\nBcc: z"}]}),
    );
    let eml = mail::eml(&exported(&draft)).unwrap();
    let found = Found::in_memory(&[("x", &eml)]);
    assert!(!found.drafts[0].fields.contains_key("bcc"), "{}", String::from_utf8_lossy(&eml));
}

proptest! {
    /// Attack IMP-04.
    #[test]
    fn any_bytes_after_headers_are_a_mail(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        for kind in ["text/html", "multipart/mixed; boundary=a", "message/rfc822", "text/plain"] {
            let mut raw =
                format!("From: a@example.org\nSubject: x\nContent-Type: {kind}\n\n").into_bytes();
            raw.extend(&body);
            let found = Found::in_memory(&[("x.eml", &raw)]);
            prop_assert_eq!(found.drafts.len() + found.failed.len(), 1);
        }
    }

    #[test]
    fn any_headers_are_read(lines in "[a-zA-Z:;<>@ =?\"()\\[\\],\r\n\t0-9é-]{0,300}") {
        let raw = format!("From: a@example.org\nTo: b\nDate: {lines}\n\nx");
        Found::in_memory(&[("x.eml", raw.as_bytes())]);
    }

    #[test]
    fn any_mbox_is_read_to_its_end(parts in proptest::collection::vec(
        prop_oneof![
            Just("From - Mon Jan  5 10:00:00 2015\n".to_owned()),
            Just("Subject: x\n".to_owned()),
            Just("\n".to_owned()),
            Just(">From x\n".to_owned()),
            "[ -~]{0,30}",
        ], 0..30)) {
        let text = format!("From - Mon Jan  5 10:00:00 2015\n{}", parts.concat());
        Found::in_memory(&[("x", text.as_bytes())]);
    }
}
