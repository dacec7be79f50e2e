//! Continuation tokens in Vespa's format: opaque to clients, and ours must be as awkward as the real ones.
//!
//! URL-safe Base64 of big-endian numbers: distribution bits, cursor, finished buckets, all buckets, pending buckets.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::document_id::BUCKETS;

const DISTRIBUTION_BITS: i32 = 8;

/// The token of a walk that goes on at a bucket.
pub fn encode(cursor: u16) -> String {
    let mut bytes = DISTRIBUTION_BITS.to_be_bytes().to_vec();
    for number in [i64::from(cursor), i64::from(cursor), i64::from(BUCKETS)] {
        bytes.extend(number.to_be_bytes());
    }
    bytes.extend(0_i32.to_be_bytes());
    URL_SAFE.encode(bytes)
}

/// The bucket at which a walk goes on; an error has Vespa's text.
pub fn decode(token: &str) -> Result<u16, String> {
    let failed = |why: &str| format!("Failed parsing '{token}': {why}");
    let bytes =
        URL_SAFE.decode(token).or_else(|_| STANDARD.decode(token)).map_err(|_| failed("BufferUnderflowException"))?;
    let mut rest = bytes.as_slice();
    let mut take = |count: usize| -> Result<i64, String> {
        let (head, tail) = rest.split_at_checked(count).ok_or_else(|| failed("BufferUnderflowException"))?;
        rest = tail;
        Ok(head.iter().fold(0, |number, byte| number << 8 | i64::from(*byte)))
    };
    let (bits, cursor, _finished, total, pending) = (take(4)?, take(8)?, take(8)?, take(8)?, take(4)?);
    let known = bits == i64::from(DISTRIBUTION_BITS) && total == i64::from(BUCKETS) && pending == 0;
    match u16::try_from(cursor) {
        Ok(cursor) if known && cursor <= BUCKETS => Ok(cursor),
        _ => Err(failed("a token of another cluster")),
    }
}
