// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the formats accept and refuse, rule by rule.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

mod sample;

mod authority;
mod chain;
mod codec;
mod entry;
mod head;
mod http;
mod judge;
mod log;
mod property;
mod registry;
mod signature;
mod store;
mod vectors;
