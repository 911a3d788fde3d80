// SPDX-License-Identifier: MIT OR Apache-2.0
//! Blind stores: keep entries, heads and chunks that they cannot read.
//!
//! Reads like a floor plan: each module uses only those above it.

mod layout;

mod durable;

mod wait;

pub mod devices;

pub mod portable;

#[cfg(feature = "postgres")]
pub mod shelf;

mod proof;

mod claim;

mod access;

mod rows;

mod floor;

mod admit;

mod show;

pub mod local;

pub mod mailbox;

pub mod http;

#[cfg(feature = "peer")]
pub mod peer;

pub mod folder;

#[cfg(feature = "postgres")]
pub mod postgres;

pub mod replicate;

pub mod transfer;

pub mod heal;
