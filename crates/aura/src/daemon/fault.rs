// SPDX-License-Identifier: MIT OR Apache-2.0
//! Errors of the vault as failures for people: which exit code, what is safe, what to do.

use aura_protocol::store::StoreError;
use aura_store::local::OpenError as StoreOpenError;
use aura_vault::blob::BlobError;
use aura_vault::feed::FeedError;
use aura_vault::gate::GateError;
use aura_vault::intake::TakeError;
use aura_vault::open::OpenError;
use aura_vault::vault::{PairingError, VaultError};

use crate::exit::{Exit, Failure, plain};

const NOTHING_LOST: &str = "Nothing that was stored is lost.";
const NOTHING_CHANGED: &str = "Nothing was changed.";
const VERIFY: &str = "Run `aura verify` to see what else is affected; another device or a backup can \
                      restore what is damaged.";
const NEWER: &str = "Install a newer version of Aura.";

/// First letter large, full stop at the end.
fn sentence(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        let what = sentence(&error);
        match error {
            VaultError::Exists => {
                Failure::new(Exit::Failed, "There is a vault in this folder already.")
                    .safe("It was left as it is.")
                    .next("Choose another folder with --home, or run `aura status`.")
            }
            VaultError::Absent => Failure::new(Exit::Failed, "There is no vault in this folder.")
                .safe(NOTHING_CHANGED)
                .next("Make one with `aura init`, or name its folder with --home."),
            VaultError::Newer => Failure::new(Exit::Failed, what).safe(NOTHING_CHANGED).next(NEWER),
            VaultError::Missing(file) => missing(file),
            VaultError::Damaged("secret.key") => {
                Failure::new(Exit::Damaged, what).safe("It was left as it is.").next(
                    "Write the secret key of your emergency kit into it, or use the recovery code: \
                     `aura unlock --recovery`.",
                )
            }
            VaultError::Damaged(_) | VaultError::Authority(_) => Failure::new(Exit::Damaged, what)
                .safe("It was left as it is.")
                .next("Restore this file from a backup or another device; the others can stay."),
            VaultError::Secret => Failure::new(Exit::Locked, "That does not open this vault.")
                .safe("The vault stays locked and unharmed; the try was counted.")
                .next("Check the password, or use the recovery code: `aura unlock --recovery`."),
            VaultError::SecondSecret => Failure::new(
                Exit::Locked,
                "That does not open the second lock.",
            )
            .safe("It stays shut and unharmed; the try was counted.")
            .next("Check the second password. Nothing else opens it, the recovery code neither."),
            VaultError::NoSecond => {
                Failure::usage("This vault has no second lock.", "Make one: `aura second set`.")
            }
            VaultError::SecondExists => Failure::usage(
                "This vault has a second lock already.",
                "Change its password with `aura second passwd`.",
            ),
            VaultError::SamePassword => Failure::usage(
                what,
                "Choose another one: whoever knows one of them is not to know the other.",
            ),
            VaultError::TooSoon(ms) => {
                Failure::new(Exit::Locked, "There were too many wrong tries.")
                    .safe("The vault stays locked and unharmed.")
                    .next(format!("Try again in {} s.", ms.div_ceil(1000)))
            }
            VaultError::Slot(_) => Failure::usage(what, "Choose another password."),
            VaultError::Io(file, error) => Failure::file(
                &format!("The vault's file `{file}` could not be read or written"),
                &error,
            ),
            VaultError::Store(error) => error.into(),
            VaultError::Open(error) => error.into(),
            VaultError::Pairing(error) => unpaired(error),
            VaultError::LastSlot | VaultError::NoSlot => {
                Failure::usage(what, "See `aura slot ls`.")
            }
            _ => Failure::new(Exit::Failed, what).safe(NOTHING_LOST).next(VERIFY),
        }
    }
}

/// Why two devices were not paired.
pub(super) fn unpaired(error: PairingError) -> Failure {
    let failure = |exit, what: &str| Failure::new(exit, what).safe("No device was let in by this.");
    match error {
        PairingError::Waits => failure(Exit::Refused, "This device waits to be confirmed itself.")
            .next("Confirm it on a device that counts, or pair from there."),
        PairingError::Listed => failure(Exit::Refused, "That device is one of the vault's already.")
            .next("See `aura device ls`. A device that is to come again comes as a new one."),
        PairingError::Bounds => failure(
            Exit::Failed,
            "This vault has had more keys, or has more servers, than a code can hand over.",
        )
        .next("Let the device in with the password and the secret key: aura join"),
        PairingError::Refused => failure(Exit::Refused, "The other device said no.")
            .next("If that was a mistake, make another code there: aura pair"),
        PairingError::Server => failure(
            Exit::Refused,
            "The server shows another key than the one that the other device knows it by.",
        )
        .next(
            "Somebody stands between you and the server, or it has a new key: see `aura store ls` on the \
             other device.\nOr pair over another store.",
        ),
        PairingError::Withheld => failure(
            Exit::Unreachable,
            "The store does not show what the other device has brought there.",
        )
        .next("A tool may be bringing files still. Make another code there and run it again: aura pair"),
        PairingError::Vault => failure(
            Exit::Unreachable,
            "What the store shows and what the other device said do not fit together.",
        )
        .next("Run `aura sync` and `aura device ls` on the other device, then pair anew: aura pair"),
        _ => failure(
            Exit::Unreachable,
            "What lies in the box was not said to this device under this code.",
        )
        .next(
            "Another device has answered before it, or somebody alters what is in the store. Make another \
             code: aura pair",
        ),
    }
}

/// Without these files the vault does not open as it used to; nothing that the person wrote is in them.
fn missing(file: &str) -> Failure {
    let failure = Failure::new(Exit::Damaged, format!("The vault's file `{file}` is missing."))
        .safe("Records, attachments and history are in other files, and unharmed.");
    failure.next(match file {
        "secret.key" => {
            "Write the secret key of your emergency kit into it, or put the file back from a copy \
             of\nthe vault. Or open the vault without it: aura unlock --recovery"
        }
        _ => {
            "Put it back from a copy of the vault. Or open the vault with the recovery code of your\n\
             emergency kit, which makes new keys for this device: aura unlock --recovery"
        }
    })
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let what = sentence(&error);
        match error {
            OpenError::Feed(FeedError::Store(error)) | OpenError::Store(error) => error.into(),
            OpenError::Db(error) if error.is_full() => full(),
            OpenError::Db(error) if error.is_damage() => Failure::new(Exit::Damaged, what)
                .safe("Everything is in the log still.")
                .next("Run `aura verify --rebuild`."),
            OpenError::SecondLock => shut(),
            OpenError::Feed(FeedError::Newer) => Failure::new(Exit::Failed, what)
                .safe("Nothing was changed; everything can be read and exported.")
                .next("Update Aura on this device, then run the command again."),
            OpenError::Feed(FeedError::Revoked) => Failure::new(Exit::Refused, what)
                .safe("Nothing was changed; everything that is here can be read and exported.")
                .next(
                    "`aura device ls` says which device revoked it. If this one is yours still, let it \
                     join anew: aura join FOLDER, with another --home.",
                ),
            OpenError::Stale => Failure::new(Exit::Failed, what)
                .safe(NOTHING_LOST)
                .next("Run `aura lock`, then `aura unlock`."),
            _ => Failure::new(Exit::Failed, what).safe(NOTHING_LOST).next(VERIFY),
        }
    }
}

/// What was asked for is behind the second lock.
pub(super) fn shut() -> Failure {
    Failure::new(Exit::Locked, "Health and credentials are behind the second lock, which is shut.")
        .safe("Nothing was read or changed.")
        .next("Run `aura unlock --second`, or name a file with its password: --second-password-file FILE.")
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let what = sentence(&error);
        match error {
            StoreError::Full => full(),
            StoreError::Damaged(_) | StoreError::DamagedEntry { .. } => {
                Failure::new(Exit::Damaged, what)
                    .safe("What is not damaged can still be read.")
                    .next(VERIFY)
            }
            StoreError::Io(error) => {
                let text =
                    format!("The vault's store could not be read or written: {}.", plain(&error));
                Failure::new(Exit::Failed, text)
                    .safe(NOTHING_LOST)
                    .next("Check the disk and the folder's permissions, and run it again.")
            }
            StoreError::Unreachable(_) | StoreError::SlowDown(_) | StoreError::Server(_) => {
                Failure::new(Exit::Unreachable, what)
                    .safe(NOTHING_LOST)
                    .next("Run it again when the server can be reached.")
            }
            StoreError::OtherKey | StoreError::Unauthenticated | StoreError::Protocol => {
                Failure::new(Exit::Refused, what)
                    .safe(NOTHING_LOST)
                    .next("See `aura store ls`, and ask whoever runs the server.")
            }
            StoreError::Fork | StoreError::Refused(_) | StoreError::Gap { .. } => {
                Failure::new(Exit::Unreachable, what).safe(NOTHING_LOST).next(VERIFY)
            }
            _ => Failure::new(Exit::Failed, what).safe(NOTHING_LOST).next(VERIFY),
        }
    }
}

fn full() -> Failure {
    Failure::new(Exit::Failed, "The disk is full.")
        .safe("Everything that was stored before is safe; this change was not made.")
        .next("Free some space and run it again.")
}

impl From<StoreOpenError> for Failure {
    fn from(error: StoreOpenError) -> Self {
        let what = sentence(&error);
        match error {
            StoreOpenError::Absent => Failure::new(Exit::Damaged, "The vault's store is missing.")
                .safe("The rest of the folder was left as it is.")
                .next("Restore the folder `store` from a backup or another device."),
            StoreOpenError::Busy => {
                Failure::new(Exit::Failed, "Another process has this vault open.")
                    .safe(NOTHING_CHANGED)
                    .next("Use that one, or stop it with `aura lock --stop`.")
            }
            StoreOpenError::Newer { .. } => {
                Failure::new(Exit::Failed, what).safe(NOTHING_CHANGED).next(NEWER)
            }
            StoreOpenError::Damaged(_) | StoreOpenError::Foreign => {
                Failure::new(Exit::Damaged, what)
                    .safe("It was left as it is.")
                    .next("Restore the folder `store` from a backup or another device.")
            }
            StoreOpenError::Full => full(),
            StoreOpenError::Io(error) => {
                Failure::file("The vault's store could not be opened", &error)
            }
            _ => Failure::new(Exit::Failed, what).safe(NOTHING_CHANGED).next("Run it again."),
        }
    }
}

impl From<GateError> for Failure {
    fn from(error: GateError) -> Self {
        let what = sentence(&error);
        match error {
            GateError::Vault(error) => error.into(),
            GateError::Take(error) => error.into(),
            GateError::Blob(error) => error.into(),
            GateError::NoRecord | GateError::Deleted | GateError::NoAttachment => {
                Failure::new(Exit::Failed, what)
                    .safe(NOTHING_CHANGED)
                    .next("Look for it with `aura search` or `aura trash`.")
            }
            GateError::PerhapsShut => Failure::new(Exit::Failed, what)
                .safe(NOTHING_CHANGED)
                .next("If it is in health or credentials: `aura unlock --second`."),
            GateError::Importing => Failure::new(Exit::Failed, what)
                .safe("Nothing of this one was imported; the other one goes on.")
                .next("Run it again when the other one has ended."),
            GateError::NothingToUndo => Failure::new(Exit::Failed, what)
                .safe(NOTHING_CHANGED)
                .next("See what was done with `aura history ID`."),
            GateError::Refused(_) => Failure::new(Exit::Refused, what).safe(NOTHING_CHANGED),
            GateError::TooLarge => {
                Failure::usage(what, "Put large content into a file: --file FILE.")
            }
            GateError::NotGranted(_) | GateError::UsedUp => Failure::new(Exit::Refused, what)
                .safe("Nothing was shown, and it is on the record.")
                .next("The person can grant it: aura grant add NAME --category ..."),
            GateError::NotShown | GateError::FieldsOnly => Failure::new(Exit::Refused, what)
                .safe("Nothing was shown, and it is on the record."),
            GateError::TooMany => {
                Failure::new(Exit::Refused, what).safe("Nothing was shown; all are on the record.")
            }
            GateError::NotConnected => Failure::new(Exit::Refused, what)
                .safe(NOTHING_CHANGED)
                .next("Connect it, which gives it a key: aura connect NAME"),
            GateError::OtherProgram => Failure::new(Exit::Refused, what)
                .safe("Nothing was shown, and it is on the record.")
                .next(
                    "If you start it by another program now, connect it again: aura connect NAME\n\
                     If not, somebody else has its key: aura connect NAME --remove",
                ),
            GateError::NoGrant => Failure::usage(what, "See `aura grant ls --all`."),
            GateError::Terms(_) => Failure::usage(what, "See `aura grant add --help`."),
            GateError::Query(_) => Failure::usage(what, "See `aura search --help` for examples."),
            _ => Failure::new(Exit::Failed, what).safe(NOTHING_LOST),
        }
    }
}

impl From<TakeError> for Failure {
    fn from(error: TakeError) -> Self {
        let what = sentence(&error);
        match error {
            TakeError::Vault(error) => error.into(),
            TakeError::Blob(error) => error.into(),
            TakeError::SecondLock => shut(),
            TakeError::TooLarge => {
                Failure::usage(what, "Put large content into a file: --file FILE.")
            }
            _ => Failure::usage(what, "Give it a title or a text."),
        }
    }
}

impl From<BlobError> for Failure {
    fn from(error: BlobError) -> Self {
        let what = sentence(&error);
        match error {
            BlobError::Store(error) => error.into(),
            BlobError::Io(error) => Failure::file("A file could not be read or written", &error),
            BlobError::Damaged => Failure::new(Exit::Damaged, what)
                .safe("The record itself and everything else can still be read.")
                .next(VERIFY),
            _ => Failure::new(Exit::Failed, what).safe(NOTHING_LOST),
        }
    }
}
