//! Which cleanups a request asks for, and where its list goes on.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use shared_database::cleanup_view::{CleanupFilter, CleanupPlace, CleanupRow};
use shared_models::{CleanupState, CleanupStatus};

use crate::input::{Page, Query, is_in_the_calendar};
use crate::problem::Problem;

const CURSOR: &str = "cursor";
const KNOWN: [&str; 11] = [
    "status",
    "state",
    "is_overdue",
    "source_connection_id",
    "collection_id",
    "deletion_reference",
    "since",
    "until",
    "skip",
    "limit",
    CURSOR,
];

/// What is asked for.
pub(super) struct Asked {
    pub(super) filter: CleanupFilter,
    pub(super) page: Page,
}

/// Reads the parameters of the list.
///
/// # Errors
/// 422 with everything that is wrong.
pub(super) fn asked(query: &mut Query) -> Result<Asked, Problem> {
    query.only(&KNOWN);
    let after = query.text(CURSOR).map(read_cursor);
    if after == Some(None) {
        query.refuse(CURSOR, "Input should be the cursor of a Link header", "value_error");
    }
    let filter = CleanupFilter {
        reference: query.deletion_reference(),
        collection: query.id("collection_id"),
        connection: query.id("source_connection_id"),
        state: query.one_of("state", CleanupState::NAMES),
        status: query.one_of("status", CleanupStatus::NAMES),
        is_overdue: query.boolean("is_overdue"),
        since: query.time("since"),
        until: query.time("until"),
        after: after.flatten(),
    };
    Ok(Asked { filter, page: query.page()? })
}

/// The `Link` of the next page, if `rows`, of which one more than `limit` was asked for, go on; that one is taken off.
pub(super) fn next(query: &str, rows: &mut Vec<CleanupRow>, limit: i64) -> Option<String> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if rows.len() <= limit {
        return None;
    }
    rows.truncate(limit);
    let last = rows.last()?;
    let cursor = cursor(CleanupPlace { created_at: last.created_at, id: last.id });
    // Every other parameter holds for the next page as well, but what it leaves out.
    let kept = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != CURSOR && name != "skip");
    let query =
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).append_pair(CURSOR, &cursor).finish();
    Some(format!("</cleanups?{query}>; rel=\"next\""))
}

fn cursor(place: CleanupPlace) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}/{}", place.created_at.timestamp_micros(), place.id))
}

fn read_cursor(text: &str) -> Option<CleanupPlace> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    let (micros, id) = text.split_once('/')?;
    let created_at = DateTime::from_timestamp_micros(micros.parse().ok()?).filter(is_in_the_calendar)?;
    Some(CleanupPlace { created_at, id: id.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use shared_models::CleanupId;

    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let place =
            CleanupPlace { created_at: "2026-11-29T12:00:00.123456Z".parse().unwrap(), id: CleanupId::random() };
        assert_eq!(read_cursor(&cursor(place)), Some(place));
        let beyond = URL_SAFE_NO_PAD.encode(format!("-1000000000000000000/{}", place.id));
        assert_eq!(read_cursor(&beyond), None);
        for text in
            ["", "x", "AAAA", &URL_SAFE_NO_PAD.encode("1/2"), &URL_SAFE_NO_PAD.encode(format!("{}/x", i64::MAX))]
        {
            assert_eq!(read_cursor(text), None, "{text}");
        }
    }
}
