// SPDX-License-Identifier: MIT OR Apache-2.0
//! A folder for exports that keeps nothing but the names, and checks those.

use std::collections::BTreeSet;
use std::io::{self, Write};

use aura_import::export::{Exported, Folder, calendar, contacts, json_lines, logins, mail, notes};
use aura_vault::record::{Draft, Kind};

/// Names that were given, lower case.
#[derive(Default)]
pub struct Outlet(BTreeSet<String>);

impl Folder for Outlet {
    fn create(&mut self, path: &str) -> io::Result<Box<dyn Write>> {
        for part in path.split('/') {
            assert!(!matches!(part, "" | "." | ".."), "a name that leads elsewhere: {path:?}");
            assert!(part.len() <= 255, "a name longer than systems take: {path:?}");
            let is_bad = |c: char| c.is_control() || matches!(c, '\\' | ':');
            assert!(!part.contains(is_bad), "a name that some systems do not take: {path:?}");
        }
        assert!(self.0.insert(path.to_lowercase()), "one name for two files: {path:?}");
        Ok(Box::new(io::sink()))
    }
}

fn exported(at: usize, record: &Draft) -> Exported {
    Exported {
        id: format!("{at:032x}"),
        kind: record.kind,
        category: record.category,
        fields: record.fields.clone(),
        attachments: record.attachments.clone(),
        source: Some(record.source.to_owned()),
        source_id: record.source_id.clone(),
        time_ms: record.time_ms,
    }
}

/// What was read can be written out again, whatever it is: each writer takes its own kinds, and a bad
/// record stops none.
pub fn write_all(drafts: &[Draft]) {
    let of = |kinds: &'static [Kind]| {
        let all = drafts.iter().enumerate().map(|(at, draft)| exported(at, draft));
        all.filter(move |record| kinds.is_empty() || kinds.contains(&record.kind))
    };
    json_lines::write("all", &mut of(&[]), &mut Outlet::default()).expect("nothing is written");
    notes::write(&mut of(&[Kind::Note]), &mut Outlet::default());
    mail::write(&mut of(&[Kind::Email]), &mut Outlet::default());
    mail::write_mbox(&mut of(&[Kind::Email]), &mut io::sink());
    calendar::write(&mut of(&[Kind::Event, Kind::Task]), &mut io::sink()).expect("a sink");
    contacts::write(&mut of(&[Kind::Contact]), &mut io::sink()).expect("a sink");
    logins::write(&mut of(&[Kind::Login]), &mut io::sink()).expect("a sink");
}
