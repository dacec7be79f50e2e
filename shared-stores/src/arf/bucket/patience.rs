//! How long a store that refuses for the moment is asked again.

use std::time::Duration;

/// A listing or removal that the store refuses for the moment (429, 503, other 5xx, no connection) is repeated so
/// often, with growing pauses, before it has failed: some three seconds in all.
pub(super) const RETRIES: usize = 4;
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(100);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// No repetition begins later than this.
pub(super) const RETRY_FOR: Duration = Duration::from_secs(5);
