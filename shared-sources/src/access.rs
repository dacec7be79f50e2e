//! The operator's leave to reach folders and servers.

use url::Url;

use crate::SourceSettings;

/// What sources may reach on this machine, and with how much of it.
///
/// Made of the sync-worker's settings. The gateway has neither them nor a way to it: it checks what owners ask for, and
/// reads nothing.
#[derive(Debug, Clone)]
pub struct SourceAccess {
    pub(crate) settings: SourceSettings,
    /// Largest raw file that is kept as a blob, bytes.
    pub(crate) max_blob_bytes: u64,
    /// Where Unweave keeps its own captures: no source may read them, for they are everybody's.
    own_store: Option<Url>,
}

impl SourceAccess {
    /// What `settings` allow.
    #[must_use]
    pub const fn new(settings: SourceSettings, max_blob_bytes: u64) -> Self {
        Self { settings, max_blob_bytes, own_store: None }
    }

    /// The same without what lies in the store at `own_store`.
    #[must_use]
    pub fn with_own_store(mut self, own_store: &Url) -> Self {
        self.own_store = Some(own_store.clone());
        self
    }

    /// Whether Unweave keeps data of its own in the bucket of this name, wherever that is, or may do so: an alias of an
    /// access point can stand for any bucket. Google's buckets speak the API of S3 as well.
    pub(crate) fn may_be_own_bucket(&self, bucket: &str) -> bool {
        let own = self.own_store.as_ref().filter(|url| matches!(url.scheme(), "s3" | "gs"));
        let is_alias = bucket.ends_with("-s3alias") || bucket.ends_with("--ol-s3");
        own.is_some_and(|url| is_alias || url.host_str() == Some(bucket))
    }

    /// Largest raw file that is kept as a blob, bytes.
    #[must_use]
    pub const fn max_blob_bytes(&self) -> u64 {
        self.max_blob_bytes
    }

    /// What a worker without any setting allows, changed by `change`.
    #[cfg(test)]
    pub(crate) fn for_tests(change: impl FnOnce(&mut SourceSettings)) -> Self {
        use clap::Parser;
        #[derive(Parser)]
        struct Only {
            #[command(flatten)]
            sources: SourceSettings,
        }
        let mut settings = Only::parse_from(["tests"]).sources;
        change(&mut settings);
        Self::new(settings, 1024 * 1024)
    }
}
