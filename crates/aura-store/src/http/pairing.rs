// SPDX-License-Identifier: MIT OR Apache-2.0
//! The box of a pairing at a server: opened by a device of the vault, answered by one that the server does not know.
//! Source: spec/http.md, rule HTP-15; spec/pairing.md, rule PAI-11.

use std::sync::Arc;

use async_trait::async_trait;
use aura_protocol::codec::Encode as _;
use aura_protocol::http::{
    PairingClose, PairingMessage, PairingPut, PairingTake, PairingTaken, ProblemKind, path,
};
use aura_protocol::id::PairingBox;
use aura_protocol::limits::PAIRING_REQUEST_BYTES_MAX;
use aura_protocol::pairing::Step;
use aura_protocol::store::StoreError;

use super::call::Call;
use super::{Fault, HttpStore, Server};
use crate::mailbox::{Mailbox, Posted};

/// How often it is asked for news, in milliseconds.
const PAUSE_MS: u64 = 1_000;

/// A box at a server.
#[derive(Debug)]
pub struct ServerBox {
    side: Side,
    place: PairingBox,
}

#[derive(Debug)]
enum Side {
    Listed(Arc<HttpStore>),
    New(Server),
}

impl ServerBox {
    /// The box that a device of the vault makes, which shows a code.
    pub fn new(store: Arc<HttpStore>, place: PairingBox) -> Self {
        Self { side: Side::Listed(store), place }
    }

    /// The box that a device looks for at which a code was typed.
    pub fn of_new_device(server: Server, place: PairingBox) -> Self {
        Self { side: Side::New(server), place }
    }

    async fn ask(&self, step: Step) -> Result<PairingTaken, Fault> {
        let body = PairingTake { place: self.place, step }.to_bytes();
        let call = Call::post(path::PAIRING_TAKE, body, PAIRING_REQUEST_BYTES_MAX);
        match &self.side {
            Side::Listed(store) => store.ask(call).await,
            Side::New(server) => server.ask(call).await,
        }
    }
}

#[async_trait]
impl Mailbox for ServerBox {
    async fn put(&self, step: Step, sealed: &[u8]) -> Result<Posted, StoreError> {
        let message = PairingMessage(sealed.to_vec());
        let body = PairingPut { place: self.place, step, message }.to_bytes();
        let done = match &self.side {
            Side::Listed(store) => store.send(Call::post(path::PAIRING_PUT, body, 0)).await,
            Side::New(server) => server.send(Call::post(path::PAIRING_ANSWER, body, 0)).await,
        };
        match done {
            Ok(_) => Ok(Posted::There),
            Err(fault) if fault.kind() == Some(ProblemKind::Taken) => Ok(Posted::Taken),
            Err(fault) => Err(fault.into()),
        }
    }

    async fn take(&self, step: Step) -> Result<Option<Vec<u8>>, StoreError> {
        match self.ask(step).await {
            Ok(PairingTaken { message }) => Ok(message.map(|PairingMessage(sealed)| sealed)),
            Err(fault) if fault.kind() == Some(ProblemKind::Absent) => Ok(None),
            Err(fault) => Err(fault.into()),
        }
    }

    async fn is_open(&self) -> Result<bool, StoreError> {
        match self.ask(Step::Offer).await {
            Ok(_) => Ok(true),
            Err(fault) if fault.kind() == Some(ProblemKind::Absent) => Ok(false),
            Err(fault) => Err(fault.into()),
        }
    }

    async fn close(&self) -> Result<(), StoreError> {
        let Side::Listed(store) = &self.side else { return Ok(()) };
        let body = PairingClose { place: self.place }.to_bytes();
        store.send(Call::post(path::PAIRING_CLOSE, body, 0)).await?;
        Ok(())
    }

    fn pause_ms(&self) -> u64 {
        PAUSE_MS
    }
}
