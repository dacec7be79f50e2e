//! Bodies about collections.

use serde_json::Value;
use shared_database::collections::{CollectionChange, NewCollection};

use super::{Body, Fields};
use crate::problem::Problem;
use crate::readable_id;

const NAME: std::ops::RangeInclusive<usize> = 4..=64;
const READABLE_ID_CHARS: std::ops::RangeInclusive<usize> = 0..=255;

/// Longest `sync_config`, in bytes of JSON: it comes back in every list.
const MAX_SYNC_CONFIG: usize = 16 * 1024;

/// Reads a new collection; it gets a readable id if none is given.
///
/// # Errors
/// 422.
pub fn create_collection(body: &Body) -> Result<NewCollection, Problem> {
    let mut fields = Fields::of_body(body.object()?);
    let name = fields.required_text("name", NAME);
    let given = fields.text("readable_id", READABLE_ID_CHARS);
    if given.as_deref().is_some_and(|id| !readable_id::is_well_formed(id)) {
        let msg = format!("String should match pattern '{}'", readable_id::PATTERN);
        fields.refuse("readable_id", msg, "string_pattern_mismatch");
    }
    let sync_config = sync_config(&mut fields);
    fields.finish()?;
    let readable_id = given.unwrap_or_else(|| readable_id::generate(&name));
    Ok(NewCollection { name, readable_id, sync_config })
}

/// Reads what to change of a collection; nothing is allowed, as in the public contract.
///
/// # Errors
/// 422.
pub fn update_collection(body: &Body) -> Result<CollectionChange, Problem> {
    let mut fields = Fields::of_body(body.object()?);
    let name = fields.text("name", NAME);
    let sync_config = sync_config(&mut fields);
    let has_sync_config = fields.has("sync_config");
    fields.finish()?;
    Ok(CollectionChange { name, sync_config: has_sync_config.then_some(sync_config) })
}

fn sync_config(fields: &mut Fields<'_>) -> Option<Value> {
    let value = Value::Object(fields.object("sync_config")?.clone());
    if value.to_string().len() > MAX_SYNC_CONFIG {
        let msg = format!("Value error, sync_config can have at most {MAX_SYNC_CONFIG} bytes as JSON");
        fields.refuse("sync_config", msg, "value_error");
    }
    Some(value)
}
