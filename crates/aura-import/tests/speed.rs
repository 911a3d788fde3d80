// SPDX-License-Identifier: MIT OR Apache-2.0
//! How fast mails and notes are read: run by hand with `--ignored --nocapture`, optimised.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test")]

mod found;

use std::time::Instant;

use aura_import::draft::{Finding, Sink, Stop};
use aura_import::{read, survey_tree};
use found::Memory;

struct Count(usize);

impl Sink for Count {
    fn take(&mut self, finding: Finding, _progress: u64) -> Result<(), Stop> {
        self.0 += usize::from(matches!(finding, Finding::Draft(_)));
        Ok(())
    }
}

fn measure(what: &str, files: &[(&str, &[u8])], count: usize) {
    let tree = Memory::tree(files);
    let start = Instant::now();
    let mut sink = Count(0);
    read(&survey_tree(tree), &mut sink).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "a rate for a person to read")]
    let rate = count as f64 / seconds;
    println!("{what}: {rate:.0} a second");
    assert_eq!(sink.0, count);
}

#[test]
#[ignore = "a measurement"]
fn speed() {
    let words = "The quick brown fox jumps over the lazy dog and then some more. ".repeat(20);
    let count = 50_000;
    let mbox: String = (0..count)
        .map(|at| {
            format!(
                "From - Mon Jan  5 10:00:00 2015\nReceived: from a by b; Mon, 5 Jan 2015 10:00:00 \
                 +0000\nFrom: A B <a@example.org>\nTo: c@example.org\nSubject: Number {at}\nDate: \
                 Mon, 5 Jan 2015 10:00:00 +0000\nMessage-ID: <{at}@example.org>\nReferences: \
                 <x@example.org>\nContent-Type: text/plain; charset=utf-8\n\n{words}\n\n"
            )
        })
        .collect();
    measure("mails", &[("x.mbox", mbox.as_bytes())], count);
    let notes: Vec<(String, String)> = (0..count)
        .map(|at| {
            let front = "---\ntags: [one, two]\ncreated: 2024-01-02\n---\n";
            (format!("f/{at}.md"), format!("{front}# Note {at}\n{words}\n[[Other]] #tag\n"))
        })
        .collect();
    let files: Vec<(&str, &[u8])> =
        notes.iter().map(|(path, text)| (path.as_str(), text.as_bytes())).collect();
    measure("notes with front matter", &files, count);
    let plain: Vec<(String, String)> =
        (0..count).map(|at| (format!("f/{at}.md"), format!("# Note {at}\n{words}\n"))).collect();
    let files: Vec<(&str, &[u8])> =
        plain.iter().map(|(path, text)| (path.as_str(), text.as_bytes())).collect();
    measure("plain notes", &files, count);
}
