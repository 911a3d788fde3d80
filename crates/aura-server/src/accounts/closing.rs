// SPDX-License-Identifier: MIT OR Apache-2.0
//! Vaults of accounts that are closed, until everything that was kept for them is taken away (ACC-14).
//!
//! Closing an account notes it in the same transaction, so that whoever is cut short is followed by whoever looks next.
//! One at a time has a turn, and the vault has no other account until it is over: what a new one brings is not taken
//! away by somebody who began before it. A turn that is not given back ends by itself.

use aura_protocol::id::VaultId;
use aura_protocol::store::StoreError;

use super::AccountError;

/// How long a turn lasts that is not given back.
pub(crate) const TURN_SECONDS: u32 = 600;

/// The notes of what is to be taken away.
pub trait Closing {
    /// Vaults that wait to be taken away, and that nobody is at.
    ///
    /// # Errors
    /// When the database fails.
    fn closing(&self) -> Result<Vec<VaultId>, AccountError>;

    /// Takes the turn to take a vault away. Whether it could be had: the vault waits, and nobody else is at it.
    ///
    /// # Errors
    /// When the database fails.
    fn take_turn(&self, vault: VaultId) -> Result<bool, AccountError>;

    /// Gives the turn back: something is left.
    ///
    /// # Errors
    /// When the database fails.
    fn give_back(&self, vault: VaultId) -> Result<(), AccountError>;

    /// Nothing is left.
    ///
    /// # Errors
    /// When the database fails.
    fn forget_closed(&self, vault: VaultId) -> Result<(), AccountError>;
}

/// Has a closed account's vault taken away, if nobody else is at it.
pub(crate) fn take_away<B: Closing + ?Sized>(
    book: &B,
    vault: VaultId,
    remove: impl FnOnce() -> Result<(), StoreError>,
) -> Result<(), AccountError> {
    if !book.take_turn(vault)? {
        return Ok(());
    }
    match remove() {
        Ok(()) => book.forget_closed(vault),
        Err(error) => {
            // It ends by itself.
            book.give_back(vault).ok();
            Err(error.into())
        }
    }
}
