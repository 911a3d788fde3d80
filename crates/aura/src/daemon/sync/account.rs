// SPDX-License-Identifier: MIT OR Apache-2.0
//! Accounts at servers: opened, given the vault's password, let go of; and the login of a device that joins.
//!
//! OPAQUE runs here, where password and secret key are; what a server sees of it goes through the store's side.
//! Source: spec/http.md, rules ACC-3 to ACC-12.

use aura_crypto::entropy::Entropy as _;
use aura_crypto::key::LoginInput;
use aura_crypto::login::LoginStretch;
use aura_protocol::auth::login::{LoggingIn, LoginError, Registering};
use aura_protocol::auth::{AccountName, Registration, ServerKey};
use aura_protocol::http::{Granted, Invitation, ProblemKind};
use aura_protocol::id::{Hash, VaultId};
use aura_protocol::store::Prover as _;
use aura_store::http::{Address, Fault, LineageError, Server, lineage};
use aura_vault::home::Home;
use aura_vault::transport::Transport;
use aura_vault::vault::VaultError;
use pollster::block_on;

use super::book::{self, Kept};
use super::site::{Account, Site, SiteId};
use super::{Syncing, lock, room_for, unlisted, words};
use crate::daemon::keeper::{Keeper, SystemEntropy, argon2};
use crate::exit::{Exit, Failure};
use crate::secret::Secret;
use crate::view;
use crate::wire::{At, Cost, Fate, Opening, Serving, Where};

const NOTHING_CHANGED: &str = "Nothing was changed here.";

/// What a login is given, and what stretching it costs.
type Given<'a> = (&'a LoginInput, LoginStretch);

impl Syncing {
    /// Adds a server: opens an account there first, or uses the one that this vault has.
    pub(in crate::daemon) fn add_server(
        &self,
        keeper: &Keeper,
        serving: &Serving,
    ) -> Result<view::Store, Failure> {
        let account = parse(&serving.at)?;
        let site = Site::Server(account.clone());
        let stores = self.read(keeper)?;
        let is_again = stores.iter().any(|kept| kept.site.id() == site.id());
        // One that has lost the account may be given it again.
        if !(is_again && serving.opening.is_some()) {
            room_for(&stores, &site)?;
        }
        let vault = keeper.with_open(|vault, _| Ok(vault.id()))?;
        let server = reach((&account.address, account.pin))?;
        if let Some(opening) = &serving.opening {
            open(keeper, &server, (vault, &account), opening)?;
        }
        let home = Home::new(keeper.home());
        let store = self.lines.server(&home, vault, &account)?;
        let seen = block_on(store.account()).map_err(|fault| failed(&fault))?;
        if seen.name != account.name {
            let what = format!("This vault's account there has another name: {}.", seen.name);
            return Err(Failure::usage(what, "Add the server with that one: --account NAME"));
        }
        let _file = lock(&self.file);
        let mut stores = book::read(keeper.home())?;
        if let Some(kept) = stores.iter_mut().find(|kept| kept.site.id() == site.id()) {
            kept.site = site.clone();
            if serving.opening.is_some() {
                // A new account has a new log.
                kept.log = None;
            }
        } else {
            room_for(&stores, &site)?;
            stores.push(Kept::new(site.clone()));
        }
        book::write(keeper.home(), &stores)?;
        Ok(words::store(&Kept::new(site), None))
    }

    /// Forgets a store; a server's account goes with it if that is wanted.
    pub(in crate::daemon) fn let_go(
        &self,
        keeper: &Keeper,
        store: &Where,
        fate: Fate,
    ) -> Result<view::Store, Failure> {
        if let (Where::Server(url), Fate::Deleted) = (store, fate) {
            let vault = keeper.with_open(|vault, _| Ok(vault.id()))?;
            let account = self.account(keeper, url)?;
            let line = self.lines.server(&Home::new(keeper.home()), vault, &account)?;
            block_on(line.delete_account()).map_err(|fault| failed(&fault))?;
        }
        self.remove(keeper, store)
    }

    /// Knows a server by another key from now on. What it had confirmed is remembered.
    pub(in crate::daemon) fn pin(
        &self,
        keeper: &Keeper,
        (url, pin): (&str, &str),
    ) -> Result<view::Store, Failure> {
        let pin = key(pin)?;
        self.change(keeper, url, &mut |account| account.pin = pin)
    }

    /// Gives the account at a server the vault's password.
    pub(in crate::daemon) fn renew_account(
        &self,
        keeper: &Keeper,
        url: &str,
        (password, cost): (&Secret, Cost),
    ) -> Result<view::Store, Failure> {
        let account = self.account(keeper, url)?;
        let (vault, input) = input(keeper, password)?;
        self.renew(keeper, (vault, &account), (&input, stretch(cost)))?;
        self.change(keeper, url, &mut |account| account.is_password_due = false)
    }

    /// The same at every server, after the vault's password was changed. Those where it is still to be done.
    pub(in crate::daemon) fn renew_accounts(
        &self,
        keeper: &Keeper,
        (password, cost): (&Secret, Cost),
    ) -> Result<Vec<String>, Failure> {
        let accounts = |kept: &Kept| kept.site.account().map(|account| account.address.to_string());
        let urls: Vec<_> = self.read(keeper)?.iter().filter_map(accounts).collect();
        for url in &urls {
            self.change(keeper, url, &mut |account| account.is_password_due = true)?;
        }
        let is_left = |url: &String| self.renew_account(keeper, url, (password, cost)).is_err();
        Ok(urls.into_iter().filter(is_left).collect())
    }

    fn renew(
        &self,
        keeper: &Keeper,
        (vault, account): (VaultId, &Account),
        (input, stretch): Given<'_>,
    ) -> Result<(), Failure> {
        let store = self.lines.server(&Home::new(keeper.home()), vault, account)?;
        let bytes = input.dangerous_bytes();
        let (registering, request) = Registering::start(&mut fill, bytes).map_err(unmade)?;
        let begun = block_on(store.begin_password(request)).map_err(|fault| failed(&fault))?;
        let with = (&account.name, bytes.as_slice());
        let record = registering.finish(&mut fill, with, &begun.response, stretch);
        block_on(store.end_password(record.map_err(unmade)?)).map_err(|fault| failed(&fault))
    }

    /// The account at a server that is a store.
    fn account(&self, keeper: &Keeper, url: &str) -> Result<Account, Failure> {
        let id = SiteId::Server(address(url)?);
        let stores = self.read(keeper)?;
        let kept = stores.iter().find(|kept| kept.site.id() == id).ok_or_else(unlisted)?;
        kept.site.account().cloned().ok_or_else(unlisted)
    }

    fn change(
        &self,
        keeper: &Keeper,
        url: &str,
        change: &mut dyn FnMut(&mut Account),
    ) -> Result<view::Store, Failure> {
        let id = SiteId::Server(address(url)?);
        let _file = lock(&self.file);
        let mut stores = book::read(keeper.home())?;
        let kept = stores.iter_mut().find(|kept| kept.site.id() == id).ok_or_else(unlisted)?;
        if let Site::Server(account) = &mut kept.site {
            change(account);
        }
        let told = words::store(kept, None);
        book::write(keeper.home(), &stores)?;
        Ok(told)
    }
}

/// Opens an account for the vault, in this device's name.
fn open(
    keeper: &Keeper,
    server: &Server,
    (vault, account): (VaultId, &Account),
    opening: &Opening,
) -> Result<(), Failure> {
    let (_, input) = input(keeper, &opening.password)?;
    let invitation = opening.invitation.as_ref().map(|text| {
        Invitation::parse(text.reveal().trim())
            .ok_or_else(|| Failure::usage("This is no invitation.", "Copy it once more, whole."))
    });
    let invitation = invitation.transpose()?;
    let home = Home::new(keeper.home());
    let transport = Transport::read(&home)
        .map_err(|error| Failure::file("The device's transport key could not be read", &error))?;
    let (_, local) = keeper.local().ok_or(VaultError::Absent)?;
    let lineage = lineage(local.as_ref(), vault, transport.device()).map_err(unshown)?;
    let bytes = input.dangerous_bytes();
    let (registering, request) = Registering::start(&mut fill, bytes).map_err(unmade)?;
    let begun = server.begin_account(account.name.clone(), invitation.clone(), request);
    let begun = block_on(begun).map_err(|fault| failed(&fault))?;
    let with = (&account.name, bytes.as_slice());
    let record = registering.finish(&mut fill, with, &begun.response, stretch(opening.cost));
    let registration = transport.register(&Registration {
        name: account.name.clone(),
        vault,
        device: transport.device(),
        transport: transport.public(),
        server: account.pin,
        upload: record.map_err(unmade)?.to_vec(),
    });
    let made = server.end_account(invitation, registration, lineage);
    block_on(made).map_err(|fault| failed(&fault))
}

/// Logs a new device in, by its transport key: the vault, and a token to enrol with.
pub(in crate::daemon) fn log_in(
    account: &Account,
    (input, cost): (&LoginInput, Cost),
    transport: [u8; 32],
) -> Result<(Server, Granted), Failure> {
    let server = reach((&account.address, account.pin))?;
    let bytes = input.dangerous_bytes();
    let (login, request) = LoggingIn::start(&mut fill, bytes).map_err(unmade)?;
    let begun = server.begin_login(account.name.clone(), request, transport);
    let begun = block_on(begun).map_err(|fault| failed(&fault))?;
    let with = (&account.name, bytes.as_slice());
    let between = (account.pin, &transport);
    let proof = login.finish(&mut fill, with, between, (&begun.response, stretch(cost)));
    let proof = proof.map_err(unmade)?;
    let granted = block_on(server.end_login(begun.login, proof)).map_err(|fault| failed(&fault))?;
    Ok((server, granted))
}

/// The server at an address, if it is there, shows this key and speaks the protocol.
pub(in crate::daemon) fn reach((address, pin): (&Address, ServerKey)) -> Result<Server, Failure> {
    let server = Server::new(address.clone(), pin);
    let server = server.map_err(|fault| failed(&fault))?;
    block_on(server.view()).map_err(|fault| failed(&fault))?;
    Ok(server)
}

/// The vault, and what its password makes of a login.
fn input(keeper: &Keeper, password: &Secret) -> Result<(VaultId, LoginInput), Failure> {
    let password = password.again().into_text();
    keeper.with_open(|vault, _| Ok((vault.id(), vault.login_input(&password)?)))
}

fn stretch(cost: Cost) -> LoginStretch {
    match cost {
        Cost::Usual => LoginStretch::USUAL,
        Cost::Least => LoginStretch::new(argon2(cost)),
    }
}

fn fill(bytes: &mut [u8]) {
    SystemEntropy.fill(bytes);
}

/// An account as it was typed.
pub(in crate::daemon) fn parse(at: &At) -> Result<Account, Failure> {
    let name = AccountName::parse(&at.account).map_err(|error| {
        Failure::usage(format!("This is no account's name: {error}."), "Choose another name.")
    })?;
    Ok(Account { address: address(&at.url)?, name, pin: key(&at.pin)?, is_password_due: false })
}

/// A server's address as it was typed.
pub(in crate::daemon) fn address(url: &str) -> Result<Address, Failure> {
    let next = "For example: https://aura.example:8443";
    Address::parse(url).map_err(|_| Failure::usage("This is no server's address.", next))
}

fn key(text: &str) -> Result<ServerKey, Failure> {
    let key = Hash::parse(text.trim()).map(ServerKey);
    let next = "It has 64 digits; `aura-server` prints it when it starts.";
    key.ok_or_else(|| Failure::usage("This is no server's key.", next))
}

fn unmade(error: LoginError) -> Failure {
    match error {
        LoginError::Refused => unfit(),
        LoginError::Memory => Failure::new(Exit::Failed, "There is too little free memory.")
            .safe(NOTHING_CHANGED)
            .next("Close something else, and run it again."),
        _ => failed(&Fault::Answer("it answered with what is none")),
    }
}

/// Why a device cannot show that it is one of the vault's (ACC-13).
fn unshown(error: LineageError) -> Failure {
    match error {
        LineageError::Device => {
            let what = "This device waits to be confirmed, and opens no account until then.";
            Failure::new(Exit::Refused, what).safe(NOTHING_CHANGED).next(
                "On a device of yours that is: aura device confirm ID. Or open the account there.",
            )
        }
        LineageError::Store(error) => error.into(),
        _ => Failure::new(
            Exit::Refused,
            "This vault has listed more devices than a registration carries.",
        )
        .safe(NOTHING_CHANGED)
        .next("Sync through a folder instead: aura store add FOLDER"),
    }
}

fn unfit() -> Failure {
    Failure::new(Exit::Locked, "Account, password and secret key do not fit together.")
        .safe("Neither was sent; the server counts the try.")
        .next("Check the account's name, the password, and the secret key of the emergency kit.")
}

/// Why a server did not do it, in words.
pub(super) fn failed(fault: &Fault) -> Failure {
    let failure = |exit, what: String| Failure::new(exit, what).safe(NOTHING_CHANGED);
    match (fault, fault.kind()) {
        (Fault::Unreachable(why), _) => {
            failure(Exit::Unreachable, format!("The server could not be reached: {why}."))
                .next("Check its address and the network, and run it again.")
        }
        (Fault::OtherKey, _) => {
            let what = "The server shows another key than the one that was expected.";
            Failure::new(Exit::Refused, what).safe("Nothing was sent to it.").next(
                "Compare keys with whoever runs it. If it has a new one: aura store pin URL. If not, \
                 somebody\nstands between you and the server.",
            )
        }
        (_, Some(kind)) => problem(kind, fault),
        (fault, None) => failure(Exit::Unreachable, format!("It did not work: {fault}."))
            .next("Check that a server of Aura's is there, and run it again."),
    }
}

fn problem(kind: ProblemKind, fault: &Fault) -> Failure {
    let failure = |exit, next: &str| {
        Failure::new(exit, kind.title()).safe(NOTHING_CHANGED).next(next.to_owned())
    };
    match kind {
        ProblemKind::LoginRefused => unfit(),
        ProblemKind::Taken => failure(
            Exit::Refused,
            "If it is this vault's, leave out --register; if not, choose another name.",
        ),
        ProblemKind::Closed => failure(
            Exit::Refused,
            "Ask whoever runs it for an invitation, and give it with --invitation.",
        ),
        ProblemKind::Unauthenticated => failure(
            Exit::Refused,
            "If this vault has no account there (any more), open one: --register",
        ),
        ProblemKind::SlowDown | ProblemKind::Busy => {
            let seconds = match fault {
                Fault::Problem(problem) => problem.retry_after_s.unwrap_or(1),
                _ => 1,
            };
            failure(Exit::Unreachable, &format!("Try again in {seconds} s."))
        }
        ProblemKind::Internal | ProblemKind::Damaged | ProblemKind::DamagedEntry => {
            failure(Exit::Unreachable, "Tell whoever runs it, and run it again later.")
        }
        _ => failure(Exit::Refused, "See `aura store ls`."),
    }
}
