// SPDX-License-Identifier: MIT OR Apache-2.0
//! The vault's devices, and where this one syncs.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;

use super::frame::{Answer, Frame, show};
use super::hall::Hall;
use super::session::Visit;
use super::words::{Time, label, line};
use crate::screen::counted;
use crate::view;
use crate::wire::Request;

struct Device {
    /// The beginning of its id.
    id: String,
    state: String,
    heard: Option<Time>,
    notes: Vec<String>,
    is_this: bool,
    /// A command that a person may want.
    command: String,
    is_well: bool,
}

impl Device {
    fn of(device: &view::Device) -> Self {
        let id = device.id.get(..8).unwrap_or(&device.id).to_owned();
        let by =
            device.revoked_by.as_deref().map(|by| format!(" by {}", by.get(..8).unwrap_or(by)));
        let state = match (device.revoked, device.confirmed) {
            (true, _) => format!("Revoked{}", by.unwrap_or_default()),
            (false, true) => "Confirmed".to_owned(),
            (false, false) => "Waits to be confirmed".to_owned(),
        };
        let mut notes = Vec::new();
        if device.awaited && !device.this && !device.revoked {
            notes.push("What was deleted goes for good once it has synced.".to_owned());
        }
        let is_waiting = !device.confirmed && !device.revoked;
        if is_waiting {
            notes.push("What it writes does not count yet. If it is yours, confirm it:".to_owned());
        }
        Self {
            command: if is_waiting { format!("aura device confirm {id}") } else { String::new() },
            heard: device.heard.as_deref().map(Time::of),
            id,
            state,
            notes,
            is_this: device.this,
            is_well: device.confirmed && !device.revoked,
        }
    }
}

struct Store {
    kind: String,
    path: String,
    synced: Option<Time>,
    state: String,
    is_well: bool,
    troubles: Vec<String>,
}

impl Store {
    fn of(store: &view::Store) -> Self {
        let is_whole = store.waiting == Some(0) && store.wanted == 0 && store.synced.is_some();
        let state = match store.waiting {
            _ if store.synced.is_none() => "Not synced yet, as far as is known".to_owned(),
            None => "What it lacks is not known".to_owned(),
            Some(0) if store.wanted > 0 => {
                format!("{} of attachments to be carried", counted(store.wanted, "piece"))
            }
            Some(0) => "Has everything that is here".to_owned(),
            Some(waiting) => format!("{} not there yet", counted(waiting, "change")),
        };
        let mut troubles: Vec<String> = store.trouble.iter().map(|trouble| line(trouble)).collect();
        let open = store.findings.iter().filter(|finding| !finding.over);
        troubles.extend(open.map(|finding| line(&format!("{} {}", finding.text, finding.next))));
        if store.password_due {
            troubles.push(
                "The account has the vault's former password still: aura store password".to_owned(),
            );
        }
        Self {
            kind: label(&store.kind),
            path: line(&store.path),
            synced: store.synced.as_deref().map(Time::of),
            state,
            is_well: is_whole && troubles.is_empty(),
            troubles,
        }
    }
}

#[derive(Template)]
#[template(path = "devices.html")]
struct Page {
    frame: Frame,
    devices: Vec<Device>,
    stores: Vec<Store>,
}

/// The page.
pub(crate) async fn page(
    State(hall): State<Arc<Hall>>,
    Extension(visit): Extension<Visit>,
) -> Answer {
    let (devices, stores) = hall
        .with(|client| {
            let devices: Vec<view::Device> = client.ask(&Request::Devices)?;
            let stores: Vec<view::Store> = client.ask(&Request::Stores)?;
            Ok((devices, stores))
        })
        .await?;
    Ok(show(&Page {
        frame: Frame::new("Devices and stores", "/devices", &visit),
        devices: devices.iter().map(Device::of).collect(),
        stores: stores.iter().map(Store::of).collect(),
    }))
}
