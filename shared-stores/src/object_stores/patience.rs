//! How long a store that refuses for the moment is asked again.

use std::time::Duration;

/// What the store refuses for the moment (429, 503, other 5xx, no connection) and may be asked again is repeated so
/// often, with growing pauses, before it has failed: some three seconds in all.
pub(crate) const RETRIES: usize = 4;
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(100);
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// No repetition begins later than this.
pub(crate) const RETRY_FOR: Duration = Duration::from_secs(5);
