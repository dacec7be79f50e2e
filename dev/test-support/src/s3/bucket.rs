//! A bucket in memory that fails on demand and counts what it is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::TryStreamExt as _;
use parking_lot::Mutex;
use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, Error,
    GetObjectInput, GetObjectOutput, ListObjectsV2Input, ListObjectsV2Output, PutObjectInput, PutObjectOutput,
    StreamingBlob, Timestamp,
};
use s3s::{Body, S3, S3Request, S3Response, S3Result, s3_error};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use url::Url;

use super::serve;
use conditions::e_tag;

mod conditions;
mod listing;

pub use conditions::Conditions;

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
    /// Puts that are applied and not answered.
    unanswered: u32,
    /// Puts that come and wait.
    to_hold: u32,
    holding: u32,
    go_on: Arc<Notify>,
    conditions: Conditions,
    wants_checksums: bool,
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

    /// Applies so many puts and never answers them.
    pub fn leave_unanswered(&self, puts: u32) {
        self.bucket.0.lock().unanswered = puts;
    }

    /// Lets so many puts wait before it looks at them, until one is let go.
    pub fn hold_puts(&self, puts: u32) {
        self.bucket.0.lock().to_hold = puts;
    }

    /// How many puts wait.
    #[must_use]
    pub fn holding(&self) -> u32 {
        self.bucket.0.lock().holding
    }

    /// Lets one of them go on.
    pub fn let_go(&self) {
        self.bucket.0.lock().go_on.notify_one();
    }

    /// Treats conditions of puts so from now on.
    pub fn treat_conditions(&self, conditions: Conditions) {
        self.bucket.0.lock().conditions = conditions;
    }

    /// Refuses puts without a checksum, as Amazon does where objects are locked by default.
    pub fn want_checksums(&self) {
        self.bucket.0.lock().wants_checksums = true;
    }

    /// What an object holds.
    #[must_use]
    pub fn content(&self, key: &str) -> Option<Vec<u8>> {
        self.bucket.0.lock().objects.get(key).cloned()
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

    /// What the next put has to wait for, if it has to.
    fn hold(&mut self) -> Option<Arc<Notify>> {
        self.to_hold = self.to_hold.checked_sub(1)?;
        self.holding += 1;
        Some(Arc::clone(&self.go_on))
    }

    /// Whether an object may be put.
    fn may_put(&self, input: &PutObjectInput) -> S3Result<()> {
        if self.wants_checksums && input.checksum_sha256.is_none() {
            return Err(s3_error!(InvalidRequest));
        }
        self.conditions.may_put(self.objects.get(&input.key).map(Vec::as_slice), input)
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

#[async_trait::async_trait]
impl S3 for Shared {
    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        let mut inner = self.0.lock();
        inner.asked.lists += 1;
        inner.admit()?;
        Ok(S3Response::new(listing::list(&inner.objects, &req.input)))
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
        let mut input = req.input;
        let chunks: Vec<_> = match input.body.take() {
            Some(body) => body.try_collect().await.map_err(|_| s3_error!(IncompleteBody))?,
            None => Vec::new(),
        };
        let content = chunks.concat();
        let held = self.0.lock().hold();
        if let Some(go_on) = held {
            go_on.notified().await;
            self.0.lock().holding -= 1;
        }
        let is_answered = {
            let mut inner = self.0.lock();
            inner.asked.others += 1;
            inner.admit()?;
            inner.may_put(&input)?;
            inner.objects.insert(input.key, content.clone());
            let is_answered = inner.unanswered == 0;
            inner.unanswered = inner.unanswered.saturating_sub(1);
            is_answered
        };
        if !is_answered {
            std::future::pending::<()>().await;
        }
        Ok(S3Response::new(PutObjectOutput { e_tag: Some(e_tag(&content)), ..PutObjectOutput::default() }))
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let mut inner = self.0.lock();
        inner.asked.others += 1;
        inner.admit()?;
        let content = inner.objects.get(&req.input.key).cloned().ok_or_else(|| s3_error!(NoSuchKey))?;
        Ok(S3Response::new(GetObjectOutput {
            content_length: i64::try_from(content.len()).ok(),
            last_modified: Some(Timestamp::from(std::time::UNIX_EPOCH)),
            e_tag: Some(e_tag(&content)),
            body: Some(StreamingBlob::from(Body::from(content))),
            ..GetObjectOutput::default()
        }))
    }
}
