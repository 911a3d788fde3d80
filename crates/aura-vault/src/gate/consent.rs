// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the owner grants to assistants, and takes back. Source: spec/consent.md, rules CNS-1 to CNS-3.

use aura_protocol::id::GrantId;
use zeroize::Zeroizing;

use super::{GateError, Session};
use crate::audit::{Action, Event};
use crate::grant::client::Client;
use crate::grant::{Assistant, Grant, Terms};
use crate::open::lock;

/// A grant, and how much of it was used up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The grant.
    pub grant: Grant,
    /// Whether it counts now.
    pub is_active: bool,
    /// Records that were shown under it, on all devices that were heard of.
    pub records: u64,
}

impl Session {
    /// Grants something to an assistant, on the record, on all devices.
    ///
    /// # Errors
    /// When the terms are no terms, or the vault fails.
    pub fn give(&self, to: &Assistant, terms: Terms) -> Result<Granted, GateError> {
        self.decide(Action::Grant)?;
        terms.check()?;
        let categories = terms.categories.iter().copied().collect();
        let event = Event { categories, ..self.event(Action::Grant, None, 1) };
        let grant = self.inside().give(to.clone(), terms, event)?;
        Ok(Granted { is_active: grant.is_active(self.inside().grant_ms()), grant, records: 0 })
    }

    /// Ends a grant. What was read under it stays read.
    ///
    /// # Errors
    /// When there is no such grant, it has ended, or the vault fails.
    pub fn end_grant(&self, id: GrantId) -> Result<Granted, GateError> {
        self.decide(Action::Ungrant)?;
        let known = self.inside().grants()?.all.into_iter().find(|grant| grant.id == id);
        let mut grant = known.ok_or(GateError::NoGrant)?;
        if grant.ended_ms.is_some() {
            return Err(GateError::NoGrant);
        }
        let categories = grant.terms.categories.iter().copied().collect();
        let event = Event { categories, ..self.event(Action::Ungrant, None, 1) };
        self.inside().end_grant(id, event)?;
        grant.ended_ms = Some(self.inside().grant_ms());
        Ok(Granted { records: self.inside().spent(id)?, grant, is_active: false })
    }

    /// Connects an assistant on this device: its key, which is shown this once. A key that it had before counts no more.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn connect(&self, who: &Assistant) -> Result<Zeroizing<String>, GateError> {
        self.decide(Action::Connect)?;
        let inside = self.inside();
        // Nobody is let in by the key before, meanwhile.
        let _turn = lock(&inside.pace);
        let (client, key) = inside.with_entropy(|entropy| Client::new(|bytes| entropy.fill(bytes)));
        inside.note_client(who, Some(&client), self.event(Action::Connect, None, 1))?;
        Ok(key)
    }

    /// Sends an assistant away from this device: its key counts no more. What was granted to it stays.
    ///
    /// # Errors
    /// When it was not connected, or the vault fails.
    pub fn disconnect(&self, who: &Assistant) -> Result<(), GateError> {
        self.decide(Action::Disconnect)?;
        let _turn = lock(&self.inside().pace);
        self.inside().client(who)?.ok_or(GateError::NotConnected)?;
        Ok(self.inside().note_client(who, None, self.event(Action::Disconnect, None, 1))?)
    }

    /// The assistants that are connected on this device, and the program of each, once one has come.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn connected(&self) -> Result<Vec<(Assistant, Option<String>)>, GateError> {
        self.decide(Action::Read)?;
        let clients = self.inside().clients()?.into_iter();
        Ok(clients.map(|(who, client)| (who, client.program)).collect())
    }

    /// Every grant, oldest first, and how many there are that this version does not understand.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn grants(&self) -> Result<(Vec<Granted>, u64), GateError> {
        self.decide(Action::Read)?;
        let now_ms = self.inside().grant_ms();
        let known = self.inside().grants()?;
        let granted = known.all.into_iter().map(|grant| {
            let records = self.inside().spent(grant.id)?;
            Ok(Granted { is_active: grant.is_active(now_ms), grant, records })
        });
        Ok((granted.collect::<Result<_, GateError>>()?, known.unknown))
    }
}
