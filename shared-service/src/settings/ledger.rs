//! Where the deletion ledger is published. All services need the same.

use clap::{ArgAction, Args};
use percent_encoding::percent_decode_str;
use url::Url;

use super::groups::object_store_url;
use super::load::Validate;

/// Longest origin, in characters.
const LONGEST_ORIGIN: usize = 128;

/// The ledger store.
#[derive(Debug, Clone, Args)]
pub struct LedgerStoreSettings {
    /// The ledger store: file:///directory, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix, apart from
    /// ARF_URL; without it a restore of PostgreSQL that brings deleted data back isn't noticed; may hold a secret
    #[arg(long, env = "LEDGER_URL", value_name = "URL", hide_env_values = true, value_parser = object_store_url, requires = "ledger_origin")]
    pub ledger_url: Option<Url>,
    /// The ledger's name in everything that is signed, such as unweave.example.com/ledger; for good
    #[arg(long, env = "LEDGER_ORIGIN", value_name = "NAME", value_parser = origin)]
    pub ledger_origin: Option<String>,
    /// Whether searches and syncs wait at the start until the ledger store was read
    #[arg(long, env = "LEDGER_REQUIRED", value_name = "BOOL", default_value = "false", action = ArgAction::Set)]
    pub ledger_required: bool,
}

/// What the ledger's settings say, if there is a ledger store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEndpoint {
    /// Where it is.
    pub url: Url,
    /// The ledger's name.
    pub origin: String,
}

impl LedgerStoreSettings {
    /// The store, if there is one.
    #[must_use]
    pub fn endpoint(&self) -> Option<LedgerEndpoint> {
        Some(LedgerEndpoint { url: self.ledger_url.clone()?, origin: self.ledger_origin.clone()? })
    }

    /// Refuses a ledger store that lies in the ARF store, or the other way round: a purge removes what is there.
    ///
    /// # Errors
    /// One line that names both settings.
    pub fn stay_apart(&self, arf_url: &Url) -> Result<(), String> {
        let Some(ledger_url) = &self.ledger_url else { return Ok(()) };
        let (ledger, arf) = (Place::of(ledger_url), Place::of(arf_url));
        match (ledger.lies_in(&arf), arf.lies_in(&ledger)) {
            (true, true) => Err("LEDGER_URL and ARF_URL are the same place".to_owned()),
            (true, false) => Err("LEDGER_URL lies in ARF_URL: it needs a folder or bucket of its own".to_owned()),
            (false, true) => {
                Err("ARF_URL lies in LEDGER_URL: the ledger needs a folder or bucket of its own".to_owned())
            }
            (false, false) => Ok(()),
        }
    }
}

impl Validate for LedgerStoreSettings {
    fn validate(&self) -> Result<(), String> {
        if self.ledger_required && self.ledger_url.is_none() {
            return Err("LEDGER_REQUIRED is true, and LEDGER_URL is not set".to_owned());
        }
        Ok(())
    }
}

/// What signed notes take for a name: no blanks, no `+`.
fn origin(text: &str) -> Result<String, String> {
    let is_visible = |letter: char| !letter.is_whitespace() && !letter.is_control() && letter != '+';
    if text.is_empty() || text.chars().count() > LONGEST_ORIGIN || !text.chars().all(is_visible) {
        return Err(format!("not 1 to {LONGEST_ORIGIN} visible characters without blanks and +"));
    }
    Ok(text.to_owned())
}

/// A folder, or a prefix in a bucket.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    kind: Kind,
    bucket: String,
    /// Named by some URLs of Azure only.
    account: Option<String>,
    path: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Folder,
    S3,
    Google,
    Azure,
}

impl Place {
    fn of(url: &Url) -> Self {
        let kind = match url.scheme() {
            "s3" => Kind::S3,
            "gs" => Kind::Google,
            "file" => Kind::Folder,
            _ => Kind::Azure,
        };
        let host = url.host_str().map(str::to_ascii_lowercase);
        // abfss://container@account.dfs.core.windows.net/prefix
        let (bucket, account) = match url.username() {
            "" => (host.unwrap_or_default(), None),
            container => (container.to_owned(), host),
        };
        let path = percent_decode_str(url.path()).decode_utf8_lossy();
        let path = path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        Self { kind, bucket, account, path }
    }

    fn lies_in(&self, other: &Self) -> bool {
        let other_account = self.account.is_some() && other.account.is_some() && self.account != other.account;
        self.kind == other.kind && self.bucket == other.bucket && !other_account && self.path.starts_with(&other.path)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Settings {
        #[command(flatten)]
        ledger: LedgerStoreSettings,
    }

    fn given(options: &[&str]) -> Result<LedgerStoreSettings, String> {
        let parsed = Settings::try_parse_from([&["service"], options].concat());
        parsed.map(|settings| settings.ledger).map_err(|error| error.to_string())
    }

    fn at(ledger: &str, arf: &str) -> Result<(), String> {
        given(&["--ledger-url", ledger, "--ledger-origin", "o"]).unwrap().stay_apart(&arf.parse().unwrap())
    }

    #[test]
    fn without_settings_there_is_no_ledger_store() {
        let settings = given(&[]).unwrap();
        assert_eq!((settings.endpoint(), settings.ledger_required, settings.validate()), (None, false, Ok(())));
        assert_eq!(settings.stay_apart(&"s3://bucket".parse().unwrap()), Ok(()));
        // The name alone is that of receipts which are in no log.
        assert_eq!(given(&["--ledger-origin", "o"]).unwrap().endpoint(), None);
    }

    #[test]
    fn a_store_has_a_name_and_is_required_only_if_there_is_one() {
        let both = ["--ledger-url", "s3://bucket/ledger", "--ledger-origin", "example.com/ledger"];
        let settings = given(&[&both[..], &["--ledger-required", "true"]].concat()).unwrap();
        assert_eq!(settings.validate(), Ok(()));
        let endpoint = settings.endpoint().unwrap();
        assert_eq!((endpoint.url.as_str(), endpoint.origin.as_str()), ("s3://bucket/ledger", "example.com/ledger"));
        assert!(given(&both[..2]).unwrap_err().contains("--ledger-origin"));
        let line = given(&["--ledger-required", "true"]).unwrap().validate();
        assert_eq!(line, Err("LEDGER_REQUIRED is true, and LEDGER_URL is not set".to_owned()));
    }

    #[test]
    fn a_store_s_url_is_judged_as_that_of_arf_without_telling_secrets() {
        for bad in ["s3://user:hunter2@bucket", "http://hunter2", "/var/ledger", "s3://bucket/?hunter2"] {
            let told = given(&["--ledger-origin", "o", "--ledger-url", bad]).unwrap_err();
            let reason = told.split_once(": ").unwrap().1;
            assert!(object_store_url(bad).is_err() && !reason.is_empty(), "{bad}: {told}");
        }
    }

    #[test]
    fn a_name_can_stand_in_a_signed_note() {
        let longest = "x".repeat(LONGEST_ORIGIN);
        for good in ["example.com/ledger", "Löschungen", "a", &longest] {
            assert_eq!(origin(good).as_deref(), Ok(good));
        }
        let longer = format!("{longest}x");
        for bad in ["", " ", "two words", "a+b", "a\tb", "a\n", "a\u{a0}b", "a\u{7f}", &longer] {
            assert!(origin(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_ledger_and_what_purges_touch_lie_apart() {
        for (ledger, arf) in [
            ("file:///var/ledger", "file:///var/arf"),
            ("file:///var/arf-ledger", "file:///var/arf"),
            ("s3://bucket/ledger", "s3://bucket/arf"),
            ("s3://bucket", "s3://other"),
            ("s3://bucket", "gs://bucket"),
            ("file:///bucket", "s3://bucket"),
            ("abfss://c@one.dfs.core.windows.net/x", "abfss://c@two.dfs.core.windows.net/x"),
        ] {
            assert_eq!((at(ledger, arf), at(arf, ledger)), (Ok(()), Ok(())), "{ledger} {arf}");
        }
        for (inner, outer) in [
            ("file:///var/arf/ledger", "file:///var/arf"),
            ("file:///var/a%72f/ledger", "file:///var/arf/"),
            ("file:///var/x/../arf/ledger", "file:///var/arf"),
            ("file:///var/ledger", "file:///"),
            ("s3://bucket/ledger", "s3://bucket"),
            ("s3://bucket/a/b", "s3://bucket/a/"),
            ("az://c/x/y", "abfss://c@account.dfs.core.windows.net/x"),
        ] {
            assert!(at(inner, outer).unwrap_err().starts_with("LEDGER_URL lies in ARF_URL"), "{inner} {outer}");
            assert!(at(outer, inner).unwrap_err().starts_with("ARF_URL lies in LEDGER_URL"), "{inner} {outer}");
        }
        for (one, other) in
            [("s3://bucket/a", "s3://bucket/a/"), ("file:///a//b", "file:///a/b"), ("az://c", "abfs://c")]
        {
            assert_eq!(at(one, other), Err("LEDGER_URL and ARF_URL are the same place".to_owned()), "{one}");
        }
    }
}
