// SPDX-License-Identifier: MIT OR Apache-2.0
//! One module for each foreign format, and the ground they share. Ground first.

#[cfg(test)]
pub(crate) mod collect;
mod line;
pub(crate) mod component;
pub(crate) mod ending;
mod instant;
mod json_stream;
mod mapping;
pub(crate) mod origin;
pub(crate) mod media;
mod report;
mod thread;
pub(crate) mod file;

pub(crate) mod bitwarden;
pub(crate) mod chatgpt;
pub(crate) mod claude;
pub(crate) mod csv_rows;
pub(crate) mod ical;
pub(crate) mod json_lines;
pub(crate) mod keep;
pub(crate) mod location;
pub(crate) mod mail;
pub(crate) mod markdown;
mod table;
pub(crate) mod vcard;
pub(crate) mod takeout;

pub(crate) use self::instant::iso_ms;
pub use self::mapping::Mapping;
pub(crate) use self::markdown::{percent_decoded, says_time as markdown_says_time};
pub use self::table::read_mapped;
