// SPDX-License-Identifier: MIT OR Apache-2.0
//! A vault with a past: records that were deleted and edited long ago, on two devices and a server, for snapshots to be
//! made of.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use aura_protocol::id::{DeviceId, RecordId};
use aura_protocol::store::{Access, BlindStore, LocalLog, StoreError};
use aura_store::local::LocalStore;
use aura_vault::compact::{Compacted, Resolve};
use aura_vault::record::{Attachment, Draft};
use aura_vault::retain::Retention;
use aura_vault::vault::Kit;
use pollster::block_on;

use super::pair::Device;
use super::{Bench, START_MS, fields, note};

pub const DAY_MS: i64 = 86_400_000;

pub fn pass_days(bench: &Bench, days: i64) {
    bench.clock.0.fetch_add(days * DAY_MS, Ordering::Relaxed);
}

pub fn retention(bench: &Bench) -> Retention {
    let now_ms = START_MS + bench.clock.0.load(Ordering::Relaxed);
    Retention {
        deleted_after_ms: now_ms - 30 * DAY_MS,
        replaced_after_ms: Some(now_ms - 30 * DAY_MS),
        changed_after_ms: now_ms - 7 * DAY_MS,
    }
}

pub fn compact(bench: &Bench, device: &Device) -> Compacted {
    device.session().compact(&retention(bench), Resolve::Act).unwrap()
}

pub fn add(device: &Device, id: &str, text: &str) -> RecordId {
    device.session().add(&note(id, id, text)).unwrap()
}

pub fn edit(device: &Device, id: RecordId, text: &str) {
    device.session().edit(id, &fields(serde_json::json!({ "text": text })), &[]).unwrap();
}

pub fn with_file(id: &str, bytes: &[u8]) -> Draft {
    let attachment = Attachment {
        name: format!("{id}.bin"),
        media_type: "application/octet-stream".to_owned(),
        content: Arc::new(bytes.to_vec()),
    };
    Draft { attachments: vec![attachment], ..note(id, id, "with a file") }
}

/// The devices that this one knows to be waited for.
pub fn awaited(device: &Device) -> Vec<DeviceId> {
    let heard = device.vault.heard().unwrap();
    heard.into_iter().filter(|(_, heard)| heard.is_awaited).map(|(id, _)| id).collect()
}

pub fn verify(device: &Device) {
    let report = device.session().verify(&mut |_| {}).unwrap();
    assert!(report.is_ok(), "{:?}", report.problems);
}

pub fn server(bench: &Bench, device: &Device) -> LocalStore {
    let path = bench.dir.path().join("server");
    LocalStore::create(&path, device.vault.id(), Box::new(|| START_MS)).unwrap()
}

pub fn entries(store: &LocalStore) -> u64 {
    let feeds = LocalLog::feeds(store).unwrap();
    let kept = |feed| LocalLog::floor(store, feed).unwrap().number;
    feeds.iter().map(|(feed, at)| at.number - kept(*feed)).sum()
}

/// Asks a store to let go of what a device has adopted.
pub fn forget(device: &Device, store: &LocalStore) -> Result<u64, StoreError> {
    let access = Access::Vault(device.vault.id());
    let mut gone = 0;
    for base in device.vault.adopted_snapshots().unwrap() {
        gone += block_on(BlindStore::forget(store, &access, base))?;
    }
    Ok(gone)
}

/// Twenty notes, of which some are deleted, some edited, and two have files.
pub fn lived(bench: &Bench, device: &Device) -> (Vec<RecordId>, RecordId) {
    let ids: Vec<_> =
        (0..20).map(|n| add(device, &format!("n{n}"), &format!("first {n}"))).collect();
    let session = device.session();
    let kept = session.add(&with_file("kept", &vec![7; 100_000])).unwrap();
    let gone = session.add(&with_file("gone", &vec![8; 100_000])).unwrap();
    for (n, id) in ids.iter().enumerate().take(8) {
        edit(device, *id, &format!("second {n}"));
        edit(device, *id, &format!("third {n}"));
    }
    ids[15..].iter().for_each(|id| session.remove(*id).unwrap());
    session.remove(gone).unwrap();
    pass_days(bench, 60);
    (ids, kept)
}

pub struct Scene {
    pub bench: Bench,
    pub laptop: Device,
    pub phone: Device,
    pub server: LocalStore,
    pub kit: Kit,
    pub ids: Vec<RecordId>,
}

pub fn scene() -> Scene {
    let bench = Bench::new();
    let (mut laptop, kit) = Device::first(&bench, None);
    let server = server(&bench, &laptop);
    let (ids, _) = lived(&bench, &laptop);
    laptop.sync(&server);
    let mut phone = Device::join(&bench, "phone", (laptop.vault.id(), &kit), &server);
    phone.sync(&server);
    laptop.sync(&server);
    Scene { bench, laptop, phone, server, kit, ids }
}
