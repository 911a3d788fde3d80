// SPDX-License-Identifier: MIT OR Apache-2.0
//! The password store, as Bitwarden exports it without encryption.

use std::path::Path;
use std::{fs, io};

use serde_json::{Value, json};

use super::Tally;
use super::date::day;
use super::fact;
use super::random::Dice;

const WORDS: [&str; 12] = [
    "heron", "felt", "plumb", "sardine", "octave", "ferry", "quince", "pendulum", "chalk",
    "terrace", "whale", "starter",
];

/// Writes `bitwarden.json` below `folder`.
pub(super) fn write(folder: &Path, dice: &mut Dice, tally: &mut Tally) -> io::Result<()> {
    let created = day(2025, 8, 1).iso();
    let items: Vec<Value> = fact::LOGINS
        .iter()
        .enumerate()
        .map(|(index, (name, user, address, remark))| {
            let words = [(); 3].map(|()| dice.pick(&WORDS));
            let password = format!("sample-{}-{}", words.join("-"), dice.between(10, 99));
            json!({
                "id": format!("00000000-0000-4000-a000-{index:012}"), "organizationId": null,
                "folderId": "00000000-0000-4000-a000-f00000000001", "type": 1, "reprompt": 0,
                "name": name, "notes": remark, "favorite": index < 2, "fields": [],
                "login": {"uris": [{"match": null, "uri": address}], "username": user,
                    "password": password, "totp": null},
                "collectionIds": null, "creationDate": created, "revisionDate": created,
            })
        })
        .collect();
    tally.add("login", items.len());
    let folders = json!([{"id": "00000000-0000-4000-a000-f00000000001", "name": "Everyday"}]);
    let store = json!({"encrypted": false, "folders": folders, "items": items});
    fs::write(folder.join("bitwarden.json"), serde_json::to_vec_pretty(&store)?)
}
