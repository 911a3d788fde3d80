// SPDX-License-Identifier: MIT OR Apache-2.0
//! A directory for tantivy in which every file is a sealed object. No plaintext reaches the disk.
//!
//! File names are random ids and say nothing. Each file has a key and a context of its own, both
//! from its name; `meta.json` carries a version and the manifest of all others. Locks and the list
//! of managed files live in memory: the daemon is the only process here, and what an interrupted
//! run left behind is removed on opening. There is no fsync: the index is a view, a torn one is
//! recognised when it is opened or read, and then it is rebuilt.
//! Source: design "A sealed object", row "search index file".

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aura_crypto::aead::{self, Context, Hedge, Opener, Sealer};
use aura_crypto::entropy::Entropy;
use aura_crypto::kdf;
use aura_crypto::key::{HedgeKey, ObjectKey, SearchKey};
use aura_protocol::id::VaultId;
use aura_protocol::label::Label;
use tantivy::Directory;
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{DirectoryLock, FileHandle, Lock, WatchCallback, WatchHandle, WritePtr};

use super::cache::BlockCache;
use super::manifest::{Manifest, is_name};
use super::sealed_file::{Seal, SealedFile, SealedWriter, Surroundings, damaged};

/// The one mutable file.
pub(super) const META: &str = "meta.json";
/// Its next version, before it takes its place.
const META_NEXT: &str = "meta.json.next";
/// Tantivy's list of the files that it has made; kept in memory.
const MANAGED: &str = ".managed.json";
/// The largest mutable file.
const META_BYTES_MAX: u64 = 64 << 20;
/// How long a blocking lock is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(30);

/// What the index of one vault is sealed with.
pub struct Keys {
    /// Which vault.
    pub vault: VaultId,
    /// Parent of the files' keys.
    pub search: SearchKey,
    /// Makes salts unrepeatable.
    pub hedge: HedgeKey,
    /// Randomness for salts.
    pub entropy: Box<dyn Entropy + Send>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(redacted)")
    }
}

/// The directory. Clones are the same directory.
#[derive(Clone)]
pub(super) struct SealedDirectory(Arc<Inner>);

struct Inner {
    root: PathBuf,
    keys: Mutex<Keys>,
    cache: Arc<BlockCache>,
    state: Mutex<State>,
    locks: Mutex<HashSet<PathBuf>>,
    unlocked: Condvar,
    is_damaged: Arc<AtomicBool>,
    /// Numbers files as readers open them, and salts as writers begin.
    next: AtomicU64,
}

#[derive(Default)]
struct State {
    /// Of the mutable file as it stands.
    version: u64,
    files: BTreeMap<String, Seal>,
    open: HashMap<String, Arc<dyn FileHandle>>,
    managed: Option<Vec<u8>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SealedDirectory {
    /// An empty directory: whatever index was here is removed.
    ///
    /// # Errors
    /// When the file system refuses.
    pub(super) fn create(root: &Path, keys: Keys, cache_bytes: usize) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        let directory = Self::new(root, keys, cache_bytes);
        directory.sweep()?;
        Ok(directory)
    }

    /// The directory as the last commit left it.
    ///
    /// # Errors
    /// `NotFound` when there is none, `InvalidData` when it is damaged or not under these keys.
    pub(super) fn open(root: &Path, keys: Keys, cache_bytes: usize) -> io::Result<Self> {
        let directory = Self::new(root, keys, cache_bytes);
        let (version, manifest) = directory.read_meta()?;
        let mut managed: Vec<&str> = manifest.files.keys().map(String::as_str).collect();
        managed.push(META);
        let managed = serde_json::to_vec(&managed).map_err(io::Error::other)?;
        {
            let mut state = lock(&directory.0.state);
            state.version = version;
            state.managed = Some(managed);
            state.files = manifest.files;
        }
        directory.sweep()?;
        Ok(directory)
    }

    fn new(root: &Path, keys: Keys, cache_bytes: usize) -> Self {
        Self(Arc::new(Inner {
            root: root.to_owned(),
            keys: Mutex::new(keys),
            cache: Arc::new(BlockCache::new(cache_bytes)),
            state: Mutex::default(),
            locks: Mutex::default(),
            unlocked: Condvar::new(),
            is_damaged: Arc::new(AtomicBool::new(false)),
            next: AtomicU64::new(0),
        }))
    }

    /// Whether anything that was read here was not what had been written.
    pub(super) fn is_damaged(&self) -> bool {
        self.0.is_damaged.load(Ordering::Relaxed)
    }

    fn alarm(&self) {
        self.0.is_damaged.store(true, Ordering::Relaxed);
    }

    /// Removes what no commit names.
    fn sweep(&self) -> io::Result<()> {
        let state = lock(&self.0.state);
        for entry in fs::read_dir(&self.0.root)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            let is_kept = state.files.contains_key(name) || (name == META && state.version > 0);
            if is_name(name) && !is_kept && entry.file_type()?.is_file() {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn next(&self) -> u64 {
        self.0.next.fetch_add(1, Ordering::Relaxed)
    }

    fn place(&self, name: &str) -> PathBuf {
        self.0.root.join(name)
    }

    fn read_meta(&self) -> io::Result<(u64, Manifest)> {
        let path = self.place(META);
        if fs::metadata(&path)?.len() > META_BYTES_MAX {
            return Err(damaged());
        }
        let bytes = fs::read(path)?;
        let (version, sealed) = bytes.split_first_chunk::<8>().ok_or_else(damaged)?;
        let version = u64::from_be_bytes(*version);
        let (key, context) = self.mutable(version);
        let plain = aead::open(&key, &context, sealed).map_err(|_| damaged())?;
        let manifest = Manifest::decode(&plain).map_err(|_| damaged())?;
        Ok((version, manifest))
    }

    /// Tantivy's part of the mutable file, which must be the version that this process knows.
    fn current_meta(&self) -> io::Result<Vec<u8>> {
        // Held while reading, so that no newer version takes its place in between.
        let state = lock(&self.0.state);
        if state.version == 0 {
            return Err(io::ErrorKind::NotFound.into());
        }
        let read = self.read_meta().and_then(|(version, manifest)| {
            if version == state.version { Ok(manifest.meta) } else { Err(damaged()) }
        });
        read.inspect_err(|_| self.alarm()).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => damaged(),
            _ => error,
        })
    }

    fn key(&self, name: &str) -> ObjectKey {
        kdf::derive(&lock(&self.0.keys).search, Label::SearchFileKey, name.as_bytes())
    }

    fn vault(&self) -> VaultId {
        lock(&self.0.keys).vault
    }

    fn immutable(&self, name: &str) -> (ObjectKey, Context) {
        let context = Context::new(Label::SearchFile).bytes(self.vault().as_bytes()).text(name);
        (self.key(name), context)
    }

    fn mutable(&self, version: u64) -> (ObjectKey, Context) {
        let (key, context) = self.immutable(META);
        (key, context.uint(version))
    }

    fn hedged<T>(&self, name: &str, seal: impl FnOnce(&mut Hedge<'_>) -> T) -> T {
        let known = [name.as_bytes(), &self.next().to_be_bytes()].concat();
        let Keys { hedge, entropy, .. } = &mut *lock(&self.0.keys);
        seal(&mut Hedge::with_known(hedge, entropy.as_mut(), &known))
    }

    fn write_meta(&self, meta: &[u8]) -> io::Result<()> {
        let mut state = lock(&self.0.state);
        let version = state.version.saturating_add(1);
        let plain = Manifest::encode(&state.files, meta);
        let (key, context) = self.mutable(version);
        let mut bytes = version.to_be_bytes().to_vec();
        self.hedged(META, |hedge| aead::seal_into(&key, &context, hedge, &plain, &mut bytes));
        let next = self.place(META_NEXT);
        fs::write(&next, &bytes)?;
        fs::rename(next, self.place(META))?;
        state.version = version;
        Ok(())
    }

    fn open_file(&self, name: &str) -> io::Result<Arc<dyn FileHandle>> {
        let seal = {
            let state = lock(&self.0.state);
            if let Some(open) = state.open.get(name) {
                return Ok(Arc::clone(open));
            }
            *state.files.get(name).ok_or(io::ErrorKind::NotFound)?
        };
        // From here on, the file must be there: a commit of this or an earlier run named it.
        let opened = self.open_sealed(name, &seal).inspect_err(|_| self.alarm());
        let opened = opened.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => damaged(),
            _ => error,
        })?;
        lock(&self.0.state).open.insert(name.to_owned(), Arc::clone(&opened));
        Ok(opened)
    }

    fn open_sealed(&self, name: &str, seal: &Seal) -> io::Result<Arc<dyn FileHandle>> {
        let file = File::open(self.place(name))?;
        let (key, context) = self.immutable(name);
        let opener = Opener::new(&key, &context, &seal.header).map_err(|_| damaged())?;
        let is_damaged = Arc::clone(&self.0.is_damaged);
        let around = Surroundings {
            number: self.next(),
            cache: Arc::clone(&self.0.cache),
            alarm: Arc::new(move || is_damaged.store(true, Ordering::Relaxed)),
        };
        SealedFile::open(file, seal, opener, around)
    }

    fn begin_file(&self, name: &str) -> io::Result<SealedWriter> {
        let file = File::create_new(self.place(name))?;
        let (key, context) = self.immutable(name);
        let begun = self.hedged(name, |hedge| Sealer::new(&key, &context, hedge));
        let (directory, name) = (self.clone(), name.to_owned());
        let done = move |seal| {
            lock(&directory.0.state).files.insert(name, seal);
        };
        SealedWriter::new(file, begun, Box::new(done))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        {
            let mut state = lock(&self.0.state);
            state.open.remove(name);
            state.files.remove(name);
        }
        fs::remove_file(self.place(name))
    }
}

/// The name of a file of the index.
fn named(path: &Path) -> io::Result<&str> {
    let name = path.to_str().filter(|name| is_name(name) || *name == MANAGED);
    name.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a name of an index file"))
}

fn not_readable(error: io::Error, path: &Path) -> OpenReadError {
    match error.kind() {
        io::ErrorKind::NotFound => OpenReadError::FileDoesNotExist(path.to_owned()),
        _ => OpenReadError::wrap_io_error(error, path.to_owned()),
    }
}

impl Directory for SealedDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        let opened = named(path).and_then(|name| self.open_file(name));
        opened.map_err(|error| not_readable(error, path))
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        let removed = named(path).and_then(|name| self.remove(name));
        removed.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => DeleteError::FileDoesNotExist(path.to_owned()),
            _ => DeleteError::IoError { io_error: Arc::new(error), filepath: path.to_owned() },
        })
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        let name = named(path).map_err(|error| not_readable(error, path))?;
        let state = lock(&self.0.state);
        Ok(match name {
            META => state.version > 0,
            MANAGED => state.managed.is_some(),
            _ => state.files.contains_key(name),
        })
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        let begun = named(path).and_then(|name| self.begin_file(name));
        match begun {
            Ok(writer) => Ok(io::BufWriter::new(Box::new(writer))),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(OpenWriteError::FileAlreadyExists(path.to_owned()))
            }
            Err(error) => Err(OpenWriteError::wrap_io_error(error, path.to_owned())),
        }
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        let read = named(path).and_then(|name| match name {
            MANAGED => lock(&self.0.state).managed.clone().ok_or(io::ErrorKind::NotFound.into()),
            META => self.current_meta(),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        });
        read.map_err(|error| not_readable(error, path))
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        match named(path)? {
            MANAGED => lock(&self.0.state).managed = Some(data.to_vec()),
            META => self.write_meta(data)?,
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        }
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn acquire_lock(&self, wanted: &Lock) -> Result<DirectoryLock, LockError> {
        let locks = lock(&self.0.locks);
        let wait = if wanted.is_blocking { LOCK_WAIT } else { Duration::ZERO };
        let is_held = |locks: &mut HashSet<PathBuf>| locks.contains(&wanted.filepath);
        let waited = self.0.unlocked.wait_timeout_while(locks, wait, is_held);
        let (mut locks, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if !locks.insert(wanted.filepath.clone()) {
            return Err(LockError::LockBusy);
        }
        let held = Held { directory: self.clone(), path: wanted.filepath.clone() };
        Ok(DirectoryLock::from(Box::new(held)))
    }

    fn watch(&self, _: WatchCallback) -> tantivy::Result<WatchHandle> {
        // Readers are reloaded by whoever commits.
        Ok(WatchHandle::empty())
    }
}

impl std::fmt::Debug for SealedDirectory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealedDirectory")
    }
}

/// A lock that is held until it is dropped.
struct Held {
    directory: SealedDirectory,
    path: PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        lock(&self.directory.0.locks).remove(&self.path);
        self.directory.0.unlocked.notify_all();
    }
}
