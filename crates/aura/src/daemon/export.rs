// SPDX-License-Identifier: MIT OR Apache-2.0
//! Exporting: everything out again, in the standard form of each kind or as one archive.
//!
//! Written beside its place, made durable, read back, and only then put there: the last good export
//! stays until the next one is good. One pass over the vault; each form is written by a thread of its
//! own, which takes records as fast as it can write them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle, scope};

use aura_import::draft::Attachment;
use aura_import::export::{
    DiskFolder, Exported, Folder as _, Outcome, calendar, contacts, json_lines, logins, mail, notes,
};
use aura_protocol::id::RecordId;
use aura_vault::blob::fingerprint;
use aura_vault::gate::{PAGE_MAX, Record, Session};
use aura_vault::record::Kind;
use serde_json::json;

use super::keeper::Keeper;
use super::reply::Reply;
use crate::archive;
use crate::exit::{Exit, Failure};
use crate::moment::{now_ms, rfc3339};
use crate::outlet::{SealedContent, Swap, sync_tree};
use crate::view::{Export, Lost};
use crate::wire::{Progress, Shape};

/// Records that wait for a writer.
const WAITING: usize = 64;
const MANIFEST: &str = "manifest.json";

/// Exports everything to a place.
pub(super) fn export(
    session: Session,
    (to, shape): (&Path, Shape),
    keeper: &Keeper,
    reply: &mut Reply,
) -> Result<Export, Failure> {
    let session = Arc::new(session);
    let status = session.status()?;
    let total = status.records;
    let shut: Vec<String> = status.shut.iter().map(ToString::to_string).collect();
    refuse_poorer(&shut, || match shape {
        Shape::Standard => missing(to),
        Shape::Archive => archive::missing(to),
    })?;
    let mut pages = Pages {
        session: Arc::clone(&session),
        keeper,
        reply,
        progress: Progress { task: "exporting".to_owned(), total, ..Progress::default() },
    };
    match shape {
        Shape::Standard => standard(&session, to, &mut pages),
        Shape::Archive => {
            let swap = Swap::file(to, &|path| archive::recognise(path).is_some())?;
            let export = archive::write(swap.staging(), &mut |take| pages.each(take), &session)?;
            archive::check(swap.staging(), &export)?;
            swap.place()?;
            Ok(Export { path: to.display().to_string(), verified: true, ..export })
        }
    }
}

/// An export without what is behind the second lock never takes the place of one that has it.
fn refuse_poorer(
    shut: &[String],
    there: impl FnOnce() -> Option<Vec<String>>,
) -> Result<(), Failure> {
    let Some(there) = (if shut.is_empty() { None } else { there() }) else { return Ok(()) };
    let lost: Vec<&str> =
        shut.iter().filter(|name| !there.contains(name)).map(String::as_str).collect();
    if lost.is_empty() {
        return Ok(());
    }
    let what = format!(
        "The export in this place has {}, and this one would not: the second lock is shut.",
        lost.join(" and ")
    );
    Err(Failure::new(Exit::Locked, what)
        .safe("The vault, and the export there, are as they were.")
        .next("Run `aura unlock --second` first, or name another place."))
}

/// The categories that a folder's export says it lacks; nothing if there is none.
fn missing(root: &Path) -> Option<Vec<String>> {
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(root.join(MANIFEST)).ok()?).ok()?;
    serde_json::from_value(manifest.get("missing")?.clone()).ok()
}

/// All records, page by page.
struct Pages<'a> {
    session: Arc<Session>,
    keeper: &'a Keeper,
    reply: &'a mut Reply,
    progress: Progress,
}

impl Pages<'_> {
    fn each(&mut self, take: &mut dyn FnMut(Record) -> Result<(), Failure>) -> Result<(), Failure> {
        let mut after: Option<RecordId> = None;
        loop {
            let page = self.session.export_page(after, PAGE_MAX)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id);
            for record in page {
                take(record)?;
                self.progress.done = self.progress.done.saturating_add(1);
                self.progress.records = self.progress.done;
                self.reply.progress(&self.progress)?;
                if self.keeper.is_locking() {
                    return Err(Failure::new(Exit::Locked, "The vault was locked meanwhile.")
                        .safe("The last export, if there is one, is as it was.")
                        .next("Run it again."));
                }
            }
        }
    }
}

/// Where records of a kind go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    Calendar,
    Contacts,
    Mail,
    Notes,
    Logins,
    /// JSON Lines, by kind.
    Lines(Kind),
}

impl Form {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Event | Kind::Task => Self::Calendar,
            Kind::Contact => Self::Contacts,
            Kind::Email => Self::Mail,
            Kind::Note => Self::Notes,
            Kind::Login => Self::Logins,
            other => Self::Lines(other),
        }
    }

    fn write(
        self,
        records: &mut dyn Iterator<Item = Exported>,
        root: &Path,
    ) -> io::Result<Outcome> {
        let place = if self == Self::Notes { root.join("notes") } else { root.to_owned() };
        let mut folder = DiskFolder::new(&place)?;
        let outcome = match self {
            Self::Calendar => calendar::write(records, &mut folder.create("calendar.ics")?)?,
            Self::Contacts => contacts::write(records, &mut folder.create("contacts.vcf")?)?,
            Self::Logins => logins::write(records, &mut folder.create("logins.json")?)?,
            Self::Mail => {
                let mut out = folder.create("mail.mbox")?;
                let outcome = mail::write_mbox(records, &mut out);
                out.flush()?;
                outcome
            }
            Self::Notes => notes::write(records, &mut folder),
            Self::Lines(kind) => json_lines::write(kind.as_str(), records, &mut folder)?,
        };
        // A disk that is full is no record that has no form.
        folder.check()?;
        Ok(outcome)
    }
}

/// A thread that writes one form.
struct Writer<'scope> {
    queue: SyncSender<Exported>,
    thread: ScopedJoinHandle<'scope, io::Result<Outcome>>,
}

impl<'scope> Writer<'scope> {
    fn start(scope: &'scope Scope<'scope, '_>, form: Form, root: PathBuf) -> Self {
        let (queue, records) = sync_channel::<Exported>(WAITING);
        let thread = scope.spawn(move || form.write(&mut records.into_iter(), &root));
        Self { queue, thread }
    }

    fn finish(self) -> Result<Outcome, Failure> {
        drop(self.queue);
        match self.thread.join() {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(error)) => Err(unwritten(&error)),
            Err(_) => Err(Failure::new(Exit::Failed, "A writer of the export ended unexpectedly.")
                .safe("The vault, and the last export if there is one, are as they were.")),
        }
    }
}

fn unwritten(error: &io::Error) -> Failure {
    let failure = Failure::file("The export could not be written", error);
    failure.safe("The vault, and the last export if there is one, are as they were.")
}

fn standard(session: &Arc<Session>, to: &Path, pages: &mut Pages<'_>) -> Result<Export, Failure> {
    let swap = Swap::folder(to, &|path| path.join(MANIFEST).is_file())?;
    let root = swap.staging();
    let outcome = scope(|scope| {
        let mut writers: BTreeMap<Form, Writer<'_>> = BTreeMap::new();
        let read = pages.each(&mut |record| {
            let form = Form::of(record.kind);
            let writer =
                writers.entry(form).or_insert_with(|| Writer::start(scope, form, root.to_owned()));
            // A writer that failed says why when it is asked to finish.
            drop(writer.queue.send(exported(session, record)));
            Ok(())
        });
        let mut outcome = Outcome::default();
        let mut result = read;
        for writer in writers.into_values() {
            match writer.finish() {
                Ok(written) => outcome.add(written),
                Err(failure) => result = result.and(Err(failure)),
            }
        }
        result.map(|()| outcome)
    })?;
    let failed = outcome.failed.into_iter().map(|(id, reason)| Lost { id, reason });
    let status = session.status()?;
    let mut export = Export {
        path: to.display().to_string(),
        records: outcome.records,
        attachments: outcome.attachments,
        state_hash: status.open_hash,
        missing: status.shut.iter().map(ToString::to_string).collect(),
        failed: failed.collect(),
        ..Export::default()
    };
    write_manifest(root, &mut export).map_err(|error| unwritten(&error))?;
    swap.place()?;
    Ok(export)
}

/// Reads everything back and writes down what there is.
fn write_manifest(root: &Path, export: &mut Export) -> io::Result<()> {
    let mut files = Vec::new();
    for path in sync_tree(root)? {
        let print = fingerprint(File::open(&path)?)?;
        export.files = export.files.saturating_add(1);
        export.bytes = export.bytes.saturating_add(print.size);
        let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        files.push(json!({ "path": name, "size": print.size, "sha256": print.sha256 }));
    }
    export.verified = true;
    let manifest = json!({
        "aura_export": 1,
        "time": rfc3339(now_ms()),
        "records": export.records,
        "attachments": export.attachments,
        "state_hash": export.state_hash,
        "failed": export.failed,
        "missing": export.missing,
        "files": files,
    });
    let path = root.join(MANIFEST);
    fs::write(&path, serde_json::to_vec_pretty(&manifest)?)?;
    File::open(&path)?.sync_all()?;
    File::open(root)?.sync_all()
}

fn exported(session: &Arc<Session>, record: Record) -> Exported {
    let attachments = record.attachments.iter().map(|info| Attachment {
        name: info.name.clone(),
        media_type: info.media_type.clone(),
        content: Arc::new(SealedContent::new(session, record.id, info)),
    });
    Exported {
        attachments: attachments.collect(),
        id: record.id.to_string(),
        kind: record.kind,
        category: record.category,
        time_ms: record.has_own_time.then_some(record.time_ms),
        source: record.source,
        source_id: record.source_id,
        fields: record.fields,
    }
}
