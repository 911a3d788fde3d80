// SPDX-License-Identifier: MIT OR Apache-2.0
//! Connecting an assistant on this device: its key, and the entry in the configuration of the client that it runs in.
//!
//! Nothing is written that was not shown. What a file shall say is worked out before a key is made: a configuration that
//! cannot be read changes nothing.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use aura_vault::grant::Assistant;
use clap::Args;
use serde_json::{Value, json};

use super::context::Context;
use crate::client::{Client, parse};
use crate::connect::clients::{self, Folders, Known, Meant};
use crate::connect::diff::{Diff, Mark};
use crate::connect::entry::Start;
use crate::connect::plan::{self, Plan, There};
use crate::connect::program;
use crate::exit::{Exit, Failure};
use crate::screen::{Screen, clean, note, tell, wrap};
use crate::secret::{self, Secret};
use crate::view;
use crate::wire::Request;

/// Keys of assistants, beside the vault's own files.
const FOLDER: &str = "assistants";

#[derive(Debug, Args)]
#[command(
    after_help = "Clients: claude (Desktop or Code, whichever is here), claude-desktop, claude-code, cursor, \
                        vscode, zed, windsurf, gemini, codex, lm-studio and more; `aura connect` lists those that are \
                        here. Any other name gets a key, and an entry to put in by hand."
)]
pub(crate) struct Connect {
    /// The client, or a name of your own. Without one, list what is connected and which clients are here
    assistant: Option<String>,
    /// Connect every client that is found on this machine, one after the other
    #[arg(long, conflicts_with = "assistant")]
    all: bool,
    /// Send it away, and take its entry out again: its key opens nothing any more
    #[arg(long, visible_alias = "undo", requires = "assistant")]
    remove: bool,
    /// Write what is shown without asking; what another vault or program has put there is asked for all the same
    #[arg(long)]
    yes: bool,
    /// Print the entry, and write to no configuration
    #[arg(long, requires = "assistant", conflicts_with_all = ["remove", "yes", "all"])]
    print: bool,
}

impl Connect {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let folders = Folders::here();
        let job = Job { context, home: home(context)?, program: program()?, yes: self.yes };
        match (self.assistant, folders) {
            (None, folders) if self.all => job.every(folders.as_ref()),
            (None, folders) => job.list(folders.as_ref()),
            (Some(name), folders) if self.remove => job.remove(&name, folders.as_ref()),
            (Some(name), folders) if self.print => job.print(&name, folders.as_ref()),
            (Some(name), Some(folders)) => job.one(&name, &folders),
            (Some(name), None) => job.by_hand(&name, None, None),
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

/// The vault's folder as an entry has it.
fn home(context: &Context) -> Result<String, Failure> {
    Ok(Context::absolute(&context.home)?.display().to_string())
}

/// This program as an entry has it.
fn program() -> Result<String, Failure> {
    program::path().into_os_string().into_string().map_err(|_| {
        Failure::usage("The path of this program is not UTF-8.", "Put it into another folder.")
    })
}

/// What came of a question.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    /// There was nobody to ask.
    Nobody,
}

/// What every way of connecting needs.
struct Job<'a> {
    context: &'a Context,
    home: String,
    program: String,
    yes: bool,
}

impl Job<'_> {
    fn screen(&self) -> &Screen {
        &self.context.screen
    }

    fn start(&self, name: &str) -> Start {
        Start::new(&self.program, &self.home, name)
    }

    /// The client that a name means.
    fn one(&self, name: &str, folders: &Folders) -> Result<Exit, Failure> {
        match clients::meant(name, folders) {
            Meant::One(known, Some(file)) => self.alone(name, known, &file, folders),
            Meant::One(known, None) => {
                let place = known.usual(folders).map(|file| folders.short(&file));
                let place = place.unwrap_or_default();
                let why =
                    format!("{} was not found on this machine: there is no {place}.", known.title);
                self.by_hand(name, Some(known), Some(&why))
            }
            Meant::OneOf(here) if here.is_empty() => {
                self.by_hand(name, None, Some("No client of this name was found on this machine."))
            }
            Meant::OneOf(here) => {
                let has = |known: &Known, file: &Path| {
                    let found = plan::assistant(known, file, &self.home);
                    found.is_ok_and(|(_, who)| who.as_deref() == Some(name))
                };
                if let Some((known, file)) = here.iter().find(|(known, file)| has(known, file)) {
                    return self.alone(name, known, file, folders);
                }
                let titles: Vec<_> = here.iter().map(|(known, _)| known.title).collect();
                let ways: Vec<_> =
                    here.iter().map(|(known, _)| format!("aura connect {}", known.id)).collect();
                let what = format!("There is more than one here: {}.", titles.join(" and "));
                Err(Failure::usage(what, format!("Say which: {}", ways.join(", or "))))
            }
            Meant::ByHand(why) => self.by_hand(name, None, Some(why)),
            Meant::Unknown => self.by_hand(name, None, None),
        }
    }

    /// One client, and what is to be done next.
    fn alone(
        &self,
        name: &str,
        known: &'static Known,
        file: &Path,
        folders: &Folders,
    ) -> Result<Exit, Failure> {
        let plan = Plan::put(known, file, &self.start(name), &self.home)?;
        if let Some(granted) = self.wire(name, &plan, folders)?
            && !self.screen().json
        {
            self.screen().line(&format!("Take it back: aura connect {name} --undo"))?;
            self.next_step(name, granted)?;
        }
        Ok(Exit::Done)
    }

    /// Every client that is here. One that cannot be done keeps no other one from it.
    fn every(&self, folders: Option<&Folders>) -> Result<Exit, Failure> {
        let screen = self.screen();
        let here = folders.map(|folders| (folders, clients::here(folders)));
        let Some((folders, here)) = here.filter(|(_, here)| !here.is_empty()) else {
            screen.say("No client that is known was found on this machine: aura connect NAME")?;
            return Ok(Exit::Done);
        };
        let connected = self.connected()?;
        let mut exit = Exit::Done;
        // Of those that were connected now, one to which nothing is granted.
        let (mut is_any, mut idle) = (false, None);
        for (known, file) in here {
            let done = plan::assistant(known, &file, &self.home).and_then(|(_, who)| {
                let name = who.unwrap_or_else(|| known.id.to_owned());
                let plan = Plan::put(known, &file, &self.start(&name), &self.home)?;
                let is_key = key_file(&self.context.home, &name).exists();
                if plan.there == There::Same && is_key && connected.contains(&name) {
                    self.unchanged(&name, &plan, folders)?;
                    return Ok(None);
                }
                Ok(self.wire(&name, &plan, folders)?.map(|granted| (name, granted)))
            });
            match done {
                Ok(done) => {
                    is_any |= done.is_some();
                    let fresh = done.filter(|(_, granted)| !granted).map(|(name, _)| name);
                    idle = idle.or(fresh);
                    if !screen.json {
                        screen.line("")?;
                    }
                }
                Err(failure) if failure.exit == Exit::Done => return Err(failure),
                Err(failure) => {
                    tell(&failure.to_string());
                    exit = Exit::Partly;
                }
            }
        }
        if is_any && !screen.json {
            screen.line("Take one back: aura connect NAME --undo")?;
            self.next_step(idle.as_deref().unwrap_or_default(), idle.is_none())?;
        }
        Ok(exit)
    }

    /// Shows what would change, asks, and does it. Returns whether anything is granted to the
    /// assistant, if it was connected.
    fn wire(&self, name: &str, plan: &Plan, folders: &Folders) -> Result<Option<bool>, Failure> {
        let screen = self.screen();
        let diff = plan.diff();
        if let Some(diff) = &diff {
            self.show(plan, diff, folders)?;
            let answer = self.asks("Write this?", plan.there == There::Others)?;
            if answer != Answer::Yes {
                self.left(name, plan, answer)?;
                self.told(name, plan, None, None)?;
                return Ok(None);
            }
        }
        let mut client = self.gives_key(name)?;
        let backup = match &diff {
            Some(_) => plan.write()?,
            None => None,
        };
        let granted = is_granted(&mut client, name)?;
        if screen.json {
            self.told(name, plan, Some(granted), backup.as_deref())?;
            return Ok(Some(granted));
        }
        let file = folders.short(&plan.file);
        screen.line(&match &diff {
            Some(_) => format!("{} is connected as {name}; start it anew.", plan.known.title),
            None => format!("{name} has a new key. Nothing changes in {file}: it has the entry."),
        })?;
        if let Some(backup) = &backup {
            screen.line(&format!("As it was: {}", folders.short(backup)))?;
        }
        Ok(Some(granted))
    }

    /// A client that has its entry and whose assistant has its key.
    fn unchanged(&self, name: &str, plan: &Plan, folders: &Folders) -> Result<(), Failure> {
        if self.screen().json {
            return self.told(name, plan, None, None);
        }
        self.screen().line(&format!("{}: {}", plan.known.title, folders.short(&plan.file)))?;
        self.screen().line(&format!("It is connected as {name}; nothing changes."))
    }

    /// The result, as JSON where that is asked for.
    fn told(
        &self,
        name: &str,
        plan: &Plan,
        granted: Option<bool>,
        backup: Option<&Path>,
    ) -> Result<(), Failure> {
        if !self.screen().json {
            return Ok(());
        }
        let diff = plan.diff().map(|diff| diff.text());
        self.screen().value(&json!({
            "assistant": name,
            "configuration": plan::configuration(Some(plan.known), &self.start(name)),
            "client": plan.known.id,
            "file": plan.file,
            "was": plan.there.as_str(),
            "written": granted.is_some() && diff.is_some(),
            "diff": diff,
            "backup": backup,
            "granted": granted,
        }))
    }

    fn show(&self, plan: &Plan, diff: &Diff, folders: &Folders) -> Result<(), Failure> {
        let screen = self.screen();
        let file = folders.short(&plan.file);
        let goes = if plan.is_removal() { " goes: the entry is all that is in it" } else { "" };
        screen.say(&screen.strong(&format!("{}: {file}{goes}", plan.known.title)))?;
        let why = match plan.there {
            There::Others => {
                "There is an entry `aura` that is not of this vault. It would be replaced:"
            }
            There::Renamed => {
                "There is an entry of this vault under another name. It would be replaced:"
            }
            There::Moved => "The entry names this program elsewhere:",
            There::Nothing | There::Same => "",
        };
        if !why.is_empty() {
            screen.say(&wrap(why, screen.width(), ""))?;
        }
        screen.say(&screen.faint(&diff.head()))?;
        for (mark, line) in &diff.lines {
            let line = format!("{}{}", mark.sign(), clean(line));
            screen.say(&match mark {
                Mark::Stays => line,
                Mark::Goes => screen.bad(&line),
                Mark::Comes => screen.good(&line),
            })?;
        }
        Ok(())
    }

    /// Whether the person agrees, by `--yes` or in person; what is another's only in person.
    fn asks(&self, question: &str, is_others: bool) -> Result<Answer, Failure> {
        if self.yes && !is_others {
            return Ok(Answer::Yes);
        }
        if !secret::can_ask() {
            return Ok(Answer::Nobody);
        }
        Ok(if secret::agrees(&format!("{question} [y/N]"))? { Answer::Yes } else { Answer::No })
    }

    /// Says that nothing was done, and how it would be.
    fn left(&self, name: &str, plan: &Plan, answer: Answer) -> Result<(), Failure> {
        let next = match (answer, plan.there) {
            (Answer::Nobody, There::Others) => {
                "Run it on a terminal, or take the entry out that is there.".to_owned()
            }
            (Answer::Nobody, _) => format!("To write this: aura connect {name} --yes"),
            _ => String::new(),
        };
        let text = format!("Nothing was changed. {next}");
        self.screen().say(&wrap(text.trim_end(), self.screen().width(), ""))
    }

    /// Makes a key, which takes the place of one that was there (CNS-11), and keeps it. Returns the connection to the open vault.
    fn gives_key(&self, name: &str) -> Result<Client, Failure> {
        let mut client = self.context.open_first()?;
        let view::Connected { key } = client.ask(&Request::Connect { name: name.to_owned() })?;
        write(&key_file(&self.context.home, name), &key).map_err(|error| {
            Failure::file("The assistant's key could not be written", &error)
                .next("Run it again: that makes another key.")
        })?;
        Ok(client)
    }

    /// A key, and an entry that the person puts where it belongs.
    fn by_hand(
        &self,
        name: &str,
        known: Option<&Known>,
        why: Option<&str>,
    ) -> Result<Exit, Failure> {
        let screen = self.screen();
        let mut client = self.gives_key(name)?;
        let granted = is_granted(&mut client, name)?;
        let start = self.start(name);
        if screen.json {
            let configuration = plan::configuration(known, &start);
            screen.value(&json!({
                "assistant": name, "configuration": configuration, "granted": granted, "written": false,
            }))?;
            return Ok(Exit::Done);
        }
        if let Some(why) = why {
            screen.line(&wrap(why, screen.width(), ""))?;
        }
        screen
            .line(&format!("{name} has a key for this device. Put this into its configuration:"))?;
        screen.line("")?;
        screen.line(&plan::snippet(known, &start))?;
        let words = "The first program that comes with the key is the one that may.";
        screen.line(words)?;
        self.next_step(name, granted)?;
        Ok(Exit::Done)
    }

    /// A key, and nothing but the entry on standard output.
    fn print(&self, name: &str, folders: Option<&Folders>) -> Result<Exit, Failure> {
        let known = match folders.map(|folders| clients::meant(name, folders)) {
            Some(Meant::One(known, _)) => Some(known),
            _ => None,
        };
        if self.screen().json {
            return self.by_hand(name, known, None);
        }
        self.gives_key(name)?;
        self.screen().line(plan::snippet(known, &self.start(name)).trim_end())?;
        note(&format!("{name} has a key for this device."));
        Ok(Exit::Done)
    }

    fn next_step(&self, name: &str, granted: bool) -> Result<(), Failure> {
        if granted {
            return Ok(());
        }
        let screen = self.screen();
        let words =
            "Nothing is granted yet: it can read nothing until you say what, and for how long:";
        screen.line(&wrap(words, screen.width(), ""))?;
        screen.line(&format!("  aura grant add {name} --category calendar --for 7d"))
    }

    /// Sends an assistant away, then takes out its entry wherever there is one.
    fn remove(&self, name: &str, folders: Option<&Folders>) -> Result<Exit, Failure> {
        let screen = self.screen();
        let (mut plans, mut exit) = (Vec::new(), Exit::Done);
        for (known, file) in folders.map(clients::here).unwrap_or_default() {
            match Plan::take(known, &file, &self.home, name) {
                Ok(Some(plan)) => plans.push(plan),
                Ok(None) => {}
                // It may have the entry, if the vault's folder is named in it.
                Err(failure) => {
                    let text = fs::read_to_string(&file).unwrap_or_default();
                    if known.id == name || text.contains(self.home.as_str()) {
                        tell(&failure.to_string());
                        exit = Exit::Partly;
                    }
                }
            }
        }
        let gone =
            self.context.open_first()?.ask::<Value>(&Request::Disconnect { name: name.to_owned() });
        match gone {
            // It was sent away before, and has left its entry.
            Err(failure) if failure.exit == Exit::Refused && !plans.is_empty() => {}
            Err(failure) => return Err(failure),
            Ok(_) => {
                fs::remove_file(key_file(&self.context.home, name)).ok();
                screen.say(&format!(
                    "{name} is sent away: its key opens nothing any more on this device."
                ))?;
                screen.say("What was granted to it stays: aura grant ls")?;
            }
        }
        let mut files = Vec::new();
        for plan in &plans {
            let Some((folders, diff)) = folders.zip(plan.diff()) else { continue };
            screen.say("")?;
            self.show(plan, &diff, folders)?;
            let answer = self.asks("Take this out?", false)?;
            let written = if answer == Answer::Yes { plan.write().map(Some) } else { Ok(None) };
            let written = written.unwrap_or_else(|failure| {
                tell(&failure.to_string());
                exit = Exit::Partly;
                None
            });
            match (&written, answer) {
                (Some(backup), _) => {
                    let backup = backup.as_deref().map(|file| folders.short(file));
                    screen.say(&format!("Taken out. As it was: {}", backup.unwrap_or_default()))?;
                }
                (None, Answer::Nobody) => {
                    screen.say(&format!(
                        "It stays, and opens nothing. To take it out: aura connect {name} --undo --yes"
                    ))?;
                }
                (None, _) => screen.say("It stays, and opens nothing.")?,
            }
            files.push(json!({
                "client": plan.known.id, "file": plan.file, "diff": diff.text(),
                "written": written.is_some(), "backup": written.flatten(),
            }));
        }
        if screen.json {
            screen.value(&json!({ "assistant": name, "removed": true, "files": files }))?;
        }
        Ok(exit)
    }

    /// The names of those that are connected.
    fn connected(&self) -> Result<BTreeSet<String>, Failure> {
        let mut names = BTreeSet::new();
        self.context.open_first()?.call(&Request::Connected, &mut |item: Value| {
            let client: view::Client = parse(item)?;
            names.insert(client.name);
            Ok(())
        })?;
        Ok(names)
    }

    /// Who is connected, and which clients are here.
    fn list(&self, folders: Option<&Folders>) -> Result<Exit, Failure> {
        let screen = self.screen();
        let mut is_none = true;
        self.context.open_first()?.call(&Request::Connected, &mut |item: Value| {
            let client: view::Client = parse(item)?;
            is_none = false;
            if screen.json {
                return screen.value(&client);
            }
            let program = client.program.as_deref().map_or("nobody has come yet".to_owned(), clean);
            screen.line(&format!("{:<16} {program}", client.name))
        })?;
        if is_none && !screen.json {
            screen.line("No assistant is connected on this device: aura connect NAME")?;
        }
        let Some(folders) = folders else { return Ok(Exit::Done) };
        let here = clients::here(folders);
        if !here.is_empty() && !screen.json {
            screen.line("")?;
            screen.line("Clients on this machine:")?;
        }
        for (known, file) in here {
            let found = plan::assistant(known, &file, &self.home);
            let (entry, who, words) = match found {
                Ok((_, Some(who))) => {
                    ("ours", Some(who.clone()), format!("connected as {}", clean(&who)))
                }
                Ok((There::Others, None)) => {
                    ("other", None, "has an `aura` of another vault".to_owned())
                }
                Ok((_, None)) => ("none", None, format!("aura connect {}", known.id)),
                Err(_) => ("unreadable", None, "its configuration cannot be read".to_owned()),
            };
            if screen.json {
                screen.value(&json!({
                    "client": known.id, "title": known.title, "file": file, "entry": entry, "assistant": who,
                }))?;
            } else {
                screen.line(&format!("  {:<19} {words}", known.title))?;
            }
        }
        Ok(Exit::Done)
    }
}

/// Whether anything is granted to this assistant now.
fn is_granted(client: &mut Client, name: &str) -> Result<bool, Failure> {
    let mut is_granted = false;
    client.call(&Request::Grants, &mut |item: Value| {
        let granted: view::Grant = parse(item)?;
        is_granted |= granted.active && granted.to == name;
        Ok(())
    })?;
    Ok(is_granted)
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
