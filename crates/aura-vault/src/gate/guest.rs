// SPDX-License-Identifier: MIT OR Apache-2.0
//! The door for whoever is not the owner: assistants, each under what was granted to it.
//!
//! There is nothing to call here but what a grant can allow: no import, no export, no history, no trash, no log. A call
//! finds the grants that count at that moment, looks only at what these are about, and is on the record, durably,
//! before its answer leaves; so is a refusal. What is outside a grant and what does not exist are answered alike.
//! Source: spec/consent.md, rules CNS-4 to CNS-9; spec/audit-events.md, LOG-12.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard};

use aura_protocol::id::{GrantId, RecordId};

use super::{AttachmentInfo, GateError};
use crate::audit::{Action, Event, Outcome};
use crate::db::Row;
use crate::document::{self, Parts};
use crate::feed::Bar;
use crate::grant::client;
use crate::grant::pace::{Calls, Pace, Refusals};
use crate::grant::{Assistant, Grant, Right};
use crate::open::{Open, lock};
use crate::record::{Category, Fields, Kind};
use crate::search::{self, Query, Scope, Typing};
use crate::vault::{Unlocked, Vault};
use crate::view;

/// The most records that one answer has.
pub const ANSWER_MAX: usize = 100;
/// The name under which a grant's fields let attachments be named.
pub const ATTACHMENTS: &str = "attachments";

/// The principal of whoever comes under a name that nobody was connected under.
const STRANGER: &str = "assistant";

/// A record as a grant shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Its id.
    pub id: RecordId,
    /// Its kind.
    pub kind: Kind,
    /// Its category.
    pub category: Category,
    /// When it happened, in milliseconds since 1970.
    pub time_ms: i64,
    /// What a person calls it, if that is shown.
    pub title: String,
    /// Of its fields, those that are shown.
    pub fields: Fields,
    /// Its attachments, without their bytes.
    pub attachments: Vec<AttachmentInfo>,
    /// Which format it was imported from.
    pub source: Option<String>,
    /// Whether all of its fields are shown.
    pub is_whole: bool,
}

/// A record that was found, and the passage that shows why.
#[derive(Debug, Clone, PartialEq)]
pub struct Excerpt {
    /// Which record.
    pub id: RecordId,
    /// Its kind.
    pub kind: Kind,
    /// Its category.
    pub category: Category,
    /// When it happened, in milliseconds since 1970.
    pub time_ms: i64,
    /// What a person calls it, if that is shown.
    pub title: String,
    /// The passage; empty where not all fields are shown.
    pub text: String,
    /// Which format it was imported from.
    pub source: Option<String>,
}

/// Records that were found, best or newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Excerpts {
    /// They.
    pub found: Vec<Excerpt>,
    /// Whether a limit of a grant kept some back.
    pub is_cut: bool,
}

/// An assistant's door to an open vault.
pub struct Guest {
    open: Arc<Open>,
    who: Assistant,
}

impl Vault<Unlocked> {
    /// The door for an assistant that shows its key; `program` is who holds it, where the system tells. The door keeps
    /// the vault's keys in memory until it is dropped.
    ///
    /// # Errors
    /// When it is not connected, by this key and to this program, or the vault fails.
    pub fn guest(
        &self,
        who: Assistant,
        key: &str,
        program: Option<&str>,
    ) -> Result<Guest, GateError> {
        let guest = Guest { open: Arc::clone(self.open()), who };
        // Held meanwhile: nobody else is let in, connected or sent away between looking and noting.
        let mut pace = lock(&guest.open.pace);
        let Some(client) = guest.open.client(&guest.who)? else {
            let why = GateError::NotConnected;
            return guest.refuse(&mut pace, (Action::Connect, None), Asker::Stranger, why);
        };
        let refuse = |why, pace: &mut Pace| {
            guest.refuse(pace, (Action::Connect, None), Asker::Assistant, why)
        };
        match client.hold(key, program) {
            client::Shown::Genuine => {}
            client::Shown::First(bound) => {
                let event = guest.event(Action::Connect, Outcome::Done);
                guest.open.note_client(&guest.who, Some(&bound), event)?;
            }
            client::Shown::WrongKey => refuse(GateError::NotConnected, &mut pace)?,
            client::Shown::OtherProgram => refuse(GateError::OtherProgram, &mut pace)?,
        }
        drop(pace);
        Ok(guest)
    }
}

/// Under whose name a refusal is on the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asker {
    /// An assistant that was connected.
    Assistant,
    /// Somebody under a name that nobody has: such names are without number.
    Stranger,
}

/// The grants that allow a call, and what is left of each. Calls follow one another: two at once would not see what the
/// other one uses up.
struct Permit<'a> {
    allowed: Vec<(Grant, u64)>,
    used: BTreeMap<GrantId, (u64, BTreeSet<Category>)>,
    is_cut: bool,
    now_ms: i64,
    pace: MutexGuard<'a, Pace>,
}

impl Permit<'_> {
    fn scope(&self) -> Scope {
        Scope::any(self.allowed.iter().map(|(grant, _)| grant.terms.scope()))
    }

    /// The grant under which a record is shown: of those that show most of it, the oldest that is not used up.
    fn take(&mut self, row: &Row) -> Option<Grant> {
        let covers = |grant: &Grant| grant.terms.covers(row.category, row.kind(), row.time_ms);
        let mut covering: Vec<_> =
            self.allowed.iter_mut().filter(|(grant, _)| covers(grant)).collect();
        let is_outside = covering.is_empty();
        covering.sort_by_key(|(grant, _)| !grant.terms.shows_all());
        let Some((grant, left)) = covering.into_iter().find(|(_, left)| *left > 0) else {
            self.is_cut |= !is_outside;
            return None;
        };
        *left = left.saturating_sub(1);
        let (count, categories) = self.used.entry(grant.id).or_default();
        *count = count.saturating_add(1);
        categories.insert(row.category);
        Some(grant.clone())
    }
}

impl Guest {
    /// Who it is for.
    pub fn who(&self) -> &Assistant {
        &self.who
    }

    /// What was granted to this assistant and counts now. Not on the record: it is what the person told it.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn grants(&self) -> Result<Vec<Grant>, GateError> {
        let now_ms = self.open.grant_ms();
        let is_own = |grant: &Grant| grant.to == self.who && grant.is_active(now_ms);
        Ok(self.open.grants()?.all.into_iter().filter(is_own).collect())
    }

    /// Records that answer a search best, at most `limit`; the newest, if it asks for no words.
    ///
    /// # Errors
    /// When the search is not understood, nothing that was granted allows it, or the vault fails.
    pub fn search(&self, text: &str, limit: usize) -> Result<Excerpts, GateError> {
        let mut permit = self.permit(Right::Search, Action::Search)?;
        let query = self.query(&mut permit, text, Action::Search)?;
        let hits = self.open.search(&query, &permit.scope(), limit.min(ANSWER_MAX))?;
        let mut found = Vec::with_capacity(hits.len());
        for hit in hits {
            // The index may know a record as it was before the last commit.
            let Some(row) = self.open.peek_row(hit.id)?.filter(|row| row.state.is_live()) else {
                continue;
            };
            if let Some(grant) = permit.take(&row) {
                found.push(excerpt(row, &grant, &query));
            }
        }
        let is_cut = permit.is_cut;
        self.settle(permit, Action::Search)?;
        Ok(Excerpts { found, is_cut })
    }

    /// A record.
    ///
    /// # Errors
    /// When it is not among what was granted, or not there at all, which is the same; or the vault fails.
    pub fn get(&self, id: RecordId) -> Result<Shown, GateError> {
        let mut permit = self.permit(Right::Read, Action::Read)?;
        let row = self.open.peek_row(id)?.filter(|row| row.state.is_live());
        let Some(row) = row else {
            return self.turn_down(&mut permit, (Action::Read, None), GateError::NotShown);
        };
        let Some(grant) = permit.take(&row) else {
            let why = if permit.is_cut { GateError::UsedUp } else { GateError::NotShown };
            return self.turn_down(&mut permit, (Action::Read, Some(row.category)), why);
        };
        self.settle(permit, Action::Read)?;
        Ok(shown(row, &grant))
    }

    /// How many records answer a search, of those that may be counted.
    ///
    /// # Errors
    /// When the search is not understood, nothing that was granted allows it, or the vault fails.
    pub fn count(&self, text: &str) -> Result<u64, GateError> {
        let mut permit = self.permit(Right::Count, Action::Count)?;
        let query = self.query(&mut permit, text, Action::Count)?;
        let count = self.open.count(&query, &permit.scope())?;
        self.settle(permit, Action::Count)?;
        Ok(count)
    }

    /// Notes that a connection that was opened for an assistant asks for what only the person may.
    ///
    /// # Errors
    /// That it is refused; or the vault fails.
    pub fn turn_away(&self) -> Result<(), GateError> {
        let why = GateError::Refused("an assistant");
        self.refuse(&mut lock(&self.open.pace), (Action::Connect, None), Asker::Assistant, why)
    }

    /// The grants that count for this assistant and a right at this moment.
    fn permit(&self, right: Right, action: Action) -> Result<Permit<'_>, GateError> {
        let mut pace = lock(&self.open.pace);
        let mut refuse = |why| {
            self.refuse(&mut pace, (action, None), Asker::Assistant, why).map(|()| Vec::new())
        };
        let now_ms = self.open.grant_ms();
        let grants = self.open.grants()?.of(&self.who, right, now_ms);
        // What is not on the record is not shown.
        let grants = if lock(&self.open.pen).bar() != Bar::None {
            refuse(GateError::Refused("assistants on this device"))?
        } else if grants.is_empty() {
            refuse(GateError::NotGranted(right))?
        } else {
            grants
        };
        if pace.call(&self.who, now_ms) == Calls::TooMany {
            self.refuse::<()>(&mut pace, (action, None), Asker::Assistant, GateError::TooMany)?;
        }
        let mut allowed = Vec::with_capacity(grants.len());
        for grant in grants {
            let spent = self.open.spent(grant.id)?;
            let in_all = grant.terms.records.map_or(u64::MAX, |most| most.saturating_sub(spent));
            let at_once = grant.terms.rate.map(|rate| pace.left(grant.id, rate, now_ms));
            allowed.push((grant, in_all.min(at_once.unwrap_or(u64::MAX))));
        }
        let mut permit = Permit { allowed, used: BTreeMap::new(), is_cut: false, now_ms, pace };
        if permit.allowed.iter().all(|(_, left)| *left == 0) {
            self.turn_down::<()>(&mut permit, (action, None), GateError::UsedUp)?;
        }
        if right != Right::Read {
            // Whether there is something that a used up grant would show is not answered either.
            let all = permit.allowed.len();
            permit.allowed.retain(|(_, left)| *left > 0);
            permit.is_cut = permit.allowed.len() < all;
        }
        Ok(permit)
    }

    /// What is asked, of the grants that allow to ask it: who may see some fields only may not find out by searching what
    /// the others say.
    fn query(
        &self,
        permit: &mut Permit<'_>,
        text: &str,
        action: Action,
    ) -> Result<Query, GateError> {
        let query = match Query::parse(text, Typing::Done) {
            Ok(query) => query,
            Err(error) => return self.turn_down(permit, (action, None), error.into()),
        };
        if query.asks_about_content() {
            permit.allowed.retain(|(grant, _)| grant.terms.shows_all());
        }
        if permit.allowed.is_empty() {
            let why = if permit.is_cut { GateError::UsedUp } else { GateError::FieldsOnly };
            return self.turn_down(permit, (action, None), why);
        }
        Ok(query)
    }

    /// Puts on the record what a call has shown, before anybody sees it.
    fn settle(&self, mut permit: Permit<'_>, action: Action) -> Result<(), GateError> {
        let event = |grant: GrantId, count, categories: &BTreeSet<Category>| Event {
            categories: categories.iter().copied().collect(),
            count,
            grant: grant.to_string(),
            ..self.event(action, Outcome::Done)
        };
        let used = permit.used.iter();
        let mut events: Vec<_> =
            used.map(|(grant, (count, categories))| event(*grant, *count, categories)).collect();
        if events.is_empty() {
            let first = permit.allowed.first();
            events.extend(first.map(|(grant, _)| event(grant.id, 0, &grant.terms.categories)));
        }
        self.open.record(events)?;
        let Permit { allowed, used, now_ms, pace, .. } = &mut permit;
        for (grant, _) in allowed.iter().filter(|(grant, _)| grant.terms.rate.is_some()) {
            if let Some((count, _)) = used.get(&grant.id) {
                pace.add(grant.id, *now_ms, *count);
            }
        }
        Ok(())
    }

    fn turn_down<T>(
        &self,
        permit: &mut Permit<'_>,
        what: (Action, Option<Category>),
        why: GateError,
    ) -> Result<T, GateError> {
        self.refuse(&mut permit.pace, what, Asker::Assistant, why)
    }

    /// Puts a refusal on the record, and says it. Many of them are counted together within the second: nobody hides one
    /// among a hundred thousand.
    fn refuse<T>(
        &self,
        pace: &mut Pace,
        (action, category): (Action, Option<Category>),
        asker: Asker,
        why: GateError,
    ) -> Result<T, GateError> {
        let who = Some(&self.who).filter(|_| asker == Asker::Assistant);
        let principal = who.map_or(STRANGER, Assistant::principal);
        match pace.refuse(who, self.open.grant_ms()) {
            Refusals::Few => {
                let categories = category.into_iter().collect();
                let principal = principal.to_owned();
                let refused = self.event(action, Outcome::Refused);
                self.open.record(vec![Event { principal, categories, ..refused }])?;
                Err(why)
            }
            Refusals::Many => {
                lock(&self.open.reads).refuse(principal, action, category);
                Err(GateError::TooMany)
            }
        }
    }

    fn event(&self, action: Action, outcome: Outcome) -> Event {
        Event {
            time_ms: self.open.clock.now_ms(),
            principal: self.who.principal().to_owned(),
            action,
            outcome,
            categories: Vec::new(),
            count: 1,
            grant: String::new(),
        }
    }
}

fn shown(row: Row, grant: &Grant) -> Shown {
    let terms = &grant.terms;
    let shows = |name: &str| terms.fields.as_ref().is_none_or(|fields| fields.contains(name));
    let attachments = if shows(ATTACHMENTS) { AttachmentInfo::all(&row) } else { Vec::new() };
    let (id, kind, category, time_ms) = (row.id, row.kind(), row.category, row.time_ms);
    let source = view::text(&row.state, view::SOURCE);
    let mut fields = row.state.into_fields();
    terms.show(&mut fields);
    let (title, is_whole) = (document::title(&fields), terms.shows_all());
    Shown { id, kind, category, time_ms, title, fields, attachments, source, is_whole }
}

fn excerpt(row: Row, grant: &Grant, query: &Query) -> Excerpt {
    let text = if grant.terms.shows_all() {
        let parts = Parts::of(&row);
        let text = if parts.body.is_empty() { &parts.title } else { &parts.body };
        search::snippet(text, query).text
    } else {
        String::new()
    };
    let Shown { id, kind, category, time_ms, title, source, .. } = shown(row, grant);
    Excerpt { id, kind, category, time_ms, title, text, source }
}
