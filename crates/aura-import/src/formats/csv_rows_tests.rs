// SPDX-License-Identifier: MIT OR Apache-2.0
//! Separators, charsets, quotation marks, bounds, and the tables of the test data.

use std::fs;

use aura_vault::record::{Category, Kind};
use serde_json::json;

use super::super::collect::{Collect, data_files};
use super::*;

fn seen(text: &[u8]) -> Collect {
    let mut sink = Collect::default();
    read("t.csv", &mut &text[..], &mut sink).unwrap();
    sink
}

fn bank() -> Mapping {
    Mapping {
        kind: Kind::Transaction,
        category: Category::Finance,
        source_id: None,
        time: Some("Buchungstag".to_owned()),
        rename: [("Betrag (EUR)".to_owned(), "amount".to_owned())].into(),
    }
}

#[test]
fn commas_semicolons_tabs_and_marks() {
    for (name, separator) in [("comma", ","), ("semicolon", ";"), ("tab", "\t")] {
        let text = format!(
            "\u{feff}Date{separator}Amount{separator}Payee\r\n2026-01-31{separator}\"1,2;3\"{separator}Z\u{fc}rich\r\n"
        );
        let sink = seen(text.as_bytes());
        assert_eq!(sink.drafts.len(), 1, "{name}");
        let draft = &sink.drafts[0];
        assert_eq!((draft.kind, draft.time_ms), (Kind::Transaction, Some(1_769_817_600_000)));
        assert_eq!(
            (&draft.fields["amount"], &draft.fields["name"]),
            (&json!("1,2;3"), &json!("Z\u{fc}rich"))
        );
    }
}

#[test]
fn what_a_bank_says_of_a_movement_is_its_name() {
    let sink = seen(b"Date,Description,Amount\n2026-01-31,ALPINE MAPS,-3.50\n");
    assert_eq!(sink.drafts[0].fields["name"], "ALPINE MAPS");
    let sink = seen(b"Date,Payee,Description,Amount\n2026-01-31,Alpine,maps of it,-3.50\n");
    let fields = &sink.drafts[0].fields;
    assert_eq!((&fields["name"], &fields["description"]), (&json!("Alpine"), &json!("maps of it")));
}

#[test]
fn a_movement_with_a_wrong_date_or_sum_is_named_and_the_others_come_in() {
    let sink = seen(b"date,amount,payee\nsoon,1,a\n2026-01-31,abc,b\n,2.50,c\n31.01.2026,-1,d\n");
    assert_eq!((sink.drafts.len(), sink.failed.len()), (2, 2));
    assert_eq!(sink.drafts[0].fields["name"], "c");
}

#[test]
fn a_mapping_and_an_old_charset() {
    let text = b"Buchungstag;Zweck;Betrag (EUR)\n02.01.2026;f\xFCr;-36,65\n03.01.2026\n;;\n04.01.2026;a;1;more\n";
    let mut sink = Collect::default();
    read_mapped("t.csv", &mut &text[..], &bank(), &mut sink).unwrap();
    assert_eq!((sink.drafts.len(), sink.skipped.len()), (3, 1));
    assert_eq!(sink.drafts[0].fields["amount"], "-36,65");
    assert_eq!(sink.drafts[0].fields["extra"]["Zweck"], "f\u{fc}r");
    assert_eq!(sink.drafts[2].fields["extra"]["column 4"], "more");
    let unknown = seen(text);
    assert_eq!((unknown.drafts.len(), unknown.skipped.len()), (0, 1));
    assert_eq!(seen(b"").skipped.len(), 1);
}

#[test]
fn a_quotation_mark_that_is_never_closed() {
    let mut text = b"url,time_added\nhttps://a.example,1\nhttps://b.example,\"".to_vec();
    text.resize(text.len() + 2 * usize::try_from(ROW_BYTES_MAX).unwrap(), b'x');
    let sink = seen(&text);
    assert_eq!((sink.drafts.len(), sink.failed.len()), (1, 1));
    assert!(sink.failed[0].1.contains("quotation mark"));
    let wide = format!("{}\n", "a,".repeat(COLUMNS_MAX + 1));
    assert_eq!(seen(wide.as_bytes()).failed.len(), 1);
}

#[test]
fn what_looks_like_a_table() {
    assert!(recognise(b"\xEF\xBB\xBFDate,Amount\n1,2\n", "x.csv"));
    assert!(recognise(b"date;amount\n1;2\n", "x.TXT"));
    assert!(!recognise(b"a,b\n1,2\n", "x.csv"), "nobody knows what its rows are");
    assert!(!recognise(b"Dear all, hello\nbye\n", "x.txt"));
    assert!(!recognise(b"date,amount\n1,2\n", "x.bin"));
    assert!(!recognise(b"date,amount\0\n", "x.csv"));
}

#[test]
fn made_tables_are_accounted_for_and_read_alike_twice() {
    let Some(files) = data_files("authored", "csv") else { return };
    let (mut rows, mut drafts) = (0, 0);
    for path in files {
        let text = fs::read(&path).unwrap();
        let read_all = || {
            let mut sink = Collect::default();
            if path.to_string_lossy().contains("semicolon") {
                read_mapped("t.csv", &mut text.as_slice(), &bank(), &mut sink).unwrap();
            } else {
                read("t.csv", &mut text.as_slice(), &mut sink).unwrap();
            }
            sink
        };
        let (one, two) = (read_all(), read_all());
        assert_eq!(one.essence(), two.essence());
        let meant =
            ReaderBuilder::new().flexible(true).from_reader(&text[..]).byte_records().count();
        assert_eq!(one.count(), meant, "{}", path.display());
        assert!(
            one.failed.is_empty() && one.skipped.is_empty(),
            "{}: {:?}",
            path.display(),
            one.skipped
        );
        assert!(one.drafts.iter().all(|draft| draft.fields.len() > 1));
        rows += one.count();
        drafts += one.drafts.len();
    }
    println!("read {rows} = {drafts} drafts");
    assert!(drafts > 400);
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_to_their_end(text in "[a;,\t\"\n\r ]{0,60}") {
        seen(text.as_bytes());
        let mut sink = Collect::default();
        read_mapped("t", &mut text.as_bytes(), &bank(), &mut sink).unwrap();
    }
}
