// SPDX-License-Identifier: MIT OR Apache-2.0
//! The program: commands, and the daemon that holds the open vault.
//!
//! Reads like a floor plan: each module uses only those above it.

mod moment;

mod life;

mod exit;

mod place;

mod secret;

mod faraway;

mod wire;

mod view;

mod screen;

mod interrupt;

mod kit;

mod qr;

mod outlet;

mod archive;

mod daemon;

mod client;

mod page;

mod connect;

mod cli;

use std::process::ExitCode;

/// An import is millions of small allocations, of which the C library's allocator makes a tenth of the work.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(cli::run(std::env::args_os()).code())
}
