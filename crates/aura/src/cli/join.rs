// SPDX-License-Identifier: MIT OR Apache-2.0
//! A new device of a vault that a folder or a server has.

use std::fs;
use std::path::{Path, PathBuf};

use aura_protocol::id::VaultId;
use aura_protocol::store::StoreError;
use aura_store::folder::FolderStore;
use aura_store::http::Address;
use aura_vault::home::{Home, Kind};
use aura_vault::vault::VaultError;
use clap::Args;
use pollster::block_on;
use serde_json::{Value, json};

use super::ask::way;
use super::context::{Context, Watch};
use super::far::{self, Reached};
use super::pair;
use super::server;
use crate::client::{Client, parse};
use crate::exit::{Exit, Failure};
use crate::moment::now_ms;
use crate::screen::{clean, wrap};
use crate::secret::{self, Secret};
use crate::view;
use crate::wire::{Arrival, Cost, Gate, Joining, Request, Source, Way};

#[derive(Debug, Args)]
pub(crate) struct Join {
    /// The folder that another device syncs through, here or at s3://, webdavs:// or sftp://; or the
    /// server: https://HOST:PORT
    #[arg(value_name = "WHERE")]
    place: String,
    #[command(flatten)]
    known: server::Known,
    #[command(flatten)]
    reached: Reached,
    /// Which vault, if a folder has several: its id, or as much of its beginning as no other one has
    #[arg(long, value_name = "ID")]
    vault: Option<String>,
    /// Read the secret key of the emergency kit from the first line of a file
    #[arg(long, value_name = "FILE")]
    secret_key_file: Option<PathBuf>,
    /// With the recovery code of the emergency kit instead of the password and the secret key
    #[arg(long)]
    recovery: bool,
    /// With a code that a device of yours shows: `aura pair` there
    #[arg(long, conflicts_with_all = ["recovery", "secret_key_file", "vault"])]
    pair: bool,
    /// Read that code from the first line of a file
    #[arg(long, value_name = "FILE", requires = "pair")]
    code_file: Option<PathBuf>,
    /// What the other device calls this one when it asks you [default: this computer's name]
    #[arg(long, value_name = "NAME", requires = "pair")]
    name: Option<String>,
    #[arg(long, hide = true, env = "AURA_COST", value_enum, default_value = "usual")]
    cost: Cost,
}

impl Join {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        if self.pair {
            return self.come_in(context);
        }
        let source = self.source()?;
        if !matches!(Home::new(&context.home).kind(), Ok(Kind::Empty)) {
            return Err(VaultError::Exists.into());
        }
        let (way, question) = way(self.recovery);
        let secret = ask(context.password_file.as_deref(), question)?;
        let secret_key = match (way, self.secret_key_file.as_deref()) {
            // Not needed to join; the password needs it later.
            (Way::Recovery, None) => None,
            (_, path) => Some(ask(path, "Secret key")?),
        };
        let joining = Joining { source, way, secret, secret_key, cost: self.cost };
        let joined = make(context, || enter(context, joining))?;
        show(context, &joined)?;
        Ok(Exit::Done)
    }

    /// Comes in by a code.
    fn come_in(self, context: &Context) -> Result<Exit, Failure> {
        if !matches!(Home::new(&context.home).kind(), Ok(Kind::Empty)) {
            return Err(VaultError::Exists.into());
        }
        let name = pair::name(self.name.as_deref())?.to_string();
        let gate = self.gate()?;
        let code = pair::code(self.code_file.as_deref())?;
        let screen = &context.screen;
        let tell = |item: Value| {
            let own: view::Newcomer = parse(item)?;
            if screen.json {
                return screen.value(&json!({ "newcomer": own }));
            }
            screen.line(&format!("This device is {}", clean(&own.name)))?;
            screen.line(&format!("  {}", pair::spelled(&own.device)))?;
            screen.line("Say yes to it on the other one, if the same stands there.")
        };
        let arrival = Arrival { gate, code, name };
        let joined = make(context, || {
            let mut client = Client::reach(&context.home, context.idle)?;
            let mut watch = Watch::new(screen, tell);
            let done = client.call(&Request::Enter(arrival), &mut watch);
            drop(watch);
            parse(done?)
        })?;
        show(context, &joined)?;
        Ok(Exit::Done)
    }

    /// Where the messages lie.
    fn gate(&self) -> Result<Gate, Failure> {
        if far::is_meant(&self.place) {
            let far = self.reached.at(&self.place, self.known.account())?;
            let secret = self.reached.secret(&far)?;
            return Ok(Gate::Far { far, secret });
        }
        if !Address::is_meant(&self.place) {
            return Ok(Gate::Folder(Context::absolute(Path::new(&self.place))?));
        }
        let (address, pin) = self.known.for_pairing(&self.place)?;
        Ok(Gate::Server { url: address.to_string(), pin: pin.to_string() })
    }

    /// Where the vault comes from.
    fn source(&self) -> Result<Source, Failure> {
        if far::is_meant(&self.place) {
            let far = self.reached.at(&self.place, self.known.account())?;
            let secret = self.reached.secret(&far)?;
            let store = far.open(secret.as_ref()).map_err(|error| unread(&error))?;
            let vault = choose(&store, self.vault.as_deref())?.to_string();
            return Ok(Source::Far { far, secret, vault });
        }
        if !Address::is_meant(&self.place) {
            let folder = Context::absolute(Path::new(&self.place))?;
            let store = FolderStore::open(&folder, Box::new(now_ms));
            let store = store.map_err(|error| unread(&error))?;
            let vault = choose(&store, self.vault.as_deref())?.to_string();
            return Ok(Source::Folder { folder, vault });
        }
        if self.recovery {
            return Err(Failure::usage(
                "A server lets a device in with the password and the secret key, not with the recovery \
                 code.",
                "If the password is known, leave out --recovery. If not: on a device that you have, aura passwd \
                 --recovery\nsets another one, here and at the server. Or join through a folder: aura join FOLDER --recovery",
            ));
        }
        Ok(Source::Server { at: self.known.at(&self.place)?, vault: self.vault.clone() })
    }
}

/// Makes the vault's folder, and takes it away again when nothing has come of it.
fn make(
    context: &Context,
    join: impl FnOnce() -> Result<view::Joined, Failure>,
) -> Result<view::Joined, Failure> {
    let existed = context.home.exists();
    Home::new(&context.home)
        .create()
        .map_err(|error| Failure::file("The vault's folder could not be made", &error))?;
    let joined = join();
    if joined.is_err() && !existed {
        // Only goes when it is empty.
        drop(fs::remove_dir(&context.home));
    }
    joined
}

fn enter(context: &Context, joining: Joining) -> Result<view::Joined, Failure> {
    let mut client = Client::reach(&context.home, context.idle)?;
    let mut watch = Watch::new(&context.screen, |_: Value| Ok(()));
    let done = client.call(&Request::Join(joining), &mut watch);
    drop(watch);
    parse(done?)
}

fn unread(error: &StoreError) -> Failure {
    let what = match error {
        StoreError::Io(_) | StoreError::Absent => "The folder could not be read.".to_owned(),
        error => format!("The folder could not be read: {error}."),
    };
    Failure::new(Exit::Unreachable, what).safe("Nothing was made.").next(
        "Check the path or address, the account, and whether the disk or the network is there.",
    )
}

/// The vault that is meant.
fn choose(store: &FolderStore, wanted: Option<&str>) -> Result<VaultId, Failure> {
    let found = block_on(store.vaults()).map_err(|error| unread(&error))?;
    let wanted = wanted.map(|id| id.trim().to_ascii_lowercase());
    let is_wanted = |vault: &&VaultId| {
        wanted.as_ref().is_none_or(|wanted| vault.to_string().starts_with(wanted.as_str()))
    };
    let mut left = found.iter().filter(is_wanted);
    match (left.next(), left.next()) {
        (Some(vault), None) => Ok(*vault),
        (Some(_), Some(_)) => {
            let ids: Vec<_> = found.iter().map(|vault| format!("  {vault}")).collect();
            Err(Failure::usage(
                format!("The folder has more than one vault:\n{}", ids.join("\n")),
                "Say which, as its emergency kit has it: --vault ID",
            ))
        }
        (None, _) if found.is_empty() => Err(Failure::new(
            Exit::Unreachable,
            "The folder has no vault.",
        )
        .safe("Nothing was made.")
        .next(
            "On a device that has it: aura store add FOLDER. Or wait, if a tool brings the files.",
        )),
        (None, _) => Err(Failure::usage(
            "The folder has no vault with this id.",
            "Leave out --vault to see.",
        )),
    }
}

fn ask(file: Option<&Path>, question: &str) -> Result<Secret, Failure> {
    match file {
        Some(path) => secret::from_file(path),
        None if secret::can_ask() => secret::ask(question),
        None => Err(Failure::usage(
            format!("There is nobody to ask: {}.", question.to_lowercase()),
            "Without a terminal: aura join WHERE --password-file FILE --secret-key-file FILE, or \
             --recovery\nwith the recovery code in the password file.",
        )),
    }
}

fn show(context: &Context, joined: &view::Joined) -> Result<(), Failure> {
    let screen = &context.screen;
    if screen.json {
        return screen.value(joined);
    }
    screen.line(&format!("This is a device of the vault now, and it is open: {}", joined.home))?;
    screen.line(&format!("  device  {}", joined.device))?;
    screen.line(&format!("  syncs   {}", clean(&joined.store.path)))?;
    if !joined.secret_key {
        let text = "The password does not open it here before the secret key of the kit is in the file \
                    `secret.key` of the vault's folder; until then: aura unlock --recovery";
        screen.line(&wrap(text, screen.width(), ""))?;
    }
    if joined.confirmed {
        screen.line("What it writes counts. Attachments follow: `aura sync` waits for them.")?;
        return Ok(());
    }
    let id = joined.device.get(..8).unwrap_or(&joined.device);
    let text = "It reads everything. What it writes is kept, and counts on your other devices as soon as \
                one of them has said that it is yours. There, once it is synced:";
    screen.line(&wrap(text, screen.width(), ""))?;
    screen.line(&format!("  aura device confirm {id}"))
}
