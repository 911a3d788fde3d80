// SPDX-License-Identifier: MIT OR Apache-2.0
//! Heads as files, one each, named by number and hash. Source: spec/folder.md, rules FLD-3 and FLD-11.

use std::path::Path;

use aura_protocol::codec::{Decode, Encode};
use aura_protocol::head::{Head, Position};
use aura_protocol::id::{DeviceId, Incarnation, VaultId};
use aura_protocol::limits::HEAD_BYTES_MAX;
use aura_protocol::signed::Signed;
use aura_protocol::store::{StoreError, StoredHead};

use super::place::{LINK, directories, is_plain};
use crate::durable;
use crate::layout::FolderLayout;
use crate::local::io_failed;

/// Largest file of a head: payload, signature and their frame.
const HEAD_FILE_BYTES_MAX: usize = HEAD_BYTES_MAX + 128;
/// Newest heads of an incarnation that always stay.
const NEW_HEADS: usize = 16;

/// Adds a head; one that is there already is left alone.
pub(super) fn write(
    layout: &FolderLayout,
    claim: &Head,
    head: &Signed<Head>,
) -> Result<(), StoreError> {
    let folder = layout.heads_of(claim.device, claim.incarnation);
    directories(layout, &folder)?;
    let position = Position { number: claim.number, hash: head.hash() };
    let path = folder.join(FolderLayout::head_name(&position));
    let bytes = head.to_bytes();
    if durable::read(&path, HEAD_FILE_BYTES_MAX as u64).ok().flatten().as_deref() != Some(&bytes) {
        durable::write(&path, &layout.new_files(), &bytes).map_err(io_failed)?;
        prune(layout, claim)?;
    }
    Ok(())
}

/// FLD-11: heads long overtaken go, unless a newest head names them.
fn prune(layout: &FolderLayout, head: &Head) -> Result<(), StoreError> {
    let folder = layout.heads_of(head.device, head.incarnation);
    let mut places: Vec<Position> = durable::names(&folder)
        .map_err(io_failed)?
        .iter()
        .filter_map(|name| FolderLayout::parse_head(name))
        .collect();
    places.sort_unstable_by_key(|place| std::cmp::Reverse(place.number));
    let Some(old) = places.get(NEW_HEADS..).filter(|old| !old.is_empty()) else { return Ok(()) };
    let named: Vec<Position> = newest(layout, head.vault)?
        .iter()
        .filter_map(|stored| stored.head.claim().ok())
        .flat_map(|head| head.seen)
        .filter(|seen| (seen.device, seen.incarnation) == (head.device, head.incarnation))
        .flat_map(|seen| [seen.held, seen.applied])
        .collect();
    for place in old.iter().filter(|place| !named.contains(place)) {
        let gone = std::fs::remove_file(folder.join(FolderLayout::head_name(place)));
        match gone {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(io_failed(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The newest sound heads of every incarnation; two of one number are both shown, as evidence.
pub(super) fn newest(layout: &FolderLayout, vault: VaultId) -> Result<Vec<StoredHead>, StoreError> {
    let mut heads = Vec::new();
    if !is_plain(layout, &layout.heads()) {
        return Err(StoreError::Damaged(LINK));
    }
    for device in durable::names(&layout.heads()).map_err(io_failed)? {
        let Some(device) = DeviceId::parse(&device) else { continue };
        let folder = layout.heads().join(device.to_string());
        for incarnation in durable::names(&folder).map_err(io_failed)? {
            let Some(incarnation) = Incarnation::parse(&incarnation) else { continue };
            newest_of(layout, vault, (device, incarnation), &mut heads)?;
        }
    }
    Ok(heads)
}

/// One head by its place, if it is there and sound.
pub(super) fn read(
    layout: &FolderLayout,
    vault: VaultId,
    (device, incarnation): (DeviceId, Incarnation),
    at: Position,
) -> Result<Option<Signed<Head>>, StoreError> {
    let folder = layout.heads_of(device, incarnation);
    if !is_plain(layout, &folder) {
        return Err(StoreError::Damaged(LINK));
    }
    Ok(sound(&folder.join(FolderLayout::head_name(&at)), (vault, device, incarnation), at))
}

/// The head in a file, if it is what its place says.
fn sound(
    path: &Path,
    place: (VaultId, DeviceId, Incarnation),
    at: Position,
) -> Option<Signed<Head>> {
    let bytes = durable::read(path, HEAD_FILE_BYTES_MAX as u64).ok().flatten()?;
    let head = Signed::<Head>::from_bytes(&bytes, HEAD_FILE_BYTES_MAX).ok()?;
    let claim = head.claim().ok()?;
    let is_in_place = (claim.vault, claim.device, claim.incarnation) == place
        && (claim.number, head.hash()) == (at.number, at.hash);
    is_in_place.then_some(head)
}

fn newest_of(
    layout: &FolderLayout,
    vault: VaultId,
    (device, incarnation): (DeviceId, Incarnation),
    heads: &mut Vec<StoredHead>,
) -> Result<(), StoreError> {
    let folder = layout.heads_of(device, incarnation);
    let mut last = 0;
    for name in durable::names(&folder).map_err(io_failed)?.iter().rev() {
        let Some(position) = FolderLayout::parse_head(name) else { continue };
        if position.number < last {
            break;
        }
        // A file that is not what its name says is passed over: an older head may be sound.
        let place = (vault, device, incarnation);
        if let Some(head) = sound(&folder.join(name), place, position) {
            last = position.number;
            heads.push(StoredHead { device, incarnation, position, head });
        }
    }
    Ok(())
}
