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

use super::context::{Context, refuse_early, warn};
use crate::client::Client;
use crate::daemon::keeper::SystemEntropy;
use crate::exit::{Exit, Failure};
use crate::kit::{Kit, Page, groups};
use crate::moment::{day, now_ms};
use crate::place;
use crate::screen::{count, counted, note, size, wrap};
use crate::secret::{self, Secret};
use crate::view;
use crate::wire::{Cost, Request, Way};

/// Guesses, as a power of ten, from which a password is strong enough.
const GUESSES_LOG10_MIN: f64 = 10.0;

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
        let existed = context.home.exists();
        Home::new(&context.home)
            .create()
            .map_err(|error| Failure::file("The vault's folder could not be made", &error))?;
        let kit = make(context, &Request::Init { password, cost: self.cost });
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
            }))?;
        } else {
            screen.line(&format!("The vault is made and open: {}", context.home.display()))?;
            screen.line(&format!("The emergency kit is in:    {}", path.display()))?;
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
    Client::reach(&context.home, context.idle_seconds)?.ask(request)
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
}

impl Unlock {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut client = context.reach()?;
        if client.standing().locked {
            refuse_early(&client)?;
            let (way, question) = way(self.recovery);
            let secret = context.password(question)?;
            warn(&client.ask(&Request::Unlock { way, secret })?);
        }
        if context.screen.json {
            context.screen.value(&json!({ "locked": false }))?;
        } else {
            context.screen.line("The vault is open.")?;
        }
        Ok(Exit::Done)
    }
}

/// What is asked for.
pub(super) fn way(recovery: bool) -> (Way, &'static str) {
    if recovery { (Way::Recovery, "Recovery code") } else { (Way::Password, "Password") }
}

#[derive(Debug, Args)]
pub(crate) struct Lock {
    /// End the daemon as well
    #[arg(long)]
    stop: bool,
}

impl Lock {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        aura_vault::vault::Vault::<aura_vault::vault::Locked>::identify(&context.home)?;
        if let Some(client) = Client::find(&context.home)? {
            if self.stop {
                client.stop()?;
            } else {
                client.lock()?;
            }
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
    let idle = match status.idle_lock_seconds {
        seconds if seconds.is_multiple_of(60) => counted(seconds / 60, "minute"),
        seconds => counted(seconds, "second"),
    };
    let text =
        format!("  locks     after {idle} without use, and once the machine wakes from sleep");
    screen.line(&text)?;
    let memory = if status.memory == "locked" { "stays out of swap" } else { &status.memory };
    screen.line(&wrap(&format!("  memory    {memory}"), screen.width(), "            "))?;
    if status.wait_ms > 0 {
        let wait = format!("next try in {} s", status.wait_ms.div_ceil(1000));
        screen.line(&format!("  password  {}", screen.bad(&wait)))?;
    }
    if !status.second_lock {
        screen.line("  lock      one for all; health and credentials share it")?;
    }
    if let (Some(records), Some(categories)) = (status.records, &status.by_category) {
        screen.line(&format!("Records     {}", count(records)))?;
        for (category, number) in categories {
            screen.line(&format!("  {category:<12}{:>9}", count(*number)))?;
        }
    } else {
        screen.line("Records     known when it is open: aura unlock")?;
    }
    if let Some(hash) = &status.state_hash {
        screen.line(&format!("  state     {hash}"))?;
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
    screen.line(&format!("Devices     {}", counted(status.devices.len() as u64, "device")))?;
    screen.line("Synced      with nothing: everything is on this device only")?;
    screen.line("Backup      none: keep a copy of `aura export --archive FILE`")?;
    screen.line("Assistants  none")?;
    Ok(())
}
