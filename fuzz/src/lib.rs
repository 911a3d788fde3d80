// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the fuzz targets share: inputs taken apart, keys that are always the same, and the ledger of
//! an import.
//!
//! Each target is one file in `fuzz_targets/`. The first byte of an input says which parser the rest
//! is for. How to run them: docs/how-to/fuzz.md.

pub mod input;

pub mod fixed;

pub mod scratch;

#[cfg(feature = "vault")]
pub mod memory;

#[cfg(feature = "vault")]
pub mod ledger;

#[cfg(feature = "vault")]
pub mod outlet;
