// SPDX-License-Identifier: MIT OR Apache-2.0
//! Boxes of devices that pair, where every node finds them. Times are the database's. Source: spec/http.md, rule HTP-15.

use std::sync::Arc;

use aura_protocol::http::{PairingMessage, ProblemKind};
use aura_protocol::id::{PairingBox, VaultId};
use aura_protocol::pairing::Step;
use aura_protocol::store::StoreError;
use aura_store::postgres::{Asking, Database, Row};

use super::accounts::bytes;
use crate::boxes::{BOXES_MAX, BoxError, LIFE, Mail, Said, VAULT_BOXES_MAX, may_open};

const BROKEN: StoreError = StoreError::Damaged("a row of the table of boxes");

/// Lets go of those whose time is over.
const OVER: &str = concat!("DELETE FROM boxes WHERE until_ms <= ", clock!());

/// The boxes of all nodes.
#[derive(Debug)]
pub(super) struct SharedBoxes {
    database: Arc<Database>,
}

impl SharedBoxes {
    pub(super) fn new(database: Arc<Database>) -> Self {
        Self { database }
    }

    /// The box, if it is there; nobody else puts anything into it until the end of the transaction.
    fn find(asking: &mut Asking<'_>, place: PairingBox) -> Result<Option<Said>, StoreError> {
        let sql = concat!(
            "SELECT vault, offered, answered, granted, done FROM boxes
             WHERE place = $1 AND until_ms > ",
            clock!(),
            " FOR UPDATE"
        );
        let rows = asking.query(sql, &[&&place.0[..]])?;
        rows.first().map(|row| opened(row).ok_or(BROKEN)).transpose()
    }

    fn open(
        asking: &mut Asking<'_>,
        (place, vault): (PairingBox, VaultId),
        offer: &PairingMessage,
    ) -> Result<(), BoxError> {
        // One device of a vault after the other, so that it has no more than it may.
        let sql = "SELECT vault FROM accounts WHERE vault = $1 FOR UPDATE";
        asking.query(sql, &[&&vault.0[..]])?;
        asking.change(OVER, &[])?;
        let sql = "SELECT count(*) FILTER (WHERE vault = $1), count(*) FROM boxes";
        let rows = asking.query(sql, &[&&vault.0[..]])?;
        let count = |at| {
            let count = rows.first().and_then(|row| row.try_get::<_, i64>(at).ok());
            count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX)
        };
        if count(0) >= VAULT_BOXES_MAX {
            return Err(ProblemKind::SlowDown.into());
        }
        if count(1) >= BOXES_MAX {
            return Err(ProblemKind::Busy.into());
        }
        let life = i64::try_from(LIFE.as_millis()).unwrap_or(i64::MAX);
        let sql = concat!(
            "INSERT INTO boxes (place, vault, until_ms, offered) VALUES ($1, $2, $3 + ",
            clock!(),
            ", $4) ON CONFLICT DO NOTHING"
        );
        let values: [&[u8]; 2] = [&place.0, &vault.0];
        let made = asking.change(sql, &[&values[0], &values[1], &life, &offer.0])?;
        if made == 0 { Err(ProblemKind::Taken.into()) } else { Ok(()) }
    }
}

impl Mail for SharedBoxes {
    fn put(
        &self,
        (place, by): (PairingBox, VaultId),
        step: Step,
        message: PairingMessage,
    ) -> Result<(), BoxError> {
        self.database.ask_in_one(|asking| {
            let Some(mut found) = Self::find(asking, place)? else {
                may_open(step)?;
                return Self::open(asking, (place, by), &message);
            };
            found.put(by, step, message)?;
            Ok(keep(asking, place, &found)?)
        })
    }

    fn answer(
        &self,
        place: PairingBox,
        step: Step,
        message: PairingMessage,
    ) -> Result<(), BoxError> {
        self.database.ask_in_one(|asking| {
            let mut found = Self::find(asking, place)?.ok_or(ProblemKind::Absent)?;
            found.answer(step, message)?;
            Ok(keep(asking, place, &found)?)
        })
    }

    fn take(&self, place: PairingBox, step: Step) -> Result<Option<PairingMessage>, BoxError> {
        let sql = concat!(
            "SELECT vault, offered, answered, granted, done FROM boxes
             WHERE place = $1 AND until_ms > ",
            clock!()
        );
        let rows = self.database.ask::<_, StoreError>(|asking| asking.query(sql, &[&&place.0[..]]));
        let rows = rows?;
        let row = rows.first().ok_or(ProblemKind::Absent)?;
        Ok(opened(row).ok_or(BROKEN)?.at(step))
    }

    fn close(&self, place: PairingBox, by: VaultId) -> Result<(), BoxError> {
        let sql = "DELETE FROM boxes WHERE place = $1 AND vault = $2";
        let values: [&[u8]; 2] = [&place.0, &by.0];
        self.database.ask(|asking| Ok(asking.change(sql, &[&values[0], &values[1]]).map(drop)?))
    }

    fn sweep(&self) -> Result<(), StoreError> {
        self.database.ask(|asking| asking.change(OVER, &[]).map(drop))
    }
}

fn opened(row: &Row) -> Option<Said> {
    let at = |at| {
        let message: Option<&[u8]> = row.try_get(at).ok()?;
        Some(message.map(|message| PairingMessage(message.to_vec())))
    };
    let vault = VaultId::from_slice(bytes(row, 0)?)?;
    Some(Said { vault, said: [at(1)?, at(2)?, at(3)?, at(4)?] })
}

fn keep(asking: &mut Asking<'_>, place: PairingBox, found: &Said) -> Result<(), StoreError> {
    let sql = "UPDATE boxes SET offered = $2, answered = $3, granted = $4, done = $5
               WHERE place = $1";
    let [offered, answered, granted, done] =
        found.said.each_ref().map(|said| said.as_ref().map(|message| message.0.as_slice()));
    asking.change(sql, &[&&place.0[..], &offered, &answered, &granted, &done]).map(drop)
}
