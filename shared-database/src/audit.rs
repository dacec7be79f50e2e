//! Audit entries: who changed keys, organizations, plans, pauses, or had something purged. Each is written into the
//! ledger by the statement that makes the change, so that neither is there without the other (DEL-11).

use serde_json::Value;
use shared_models::ledger::Actor;

use crate::error::{DatabaseError, Result};

/// A collection was deleted, after its connections.
pub const COLLECTION_DELETED: &str = "collection.deleted";
/// An API key was deleted.
pub const API_KEY_DELETED: &str = "api_key.deleted";

/// The part of a `WITH` that writes an audit entry for each row of the part `changed`, which has the columns
/// `organization_id` and `object_id`; the actor is the parameter `actor`.
pub(crate) fn audited(changed: &str, action: &str, actor: &str) -> String {
    format!(
        "audited AS (
             INSERT INTO ledger_entry (organization_id, entry)
             SELECT organization_id, ledger_audit({actor}, organization_id, '{action}', object_id) FROM {changed})"
    )
}

/// An actor as a parameter.
pub(crate) fn actor(who: Actor) -> Result<Value> {
    serde_json::to_value(who).map_err(|error| DatabaseError::Corrupt(format!("an actor: {error}")))
}
