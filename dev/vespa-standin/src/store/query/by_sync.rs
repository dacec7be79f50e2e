//! The filter is the sync id and nothing else: the index answers alone, whatever the syncs hold.

use std::collections::HashMap;

use rusqlite::Connection;

use super::{Hit, Request, Response, fill, read_bytes, sorted};
use crate::schema::{DocType, SYNC_ID};
use crate::store::StoreError;

/// Whether the index knows all that is asked for; the syncs are a JSON array.
pub(super) fn answers(connection: &Connection, request: &Request, syncs: &str) -> Result<bool, StoreError> {
    if !request.order.is_empty() {
        return Ok(false);
    }
    match request.group_by {
        None => Ok(true),
        // It holds the ids uncased: groups need them as they are written.
        Some(field) if field.name == SYNC_ID => {
            let mut cased = connection.prepare_cached(
                "SELECT 1 FROM document WHERE sync_key <> airweave_system_metadata_sync_id
                 AND sync_key IN (SELECT value FROM json_each(?)) LIMIT 1",
            )?;
            Ok(!cased.exists([syncs])?)
        }
        Some(_) => Ok(false),
    }
}

pub(super) fn answer(connection: &Connection, request: &Request, syncs: &str) -> Result<Response, StoreError> {
    let mut response = Response::default();
    let mut groups: HashMap<String, u64> = HashMap::new();
    let mut statement = connection.prepare_cached(
        "SELECT sync_key, type, count(*) FROM document
         WHERE sync_key IN (SELECT value FROM json_each(?)) GROUP BY sync_key, type",
    )?;
    let mut rows = statement.query([syncs])?;
    while let Some(row) = rows.next()? {
        let (sync, code, count): (String, u8, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let count = count.unsigned_abs();
        if request.types.iter().any(|doc_type| doc_type.code() == code) {
            response.total += count;
            response.examined.documents += count;
            response.examined.bytes += count * u64::try_from(sync.len()).unwrap_or(0);
            *groups.entry(sync).or_default() += count;
        }
    }
    if request.group_by.is_some() {
        response.groups = sorted(groups);
    }
    if request.limit > 0 {
        page(connection, request, syncs, &mut response)?;
    }
    fill(connection, request, &mut response)?;
    Ok(response)
}

fn page(connection: &Connection, request: &Request, syncs: &str, response: &mut Response) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, type, serial FROM document
         WHERE sync_key IN (SELECT value FROM json_each(?1))
         AND type IN (SELECT value FROM json_each(?2)) LIMIT ?3 OFFSET ?4",
    )?;
    let codes: Vec<u8> = request.types.iter().map(|doc_type| doc_type.code()).collect();
    let codes = serde_json::Value::from(codes).to_string();
    let limit = i64::try_from(request.limit).unwrap_or(i64::MAX);
    let offset = i64::try_from(request.offset).unwrap_or(i64::MAX);
    let mut rows = statement.query((syncs, codes, limit, offset))?;
    while let Some(row) = rows.next()? {
        response.examined.bytes += read_bytes(row, 1);
        let Some(doc_type) = DocType::from_code(row.get(1)?) else { continue };
        let (id, serial) = (row.get(0)?, row.get(2)?);
        response.hits.push(Hit { id, doc_type, relevance: 0.0, body: None, serial, keys: vec![] });
    }
    Ok(())
}
