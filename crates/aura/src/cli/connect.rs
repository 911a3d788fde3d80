// SPDX-License-Identifier: MIT OR Apache-2.0
//! Connecting an assistant on this device: its key, and what its configuration has to say.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use aura_vault::grant::Assistant;
use clap::Args;
use serde_json::{Value, json};

use super::context::Context;
use crate::client::parse;
use crate::exit::{Exit, Failure};
use crate::screen::wrap;
use crate::secret::{self, Secret};
use crate::view;
use crate::wire::Request;

/// Keys of assistants, beside the vault's own files.
const FOLDER: &str = "assistants";

#[derive(Debug, Args)]
pub(crate) struct Connect {
    /// A name for it: claude, cursor, open-webui. Without one, list those that are connected
    assistant: Option<String>,
    /// Send it away: its key opens nothing any more
    #[arg(long, requires = "assistant")]
    remove: bool,
}

impl Connect {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self.assistant {
            None => list(context),
            Some(name) if self.remove => remove(context, &name),
            Some(name) => connect(context, &name),
        }
    }
}

/// Where the key of an assistant is.
pub(crate) fn key_file(home: &Path, name: &str) -> PathBuf {
    home.join(FOLDER).join(format!("{name}.key"))
}

/// The key of an assistant.
pub(crate) fn key(home: &Path, name: &str) -> Result<Secret, Failure> {
    let read = Assistant::new(name).map(|who| secret::from_file(&key_file(home, who.name())));
    read.and_then(Result::ok).ok_or_else(|| {
        Failure::new(Exit::Refused, "This assistant has no key here.")
            .safe("Nothing was read.")
            .next("The person can connect it: aura connect NAME")
    })
}

fn connect(context: &Context, name: &str) -> Result<Exit, Failure> {
    let mut client = context.open_first()?;
    let view::Connected { key } = client.ask(&Request::Connect { name: name.to_owned() })?;
    let path = key_file(&context.home, name);
    write(&path, &key).map_err(|error| {
        Failure::file("The assistant's key could not be written", &error)
            .next("Run it again: that makes another key.")
    })?;
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("aura"));
    let home = context.home.display().to_string();
    let server = json!({
        "command": program.display().to_string(),
        "args": ["--home", home, "mcp", "--as", name],
    });
    let screen = &context.screen;
    let config = json!({ "mcpServers": { "aura": server } });
    if screen.json {
        screen.value(&json!({ "assistant": name, "configuration": config }))?;
        return Ok(Exit::Done);
    }
    screen.line(&format!("{name} has a key for this device. Put this into its configuration:"))?;
    screen.line("")?;
    screen.line(&serde_json::to_string_pretty(&config).unwrap_or_default())?;
    screen.line("")?;
    let words = "The first program that comes with the key is the one that may. Nothing is granted yet: it \
                 can read nothing until you say what, and for how long:";
    screen.line(&wrap(words, screen.width(), ""))?;
    screen.line(&format!("  aura grant add {name} --category calendar --for 7d"))?;
    Ok(Exit::Done)
}

/// Readable for this user alone, and never for a moment for others.
fn write(path: &Path, key: &Secret) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(key.reveal().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

fn remove(context: &Context, name: &str) -> Result<Exit, Failure> {
    let path = key_file(&context.home, name);
    context.open_first()?.ask::<Value>(&Request::Disconnect { name: name.to_owned() })?;
    fs::remove_file(path).ok();
    let screen = &context.screen;
    if screen.json {
        screen.value(&json!({ "assistant": name, "removed": true }))?;
        return Ok(Exit::Done);
    }
    screen.line(&format!("{name} is sent away: its key opens nothing any more on this device."))?;
    screen.line("What was granted to it stays: aura grant ls")?;
    Ok(Exit::Done)
}

fn list(context: &Context) -> Result<Exit, Failure> {
    let screen = &context.screen;
    let mut is_none = true;
    context.open_first()?.call(&Request::Connected, &mut |item: Value| {
        let client: view::Client = parse(item)?;
        is_none = false;
        if screen.json {
            return screen.value(&client);
        }
        let program = client.program.as_deref().unwrap_or("nobody has come yet");
        screen.line(&format!("{:<16} {program}", client.name))
    })?;
    if is_none && !screen.json {
        screen.line("No assistant is connected on this device: aura connect NAME")?;
    }
    Ok(Exit::Done)
}
