//! The organization that every database begins with, so that a new installation can be called at once.

use secrecy::{ExposeSecret as _, SecretString};
use shared_database::{Database, DatabaseError};

use shared_models::api_key as keys;

/// Makes the first organization if there is none, with the key `given` or else one that is logged this once.
///
/// # Errors
/// Any database error.
pub async fn make(database: &Database, given: Option<&SecretString>) -> Result<(), DatabaseError> {
    let key: SecretString = given.cloned().unwrap_or_else(keys::generate);
    let made = database.create_first_organization("Default organization", keys::hash(key.expose_secret())).await?;
    match (made, given) {
        (None, _) => {}
        (Some(organization), Some(_)) => tracing::info!(%organization, "made the first organization"),
        (Some(organization), None) => tracing::warn!(
            %organization,
            api_key = key.expose_secret(),
            "made the first organization; this is its API key, shown only this once"
        ),
    }
    Ok(())
}
