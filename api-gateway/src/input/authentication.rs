//! `authentication` in bodies about source connections: a union of four forms, told apart by their keys.
//!
//! No other keys are taken, but for `type`, which the command-line client sends. Absent or empty is the browser form.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::Map;
use shared_database::connections::Credentials;
use shared_service::clock;

use super::Fields;

/// How a connection is to be authenticated.
#[derive(Debug, Clone)]
pub enum GivenAuthentication {
    /// Credentials given to us.
    Direct(Credentials),
    /// A token given to us.
    Token(SecretString),
    /// Something that no source of this version supports.
    Other,
    /// Nothing.
    None,
}

const DIRECT: &[&str] = &["type", "credentials"];
const TOKEN: &[&str] = &["type", "access_token", "refresh_token", "expires_at"];
const PROVIDER: &[&str] = &["type", "provider_readable_id", "provider_config"];
const BROWSER: &[&str] = &["type", "redirect_uri", "client_id", "client_secret", "consumer_key", "consumer_secret"];
const ANY: std::ops::RangeInclusive<usize> = 0..=1024;

/// Reads `authentication` of a body; what is wrong with it is added to what is wrong with the body.
pub(super) fn authentication(fields: &mut Fields<'_>) -> GivenAuthentication {
    let Some(given) = fields.object("authentication") else { return GivenAuthentication::None };
    let mut inner = fields.nested("authentication", given);
    let is_empty = given.keys().all(|key| key == "type");
    let mut found = if is_empty { GivenAuthentication::None } else { GivenAuthentication::Other };
    if inner.has("credentials") {
        found = direct(&mut inner);
    } else if inner.has("access_token") {
        found = token(&mut inner);
    } else if inner.has("provider_readable_id") {
        provider(&mut inner);
    } else {
        browser(&mut inner);
    }
    fields.absorb(inner);
    found
}

fn direct(inner: &mut Fields<'_>) -> GivenAuthentication {
    inner.only(DIRECT);
    if inner.value("credentials").is_none() {
        inner.refuse("credentials", "Input should be a valid dictionary", "dict_type");
    }
    let credentials = inner.object("credentials").cloned();
    if credentials.as_ref().is_some_and(Map::is_empty) {
        inner.refuse("credentials", "Value error, Credentials cannot be empty", "value_error");
    }
    GivenAuthentication::Direct(Credentials(credentials.unwrap_or_default()))
}

/// Nothing here renews a token: what `refresh_token` and `expires_at` hold is checked and not kept.
fn token(inner: &mut Fields<'_>) -> GivenAuthentication {
    inner.only(TOKEN);
    let is_given = inner.value("access_token").is_some();
    let token = inner.text("access_token", ANY);
    if !is_given || token.as_ref().is_some_and(|token| token.trim().is_empty()) {
        inner.refuse("access_token", "Value error, Access token cannot be empty", "value_error");
    }
    inner.text("refresh_token", ANY);
    if let Some(text) = inner.text("expires_at", ANY) {
        match text.parse::<DateTime<Utc>>() {
            Ok(expiry) if expiry <= clock::utc_now() => {
                inner.refuse("expires_at", "Value error, The token has expired", "value_error");
            }
            Ok(_) => {}
            Err(_) => {
                inner.refuse("expires_at", "Input should be a valid datetime with a time zone", "datetime_parsing");
            }
        }
    }
    GivenAuthentication::Token(SecretString::from(token.unwrap_or_default()))
}

fn provider(inner: &mut Fields<'_>) {
    inner.only(PROVIDER);
    inner.required_text("provider_readable_id", ANY);
    inner.object("provider_config");
}

fn browser(inner: &mut Fields<'_>) {
    inner.only(BROWSER);
    inner.text("redirect_uri", ANY);
    let mut is_given = |name: &str| inner.text(name, ANY).is_some_and(|text| !text.is_empty());
    let oauth2 = [is_given("client_id"), is_given("client_secret")];
    let oauth1 = [is_given("consumer_key"), is_given("consumer_secret")];
    for (pair, names) in [(oauth2, "client_id and client_secret"), (oauth1, "consumer_key and consumer_secret")] {
        if pair == [true, false] || pair == [false, true] {
            inner.refuse("", format!("Value error, {names} must be given together"), "value_error");
        }
    }
    if oauth2.contains(&true) && oauth1.contains(&true) {
        inner.refuse("", "Value error, client_… and consumer_… cannot be combined", "value_error");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(given: Value) -> Result<GivenAuthentication, String> {
        let body = json!({"authentication": given});
        let mut fields = Fields::of_body(body.as_object().unwrap());
        let found = authentication(&mut fields);
        fields.finish().map(|()| found).map_err(|problem| problem.to_string())
    }

    #[test]
    fn each_form_is_told_by_its_keys() {
        let direct = read(json!({"credentials": {"k": "v"}, "type": "direct"})).unwrap();
        assert!(matches!(direct, GivenAuthentication::Direct(_)));
        let token = json!({"access_token": "t", "refresh_token": null, "expires_at": "2999-01-01T00:00:00Z"});
        assert!(matches!(read(token).unwrap(), GivenAuthentication::Token(_)));
        for other in [
            json!({"type": "oauth_browser", "redirect_uri": "https://example.com"}),
            json!({"client_id": "a", "client_secret": "b"}),
            json!({"consumer_key": "a", "consumer_secret": "b", "client_id": null}),
            json!({"provider_readable_id": "p", "provider_config": {"a": 1}}),
        ] {
            assert!(matches!(read(other).unwrap(), GivenAuthentication::Other));
        }
        for none in [Value::Null, json!({}), json!({"type": "direct"})] {
            assert!(matches!(read(none).unwrap(), GivenAuthentication::None));
        }
    }

    #[test]
    fn what_is_wrong_is_named_where_it_is() {
        let here = "body.authentication";
        for (given, fault) in [
            (json!({"credentials": {}}), ".credentials: Value error, Credentials cannot be empty"),
            (json!({"credentials": null}), ".credentials: Input should be a valid dictionary"),
            (json!({"credentials": {"k": "v"}, "colour": 1}), ".colour: Extra inputs are not permitted"),
            (json!({"credentials": {"k": "v"}, "access_token": "t"}), ".access_token: Extra inputs are not permitted"),
            (json!({"access_token": " "}), ".access_token: Value error, Access token cannot be empty"),
            (json!({"access_token": null}), ".access_token: Value error, Access token cannot be empty"),
            (json!({"access_token": 7}), ".access_token: Input should be a valid string"),
            (
                json!({"access_token": "t", "expires_at": "2020-01-01T00:00:00Z"}),
                ".expires_at: Value error, The token has expired",
            ),
            (
                json!({"access_token": "t", "expires_at": "soon"}),
                ".expires_at: Input should be a valid datetime with a time zone",
            ),
            (json!({"provider_readable_id": null}), ".provider_readable_id: Input should be a valid string"),
            (
                json!({"provider_readable_id": "p", "provider_config": 1}),
                ".provider_config: Input should be a valid dictionary",
            ),
            (json!({"client_id": "a"}), ": Value error, client_id and client_secret must be given together"),
            (json!({"consumer_secret": "a"}), ": Value error, consumer_key and consumer_secret must be given together"),
            (json!({"redirect_url": "x"}), ".redirect_url: Extra inputs are not permitted"),
        ] {
            assert_eq!(read(given.clone()).unwrap_err(), format!("{here}{fault}"), "{given}");
        }
        assert_eq!(read(json!("direct")).unwrap_err(), format!("{here}: Input should be a valid dictionary"));
        let both = json!({"client_id": "a", "client_secret": "b", "consumer_key": "c", "consumer_secret": "d"});
        assert!(read(both).unwrap_err().contains("cannot be combined"));
    }
}
