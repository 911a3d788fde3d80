// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a person is asked for: a way in, and a new password that is worth something.

use super::context::Context;
use crate::exit::Failure;
use crate::screen::note;
use crate::secret::{self, Secret};
use crate::wire::Way;

/// Guesses, as a power of ten, from which a password is strong enough.
const GUESSES_LOG10_MIN: f64 = 10.0;

/// What is asked for.
pub(super) fn way(recovery: bool) -> (Way, &'static str) {
    if recovery { (Way::Recovery, "Recovery code") } else { (Way::Password, "Password") }
}

/// A new password, typed twice or from the file, with what it is worth.
pub(super) fn new_password(context: &Context, question: &str) -> Result<Secret, Failure> {
    if let Some(path) = &context.password_file {
        let password = secret::from_file(path)?;
        if guesses_log10(&password) < GUESSES_LOG10_MIN {
            note(
                "Note: this password is weak; whoever has the disk and the secret key may guess it.",
            );
        }
        return Ok(password);
    }
    loop {
        let password = secret::ask(question)?;
        let strength = guesses_log10(&password);
        note(&format!("  It takes about 10^{strength:.0} guesses."));
        if strength < GUESSES_LOG10_MIN {
            note("  That is too few. Take six words, or a longer sentence of your own.");
            continue;
        }
        let again = secret::ask("The same again")?;
        if again.reveal() == password.reveal() {
            return Ok(password);
        }
        note("  The two differ. Once more, please.");
    }
}

fn guesses_log10(password: &Secret) -> f64 {
    zxcvbn::zxcvbn(password.reveal(), &["aura", "vault"]).guesses_log10()
}
