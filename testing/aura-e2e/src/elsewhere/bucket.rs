// SPDX-License-Identifier: MIT OR Apache-2.0
//! Buckets that are directories: objects as files under their own names, served by the S3 protocol of `s3s`, which checks
//! signatures, parses requests and writes answers.
//!
//! Why not its own file server: that makes one file name of each key, and our keys are longer than a name may be.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use s3s::dto::{
    CommonPrefix, DeleteObjectInput, DeleteObjectOutput, ETag, GetObjectInput, GetObjectOutput,
    HeadObjectInput, HeadObjectOutput, ListObjectsV2Input, ListObjectsV2Output, Object,
    PutObjectInput, PutObjectOutput, StreamingBlob,
};
use s3s::{Body, S3, S3Request, S3Response, S3Result, s3_error};

/// Keys and prefixes in one page: few, so that there are pages.
const PAGE: usize = 20;
/// Tells files that are being written apart.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// What is in a directory, each directory in it a bucket.
pub(super) struct Buckets {
    root: PathBuf,
    requests: Arc<AtomicU64>,
}

impl Buckets {
    pub(super) fn new(root: PathBuf, requests: Arc<AtomicU64>) -> Self {
        Self { root, requests }
    }

    /// Where a bucket is; each request asks once.
    fn bucket(&self, name: &str) -> S3Result<PathBuf> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let path = self.root.join(name);
        if path.is_dir() { Ok(path) } else { Err(s3_error!(NoSuchBucket)) }
    }

    fn object(&self, bucket: &str, key: &str) -> S3Result<PathBuf> {
        let is_plain = key.split('/').all(|part| !matches!(part, "" | "." | ".."));
        let path = self.bucket(bucket)?.join(key);
        if is_plain { Ok(path) } else { Err(s3_error!(InvalidArgument)) }
    }
}

#[async_trait]
impl S3 for Buckets {
    async fn put_object(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        let path = self.object(&input.bucket, &input.key)?;
        let is_if_absent = input.if_none_match.is_some_and(|condition| condition.is_any());
        let mut bytes = Vec::new();
        let mut body = input.body.ok_or_else(|| s3_error!(IncompleteBody))?;
        while let Some(part) = body.try_next().await.map_err(|_| s3_error!(IncompleteBody))? {
            bytes.extend_from_slice(&part);
        }
        if input.content_length.is_some_and(|length| usize::try_from(length) != Ok(bytes.len())) {
            return Err(s3_error!(IncompleteBody));
        }
        let new = self.root.join(format!(".new-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        fs::write(&new, &bytes).map_err(failed)?;
        fs::create_dir_all(path.parent().unwrap_or(&path)).map_err(failed)?;
        // A link is made only where there is none, as an object is.
        let done = if is_if_absent { fs::hard_link(&new, &path) } else { fs::rename(&new, &path) };
        fs::remove_file(&new).ok();
        match done {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(s3_error!(PreconditionFailed))
            }
            Err(error) => Err(failed(error)),
            Ok(()) => {
                let e_tag = Some(tag(&fs::metadata(&path).map_err(failed)?));
                Ok(S3Response::new(PutObjectOutput { e_tag, ..Default::default() }))
            }
        }
    }

    async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let path = self.object(&request.input.bucket, &request.input.key)?;
        let (Ok(about), Ok(bytes)) = (fs::metadata(&path), fs::read(&path)) else {
            return Err(s3_error!(NoSuchKey));
        };
        Ok(S3Response::new(GetObjectOutput {
            content_length: i64::try_from(bytes.len()).ok(),
            body: Some(StreamingBlob::from(Body::from(bytes))),
            e_tag: Some(tag(&about)),
            last_modified: about.modified().ok().map(Into::into),
            ..Default::default()
        }))
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let path = self.object(&request.input.bucket, &request.input.key)?;
        let about = fs::metadata(&path).ok().filter(fs::Metadata::is_file);
        let about = about.ok_or_else(|| s3_error!(NoSuchKey))?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: i64::try_from(about.len()).ok(),
            e_tag: Some(tag(&about)),
            last_modified: about.modified().ok().map(Into::into),
            ..Default::default()
        }))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        fs::remove_file(self.object(&request.input.bucket, &request.input.key)?).ok();
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let bucket = self.bucket(&input.bucket)?;
        let mut keys = Vec::new();
        collect(&bucket, &bucket, &mut keys);
        let prefix = input.prefix.clone().unwrap_or_default();
        let after = input.continuation_token.or(input.start_after).unwrap_or_default();
        // A key, or the part of it that stands for all that begin so.
        let shown = |key: &String| {
            let rest = key.strip_prefix(&prefix)?;
            let end = input.delimiter.as_ref().and_then(|delimiter| rest.find(delimiter.as_str()));
            Some(match end {
                Some(end) => key.get(..prefix.len() + end + 1)?.to_owned(),
                None => key.clone(),
            })
        };
        let mut names: Vec<String> = keys.iter().filter_map(shown).collect();
        names.sort();
        names.dedup();
        names.retain(|name| *name > after);
        let is_truncated = names.len() > PAGE;
        names.truncate(PAGE);
        let (prefixes, keys): (Vec<_>, Vec<_>) = names.iter().partition(|name| name.ends_with('/'));
        let object = |key: &&String| {
            let about = fs::metadata(bucket.join(key.as_str())).ok()?;
            Some(Object {
                key: Some((*key).clone()),
                size: i64::try_from(about.len()).ok(),
                e_tag: Some(tag(&about)),
                last_modified: about.modified().ok().map(Into::into),
                ..Default::default()
            })
        };
        let prefix = |name: &&String| CommonPrefix { prefix: Some((*name).clone()) };
        Ok(S3Response::new(ListObjectsV2Output {
            contents: Some(keys.iter().filter_map(object).collect()),
            common_prefixes: Some(prefixes.iter().map(prefix).collect()),
            is_truncated: Some(is_truncated),
            next_continuation_token: names.last().filter(|_| is_truncated).cloned(),
            prefix: input.prefix,
            delimiter: input.delimiter,
            name: Some(input.bucket),
            ..Default::default()
        }))
    }
}

fn collect(bucket: &Path, folder: &Path, keys: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(bucket, &path, keys);
        } else if let Some(key) = path.strip_prefix(bucket).ok().and_then(Path::to_str) {
            keys.push(key.to_owned());
        }
    }
}

fn tag(about: &fs::Metadata) -> ETag {
    let size = about.len();
    ETag::Strong(format!("{:x}-{:x}-{size:x}", about.mtime(), about.mtime_nsec()))
}

fn failed(_: io::Error) -> s3s::S3Error {
    s3_error!(InternalError)
}
