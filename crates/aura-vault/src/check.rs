// SPDX-License-Identifier: MIT OR Apache-2.0
//! Proving that a vault is whole: statements, chains, heads, audit log, every sealed object, and the
//! views against the log.
//!
//! Checking goes on after the first problem, so that a person learns of all of them. Nothing is repaired
//! here; building the views again is `Session::rebuild`. Memory does not grow with the vault.
//! Source: spec/vault-directory.md, rule DIR-10.

mod report;

mod ends;
mod rebuilt;

use std::collections::BTreeSet;

use aura_protocol::authority::AuthorityError;
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{CollectionId, FeedId, Hash};
use aura_protocol::signed::Signed;
use aura_protocol::store::StoreError;

use crate::audit::{Action, Event, Outcome};
use crate::blob::{self, BlobError};
use crate::db::{Applicable, Db, Row, Tally};
use crate::feed::{self, QuarantineReason};
use crate::gate::{GateError, Principal, Session};
use crate::keyring::Purpose;
use crate::open::{CATCH_UP_ENTRIES, Life, Open, Reach, Side, lock};
use crate::vault::read_roster;
use crate::view;
use crate::views::Views;

use self::ends::check_ends;
use self::rebuilt::{Rebuilt, Rows};
pub use self::report::Report;
use self::report::name;

/// How far a check has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Objects checked.
    pub done: u64,
    /// Objects in all, as far as known.
    pub total: u64,
}

/// Told how much has been done since it was told last.
type Step<'a> = &'a mut dyn FnMut(usize);

impl Session {
    /// Checks the whole vault.
    ///
    /// # Errors
    /// When the principal may not, or checking itself fails; what is wrong is in the report.
    pub fn verify(&self, progress: &mut dyn FnMut(Progress)) -> Result<Report, GateError> {
        self.decide(Action::Read)?;
        self.tick()?;
        let open = self.inside();
        let mut report = Report::default();
        let verdict = self.verify_audit()?;
        // Nobody writes while log and views are compared.
        let _writing = lock(&open.pen);
        let (feeds, heads) = open.moment()?;
        let entries = feeds.iter().map(|(_, position)| position.number).sum::<u64>();
        // Each record is looked at twice more, for its attachments and in the database.
        let total = entries.saturating_add(open.tally()?.total().saturating_mul(2));
        let mut done = 0u64;
        let step: Step<'_> = &mut |count| {
            done = done.saturating_add(count as u64).min(total);
            progress(Progress { done, total });
        };
        // What comes while this goes on is read a moment later: its keys may not be known yet.
        let arriving = open.arriving(&heads);
        check_heads(open, (&feeds, heads), &mut report);
        let second = open.second();
        for (side, views) in [(Side::First, Some(&open.first)), (Side::Second, second.as_deref())] {
            let feeds = feeds.iter().filter(|(feed, _)| open.side(feed.collection) == side);
            let feeds = feeds.copied().collect();
            check_side(open, (side, views, feeds), (&arriving, step), &mut report)?;
        }
        if let Some(bad) = verdict.first_bad {
            report.problem(format!("audit log: {bad}"));
        }
        if open.is_audit_lost()? {
            report.problem("audit log: events of this device were lost".to_owned());
        }
        for missing in lock(&open.watermark).missing() {
            report.problem(format!(
                "the store is an older copy: {} entries of device {} that were here before are not in it",
                missing.entries, missing.device
            ));
        }
        self.count(Action::Read, None, report.checked);
        Ok(report)
    }

    /// Throws the views away and builds them again from the log.
    ///
    /// # Errors
    /// When the principal may not, or a view or the log fails.
    pub fn rebuild(&self) -> Result<(), GateError> {
        self.decide(Action::Rebuild)?;
        let open = self.inside();
        open.rebuild()?;
        let event = Event {
            time_ms: open.clock.now_ms(),
            principal: Principal::Owner.name().to_owned(),
            action: Action::Rebuild,
            outcome: Outcome::Done,
            categories: Vec::new(),
            count: 1,
            grant: String::new(),
        };
        open.record(vec![event])?;
        Ok(())
    }
}

/// Statements and head signatures verify; every feed ends where its device's head says.
fn check_heads(
    open: &Open,
    (feeds, heads): (&[(FeedId, Position)], Vec<Signed<Head>>),
    report: &mut Report,
) {
    let roster = match read_roster(open.log.as_ref(), open.vault) {
        Ok((roster, refused)) => {
            // What a revoked device said afterwards is nothing that anybody has to see to.
            for error in refused.into_iter().filter(|error| *error != AuthorityError::Ended) {
                report.problem(format!("authority: a statement does not count: {error}"));
            }
            roster
        }
        Err(error) => {
            report.problem(format!("authority: {error}"));
            return;
        }
    };
    check_ends(&roster, (feeds, heads), report);
}

/// What is behind one lock: its feeds, attachments and database. Without views it is shut, and only the
/// chains are looked at.
fn check_side(
    open: &Open,
    (side, views, feeds): (Side, Option<&Views>, Vec<(FeedId, Position)>),
    (arriving, step): (&BTreeSet<Life>, Step<'_>),
    report: &mut Report,
) -> Result<(), GateError> {
    let rebuilt = views.map(|views| Rebuilt::begin(open, &views.db)).transpose()?;
    for (feed, upto) in feeds {
        let is_arriving = arriving.contains(&(feed.device, feed.incarnation));
        let at = (feed, upto, is_arriving);
        check_feed(open, (views, at), (rebuilt.as_ref(), step), report)?;
    }
    if let (Some(views), Some(rebuilt)) = (views, &rebuilt) {
        rebuilt.adopt(open, (views, side))?;
        check_chunks(open, (rebuilt, step), report)?;
        check_database(&views.db, (rebuilt, step), report)?;
    }
    Ok(())
}

/// Every entry is there, follows the one before it, and opens unless it waits.
fn check_feed(
    open: &Open,
    (views, (feed, upto, is_arriving)): (Option<&Views>, (FeedId, Position, bool)),
    (rebuilt, step): (Option<&Rebuilt>, Step<'_>),
    report: &mut Report,
) -> Result<(), GateError> {
    let purpose = open.with_keyring(|keyring| keyring.purpose(feed.collection));
    let applied = views.map_or(Ok(0), |views| views.db.applied(feed))?;
    let reach = open.reach(feed);
    let has_ended = matches!(reach, Reach::Upto(_) | Reach::Ended);
    let counted = reach.upto(upto.number, applied);
    // What was let go of is not there to be checked; the rest leads on from it.
    let mut last = open.log.floor(feed)?;
    while last.number < upto.number {
        // No further than the moment that is checked: more may have come since.
        let left = usize::try_from(upto.number.saturating_sub(last.number)).unwrap_or(usize::MAX);
        let entries = match open.log.read(feed, last.number, left.min(CATCH_UP_ENTRIES)) {
            Ok(entries) if !entries.is_empty() => entries,
            Ok(_) | Err(StoreError::Absent) => {
                report.problem(format!("{}: entry {} is missing", name(&feed), next(last)));
                return Ok(());
            }
            Err(StoreError::Damaged(_) | StoreError::DamagedEntry { .. }) => {
                report.problem(format!("{}: entry {} is damaged", name(&feed), next(last)));
                last.number = next(last);
                last.hash = Hash([0; 32]);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let count = entries.len();
        let mut opened = Vec::with_capacity(count);
        for entry in entries {
            report.checked = report.checked.saturating_add(1);
            let number = entry.header().number;
            let is_after_damage = last.hash == Hash([0; 32]) && last.number > 0;
            if !is_after_damage && !entry.follows(last.number, &last.hash) {
                report.problem(format!("{}: entry {number} does not follow", name(&feed)));
            }
            last = Position { number, hash: entry.hash() };
            if rebuilt.is_none() {
                report.waiting = report.waiting.saturating_add(1);
            }
            if rebuilt.is_none() || feed.collection == CollectionId::AUTHORITY {
                continue;
            }
            match open.with_keyring(|keyring| feed::open(&entry, keyring, open.vault)) {
                Ok(ops) => {
                    if let Some(Purpose::Category(category)) = purpose
                        && number <= counted
                    {
                        opened.push(Applicable { feed, number, category: Some(category), ops });
                    }
                }
                // Beyond where a revoked device's feed counts, anything may stand.
                Err(_) if number > counted && has_ended => {}
                Err(QuarantineReason::NoKey) if is_arriving => {}
                Err(reason) => {
                    report.problem(format!("{}: entry {number}: {reason}", name(&feed)));
                }
            }
        }
        step(count);
        if let Some(rebuilt) = rebuilt {
            rebuilt.apply(opened)?;
        }
    }
    if last != upto {
        report.problem(format!("{}: its last entry has another hash", name(&feed)));
    }
    Ok(())
}

fn next(position: Position) -> u64 {
    position.number.saturating_add(1)
}

/// Every chunk that a record names is there and opens; its whole has the recorded hash.
fn check_chunks(
    open: &Open,
    (rebuilt, step): (&Rebuilt, Step<'_>),
    report: &mut Report,
) -> Result<(), GateError> {
    let mut rows = rebuilt.rows();
    while let Some(Row { id, state, .. }) = rows.next()? {
        step(1);
        for (blob_id, field) in view::blobs(&state) {
            report.checked = report.checked.saturating_add(field.chunk_names().len() as u64);
            let place = format!("attachment {blob_id} of record {id}");
            match blob::open(open.log.as_ref(), blob_id, &field, &mut std::io::sink()) {
                Ok(()) => {}
                Err(BlobError::Store(StoreError::Absent)) => {
                    report.problem(format!("{place}: a chunk is missing"));
                }
                Err(error) => report.problem(format!("{place}: {error}")),
            }
        }
    }
    Ok(())
}

/// One side's database is undamaged and says what the log says.
fn check_database(
    db: &Db,
    (rebuilt, step): (&Rebuilt, Step<'_>),
    report: &mut Report,
) -> Result<(), GateError> {
    if let Err(error) = db.verify() {
        report.problem(error.to_string());
        return Ok(());
    }
    let (mut logged, mut kept) = (rebuilt.rows(), Rows::new(db));
    let mut tally = Tally::default();
    loop {
        step(1);
        // Both are in the order of ids: the lower one stands alone, equal ones are compared.
        let ahead = match (logged.peek()?, kept.peek()?) {
            (None, None) => break,
            (Some(id), other) if other.is_none_or(|other| id <= other) => Some(id),
            (_, other) => other,
        };
        let row = if logged.peek()? == ahead { logged.next()? } else { None };
        let twin = if kept.peek()? == ahead { kept.next()? } else { None };
        report.checked = report.checked.saturating_add(u64::from(twin.is_some()));
        if let Some(row) = row.as_ref().filter(|row| row.state.is_live()) {
            tally.add(row.category, &row.state.leaf(row.id));
        }
        match (row, twin) {
            (Some(row), Some(twin)) if !is_same(&row, &twin) => {
                report.problem(format!("record {} differs from the log", row.id));
            }
            (None, Some(twin)) => report.problem(format!("record {} is not in the log", twin.id)),
            (Some(row), None) => {
                let id = row.id;
                report.problem(format!("record {id} is in the log, but not in the database"));
            }
            _ => {}
        }
    }
    if db.tally()?.state_hash() != tally.state_hash() {
        report.problem("the database's state hash is not the log's".to_owned());
    }
    Ok(())
}

fn is_same(row: &Row, twin: &Row) -> bool {
    row.category == twin.category && row.state.leaf(row.id) == twin.state.leaf(twin.id)
}
