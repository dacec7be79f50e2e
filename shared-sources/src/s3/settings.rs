//! Which endpoints the operator opens, and which buckets under the worker's own role. None by default: whatever a
//! worker can reach, every organization could otherwise reach.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use shared_service::settings::Validate;
use url::Url;

use super::check::bucket_problem;
use crate::tools::entries::entries;
use crate::tools::http::plain_url;

/// The endpoint that stands for Amazon's own, one for each region.
const AMAZON: &str = "aws";

/// What the operator sets for `s3`.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct S3Settings {
    /// Endpoints that the source `s3` may use, the default one first: URLs, or aws for Amazon S3; separated by commas.
    /// None allows none
    #[arg(
        id = "s3_source_endpoints",
        long,
        env = "S3_SOURCE_ENDPOINTS",
        value_name = "URL,…",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) endpoints: Endpoints,
    /// Buckets that the source `s3` may read under this worker's own role, without a key of the connection's owner;
    /// separated by commas. Every organization may read them
    #[arg(
        id = "s3_source_role_buckets",
        long,
        env = "S3_SOURCE_ROLE_BUCKETS",
        value_name = "BUCKET,…",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) role_buckets: Buckets,
    /// First pause after a request that failed for the moment; doubles with each of the few attempts.
    #[arg(skip = Duration::from_millis(500))]
    pub(crate) retry_delay: Duration,
}

impl Validate for S3Settings {}

/// A service that speaks S3's API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// Amazon S3, in whatever region.
    Amazon,
    /// Another one.
    At(Url),
}

impl Endpoint {
    /// Where the buckets of a region are.
    pub(super) fn base(&self, region: &str) -> Result<Url, url::ParseError> {
        match self {
            Self::Amazon => Url::parse(&format!("https://s3.{region}.amazonaws.com/")),
            Self::At(url) => Ok(url.clone()),
        }
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == AMAZON {
            return Ok(Self::Amazon);
        }
        let url = plain_url(text)?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() || url.path() != "/" {
            return Err(format!("'{text}' is not an endpoint of the form https://host, or {AMAZON}"));
        }
        Ok(Self::At(url))
    }
}

/// The endpoints that may be used; the first one is meant where none is named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Endpoints(Vec<Endpoint>);

impl Endpoints {
    /// The endpoint that `named` means, if it may be used.
    pub(super) fn find(&self, named: Option<&str>) -> Option<&Endpoint> {
        let Some(named) = named else { return self.0.first() };
        let named: Endpoint = named.trim().parse().ok()?;
        self.0.iter().find(|endpoint| **endpoint == named)
    }
}

impl FromStr for Endpoints {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        entries(text).map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

/// Names of buckets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Buckets(BTreeSet<String>);

impl Buckets {
    pub(super) fn contain(&self, bucket: &str) -> bool {
        self.0.contains(bucket)
    }
}

impl FromStr for Buckets {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let buckets = entries(text).map(|name| match bucket_problem(name) {
            None => Ok(name.to_owned()),
            Some(_) => Err(format!("'{name}' is not the name of a bucket")),
        });
        buckets.collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_listed_endpoints_are_found() {
        let endpoints: Endpoints = "https://minio.example.com, aws, http://10.0.0.1:9000".parse().unwrap();
        let found = |named: &str| endpoints.find(Some(named)).cloned();
        assert_eq!(found("aws"), Some(Endpoint::Amazon));
        assert_eq!(found("HTTPS://Minio.example.com:443/"), endpoints.find(None).cloned());
        for other in ["http://minio.example.com", "https://s3.us-east-1.amazonaws.com", "http://10.0.0.1", "x"] {
            assert_eq!(found(other), None, "{other}");
        }
        assert_eq!("".parse::<Endpoints>().unwrap().find(None), None);
    }

    #[test]
    fn what_is_no_endpoint_or_bucket_is_refused() {
        for wrong in ["minio", "ftp://minio", "https://minio/path", "https://minio?x=1", "https://a:b@minio"] {
            assert!(wrong.parse::<Endpoints>().is_err(), "{wrong}");
        }
        let buckets: Buckets = "one-bucket, two.bucket".parse().unwrap();
        assert!(buckets.contain("one-bucket") && !buckets.contain("three"));
        assert!("a/b".parse::<Buckets>().is_err());
    }
}
