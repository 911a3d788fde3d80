// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who works on a database: any number of nodes together, or somebody who moves everything away, alone.
//!
//! It is a lock of the database's own that ends with its connection, so that a stale one cannot exist. A node takes it with
//! every connection that it opens, so that it has it again with the first one after the database was away; who is
//! alone looks whether it still is.

use std::sync::{Arc, Mutex};

use aura_protocol::store::StoreError;
use postgres::Client;

use super::Database;
use super::fault::failed;
use super::pool::{Pool, SERVE};
use crate::wait::lock;

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
    client: Mutex<Client>,
    /// Whose connections have one, too.
    serving: Option<Arc<Pool>>,
}

impl Hold {
    /// Fails where the place is lost.
    ///
    /// # Errors
    /// When the connection that has it has ended.
    pub fn check(&self) -> Result<(), StoreError> {
        lock(&self.client).batch_execute("").map_err(failed)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.serving.iter().for_each(|pool| pool.leave());
    }
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
        let sql = match company {
            Company::Others => SERVE,
            Company::Nobody => {
                "SELECT pg_try_advisory_lock(1098215009, hashtext(current_schema()))"
            }
        };
        let mut client = self.pool.connect()?;
        let row = client.query_one(sql, &[]).map_err(failed)?;
        let is_held: bool = row.try_get(0).map_err(failed)?;
        if !is_held {
            return Ok(None);
        }
        let serving = (company == Company::Others).then(|| Arc::clone(&self.pool));
        serving.iter().for_each(|pool| pool.serve());
        Ok(Some(Hold { client: Mutex::new(client), serving }))
    }
}
