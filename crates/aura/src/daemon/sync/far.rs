// SPDX-License-Identifier: MIT OR Apache-2.0
//! Folders over a network are added: looked at first, with the secret that was given, which is then kept.

use aura_protocol::store::StoreError;
use pollster::block_on;

use super::book::{self, Kept};
use super::site::Site;
use super::{Syncing, latch, lock, room_for, words};
use crate::daemon::keeper::Keeper;
use crate::exit::{Exit, Failure};
use crate::faraway::Faraway;
use crate::secret::Secret;
use crate::view;

impl Syncing {
    /// Adds a far folder; one that is a store already is gone on with as it is named now.
    pub(in crate::daemon) fn add_far(
        &self,
        keeper: &Keeper,
        far: &Faraway,
        secret: Option<Secret>,
    ) -> Result<view::Store, Failure> {
        let site = Site::Far(far.clone());
        let stores = self.read(keeper)?;
        let is_again = |stores: &[Kept]| stores.iter().any(|kept| kept.site.id() == site.id());
        if !is_again(&stores) {
            room_for(&stores, &site)?;
        }
        let looked = far.open(secret.as_ref()).and_then(|store| block_on(store.probe()));
        looked.map_err(|error| unreached(&error, &site))?;
        let _file = lock(&self.file);
        let mut stores = book::read(keeper.home())?;
        latch::keep(keeper.home(), &far.url, secret)?;
        self.lines.forget(&far.url);
        if let Some(kept) = stores.iter_mut().find(|kept| kept.site.id() == site.id()) {
            kept.site = site.clone();
            kept.trouble = None;
        } else {
            room_for(&stores, &site)?;
            stores.push(Kept::new(site.clone()));
        }
        book::write(keeper.home(), &stores)?;
        self.nudge();
        Ok(words::store(&Kept::new(site), None))
    }
}

/// Why a place is no store.
fn unreached(error: &StoreError, site: &Site) -> Failure {
    let exit = match error {
        StoreError::Forbidden | StoreError::Unauthenticated | StoreError::OtherKey => Exit::Refused,
        _ => Exit::Unreachable,
    };
    let what = format!("The store was not added: {}.", words::trouble(error, site));
    Failure::new(exit, what)
        .safe("Nothing was changed here, and nothing was written there.")
        .next("Check the address, the account and its secret, and run it again.")
}
