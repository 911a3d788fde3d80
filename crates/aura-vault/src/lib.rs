// SPDX-License-Identifier: MIT OR Apache-2.0
//! A person's data on this device: records, feeds, database, search, gate, audit.

pub mod record;
