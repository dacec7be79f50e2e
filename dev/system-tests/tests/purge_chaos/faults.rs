//! What goes wrong in a wave: one kind of fault alone, or several.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared_models::Invariant;
use test_support::{Expectations, Fault};

use super::SETTLE;
use super::dice::Dice;

/// The plan of a wave.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    names: Vec<&'static str>,
    rules: Vec<Value>,
    pub kills: bool,
    pub freezes: bool,
    lies: bool,
}

/// Every kind. Those that no request of a purge can meet are there to show that it makes no such requests.
const KINDS: [&str; 20] = [
    "overload",
    "unavailable",
    "timeout",
    "error",
    "latency",
    "late removes",
    "late puts",
    "no space",
    "partial: timeout",
    "partial: adaptive timeout",
    "partial: match phase",
    "partial: non-ideal state",
    "partial: error",
    "missing type",
    "go away: graceful",
    "go away: abrupt",
    "walks",
    "lie",
    "kills",
    "freezes",
];
/// In a mixed wave.
const AT_ONCE: u64 = 6;

impl Plan {
    /// Each alone, if there are waves enough, and then several at once. A few waves are mixed, all of them.
    pub fn of_waves(waves: usize, dice: &mut Dice) -> Vec<Self> {
        let alone = KINDS.iter().map(|kind| Self::of(&[kind], dice)).collect::<Vec<_>>();
        let alone = if waves > alone.len() { alone } else { Vec::new() };
        let mut plans = alone;
        while plans.len() < waves {
            let mut kinds: Vec<&'static str> = (0..AT_ONCE).map(|_| dice.one_of(&KINDS)).collect();
            kinds.push("kills");
            kinds.sort_unstable();
            kinds.dedup();
            plans.push(Self::of(&kinds, dice));
        }
        plans
    }

    fn of(kinds: &[&'static str], dice: &mut Dice) -> Self {
        let mut plan = Self { names: kinds.to_vec(), ..Self::default() };
        // Several at once may be rarer each, so that something still works.
        let part = if kinds.len() > 1 { 0.05 } else { 0.2 };
        for kind in kinds {
            plan.add(kind, part, dice);
        }
        plan
    }

    fn add(&mut self, kind: &str, part: f64, dice: &mut Dice) {
        let both = ["query", "remove"].as_slice();
        let partial = |looks: &str, hides: f64| json!({"partial": {"hides": hides, "looks": looks}});
        // Less than half a percent isn't told by Vespa.
        let hides = 0.02 + 0.98 * dice.part();
        let (on, fault, part) = match kind {
            "overload" | "unavailable" | "timeout" | "error" => (both, json!(kind), part),
            "latency" => (both, json!({"latency": {"millis": 20 + dice.below(150)}}), part),
            "late removes" => (["remove"].as_slice(), json!({"late_write": {"millis": 300}}), part),
            "late puts" => (["put"].as_slice(), json!({"late_write": {"millis": 200}}), 0.5),
            "no space" => (["put"].as_slice(), json!("no_space"), 0.5),
            "partial: timeout" => (["query"].as_slice(), partial("timeout", hides), 2.0 * part),
            "partial: adaptive timeout" => (["query"].as_slice(), partial("adaptive_timeout", hides), 2.0 * part),
            "partial: match phase" => (["query"].as_slice(), partial("match_phase", hides), 2.0 * part),
            "partial: non-ideal state" => (["query"].as_slice(), partial("non_ideal_state", hides), 2.0 * part),
            "partial: error" => (["query"].as_slice(), partial("error", hides), 2.0 * part),
            "missing type" => (["query"].as_slice(), json!("missing_type"), 2.0 * part),
            "go away: graceful" => (both, json!({"go_away": "graceful"}), 0.02),
            "go away: abrupt" => (both, json!({"go_away": "abrupt"}), 0.005),
            "walks" => {
                self.rule(&["bulk_delete"], json!({"leftover": {"documents": 3}}), 0.3, dice);
                self.rule(&["bulk_delete"], json!("unchanged_token"), 0.3, dice);
                (["visit", "bulk_delete"].as_slice(), json!({"broken_walk": {"buckets": 100}}), 0.3)
            }
            "lie" => return self.lies = true,
            "kills" => return self.kills = true,
            "freezes" => return self.freezes = true,
            other => unreachable!("{other}"),
        };
        self.rule(on, fault, part, dice);
    }

    fn rule(&mut self, on: &[&str], fault: Value, probability: f64, dice: &mut Dice) {
        let seed = dice.below(1_000_000);
        self.rules.push(json!({"on": on, "fault": fault, "probability": probability, "seed": seed}));
    }

    pub async fn begin(&self, vespa_url: &str) {
        add(vespa_url, &self.rules).await;
    }

    /// Ends all faults. Returns how often each happened.
    pub async fn end(&self, vespa_url: &str) -> BTreeMap<String, u64> {
        end_all(vespa_url).await.1
    }

    /// What it is made of.
    pub fn name(&self) -> String {
        self.names.join(", ")
    }

    /// The lie of this wave, if it has one: at most one a wave, and over before a settle delay is. Nobody could see
    /// through a longer one.
    pub fn lie(&self) -> Option<Lie> {
        self.lies.then_some(Lie)
    }
}

/// Answers that leave documents out and look complete, down to a zero, for a while.
pub struct Lie;

impl Lie {
    /// Tells it, and takes it back. Returns how often faults have happened until then.
    pub async fn tell(self, vespa_url: &str) -> BTreeMap<String, u64> {
        let fault = json!({"partial": {"hides": 1, "looks": "unnoticed"}});
        add(vespa_url, &[json!({"on": ["query"], "fault": fault})]).await;
        tokio::time::sleep(SETTLE / 3).await;
        // Rules can only be ended together.
        let (mut rules, fired) = end_all(vespa_url).await;
        rules.pop();
        add(vespa_url, &rules.into_iter().map(without_counts).collect::<Vec<_>>()).await;
        fired
    }
}

/// Ends all rules. Returns them, and how often each kind of fault has happened.
async fn end_all(vespa_url: &str) -> (Vec<Value>, BTreeMap<String, u64>) {
    let faults = format!("{vespa_url}/standin/v1/faults");
    let rules: Vec<Value> = reqwest::get(&faults).await.unwrap().json().await.unwrap();
    reqwest::Client::new().delete(&faults).send().await.unwrap().error_for_status().unwrap();
    let mut fired = BTreeMap::new();
    for rule in &rules {
        *fired.entry(named(rule)).or_default() += rule["fired"].as_u64().unwrap();
    }
    (rules, fired)
}

fn named(rule: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    match rule["fault"].as_object().and_then(|fault| fault.iter().next()) {
        Some((name, told)) if name == "partial" => format!("partial: {}", text(&told["looks"])),
        Some((name, told)) if name == "go_away" => format!("go_away: {}", text(told)),
        Some((name, _)) if name == "late_write" => format!("late_write on {}", text(&rule["on"][0])),
        Some((name, _)) => name.clone(),
        None => text(&rule["fault"]),
    }
}

fn without_counts(mut rule: Value) -> Value {
    let fields = rule.as_object_mut().unwrap();
    fields.remove("matched");
    fields.remove("fired");
    rule
}

async fn add(vespa_url: &str, rules: &[Value]) {
    let post = reqwest::Client::new().post(format!("{vespa_url}/standin/v1/faults")).json(rules);
    let answer = post.send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

/// What workers say of all this.
pub fn expect(expects: &Expectations) {
    expects.fault(Fault::VespaAway);
    expects.fault(Fault::ProcessLost);
    // A count that lies makes a purge that finds nothing look stuck, until the next look.
    expects.violation(Invariant::Complete);
}
