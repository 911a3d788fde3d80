// SPDX-License-Identifier: MIT OR Apache-2.0
//! Making the vault, opening and locking it, and how it stands.

use std::fs;
use std::path::{Path, PathBuf};

use aura_crypto::entropy::Entropy as _;
use aura_crypto::words;
use aura_vault::home::{Home, Kind};
use aura_vault::vault::VaultError;
use clap::Args;
use serde_json::{Value, json};

use super::ask::{new_password, way};
use super::context::{Context, refuse_early, warn};
use super::{device, grant, second, store};
use crate::client::Client;
use crate::daemon::keeper::SystemEntropy;
use crate::exit::{Exit, Failure};
use crate::kit::{Kit, Page, groups};
use crate::moment::{day, now_ms};
use crate::place;
use crate::screen::{count, counted, note, size, wrap};
use crate::secret;
use crate::view;
use crate::wire::{Cost, Request, Second};

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Where to write the emergency kit: .html to print, or .txt
    #[arg(long, value_name = "FILE")]
    kit: Option<PathBuf>,
    /// Do not ask for words of the kit
    #[arg(long)]
    no_verify_kit: bool,
    /// What stretching the password costs: `least` is for tests
    #[arg(long, hide = true, env = "AURA_COST", value_enum, default_value = "usual")]
    cost: Cost,
}

impl Init {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let can_ask = secret::can_ask();
        let needs_nobody = self.no_verify_kit && self.kit.is_some();
        if !(can_ask || needs_nobody) {
            return Err(Failure::usage(
                "There is nobody to ask for words of the emergency kit.",
                "Without a terminal: aura init --password-file FILE --kit FILE --no-verify-kit",
            ));
        }
        if !can_ask && context.password_file.is_none() {
            return Err(Failure::usage(
                "There is nobody to ask for a password.",
                "Name a file with it: --password-file FILE.",
            ));
        }
        check_place(&context.home)?;
        let path = self.kit.clone().unwrap_or_else(|| PathBuf::from("aura-emergency-kit.html"));
        let page = Page::create(&path)?;
        if context.password_file.is_none() {
            suggest();
        }
        let password = new_password(context, "New password")?;
        let second = second::offer(context)?;
        let has_second = second.is_some();
        let existed = context.home.exists();
        Home::new(&context.home)
            .create()
            .map_err(|error| Failure::file("The vault's folder could not be made", &error))?;
        let kit = make(context, &Request::Init { password, second, cost: self.cost });
        if kit.is_err() && !existed {
            // Only goes when it is empty.
            drop(fs::remove_dir(&context.home));
        }
        let kit = kit?;
        let path = page.write(&kit, &day(now_ms()))?;
        let screen = &context.screen;
        if screen.json {
            screen.value(&json!({
                "vault_id": kit.vault_id,
                "home": context.home.display().to_string(),
                "kit": path.display().to_string(),
                "second_lock": has_second,
            }))?;
        } else {
            screen.line(&format!("The vault is made and open: {}", context.home.display()))?;
            screen.line(&format!("The emergency kit is in:    {}", path.display()))?;
            if has_second {
                screen.line(
                    "Health and credentials have a second lock; only its password opens it.",
                )?;
            }
        }
        if !self.no_verify_kit {
            prove(&kit, &path)?;
        }
        if !screen.json {
            screen.line("\nPrint the kit, then delete its file. Next: aura import FILES…")?;
        }
        Ok(Exit::Done)
    }
}

fn make(context: &Context, request: &Request) -> Result<Kit, Failure> {
    Client::reach(&context.home, context.idle)?.ask(request)
}

/// Whether a vault can be made in this folder.
fn check_place(home: &Path) -> Result<(), Failure> {
    match Home::new(home).kind() {
        Ok(Kind::Empty) => {}
        Ok(Kind::Vault(_)) => return Err(VaultError::Exists.into()),
        Ok(Kind::Newer) => return Err(VaultError::Newer.into()),
        Ok(Kind::Unknown) => return Err(VaultError::Damaged("aura-vault").into()),
        Err(error) => return Err(Failure::file("The vault's folder could not be read", &error)),
    }
    let Ok(found) = fs::read_dir(home) else { return Ok(()) };
    let own = [place::SOCKET, place::LOCK];
    let is_foreign = |name: &std::ffi::OsStr| !own.iter().any(|own| name == *own);
    if found.flatten().any(|entry| is_foreign(&entry.file_name())) {
        return Err(Failure::usage(
            "There are other files in this folder, and they were left as they are.",
            "Choose a new or an empty folder with --home DIR.",
        ));
    }
    Ok(())
}

fn suggest() {
    let words = words::passphrase(&mut SystemEntropy);
    note("A vault needs a password that nobody guesses and you do not forget.");
    note("Six words that you could use, made just for you:\n");
    note(&format!("    {}\n", *words));
}

/// Asks for two groups of the kit, so that it is known to be in the person's hands.
fn prove(kit: &Kit, path: &Path) -> Result<(), Failure> {
    note(&format!("\nOpen {} now: two groups of it are asked for.", path.display()));
    for (name, code) in [("secret key", &kit.secret_key), ("recovery code", &kit.recovery_code)] {
        let groups = groups(code);
        let mut byte = [0; 1];
        SystemEntropy.fill(&mut byte);
        let at = usize::from(byte[0]).checked_rem(groups.len()).unwrap_or_default();
        let expected = groups.get(at).copied().unwrap_or_default();
        loop {
            let typed = secret::ask(&format!("Group {} of the {name}", at.saturating_add(1)))?;
            if typed.reveal().trim().eq_ignore_ascii_case(expected) {
                break;
            }
            note("  That is not what the kit says. Look again, please.");
        }
    }
    note("  Right. The kit works.");
    Ok(())
}

#[derive(Debug, Args)]
pub(crate) struct Unlock {
    /// With the recovery code of the emergency kit instead of the password
    #[arg(long)]
    recovery: bool,
    /// Open health and credentials as well, which have a lock of their own
    #[arg(long, conflicts_with = "recovery")]
    second: bool,
}

impl Unlock {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        if self.second {
            return second::unlock(context);
        }
        let mut client = context.reach()?;
        if client.standing().locked {
            refuse_early(&client)?;
            let (way, question) = way(self.recovery);
            let secret = context.password(question)?;
            warn(&client.ask(&Request::Unlock { way, secret })?);
        }
        context.open_second(&mut client)?;
        if context.screen.json {
            context.screen.value(&json!({ "locked": false }))?;
        } else {
            context.screen.line("The vault is open.")?;
            if client.standing().second == Second::Shut && context.second_password_file.is_none() {
                context.screen.line("Health and credentials stay shut: aura unlock --second")?;
            }
        }
        Ok(Exit::Done)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Lock {
    /// End the daemon as well
    #[arg(long)]
    stop: bool,
    /// Shut health and credentials alone, which have a lock of their own
    #[arg(long, conflicts_with = "stop")]
    second: bool,
}

impl Lock {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        aura_vault::vault::Vault::<aura_vault::vault::Locked>::identify(&context.home)?;
        if self.second {
            return second::lock(context);
        }
        if self.stop {
            Client::stop(&context.home)?;
        } else if let Some(client) = Client::find(&context.home)? {
            client.lock()?;
        }
        if context.screen.json {
            context.screen.value(&json!({ "locked": true }))?;
        } else {
            context.screen.line("The vault is locked.")?;
        }
        Ok(Exit::Done)
    }
}

/// How the vault stands. Opens it only when a password file was named.
pub(crate) fn status(context: &Context) -> Result<Exit, Failure> {
    let mut client =
        if context.password_file.is_some() { context.open()? } else { context.reach()? };
    let status: Value = client.ask(&Request::Status)?;
    if context.screen.json {
        context.screen.value(&status)?;
        return Ok(Exit::Done);
    }
    show(context, &crate::client::parse(status)?)?;
    Ok(Exit::Done)
}

fn show(context: &Context, status: &view::Status) -> Result<(), Failure> {
    let screen = &context.screen;
    let state = if status.locked { screen.good("locked") } else { screen.strong("open") };
    screen.line(&format!("Vault       {state}"))?;
    screen.line(&format!("  folder    {}", status.home))?;
    screen.line(&format!("  id        {}", status.vault_id))?;
    let idle = duration(status.idle_lock_seconds);
    let text =
        format!("  locks     after {idle} without use, and once the machine wakes from sleep");
    screen.line(&text)?;
    let memory = if status.memory == "locked" { "stays out of swap" } else { &status.memory };
    screen.line(&wrap(&format!("  memory    {memory}"), screen.width(), "            "))?;
    if status.wait_ms > 0 {
        let wait = format!("next try in {} s", status.wait_ms.div_ceil(1000));
        screen.line(&format!("  password  {}", screen.bad(&wait)))?;
    }
    show_second(context, status)?;
    if let (Some(records), Some(categories)) = (status.records, &status.by_category) {
        screen.line(&format!("Records     {}", count(records)))?;
        for (category, number) in categories {
            let number = number.map_or_else(|| "shut".to_owned(), count);
            screen.line(&format!("  {category:<12}{number:>9}"))?;
        }
    } else {
        screen.line("Records     known when it is open: aura unlock")?;
    }
    if let Some(hash) = &status.state_hash {
        screen.line(&format!("  state     {hash}"))?;
    } else if status.second_lock_open == Some(false) {
        screen.line("  state     not known while the second lock is shut")?;
    }
    if let (Some(log), Some(files)) = (status.log_bytes, status.attachment_bytes) {
        screen.line(&format!(
            "  sealed    {} of records, {} of attachments",
            size(log),
            size(files)
        ))?;
    }
    if let Some(bad) = status.quarantined.filter(|bad| *bad > 0) {
        let text = format!("{} cannot be read: run aura verify", counted(bad, "entry"));
        screen.line(&format!("  damage    {}", screen.bad(&text)))?;
    }
    for warning in &status.warnings {
        let text = wrap(&format!("  warning   {warning}"), screen.width(), "            ");
        screen.line(&screen.bad(&text))?;
    }
    device::summary(screen, &status.devices)?;
    store::summary(screen, &status.stores)?;
    screen.line("Backup      none: keep a copy of `aura export --archive FILE`")?;
    if let Some(grants) = &status.grants {
        grant::summary(screen, grants)?;
    }
    Ok(())
}

fn duration(seconds: u64) -> String {
    match seconds {
        seconds if seconds.is_multiple_of(60) => counted(seconds / 60, "minute"),
        seconds => counted(seconds, "second"),
    }
}

/// How the second lock stands.
fn show_second(context: &Context, status: &view::Status) -> Result<(), Failure> {
    let screen = &context.screen;
    if !status.second_lock {
        return screen.line("  lock      one for all; health and credentials share it");
    }
    let idle = duration(status.second_idle_lock_seconds);
    let waiting = status.waiting.unwrap_or_default();
    let text = match status.second_lock_open {
        Some(true) => format!("open: health and credentials shut after {idle} without use"),
        Some(false) => {
            let entries = if waiting == 1 { "entry" } else { "entries" };
            format!("shut: {} {entries} of health and credentials waiting", count(waiting))
        }
        None => "shut: health and credentials have one of their own".to_owned(),
    };
    screen.line(&format!("  second    {text}"))?;
    if status.second_wait_ms > 0 {
        let wait = format!("next try of the second in {} s", status.second_wait_ms.div_ceil(1000));
        screen.line(&format!("  password  {}", screen.bad(&wait)))?;
    }
    Ok(())
}
