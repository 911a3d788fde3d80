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
use serde_json::Value;

use super::ask::way;
use super::context::{Context, Watch};
use super::far::{self, Reached};
use super::server;
use crate::client::{Client, parse};
use crate::exit::{Exit, Failure};
use crate::moment::now_ms;
use crate::screen::{clean, wrap};
use crate::secret::{self, Secret};
use crate::view;
use crate::wire::{Cost, Joining, Request, Source, Way};

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
    #[arg(long, hide = true, env = "AURA_COST", value_enum, default_value = "usual")]
    cost: Cost,
}

impl Join {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
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
        let has_key = secret_key.is_some();
        let existed = context.home.exists();
        Home::new(&context.home)
            .create()
            .map_err(|error| Failure::file("The vault's folder could not be made", &error))?;
        let joining = Joining { source, way, secret, secret_key, cost: self.cost };
        let joined = enter(context, joining);
        if joined.is_err() && !existed {
            // Only goes when it is empty.
            drop(fs::remove_dir(&context.home));
        }
        show(context, &joined?)?;
        if !(has_key || context.screen.json) {
            let text = "The password does not open it here before the secret key of the kit is in the \
                        file `secret.key` of the vault's folder; until then: aura unlock --recovery";
            context.screen.line(&wrap(text, context.screen.width(), ""))?;
        }
        Ok(Exit::Done)
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
