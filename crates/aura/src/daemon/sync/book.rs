// SPDX-License-Identifier: MIT OR Apache-2.0
//! The stores that this device syncs with, as the vault's directory keeps them: `stores.json`.
//!
//! For each what it had confirmed, so that one that went back is found out, and what was found in it, so that
//! each finding is put on the record once. The file says nothing of records and holds no key. A damaged one is
//! told and left as it is: forgetting what a store had would be silent. Source: spec/vault-directory.md, DIR-13.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use aura_protocol::auth::{AccountName, ServerKey};
use aura_protocol::head::Position;
use aura_protocol::id::{ChunkName, CollectionId, DeviceId, FeedId, Hash, Incarnation};
use aura_protocol::log::Frontier;
use aura_store::http::{Address, LogMark};
use aura_store::peer::Place;
use aura_store::replicate::Mark;
use aura_store::transfer::ChunkMark;
use aura_vault::home::{self, Home};
use serde::{Deserialize, Serialize};

use super::noted::Noted;
use super::site::{Account, Peer, Site};
use crate::exit::{Exit, Failure};
use crate::faraway::Faraway;

/// The version with other devices.
const VERSION: u64 = 4;
/// The version with folders over a network.
const VERSION_FAR: u64 = 3;
/// The version with servers.
const VERSION_SERVERS: u64 = 2;
/// The version that knows folders alone: written where there is nothing else, for older programs.
const VERSION_FOLDERS: u64 = 1;
/// After how many days every chunk is looked for again (REP-27), and where each look is a request that somebody may
/// pay for.
const LOOK_DAYS: i64 = 7;
const LOOK_FAR_DAYS: i64 = 30;
const DAY_MS: i64 = 86_400_000;
/// More stores than a person has.
pub(crate) const STORES_MAX: usize = 16;

/// One store, and how this device stands with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) site: Site,
    /// The newest heads that it has confirmed (REP-7).
    pub(crate) mark: Mark,
    /// How far chunks were seen to (REP-11).
    pub(crate) chunks: ChunkMark,
    /// When it was last begun to see to all of them (REP-27).
    pub(crate) looked_ms: Option<i64>,
    /// The server's access log, as it was seen last (ACL-7).
    pub(crate) log: Option<LogMark>,
    /// When it last had everything that this device has.
    pub(crate) synced_ms: Option<i64>,
    /// Why it was not reached, or not to the end, the last time.
    pub(crate) trouble: Option<String>,
    pub(crate) noted: Vec<Noted>,
}

impl Kept {
    /// A store that nothing is known of.
    pub(crate) fn new(site: Site) -> Self {
        Self {
            site,
            mark: Mark::new(),
            chunks: ChunkMark::default(),
            looked_ms: None,
            log: None,
            synced_ms: None,
            trouble: None,
            noted: Vec::new(),
        }
    }

    /// REP-27: equal heads say nothing of a chunk that the store lost. Now and then all of them are seen to again.
    pub(crate) fn look_anew(&mut self, now_ms: i64) {
        let days = if matches!(self.site, Site::Far(_)) { LOOK_FAR_DAYS } else { LOOK_DAYS };
        let is_due = self.looked_ms.is_none_or(|last| {
            now_ms < last || now_ms.saturating_sub(last) >= days.saturating_mul(DAY_MS)
        });
        if is_due {
            self.chunks.seen_to.clear();
            self.looked_ms = Some(now_ms);
        }
    }
}

/// The stores of a vault's directory; none where there is no such file.
pub(crate) fn read(home: &Path) -> Result<Vec<Kept>, Failure> {
    let bytes = match home::read(&Home::new(home).stores()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(damaged()),
        Err(error) => {
            return Err(Failure::file("The vault's file `stores.json` could not be read", &error));
        }
        Ok(bytes) => bytes,
    };
    parse(&bytes)
}

/// Replaces the file, durably (DIR-8).
pub(crate) fn write(home: &Path, stores: &[Kept]) -> Result<(), Failure> {
    let needed = stores.iter().map(|kept| match kept.site {
        Site::Folder(_) => VERSION_FOLDERS,
        Site::Server(_) => VERSION_SERVERS,
        Site::Far(_) => VERSION_FAR,
        Site::Lan(_) | Site::Peer(_) => VERSION,
    });
    let version = needed.max().unwrap_or(VERSION_FOLDERS);
    let form = Form { version, stores: stores.iter().map(StoreForm::of).collect() };
    let mut bytes = serde_json::to_vec_pretty(&form).map_err(io::Error::from)?;
    bytes.push(b'\n');
    home::replace(&Home::new(home).stores(), &bytes).map_err(|error| {
        Failure::file("The vault's file `stores.json` could not be written", &error)
    })
}

fn parse(bytes: &[u8]) -> Result<Vec<Kept>, Failure> {
    #[derive(Deserialize)]
    struct Version {
        version: u64,
    }
    let Version { version } = serde_json::from_slice(bytes).map_err(|_| damaged())?;
    if version > VERSION {
        return Err(Failure::new(
            Exit::Failed,
            "The vault's file `stores.json` was written by a newer version of Aura.",
        )
        .safe("It was left as it is; nothing is synced meanwhile.")
        .next("Install a newer version of Aura."));
    }
    let form: Form = serde_json::from_slice(bytes).map_err(|_| damaged())?;
    let needed = form.stores.iter().map(StoreForm::version).max().unwrap_or(VERSION_FOLDERS);
    if !(needed..=VERSION).contains(&version) || form.stores.len() > STORES_MAX {
        return Err(damaged());
    }
    form.stores.into_iter().map(|store| store.kept().ok_or_else(damaged)).collect()
}

fn damaged() -> Failure {
    Failure::new(Exit::Damaged, "The vault's file `stores.json` is damaged.")
        .safe("It was left as it is. No record is in it; nothing is synced meanwhile.")
        .next(
            "Put it back from a copy, or delete it and name the stores again: aura store add WHERE",
        )
}

#[derive(Serialize, Deserialize)]
struct Form {
    version: u64,
    stores: Vec<StoreForm>,
}

#[derive(Serialize, Deserialize)]
struct StoreForm {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    server: Option<ServerForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    far: Option<Faraway>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lan: Option<LanForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    peer: Option<PeerForm>,
    mark: Vec<HeadForm>,
    chunks: ChunksForm,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    looked_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log: Option<LogForm>,
    synced_ms: Option<i64>,
    trouble: Option<String>,
    findings: Vec<Noted>,
}

/// The port that other devices call at, 0 for any.
#[derive(Serialize, Deserialize)]
struct LanForm {
    port: u16,
}

#[derive(Serialize, Deserialize)]
struct PeerForm {
    device: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct ServerForm {
    url: String,
    account: String,
    pin: String,
    password_due: bool,
}

/// The key of a log and the frontier of its tree.
#[derive(Serialize, Deserialize)]
struct LogForm {
    key: String,
    size: u64,
    subtrees: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct HeadForm {
    device: String,
    incarnation: String,
    number: u64,
    hash: String,
}

#[derive(Serialize, Deserialize)]
struct ChunksForm {
    seen_to: Vec<FeedForm>,
    wanted: Vec<WantedForm>,
}

/// Chunks that the entries of one device name.
#[derive(Serialize, Deserialize)]
struct WantedForm {
    device: String,
    chunks: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct FeedForm {
    collection: String,
    device: String,
    incarnation: String,
    number: u64,
}

impl StoreForm {
    /// The version that knows such a store.
    fn version(&self) -> u64 {
        match self {
            Self { lan: Some(_), .. } | Self { peer: Some(_), .. } => VERSION,
            Self { far: Some(_), .. } => VERSION_FAR,
            Self { server: Some(_), .. } => VERSION_SERVERS,
            _ => VERSION_FOLDERS,
        }
    }

    fn of(kept: &Kept) -> Self {
        let head = |(device, incarnation, at): &(DeviceId, Incarnation, Position)| HeadForm {
            device: device.to_string(),
            incarnation: incarnation.to_string(),
            number: at.number,
            hash: at.hash.to_string(),
        };
        let feed = |(feed, number): (&FeedId, &u64)| FeedForm {
            collection: feed.collection.to_string(),
            device: feed.device.to_string(),
            incarnation: feed.incarnation.to_string(),
            number: *number,
        };
        let wanted = |(device, chunks): (&DeviceId, &BTreeSet<ChunkName>)| WantedForm {
            device: device.to_string(),
            chunks: chunks.iter().map(ToString::to_string).collect(),
        };
        let (mut path, mut server, mut far, mut lan, mut peer) = (None, None, None, None, None);
        match &kept.site {
            Site::Folder(folder) => path = Some(folder.clone()),
            Site::Server(account) => server = Some(ServerForm::of(account)),
            Site::Far(place) => far = Some(place.clone()),
            Site::Lan(port) => lan = Some(LanForm { port: *port }),
            Site::Peer(device) => peer = Some(PeerForm::of(device)),
        }
        Self {
            path,
            server,
            far,
            lan,
            peer,
            mark: kept.mark.iter().map(head).collect(),
            chunks: ChunksForm {
                seen_to: kept.chunks.seen_to.iter().map(feed).collect(),
                wanted: kept.chunks.wanted.iter().map(wanted).collect(),
            },
            looked_ms: kept.looked_ms,
            log: kept.log.as_ref().map(LogForm::of),
            synced_ms: kept.synced_ms,
            trouble: kept.trouble.clone(),
            findings: kept.noted.clone(),
        }
    }

    fn kept(self) -> Option<Kept> {
        let head = |form: &HeadForm| {
            let position = Position { number: form.number, hash: Hash::parse(&form.hash)? };
            Some((DeviceId::parse(&form.device)?, Incarnation::parse(&form.incarnation)?, position))
        };
        let feed = |form: &FeedForm| {
            let feed = FeedId {
                collection: CollectionId::parse(&form.collection)?,
                device: DeviceId::parse(&form.device)?,
                incarnation: Incarnation::parse(&form.incarnation)?,
            };
            Some((feed, form.number))
        };
        let wanted = |form: &WantedForm| {
            let chunks = form.chunks.iter().map(|text| ChunkName::parse(text));
            Some((DeviceId::parse(&form.device)?, chunks.collect::<Option<_>>()?))
        };
        let chunks = ChunkMark {
            seen_to: self.chunks.seen_to.iter().map(feed).collect::<Option<_>>()?,
            wanted: self.chunks.wanted.iter().map(wanted).collect::<Option<_>>()?,
        };
        let log = match &self.log {
            Some(log) => Some(log.mark()?),
            None => None,
        };
        let site = match (self.path, self.server, self.far, self.lan, self.peer) {
            (Some(path), None, None, None, None) => {
                Site::Folder(Some(path).filter(|path| path.is_absolute())?)
            }
            (None, Some(server), None, None, None) => Site::Server(server.account()?),
            (None, None, Some(far), None, None) => {
                let place = far.place().ok()?;
                Site::Far(Some(far).filter(|far| far.url == place.address.to_string())?)
            }
            (None, None, None, Some(lan), None) => Site::Lan(lan.port),
            (None, None, None, None, Some(peer)) => Site::Peer(peer.peer()?),
            _ => return None,
        };
        Some(Kept {
            site,
            mark: self.mark.iter().map(head).collect::<Option<_>>()?,
            chunks,
            looked_ms: self.looked_ms,
            log,
            synced_ms: self.synced_ms,
            trouble: self.trouble,
            noted: self.findings,
        })
    }
}

impl PeerForm {
    fn of(peer: &Peer) -> Self {
        let address = peer.address.as_ref().map(ToString::to_string);
        Self { device: peer.device.to_string(), address }
    }

    /// The address is in its one spelling.
    fn peer(&self) -> Option<Peer> {
        let address = match &self.address {
            Some(text) => Some(Place::parse(text).ok().filter(|at| at.to_string() == *text)?),
            None => None,
        };
        Some(Peer { device: DeviceId::parse(&self.device)?, address })
    }
}

impl LogForm {
    fn of(mark: &LogMark) -> Self {
        Self {
            key: Hash(mark.key).to_string(),
            size: mark.frontier.size(),
            subtrees: mark.frontier.subtrees().iter().map(ToString::to_string).collect(),
        }
    }

    fn mark(&self) -> Option<LogMark> {
        let subtrees = self.subtrees.iter().map(|text| Hash::parse(text));
        let frontier = Frontier::of(self.size, subtrees.collect::<Option<_>>()?)?;
        Some(LogMark { key: Hash::parse(&self.key)?.0, frontier })
    }
}

impl ServerForm {
    fn of(account: &Account) -> Self {
        Self {
            url: account.address.to_string(),
            account: account.name.to_string(),
            pin: account.pin.to_string(),
            password_due: account.is_password_due,
        }
    }

    fn account(&self) -> Option<Account> {
        Some(Account {
            address: Address::parse(&self.url).ok()?,
            name: AccountName::parse(&self.account).ok()?,
            pin: ServerKey(Hash::parse(&self.pin)?),
            is_password_due: self.password_due,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::noted::Kind;
    use super::*;

    fn kept() -> Kept {
        let (device, incarnation) = (DeviceId([7; 16]), Incarnation([8; 8]));
        let feed = FeedId { collection: CollectionId([9; 16]), device, incarnation };
        let mut kept = Kept::new(Site::Folder(PathBuf::from("/media/stick")));
        kept.mark.push((device, incarnation, Position { number: 3, hash: Hash([5; 32]) }));
        kept.chunks.seen_to.insert(feed, u64::MAX);
        kept.chunks.wanted.insert(device, BTreeSet::from([ChunkName([4; 16])]));
        kept.synced_ms = Some(1);
        kept.looked_ms = Some(3);
        kept.noted.push(Noted::new(Kind::RolledBack, Some(device), 2));
        kept
    }

    /// REP-27: every seven days, also where the clock went back; and not in between.
    #[test]
    fn rep_27_all_chunks_are_seen_to_now_and_then() {
        let mut one = kept();
        let (device, seen) = (DeviceId([7; 16]), one.chunks.clone());
        for (now_ms, is_due) in [(3, false), (7 * DAY_MS + 2, false), (7 * DAY_MS + 3, true)] {
            one.chunks = seen.clone();
            one.look_anew(now_ms);
            assert_eq!(one.chunks.seen_to.is_empty(), is_due, "{now_ms}");
            assert!(one.chunks.wanted.contains_key(&device), "what is missed stays so");
        }
        one.chunks = seen.clone();
        one.look_anew(3);
        assert!(one.chunks.seen_to.is_empty() && one.looked_ms == Some(3));
    }

    fn server() -> Kept {
        let mut frontier = Frontier::new();
        (0..3).for_each(|leaf| frontier.push(Hash([leaf; 32])));
        let log = Some(LogMark { key: [2; 32], frontier });
        let kept = Kept::new(Site::Server(Account {
            address: Address::parse("https://aura.example:8443").unwrap(),
            name: AccountName::parse("ada").unwrap(),
            pin: ServerKey(Hash([6; 32])),
            is_password_due: true,
        }));
        Kept { log, ..kept }
    }

    fn far() -> Kept {
        Kept::new(Site::Far(Faraway {
            url: "s3://bucket/aura".to_owned(),
            account: Some("KEYID".to_owned()),
            endpoint: Some("https://s3.example".to_owned()),
            region: None,
            certificate: None,
            ssh_config: None,
            plain_http: false,
        }))
    }

    /// DIR-13: a file without a server is one that programs without servers read.
    #[test]
    fn what_is_written_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), []);
        let version = |stores: &[Kept]| {
            write(dir.path(), stores).unwrap();
            assert_eq!(read(dir.path()).unwrap(), stores);
            let bytes = std::fs::read(Home::new(dir.path()).stores()).unwrap();
            let form: Form = serde_json::from_slice(&bytes).unwrap();
            form.version
        };
        assert_eq!(version(&[kept()]), 1);
        assert_eq!(version(&[kept(), server()]), 2);
        assert_eq!(version(&[kept(), server(), far()]), 3);
        assert_eq!(version(&[kept(), lan()]), 4);
        assert_eq!(version(&[far(), peer(None), peer(Some("peer://10.0.0.7:7411"))]), 4);
    }

    fn lan() -> Kept {
        Kept::new(Site::Lan(7411))
    }

    fn peer(address: Option<&str>) -> Kept {
        let address = address.map(|text| Place::parse(text).unwrap());
        Kept::new(Site::Peer(Peer { device: DeviceId([3; 16]), address }))
    }

    /// DIR-13: a device is known by its id and an address in its one spelling, and older programs leave the file alone.
    #[test]
    fn dir_13_a_device_is_read_strictly() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &[lan(), peer(Some("peer://10.0.0.7:7411"))]).unwrap();
        let path = Home::new(dir.path()).stores();
        let whole = std::fs::read_to_string(&path).unwrap();
        let wrong = [
            whole.replace("peer://10.0.0.7:7411", "https://10.0.0.7:7411"),
            whole.replace("peer://10.0.0.7:7411", "PEER://10.0.0.7:7411"),
            whole.replace("peer://10.0.0.7:7411", "peer://10.0.0.7"),
            whole.replace("0303", "03"),
            whole.replace("\"port\": 7411", "\"port\": 74110"),
            whole.replace("\"version\": 4", "\"version\": 3"),
            whole.replace("\"lan\": {", "\"path\": \"/a\", \"lan\": {"),
        ];
        for text in wrong {
            assert_ne!(text, whole);
            std::fs::write(&path, &text).unwrap();
            assert_eq!(read(dir.path()).unwrap_err().exit, Exit::Damaged, "{text}");
        }
    }

    /// DIR-13: a far folder's address is in its one spelling, and programs that know none leave the file alone.
    #[test]
    fn dir_13_a_far_folder_is_read_strictly() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &[far()]).unwrap();
        let path = Home::new(dir.path()).stores();
        let whole = std::fs::read_to_string(&path).unwrap();
        let wrong = [
            whole.replace("s3:", "ftp:"),
            whole.replace("s3://bucket/aura", "s3://bucket/aura/"),
            whole.replace("\"version\": 3", "\"version\": 2"),
            whole.replace("\"far\": {", "\"path\": \"/a\", \"far\": {"),
        ];
        for text in wrong {
            std::fs::write(&path, &text).unwrap();
            assert_eq!(read(dir.path()).unwrap_err().exit, Exit::Damaged, "{text}");
        }
    }

    /// DIR-13: a server's address, account and key are what they should be, and it is either that or a folder.
    #[test]
    fn dir_13_a_server_is_read_strictly() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &[server()]).unwrap();
        let path = Home::new(dir.path()).stores();
        let whole = std::fs::read_to_string(&path).unwrap();
        let wrong = [
            whole.replace("https:", "http:"),
            whole.replace(":8443", ":8443/v1"),
            whole.replace("\"ada\"", "\"Ada\""),
            whole.replace("0606", "06"),
            whole.replace("\"version\": 2", "\"version\": 1"),
            whole.replace("\"server\": {", "\"path\": \"/a\", \"server\": {"),
            whole.replace("\"server\"", "\"other\""),
            whole.replace("\"size\": 3", "\"size\": 4"),
            whole.replace("0202", "02"),
        ];
        for text in wrong {
            std::fs::write(&path, &text).unwrap();
            assert_eq!(read(dir.path()).unwrap_err().exit, Exit::Damaged, "{text}");
        }
    }

    /// DIR-13: a damaged file is told, and stays.
    #[test]
    fn dir_13_damage_is_told_and_no_panic() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &[kept()]).unwrap();
        let path = Home::new(dir.path()).stores();
        let whole = std::fs::read_to_string(&path).unwrap();
        let wrong = [
            String::new(),
            whole.replace("0707", "07zz"),
            whole.replace("/media", "media"),
            whole.replace("\"version\": 1", "\"version\": 0"),
            whole.replace("\"number\": 3", "\"number\": -3"),
            whole.get(..whole.len() / 2).unwrap().to_owned(),
        ];
        for text in wrong {
            std::fs::write(&path, &text).unwrap();
            assert_eq!(read(dir.path()).unwrap_err().exit, Exit::Damaged, "{text}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        std::fs::write(&path, "{\"version\": 5}").unwrap();
        assert_eq!(read(dir.path()).unwrap_err().exit, Exit::Failed);
    }
}
