//! URLs of object stores and folders that a start would refuse, or take for something else.
//!
//! No text quotes the URL: it may hold a secret.

use percent_encoding::percent_decode_str;
use url::Url;

/// The URL of a local folder, as it was written.
pub(super) fn of_folder(text: &str, url: Url) -> Result<Url, &'static str> {
    let path = text.trim_start().get("file:".len()..).unwrap_or_default();
    if !path.starts_with('/') {
        return Err("the path of its directory begins with a slash: file:///directory");
    }
    if url.host().is_some() {
        return Err("a directory is on no host: after file: come three slashes, as in file:///directory");
    }
    if percent_decode_str(url.path()).any(|byte| byte.is_ascii_control()) {
        return Err("its path has a control character");
    }
    Ok(url)
}

/// The URL of a bucket or container, and of a prefix in it.
pub(super) fn of_bucket(url: Url) -> Result<Url, &'static str> {
    if url.port().is_some() {
        return Err(
            "a bucket has no port: another server than the cloud's is named by a setting, such as AWS_ENDPOINT",
        );
    }
    let Ok(path) = percent_decode_str(url.path()).decode_utf8() else { return Err("its path isn't UTF-8") };
    if path.chars().any(|letter| letter.is_ascii_control()) {
        return Err("its path has a control character");
    }
    let prefix = path.strip_prefix('/').unwrap_or(&path);
    if prefix.is_empty() {
        return Ok(url);
    }
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    if prefix.split('/').any(str::is_empty) {
        return Err("its path has two slashes in a row, or at its end");
    }
    if prefix.split('/').any(|part| matches!(part, "." | "..")) {
        return Err("a part of its path is . or ..");
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_s_url_that_a_start_would_refuse_is_told_why() {
        for good in ["s3://bucket", "s3://bucket/", "gs://bucket/a/b/", "az://container/a%20b", "s3://bucket/a%2Fb"] {
            assert!(of_bucket(good.parse().unwrap()).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("s3://bucket/pre//", "two slashes"),
            ("s3://bucket//pre", "two slashes"),
            ("s3://bucket//", "two slashes"),
            ("gs://bucket/a%2F%2Fb", "two slashes"),
            ("az://container/%00", "control character"),
            ("s3://bucket/a%0Ab", "control character"),
            ("s3://bucket/%FF", "UTF-8"),
            ("s3://bucket/a%2F..%2Fb", ". or .."),
            ("s3://bucket:9000/pre", "no port"),
            ("gs://bucket:443", "no port"),
            ("az://container:1", "no port"),
        ] {
            let told = of_bucket(bad.parse().unwrap()).unwrap_err();
            assert!(told.contains(why), "{bad}: {told}");
        }
    }

    #[test]
    fn a_folder_s_url_that_a_start_would_refuse_or_misread_is_told_why() {
        let told = |text: &str| of_folder(text, text.parse().unwrap()).err();
        for good in ["file:///var/arf", "file:/var/arf", "file:///var//arf/", "file://localhost/var", "file:///ä%FF"] {
            assert_eq!(told(good), None, "{good}");
        }
        for (bad, why) in [
            ("file://host/var/arf", "no host"),
            ("file://var/arf", "no host"),
            ("file:tmp/x", "begins with a slash"),
            ("file:./x", "begins with a slash"),
            ("file:///var/%00", "control character"),
        ] {
            assert!(told(bad).is_some_and(|told| told.contains(why)), "{bad}: {:?}", told(bad));
        }
    }
}
