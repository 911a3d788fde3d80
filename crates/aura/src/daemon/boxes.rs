// SPDX-License-Identifier: MIT OR Apache-2.0
//! The boxes of one code: one in every store that can be reached, each looked at by a thread of its own, so that a store
//! which hangs holds up neither the others nor the end.
//!
//! Whichever way a pairing ends, its boxes are taken away. Source: spec/pairing.md, rules PAI-10, PAI-11, PAI-13.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SendError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use aura_protocol::id::VaultId;
use aura_protocol::pairing::Step;
use aura_protocol::store::StoreError;
use aura_store::folder::FolderBox;
use aura_store::http::ServerBox;
use aura_store::mailbox::{Mailbox, Posted};
use aura_vault::vault::{Offered, Pairing};
use pollster::block_on;

use super::keeper::{Keeper, SystemEntropy};
use super::sync::{self, Kept, Road, Site, Syncing};
use crate::exit::Failure;
use crate::moment::now_ms;

/// How long a store may take to keep an offer, before it counts as not reached.
const OPENING: Duration = Duration::from_secs(15);
/// How long the end waits for boxes to be taken away.
const CLOSING: Duration = Duration::from_secs(2);
/// How often a thread looks whether it is over.
const TICK: Duration = Duration::from_millis(200);

/// A box in one of the vault's stores.
pub(super) struct Opened {
    pub(super) site: Site,
    pub(super) mailbox: Arc<dyn Mailbox>,
    pub(super) offered: Offered,
}

/// An offer on its way, and what became of it.
type Placed = (Opened, Result<Posted, StoreError>);

/// All of them.
pub(super) struct Boxes {
    opened: Vec<Opened>,
    /// Stores that could not be reached, and why.
    pub(super) troubles: Vec<String>,
    answers: Receiver<(usize, Vec<u8>)>,
    is_over: Arc<AtomicBool>,
}

impl Boxes {
    /// Puts an offer into a box in every store of the vault, and looks for answers from then on.
    pub(super) fn open(
        (keeper, syncing): (&Keeper, &Syncing),
        (pairing, life): (&Pairing, Duration),
    ) -> Result<Self, Failure> {
        let vault = keeper.with_open(|vault, _| Ok(vault.id()))?;
        let mut stores = sync::kept(keeper.home())?;
        // Another device lets nobody in that it does not know.
        stores.retain(|kept| !kept.site.is_device());
        if stores.is_empty() {
            return Err(Failure::usage(
                "There is no store that both devices could reach.",
                "Name a folder or a server first: aura store add WHERE",
            ));
        }
        let life_ms = i64::try_from(life.as_millis()).unwrap_or(i64::MAX);
        let until_ms = u64::try_from(now_ms().saturating_add(life_ms)).unwrap_or_default();
        let (sender, placed) = channel();
        let (mut waiting, mut troubles) = (Vec::new(), Vec::new());
        for kept in stores {
            let name = kept.site.text();
            let prepared = prepare((keeper, syncing), (pairing, vault, until_ms), kept);
            match prepared.map(|opened| place(opened, sender.clone())) {
                Ok(true) => waiting.push(name),
                Ok(false) => troubles.push(format!("{name}: there is no thread for it")),
                Err(trouble) => troubles.push(trouble),
            }
        }
        drop(sender);
        let opened = collect(&placed, (waiting, &mut troubles));
        let (sender, answers) = channel();
        let is_over = Arc::new(AtomicBool::new(false));
        for (at, opened) in opened.iter().enumerate() {
            look(at, &opened.mailbox, (sender.clone(), Arc::clone(&is_over)));
        }
        Ok(Self { opened, troubles, answers, is_over })
    }

    /// Where they are.
    pub(super) fn places(&self) -> Vec<String> {
        self.opened.iter().map(|opened| opened.site.text()).collect()
    }

    /// An answer and the box that it lies in, if one comes soon.
    pub(super) fn answer(&self, longest: Duration) -> Option<(&Opened, Vec<u8>)> {
        match self.answers.recv_timeout(longest) {
            Ok((at, sealed)) => Some((self.opened.get(at)?, sealed)),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                thread::sleep(longest);
                None
            }
        }
    }
}

impl Drop for Boxes {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let (sender, closed) = channel();
        for Opened { mailbox, .. } in self.opened.drain(..) {
            let sender = sender.clone();
            let close = move || {
                // One that cannot be reached ends by itself.
                block_on(mailbox.close()).ok();
                drop(sender);
            };
            drop(thread::Builder::new().name("box".to_owned()).spawn(close));
        }
        drop(sender);
        // Until the last of them has let go of it.
        let _: Result<(), _> = closed.recv_timeout(CLOSING);
    }
}

/// A box that nothing lies in yet.
fn prepare(
    (keeper, syncing): (&Keeper, &Syncing),
    (pairing, vault, until_ms): (&Pairing, VaultId, u64),
    Kept { site, .. }: Kept,
) -> Result<Opened, String> {
    let place = pairing.place();
    let mailbox: Arc<dyn Mailbox> = match syncing.road(keeper, vault, &site) {
        Ok(Road::Folder(store)) => Arc::new(FolderBox::new(store, vault, place, until_ms)),
        Ok(Road::Server(store)) => Arc::new(ServerBox::new(store, place)),
        Err(error) => return Err(unreached(&site, &error)),
    };
    let pin = site.account().map(|account| account.pin);
    let offered = pairing.offer(pin, &mut SystemEntropy);
    Ok(Opened { site, mailbox, offered })
}

fn unreached(site: &Site, error: &StoreError) -> String {
    let why = match (error, site) {
        (StoreError::Absent, Site::Server(_)) => {
            "it is an older server, which keeps no boxes for codes".to_owned()
        }
        _ => sync::trouble(error, site),
    };
    format!("{}: {why}", site.text())
}

/// Puts the offer there. Says whether that has begun.
fn place(opened: Opened, sender: Sender<Placed>) -> bool {
    let put = move || {
        let done = block_on(opened.mailbox.put(Step::Offer, opened.offered.sealed()));
        if let Err(SendError((opened, Ok(Posted::There)))) = sender.send((opened, done)) {
            // Too late for anybody.
            block_on(opened.mailbox.close()).ok();
        }
    };
    thread::Builder::new().name("box".to_owned()).spawn(put).is_ok()
}

/// Boxes that have their offer in time.
fn collect(
    placed: &Receiver<Placed>,
    (mut waiting, troubles): (Vec<String>, &mut Vec<String>),
) -> Vec<Opened> {
    let begun = Instant::now();
    let mut all = Vec::new();
    while !waiting.is_empty() {
        let left = OPENING.saturating_sub(begun.elapsed());
        let Ok((opened, done)) = placed.recv_timeout(left) else { break };
        let name = opened.site.text();
        waiting.retain(|waiting| *waiting != name);
        match done {
            Ok(Posted::There) => all.push(opened),
            Ok(Posted::Taken) => troubles.push(format!("{name}: something else lies there")),
            Err(error) => troubles.push(unreached(&opened.site, &error)),
        }
    }
    troubles.extend(waiting.into_iter().map(|name| format!("{name}: it does not answer")));
    all
}

/// Looks for an answer until there is one, or until it is over.
fn look(
    at: usize,
    mailbox: &Arc<dyn Mailbox>,
    (sender, is_over): (Sender<(usize, Vec<u8>)>, Arc<AtomicBool>),
) {
    let mailbox = Arc::clone(mailbox);
    let pause = Duration::from_millis(mailbox.pause_ms());
    let look = move || {
        let mut looked: Option<Instant> = None;
        while !is_over.load(Ordering::SeqCst) {
            if looked.is_some_and(|looked| looked.elapsed() < pause) {
                thread::sleep(TICK);
                continue;
            }
            // One that is away for a moment is asked again.
            if let Ok(Some(sealed)) = block_on(mailbox.take(Step::Answer)) {
                sender.send((at, sealed)).ok();
                return;
            }
            looked = Some(Instant::now());
        }
    };
    // Without a thread nobody comes by that box.
    drop(thread::Builder::new().name("box".to_owned()).spawn(look));
}
