// SPDX-License-Identifier: MIT OR Apache-2.0
//! Foreign exports to drafts of records, and records back to standard formats.
//!
//! [`survey`] looks at what the person gave and says what it is; [`read`] hands every record of it to a
//! sink, one at a time. Nothing is written anywhere and nothing is fetched. What becomes of a draft is
//! the vault's to say.

pub mod draft;
mod stamp;

pub mod tree;

mod count;
mod formats;

pub mod export;

mod sniff;
mod survey;
mod parts;

pub use self::formats::{Mapping, read_mapped};
pub use self::parts::{Given, survey_all};
pub use self::sniff::Format;
pub use self::survey::{Part, Survey, read, survey, survey_tree};
