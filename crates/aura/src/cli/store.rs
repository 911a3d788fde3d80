// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where this device syncs: stores are named, listed and let go of; and syncing itself.

use std::path::Path;

use aura_store::http::Address;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::context::{Context, Watch};
use super::far::{self, Reached};
use super::lan::{self, Called};
use super::server;
use crate::client::parse;
use crate::exit::{Exit, Failure};
use crate::screen::{Screen, clean, counted, size, wrap};
use crate::secret;
use crate::view;
use crate::wire::{Fate, Request, Where};

const INDENT: &str = "            ";

#[derive(Debug, Subcommand)]
pub(crate) enum Store {
    /// Sync through a folder, on a USB stick, a NAS, or one that Syncthing or Dropbox carries; through a
    /// bucket, a WebDAV or an SFTP server; through a server of Aura's; or directly with your other devices on
    /// this network
    Add(Add),
    /// List the stores, and how each stands
    Ls,
    /// Sync with a store no more; what is in it stays
    Rm(Remove),
    /// Know a server by a new key, after comparing it
    Pin(server::Pin),
    /// Give the account at a server the vault's password
    Password(server::Password),
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The folder; s3://BUCKET/PREFIX, webdavs://HOST/PATH, sftp://USER@HOST/PATH; the server's address:
    /// https://HOST:PORT; `lan` for your devices on this network, or one's address: peer://HOST:PORT
    #[arg(value_name = "WHERE")]
    place: String,
    #[command(flatten)]
    called: Called,
    #[command(flatten)]
    known: server::Known,
    #[command(flatten)]
    reached: Reached,
    #[command(flatten)]
    register: server::Register,
}

#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// The folder, the address, or `lan`
    #[arg(value_name = "WHERE")]
    place: String,
    /// Delete the account at the server, and everything that is kept for it
    #[arg(long)]
    delete_account: bool,
    /// Do not ask whether to
    #[arg(long, requires = "delete_account")]
    yes: bool,
}

impl Store {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Add(args) => add(context, &args),
            Self::Ls => list(context),
            Self::Rm(args) => remove(context, &args),
            Self::Pin(args) => args.run(context),
            Self::Password(args) => args.run(context),
        }
    }
}

fn add(context: &Context, args: &Add) -> Result<Exit, Failure> {
    if lan::is_meant(&args.place) {
        let is_other =
            args.known.is_named() || args.reached.is_named() || args.register.is_wanted();
        return if is_other { Err(far_alone()) } else { args.called.add(context, &args.place) };
    }
    if args.called.is_named() {
        return Err(far_alone());
    }
    if far::is_meant(&args.place) {
        return add_far(context, args);
    }
    if args.reached.is_named() {
        return Err(far_alone());
    }
    if Address::is_meant(&args.place) {
        return server::add(context, &args.place, (&args.known, &args.register));
    }
    if args.known.is_named() {
        return Err(no_server());
    }
    let folder = Context::absolute(Path::new(&args.place))?;
    let store: view::Store = context.open_first()?.ask(&Request::AddStore { folder })?;
    let screen = &context.screen;
    if screen.json {
        screen.value(&store)?;
        return Ok(Exit::Done);
    }
    screen.line(&format!("This vault syncs through {}", clean(&store.path)))?;
    let text = "Only sealed bytes go there: whoever has the folder learns how much there is and when \
                it came, and nothing of what it says. It brings this vault to your other devices \
                (there: aura join FOLDER) and is a copy if this disk fails; your password and the \
                emergency kit open it. Nobody guards a folder: whoever can write there can delete \
                it. That is noticed, and any of your devices fills it again.";
    screen.line(&wrap(text, screen.width(), ""))?;
    screen.line("It is synced by itself while the vault is open; `aura sync` waits for it.")?;
    Ok(Exit::Done)
}

fn add_far(context: &Context, args: &Add) -> Result<Exit, Failure> {
    if args.known.has_pin() || args.register.is_wanted() {
        return Err(far_alone());
    }
    let far = args.reached.at(&args.place, args.known.account())?;
    // Nobody types a secret for a vault that is not there.
    context.reach()?;
    let secret = args.reached.secret(&far)?;
    let store: view::Store = context.open_first()?.ask(&Request::AddFar { far, secret })?;
    let screen = &context.screen;
    if screen.json {
        screen.value(&store)?;
        return Ok(Exit::Done);
    }
    screen.line(&format!("This vault syncs through {}", clean(&store.path)))?;
    let text = "Only sealed bytes go there: whoever runs it learns how much there is, when it came and from \
                where, and nothing of what it says. Whoever can write there can delete it; that is noticed, and \
                any of your devices fills it again. Its secret is kept in the vault's folder, for you alone to \
                read, and opens nothing of the vault.";
    screen.line(&wrap(text, screen.width(), ""))?;
    screen.line("On another device, with the kit at hand, and the same options:")?;
    screen.line(&format!("  aura join {}", clean(&store.path)))?;
    screen.line("It is synced by itself while the vault is open; `aura sync` waits for it.")?;
    Ok(Exit::Done)
}

fn far_alone() -> Failure {
    Failure::usage(
        "An option does not go with this kind of store.",
        "See which go with which: aura store add --help",
    )
}

fn list(context: &Context) -> Result<Exit, Failure> {
    let value: Value = context.reach()?.ask(&Request::Stores)?;
    let stores: Vec<view::Store> = parse(value)?;
    let screen = &context.screen;
    if screen.json {
        stores.iter().try_for_each(|store| screen.value(store))?;
        return Ok(Exit::Done);
    }
    if stores.is_empty() {
        screen.line("There is none: everything is on this device only. aura store add FOLDER")?;
    }
    for store in &stores {
        screen.line(&screen.strong(&clean(&store.path)))?;
        if let (Some(account), Some(key)) = (&store.account, &store.key) {
            line(screen, "  account   ", &clean(account))?;
            line(screen, "  key       ", key)?;
        }
        stand(screen, store)?;
    }
    Ok(Exit::Done)
}

fn remove(context: &Context, args: &Remove) -> Result<Exit, Failure> {
    let fate = if args.delete_account { Fate::Deleted } else { Fate::Kept };
    let is_lan = lan::is_meant(&args.place);
    let is_far = far::is_meant(&args.place);
    let is_server = !is_far && !is_lan && Address::is_meant(&args.place);
    if fate == Fate::Deleted && !(is_server && (args.yes || is_meant()?)) {
        return Err(if is_server { undecided() } else { no_server() });
    }
    if is_lan {
        return lan::remove(context, &args.place);
    }
    let store = if is_server {
        server::remove(context, &args.place, fate)?
    } else if is_far {
        let store = Where::Far(far::address(&args.place)?.to_string());
        context.reach()?.ask(&Request::RemoveStore { store, account: fate })?
    } else {
        let store = Where::Folder(Context::absolute(Path::new(&args.place))?);
        context.reach()?.ask(&Request::RemoveStore { store, account: fate })?
    };
    let screen = &context.screen;
    if screen.json {
        screen.value(&store)?;
        return Ok(Exit::Done);
    }
    screen.line(&format!("This vault does not sync through {} any more.", clean(&store.path)))?;
    screen.line(match fate {
        Fate::Kept if is_server || is_far => "Nothing there was deleted; it stays sealed.",
        Fate::Kept => "Nothing in the folder was deleted; it stays sealed.",
        Fate::Deleted => "The account there was deleted, and everything that was kept for it.",
    })?;
    Ok(Exit::Done)
}

/// Asks whether an account is to be deleted.
fn is_meant() -> Result<bool, Failure> {
    let question = "Delete the account and everything that the server keeps of this vault? [y/N]";
    Ok(secret::can_ask() && secret::agrees(question)?)
}

fn undecided() -> Failure {
    Failure::usage("The account was not deleted.", "To delete it without being asked: --yes")
}

fn no_server() -> Failure {
    Failure::usage("This is a folder, and has no account.", "A server begins with https://")
}

/// Syncs with every store and says what came of it.
pub(super) fn sync(context: &Context) -> Result<Exit, Failure> {
    let mut client = context.open()?;
    let screen = &context.screen;
    let mut watch = Watch::new(screen, |_: Value| Ok(()));
    let done = client.call(&Request::Sync, &mut watch);
    drop(watch);
    let synced: view::Synced = parse(done?)?;
    if screen.json {
        screen.value(&synced)?;
    } else {
        show(screen, &synced)?;
    }
    Ok(exit(&synced))
}

/// 6 when no store was reached, 7 when one was not, or something was found.
fn exit(synced: &view::Synced) -> Exit {
    let is_clean = |visit: &view::Visit| {
        visit.reached && visit.store.trouble.is_none() && visit.store.findings.is_empty()
    };
    if !synced.stores.iter().any(|visit| visit.reached) {
        Exit::Unreachable
    } else if synced.taken_in && synced.stores.iter().all(is_clean) {
        Exit::Done
    } else {
        Exit::Partly
    }
}

fn show(screen: &Screen, done: &view::Synced) -> Result<(), Failure> {
    for visit in &done.stores {
        let store = &visit.store;
        screen.line(&screen.strong(&clean(&store.path)))?;
        if visit.reached {
            line(screen, "  came      ", &moved(&visit.came))?;
            line(screen, "  went      ", &moved(&visit.went))?;
        }
        if visit.healed > 0 {
            let parts = counted(visit.healed, "damaged part");
            line(screen, "  healed    ", &format!("{parts} of this device, from there"))?;
        }
        line(screen, "  synced    ", &synced(store))?;
        troubles(screen, store)?;
    }
    if !done.taken_in {
        let text =
            "What came is kept, and shown when the import or export that is running has ended.";
        screen.line(&wrap(text, screen.width(), ""))?;
    }
    Ok(())
}

fn moved(moved: &view::Moved) -> String {
    let mut parts = Vec::new();
    if moved.entries > 0 {
        parts.push(format!("{}, {}", entries(moved.entries), size(moved.bytes)));
    }
    if moved.chunks > 0 {
        parts.push(format!("{} of attachments", counted(moved.chunks, "piece")));
    }
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", and ") }
}

fn entries(count: u64) -> String {
    if count == 1 {
        "1 entry".to_owned()
    } else {
        format!("{} entries", crate::screen::count(count))
    }
}

/// How one stands. The network is no store, and has nothing to be synced.
fn stand(screen: &Screen, store: &view::Store) -> Result<(), Failure> {
    if store.kind == "lan" {
        line(screen, "  listens   ", &lan::port(store))?;
    } else {
        line(screen, "  synced    ", &synced(store))?;
    }
    troubles(screen, store)
}

/// When the store last had everything, and what it lacks since.
fn synced(store: &view::Store) -> String {
    let when = store.synced.as_deref().unwrap_or("never");
    match store.waiting {
        Some(0) if store.wanted == 0 => format!("{when}: it has everything"),
        Some(0) => format!("{when}: it has everything but for attachments"),
        Some(waiting) if store.synced.is_some() => format!("{when}; {} since", changes(waiting)),
        Some(waiting) => format!("{when}; {}", changes(waiting)),
        None => when.to_owned(),
    }
}

fn changes(count: u64) -> String {
    if count == 1 {
        "1 change waits".to_owned()
    } else {
        format!("{} changes wait", crate::screen::count(count))
    }
}

/// Why it was not reached, and what was found in it.
fn troubles(screen: &Screen, store: &view::Store) -> Result<(), Failure> {
    if let Some(trouble) = &store.trouble {
        let later =
            if store.kind == "lan" { "" } else { " What waits is kept, and goes there later." };
        let text = format!("{trouble}.{later}");
        line(screen, "  trouble   ", &screen.bad(&text))?;
    }
    if store.wanted > 0 {
        let pieces = counted(store.wanted, "piece");
        let text = format!("{pieces} of attachments still to be carried, or found nowhere yet");
        line(screen, "  missing   ", &text)?;
    }
    if store.password_due {
        let text = "the account has the vault's former password; new devices log in with that";
        line(screen, "  password  ", &screen.bad(text))?;
        line(screen, INDENT, &format!("aura store password {}", store.path))?;
    }
    for finding in &store.findings {
        line(screen, "  found     ", &screen.bad(&finding.text))?;
        line(screen, INDENT, &finding.next)?;
    }
    Ok(())
}

fn line(screen: &Screen, name: &str, text: &str) -> Result<(), Failure> {
    screen.line(&wrap(&format!("{name}{text}"), screen.width(), INDENT))
}

/// What `aura status` says of them.
pub(super) fn summary(screen: &Screen, stores: &[view::Store]) -> Result<(), Failure> {
    if stores.is_empty() {
        return screen.line("Synced      with nothing: everything is on this device only");
    }
    let count = stores.iter().filter(|store| store.kind != "lan").count() as u64;
    let with = if count == 0 {
        "no device yet: none was found on this network".to_owned()
    } else {
        counted(count, "store")
    };
    screen.line(&format!("Synced      with {with}"))?;
    for store in stores {
        line(screen, &format!("  {:<10}", store.kind), &clean(&store.path))?;
        stand(screen, store)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(reached: bool, trouble: Option<&str>) -> view::Visit {
        let store = view::Store {
            kind: "folder".to_owned(),
            path: "/media/stick".to_owned(),
            device: None,
            port: None,
            account: None,
            key: None,
            password_due: false,
            synced: None,
            waiting: Some(0),
            wanted: 0,
            trouble: trouble.map(str::to_owned),
            findings: Vec::new(),
        };
        view::Visit {
            reached,
            came: view::Moved::default(),
            went: view::Moved::default(),
            healed: 0,
            store,
        }
    }

    #[test]
    fn the_exit_code_says_whether_every_store_was_reached() {
        let away = || visit(false, Some("the folder is not there"));
        let exit = |stores| exit(&view::Synced { stores, taken_in: true });
        assert_eq!(exit(vec![visit(true, None)]), Exit::Done);
        assert_eq!(exit(vec![visit(true, None), away()]), Exit::Partly);
        assert_eq!(exit(vec![visit(true, Some("its disk is full"))]), Exit::Partly);
        assert_eq!(exit(vec![away(), away()]), Exit::Unreachable);
    }
}
