// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a login at a server is given as the password, and how it is stretched.
//!
//! The secret key is part of it, so that whoever has a server's records cannot try passwords on them; the
//! stretching makes the same dear for whoever has the secret key too. Source: spec/http.md, rule ACC-6.

use aura_protocol::auth::login::Stretch;
use aura_protocol::label::Label;
use zeroize::Zeroizing;

use crate::kdf::{self, Argon2Params};
use crate::key::{LoginInput, SecretKey};
use crate::password::{self, PasswordError};

/// The secret key has a fixed length and comes first: no two pairs are one (ACC-6).
///
/// # Errors
/// When the password is none that anybody could have set.
pub fn input(password: &str, secret_key: &SecretKey) -> Result<LoginInput, PasswordError> {
    let password = password::normalise(password)?;
    let parts = [secret_key.dangerous_bytes().as_slice(), password.as_bytes()];
    Ok(kdf::derive_from_parts(&parts, Label::LoginInput, &[]))
}

/// Argon2id as OPAQUE's stretching function.
#[derive(Debug, Clone, Copy)]
pub struct LoginStretch(Argon2Params);

impl LoginStretch {
    /// What every account uses. No server says otherwise, and no later version may: a login costs what its
    /// registration did.
    pub const USUAL: Self = Self(Argon2Params { m_kib: 256 << 10, t: 3, p: 4 });

    /// With other parameters, for tests. What lies outside floor and ceiling stretches nothing.
    pub const fn new(params: Argon2Params) -> Self {
        Self(params)
    }
}

impl Default for LoginStretch {
    fn default() -> Self {
        Self::USUAL
    }
}

impl Stretch for LoginStretch {
    fn stretch(&self, input: &[u8; 64]) -> Option<Zeroizing<[u8; 64]>> {
        kdf::argon2id(input, &[0; 16], self.0).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ACC-6, attack AUT-04: a guess by way of a login costs as much as one by way of a slot.
    #[test]
    fn aut_04_a_login_is_stretched_like_a_slot() {
        assert_eq!(LoginStretch::USUAL.0, Argon2Params::DEFAULT);
        assert_eq!(LoginStretch::default().0, Argon2Params::DEFAULT);
    }
}
