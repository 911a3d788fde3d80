// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is to be done to one client's configuration, before it is done.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::clients::{Format, Known};
use super::config::Spot;
use super::diff::Diff;
use super::entry::{self, Start};
use super::splice::Broken;
use super::write::Held;
use crate::exit::{Exit, Failure};

/// What was there under our name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum There {
    /// Nothing.
    Nothing,
    /// The very same.
    Same,
    /// For this vault and this assistant, but a program that is elsewhere.
    Moved,
    /// For this vault and another name.
    Renamed,
    /// Something else: another vault's, or another program's.
    Others,
}

impl There {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Same => "same",
            Self::Moved => "moved",
            Self::Renamed => "renamed",
            Self::Others => "other",
        }
    }
}

/// A change of a configuration that was not made yet.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) known: &'static Known,
    pub(crate) file: PathBuf,
    pub(crate) there: There,
    held: Held,
    after: Option<String>,
}

impl Plan {
    /// Putting in what starts the assistant; `home` is the vault's folder as the entry has it.
    pub(crate) fn put(
        known: &'static Known,
        file: &Path,
        start: &Start,
        home: &str,
    ) -> Result<Self, Failure> {
        let held = Held::read(file)?;
        let text = held.text().unwrap_or_default();
        let broken = |broken| damaged(known, file, &broken);
        let spot = spot(known, text).map_err(broken)?;
        let found = spot.get(text).map_err(broken)?;
        let wanted = start.entry(known.shape);
        let there = match &found {
            None => There::Nothing,
            Some(found) if says(found, &entry::value(&wanted)) => There::Same,
            Some(found) => {
                let is = Start::read(found);
                let who = is.as_ref().and_then(|is| is.assistant_of(home));
                match who {
                    // A wrapper, or settings of the person's beside it: not ours to replace unasked.
                    Some(_) if !is.as_ref().is_some_and(|is| is_plain(found, is, start, known)) => {
                        There::Others
                    }
                    Some(who) if Some(who) == start.assistant_of(home) => There::Moved,
                    Some(_) => There::Renamed,
                    None => There::Others,
                }
            }
        };
        let after = if there == There::Same {
            held.text().map(str::to_owned)
        } else {
            Some(spot.put(text, &wanted).map_err(broken)?)
        };
        Ok(Self { known, file: file.to_owned(), there, held, after })
    }

    /// Taking out what starts this assistant of this vault. `None` if it is not there.
    pub(crate) fn take(
        known: &'static Known,
        file: &Path,
        home: &str,
        name: &str,
    ) -> Result<Option<Self>, Failure> {
        let held = Held::read(file)?;
        let Some(text) = held.text() else { return Ok(None) };
        let broken = |broken| damaged(known, file, &broken);
        let spot = spot(known, text).map_err(broken)?;
        let Some(start) = spot.get(text).map_err(broken)?.as_ref().and_then(Start::read) else {
            return Ok(None);
        };
        if start.assistant_of(home) != Some(name) {
            return Ok(None);
        }
        let is_free = |text: &String| {
            let found = spot.get(text).ok()?;
            let start = found.as_ref().and_then(Start::read);
            Some(start.is_none_or(|start| start.assistant_of(home).is_none()))
        };
        let earlier = held.backups().into_iter().find(|text| is_free(text) == Some(true));
        let wanted = start.entry(known.shape);
        let after = spot.take(text, &wanted, earlier.as_deref()).map_err(broken)?;
        Ok(Some(Self { known, file: file.to_owned(), there: There::Same, held, after }))
    }

    /// What would change, if anything does.
    pub(crate) fn diff(&self) -> Option<Diff> {
        let before = self.held.text().unwrap_or_default();
        let after = self.after.as_deref().unwrap_or_default();
        (before != after || self.is_removal()).then(|| Diff::new(before, after))
    }

    /// Whether the file itself goes, since the entry was all that was in it.
    pub(crate) fn is_removal(&self) -> bool {
        self.after.is_none() && self.held.text().is_some()
    }

    /// Makes the change. Returns where the file is kept as it was, if there was one.
    pub(crate) fn write(&self) -> Result<Option<PathBuf>, Failure> {
        self.held.replace(self.after.as_deref())
    }
}

/// Whom our entry in a configuration starts, if it is of this vault; an error says that it cannot be read.
pub(crate) fn assistant(
    known: &Known,
    file: &Path,
    home: &str,
) -> Result<(There, Option<String>), Failure> {
    let held = Held::read(file)?;
    let text = held.text().unwrap_or_default();
    let broken = |broken| damaged(known, file, &broken);
    let found = spot(known, text).and_then(|spot| spot.get(text)).map_err(broken)?;
    let Some(found) = found else { return Ok((There::Nothing, None)) };
    let start = Start::read(&found);
    let who = start.as_ref().and_then(|start| start.assistant_of(home));
    Ok((if who.is_some() { There::Same } else { There::Others }, who.map(str::to_owned)))
}

/// A client's entry with all that is around it, as it stands in an otherwise empty file.
pub(crate) fn snippet(known: Option<&Known>, start: &Start) -> String {
    let (format, keys, shape) = match known {
        Some(known) => (known.format, known.keys, known.shape),
        None => (Format::Json, &["mcpServers"][..], entry::Shape::Plain),
    };
    Spot::new(format, keys).put("", &start.entry(shape)).unwrap_or_default()
}

/// The same, as a value, whatever the format.
pub(crate) fn configuration(known: Option<&Known>, start: &Start) -> Value {
    let (keys, shape) =
        known.map_or((&["mcpServers"][..], entry::Shape::Plain), |known| (known.keys, known.shape));
    let entry = json!({ entry::NAME: entry::value(&start.entry(shape)) });
    keys.iter().rev().fold(entry, |inner, key| json!({ *key: inner }))
}

/// Whether an entry is just what this command writes, and starts a program of the same name.
fn is_plain(found: &Value, is: &Start, start: &Start, known: &Known) -> bool {
    let name = |start: &Start| Path::new(&start.program).file_name().map(ToOwned::to_owned);
    *found == entry::value(&is.entry(known.shape)) && name(is) == name(start)
}

/// Where the entry stands in this text.
fn spot(known: &Known, text: &str) -> Result<Spot, Broken> {
    let usual = Spot::new(known.format, known.keys);
    let Some(newer) = known.newer else { return Ok(usual) };
    let is_newer = Spot::within(known.format, newer).get(text)?;
    // A server of that name would be an object that starts something.
    let is_newer = is_newer.is_some_and(|there| there.is_object() && there.get("type").is_none());
    Ok(if is_newer { Spot::new(known.format, newer) } else { usual })
}

/// Whether an entry says what is wanted, whatever else the client or the person has added to it.
fn says(found: &Value, wanted: &Value) -> bool {
    let (Some(found), Some(wanted)) = (found.as_object(), wanted.as_object()) else { return false };
    wanted.iter().all(|(name, value)| {
        // What may be called is the person's to say.
        matches!(name.as_str(), "type" | "source" | "transport" | "tools")
            || found.get(name) == Some(value)
    })
}

fn damaged(known: &Known, file: &Path, broken: &Broken) -> Failure {
    let what = format!("{}: the configuration of {} was left alone", file.display(), known.title);
    Failure::new(Exit::Failed, format!("{what}: {broken}."))
        .safe("Nothing of it was changed.")
        .next("Set it right and run it again, or put the entry in by hand: aura connect NAME --print shows it.")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

    use std::fs;

    use super::*;
    use crate::connect::clients::{CLIENTS, Folders};

    const HOME: &str = "/home/nora/vault";

    fn start(name: &str) -> Start {
        Start::new("/usr/bin/aura", HOME, name)
    }

    fn known(id: &str) -> &'static Known {
        CLIENTS.iter().find(|known| known.id == id).unwrap()
    }

    fn put(known: &'static Known, file: &Path, start: &Start) -> Plan {
        Plan::put(known, file, start, HOME).unwrap()
    }

    /// Each client's file, from nothing and back to nothing.
    #[test]
    fn every_client_is_connected_and_sent_away() {
        let home = tempfile::tempdir().unwrap();
        let folders = Folders::of(home.path().to_owned());
        for known in CLIENTS {
            let file = known.usual(&folders).unwrap();
            let plan = put(known, &file, &start(known.id));
            assert_eq!((plan.there, plan.is_removal()), (There::Nothing, false));
            assert_eq!(plan.write().unwrap(), None);
            let (there, who) = assistant(known, &file, HOME).unwrap();
            assert_eq!((there, who.as_deref()), (There::Same, Some(known.id)));
            assert_eq!(assistant(known, &file, "/other").unwrap(), (There::Others, None));
            let same = put(known, &file, &start(known.id));
            assert!(same.there == There::Same && same.diff().is_none(), "{}", known.id);
            assert!(Plan::take(known, &file, "/other", known.id).unwrap().is_none());
            assert!(Plan::take(known, &file, HOME, "somebody").unwrap().is_none());
            assert_eq!(fs::read_to_string(&file).unwrap(), snippet(Some(known), &start(known.id)));
            let away = Plan::take(known, &file, HOME, known.id).unwrap().unwrap();
            assert!(away.is_removal() && away.diff().is_some());
            away.write().unwrap();
            assert!(!file.exists(), "{}", known.id);
        }
    }

    #[test]
    fn what_was_there_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (file, cursor) = (folder.path().join("mcp.json"), known("cursor"));
        let there = |start: &Start| put(cursor, &file, start).there;
        put(cursor, &file, &start("cursor")).write().unwrap();
        assert_eq!(there(&Start::new("/opt/aura", HOME, "cursor")), There::Moved);
        assert_eq!(there(&start("other")), There::Renamed);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("\"command\"", "\"disabled\": true, \"command\"")).unwrap();
        assert_eq!(there(&start("cursor")), There::Same);
        // A wrapper, and settings beside it, are the person's: nothing is written over them unasked.
        assert_eq!(there(&Start::new("/opt/aura-sandboxed", HOME, "cursor")), There::Others);
        let plain = fs::read_to_string(&file).unwrap();
        let settled = plain.replacen("\"command\"", "\"disabled\": true, \"command\"", 1);
        assert_ne!(settled, plain);
        fs::write(&file, settled.replacen("/usr/bin/aura", "/opt/aura", 1)).unwrap();
        assert_eq!(there(&start("cursor")), There::Others);
        fs::write(&file, plain).unwrap();
        fs::write(&file, text.replace(HOME, "/home/nora/second")).unwrap();
        assert_eq!(there(&start("cursor")), There::Others);
        fs::write(&file, "{\"mcpServers\": {\"aura\": {\"url\": \"https://x.example\"}}}").unwrap();
        assert_eq!(there(&start("cursor")), There::Others);
    }

    /// Over two changes of our own the file comes back as it was before the first.
    #[test]
    fn undo_goes_back_to_before_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let (file, cursor) = (folder.path().join("mcp.json"), known("cursor"));
        let before = "{ \"mcpServers\": { } }\n";
        fs::write(&file, before).unwrap();
        put(cursor, &file, &start("cursor")).write().unwrap();
        put(cursor, &file, &Start::new("/opt/aura", HOME, "cursor")).write().unwrap();
        Plan::take(cursor, &file, HOME, "cursor").unwrap().unwrap().write().unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), before);
        // What was another's comes back, and an empty file stays one.
        let others =
            "{\n  \"mcpServers\": {\n    \"aura\": { \"url\": \"https://x.example\" }\n  }\n}\n";
        for before in [others, "", "{}"] {
            fs::write(&file, before).unwrap();
            put(cursor, &file, &start("cursor")).write().unwrap();
            Plan::take(cursor, &file, HOME, "cursor").unwrap().unwrap().write().unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), before);
        }
    }

    #[test]
    fn a_newer_way_of_writing_is_kept_to() {
        let folder = tempfile::tempdir().unwrap();
        let (file, opencode) = (folder.path().join("opencode.json"), known("opencode"));
        let entry_of = |text: &str| {
            fs::write(&file, text).unwrap();
            put(opencode, &file, &start("opencode")).write().unwrap();
            let text = fs::read_to_string(&file).unwrap();
            serde_json::from_str::<Value>(&text).unwrap()["mcp"].clone()
        };
        assert_eq!(entry_of("{\"mcp\": {\"servers\": {}}}")["servers"]["aura"]["type"], "local");
        assert_eq!(entry_of("{\"mcp\": {}}")["aura"]["command"][0], "/usr/bin/aura");
        let served = "{\"mcp\": {\"servers\": {\"type\": \"local\", \"command\": [\"x\"]}}}";
        assert_eq!(entry_of(served)["aura"]["command"][5], "opencode");
    }

    #[test]
    fn what_is_damaged_says_where() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mcp.json");
        fs::write(&file, "{\n  \"mcpServers\": {\n    \"token\": \"hunter2\",,\n  }\n}\n").unwrap();
        let failure = Plan::put(known("cursor"), &file, &start("cursor"), HOME).unwrap_err();
        assert!(failure.what.contains("line 3, column 24"), "{failure}");
        assert!(!failure.to_string().contains("hunter2") && !failure.safe.is_empty());
    }
}
