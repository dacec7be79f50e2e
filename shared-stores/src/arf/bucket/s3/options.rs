//! What the settings of a bucket of S3 ask of requests of our own, by the names that `object_store` gives them.

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Key};
use url::Url;

use crate::arf::ArfError;

/// How requests of our own are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::arf::bucket) struct Options {
    /// `AWS_REQUEST_PAYER`: whoever asks pays.
    pub(super) pays: bool,
    /// `AWS_DISABLE_BULK_DELETE` is said of stores that remove objects one by one only.
    pub(super) removes_many: bool,
}

impl Options {
    /// From the environment, and from these settings, which override it.
    pub(in crate::arf::bucket) fn read(url: &Url, settings: &[(&str, &str)]) -> Result<Self, ArfError> {
        let builder = AmazonS3Builder::from_env().with_url(url.as_str());
        let builder = settings.iter().try_fold(builder, |builder, (key, value)| {
            let key: Key = key.parse().map_err(ArfError::store("set up"))?;
            Ok::<_, ArfError>(builder.with_config(key, *value))
        })?;
        let is_set = |key| builder.get_config_value(&key).is_some_and(|value| is_yes(&value));
        let impossible = [(Key::SkipSignature, "AWS_SKIP_SIGNATURE"), (Key::S3Express, "AWS_S3_EXPRESS")];
        if let Some((_, name)) = impossible.into_iter().find(|(key, _)| is_set(*key)) {
            return Err(ArfError::Setup(format!("{name} can't be used: lists and removals are signed, as S3 has it")));
        }
        Ok(Self { pays: is_set(Key::RequestPayer), removes_many: !is_set(Key::DisableBulkDelete) })
    }
}

/// As `object_store` reads it.
fn is_yes(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "on" | "yes" | "y" | "requester")
}
