// SPDX-License-Identifier: MIT OR Apache-2.0
//! Accounts and invitations in the database that all nodes share.

use std::sync::Arc;

use aura_protocol::auth::AccountName;
use aura_protocol::auth::login::RECORD_BYTES;
use aura_protocol::codec::{Decode as _, Encode as _};
use aura_protocol::http::Invitation;
use aura_protocol::id::{DeviceId, VaultId};
use aura_protocol::store::StoreError;
use aura_store::postgres::{Database, Row};

use crate::accounts::{Account, AccountBook, AccountError, LISTING_BYTES_MAX, hash};
use crate::listing::Listing;

/// Every account of a service.
#[derive(Debug)]
pub(crate) struct SharedAccounts(pub(super) Arc<Database>);

/// How often other nodes may be faster with a list of devices.
const LISTINGS_MAX: usize = 8;

const BROKEN: AccountError =
    AccountError::Store(StoreError::Damaged("a row of the table of accounts"));

impl AccountBook for SharedAccounts {
    fn admit(
        &self,
        name: &AccountName,
        invitation: Option<&Invitation>,
        now_ms: i64,
    ) -> Result<(), AccountError> {
        self.0.ask(|asking| {
            if let Some(invitation) = invitation {
                let sql = "SELECT hash FROM invitations
                           WHERE hash = $1 AND uses > 0 AND until_ms > $2";
                let found = asking.query(sql, &[&&hash(invitation)[..], &now_ms])?;
                found.first().ok_or(AccountError::Uninvited)?;
            }
            let sql = "SELECT vault FROM accounts WHERE name = $1";
            let found = asking.query(sql, &[&name.as_str()])?;
            if found.is_empty() { Ok(()) } else { Err(AccountError::Taken) }
        })
    }

    fn open_account(
        &self,
        (account, listing): (&Account, &Listing),
        invitation: Option<&Invitation>,
    ) -> Result<(), AccountError> {
        self.0.ask_in_one(|asking| {
            if let Some(invitation) = invitation {
                let sql = "UPDATE invitations SET uses = uses - 1
                           WHERE hash = $1 AND uses > 0 AND until_ms > $2";
                let hash = hash(invitation);
                if asking.change(sql, &[&&hash[..], &account.made_ms])? == 0 {
                    return Err(AccountError::Uninvited);
                }
            }
            let sql = "INSERT INTO accounts
                       (vault, name, record, device, transport, quota_bytes, made_ms, listing)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
            let quota = account.quota_bytes.map(stored);
            let made = asking.change(
                sql,
                &[
                    &&account.vault.0[..],
                    &account.name.as_str(),
                    &&account.record[..],
                    &&account.device.0[..],
                    &&account.transport[..],
                    &quota,
                    &account.made_ms,
                    &listing.to_bytes(),
                ],
            )?;
            if made == 0 {
                return Err(AccountError::Taken);
            }
            // Looked at last: whoever closed the account that was in the way has noted it by then.
            let sql = "SELECT vault FROM closing WHERE vault = $1";
            let noted = asking.query(sql, &[&&account.vault.0[..]])?;
            if noted.is_empty() { Ok(()) } else { Err(AccountError::Closing) }
        })
    }

    fn listing(&self, vault: VaultId) -> Result<Listing, AccountError> {
        let sql = "SELECT listing FROM accounts WHERE vault = $1";
        let rows =
            self.0.ask::<_, AccountError>(|asking| Ok(asking.query(sql, &[&&vault.0[..]])?))?;
        let Some(row) = rows.first() else { return Ok(Listing::default()) };
        let kept = bytes(row, 0).ok_or(BROKEN)?;
        Listing::from_bytes(kept, LISTING_BYTES_MAX).map_err(|_| BROKEN)
    }

    fn keep_listing(
        &self,
        vault: VaultId,
        (was, listing): (&Listing, &Listing),
    ) -> Result<(), AccountError> {
        let sql = "UPDATE accounts SET listing = $2 WHERE vault = $1 AND listing = $3";
        let (now, mut was) = (listing.to_bytes(), was.to_bytes());
        for _ in 0..LISTINGS_MAX {
            let kept = self.0.ask::<_, AccountError>(|asking| {
                Ok(asking.change(sql, &[&&vault.0[..], &now, &was])?)
            })?;
            if kept > 0 {
                return Ok(());
            }
            if self.of_vault(vault)?.is_none() {
                return Err(AccountError::Absent);
            }
            // Another node has kept another one meanwhile. That stays where it was judged from what this one was not; one
            // that was judged from less may lack who is out since.
            let found = self.listing(vault)?;
            if found == *listing || !listing.covers(&found) {
                return Ok(());
            }
            was = found.to_bytes();
        }
        Err(AccountError::Store(StoreError::SlowDown(1)))
    }

    fn named(&self, name: &AccountName) -> Result<Option<Account>, AccountError> {
        let sql = "SELECT vault, name, record, device, transport, quota_bytes, made_ms
                   FROM accounts WHERE name = $1";
        let rows =
            self.0.ask::<_, AccountError>(|asking| Ok(asking.query(sql, &[&name.as_str()])?))?;
        rows.first().map(|row| account(row).ok_or(BROKEN)).transpose()
    }

    fn of_vault(&self, vault: VaultId) -> Result<Option<Account>, AccountError> {
        let sql = "SELECT vault, name, record, device, transport, quota_bytes, made_ms
                   FROM accounts WHERE vault = $1";
        let rows =
            self.0.ask::<_, AccountError>(|asking| Ok(asking.query(sql, &[&&vault.0[..]])?))?;
        rows.first().map(|row| account(row).ok_or(BROKEN)).transpose()
    }

    fn all(&self) -> Result<Vec<Account>, AccountError> {
        let sql = "SELECT vault, name, record, device, transport, quota_bytes, made_ms
                   FROM accounts ORDER BY name COLLATE \"C\"";
        let rows = self.0.ask::<_, AccountError>(|asking| Ok(asking.query(sql, &[])?))?;
        rows.iter().map(|row| account(row).ok_or(BROKEN)).collect()
    }

    fn replace_record(
        &self,
        vault: VaultId,
        record: &[u8; RECORD_BYTES],
    ) -> Result<(), AccountError> {
        let sql = "UPDATE accounts SET record = $2 WHERE vault = $1";
        self.0.ask(|asking| found(asking.change(sql, &[&&vault.0[..], &&record[..]])?))
    }

    fn allow(&self, name: &AccountName, quota: Option<u64>) -> Result<(), AccountError> {
        let sql = "UPDATE accounts SET quota_bytes = $2 WHERE name = $1";
        let quota = quota.map(stored);
        self.0.ask(|asking| found(asking.change(sql, &[&name.as_str(), &quota])?))
    }

    fn close(&self, vault: VaultId) -> Result<(), AccountError> {
        self.0.ask_in_one(|asking| {
            found(asking.change("DELETE FROM accounts WHERE vault = $1", &[&&vault.0[..]])?)?;
            asking.change("UPDATE closed SET number = number + 1", &[])?;
            let sql = "INSERT INTO closing (vault, until) VALUES ($1, '-infinity')
                       ON CONFLICT (vault) DO UPDATE SET until = '-infinity'";
            asking.change(sql, &[&&vault.0[..]])?;
            Ok(())
        })
    }

    fn closed(&self) -> Result<i64, AccountError> {
        let sql = "SELECT number FROM closed";
        let rows = self.0.ask::<_, AccountError>(|asking| Ok(asking.query(sql, &[])?))?;
        rows.first().and_then(|row| row.try_get(0).ok()).ok_or(BROKEN)
    }

    fn invite(
        &self,
        invitation: &Invitation,
        uses: u32,
        until_ms: i64,
    ) -> Result<(), AccountError> {
        self.keep_invitation(hash(invitation), i64::from(uses), until_ms)
    }

    fn is_empty(&self) -> Result<bool, AccountError> {
        let sql = "SELECT vault FROM accounts LIMIT 1";
        self.0.ask(|asking| Ok(asking.query(sql, &[])?.is_empty()))
    }

    fn invitations(&self) -> Result<Vec<([u8; 32], i64, i64)>, AccountError> {
        let sql = "SELECT hash, uses, until_ms FROM invitations ORDER BY hash";
        let rows = self.0.ask::<_, AccountError>(|asking| Ok(asking.query(sql, &[])?))?;
        let one = |row: &Row| {
            let hash = bytes(row, 0)?.try_into().ok()?;
            Some((hash, row.try_get(1).ok()?, row.try_get(2).ok()?))
        };
        rows.iter().map(|row| one(row).ok_or(BROKEN)).collect()
    }

    fn keep_invitation(
        &self,
        hash: [u8; 32],
        uses: i64,
        until_ms: i64,
    ) -> Result<(), AccountError> {
        let sql = "INSERT INTO invitations (hash, uses, until_ms) VALUES ($1, $2, $3)
                   ON CONFLICT (hash) DO UPDATE SET uses = excluded.uses,
                       until_ms = excluded.until_ms";
        self.0.ask(|asking| found(asking.change(sql, &[&&hash[..], &uses, &until_ms])?))
    }
}

fn found(rows: u64) -> Result<(), AccountError> {
    if rows == 0 { Err(AccountError::Absent) } else { Ok(()) }
}

fn stored(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

pub(super) fn bytes(row: &Row, at: usize) -> Option<&[u8]> {
    row.try_get(at).ok()
}

fn account(row: &Row) -> Option<Account> {
    let quota: Option<i64> = row.try_get(5).ok()?;
    Some(Account {
        vault: VaultId::from_slice(bytes(row, 0)?)?,
        name: AccountName::parse(row.try_get(1).ok()?).ok()?,
        record: bytes(row, 2)?.try_into().ok()?,
        device: DeviceId::from_slice(bytes(row, 3)?)?,
        transport: bytes(row, 4)?.try_into().ok()?,
        quota_bytes: quota.map(|bytes| u64::try_from(bytes).unwrap_or_default()),
        made_ms: row.try_get(6).ok()?,
    })
}
