//! What is to be done about orphans that nobody deleted. Pure.

use shared_database::orphans::OrphanCounts;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// None is ripe.
    Nothing,
    /// Some are, and purging them isn't switched on.
    Tell,
    /// Purging them would be odd.
    Refuse(Objection),
    /// Purge those that are ripe.
    Purge,
}

/// Why a person must look first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// An empty database beside full stores is rather a lost one.
    #[error("PostgreSQL has no sync at all")]
    NoLiveSync,
    /// So many at once are rather somebody else's, or of lost history.
    #[error("more than a tenth of all syncs would go")]
    TooMany,
}

/// Decides about orphans that are ripe: found by two sweeps, a minimum time apart.
#[must_use]
pub const fn verdict(counts: OrphanCounts, purges: bool) -> Verdict {
    if counts.ripe == 0 {
        return Verdict::Nothing;
    }
    if !purges {
        return Verdict::Tell;
    }
    match objection(counts) {
        Some(objection) => Verdict::Refuse(objection),
        None => Verdict::Purge,
    }
}

/// What speaks against purging those that are ripe.
#[must_use]
pub const fn objection(counts: OrphanCounts) -> Option<Objection> {
    let all = counts.live_syncs.saturating_add(counts.orphans);
    if counts.live_syncs == 0 {
        Some(Objection::NoLiveSync)
    } else if counts.ripe > all / 10 {
        Some(Objection::TooMany)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_few_orphans_beside_many_syncs_are_purged_and_only_if_that_is_switched_on() {
        let of = |orphans, ripe, live_syncs| OrphanCounts { orphans, ripe, live_syncs };
        for (counts, purges, expected) in [
            (of(0, 0, 0), true, Verdict::Nothing),
            (of(5, 0, 100), true, Verdict::Nothing),
            (of(5, 1, 100), false, Verdict::Tell),
            (of(5, 1, 100), true, Verdict::Purge),
            (of(10, 10, 90), true, Verdict::Purge),
            (of(11, 11, 90), true, Verdict::Refuse(Objection::TooMany)),
            (of(1, 1, 1), true, Verdict::Refuse(Objection::TooMany)),
            (of(1, 1, 8), true, Verdict::Refuse(Objection::TooMany)),
            (of(1, 1, 9), true, Verdict::Purge),
            (of(1, 1, 0), true, Verdict::Refuse(Objection::NoLiveSync)),
            (of(u64::MAX, u64::MAX, 1), true, Verdict::Refuse(Objection::TooMany)),
        ] {
            assert_eq!(verdict(counts, purges), expected, "{counts:?}");
        }
    }
}
