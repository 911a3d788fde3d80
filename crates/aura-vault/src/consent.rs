// SPDX-License-Identifier: MIT OR Apache-2.0
//! Grants of an open vault: what is given, what was ended, and how much of each was used up.
//!
//! Nothing here decides or records who may do it: that is `crate::gate`, the only caller. What was used up is counted
//! from the audit log as it is applied, on every device, so that building views anew forgets nothing.
//! Source: spec/consent.md, rules CNS-1, CNS-3 and CNS-6.

use aura_protocol::id::{CollectionId, GrantId};

use crate::audit::Event;
use crate::clock::physical_ms;
use crate::db::DbError;
use crate::feed::{Batch, Commit};
use crate::grant::client::Client;
use crate::grant::{Assistant, Grant, Grants, Terms};
use crate::op::{Change, Op};
use crate::open::{Open, OpenError, lock};

impl Open {
    /// Every grant that is known here.
    pub(crate) fn grants(&self) -> Result<Grants, DbError> {
        let mut facts = Vec::new();
        for prefix in Grants::PREFIXES {
            facts.extend(self.first.db.facts(prefix)?);
        }
        Ok(Grants::read(facts))
    }

    /// How many records were shown under a grant.
    pub(crate) fn spent(&self, grant: GrantId) -> Result<u64, DbError> {
        self.first.db.spent(grant)
    }

    /// The time that grants are held against: a clock that was set back makes none of them last longer.
    pub(crate) fn grant_ms(&self) -> i64 {
        physical_ms(lock(&self.pen).last_clock()).max(self.clock.now_ms())
    }

    /// Grants something. The event gets the grant's id.
    pub(crate) fn give(
        &self,
        to: Assistant,
        terms: Terms,
        event: Event,
    ) -> Result<Grant, OpenError> {
        let mut id = [0; GrantId::LEN];
        self.with_entropy(|entropy| entropy.fill(&mut id));
        let (id, made_ms) = (GrantId(id), self.grant_ms());
        let grant = Grant { id, to, made_ms, terms, ended_ms: None };
        self.state_fact(grant.fact(), Event { grant: id.to_string(), ..event })?;
        Ok(grant)
    }

    /// Ends a grant, for ever.
    pub(crate) fn end_grant(&self, id: GrantId, event: Event) -> Result<(), OpenError> {
        let fact = Grant::end_fact(id, self.grant_ms());
        self.state_fact(fact, Event { grant: id.to_string(), ..event })
    }

    /// What is known of an assistant's client on this device.
    pub(crate) fn client(&self, who: &Assistant) -> Result<Option<Client>, DbError> {
        let value = self.first.db.fact(&Client::name(self.own, who))?;
        Ok(value.and_then(|value| Client::read(&value)))
    }

    /// The assistants that are connected on this device.
    pub(crate) fn clients(&self) -> Result<Vec<(Assistant, Client)>, DbError> {
        let prefix = Client::prefix(self.own);
        let facts = self.first.db.facts(&prefix)?.into_iter();
        let client = |(name, value): (String, String)| {
            Some((Assistant::new(name.strip_prefix(&prefix)?)?, Client::read(&value)?))
        };
        Ok(facts.filter_map(client).collect())
    }

    /// Notes what is known of an assistant's client from now on.
    pub(crate) fn note_client(
        &self,
        who: &Assistant,
        client: Option<&Client>,
        event: Event,
    ) -> Result<(), OpenError> {
        self.state_fact((Client::name(self.own, who), Client::value(client)), event)
    }

    fn state_fact(&self, (name, value): (String, String), event: Event) -> Result<(), OpenError> {
        self.write(|pen| {
            let clock = pen.tick(self.clock.now_ms());
            let op = Op { clock, author: String::new(), change: Change::Fact { name, value } };
            let collection = CollectionId::ROOT;
            let batch = Batch { collection, ops: vec![op], added: Vec::new(), dropped: Vec::new() };
            Ok((Commit { batches: vec![batch], events: vec![event], ..Commit::default() }, ()))
        })
        .map(drop)
    }
}
