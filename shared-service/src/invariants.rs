//! Invariants in production: where a service knows facts that an invariant judges, it has them judged. What is broken
//! is counted and logged, and nothing else follows: the guard beside it doesn't look at the outcome.

use shared_models::{Facts, Invariant};

use crate::metrics::{Description, Kind};

const VIOLATIONS: &str = "unweave_invariant_violations_total";

/// What the metric means.
pub(crate) const FIGURES: &[Description] = &[(
    Kind::Counter,
    VIOLATIONS,
    "Invariants that this process saw broken, or that only a guard kept whole: look at once",
)];

/// Makes the counter visible for each invariant before the first violation.
pub(crate) fn start_at_zero() {
    for invariant in Invariant::ALL {
        metrics::counter!(VIOLATIONS, "invariant" => invariant.as_str()).increment(0);
    }
}

/// Counts and logs the violation, if the facts show one.
pub fn judge(facts: &impl Facts) {
    if let Err(violation) = facts.check() {
        let (invariant, broken) = (violation.invariant.as_str(), violation.broken);
        metrics::counter!(VIOLATIONS, "invariant" => invariant).increment(1);
        tracing::error!(invariant, broken, "an invariant is broken");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use shared_models::invariant::facts::Bounded;

    use super::*;
    use crate::metrics::for_tests;

    #[test]
    fn every_invariant_is_counted_from_zero_and_a_violation_once() {
        let metrics = for_tests();
        start_at_zero();
        let bound = Duration::from_secs(15);
        judge(&Bounded { waited: bound, bound });
        judge(&Bounded { waited: 2 * bound, bound });
        let text = metrics.render();
        for invariant in Invariant::ALL {
            let count = u32::from(*invariant == Invariant::Bounded);
            let line = format!("unweave_invariant_violations_total{{invariant=\"{invariant}\"}} {count}");
            assert!(text.contains(&line), "{line} isn't in {text}");
        }
    }
}
