//! What of a config and of credentials `s3` accepts beyond their fields' own bounds.

use serde::Deserialize;

use crate::tools::patterns::Patterns;

const MIN_BUCKET_CHARS: usize = 3;

/// What the owner may set.
#[derive(Debug, Deserialize)]
pub(crate) struct Config {
    pub(super) bucket: String,
    pub(super) prefix: Option<String>,
    pub(super) include: Vec<String>,
    pub(super) exclude: Vec<String>,
}

/// Who reads, and where. The endpoint stands beside the key: whoever changes one must know the other, so a stored key
/// is never used where its owner didn't mean it to be. No `Debug`: it holds the secret.
#[derive(Deserialize)]
pub(crate) struct Credentials {
    pub(super) endpoint: Option<String>,
    pub(super) region: String,
    pub(super) path_style: bool,
    pub(super) access_key_id: Option<String>,
    pub(super) secret_access_key: Option<String>,
}

/// Why `text` is no name of a bucket, if it is none. Made of nothing that has a meaning in a URL.
pub(super) fn bucket_problem(text: &str) -> Option<String> {
    let is_plain = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let has_plain_ends = text.bytes().next().is_some_and(is_plain) && text.bytes().next_back().is_some_and(is_plain);
    let is_name = text.len() >= MIN_BUCKET_CHARS
        && has_plain_ends
        && text.bytes().all(|letter| is_plain(letter) || matches!(letter, b'-' | b'.'))
        && !text.contains("..");
    (!is_name).then(|| "Input should be the name of a bucket".to_owned())
}

/// Why `text` is no region, if it is none: it becomes a part of a host's name.
pub(super) fn region_problem(text: &str) -> Option<String> {
    let is_name = !text.is_empty()
        && text.bytes().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-');
    (!is_name).then(|| "Input should be the name of a region, e.g. eu-central-1".to_owned())
}

/// What can't be right of `config`.
pub(super) fn misfit(config: &Config) -> Option<String> {
    Patterns::new(&config.include, &config.exclude).err().map(|error| error.to_string())
}

/// Why a connection must not have these credentials.
pub(super) fn refuse_credentials(credentials: &Credentials) -> Option<String> {
    let Credentials { access_key_id, secret_access_key, .. } = credentials;
    (access_key_id.is_some() != secret_access_key.is_some())
        .then(|| "Validation failed for s3: access_key_id and secret_access_key need each other".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::Source;

    #[test]
    fn the_name_of_a_bucket_or_region_cannot_reach_another_host_or_path() {
        for fine in ["abc", "my.bucket-1", "0ab"] {
            assert_eq!(bucket_problem(fine), None, "{fine}");
        }
        for wrong in ["", "ab", "a/b", "a..b", "-abc", "abc.", "Abc", "a b", "a@b.example", "a%2fb", "abc?x"] {
            assert!(bucket_problem(wrong).is_some(), "{wrong}");
        }
        assert_eq!(region_problem("eu-central-1"), None);
        for wrong in ["", "evil.example/", "a.b", "A"] {
            assert!(region_problem(wrong).is_some(), "{wrong}");
        }
    }

    #[test]
    fn what_cannot_work_is_told_before_a_job_fails() {
        let refused =
            |config: Value| Source::S3.check_config(config.as_object().unwrap(), None).unwrap_err().to_string();
        assert!(refused(json!({"bucket": "b/c"})).starts_with("bucket: Input should be the name"));
        assert!(refused(json!({"bucket": "abc", "include": ["["]})).starts_with("include: '['"));
        let refused = |given: Value| {
            let valid = Source::S3.check_credentials(given.as_object().unwrap()).unwrap();
            refuse_credentials(&serde_json::from_value(Value::Object(valid)).unwrap())
        };
        let half = json!({"access_key_id": "AKIA", "secret_access_key": null});
        assert!(refused(half).unwrap().ends_with("need each other"));
        assert_eq!(refused(json!({})), None);
    }
}
