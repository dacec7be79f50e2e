//! Reads a bucket page by page.

use std::path::Path;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::S3;
use super::check::{Config, Credentials};
use super::client::{Bucket, Got};
use super::listing::Listed;
use super::object::{OBJECT, Origin};
use super::refusal::{ARCHIVED, Failure, Refusal};
use crate::connector::Given;
use crate::left_out::LeftOut;
use crate::tools::memory;
use crate::tools::patterns::Patterns;
use crate::{EntitySink, Offer, ReadSummary, SourceAccess, SourceEntity, SourceError};

/// Objects that are got at the same time.
const READS_IN_FLIGHT: usize = 4;
/// Pages in a row without an object: more of them aren't the end of a list, but no list.
const MAX_EMPTY_PAGES: u32 = 1_000;

/// Yields one entity per object that holds text.
pub(super) async fn read(given: Given<'_, S3>) -> Result<ReadSummary, SourceError> {
    let Given { config, credentials, access, sink, .. } = given;
    let bucket = allowed(&config, &credentials, access)?;
    let patterns = Patterns::new(&config.include, &config.exclude)
        .map_err(|error| SourceError::Misconfigured(error.to_string()))?;
    let prefix = config.prefix.unwrap_or_default();
    let reading = Reading {
        origin: Origin { bucket: bucket.name.clone(), max_blob_bytes: access.max_blob_bytes },
        bucket,
        patterns,
        folder: prefix.rfind('/').map_or(0, |slash| slash + 1),
        prefix,
        sink,
        left_out: LeftOut::default(),
    };
    reading.read_all().await?;
    reading.left_out.unmatched(&reading.patterns);
    Ok(reading.left_out.into_summary())
}

/// The bucket, if the operator lets this connection reach it.
fn allowed(config: &Config, credentials: &Credentials, access: &SourceAccess) -> Result<Bucket, SourceError> {
    let refuse = |text: &str| Err(SourceError::Misconfigured(text.to_owned()));
    let settings = &access.settings.s3;
    if access.may_be_own_bucket(&config.bucket) {
        return refuse("this bucket is not allowed on this worker");
    }
    if credentials.access_key_id.is_none() && !settings.role_buckets.contain(&config.bucket) {
        return refuse("this bucket is not allowed on this worker without an access key");
    }
    let Some(endpoint) = settings.endpoints.find(credentials.endpoint.as_deref()) else {
        return match &credentials.endpoint {
            None => refuse("no S3 endpoint is allowed on this worker"),
            Some(_) => refuse("the endpoint of the credentials is not allowed on this worker"),
        };
    };
    let Ok(base) = endpoint.base(&credentials.region) else { return refuse("the region makes no endpoint") };
    Bucket::open(&base, &config.bucket, credentials, settings)
}

/// One run.
struct Reading<'a> {
    bucket: Bucket,
    origin: Origin,
    prefix: String,
    patterns: Patterns,
    /// Length of the prefix up to its last slash: patterns are relative to that.
    folder: usize,
    sink: &'a EntitySink,
    left_out: LeftOut,
}

impl Reading<'_> {
    async fn read_all(&self) -> Result<(), SourceError> {
        let mut token: Option<String> = None;
        let mut empty_pages = 0_u32;
        loop {
            let page = self.bucket.page(&self.prefix, token.as_deref()).await?;
            let next = page.next().map(str::to_owned);
            let is_stuck = page.is_cut() || (next.is_some() && next == token);
            let objects: Vec<Listed> = page.into_objects().collect();
            empty_pages = if objects.is_empty() { empty_pages + 1 } else { 0 };
            if is_stuck || empty_pages > MAX_EMPTY_PAGES {
                let Bucket { host, name, .. } = &self.bucket;
                return Err(SourceError::Failed(format!("S3 at {host} lists the bucket '{name}' without end")));
            }
            self.take_page(objects.into_iter().filter(|object| self.takes(&object.key)).collect()).await?;
            match next {
                Some(_) => token = next,
                None => return Ok(()),
            }
        }
    }

    /// Reads what of a page isn't stored already as it is.
    async fn take_page(&self, objects: Vec<Listed>) -> Result<(), SourceError> {
        let offers = objects.iter().map(|object| Offer {
            class: OBJECT,
            id: object.key.clone(),
            version: self.origin.version(object.size, &object.mark),
        });
        let kept = self.sink.keep_unchanged(offers.collect()).await?;
        let changed = objects.into_iter().zip(kept).filter(|(_, is_kept)| !is_kept).map(|(object, _)| object);
        // Each is got and handed on by itself, so a read goes on while another one waits for the pipeline.
        stream::iter(changed).map(Ok).try_for_each_concurrent(READS_IN_FLIGHT, |object| self.take(object)).await
    }

    async fn take(&self, object: Listed) -> Result<(), SourceError> {
        match self.entity(&object).await? {
            Some(entity) => self.sink.send(entity).await,
            None => Ok(()),
        }
    }

    /// The entity of an object; `None` if it isn't taken.
    async fn entity(&self, object: &Listed) -> Result<Option<SourceEntity>, SourceError> {
        if object.is_archived {
            self.left_out.gap(&object.key, ARCHIVED);
            return Ok(None);
        }
        let Some(size) = object.size else {
            self.left_out.gap(&object.key, "its size is not told");
            return Ok(None);
        };
        let bytes = self.origin.bytes_to_get(size);
        let mut room = memory::reserve(usize::try_from(bytes).unwrap_or(usize::MAX)).await;
        let got = if size == 0 {
            Got { bytes: bytes::Bytes::new(), mark: object.mark.clone() }
        } else {
            match self.bucket.object(object, bytes, &mut room).await {
                Ok(got) => got,
                // Gone since, or listed by another name: the next list tells.
                Err(Failure::Object(Refusal::Missing(_))) => {
                    self.left_out.gap(&object.key, "it is listed but not there");
                    return Ok(None);
                }
                Err(Failure::Object(refused)) => {
                    self.left_out.gap(&object.key, &refused.to_string());
                    return Ok(None);
                }
                Err(Failure::Source(error)) => return Err(error),
            }
        };
        if u64::try_from(got.bytes.len()).unwrap_or(u64::MAX) < bytes {
            let text = format!("S3 at {} sent less of an object than it has", self.bucket.host);
            return Err(SourceError::Unreachable(text));
        }
        let entity = self.origin.entity(object, size, got);
        if entity.is_none() {
            // Nothing to search in. What was a text before and is none any more is gone.
            self.left_out.unusable(&object.key, "it holds no text");
        }
        Ok(entity)
    }

    /// Whether the patterns take the object of this key. What stands for a folder is none.
    fn takes(&self, key: &str) -> bool {
        let Some(path) = key.get(self.folder..).map(|path| Path::new(path.trim_start_matches('/'))) else {
            return false;
        };
        let folders = path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
        !key.ends_with('/')
            && self.patterns.takes(path)
            && folders.into_iter().all(|folder| self.patterns.enters(folder))
    }
}
