// SPDX-License-Identifier: MIT OR Apache-2.0
//! Accounts in one SQLite file.

mod closing;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aura_protocol::auth::AccountName;
use aura_protocol::auth::login::RECORD_BYTES;
use aura_protocol::codec::{Decode as _, Encode as _};
use aura_protocol::http::Invitation;
use aura_protocol::id::{DeviceId, VaultId};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, Transaction, params};

use super::{Account, AccountBook, AccountError, LISTING_BYTES_MAX, hash};
use crate::listing::Listing;

/// "AurS" in ASCII.
const APPLICATION_ID: i64 = 0x4175_7253;
/// The newest version of the tables that this code knows.
const SCHEMA_VERSION: i64 = 3;
/// Connections that read.
const READERS: usize = 4;

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
/// What version 2 has beside them.
const LISTINGS: &str = "
CREATE TABLE listings (vault BLOB PRIMARY KEY, listing BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE closed (number INTEGER NOT NULL) STRICT;
INSERT INTO closed VALUES (0);
";

/// Every account of a server.
#[derive(Debug)]
pub struct Accounts {
    writer: Mutex<Connection>,
    /// Whoever reads waits for no write, and for few readers.
    readers: [Mutex<Connection>; READERS],
    turn: AtomicUsize,
}

impl Accounts {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// When it is not one, or of a newer version.
    pub fn open(path: &Path) -> Result<Self, AccountError> {
        let mut connection = connect(path)?;
        let version = version(&connection)?;
        if version < SCHEMA_VERSION {
            let transaction = connection.transaction()?;
            bring_up(&transaction, version)?;
            transaction.commit()?;
        }
        Self::of(path, connection)
    }

    /// Opens the file as it is, or makes it: one of an older version is the server's to change.
    ///
    /// # Errors
    /// As [`open`](Self::open), or when it is of an older version.
    pub fn open_as_is(path: &Path) -> Result<Self, AccountError> {
        if path.exists() && (1..SCHEMA_VERSION).contains(&version(&read_only(path)?)?) {
            return Err(AccountError::Older);
        }
        Self::open(path)
    }

    /// Whether a file is there, of accounts, and sound. Nothing of it is changed.
    ///
    /// # Errors
    /// When it is not one, is of a newer version, or cannot be read.
    pub fn look(path: &Path) -> Result<bool, AccountError> {
        let connection = read_only(path)?;
        version(&connection)?;
        let told: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        Ok(told == "ok")
    }

    fn of(path: &Path, connection: Connection) -> Result<Self, AccountError> {
        let reader = || {
            let reader = connect(path)?;
            reader.pragma_update(None, "query_only", true)?;
            Ok::<_, AccountError>(Mutex::new(reader))
        };
        let readers = [reader()?, reader()?, reader()?, reader()?];
        Ok(Self { writer: Mutex::new(connection), readers, turn: AtomicUsize::new(0) })
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        // SQLite rolls back what a panic cut short.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that nobody reads with just now, or the next one's turn.
    fn reader(&self) -> MutexGuard<'_, Connection> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % READERS;
        let (later, first) = self.readers.split_at(turn);
        let mut in_turn = first.iter().chain(later);
        let free = in_turn.clone().find_map(|reader| reader.try_lock().ok());
        match (free, in_turn.next()) {
            (Some(free), _) => free,
            (None, Some(next)) => next.lock().unwrap_or_else(PoisonError::into_inner),
            (None, None) => self.writer(),
        }
    }

    fn change(&self, sql: &str, row: impl rusqlite::Params) -> Result<(), AccountError> {
        if self.writer().execute(sql, row)? == 0 { Err(AccountError::Absent) } else { Ok(()) }
    }
}

impl AccountBook for Accounts {
    fn admit(
        &self,
        name: &AccountName,
        invitation: Option<&Invitation>,
        now_ms: i64,
    ) -> Result<(), AccountError> {
        let connection = self.reader();
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

    fn open_account(
        &self,
        (account, listing): (&Account, &Listing),
        invitation: Option<&Invitation>,
    ) -> Result<(), AccountError> {
        let mut connection = self.writer();
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
        if closing::is_noted(&transaction, account.vault)? {
            return Err(AccountError::Closing);
        }
        keep(&transaction, account.vault, listing)?;
        Ok(transaction.commit()?)
    }

    fn listing(&self, vault: VaultId) -> Result<Listing, AccountError> {
        let sql = "SELECT listing FROM listings WHERE vault = ?1";
        let row = |row: &Row<'_>| row.get::<_, Vec<u8>>(0);
        let kept = self.reader().query_row(sql, [&vault.0[..]], row).optional()?;
        let listing = kept.map(|bytes| Listing::from_bytes(&bytes, LISTING_BYTES_MAX));
        listing.unwrap_or_else(|| Ok(Listing::default())).map_err(|_| broken(0).into())
    }

    fn keep_listing(
        &self,
        vault: VaultId,
        (_, listing): (&Listing, &Listing),
    ) -> Result<(), AccountError> {
        // Of one process, which settles one list at a time.
        let sql = "UPDATE listings SET listing = ?2 WHERE vault = ?1";
        self.change(sql, params![&vault.0[..], listing.to_bytes()])
    }

    fn named(&self, name: &AccountName) -> Result<Option<Account>, AccountError> {
        let sql = format!("{SELECT} WHERE name = ?1");
        Ok(self.reader().query_row(&sql, [name.as_str()], account).optional()?)
    }

    fn of_vault(&self, vault: VaultId) -> Result<Option<Account>, AccountError> {
        let sql = format!("{SELECT} WHERE vault = ?1");
        Ok(self.reader().query_row(&sql, [&vault.0[..]], account).optional()?)
    }

    fn all(&self) -> Result<Vec<Account>, AccountError> {
        let connection = self.reader();
        let mut statement = connection.prepare(&format!("{SELECT} ORDER BY name"))?;
        let rows = statement.query_map([], account)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn replace_record(
        &self,
        vault: VaultId,
        record: &[u8; RECORD_BYTES],
    ) -> Result<(), AccountError> {
        let sql = "UPDATE accounts SET record = ?2 WHERE vault = ?1";
        self.change(sql, params![&vault.0[..], &record[..]])
    }

    fn allow(&self, name: &AccountName, quota: Option<u64>) -> Result<(), AccountError> {
        let quota = quota.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        let sql = "UPDATE accounts SET quota_bytes = ?2 WHERE name = ?1";
        self.change(sql, params![name.as_str(), quota])
    }

    fn close(&self, vault: VaultId) -> Result<(), AccountError> {
        let mut connection = self.writer();
        let transaction = connection.transaction()?;
        transaction.execute("DELETE FROM listings WHERE vault = ?1", [&vault.0[..]])?;
        if transaction.execute("DELETE FROM accounts WHERE vault = ?1", [&vault.0[..]])? == 0 {
            return Err(AccountError::Absent);
        }
        transaction.execute("UPDATE closed SET number = number + 1", [])?;
        closing::note(&transaction, vault)?;
        Ok(transaction.commit()?)
    }

    fn closed(&self) -> Result<i64, AccountError> {
        let reader = self.reader();
        let mut statement = reader.prepare_cached("SELECT number FROM closed")?;
        Ok(statement.query_row([], |row| row.get(0))?)
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
        let sql = "SELECT count(*) FROM accounts";
        Ok(self.reader().query_row(sql, [], |row| row.get::<_, i64>(0))? == 0)
    }

    fn invitations(&self) -> Result<Vec<([u8; 32], i64, i64)>, AccountError> {
        let connection = self.reader();
        let sql = "SELECT hash, uses, until_ms FROM invitations ORDER BY hash";
        let mut statement = connection.prepare(sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn keep_invitation(
        &self,
        hash: [u8; 32],
        uses: i64,
        until_ms: i64,
    ) -> Result<(), AccountError> {
        let sql = "INSERT OR REPLACE INTO invitations (hash, uses, until_ms) VALUES (?1, ?2, ?3)";
        self.change(sql, params![hash, uses, until_ms])
    }
}

const SELECT: &str =
    "SELECT vault, name, record, device, transport, quota_bytes, made_ms FROM accounts";

fn connect(path: &Path) -> Result<Connection, AccountError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.query_row("PRAGMA journal_mode=WAL", [], |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

fn read_only(path: &Path) -> Result<Connection, AccountError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    Ok(connection)
}

/// The version of its tables; 0 where there are none.
fn version(connection: &Connection) -> Result<i64, AccountError> {
    let number = |pragma: &str| {
        connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0))
    };
    match (number("application_id")?, number("user_version")?) {
        (0, 0) => Ok(0),
        (APPLICATION_ID, version @ 1..=SCHEMA_VERSION) => Ok(version),
        _ => Err(AccountError::Foreign),
    }
}

/// Makes the tables, or those that an older version did not have.
fn bring_up(transaction: &Transaction<'_>, version: i64) -> Result<(), AccountError> {
    if version < 1 {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    if version < 2 {
        transaction.execute_batch(LISTINGS)?;
        list_first_devices(transaction)?;
    }
    transaction.execute_batch(closing::CLOSING)?;
    Ok(transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?)
}

/// Of version 1 an account has the device that opened it.
fn list_first_devices(transaction: &Transaction<'_>) -> Result<(), AccountError> {
    let opened = {
        let mut statement = transaction.prepare(&format!("{SELECT} ORDER BY vault"))?;
        let rows = statement.query_map([], account)?;
        rows.collect::<Result<Vec<_>, _>>()?
    };
    for Account { vault, device, transport, .. } in opened {
        keep(transaction, vault, &Listing::of_one(device, transport))?;
    }
    Ok(())
}

fn keep(
    transaction: &Transaction<'_>,
    vault: VaultId,
    listing: &Listing,
) -> Result<(), AccountError> {
    let sql = "INSERT OR REPLACE INTO listings (vault, listing) VALUES (?1, ?2)";
    transaction.execute(sql, params![&vault.0[..], listing.to_bytes()])?;
    Ok(())
}

fn broken(at: usize) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(at, "bytes".to_owned(), rusqlite::types::Type::Blob)
}

fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
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
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

    use super::*;
    use crate::accounts::Closing as _;

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

    fn listing() -> Listing {
        Listing::of_one(DeviceId([4; 16]), [5; 32])
    }

    /// ACC-10: one name, one vault, one account.
    #[test]
    fn neither_name_nor_vault_has_two_accounts() {
        let folder = tempfile::tempdir().unwrap();
        let accounts = Accounts::open(&folder.path().join("accounts.db")).unwrap();
        let ada = an_account("ada", 1);
        accounts.open_account((&ada, &listing()), None).unwrap();
        for other in [an_account("ada", 2), an_account("bo", 1)] {
            assert!(matches!(
                accounts.open_account((&other, &listing()), None),
                Err(AccountError::Taken)
            ));
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
        uninvited(accounts.open_account((&an_account("ada", 1), &listing()), Some(&invitation)));
        accounts.invite(&invitation, 2, 100).unwrap();
        accounts.open_account((&an_account("ada", 1), &listing()), Some(&invitation)).unwrap();
        let taken = accounts.open_account((&an_account("ada", 1), &listing()), Some(&invitation));
        assert!(matches!(taken, Err(AccountError::Taken)));
        accounts.admit(&an_account("bo", 2).name, Some(&invitation), 99).unwrap();
        uninvited(accounts.admit(&an_account("bo", 2).name, Some(&invitation), 100));
        accounts.open_account((&an_account("bo", 2), &listing()), Some(&invitation)).unwrap();
        uninvited(accounts.open_account((&an_account("cy", 3), &listing()), Some(&invitation)));
    }

    /// Fault F-26.
    #[test]
    fn a_file_of_a_newer_version_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts.db");
        drop(Accounts::open(&path).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 4).unwrap();
        assert!(matches!(Accounts::open(&path), Err(AccountError::Foreign)));
        assert!(matches!(Accounts::look(&path), Err(AccountError::Foreign)));
    }

    /// ACC-13: a list is kept with its account, and goes with it.
    #[test]
    fn a_list_of_devices_goes_with_its_account() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts.db");
        let accounts = Accounts::open(&path).unwrap();
        let ada = an_account("ada", 1);
        accounts.open_account((&ada, &listing()), None).unwrap();
        assert_eq!(accounts.listing(ada.vault).unwrap(), listing());
        let other = Listing::of_one(DeviceId([6; 16]), [7; 32]);
        accounts.keep_listing(ada.vault, (&listing(), &other)).unwrap();
        drop(accounts);
        let accounts = Accounts::open(&path).unwrap();
        assert_eq!(accounts.listing(ada.vault).unwrap(), other);
        accounts.close(ada.vault).unwrap();
        assert_eq!(accounts.listing(ada.vault).unwrap(), Listing::default());
        assert!(matches!(
            accounts.keep_listing(ada.vault, (&listing(), &other)),
            Err(AccountError::Absent)
        ));
    }

    /// Fault F-26: what the first version wrote is read: an account has the device that opened it.
    #[test]
    fn accounts_of_the_first_version_are_brought_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts.db");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(TABLES).unwrap();
        old.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        let sql = "INSERT INTO accounts VALUES (?1, 'ada', ?2, ?3, ?4, NULL, 6)";
        let row = params![[1u8; 32], [3u8; RECORD_BYTES], [4u8; 16], [5u8; 32]];
        old.execute(sql, row).unwrap();
        drop(old);
        // By the server alone.
        assert!(Accounts::look(&path).unwrap());
        assert!(matches!(Accounts::open_as_is(&path), Err(AccountError::Older)));
        let accounts = Accounts::open(&path).unwrap();
        assert!(Accounts::open_as_is(&path).is_ok());
        assert_eq!(accounts.all().unwrap(), [an_account("ada", 1)]);
        assert_eq!(accounts.listing(VaultId([1; 32])).unwrap(), listing());
    }

    /// ACC-14: what the second version wrote is read, and its accounts are closed as later ones are.
    #[test]
    fn accounts_of_the_second_version_are_brought_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts.db");
        let ada = an_account("ada", 1);
        Accounts::open(&path).unwrap().open_account((&ada, &listing()), None).unwrap();
        let old = Connection::open(&path).unwrap();
        old.execute_batch("DROP TABLE closing; PRAGMA user_version = 2").unwrap();
        drop(old);
        let accounts = Accounts::open(&path).unwrap();
        assert_eq!(accounts.listing(ada.vault).unwrap(), listing());
        accounts.close(ada.vault).unwrap();
        assert_eq!(accounts.closing().unwrap(), [ada.vault]);
    }

    /// ACC-14: a closed account is noted until its vault is taken away, by one at a time; the vault has no other one before.
    #[test]
    fn a_closed_account_is_noted_until_its_vault_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts.db");
        let accounts = Accounts::open(&path).unwrap();
        let ada = an_account("ada", 1);
        accounts.open_account((&ada, &listing()), None).unwrap();
        assert!(!accounts.take_turn(ada.vault).unwrap(), "it is not closed");
        accounts.close(ada.vault).unwrap();
        let reopened = || accounts.open_account((&ada, &listing()), None);
        assert!(matches!(reopened(), Err(AccountError::Closing)));
        // Another program is at it.
        let beside = Accounts::open(&path).unwrap();
        assert!(beside.take_turn(ada.vault).unwrap());
        assert!(!accounts.take_turn(ada.vault).unwrap());
        assert_eq!(accounts.closing().unwrap(), []);
        crate::accounts::take_away(&accounts, ada.vault, || panic!("it has no turn")).unwrap();
        // It was cut short a quarter of an hour ago, or its clock is ahead.
        for ago in ["-900", "+900"] {
            let sql = format!("UPDATE closing SET until_s = until_s {ago}");
            beside.writer().execute(&sql, []).unwrap();
            assert_eq!(accounts.closing().unwrap(), [ada.vault]);
            assert!(accounts.take_turn(ada.vault).unwrap());
        }
        accounts.give_back(ada.vault).unwrap();
        let fails = || Err(aura_protocol::store::StoreError::Full);
        assert!(crate::accounts::take_away(&accounts, ada.vault, fails).is_err());
        assert_eq!(accounts.closing().unwrap(), [ada.vault]);
        crate::accounts::take_away(&accounts, ada.vault, || Ok(())).unwrap();
        assert_eq!(accounts.closing().unwrap(), []);
        reopened().unwrap();
    }

    /// Who reads waits for no write.
    #[test]
    fn accounts_are_read_while_one_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let accounts =
            std::sync::Arc::new(Accounts::open(&folder.path().join("accounts.db")).unwrap());
        let ada = an_account("ada", 1);
        accounts.open_account((&ada, &listing()), None).unwrap();
        let held = accounts.writer();
        held.execute_batch("BEGIN IMMEDIATE; DELETE FROM accounts").unwrap();
        let _busy: Vec<_> =
            accounts.readers.iter().skip(1).map(|reader| reader.lock().unwrap()).collect();
        let (found, finds) = std::sync::mpsc::channel();
        let shared = std::sync::Arc::clone(&accounts);
        std::thread::spawn(move || {
            let account = shared.of_vault(VaultId([1; 32])).unwrap();
            found.send(account.map(|account| account.name)).ok();
        });
        let found = finds.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
        assert_eq!(found, Some(ada.name));
    }
}
