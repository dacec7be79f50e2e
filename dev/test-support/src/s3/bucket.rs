//! A bucket in memory that fails on demand and counts what it is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use futures::TryStreamExt as _;
use parking_lot::Mutex;
use s3s::dto::{
    CommonPrefix, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject,
    EncodingType, Error, GetObjectInput, GetObjectOutput, ListObjectsV2Input, ListObjectsV2Output, Object,
    PutObjectInput, PutObjectOutput, StreamingBlob, Timestamp,
};
use s3s::{Body, S3, S3Request, S3Response, S3Result, s3_error};
use tokio::task::JoinSet;
use url::Url;

use super::serve;

/// Keys in an answer of a list, as Amazon has it.
const PAGE: usize = 1_000;

/// One bucket, whatever its name, in memory.
pub struct TestBucket {
    /// Its endpoint.
    pub url: Url,
    bucket: Shared,
    _tasks: JoinSet<()>,
}

/// What a [`TestBucket`] was asked, answered or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BucketRequests {
    /// Lists.
    pub lists: u64,
    /// Requests to remove many.
    pub bulk_removals: u64,
    /// All others.
    pub others: u64,
}

#[derive(Default)]
struct Inner {
    objects: BTreeMap<String, Vec<u8>>,
    locked: BTreeSet<String>,
    refusals: u32,
    /// The bucket is gone after so many.
    answers_left: Option<u32>,
    brings_back: bool,
    asked: BucketRequests,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Inner>>);

impl TestBucket {
    /// An empty bucket.
    pub async fn start() -> Self {
        let bucket = Shared::default();
        let (url, tasks) = serve(bucket.clone()).await;
        Self { url, bucket, _tasks: tasks }
    }

    /// Puts small objects, without a request.
    pub fn fill(&self, keys: impl IntoIterator<Item = String>) {
        self.bucket.0.lock().objects.extend(keys.into_iter().map(|key| (key, b"{}".to_vec())));
    }

    /// All keys.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.bucket.0.lock().objects.keys().cloned().collect()
    }

    /// Refuses from now on to remove these objects, as under a legal hold.
    pub fn hold(&self, keys: impl IntoIterator<Item = String>) {
        self.bucket.0.lock().locked.extend(keys);
    }

    /// Ends all holds.
    pub fn end_holds(&self) {
        self.bucket.0.lock().locked.clear();
    }

    /// Answers so many requests with 503 and `SlowDown`.
    pub fn slow_down(&self, requests: u32) {
        self.bucket.0.lock().refusals = requests;
    }

    /// Answers so many requests more; then the bucket is gone.
    pub fn vanish_after(&self, requests: u32) {
        self.bucket.0.lock().answers_left = Some(requests);
    }

    /// The bucket is there again, with what was in it.
    pub fn come_back(&self) {
        self.bucket.0.lock().answers_left = None;
    }

    /// Whether whatever it removes from now on is there again at once.
    pub fn bring_back(&self, brings_back: bool) {
        self.bucket.0.lock().brings_back = brings_back;
    }

    /// What it was asked since the last call.
    #[must_use]
    pub fn asked(&self) -> BucketRequests {
        std::mem::take(&mut self.bucket.0.lock().asked)
    }
}

impl Inner {
    fn admit(&mut self) -> S3Result<()> {
        if self.refusals > 0 {
            self.refusals -= 1;
            return Err(s3_error!(SlowDown));
        }
        match &mut self.answers_left {
            Some(0) => Err(s3_error!(NoSuchBucket)),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn list(&self, input: &ListObjectsV2Input) -> ListObjectsV2Output {
        let prefix = input.prefix.as_deref().unwrap_or_default();
        let after = input.continuation_token.as_deref().or(input.start_after.as_deref()).unwrap_or_default();
        let from = if after < prefix { Bound::Included(prefix) } else { Bound::Excluded(after) };
        let below = self.objects.range::<str, _>((from, Bound::Unbounded));
        let below = below.take_while(|(key, _)| key.starts_with(prefix));
        let (mut contents, mut prefixes, mut last, mut is_truncated) = (Vec::new(), BTreeSet::new(), None, false);
        let is_encoded = input.encoding_type.as_ref().is_some_and(|kind| kind.as_str() == EncodingType::URL);
        let written = |key: &str| if is_encoded { encoded(key) } else { key.to_owned() };
        for (key, content) in below {
            let folder = input.delimiter.as_deref().and_then(|delimiter| {
                let end = key[prefix.len()..].find(delimiter)?;
                Some(key[..prefix.len() + end + delimiter.len()].to_owned())
            });
            let is_known = folder.as_ref().is_some_and(|folder| prefixes.contains(folder) || after.starts_with(folder));
            if !is_known && contents.len() + prefixes.len() == PAGE {
                is_truncated = true;
                break;
            }
            last = Some(key.clone());
            match folder {
                Some(_) if is_known => {}
                Some(folder) => drop(prefixes.insert(folder)),
                None => contents.push(Object {
                    key: Some(written(key)),
                    size: i64::try_from(content.len()).ok(),
                    last_modified: Some(Timestamp::from(std::time::UNIX_EPOCH)),
                    ..Object::default()
                }),
            }
        }
        let prefixes = prefixes.into_iter().map(|prefix| CommonPrefix { prefix: Some(written(&prefix)) });
        ListObjectsV2Output {
            contents: Some(contents),
            common_prefixes: Some(prefixes.collect()),
            is_truncated: Some(is_truncated),
            encoding_type: input.encoding_type.clone(),
            prefix: Some(written(prefix)),
            next_continuation_token: last.filter(|_| is_truncated),
            ..ListObjectsV2Output::default()
        }
    }

    /// Whether it is gone then.
    fn remove(&mut self, key: &str) -> bool {
        let is_held = self.locked.contains(key);
        if !is_held && !self.brings_back {
            self.objects.remove(key);
        }
        !is_held
    }
}

/// As Amazon writes keys when it is asked to: as in forms, but for the slashes.
fn encoded(key: &str) -> String {
    url::form_urlencoded::byte_serialize(key.as_bytes()).collect::<String>().replace("%2F", "/")
}

#[async_trait::async_trait]
impl S3 for Shared {
    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        let mut inner = self.0.lock();
        inner.asked.lists += 1;
        inner.admit()?;
        Ok(S3Response::new(inner.list(&req.input)))
    }

    async fn delete_objects(&self, req: S3Request<DeleteObjectsInput>) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let mut inner = self.0.lock();
        inner.asked.bulk_removals += 1;
        inner.admit()?;
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for object in req.input.delete.objects {
            if inner.remove(&object.key) {
                deleted.push(DeletedObject { key: Some(object.key), ..DeletedObject::default() });
            } else {
                let (code, message) = (Some("AccessDenied".to_owned()), Some("held".to_owned()));
                errors.push(Error { code, key: Some(object.key), message, version_id: None });
            }
        }
        let output =
            DeleteObjectsOutput { deleted: Some(deleted), errors: Some(errors), ..DeleteObjectsOutput::default() };
        Ok(S3Response::new(output))
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let mut inner = self.0.lock();
        inner.asked.others += 1;
        inner.admit()?;
        if inner.remove(&req.input.key) {
            Ok(S3Response::new(DeleteObjectOutput::default()))
        } else {
            Err(s3_error!(AccessDenied))
        }
    }

    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let chunks: Vec<_> = match req.input.body {
            Some(body) => body.try_collect().await.map_err(|_| s3_error!(IncompleteBody))?,
            None => Vec::new(),
        };
        let mut inner = self.0.lock();
        inner.asked.others += 1;
        inner.admit()?;
        inner.objects.insert(req.input.key, chunks.concat());
        Ok(S3Response::new(PutObjectOutput::default()))
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let mut inner = self.0.lock();
        inner.asked.others += 1;
        inner.admit()?;
        let content = inner.objects.get(&req.input.key).cloned().ok_or_else(|| s3_error!(NoSuchKey))?;
        Ok(S3Response::new(GetObjectOutput {
            content_length: i64::try_from(content.len()).ok(),
            last_modified: Some(Timestamp::from(std::time::UNIX_EPOCH)),
            e_tag: Some(s3s::dto::ETag::Strong("e".to_owned())),
            body: Some(StreamingBlob::from(Body::from(content))),
            ..GetObjectOutput::default()
        }))
    }
}
