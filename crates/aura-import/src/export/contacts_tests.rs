// SPDX-License-Identifier: MIT OR Apache-2.0
//! What went in must come out the same: read, write, read again.

use std::fs;

use aura_vault::record::Kind;

use super::*;
use crate::draft::Draft;
use crate::formats::collect::{Collect, bytes, data_files};
use crate::formats::vcard;

fn seen(text: &[u8]) -> Vec<Draft> {
    let mut sink = Collect::default();
    vcard::read("p.vcf", &mut &text[..], &mut sink).unwrap();
    sink.drafts
}

fn written(drafts: Vec<Draft>) -> (Vec<u8>, Outcome) {
    let mut out = Vec::new();
    let mut records = drafts.into_iter().map(|draft| Exported {
        id: "r".to_owned(),
        kind: Kind::Contact,
        category: draft.category,
        fields: draft.fields,
        attachments: draft.attachments,
        source: Some(draft.source.to_owned()),
        source_id: draft.source_id,
        time_ms: draft.time_ms,
    });
    let outcome = write(&mut records, &mut out).unwrap();
    (out, outcome)
}

#[test]
fn out_and_in_again() {
    let text = b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nFN:Ann Lee\r\nN:Lee;Ann;;;\r\n\
        item1.EMAIL;TYPE=INTERNET:a@example.org\r\nitem1.X-ABLabel:Boat\r\nCATEGORIES:Ski\r\n\
        PHOTO;ENCODING=b;TYPE=PNG:AQID\r\nX-OWN:kept\r\nEND:VCARD\r\n\
        BEGIN:VCARD\r\nVERSION:4.0\r\nUID:2\r\nFN:Choir\r\nKIND:group\r\nMEMBER:urn:uuid:1\r\nEND:VCARD\r\n";
    let before = seen(text);
    let (out, outcome) = written(seen(text));
    assert_eq!((outcome.records, outcome.attachments, outcome.failed.len()), (2, 1, 0));
    let after = seen(&out);
    let text = String::from_utf8(out).unwrap();
    assert_eq!(after.len(), 2);
    for (one, two) in before.iter().zip(&after) {
        assert_eq!(one.source_id, two.source_id);
        assert_eq!(one.fields["name"]["full"], two.fields["name"]["full"]);
        for name in ["keywords", "kind", "members"] {
            assert_eq!(one.fields.get(name), two.fields.get(name), "{name}: {text}");
        }
    }
    assert_eq!(bytes(&after[0].attachments[0]), [1, 2, 3], "{text}");
    assert_eq!(after[0].attachments[0].media_type, "image/png");
    assert!(text.contains("kept") && text.contains("Boat"), "{text}");
}

#[test]
fn what_has_no_place_in_a_card_comes_back() {
    let text = b"BEGIN:VCARD\r\nVERSION:3.0\r\nN:Lee;Ann;;;\r\n\
        ADR;TYPE=HOME:;;Main St 1;Town;;8000;CH\r\nTEL:1\r\nno property\r\nEND:VCARD\r\nBEGIN:VCARD\r\nVERSION:4.0\r\nUID:2\r\nFN:Ann van Lee\r\n\
        N;JSCOMPS=\";1;2;0\":Lee;Ann;van;;;;\r\nEND:VCARD\r\n\
        BEGIN:VCARD\r\nVERSION:3.0\r\nUID:3\r\nBDAY:1970-07-14\r\nEND:VCARD\r\n";
    let mut before = seen(text);
    assert_eq!(before[0].fields["extra"]["strayLines"][0], "no property");
    assert_eq!(before[1].fields["name"]["isOrdered"], true);
    // As the vault calls one that has no id of its own.
    before[0].source_id = Some("content:1".to_owned());
    let kept: Vec<_> =
        before.iter().map(|one| (one.fields.clone(), one.source_id.clone())).collect();
    let (out, _) = written(before);
    let text = String::from_utf8_lossy(&out).into_owned();
    for (after, kept) in seen(&out).into_iter().zip(kept) {
        assert_eq!((after.fields, after.source_id), kept, "{text}");
    }
}

#[test]
fn real_cards_come_back() {
    let Some(files) = data_files("packages/contacts", "vcf") else { return };
    let (mut all, mut same) = (0, 0);
    for path in files {
        let before = seen(&fs::read(&path).unwrap());
        let (out, outcome) = written(seen(&fs::read(&path).unwrap()));
        let after = seen(&out);
        for (id, reason) in outcome.failed {
            println!("{} {id}: {reason}", path.display());
        }
        all += before.len();
        if before.len() != after.len() {
            println!("{}: {} of {}", path.display(), after.len(), before.len());
        }
        if before.len() == after.len() {
            same += before
                .iter()
                .zip(&after)
                .filter(|(one, two)| {
                    let full = |draft: &Draft| {
                        draft.fields.get("name").and_then(|name| name.get("full")).cloned()
                    };
                    full(one) == full(two) || (full(one).is_none() && full(two).is_some())
                })
                .count();
        }
    }
    println!("{all} cards, {same} come back with the same name");
    assert!(same * 100 >= all * 95);
}
