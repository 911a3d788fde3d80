// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files on an SFTP server. They are written under another name, synced where it can be asked for, and linked or
//! renamed to their own (FLD-18).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use aura_protocol::store::StoreError;
use futures_util::TryStreamExt as _;
use openssh_sftp_client::Error;
use openssh_sftp_client::error::SftpErrorKind;
use openssh_sftp_client::fs::DirEntry;
use std::io::SeekFrom;
use tokio::io::AsyncSeekExt as _;
use tokio::sync::Mutex;

use super::super::files::{Done, Put};
use super::fault::{BROKEN, Fault, LARGE};
use super::place::Far;
use super::remote::{Item, LISTED_MAX, Remote, too_many};
use super::ssh::{self, Session, Unmade};
use crate::durable;

/// What one answer to a read may have, in bytes; a server may give less.
const READ_BYTES: u32 = 32 << 10;

/// A directory of an SFTP server, and the connection to it that is used as long as it works.
pub(super) struct Sftp {
    far: Far,
    root: PathBuf,
    session: Mutex<Option<Arc<Session>>>,
}

type Asked<T> = Result<T, Error>;

impl Sftp {
    pub(super) fn new(far: &Far) -> Self {
        let segments = far.address.segments();
        // `~` is where a login begins.
        let root = match segments.split_first() {
            Some((first, rest)) if first == "~" => rest.iter().collect(),
            _ => Path::new("/").join(segments.iter().collect::<PathBuf>()),
        };
        Self { far: far.clone(), root, session: Mutex::new(None) }
    }

    async fn session(&self) -> Result<Arc<Session>, StoreError> {
        let mut kept = self.session.lock().await;
        if let Some(session) = &*kept {
            return Ok(Arc::clone(session));
        }
        let made = ssh::connect(&self.far).await.map_err(|unmade| match unmade {
            Unmade::OtherKey => StoreError::OtherKey,
            Unmade::For(fault) => fault.into(),
        });
        let session = Arc::new(made?);
        *kept = Some(Arc::clone(&session));
        Ok(session)
    }

    /// What an error means. After one that is not the server's word about a file, the connection is given up.
    async fn told(&self, error: &Error) -> StoreError {
        let Error::SftpError(kind, _) = error else {
            *self.session.lock().await = None;
            return BROKEN.into();
        };
        match kind {
            SftpErrorKind::NoSuchFile => StoreError::Absent,
            SftpErrorKind::PermDenied => StoreError::Forbidden,
            // There is no better word for a full disk in this protocol.
            _ => Fault::Server("it could not do it; its disk may be full").into(),
        }
    }

    /// Gives up a connection that did not answer: whoever is cut off here leaves it in an unknown state.
    async fn with<T, F>(&self, work: impl FnOnce(Arc<Session>) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Asked<T>>,
    {
        let session = self.session().await?;
        let mut unfinished = Unfinished { slot: &self.session, is_done: false };
        let done = work(session).await;
        unfinished.is_done = true;
        match done {
            Ok(done) => Ok(done),
            Err(error) => Err(self.told(&error).await),
        }
    }

    fn at(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path) }
    }
}

/// Drops the connection if work on it is cut off.
struct Unfinished<'a> {
    slot: &'a Mutex<Option<Arc<Session>>>,
    is_done: bool,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.is_done
            && let Ok(mut slot) = self.slot.try_lock()
        {
            *slot = None;
        }
    }
}

#[async_trait]
impl Remote for Sftp {
    async fn is_there(&self) -> Result<(), StoreError> {
        let root = self.at("");
        let found =
            self.with(|session| async move { session.sftp.fs().metadata(&here(root)).await });
        let is_directory = found.await?.file_type().is_some_and(|kind| kind.is_dir());
        if is_directory { Ok(()) } else { Err(StoreError::Absent) }
    }

    async fn list(&self, directory: &str) -> Result<Vec<Item>, StoreError> {
        let path = here(self.at(directory));
        let listed = self.with(|session| async move {
            let opened = session.sftp.fs().open_dir(&path).await;
            let Some(opened) = unless_absent(opened)? else { return Ok(Vec::new()) };
            let mut entries = Box::pin(opened.read_dir());
            let mut items = Vec::new();
            while let Some(entry) = entries.try_next().await? {
                items.extend(item(&entry));
                if items.len() > LISTED_MAX {
                    break;
                }
            }
            Ok(items)
        });
        let items = listed.await?;
        if items.len() > LISTED_MAX { Err(too_many()) } else { Ok(items) }
    }

    async fn list_all(&self, _directory: &str) -> Result<Option<Vec<Item>>, StoreError> {
        Ok(None)
    }

    #[expect(clippy::default_trait_access, reason = "the type's crate is not one of ours")]
    async fn read(&self, path: &str, most: usize) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.at(path);
        let read = self.with(|session| async move {
            let opened = session.sftp.open(&path).await;
            let Some(mut file) = unless_absent(opened)? else { return Ok(None) };
            let mut bytes = Vec::new();
            while let Some(part) = file.read(READ_BYTES, Default::default()).await? {
                bytes.extend_from_slice(&part);
                if part.is_empty() || bytes.len() > most {
                    break;
                }
                // A server may give less than it was asked for; the library goes on as if it had not.
                file.seek(SeekFrom::Start(bytes.len() as u64)).await?;
            }
            file.close().await?;
            Ok(Some(bytes))
        });
        match read.await? {
            Some(bytes) if bytes.len() > most => Err(StoreError::Damaged(LARGE)),
            other => Ok(other),
        }
    }

    async fn has(&self, path: &str) -> Result<bool, StoreError> {
        let path = self.at(path);
        let found = self.with(|session| async move {
            unless_absent(session.sftp.fs().symlink_metadata(&path).await)
        });
        let found = found.await?.and_then(|found| found.file_type());
        Ok(found.is_some_and(|kind| kind.is_file()))
    }

    async fn write(
        &self,
        path: &str,
        beside: &str,
        (bytes, put): (&[u8], Put),
    ) -> Result<Done, StoreError> {
        if put == Put::IfAbsent && self.has(path).await? {
            return Ok(Done::Taken);
        }
        let (to, beside) = (PathBuf::from(path), PathBuf::from(beside));
        let new = durable::new_file_name(&to, &beside);
        let root = &self.root;
        self.with(|session| async move {
            make(&session, root, &beside).await?;
            make(&session, root, to.parent().unwrap_or(&to)).await?;
            let (new, to) = (root.join(new), root.join(to));
            let done = fill(&session, &new, bytes).await;
            let done = match done {
                Ok(()) => name(&session, (&new, &to), put).await,
                Err(error) => Err(error),
            };
            if !matches!(done, Ok(Done::Written)) {
                // What is reported is what happened first; what is left is in nobody's way.
                session.sftp.fs().remove_file(&new).await.ok();
            }
            done
        })
        .await
    }

    async fn remove(&self, path: &str) -> Result<(), StoreError> {
        let path = self.at(path);
        let gone = self.with(|session| async move {
            unless_absent(session.sftp.fs().remove_file(&path).await)
        });
        gone.await.map(drop)
    }
}

async fn fill(session: &Session, new: &Path, bytes: &[u8]) -> Asked<()> {
    let mut options = session.sftp.options();
    let mut file = options.write(true).create_new(true).open(new).await?;
    file.write_all(bytes).await?;
    if session.sftp.support_fsync() {
        file.sync_all().await?;
    }
    file.close().await
}

/// Gives a file its name. A link fails where the name is taken; not every file system has links.
async fn name(session: &Session, (new, to): (&Path, &Path), put: Put) -> Asked<Done> {
    let mut fs = session.sftp.fs();
    if put == Put::IfAbsent {
        if session.sftp.support_hardlink() && fs.hard_link(new, to).await.is_ok() {
            fs.remove_file(new).await?;
            return Ok(Done::Written);
        }
        if unless_absent(fs.symlink_metadata(to).await)?.is_some() {
            return Ok(Done::Taken);
        }
    } else if !session.sftp.support_posix_rename() {
        // Where nothing can be replaced in one step: a reader finds nothing for a moment, and never half of it.
        unless_absent(fs.remove_file(to).await)?;
    }
    fs.rename(new, to).await?;
    Ok(Done::Written)
}

/// Makes a directory below the root, and those between.
async fn make(session: &Session, root: &Path, directory: &Path) -> Asked<()> {
    let mut fs = session.sftp.fs();
    if unless_absent(fs.metadata(root.join(directory)).await)?.is_some() {
        return Ok(());
    }
    let mut made = root.to_path_buf();
    for part in directory {
        made.push(part);
        let error = match fs.create_dir(&made).await {
            Ok(()) => continue,
            Err(error) => error,
        };
        // It says no more than that it failed where there is one already.
        match fs.metadata(&made).await {
            Ok(_) => {}
            Err(_) => return Err(error),
        }
    }
    Ok(())
}

/// A path that is not empty.
fn here(path: PathBuf) -> PathBuf {
    if path.as_os_str().is_empty() { PathBuf::from(".") } else { path }
}

fn unless_absent<T>(answer: Asked<T>) -> Asked<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(Error::SftpError(SftpErrorKind::NoSuchFile, _)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// One entry of a directory; a name that is not one of UTF-8 is none of ours.
fn item(entry: &DirEntry) -> Option<Item> {
    let name = entry.filename().to_str()?;
    let is_name = !matches!(name, "" | "." | "..") && !name.contains('/');
    let about = entry.metadata();
    let mark = about.modified().zip(about.len());
    let mark = mark.map(|(modified, size)| format!("{modified:?} {size}"));
    let is_directory = about.file_type().is_some_and(|kind| kind.is_dir());
    is_name.then(|| Item { path: name.to_owned(), is_directory, mark })
}
