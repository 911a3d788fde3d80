// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keys, and what is done with them: pure functions over bytes, no I/O, no clock, no randomness of
//! its own. Modules are declared ground first and use only those above them.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation
    )
)]

pub mod entropy;

pub mod key;

pub mod kdf;

pub mod pad;

pub mod aead;

pub mod stream;

pub mod sign;

pub mod hpke;

pub mod seal;

pub mod tree;

pub mod password;

pub mod code;

pub mod login;

pub mod words;

pub mod slot;

pub mod pairing;
