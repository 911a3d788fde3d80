// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every bound of the formats, in one place. Sizes in bytes unless the name says otherwise.
//!
//! Source: spec/limits.md, rules LIM-1 to LIM-4.

/// The only format version that this code reads and writes.
pub const FORMAT_VERSION: u64 = 1;
/// How deep canonical CBOR may nest.
pub const CBOR_DEPTH_MAX: usize = 16;
/// Members of one CBOR map or array.
pub const CBOR_ITEMS_MAX: usize = 1 << 20;
/// The largest entry body, sealed.
pub const ENTRY_BODY_BYTES_MAX: usize = 16 << 20;
/// The largest encoded entry header.
pub const ENTRY_HEADER_BYTES_MAX: usize = 1 << 20;
/// Ops in one entry.
pub const ENTRY_OPS_MAX: usize = 4096;
/// Chunks that one entry may add or drop.
pub const ENTRY_CHUNKS_MAX: usize = 16_384;
/// The smallest padded plaintext of an entry.
pub const ENTRY_PAD_BYTES_MIN: usize = 4096;
/// The largest encoded head.
pub const HEAD_BYTES_MAX: usize = 4 << 20;
/// Feeds that one head may name.
pub const HEAD_FEEDS_MAX: usize = 65_536;
/// The largest sealed chunk of an attachment.
pub const CHUNK_BYTES_MAX: usize = (4 << 20) + 65_536;
/// Plaintext bytes of every chunk of an attachment but the last.
pub const CHUNK_PLAIN_BYTES: usize = 4 << 20;
/// The largest attachment.
pub const BLOB_BYTES_MAX: u64 = 1 << 40;
/// Authority statements in one entry.
pub const STATEMENTS_MAX: usize = 1024;
/// The largest encoded authority statement.
pub const STATEMENT_BYTES_MAX: usize = 64 << 10;
/// Signatures on one authority statement.
pub const STATEMENT_SIGNATURES_MAX: usize = 8;
/// Devices that a vault may ever list.
pub const DEVICES_MAX: usize = 4096;
/// Devices that may wait to be confirmed at once.
pub const QUARANTINED_MAX: usize = 64;
/// Snapshots of one device in one collection that count.
pub const BASES_MAX: usize = 1024;
/// Incarnations of one device that a store shows.
pub const INCARNATIONS_MAX: usize = 64;
/// Incarnations of a device that waits to be confirmed, so that all of these leave room for the others.
pub const WAITING_INCARNATIONS_MAX: usize = 4;
/// Incarnations of all devices that a store shows, so that `seen` of a head can name every other one.
pub const LIVES_MAX: usize = DEVICES_MAX;
/// Bytes of the newest heads of all incarnations, so that they and what stands beside them fit into
/// [`HEADS_BYTES_MAX`].
pub const SHOWN_HEADS_BYTES_MAX: usize = 60 << 20;
/// The same of one device, so that none takes the room of the others.
pub const DEVICE_HEADS_BYTES_MAX: usize = 8 << 20;
/// The same of a device that waits to be confirmed.
pub const WAITING_HEADS_BYTES_MAX: usize = 256 << 10;
/// Bytes of all authority entries of a vault: whoever judges reads them all.
pub const AUTHORITY_BYTES_MAX: usize = 64 << 20;
/// The same of one device, so that none takes the room of the others.
pub const DEVICE_AUTHORITY_BYTES_MAX: usize = 16 << 20;
/// The same of a device that waits to be confirmed: it has nothing to say but that it is there.
pub const WAITING_AUTHORITY_BYTES_MAX: usize = 128 << 10;
/// Entries in one answer of a store.
pub const READ_ENTRIES_MAX: usize = 1024;
/// Bytes in one answer of a store, reached or passed by its last entry.
pub const READ_BYTES_MAX: usize = 8 << 20;
/// Lines of a checkpoint note.
pub const NOTE_LINES_MAX: usize = 64;
/// The largest checkpoint note.
pub const NOTE_BYTES_MAX: usize = 16 << 10;
/// Bytes of an account's name.
pub const ACCOUNT_NAME_BYTES_MAX: usize = 64;
/// Bytes of an invitation.
pub const INVITATION_BYTES_MAX: usize = 64;
/// The largest body of a request about accounts, logins and tokens.
pub const SMALL_REQUEST_BYTES_MAX: usize = 4 << 10;
/// The largest end of a registration: it carries the statements that list the device.
pub const REGISTRATION_BYTES_MAX: usize = 1 << 20;
/// Statements in it.
pub const LINEAGE_STATEMENTS_MAX: usize = 256;
/// The largest body of a request that names what its sender knows: positions and chunk names.
pub const KNOWN_REQUEST_BYTES_MAX: usize = 1 << 20;
/// The largest body of a push: a head, and entries until [`READ_BYTES_MAX`] is reached or passed (HTP-9).
pub const PUSH_BYTES_MAX: usize =
    HEAD_BYTES_MAX + READ_BYTES_MAX + ENTRY_BODY_BYTES_MAX + ENTRY_HEADER_BYTES_MAX + (64 << 10);
/// Chunk names in one question.
pub const HAS_NAMES_MAX: usize = 4096;
/// The largest answer about heads.
pub const HEADS_BYTES_MAX: usize = 64 << 20;
/// The largest message of a pairing, sealed.
pub const PAIRING_MESSAGE_BYTES_MAX: usize = 32 << 10;
/// The largest body of a request about a pairing: a message, and where it belongs.
pub const PAIRING_REQUEST_BYTES_MAX: usize = PAIRING_MESSAGE_BYTES_MAX + 64;
/// Bytes of the name of a device that is paired.
pub const PAIRING_NAME_BYTES_MAX: usize = 64;
/// Root keys that a grant carries.
pub const PAIRING_ROOTS_MAX: usize = 128;
/// Servers that a grant names.
pub const PAIRING_SERVERS_MAX: usize = 16;
/// Bytes of a server's address in it.
pub const PAIRING_URL_BYTES_MAX: usize = 280;
/// For how many seconds a code counts.
pub const PAIRING_SECONDS_MAX: u64 = 600;
