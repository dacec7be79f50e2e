//! Which request a rule's fault happens to. Each rule counts the requests that it is about by itself, so that the same
//! requests in the same order always meet the same faults.

use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;

use super::{Ending, Fault, Rule};
use crate::counters::Kind;

/// The rules of a server.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<Shown>>);

/// A rule, and what has become of it so far.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shown {
    /// The rule.
    #[serde(flatten)]
    pub rule: Rule,
    /// Requests that it is about.
    pub matched: u64,
    /// Those to which the fault happened.
    pub fired: u64,
}

/// What happens to one request.
#[derive(Debug, Default)]
pub struct Drawn {
    /// It waits first.
    pub latency: Duration,
    /// Its connection ends with it.
    pub go_away: Option<Ending>,
    /// It fails in this way: that of the first rule which says so.
    pub failure: Option<Fault>,
}

impl Faults {
    /// Adds rules, all or none; says what is wrong with one.
    pub fn add(&self, rules: Vec<Rule>) -> Result<(), String> {
        for (number, rule) in rules.iter().enumerate() {
            rule.check().map_err(|why| format!("rule {number}: {why}"))?;
        }
        self.0.lock().extend(rules.into_iter().map(|rule| Shown { rule, matched: 0, fired: 0 }));
        Ok(())
    }

    /// Ends all rules.
    pub fn clear(&self) {
        self.0.lock().clear();
    }

    /// The rules, in the order in which they were added.
    pub fn shown(&self) -> Vec<Shown> {
        self.0.lock().clone()
    }

    /// What happens to the next request of a kind.
    pub fn draw(&self, kind: Kind) -> Drawn {
        let mut drawn = Drawn::default();
        for shown in self.0.lock().iter_mut().filter(|shown| shown.rule.on.contains(&kind)) {
            let is_due = shown.rule.is_due(shown.matched, shown.fired);
            shown.matched += 1;
            match &shown.rule.fault {
                _ if !is_due => continue,
                Fault::Latency { millis } => drawn.latency += Duration::from_millis(*millis),
                Fault::GoAway(ending) => drawn.go_away = drawn.go_away.max(Some(*ending)),
                _ if drawn.failure.is_some() => continue,
                failure => drawn.failure = Some(failure.clone()),
            }
            shown.fired += 1;
        }
        drawn
    }
}

impl Rule {
    /// Whether the fault happens to the request of this number, counted from 0.
    fn is_due(&self, number: u64, fired: u64) -> bool {
        let Some(number) = number.checked_sub(self.after) else { return false };
        if self.times.is_some_and(|times| fired >= times) {
            return false;
        }
        match (self.every, self.probability) {
            (Some(every), _) => (number + 1) % every == 0,
            (None, Some(probability)) => chance(self.seed.unwrap_or_default(), number) < probability,
            (None, None) => true,
        }
    }
}

/// From 0 to 1, the same each time: SplitMix64 of seed and number.
fn chance(seed: u64, number: u64) -> f64 {
    let mut mixed = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    for (shift, factor) in [(30, 0xbf58_476d_1ce4_e5b9), (27, 0x94d0_49bb_1331_11eb), (31, 1)] {
        mixed = (mixed ^ mixed >> shift).wrapping_mul(factor);
    }
    let upper = u32::try_from(mixed >> 32).unwrap_or(u32::MAX);
    f64::from(upper) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Which of the next requests meet the fault.
    fn fires(rule: Value, requests: usize) -> Vec<usize> {
        let faults = Faults::default();
        faults.add(vec![serde_json::from_value(rule).unwrap()]).unwrap();
        (0..requests).filter(|_| faults.draw(Kind::Query).failure.is_some()).collect()
    }

    #[test]
    fn a_schedule_says_to_which_requests() {
        let rule = |schedule: Value| {
            let mut rule = json!({"on": ["query"], "fault": "overload"});
            rule.as_object_mut().unwrap().extend(schedule.as_object().unwrap().clone());
            rule
        };
        assert_eq!(fires(rule(json!({})), 3), [0, 1, 2]);
        assert_eq!(fires(rule(json!({"times": 2})), 9), [0, 1]);
        assert_eq!(fires(rule(json!({"after": 2, "times": 1})), 9), [2]);
        assert_eq!(fires(rule(json!({"every": 3})), 9), [2, 5, 8]);
        assert_eq!(fires(rule(json!({"every": 3, "after": 1, "times": 2})), 99), [3, 6]);
        let by_chance = fires(rule(json!({"probability": 0.25, "seed": 7})), 4000);
        assert!((900..1100).contains(&by_chance.len()), "{}", by_chance.len());
        assert_eq!(by_chance, fires(rule(json!({"probability": 0.25, "seed": 7})), 4000));
        assert_ne!(by_chance, fires(rule(json!({"probability": 0.25, "seed": 8})), 4000));
    }

    #[test]
    fn several_rules_go_together_and_one_failure_is_enough() {
        let faults = Faults::default();
        let rules = json!([
            {"on": ["query", "put"], "fault": {"latency": {"millis": 5}}},
            {"on": ["query"], "fault": {"latency": {"millis": 7}}, "every": 2},
            {"on": ["query"], "fault": "timeout", "every": 2},
            {"on": ["query"], "fault": "overload"},
            {"on": ["query"], "fault": {"go_away": "graceful"}, "times": 1},
        ]);
        faults.add(serde_json::from_value(rules).unwrap()).unwrap();
        let first = faults.draw(Kind::Query);
        assert_eq!(
            (first.latency.as_millis(), first.failure, first.go_away),
            (5, Some(Fault::Overload), Some(Ending::Graceful))
        );
        let second = faults.draw(Kind::Query);
        assert_eq!((second.latency.as_millis(), second.failure, second.go_away), (12, Some(Fault::Timeout), None));
        assert_eq!(faults.draw(Kind::Put).failure, None);
        let counts: Vec<_> = faults.shown().iter().map(|shown| (shown.matched, shown.fired)).collect();
        assert_eq!(counts, [(3, 3), (2, 1), (2, 1), (2, 1), (2, 1)]);
        faults.clear();
        assert_eq!(faults.draw(Kind::Query).failure, None);
    }
}
