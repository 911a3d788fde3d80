// SPDX-License-Identifier: MIT OR Apache-2.0
//! The configurations of the clients that assistants run in: found, shown, changed, and changed back.

pub(crate) mod program;

pub(crate) mod entry;

pub(crate) mod clients;

mod splice;

mod json;

mod toml;

mod config;

pub(crate) mod diff;

mod write;

pub(crate) mod plan;
