//! A source's own validation of what the catalogue has accepted, as far as it needs no look at the source.
//!
//! It says why a connection must not be created, or get these credentials; whatever only the source can know shows as a
//! failed job.

use serde_json::Value;

use super::exception_stub::ExceptionStub;
use super::{EXCEPTION_STUB, POSTGRESQL, SourceDefinition, ValidatedFields};

/// Why a connection with this config must not be created, if there is a reason.
#[must_use]
pub fn config_rejection(source: &SourceDefinition, config: &ValidatedFields) -> Option<String> {
    if source.short_name == EXCEPTION_STUB.short_name { ExceptionStub::rejection(config) } else { None }
}

/// Why a connection must not have these credentials, if there is a reason. Never quotes a secret.
#[must_use]
pub fn credentials_rejection(source: &SourceDefinition, credentials: &ValidatedFields) -> Option<String> {
    if source.short_name == POSTGRESQL.short_name { postgresql(credentials) } else { None }
}

fn postgresql(credentials: &ValidatedFields) -> Option<String> {
    let text = |name: &str| credentials.get(name).and_then(Value::as_str);
    let host = text("host").unwrap_or_default();
    // A path would be a socket of the worker's own machine.
    if host.contains('/') || host.starts_with('@') || host.contains(char::is_whitespace) {
        return Some("Validation failed for postgresql: host must be a host name or an address".to_owned());
    }
    let root = text("sslrootcert")?;
    if text("sslmode") == Some("disable") {
        return Some("Validation failed for postgresql: sslrootcert needs sslmode 'require'".to_owned());
    }
    let is_pem = root.contains("-----BEGIN CERTIFICATE-----") && root.contains("-----END CERTIFICATE-----");
    (!is_pem).then(|| "Validation failed for postgresql: sslrootcert is not a certificate as PEM text".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{STUB, validate};
    use super::*;

    fn of(changes: Value) -> Option<String> {
        let mut given = json!({"host": "db.example.com", "database": "d", "user": "u", "password": "hunter2"});
        given.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        credentials_rejection(&POSTGRESQL, &validate(POSTGRESQL.auth_fields, given.as_object().unwrap()).unwrap())
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
        let stub = json!({"host": "/x"}).as_object().unwrap().clone();
        assert_eq!(credentials_rejection(&STUB, &stub), None);
    }
}
