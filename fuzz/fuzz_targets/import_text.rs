// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every reader of foreign exports, over files in memory, and the way out again.
#![no_main]

use std::collections::BTreeMap;
use std::sync::Arc;

use aura_fuzz::input::chosen;
use aura_fuzz::ledger::Ledger;
use aura_fuzz::memory::Memory;
use aura_fuzz::outlet;
use aura_import::tree::Tree;
use aura_import::{Format, Mapping, read, read_mapped, survey_tree};
use aura_vault::record::Kind;

/// Beyond this nothing new is found, only more of it.
const INPUT_BYTES_MAX: usize = 8 << 10;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let (choice, files) = chosen(input);
    if files.len() > INPUT_BYTES_MAX {
        return;
    }
    let tree = Memory::of(files);
    match choice % 8 {
        // `7`
        7 => mapped(&tree),
        _ => all(&tree),
    }
});

fn all(tree: &Arc<dyn Tree>) {
    let survey = survey_tree(Arc::clone(tree));
    assert_eq!(survey.files(), tree.entries().len() as u64, "a file in no part, or in two");
    assert_eq!(survey.bytes(), tree.entries().iter().map(|entry| entry.size).sum::<u64>());
    let mut ledger = Ledger::new(survey.bytes());
    read(&survey, &mut ledger).expect("nobody stops");
    assert!(ledger.progress() <= survey.bytes(), "more progress than bytes");
    for part in survey.parts() {
        // Where each file is a record, each file is told of.
        if part.format == Format::File {
            assert!(ledger.told.len() >= part.paths.len(), "a file that nobody tells of");
        }
    }
    let mut again = Ledger::new(survey.bytes());
    read(&survey, &mut again).expect("nobody stops");
    assert_eq!(again.told, ledger.told, "two imports of the same differ");
    if !ledger.told.is_empty() {
        let half = ledger.told.len().div_ceil(2);
        let mut stopping = Ledger::stopping(survey.bytes(), half);
        assert!(read(&survey, &mut stopping).is_err(), "the stop was not passed on");
        assert_eq!(stopping.told, ledger.told[..half]);
    }
    outlet::write_all(&ledger.drafts);
}

/// Tables and JSON Lines as a person says that they are to be read.
fn mapped(tree: &Arc<dyn Tree>) {
    let rename = [("a", "login.uris.0.uri"), ("b", "name"), ("c", "x.y.z.0.1.2.3.4.5"), ("d", "")];
    let mapping = Mapping {
        kind: Kind::Login,
        category: Kind::Login.category(),
        source_id: Some("id".to_owned()),
        time: Some("time".to_owned()),
        rename: BTreeMap::from(rename.map(|(from, to)| (from.to_owned(), to.to_owned()))),
    };
    for entry in tree.entries() {
        let mut ledger = Ledger::new(entry.size);
        read_mapped(tree, &entry.path, &mapping, &mut ledger).expect("nobody stops");
        assert!(ledger.progress() <= entry.size, "more progress than bytes");
        outlet::write_all(&ledger.drafts);
    }
}
