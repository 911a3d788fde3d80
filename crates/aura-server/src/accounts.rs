// SPDX-License-Identifier: MIT OR Apache-2.0
//! Accounts, their vaults' devices, and invitations. Of a password only its OPAQUE record is kept, of an invitation its
//! hash. They stand in a file of the server's own, or in a database that nodes share.

mod closing;

mod file;

use aura_protocol::auth::AccountName;
use aura_protocol::auth::login::RECORD_BYTES;
use aura_protocol::http::Invitation;
use aura_protocol::id::{DeviceId, Hash, VaultId};
use aura_protocol::store::StoreError;

pub use self::closing::Closing;
pub(crate) use self::closing::{TURN_SECONDS, take_away};
pub use self::file::Accounts;
use crate::listing::Listing;

/// The largest list of devices, in bytes.
pub(crate) const LISTING_BYTES_MAX: usize = 1 << 20;

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
    /// What an earlier account of the vault has left is being taken away.
    #[error("an earlier account of this vault is being closed still; try again in a while")]
    Closing,
    /// The invitation is none, is used up, or has run out.
    #[error("the invitation is none, is used up or has run out")]
    Uninvited,
    /// The file was written by a newer version, or is none of Aura's.
    #[error("accounts.db is of a newer version or none of Aura's; it was left as it is")]
    Foreign,
    /// The file was written by an older version, and it is not for this program to change.
    #[error("accounts.db is of an older version; start the server, which brings it to this one")]
    Older,
    /// The database failed.
    #[error("the accounts' database failed")]
    Database(#[from] rusqlite::Error),
    /// The database that nodes share failed.
    #[error("the accounts' database failed")]
    Store(#[from] StoreError),
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

/// Every account of a server, wherever they are kept.
pub trait AccountBook: Closing + Send + Sync + core::fmt::Debug {
    /// Whether an account of this name could be opened with this invitation, where one is needed.
    ///
    /// # Errors
    /// When it could not, or the database fails.
    fn admit(
        &self,
        name: &AccountName,
        invitation: Option<&Invitation>,
        now_ms: i64,
    ) -> Result<(), AccountError>;

    /// Opens an account for a vault with these devices, and takes one use of the invitation, in one transaction.
    ///
    /// # Errors
    /// When name or vault has one, the vault's earlier one is not taken away yet, the invitation does not count, or the
    /// database fails.
    fn open_account(
        &self,
        opened: (&Account, &Listing),
        invitation: Option<&Invitation>,
    ) -> Result<(), AccountError>;

    /// The devices of an account's vault, as they were kept last.
    ///
    /// # Errors
    /// When the database fails.
    fn listing(&self, vault: VaultId) -> Result<Listing, AccountError>;

    /// Keeps another list of an account's devices in the place of the one that was there. Where that is another one by
    /// now, it stays.
    ///
    /// # Errors
    /// When there is no such account, or the database fails.
    fn keep_listing(&self, vault: VaultId, lists: (&Listing, &Listing))
    -> Result<(), AccountError>;

    /// The account of this name.
    ///
    /// # Errors
    /// When the database fails.
    fn named(&self, name: &AccountName) -> Result<Option<Account>, AccountError>;

    /// The account of this vault.
    ///
    /// # Errors
    /// When the database fails.
    fn of_vault(&self, vault: VaultId) -> Result<Option<Account>, AccountError>;

    /// Every account, by name.
    ///
    /// # Errors
    /// When the database fails.
    fn all(&self) -> Result<Vec<Account>, AccountError>;

    /// Puts another record in the place of an account's.
    ///
    /// # Errors
    /// When there is no such account, or the database fails.
    fn replace_record(
        &self,
        vault: VaultId,
        record: &[u8; RECORD_BYTES],
    ) -> Result<(), AccountError>;

    /// Gives an account a quota of its own, or the server's again.
    ///
    /// # Errors
    /// When there is no such account, or the database fails.
    fn allow(&self, name: &AccountName, quota: Option<u64>) -> Result<(), AccountError>;

    /// Lets go of an account, and notes in the same transaction that its vault is to be taken away.
    ///
    /// # Errors
    /// When there is no such account, or the database fails.
    fn close(&self, vault: VaultId) -> Result<(), AccountError>;

    /// How many accounts were ever closed, here or by another program: when this changes, one may be gone whose
    /// vault is open.
    ///
    /// # Errors
    /// When the database fails.
    fn closed(&self) -> Result<i64, AccountError>;

    /// Keeps an invitation for so many accounts, until a time.
    ///
    /// # Errors
    /// When the database fails.
    fn invite(&self, invitation: &Invitation, uses: u32, until_ms: i64)
    -> Result<(), AccountError>;

    /// Whether there is none.
    ///
    /// # Errors
    /// When the database fails.
    fn is_empty(&self) -> Result<bool, AccountError>;

    /// Every invitation: its hash, how often it can be used still, and until when.
    ///
    /// # Errors
    /// When the database fails.
    fn invitations(&self) -> Result<Vec<([u8; 32], i64, i64)>, AccountError>;

    /// Keeps an invitation of which only the hash is known.
    ///
    /// # Errors
    /// When the database fails.
    fn keep_invitation(&self, hash: [u8; 32], uses: i64, until_ms: i64)
    -> Result<(), AccountError>;
}

/// What is kept of an invitation: who reads it cannot use it.
pub(crate) fn hash(invitation: &Invitation) -> [u8; 32] {
    Hash::of(&[invitation.as_str().as_bytes()]).0
}

/// What a login keeps of the record that it began with: another one is another password.
pub(crate) fn record_hash(record: &[u8; RECORD_BYTES]) -> Hash {
    Hash::of(&[b"aura-server record", record])
}
