// SPDX-License-Identifier: MIT OR Apache-2.0
//! The program of whoever keeps other people's sealed bytes.

mod command;

fn main() -> std::process::ExitCode {
    command::run()
}
