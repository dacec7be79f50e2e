//! The sliding window, on PostgreSQL's clock and under its locks.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use secrecy::SecretString;
use shared_database::Database;
use shared_database::api_keys::NewApiKey;
use shared_database::rate_limits::{Decision, FoundKey, RateLimits};
use shared_models::api_key::KeyHash;
use shared_models::ledger::Actor;
use shared_models::{OrganizationId, Plan};

use crate::fixture::Fixture;

const KEY: KeyHash = KeyHash([1; 32]);
const MINUTE: TimeDelta = TimeDelta::seconds(60);

async fn with_key(plan: Plan) -> Fixture {
    let fixture = Fixture::new().await;
    assert!(fixture.database.set_plan(fixture.organization, plan).await.unwrap());
    let new = NewApiKey { hash: KEY, lifetime: Duration::from_secs(3600), name: None };
    fixture.database.create_api_key(fixture.organization, new, Actor::Operator).await.unwrap();
    fixture
}

async fn admit(database: &Database) -> FoundKey {
    database.admit(KEY, None, RateLimits::ByPlan).await.unwrap().unwrap()
}

async fn decide(database: &Database) -> Decision {
    admit(database).await.decision.unwrap()
}

/// Lets a time pass for the counted requests.
async fn pass(fixture: &Fixture, time: TimeDelta) {
    let micros = time.num_microseconds().unwrap();
    fixture
        .sql(&format!(
            "UPDATE rate_limit SET admitted_at =
                 ARRAY(SELECT t - interval '{micros} microseconds' FROM unnest(admitted_at) t ORDER BY t)"
        ))
        .await;
}

#[derive(Debug, Clone)]
enum Step {
    Ask,
    Pass(TimeDelta),
    Switch(Plan),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => Just(Step::Ask),
        3 => (1_i64..70_000).prop_map(|ms| Step::Pass(TimeDelta::milliseconds(ms))),
        1 => prop_oneof![Just(Plan::Developer), Just(Plan::Pro)].prop_map(Step::Switch),
    ];
    proptest::collection::vec(step, 1..150)
}

/// What an exact sliding window must answer.
#[derive(Default)]
struct Model {
    passed: TimeDelta,
    admitted: Vec<DateTime<Utc>>,
}

impl Model {
    fn check(&mut self, decision: Decision, plan: Plan) {
        let limit = plan.requests_per_minute().unwrap();
        let now = decision.decided_at + self.passed;
        let mut recent: Vec<_> = self.admitted.iter().copied().filter(|time| *time > now - MINUTE).collect();
        let room = recent.len() < usize::try_from(limit).unwrap();
        assert_eq!(decision.is_admitted, room, "{} in the last 60 s, of {limit}", recent.len());
        if room {
            self.admitted.push(now);
            recent.push(now);
        }
        assert_eq!((decision.limit, usize::try_from(decision.admitted).unwrap()), (limit, recent.len()));
        let frees = recent[recent.len().saturating_sub(usize::try_from(limit).unwrap())] + MINUTE;
        assert_eq!(decision.frees_at + self.passed, frees);
        assert!(decision.frees_at - decision.decided_at <= MINUTE);
    }
}

#[test]
fn it_decides_as_an_exact_sliding_window_does() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let fixture = runtime.block_on(with_key(Plan::Developer));
    let mut runner = TestRunner::new(Config { cases: 24, ..Config::default() });
    let checked = runner.run(&steps(), |steps| {
        runtime.block_on(async {
            fixture.sql("TRUNCATE rate_limit").await;
            fixture.database.set_plan(fixture.organization, Plan::Developer).await.unwrap();
            let (mut model, mut plan) = (Model::default(), Plan::Developer);
            for step in steps {
                match step {
                    Step::Ask => model.check(decide(&fixture.database).await, plan),
                    Step::Pass(time) => {
                        pass(&fixture, time).await;
                        model.passed += time;
                    }
                    Step::Switch(other) => {
                        plan = other;
                        fixture.database.set_plan(fixture.organization, plan).await.unwrap();
                    }
                }
            }
        });
        Ok(())
    });
    checked.unwrap();
}

#[tokio::test]
async fn a_refused_request_is_admitted_when_it_was_told_and_not_before() {
    let fixture = with_key(Plan::Developer).await;
    for _ in 0..10 {
        assert!(decide(&fixture.database).await.is_admitted);
        pass(&fixture, TimeDelta::seconds(2)).await;
    }
    // However often it asks: refusals don't count.
    for _ in 0..30 {
        assert!(!decide(&fixture.database).await.is_admitted);
    }
    let refused = decide(&fixture.database).await;
    let left = refused.frees_at - refused.decided_at;
    pass(&fixture, left - TimeDelta::seconds(2)).await;
    assert!(!decide(&fixture.database).await.is_admitted);
    pass(&fixture, TimeDelta::seconds(2)).await;
    assert!(decide(&fixture.database).await.is_admitted);
}

#[tokio::test]
async fn concurrent_requests_through_several_replicas_never_exceed_the_limit() {
    let fixture = with_key(Plan::Developer).await;
    let replica = || Database::new(&SecretString::from(fixture.test_database.url.clone()), 8).unwrap();
    let replicas = [replica(), replica(), replica()];
    let requests = (0..60).map(|at| decide(&replicas[at % replicas.len()]));
    let decisions = futures::future::join_all(requests).await;
    assert_eq!(decisions.iter().filter(|decision| decision.is_admitted).count(), 10);
    let first = decisions.iter().filter(|decision| decision.is_admitted).map(|one| one.decided_at).min().unwrap();
    for refused in decisions.iter().filter(|decision| !decision.is_admitted) {
        assert_eq!((refused.admitted, refused.frees_at), (10, first + MINUTE));
    }
    let mut admitted: Vec<u32> =
        decisions.iter().filter(|decision| decision.is_admitted).map(|decision| decision.admitted).collect();
    admitted.sort_unstable();
    assert_eq!(admitted, (1..=10).collect::<Vec<_>>(), "each has its own place");
}

#[tokio::test]
async fn a_flood_of_refused_requests_writes_nothing() {
    let fixture = with_key(Plan::Developer).await;
    for _ in 0..10 {
        decide(&fixture.database).await;
    }
    fixture.sql("CREATE TABLE before AS SELECT xmin::text AS version, xmax::text AS locker FROM rate_limit").await;
    for _ in 0..20 {
        assert!(!decide(&fixture.database).await.is_admitted);
    }
    let same = "rate_limit r JOIN before b ON r.xmin::text = b.version AND r.xmax::text = b.locker";
    assert_eq!(fixture.count(same).await, 1);
}

#[tokio::test]
async fn what_has_no_limit_or_may_not_ask_is_not_counted() {
    let fixture = with_key(Plan::Enterprise).await;
    let found = admit(&fixture.database).await;
    assert_eq!((found.organization_id, found.decision), (fixture.organization, None));
    fixture.database.set_plan(fixture.organization, Plan::Team).await.unwrap();
    let off = fixture.database.admit(KEY, None, RateLimits::Off).await.unwrap().unwrap();
    assert_eq!(off.decision, None);
    let named = async |organization| {
        let found = fixture.database.admit(KEY, Some(organization), RateLimits::ByPlan).await.unwrap();
        found.unwrap().decision
    };
    assert_eq!(named(OrganizationId::random()).await, None);
    assert!(fixture.database.admit(KeyHash([2; 32]), None, RateLimits::ByPlan).await.unwrap().is_none());
    fixture.sql("UPDATE api_key SET expires_at = clock_timestamp()").await;
    let expired = admit(&fixture.database).await;
    assert!(expired.is_expired && expired.decision.is_none());
    assert_eq!(fixture.count("rate_limit").await, 0);
    fixture.sql("UPDATE api_key SET expires_at = NULL").await;
    assert_eq!(named(fixture.organization).await.unwrap().limit, 250);
}

#[tokio::test]
async fn a_clock_that_was_set_back_locks_nobody_out() {
    let fixture = with_key(Plan::Developer).await;
    for _ in 0..10 {
        decide(&fixture.database).await;
    }
    pass(&fixture, -TimeDelta::hours(1)).await;
    let decision = decide(&fixture.database).await;
    assert_eq!((decision.is_admitted, decision.admitted), (true, 1));
}

#[tokio::test]
async fn counting_begins_anew_after_a_crash() {
    let fixture = with_key(Plan::Developer).await;
    for _ in 0..10 {
        decide(&fixture.database).await;
    }
    // What recovery does to an unlogged table.
    assert_eq!(fixture.count("pg_class WHERE relname = 'rate_limit' AND relpersistence = 'u'").await, 1);
    fixture.sql("TRUNCATE rate_limit").await;
    assert!(decide(&fixture.database).await.is_admitted);
}
