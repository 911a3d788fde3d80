// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a store costs on disk: pages of its database and blocks of its chunks, not only the bytes in them.
//!
//! What something new will cost is told before it is written, never less than it comes to. All in bytes.

use aura_protocol::entry::Entry;
use aura_protocol::head::Head;
use aura_protocol::id::DeviceId;
use aura_protocol::signed::Signed;
use aura_protocol::store::StoreError;
use rusqlite::params;

use super::fault::failed;
use super::{LocalStore, chunk};

/// A page of the database, and a block of the file system.
const BLOCK_BYTES: u64 = 4 << 10;
/// What a page that carries on a long row holds of it.
const CARRIED_BYTES: u64 = BLOCK_BYTES - 4;
/// A row may be so long before it is carried on.
const ROW_BYTES_MAX: u64 = BLOCK_BYTES - 35;
/// A row beside what is in it: its hash, its key, and the key once more in an index.
const ROW_BYTES: u64 = 160;
/// A file beside what is in it.
const FILE_BYTES: u64 = 512;

/// What a row with so many bytes in it costs.
fn row(bytes: u64) -> u64 {
    let bytes = bytes.saturating_add(ROW_BYTES);
    if bytes <= ROW_BYTES_MAX {
        return bytes;
    }
    // Its beginning stays in the page of the row, which it may take alone.
    let carried = bytes.div_ceil(CARRIED_BYTES).saturating_mul(BLOCK_BYTES);
    carried.saturating_add(BLOCK_BYTES / 4)
}

/// What an entry costs, without the chunks that it names.
pub fn entry(entry: &Entry) -> u64 {
    let bytes = entry.header_bytes().len().saturating_add(entry.body().len());
    let names = (entry.header().added.len() as u64).saturating_mul(ROW_BYTES);
    row(bytes as u64).saturating_add(names)
}

/// What a head costs that names so many others as seen.
pub fn head(head: &Signed<Head>, seen: usize) -> u64 {
    row(head.payload().len() as u64).saturating_add((seen as u64).saturating_mul(4 * ROW_BYTES))
}

/// What a chunk of so many bytes costs.
pub fn chunk(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK_BYTES).saturating_mul(BLOCK_BYTES).saturating_add(FILE_BYTES)
}

impl LocalStore {
    /// What all of it costs now.
    ///
    /// # Errors
    /// When it cannot be counted.
    pub fn cost_bytes(&self) -> Result<u64, StoreError> {
        let pages = {
            let reader = self.reader();
            let number = |pragma: &str| {
                let sql = format!("PRAGMA {pragma}");
                reader.query_row(&sql, [], |row| row.get::<_, i64>(0)).map_err(failed)
            };
            number("page_count")?.saturating_sub(number("freelist_count")?)
        };
        let pages = u64::try_from(pages).unwrap_or_default().saturating_mul(BLOCK_BYTES);
        let chunks = chunk::all(&self.layout.chunks())?;
        Ok(chunks.iter().fold(pages, |sum, (_, size)| sum.saturating_add(chunk(*size))))
    }

    /// What these devices' own entries cost, with the chunks that they name, there or not.
    ///
    /// # Errors
    /// When it cannot be counted.
    pub fn cost_of(&self, devices: &[DeviceId]) -> Result<u64, StoreError> {
        const ENTRIES: &str = "SELECT LENGTH(header) + LENGTH(body) FROM entries
            JOIN feeds ON feeds.id = entries.feed WHERE feeds.device = ?1";
        const NAMES: &str = "SELECT size_bytes FROM names
            JOIN feeds ON feeds.id = names.feed WHERE feeds.device = ?1";
        let mut sum = 0u64;
        for device in devices {
            sum = sum.saturating_add(self.cost_where(ENTRIES, *device, row)?);
            let named = |bytes| chunk(bytes).saturating_add(ROW_BYTES);
            sum = sum.saturating_add(self.cost_where(NAMES, *device, named)?);
        }
        Ok(sum)
    }

    fn cost_where(
        &self,
        sql: &str,
        device: DeviceId,
        cost: impl Fn(u64) -> u64,
    ) -> Result<u64, StoreError> {
        let reader = self.reader();
        let mut statement = reader.prepare_cached(sql).map_err(failed)?;
        let sizes = statement.query_map(params![&device.0[..]], |row| row.get::<_, i64>(0));
        let mut sum = 0u64;
        for size in sizes.map_err(failed)? {
            let size = u64::try_from(size.map_err(failed)?).unwrap_or_default();
            sum = sum.saturating_add(cost(size));
        }
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_costs_less_than_its_blocks() {
        assert_eq!(chunk(1), BLOCK_BYTES + FILE_BYTES);
        assert_eq!(chunk(BLOCK_BYTES + 1), 2 * BLOCK_BYTES + FILE_BYTES);
        assert!(row(0) > 0 && row(4_000) > BLOCK_BYTES && row(8_200) > 3 * BLOCK_BYTES);
    }
}
