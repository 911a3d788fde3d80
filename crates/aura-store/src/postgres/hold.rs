// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who works on a database: any number of nodes together, or somebody who moves everything away, alone.
//!
//! It is a lock of the database's own that ends with its connection, so that a stale one cannot exist.

use std::sync::Mutex;

use aura_protocol::store::StoreError;
use postgres::Client;

use super::Database;
use super::fault::failed;

/// Beside whom somebody works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Company {
    /// Others who serve.
    Others,
    /// Nobody.
    Nobody,
}

/// A place among those who work on a database, until it is dropped.
pub struct Hold {
    _client: Mutex<Client>,
}

impl core::fmt::Debug for Hold {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Hold").finish_non_exhaustive()
    }
}

impl Database {
    /// A place; `None` while somebody else works there in another way.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn hold(&self, company: Company) -> Result<Option<Hold>, StoreError> {
        // "Aura" in ASCII, and the tables that are meant.
        let sql = match company {
            Company::Others => {
                "SELECT pg_try_advisory_lock_shared(1098215009, hashtext(current_schema()))"
            }
            Company::Nobody => {
                "SELECT pg_try_advisory_lock(1098215009, hashtext(current_schema()))"
            }
        };
        let mut client = self.pool.connect()?;
        let row = client.query_one(sql, &[]).map_err(failed)?;
        let is_held: bool = row.try_get(0).map_err(failed)?;
        Ok(is_held.then(|| Hold { _client: Mutex::new(client) }))
    }
}
