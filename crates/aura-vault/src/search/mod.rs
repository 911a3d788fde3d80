// SPDX-License-Identifier: MIT OR Apache-2.0
//! Full-text search: tantivy over sealed files.
//!
//! `token` and `query` say what words are and what a person may type; `scope` what may be looked
//! at; `sealed_directory` keeps every file of the index sealed; `index` is the door. The index is
//! a view of the log: it is never synced to the disk, and thrown away when it is damaged.
//! What a hit looks like to a person is in `snippet`; the records themselves are in the database.

mod backlog;
mod cache;
mod date;
mod error;
mod sealed_file;
mod manifest;
mod token;

mod query;
mod scope;

mod sealed_directory;

mod document;
mod candidates;
mod plan;
mod statistics;

mod snippet;

mod hit;
mod identity;
mod lookup;

mod index;

pub use document::{BODY_BYTES_MAX, Document, NAME_BYTES_MAX, NAMES_MAX, TITLE_BYTES_MAX};
pub use error::SearchError;
pub use hit::Hit;
pub use index::{Index, PAYLOAD_BYTES_MAX, Params};
pub use lookup::HITS_MAX;
pub use query::{QUERY_BYTES_MAX, QUERY_CLAUSES_MAX, QUERY_TOKENS_MAX, Query, QueryError, Typing};
pub use scope::Scope;
pub use sealed_directory::Keys;
pub use snippet::{SNIPPET_CHARS_MAX, Snippet, snippet};
