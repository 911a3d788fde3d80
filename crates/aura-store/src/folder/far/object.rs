// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files in a bucket of S3, or on a WebDAV server.
//!
//! A bucket takes an object whole or not at all, and only if it is absent where it is asked so. A WebDAV server may keep
//! half of what it was sent: there a file is written under another name and moved (FLD-18).

use std::path::Path;

use async_trait::async_trait;
use aura_protocol::store::StoreError;
use futures_util::TryStreamExt as _;
use opendal::{Entry, Error, ErrorKind, HttpTransporter, OperationContext, Operator};

use super::super::files::{Done, Put};
use super::fault::{Fault, LARGE};
use super::line::{Line, fault};
use super::place::{Far, Secret};
use super::remote::{Item, LISTED_MAX, Remote, too_many};
use crate::durable;

/// Where nothing else is said.
#[cfg(feature = "s3")]
const REGION: &str = "us-east-1";
/// Directories that a file of a vault lies in: so often somebody else may make one at the same moment.
#[cfg(feature = "webdav")]
const DEPTH_MAX: usize = 6;

/// How a file gets its name.
enum Way {
    /// At once.
    #[cfg(feature = "s3")]
    Whole,
    /// Moved there; by this operator where nothing may be replaced.
    #[cfg(feature = "webdav")]
    Moved(Operator),
}

/// Files that the library of object stores reaches.
pub(super) struct Objects {
    operator: Operator,
    way: Way,
    /// The place's own directory, where the operator begins above it: of its own root a library says without looking
    /// that it is there.
    base: String,
}

/// A bucket.
#[cfg(feature = "s3")]
pub(super) fn bucket(far: &Far, secret: Option<&Secret>) -> Result<Objects, StoreError> {
    let (Some(account), Some(secret)) = (&far.account, secret) else {
        return Err(StoreError::Unauthenticated);
    };
    let builder = opendal::services::S3::default()
        .bucket(far.address.host())
        .root(&format!("/{}", far.address.segments().join("/")))
        .region(far.region.as_deref().unwrap_or(REGION))
        .access_key_id(account)
        .secret_access_key(secret.reveal())
        // What is used is what was given, and nothing that lies around.
        .disable_config_load()
        .disable_ec2_metadata();
    let builder = match &far.endpoint {
        Some(endpoint) => builder.endpoint(endpoint),
        None => builder,
    };
    let line = line(far)?;
    let operator = Operator::new(builder).map_err(|_| unfit())?;
    Ok(Objects { operator: with(operator, line), way: Way::Whole, base: String::new() })
}

/// A directory of a WebDAV server.
#[cfg(feature = "webdav")]
pub(super) fn webdav(far: &Far, secret: Option<&Secret>) -> Result<Objects, StoreError> {
    let address = &far.address;
    let scheme = if address.is_tls() { "https" } else { "http" };
    let port = address.port().map(|port| format!(":{port}")).unwrap_or_default();
    let builder = opendal::services::Webdav::default()
        .endpoint(&format!("{scheme}://{}{port}", address.host()))
        .disable_create_dir(true);
    let builder = match (&far.account, secret) {
        (Some(account), Some(secret)) => builder.username(account).password(secret.reveal()),
        _ => builder,
    };
    let line = line(far)?;
    let operator = Operator::new(builder).map_err(|_| unfit())?;
    let keeping = with(operator.clone(), line.keeping());
    let base = far.address.segments().iter().map(|segment| format!("{segment}/")).collect();
    Ok(Objects { operator: with(operator, line), way: Way::Moved(keeping), base })
}

fn line(far: &Far) -> Result<Line, StoreError> {
    if !far.is_safe() {
        return Err(StoreError::Unreachable("what is sent there would not be encrypted"));
    }
    Line::new(far.certificate.as_deref())
}

fn with(operator: Operator, line: Line) -> Operator {
    let context = OperationContext::new().with_http_transport(HttpTransporter::new(line));
    operator.with_context(context)
}

fn unfit() -> StoreError {
    StoreError::Unreachable("its address or its options are none that can be used")
}

impl Objects {
    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn items(&self, directory: &str, is_deep: Depth) -> Result<Vec<Item>, StoreError> {
        let below = if directory.is_empty() { String::new() } else { format!("{directory}/") };
        let above = self.at(&below);
        let asked = if above.is_empty() { "/" } else { above.as_str() };
        let listing = self.operator.lister_with(asked).recursive(is_deep == Depth::All);
        let mut listing = match listing.await {
            Ok(listing) => listing,
            Err(error) => return absent(&error),
        };
        let mut items = Vec::new();
        loop {
            match listing.try_next().await {
                Ok(Some(entry)) => items.extend(item(&above, &entry)),
                Ok(None) => return Ok(items),
                Err(error) => return absent(&error),
            }
            if items.len() > LISTED_MAX {
                return Err(too_many());
            }
        }
    }

    /// Puts a whole object where it belongs. Where there is no condition, looking comes first.
    #[cfg(feature = "s3")]
    async fn put_whole(&self, path: &str, (bytes, put): (&[u8], Put)) -> Result<Done, StoreError> {
        let write = |put| {
            let write = self.operator.write_with(path, bytes.to_vec());
            write.if_not_exists(put == Put::IfAbsent).into_future()
        };
        match write(put).await {
            Ok(_) => Ok(Done::Written),
            Err(error) if error.kind() == ErrorKind::ConditionNotMatch => Ok(Done::Taken),
            Err(error) if put == Put::IfAbsent && is_unknown(&error) => {
                if self.has(path).await? {
                    return Ok(Done::Taken);
                }
                write(Put::Anew).await.map_err(|error| told(&error))?;
                Ok(Done::Written)
            }
            Err(error) => Err(told(&error)),
        }
    }

    /// Writes beside, and moves.
    #[cfg(feature = "webdav")]
    async fn put_moved(
        &self,
        keeping: &Operator,
        (path, beside): (&str, &str),
        (bytes, put): (&[u8], Put),
    ) -> Result<Done, StoreError> {
        if put == Put::IfAbsent && self.has(path).await? {
            return Ok(Done::Taken);
        }
        let (to, beside) = (self.at(path), self.at(beside));
        let new = durable::new_file_name(Path::new(&to), Path::new(&beside));
        let new = new.to_string_lossy();
        if let Err(error) = self.operator.write(&new, bytes.to_vec()).await {
            if fault(&error).is_some() {
                return Err(told(&error));
            }
            // The first file of a vault.
            let directory = format!("{beside}/");
            let made = making(|| self.operator.create_dir(&directory)).await;
            made.map_err(|error| told(&error))?;
            let written = self.operator.write(&new, bytes.to_vec()).await;
            written.map_err(|error| told(&error))?;
        }
        let by = if put == Put::IfAbsent { keeping } else { &self.operator };
        let moved = making(|| by.rename(&new, &to)).await;
        if moved.is_err() {
            // The failure is what is reported; what is left is in nobody's way.
            self.operator.delete(&new).await.ok();
        }
        match moved {
            Ok(()) => Ok(Done::Written),
            Err(error) if error.kind() == ErrorKind::ConditionNotMatch => Ok(Done::Taken),
            Err(error) => Err(told(&error)),
        }
    }
}

/// Does what makes directories on its way. Of two who make one at a time, Apache forbids it to the second: then it is
/// there, and the next try meets the one below it.
#[cfg(feature = "webdav")]
async fn making<F>(step: impl Fn() -> F) -> Result<(), Error>
where
    F: Future<Output = Result<(), Error>>,
{
    for _ in 0..DEPTH_MAX {
        match step().await {
            Err(error) if fault(&error) == Some(Fault::Forbidden) => {}
            done => return done,
        }
    }
    step().await
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    One,
    All,
}

#[async_trait]
impl Remote for Objects {
    async fn is_there(&self) -> Result<(), StoreError> {
        match &self.way {
            // A listing of a bucket that is not there has failed already.
            #[cfg(feature = "s3")]
            Way::Whole => Ok(()),
            #[cfg(feature = "webdav")]
            Way::Moved(_) => match self.operator.stat(&self.at("")).await {
                Ok(_) => Ok(()),
                Err(error) => absent::<()>(&error),
            },
        }
    }

    async fn list(&self, directory: &str) -> Result<Vec<Item>, StoreError> {
        self.items(directory, Depth::One).await
    }

    async fn list_all(&self, directory: &str) -> Result<Option<Vec<Item>>, StoreError> {
        match &self.way {
            #[cfg(feature = "s3")]
            Way::Whole => self.items(directory, Depth::All).await.map(Some),
            #[cfg(feature = "webdav")]
            Way::Moved(_) => Ok(None),
        }
    }

    async fn read(&self, path: &str, most: usize) -> Result<Option<Vec<u8>>, StoreError> {
        match self.operator.read(&self.at(path)).await {
            Ok(bytes) if bytes.len() > most => Err(StoreError::Damaged(LARGE)),
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(told(&error)),
        }
    }

    async fn has(&self, path: &str) -> Result<bool, StoreError> {
        match self.operator.stat(&self.at(path)).await {
            Ok(found) => Ok(found.is_file()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(told(&error)),
        }
    }

    async fn write(
        &self,
        path: &str,
        beside: &str,
        (bytes, put): (&[u8], Put),
    ) -> Result<Done, StoreError> {
        match &self.way {
            #[cfg(feature = "s3")]
            Way::Whole => self.put_whole(path, (bytes, put)).await,
            #[cfg(feature = "webdav")]
            Way::Moved(keeping) => self.put_moved(keeping, (path, beside), (bytes, put)).await,
        }
    }

    async fn remove(&self, path: &str) -> Result<(), StoreError> {
        self.operator.delete(&self.at(path)).await.map_err(|error| told(&error))
    }
}

/// One entry of a listing; the directory itself is none.
fn item(above: &str, entry: &Entry) -> Option<Item> {
    let path = entry.path().strip_prefix(above)?;
    let path = path.trim_end_matches('/');
    let about = entry.metadata();
    let mark = about.etag().map(str::to_owned).or_else(|| {
        let modified = about.last_modified()?;
        Some(format!("{modified} {}", about.content_length()))
    });
    let is_name = !path.is_empty();
    is_name.then(|| Item { path: path.to_owned(), is_directory: about.is_dir(), mark })
}

/// What is not there is told as such by whatever asked for all of it.
fn absent<T>(error: &Error) -> Result<T, StoreError> {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConfigInvalid => Err(StoreError::Absent),
        _ => Err(told(error)),
    }
}

#[cfg(feature = "s3")]
fn is_unknown(error: &Error) -> bool {
    fault(error) == Some(Fault::Unknown) || error.kind() == ErrorKind::Unsupported
}

fn told(error: &Error) -> StoreError {
    if let Some(fault) = fault(error) {
        return fault.into();
    }
    match error.kind() {
        ErrorKind::PermissionDenied => StoreError::Forbidden,
        ErrorKind::RateLimited => StoreError::SlowDown(1),
        ErrorKind::ConfigInvalid => StoreError::Absent,
        _ => Fault::Server("it gave what is no answer").into(),
    }
}
