//! Verification: a trustworthy zero count in Vespa, an empty listing in ARF.
//!
//! Keeps DEL-7: only a complete answer becomes an observation; everything else is an error of the attempt. The time of
//! a verification is PostgreSQL's, taken before the store was asked,
//! so that whatever was written later isn't covered by it.

use chrono::{DateTime, Utc};
use shared_models::{PurgeTarget, SyncId};

use crate::machine::Observed;
use crate::targets::{Holding, StoreError, Stores};

/// Looks at a target. `asked_at` is PostgreSQL's time from before the call.
///
/// # Errors
/// [`StoreError`]: nothing is known then.
pub async fn look(
    stores: &Stores,
    target: PurgeTarget,
    sync: SyncId,
    asked_at: DateTime<Utc>,
) -> Result<Observed, StoreError> {
    Ok(match stores.look(target, sync).await? {
        Holding::Nothing => Observed::Empty(target, asked_at),
        Holding::Some(by_type) => Observed::Holds(target, by_type),
    })
}
