// SPDX-License-Identifier: MIT OR Apache-2.0
//! Up to where the index has gone, as its own commits remember it.

use std::collections::BTreeMap;

use aura_protocol::codec::{Decode, Encode, Reader, Writer};
use aura_protocol::id::FeedId;

/// Feeds of which a position is remembered.
pub(super) const FEEDS_MAX: usize = 65_536;

/// Feed positions as an index commit remembers them.
pub(crate) fn encode_positions(positions: &BTreeMap<FeedId, u64>) -> Vec<u8> {
    let mut w = Writer::new();
    w.array(positions.len());
    for (feed, number) in positions {
        w.array(2);
        feed.encode(&mut w);
        w.uint(*number);
    }
    w.into_bytes()
}

/// The positions that [`encode_positions`] wrote.
pub(crate) fn decode_positions(bytes: &[u8]) -> Option<BTreeMap<FeedId, u64>> {
    let mut reader = Reader::new(bytes);
    let positions =
        reader.array(FEEDS_MAX, |r| r.tuple(2, |r| Ok((FeedId::decode(r)?, r.uint()?)))).ok()?;
    reader.finish().ok()?;
    Some(positions.into_iter().collect())
}
