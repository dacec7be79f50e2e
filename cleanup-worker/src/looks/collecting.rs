//! When to look: at once at what nobody has looked at yet; verifications wait a little for others to be made in the
//! same query.

use std::time::Duration;

use shared_database::cleanups::LooksDue;

/// So many make a query worth its while.
const ENOUGH: u64 = 250;

/// What to do about the looks that are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// Look.
    Now,
    /// Ask again after this time; `None` if nothing is known to come.
    Wait(Option<Duration>),
}

/// Decides. Verifications wait at most for `collecting`, and only while more are known to come.
pub(super) fn decide(due: LooksDue, collecting: Duration) -> Decision {
    if due.count == 0 {
        return Decision::Wait(due.next);
    }
    if due.has_new || due.count >= ENOUGH || !due.more_soon || due.oldest >= collecting {
        return Decision::Now;
    }
    Decision::Wait(Some(collecting.saturating_sub(due.oldest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verifications_wait_for_others_but_never_long_and_new_cleanups_never() {
        let second = Duration::from_secs(1);
        let collecting = 5 * second;
        let few = LooksDue { count: 3, oldest: 2 * second, more_soon: true, next: Some(second), ..LooksDue::default() };
        for (name, due, decision) in [
            ("nothing is known", LooksDue::default(), Decision::Wait(None)),
            ("the next is known", LooksDue { next: Some(second), ..LooksDue::default() }, Decision::Wait(Some(second))),
            ("more will come", few, Decision::Wait(Some(3 * second))),
            ("no more will come", LooksDue { more_soon: false, ..few }, Decision::Now),
            ("one is new", LooksDue { has_new: true, ..few }, Decision::Now),
            ("they are enough", LooksDue { count: 250, ..few }, Decision::Now),
            ("one has waited long enough", LooksDue { oldest: 5 * second, ..few }, Decision::Now),
        ] {
            assert_eq!(decide(due, collecting), decision, "{name}");
        }
    }
}
