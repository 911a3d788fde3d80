// SPDX-License-Identifier: MIT OR Apache-2.0
//! Coming in by a code: the new device finds the box, answers, and makes its files when it has been let in.
//!
//! Nothing is written before the other device's word has come but the file that says that this goes on; what a
//! try leaves goes before the next one. Source: spec/pairing.md, rules PAI-5, PAI-9, PAI-11, PAI-12;
//! spec/vault-directory.md, DIR-14.

use std::iter;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aura_crypto::key::PairingCode;
use aura_protocol::auth::ServerKey;
use aura_protocol::id::Hash;
use aura_protocol::limits::PAIRING_SECONDS_MAX;
use aura_protocol::pairing::{DeviceName, PairedServer, Step};
use aura_protocol::store::{Access, StoreError};
use aura_store::folder::{FolderBox, FolderStore};
use aura_store::http::{Address, HttpStore, Proof, Server, ServerBox};
use aura_store::local::LocalStore;
use aura_store::mailbox::{Mailbox, Posted};
use aura_vault::home::{Home, Kind};
use aura_vault::vault::{Arriving, Entering, PairingError, VaultError};
use pollster::block_on;

use super::device;
use super::fault::unpaired;
use super::join::{NOTHING_MADE, begin, end, lost, unread, unwritten};
use super::keeper::{Keeper, SystemEntropy};
use super::reply::Reply;
use super::sync::{self, Account, Halt, Host, Kept, Opened, Site, Syncing};
use crate::exit::{Exit, Failure};
use crate::moment::now_ms;
use crate::secret::Secret;
use crate::view;
use crate::wire::{Arrival, Gate, Progress};

/// How long a code counts, and so how long anybody waits.
const LIFE: Duration = Duration::from_secs(PAIRING_SECONDS_MAX);
/// How long the box is looked for: a tool that carries the folder's files may be on its way with them.
const SEARCH: Duration = Duration::from_secs(20);
/// A server has a box or has none.
const SEARCH_AT_SERVER: Duration = Duration::from_secs(3);
/// How often anything is looked for.
const TICK: Duration = Duration::from_millis(500);

/// Where the box is, and where the vault comes from.
enum Way {
    Folder(Site, Arc<FolderStore>, Option<Secret>),
    Server(Server, Address, ServerKey),
}

/// Makes the keeper's folder the home of a device that is let in by a code, and leaves the vault open.
pub(super) fn enter(
    (keeper, syncing): (&Keeper, &Syncing),
    arrival: Arrival,
    reply: &mut Reply,
) -> Result<view::Joined, Failure> {
    let home = keeper.home();
    let Arrival { gate, code, name } = arrival;
    let code = PairingCode::parse(code.reveal()).map_err(|error| no_code(&error.to_string()))?;
    let name = DeviceName::parse(&name)
        .ok_or_else(|| Failure::usage("This is no name for a device.", "Choose a short one."))?;
    let way = way(home, gate)?;
    let turn = syncing.turn();
    begin(home)?;
    let entered = come_in((keeper, syncing), (way, code, name), turn.1, reply);
    let ended = end(home);
    drop(turn);
    // What came while it was let in.
    syncing.arrived();
    let (vault, has_secret_key) = entered?;
    ended.map_err(|error| unwritten(&error))?;
    let store = syncing.stores(keeper)?.into_iter().next().ok_or_else(lost)?;
    let devices = keeper.with_open(|vault, _| Ok(device::list(vault)))?;
    let own = devices.into_iter().find(|device| device.this).ok_or_else(lost)?;
    Ok(view::Joined {
        vault_id: vault,
        home: home.display().to_string(),
        device: own.id,
        confirmed: own.confirmed,
        secret_key: has_secret_key,
        store,
    })
}

fn no_code(why: &str) -> Failure {
    let what = format!("This is no code that pairs devices: {why}.");
    Failure::usage(what, "Type it as the other device shows it: seven groups of four.")
}

/// Opens what was named. Nothing is sent yet, but to a server that it is there.
fn way(home: &Path, gate: Gate) -> Result<Way, Failure> {
    let no_store = |error: &StoreError, site: &Site| unread(&sync::trouble(error, site));
    match gate {
        Gate::Folder(folder) => {
            let site = Site::Folder(sync::check(home, &folder)?);
            let store = FolderStore::open(&folder, Box::new(now_ms));
            let store = store.map_err(|error| no_store(&error, &site))?;
            Ok(Way::Folder(site, Arc::new(store), None))
        }
        Gate::Far { far, secret } => {
            let site = Site::Far(far.clone());
            let store = far.open(secret.as_ref()).map_err(|error| no_store(&error, &site))?;
            Ok(Way::Folder(site, store, secret))
        }
        Gate::Server { url, pin } => {
            let address = sync::address(&url)?;
            let pin = Hash::parse(&pin).map(ServerKey).ok_or_else(lost)?;
            let server = sync::reach((&address, pin))?;
            Ok(Way::Server(server, address, pin))
        }
    }
}

/// Waits and tells so, until it is too late.
struct Patience {
    task: &'static str,
    begun: Instant,
    longest: Duration,
}

impl Patience {
    fn new(task: &'static str, longest: Duration) -> Self {
        Self { task, begun: Instant::now(), longest }
    }

    /// Whether there is time left, after a moment.
    fn goes_on(&self, reply: &mut Reply, pause: Duration) -> Result<bool, Failure> {
        let (done, total) = (self.begun.elapsed().as_secs(), self.longest.as_secs());
        let task = self.task.to_owned();
        reply.progress(&Progress { task, done, total, ..Progress::default() })?;
        std::thread::sleep(pause.min(TICK));
        Ok(self.begun.elapsed() < self.longest)
    }
}

fn come_in(
    (keeper, syncing): (&Keeper, &Syncing),
    (way, code, name): (Way, PairingCode, DeviceName),
    halt: &Halt,
    reply: &mut Reply,
) -> Result<(String, bool), Failure> {
    let mailbox = find(&way, &code, reply)?;
    let seen = match &way {
        Way::Folder(..) => None,
        Way::Server(_, _, pin) => Some(*pin),
    };
    let offer = block_on(mailbox.take(Step::Offer)).ok().flatten().ok_or_else(ended)?;
    let shown = name.to_string();
    let answered = Arriving::answer(code, &offer, (seen, name), &mut SystemEntropy);
    let (arriving, answer) = answered.map_err(unpaired)?;
    let device = arriving.device().to_string();
    post(mailbox.as_ref(), &answer)?;
    reply.item(&view::Newcomer { device: device.clone(), name: shown })?;
    reply.flush()?;
    let grant = wait(mailbox.as_ref(), reply)?;
    let entering = arriving.granted(&grant).map_err(unpaired)?;
    let made = settle((keeper, syncing), (way, entering), halt, reply);
    let is_vault = || !matches!(Home::new(keeper.home()).kind(), Ok(Kind::Empty));
    let made = made.map_err(|failure| listed(failure, &device, is_vault()));
    let (last, (id, has_secret_key)) = made?;
    // Nobody waits for it any more, perhaps.
    block_on(mailbox.put(Step::Done, &last)).ok();
    Ok((id, has_secret_key))
}

/// The other device has listed this one, which did not come.
fn listed(failure: Failure, device: &str, is_vault: bool) -> Failure {
    let id = device.get(..8).unwrap_or(device);
    if is_vault {
        return failure
            .safe("The vault is here, and the other device lists this one.")
            .next("Open it: aura unlock. What the stores have comes with the next `aura sync`.");
    }
    let safe = "Nothing was made here. The other device lists this one, and nobody has its keys.";
    let next = format!("{}\nStrike it off there: aura device revoke {id}", failure.next);
    failure.safe(safe).next(next)
}

/// Fetches the vault and makes this device's files. Its last word, which vault it is, and whether the secret key came.
fn settle(
    (keeper, syncing): (&Keeper, &Syncing),
    (way, entering): (Way, Entering),
    halt: &Halt,
    reply: &mut Reply,
) -> Result<(Vec<u8>, (String, bool)), Failure> {
    let (site, store, secret) = source(way, &entering)?;
    let told = (entering.vault().to_string(), entering.has_secret_key());
    let done = entering.done(&mut SystemEntropy);
    let path = Home::new(keeper.home()).store();
    let local = Arc::new(LocalStore::create(&path, entering.vault(), Box::new(now_ms))?);
    let mut kept = Kept::new(site);
    fetch((&local, halt), (store, &mut kept), &entering, reply)?;
    if let Site::Far(far) = &kept.site {
        sync::keep_secret(keeper.home(), &far.url, secret)?;
    }
    let others = others(entering.servers(), &kept)?;
    let mut stores: Vec<Kept> = iter::once(kept).chain(others).collect();
    sync::begin_with_all(keeper.home(), &stores)?;
    let vault = entering.vault();
    keeper.enter(&local, entering)?;
    // That it is there, the others learn from the store. If not now, then later.
    let host = Host { local: &local, access: Access::Vault(vault), own: None, halt };
    let own =
        stores.first_mut().map(|kept| host.fetch(syncing.open(keeper, vault, &kept.site), kept));
    if own.is_some_and(|fetched| fetched.is_ok()) {
        // What was fetched is asked for again where this is not written: the vault is there.
        sync::begin_with_all(keeper.home(), &stores).ok();
    }
    Ok((done, told))
}

/// The box that the code names.
fn find(way: &Way, code: &PairingCode, reply: &mut Reply) -> Result<Arc<dyn Mailbox>, Failure> {
    let place = code.place();
    let longest = match way {
        Way::Folder(..) => SEARCH,
        Way::Server(..) => SEARCH_AT_SERVER,
    };
    let patience = Patience::new("looking for the other device", longest);
    loop {
        let found: Option<Arc<dyn Mailbox>> = match way {
            Way::Folder(site, store, _) => {
                let found = block_on(FolderBox::find(store, place));
                let found = found.map_err(|error| unread(&sync::trouble(&error, site)))?;
                found.map(|found| Arc::new(found) as Arc<dyn Mailbox>)
            }
            Way::Server(server, ..) => {
                let mailbox = ServerBox::of_new_device(server.clone(), place);
                let is_open = block_on(mailbox.is_open()).map_err(|error| silent(&error))?;
                is_open.then(|| Arc::new(mailbox) as Arc<dyn Mailbox>)
            }
        };
        if let Some(mailbox) = found {
            return Ok(mailbox);
        }
        if !patience.goes_on(reply, TICK)? {
            return Err(Failure::new(Exit::Refused, "No device waits here with this code.")
                .safe(NOTHING_MADE)
                .next(
                    "A code counts once, for ten minutes, and over the stores that the other device \
                     names. Make another one there: aura pair",
                ));
        }
    }
}

fn post(mailbox: &dyn Mailbox, answer: &[u8]) -> Result<(), Failure> {
    match block_on(mailbox.put(Step::Answer, answer)) {
        Ok(Posted::There) => Ok(()),
        Ok(Posted::Taken) => {
            Err(Failure::new(Exit::Refused, "Another device has answered this code already.")
                .safe(NOTHING_MADE)
                .next("Say no on the other device, unless you know which it is, and make another code: aura pair"))
        }
        Err(error) => Err(silent(&error)),
    }
}

/// The other device's word, when a person has said theirs.
fn wait(mailbox: &dyn Mailbox, reply: &mut Reply) -> Result<Vec<u8>, Failure> {
    let patience = Patience::new("waiting for a yes there", LIFE);
    let pause = Duration::from_millis(mailbox.pause_ms());
    let mut next = Instant::now();
    while patience.goes_on(reply, TICK)? {
        if Instant::now() < next {
            continue;
        }
        next = Instant::now() + pause;
        // One that is away for a moment is asked again.
        match block_on(mailbox.take(Step::Grant)) {
            Ok(Some(grant)) => return Ok(grant),
            Ok(None) if matches!(block_on(mailbox.is_open()), Ok(false)) => {
                // It may have come just before.
                return block_on(mailbox.take(Step::Grant)).ok().flatten().ok_or_else(ended);
            }
            _ => {}
        }
    }
    Err(ended())
}

/// The store that the vault is fetched from, in the new device's name.
fn source(way: Way, entering: &Entering) -> Result<(Site, Opened, Option<Secret>), Failure> {
    match way {
        Way::Folder(site, store, secret) => Ok((site, Ok(store), secret)),
        Way::Server(server, address, pin) => {
            // The key says which server it is; here it may have another address.
            let known = entering.servers().iter().find(|known| known.pin == pin);
            let known = known.ok_or_else(|| unpaired(PairingError::Server))?;
            let name = known.account.clone();
            let account = Account { address, name, pin, is_password_due: false };
            let proof = Proof::Device(Arc::new(entering.transport()));
            let store = HttpStore::new(&server, entering.vault(), proof, Box::new(now_ms));
            Ok((Site::Server(account), Ok(Arc::new(store)), None))
        }
    }
}

/// Fetches the vault until it is all there that the other device had.
fn fetch(
    (local, halt): (&LocalStore, &Halt),
    (store, kept): (Opened, &mut Kept),
    entering: &Entering,
    reply: &mut Reply,
) -> Result<(), Failure> {
    let store = store.map_err(|error| unread(&sync::trouble(&error, &kept.site)))?;
    let access = Access::Vault(entering.vault());
    let host = Host { local, access, own: None, halt };
    let patience = Patience::new("fetching", LIFE);
    loop {
        let trip = host.fetch(Ok(Arc::clone(&store)), kept)?;
        let checked = entering.check(local);
        match (checked, trip.trouble) {
            (Ok(()), _) => return Ok(()),
            (Err(VaultError::Pairing(PairingError::Withheld)), trouble) => {
                if !patience.goes_on(reply, TICK)? {
                    let late = || unpaired(PairingError::Withheld);
                    return Err(trouble.map_or_else(late, |trouble| unread(&trouble)));
                }
            }
            (Err(error), _) => return Err(error.into()),
        }
    }
}

/// The vault's other servers, which this device knows from now on. One that it came by is none, whatever its address there.
fn others(servers: &[PairedServer], came_by: &Kept) -> Result<Vec<Kept>, Failure> {
    let own = came_by.site.account().map(|account| account.pin);
    let mut others: Vec<Kept> = Vec::new();
    for server in servers.iter().filter(|server| Some(server.pin) != own) {
        let address = sync::address(&server.url)?;
        let (name, pin) = (server.account.clone(), server.pin);
        let site = Site::Server(Account { address, name, pin, is_password_due: false });
        if !others.iter().any(|kept| kept.site.id() == site.id()) {
            others.push(Kept::new(site));
        }
    }
    Ok(others)
}

fn silent(error: &StoreError) -> Failure {
    Failure::new(Exit::Unreachable, format!("The store does not do it: {error}."))
        .safe(NOTHING_MADE)
        .next("Check that it is there, and run it again with another code: aura pair")
}

fn ended() -> Failure {
    Failure::new(Exit::Refused, "The other device has ended it, or was too long about it.")
        .safe(NOTHING_MADE)
        .next("Make another code there: aura pair")
}

#[cfg(test)]
mod tests {
    use aura_protocol::auth::AccountName;

    use super::*;

    fn server(url: &str, key: u8) -> PairedServer {
        let account = AccountName::parse("nora").unwrap();
        PairedServer { url: url.to_owned(), account, pin: ServerKey(Hash([key; 32])) }
    }

    /// PAI-9: a server is known by its key: the one that this device came by is not taken for another one since it has
    /// another address elsewhere. What is no address is refused.
    #[test]
    fn pai_9_a_server_is_known_by_its_key() {
        let told = [server("https://10.0.0.1:8443", 1), server("https://aura.example", 2)];
        let came_by = |key: u8| {
            let PairedServer { account, pin, .. } = server("", key);
            let address = sync::address("https://home.example:8443").unwrap();
            Kept::new(Site::Server(Account { address, name: account, pin, is_password_due: false }))
        };
        let names = |servers: &[PairedServer], came_by: &Kept| {
            let others = others(servers, came_by).unwrap();
            others.iter().map(|kept| kept.site.text()).collect::<Vec<_>>()
        };
        assert_eq!(names(&told, &came_by(1)), ["https://aura.example"]);
        let folder = Kept::new(Site::Folder("/media/stick".into()));
        assert_eq!(names(&told, &folder).len(), 2);
        let twice = [server("https://aura.example", 2), server("https://aura.example", 3)];
        assert_eq!(names(&twice, &folder).len(), 1);
        assert_eq!(
            others(&[server("http://aura.example", 2)], &folder).unwrap_err().exit,
            Exit::Usage
        );
    }
}
