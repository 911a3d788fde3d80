// SPDX-License-Identifier: MIT OR Apache-2.0
//! Accounts and invitations, in one SQLite file. Of a password only its OPAQUE record is kept.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aura_protocol::auth::AccountName;
use aura_protocol::auth::opaque::RECORD_BYTES;
use aura_protocol::http::Invitation;
use aura_protocol::id::{DeviceId, Hash, VaultId};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// "AurS" in ASCII.
const APPLICATION_ID: i64 = 0x4175_7253;
/// The newest version of the tables that this code knows.
const SCHEMA_VERSION: i64 = 1;

const TABLES: &str = "
CREATE TABLE accounts (
    vault BLOB PRIMARY KEY, name TEXT NOT NULL UNIQUE, record BLOB NOT NULL,
    device BLOB NOT NULL, transport BLOB NOT NULL,
    quota_bytes INTEGER, made_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE invitations (
    hash BLOB PRIMARY KEY, uses INTEGER NOT NULL, until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Why accounts could not be asked or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// The name or the vault has an account.
    #[error("this name or this vault has an account already")]
    Taken,
    /// There is no such account.
    #[error("there is no such account")]
    Absent,
    /// The invitation is none, is used up, or has run out.
    #[error("the invitation is none, is used up or has run out")]
    Uninvited,
    /// The file was written by a newer version, or is none of Aura's.
    #[error("accounts.db is of a newer version or none of Aura's; it was left as it is")]
    Foreign,
    /// The database failed.
    #[error("the accounts' database failed")]
    Database(#[from] rusqlite::Error),
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Whose data.
    pub vault: VaultId,
    /// Its name.
    pub name: AccountName,
    /// What OPAQUE checks a password against.
    pub record: [u8; RECORD_BYTES],
    /// The device that opened it.
    pub device: DeviceId,
    /// That device's transport key.
    pub transport: [u8; 32],
    /// A quota of its own, in bytes; 0 for no bound.
    pub quota_bytes: Option<u64>,
    /// When it was opened, in milliseconds since 1970.
    pub made_ms: i64,
}

/// Every account of a server.
#[derive(Debug)]
pub struct Accounts {
    connection: Mutex<Connection>,
}

impl Accounts {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// When it is not one, or of a newer version.
    pub fn open(path: &Path) -> Result<Self, AccountError> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(std::time::Duration::from_secs(10))?;
        connection.query_row("PRAGMA journal_mode=WAL", [], |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "trusted_schema", false)?;
        let number = |pragma: &str| {
            connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0))
        };
        match (number("application_id")?, number("user_version")?) {
            (APPLICATION_ID, SCHEMA_VERSION) => {}
            (0, 0) => {
                let transaction = connection.transaction()?;
                transaction.execute_batch(TABLES)?;
                transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
                transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
                transaction.commit()?;
            }
            _ => return Err(AccountError::Foreign),
        }
        Ok(Self { connection: Mutex::new(connection) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // SQLite rolls back what a panic cut short.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an account of this name could be opened with this invitation, where one is needed.
    ///
    /// # Errors
    /// When it could not, or the database fails.
    pub fn admit(
        &self,
        name: &AccountName,
        invitation: Option<&Invitation>,
        now_ms: i64,
    ) -> Result<(), AccountError> {
        let connection = self.connection();
        if let Some(invitation) = invitation {
            let sql = "SELECT 1 FROM invitations WHERE hash = ?1 AND uses > 0 AND until_ms > ?2";
            let found = connection.query_row(sql, params![hash(invitation), now_ms], |_| Ok(()));
            found.optional()?.ok_or(AccountError::Uninvited)?;
        }
        let sql = "SELECT 1 FROM accounts WHERE name = ?1";
        match connection.query_row(sql, [name.as_str()], |_| Ok(())).optional()? {
            Some(()) => Err(AccountError::Taken),
            None => Ok(()),
        }
    }

    /// Opens an account, and takes one use of the invitation, in one transaction.
    ///
    /// # Errors
    /// When name or vault has one, the invitation does not count, or the database fails.
    pub fn open_account(
        &self,
        account: &Account,
        invitation: Option<&Invitation>,
    ) -> Result<(), AccountError> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        if let Some(invitation) = invitation {
            let sql = "UPDATE invitations SET uses = uses - 1
                WHERE hash = ?1 AND uses > 0 AND until_ms > ?2";
            if transaction.execute(sql, params![hash(invitation), account.made_ms])? == 0 {
                return Err(AccountError::Uninvited);
            }
        }
        let sql =
            "INSERT INTO accounts (vault, name, record, device, transport, quota_bytes, made_ms)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";
        let quota = account.quota_bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        let row = params![
            &account.vault.0[..],
            account.name.as_str(),
            &account.record[..],
            &account.device.0[..],
            &account.transport[..],
            quota,
            account.made_ms
        ];
        if transaction.execute(sql, row)? == 0 {
            return Err(AccountError::Taken);
        }
        Ok(transaction.commit()?)
    }

    /// The account of this name.
    ///
    /// # Errors
    /// When the database fails.
    pub fn named(&self, name: &AccountName) -> Result<Option<Account>, AccountError> {
        let sql = format!("{SELECT} WHERE name = ?1");
        Ok(self.connection().query_row(&sql, [name.as_str()], account).optional()?)
    }

    /// The account of this vault.
    ///
    /// # Errors
    /// When the database fails.
    pub fn of_vault(&self, vault: VaultId) -> Result<Option<Account>, AccountError> {
        let sql = format!("{SELECT} WHERE vault = ?1");
        Ok(self.connection().query_row(&sql, [&vault.0[..]], account).optional()?)
    }

    /// Every account, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub fn all(&self) -> Result<Vec<Account>, AccountError> {
        let connection = self.connection();
        let mut statement = connection.prepare(&format!("{SELECT} ORDER BY name"))?;
        let rows = statement.query_map([], account)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Puts another record in the place of an account's.
    ///
    /// # Errors
    /// When there is no such account, or the database fails.
    pub fn replace_record(
        &self,
        vault: VaultId,
        record: &[u8; RECORD_BYTES],
    ) -> Result<(), AccountError> {
        let sql = "UPDATE accounts SET record = ?2 WHERE vault = ?1";
        self.change(sql, params![&vault.0[..], &record[..]])
    }

    /// Gives an account a quota of its own, or the server's again.
    ///
    /// # Errors
    /// When there is no such account, or the database fails.
    pub fn allow(&self, name: &AccountName, quota: Option<u64>) -> Result<(), AccountError> {
        let quota = quota.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        let sql = "UPDATE accounts SET quota_bytes = ?2 WHERE name = ?1";
        self.change(sql, params![name.as_str(), quota])
    }

    /// Lets go of an account. What is kept of its vault is not touched.
    ///
    /// # Errors
    /// When there is no such account, or the database fails.
    pub fn close(&self, vault: VaultId) -> Result<(), AccountError> {
        self.change("DELETE FROM accounts WHERE vault = ?1", params![&vault.0[..]])
    }

    /// Keeps an invitation for so many accounts, until a time.
    ///
    /// # Errors
    /// When the database fails.
    pub fn invite(
        &self,
        invitation: &Invitation,
        uses: u32,
        until_ms: i64,
    ) -> Result<(), AccountError> {
        let sql = "INSERT OR REPLACE INTO invitations (hash, uses, until_ms) VALUES (?1, ?2, ?3)";
        self.change(sql, params![hash(invitation), uses, until_ms])
    }

    /// Whether there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub fn is_empty(&self) -> Result<bool, AccountError> {
        let sql = "SELECT count(*) FROM accounts";
        Ok(self.connection().query_row(sql, [], |row| row.get::<_, i64>(0))? == 0)
    }

    /// Copies the file, whole, while the server may be writing to it.
    ///
    /// # Errors
    /// When the copy cannot be written.
    pub fn back_up(&self, to: &Path) -> Result<(), AccountError> {
        let mut copy = Connection::open(to)?;
        let connection = self.connection();
        rusqlite::backup::Backup::new(&connection, &mut copy)?.step(-1)?;
        Ok(())
    }

    /// Whether the database is sound.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn is_sound(&self) -> Result<bool, AccountError> {
        let connection = self.connection();
        let told: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        Ok(told == "ok")
    }

    fn change(&self, sql: &str, row: impl rusqlite::Params) -> Result<(), AccountError> {
        if self.connection().execute(sql, row)? == 0 { Err(AccountError::Absent) } else { Ok(()) }
    }
}

const SELECT: &str =
    "SELECT vault, name, record, device, transport, quota_bytes, made_ms FROM accounts";

/// What is kept of an invitation: who reads the file cannot use it.
fn hash(invitation: &Invitation) -> [u8; 32] {
    Hash::of(&[invitation.as_str().as_bytes()]).0
}

fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    let broken = |at| {
        rusqlite::Error::InvalidColumnType(at, "bytes".to_owned(), rusqlite::types::Type::Blob)
    };
    let name: String = row.get(1)?;
    let quota: Option<i64> = row.get(5)?;
    Ok(Account {
        vault: VaultId(row.get(0)?),
        name: AccountName::parse(&name).map_err(|_| broken(1))?,
        record: row.get::<_, Vec<u8>>(2)?.try_into().map_err(|_| broken(2))?,
        device: DeviceId(row.get(3)?),
        transport: row.get(4)?,
        quota_bytes: quota.map(|bytes| u64::try_from(bytes).unwrap_or_default()),
        made_ms: row.get(6)?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    fn an_account(name: &str, vault: u8) -> Account {
        Account {
            vault: VaultId([vault; 32]),
            name: AccountName::parse(name).unwrap(),
            record: [3; RECORD_BYTES],
            device: DeviceId([4; 16]),
            transport: [5; 32],
            quota_bytes: None,
            made_ms: 6,
        }
    }

    /// ACC-10: one name, one vault, one account.
    #[test]
    fn neither_name_nor_vault_has_two_accounts() {
        let folder = tempfile::tempdir().unwrap();
        let accounts = Accounts::open(&folder.path().join("accounts.db")).unwrap();
        let ada = an_account("ada", 1);
        accounts.open_account(&ada, None).unwrap();
        for other in [an_account("ada", 2), an_account("bo", 1)] {
            assert!(matches!(accounts.open_account(&other, None), Err(AccountError::Taken)));
        }
        assert!(matches!(accounts.admit(&ada.name, None, 0), Err(AccountError::Taken)));
        drop(accounts);
        let accounts = Accounts::open(&folder.path().join("accounts.db")).unwrap();
        assert_eq!(accounts.named(&ada.name).unwrap().unwrap(), ada);
        assert_eq!(accounts.of_vault(ada.vault).unwrap().unwrap(), ada);
        accounts.close(ada.vault).unwrap();
        assert_eq!(accounts.named(&ada.name).unwrap(), None);
    }

    /// An invitation counts so often and so long; one that failed to open an account is not used up.
    #[test]
    fn an_invitation_is_used_up() {
        let folder = tempfile::tempdir().unwrap();
        let accounts = Accounts::open(&folder.path().join("accounts.db")).unwrap();
        let invitation = Invitation::parse("x7").unwrap();
        let uninvited = |done| assert!(matches!(done, Err(AccountError::Uninvited)));
        uninvited(accounts.open_account(&an_account("ada", 1), Some(&invitation)));
        accounts.invite(&invitation, 2, 100).unwrap();
        accounts.open_account(&an_account("ada", 1), Some(&invitation)).unwrap();
        let taken = accounts.open_account(&an_account("ada", 1), Some(&invitation));
        assert!(matches!(taken, Err(AccountError::Taken)));
        accounts.admit(&an_account("bo", 2).name, Some(&invitation), 99).unwrap();
        uninvited(accounts.admit(&an_account("bo", 2).name, Some(&invitation), 100));
        accounts.open_account(&an_account("bo", 2), Some(&invitation)).unwrap();
        uninvited(accounts.open_account(&an_account("cy", 3), Some(&invitation)));
    }

    #[test]
    fn a_file_of_a_newer_version_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts.db");
        drop(Accounts::open(&path).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 2).unwrap();
        assert!(matches!(Accounts::open(&path), Err(AccountError::Foreign)));
    }
}
