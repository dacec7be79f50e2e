//! What of a config and of credentials `postgresql` accepts beyond their fields' own bounds.

use serde::Deserialize;

/// What the owner may set.
#[derive(Debug, Deserialize)]
pub(crate) struct Config {
    pub(super) schema: String,
    pub(super) tables: Vec<String>,
}

/// Where the database is and who reads it. No `Debug`: it holds a password.
#[derive(Deserialize)]
pub(crate) struct Credentials {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) database: String,
    pub(super) user: String,
    pub(super) password: Option<String>,
    pub(super) sslmode: TlsMode,
    /// Missing in credentials that an older version stored.
    #[serde(default)]
    pub(super) sslrootcert: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum TlsMode {
    Disable,
    Require,
}

/// Why a connection must not have these credentials. Whatever only the server can know shows as a failed job.
pub(super) fn refuse_credentials(credentials: &Credentials) -> Option<String> {
    let Credentials { host, sslmode, sslrootcert, .. } = credentials;
    // A path would be a socket of the worker's own machine.
    if host.contains('/') || host.starts_with('@') || host.contains(char::is_whitespace) {
        return Some("Validation failed for postgresql: host must be a host name or an address".to_owned());
    }
    let root = sslrootcert.as_deref()?;
    match sslmode {
        TlsMode::Disable => Some("Validation failed for postgresql: sslrootcert needs sslmode 'require'".to_owned()),
        TlsMode::Require if is_pem(root) => None,
        TlsMode::Require => {
            Some("Validation failed for postgresql: sslrootcert is not a certificate as PEM text".to_owned())
        }
    }
}

fn is_pem(text: &str) -> bool {
    text.contains("-----BEGIN CERTIFICATE-----") && text.contains("-----END CERTIFICATE-----")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::refuse_credentials;
    use crate::Source;

    fn of(changes: Value) -> Option<String> {
        let mut given = json!({"host": "db.example.com", "database": "d", "user": "u", "password": "hunter2"});
        given.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let valid = Source::Postgresql.check_credentials(given.as_object().unwrap()).unwrap();
        refuse_credentials(&serde_json::from_value(Value::Object(valid)).unwrap())
    }

    #[test]
    fn credentials_that_cannot_work_are_told_before_a_job_fails() {
        let pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
        for fine in [json!({}), json!({"sslmode": "require"}), json!({"sslmode": "require", "sslrootcert": pem})] {
            assert_eq!(of(fine.clone()), None, "{fine}");
        }
        for (wrong, text) in [
            (json!({"host": "/var/run/postgresql"}), "host must be a host name or an address"),
            (json!({"host": "@abstract"}), "host must be a host name or an address"),
            (json!({"host": "a b"}), "host must be a host name or an address"),
            (json!({"sslrootcert": pem}), "sslrootcert needs sslmode 'require'"),
            (json!({"sslmode": "require", "sslrootcert": "x"}), "sslrootcert is not a certificate as PEM text"),
        ] {
            assert_eq!(of(wrong).unwrap(), format!("Validation failed for postgresql: {text}"));
        }
    }
}
