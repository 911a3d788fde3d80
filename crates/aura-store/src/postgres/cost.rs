// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a vault costs in a database and on its shelf: about what it would in a store of its own, so that a quota means
//! the same. In bytes. What something new costs, `crate::local::cost` says.

use aura_protocol::id::DeviceId;
use aura_protocol::store::StoreError;

use super::PostgresStore;
use super::moment::number;

impl PostgresStore {
    /// What all of it costs now.
    ///
    /// # Errors
    /// When it cannot be counted.
    pub fn cost_bytes(&self) -> Result<u64, StoreError> {
        const SQL: &str = "SELECT (
            (SELECT coalesce(sum(octet_length(header) + octet_length(body) + 160), 0)
                FROM entries WHERE vault = $1)
            + (SELECT 160 * count(*) FROM names WHERE vault = $1)
            + (SELECT coalesce(sum(octet_length(payload) + 160), 0) FROM heads WHERE vault = $1)
            + (SELECT 160 * count(*) FROM pins WHERE vault = $1)
            + (SELECT coalesce(sum((size_bytes + 4095) / 4096 * 4096 + 512), 0)
                FROM chunks WHERE vault = $1))::bigint";
        self.reading(|moment| {
            let rows = moment.query(SQL, &[&moment.key()])?;
            Ok(rows.first().and_then(|row| number(row, 0)).unwrap_or(u64::MAX))
        })
    }

    /// What these devices' own entries cost, with the chunks that they name, there or not.
    ///
    /// # Errors
    /// When it cannot be counted.
    pub fn cost_of(&self, devices: &[DeviceId]) -> Result<u64, StoreError> {
        const SQL: &str = "SELECT (
            (SELECT coalesce(sum(octet_length(header) + octet_length(body) + 160), 0)
                FROM entries WHERE vault = $1 AND device = ANY($2))
            + (SELECT coalesce(sum((size_bytes + 4095) / 4096 * 4096 + 512 + 160), 0)
                FROM names WHERE vault = $1 AND device = ANY($2)))::bigint";
        let devices: Vec<&[u8]> = devices.iter().map(|device| &device.0[..]).collect();
        self.reading(|moment| {
            let rows = moment.query(SQL, &[&moment.key(), &devices])?;
            Ok(rows.first().and_then(|row| number(row, 0)).unwrap_or(u64::MAX))
        })
    }
}
