// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an import told, counted: progress that never goes back, and no more out than so much for each
//! byte that went in.

use std::io::Read as _;

use aura_import::draft::{Draft, Finding, Sink, Stop};
use aura_vault::json::{canonical, flatten, unflatten};

/// Bytes that may come out of any input.
const OUT_FREE_BYTES: u64 = 256 << 10;
/// Bytes that may come out for each that went in: a table repeats its columns' names in each row.
const OUT_FOR_EACH_BYTE: u64 = 1024;

/// A sink that checks what it is given and keeps what must be the same a second time.
pub struct Ledger {
    /// Each finding as text.
    pub told: Vec<String>,
    /// The drafts themselves.
    pub drafts: Vec<Draft>,
    input_bytes: u64,
    out_bytes: u64,
    progress: u64,
    stop_after: usize,
}

impl Ledger {
    /// A ledger for an input of so many bytes, when expanded.
    pub fn new(input_bytes: u64) -> Self {
        Self {
            told: Vec::new(),
            drafts: Vec::new(),
            input_bytes,
            out_bytes: 0,
            progress: 0,
            stop_after: usize::MAX,
        }
    }

    /// One that stops its reader after so many findings.
    pub fn stopping(input_bytes: u64, stop_after: usize) -> Self {
        Self { stop_after, ..Self::new(input_bytes) }
    }

    fn pay(&mut self, bytes: usize) {
        self.out_bytes += bytes as u64;
        let allowed = OUT_FREE_BYTES + OUT_FOR_EACH_BYTE * self.input_bytes;
        assert!(self.out_bytes <= allowed, "{} bytes out of {}", self.out_bytes, self.input_bytes);
    }

    /// What the vault keeps of a draft is what the draft says, down to the bytes of its files.
    fn draft(&mut self, draft: &Draft) -> String {
        let flat = flatten(&draft.fields);
        let pairs = flat.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        assert_eq!(unflatten(pairs), draft.fields, "fields that do not come back");
        let mut told = format!(
            "{} {} {} {:?} {:?} {}",
            draft.kind,
            draft.category,
            draft.source,
            draft.source_id,
            draft.time_ms,
            canonical(&draft.fields.clone().into()),
        );
        self.pay(told.len());
        for file in &draft.attachments {
            let mut bytes = Vec::new();
            let is_read = file.content.open().and_then(|mut open| open.read_to_end(&mut bytes));
            self.pay(bytes.len());
            told += &format!(" {:?} {:?} {:?}", file.name, file.media_type, is_read.ok());
        }
        told
    }
}

impl Sink for Ledger {
    fn take(&mut self, finding: Finding, progress: u64) -> Result<(), Stop> {
        assert!(self.told.len() < self.stop_after, "told after the stop");
        assert!(progress >= self.progress, "progress goes back");
        self.progress = progress;
        let told = match finding {
            Finding::Draft(draft) => {
                let told = self.draft(&draft);
                self.drafts.push(*draft);
                told
            }
            Finding::Skipped { place, reason } => format!("skipped {place}: {reason}"),
            Finding::Failed { place, reason } => format!("failed {place}: {reason}"),
        };
        self.pay(told.len());
        self.told.push(told);
        if self.told.len() == self.stop_after { Err(Stop) } else { Ok(()) }
    }
}

impl Ledger {
    /// How far the import said that it had come, in bytes.
    pub fn progress(&self) -> u64 {
        self.progress
    }
}
