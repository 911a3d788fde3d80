// SPDX-License-Identifier: MIT OR Apache-2.0
//! What cards of all versions must become, and what they must never do.

use std::fs;

use aura_vault::record::Kind;
use proptest::prelude::*;

use super::super::collect::{Collect, bytes, data_files};
use super::*;

fn seen(text: &[u8]) -> Collect {
    let mut sink = Collect::default();
    read("p.vcf", &mut &text[..], &mut sink).unwrap();
    sink
}

fn card(lines: &str) -> Collect {
    seen(format!("BEGIN:VCARD\r\n{lines}END:VCARD\r\n").as_bytes())
}

#[test]
fn version_2_1_with_quoted_printable() {
    let sink = card(
        "VERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=BCr=\r\ngen;;;\r\n\
         TEL;CELL;PREF:+41 79 1\r\nNOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:one=0D=0A=\r\n two\r\n",
    );
    assert!(sink.failed.is_empty(), "{:?}", sink.failed);
    let draft = &sink.drafts[0];
    assert_eq!(draft.kind, Kind::Contact);
    assert_eq!(draft.source_id, None);
    assert_eq!(draft.fields["name"]["full"], "J\u{fc}rgen M\u{fc}ller");
    let text = serde_json::to_string(&draft.fields).unwrap();
    assert!(text.contains("+41 79 1") && text.contains("one\\r\\n two"), "{text}");
}

#[test]
fn version_3_with_apple_labels_photo_and_categories() {
    let sink = card(
        "VERSION:3.0\r\nUID:abc\r\nFN:Ann Lee\r\nN:Lee;Ann;;;\r\nitem1.EMAIL;type=INTERNET:a@example.org\r\n\
         item1.X-ABLabel:_$!<Work>!$_\r\nCATEGORIES:myContacts,Ski\r\nREV:2026-01-31T10:00:00Z\r\n\
         PHOTO;ENCODING=b;TYPE=JPEG:AQ\r\n ID\r\nX-TWITTER:ann\r\n",
    );
    let draft = &sink.drafts[0];
    let fields = &draft.fields;
    assert_eq!(draft.source_id.as_deref(), Some("abc"));
    assert_eq!(draft.time_ms, Some(1_769_853_600_000), "{fields:?}");
    assert_eq!(fields["keywords"], serde_json::json!({"myContacts": true, "Ski": true}));
    assert_eq!(fields["emails"].as_object().unwrap().values().next().unwrap()["label"], "Work");
    assert_eq!(bytes(&draft.attachments[0]), [1, 2, 3]);
    assert_eq!(draft.attachments[0].media_type, "image/jpeg");
    let text = serde_json::to_string(fields).unwrap();
    assert!(text.contains("attachment:photo.jpg") && text.contains("x-twitter"), "{text}");
}

#[test]
fn version_4_with_a_group_and_apples_older_form_of_it() {
    let new = card(
        "VERSION:4.0\r\nUID:g\r\nFN:Choir\r\nKIND:group\r\nMEMBER:urn:uuid:1\r\nMEMBER:urn:uuid:2\r\n",
    );
    let old = card(
        "VERSION:3.0\r\nUID:g\r\nFN:Choir\r\nX-ADDRESSBOOKSERVER-KIND:group\r\n\
         X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:1\r\nX-ADDRESSBOOKSERVER-MEMBER:urn:uuid:2\r\n",
    );
    for sink in [new, old] {
        let fields = &sink.drafts[0].fields;
        assert_eq!(fields["kind"], "group");
        assert_eq!(fields["members"], serde_json::json!({"urn:uuid:1": true, "urn:uuid:2": true}));
    }
}

#[test]
fn a_bad_card_costs_only_itself() {
    let sink = seen(
        b"BEGIN:VCARD\nVERSION:3.0\nFN:One\nEND:VCARD\nBEGIN:VCARD\nVERSION:3.0\nEND:VCARD\n\
          BEGIN:VCARD\nFN:Two\nBEGIN:VCARD\nVERSION:3.0\nFN:Three\nnothing at all\nEND:VCARD\n",
    );
    let names: Vec<_> =
        sink.drafts.iter().map(|d| d.fields["name"]["full"].as_str().unwrap()).collect();
    assert_eq!(names, ["One", "Three"]);
    assert_eq!(sink.drafts[1].fields["extra"]["strayLines"][0], "nothing at all");
    let places: Vec<_> = sink.failed.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(places, ["p.vcf, line 5", "p.vcf, line 8"]);
    assert_eq!(seen(b"").failed.len(), 1);
    assert!(
        recognise(b"\xEF\xBB\xBFBegin:vCard\n", "x") && !recognise(b"BEGIN:VCALENDAR", "x.vcf")
    );
}

#[test]
fn a_card_without_a_name_is_called_by_what_it_has() {
    let sink = card("VERSION:3.0\r\nTEL:+41 44\r\n");
    assert_eq!(sink.drafts[0].fields["name"]["full"], "+41 44");
    let firm = card("VERSION:3.0\r\nFN:\r\nORG:Acme;Works\r\nTEL:1\r\n");
    assert_eq!(firm.drafts[0].fields["name"]["full"], "Acme");
    // What names nobody may still be all that there is of somebody.
    for line in ["BDAY:1970-07-14", "X-JABBER:a@example.org", "PHOTO;ENCODING=b:AAAA"] {
        assert_eq!(card(&format!("VERSION:3.0\r\n{line}\r\n")).drafts.len(), 1, "{line}");
    }
    for line in ["TEL:", "REV:20200918T160601Z", "UID:1", "N:;;;;", "PRODID:x"] {
        assert_eq!(card(&format!("VERSION:3.0\r\n{line}\r\n")).failed.len(), 1, "{line}");
    }
}

#[test]
fn real_cards_are_accounted_for_and_read_alike_twice() {
    let Some(files) = data_files("packages/contacts", "vcf") else { return };
    let (mut cards, mut drafts, mut failed) = (0, 0, 0);
    for path in files {
        let text = fs::read(&path).unwrap();
        let (one, two) = (seen(&text), seen(&text));
        assert_eq!(one.essence(), two.essence(), "{}", path.display());
        for (place, reason) in &one.failed {
            println!("{} {place}: {reason}", path.file_name().unwrap().to_string_lossy());
        }
        drafts += one.drafts.len();
        failed += one.failed.len();
        cards += one.count();
    }
    println!("read {cards} = {drafts} drafts + 0 skipped + {failed} failed");
    assert!(drafts > 140 && failed * 10 < drafts);
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_their_end(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        seen(&bytes);
    }

    #[test]
    fn any_properties_are_read_to_their_end(
        lines in proptest::collection::vec(
            "(a\\.)?(VERSION|FN|N|ADR|TEL|EMAIL|ORG|BDAY|PHOTO|KIND|MEMBER|X-ABLabel|CATEGORIES|RELATED|LANG|GENDER|GRAMGENDER|TZ|GEO|REV|KEY|NOTE|JSPROP|CLIENTPIDMAP)(;TYPE=(home|work|)|;LANGUAGE=(en|de)|;ALTID=1|;PROP-ID=a|;ENCODING=(b|QUOTED-PRINTABLE)|;VALUE=(uri|text|date)|;PREF=1|;JSPTR=a/b)*:(4\\.0|3\\.0|[ -~]{0,14}|;;;a;b,c|2026-01-31|data:,x)",
            0..12,
        )
    ) {
        let sink = card(&format!("{}\r\n", lines.join("\r\n")));
        prop_assert!(sink.count() > 0);
    }
}
