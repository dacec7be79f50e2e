//! What a request costs: its round trips to PostgreSQL, pinned. All that the gateway asks meanwhile are counted, so
//! that none is hidden, and the gateway asks nothing else: its relay is held up, its finisher comes once an hour.

use serde_json::json;
use test_support::{CountingProxy, RoundTrip, TestDatabase, wait_until};

use crate::gateway::{Gateway, START, text};

/// GET of a connection: its API key, and the connection with all that is shown of it.
const GET: usize = 2;
/// LIST of connections: its API key, and the list.
const LIST: usize = 2;
/// DELETE of a connection whose sync has no active job: its API key, the answer, BEGIN, the lock, D1 with D3, COMMIT.
const DELETE: usize = 6;

/// More often than once: a warm pool costs the same each time.
const TIMES: usize = 3;

/// One session is the relay's, for as long as the test runs; what is left is the requests'.
const POOL: &str = "2";

/// Noted beside the first request that uses a key, and once a minute at most.
const KEY_USE_IS_NOTED: &str = "SELECT count(*) FROM api_key WHERE last_used_at IS NOT NULL";

struct Counted {
    gateway: Gateway,
    proxy: CountingProxy,
}

impl Counted {
    /// A gateway whose every round trip is a request's.
    async fn start() -> Self {
        let database = TestDatabase::create().await;
        let proxy = CountingProxy::start(&database.url).await;
        let settings =
            [("DATABASE_URL", proxy.url.as_str()), ("DATABASE_POOL_SIZE", POOL), ("FINISHER_INTERVAL", "1h")];
        let gateway = Gateway::start_on(database, &settings).await;
        gateway.database.hold_up_relays().await;
        gateway.api.get("/sources").await.ok();
        let noted = async || gateway.database.count(KEY_USE_IS_NOTED).await == 1;
        wait_until("the key's use is noted", START, noted).await;
        Self { gateway, proxy }
    }

    /// Makes some connections and deletes one, so that everything that these requests ask has been prepared once; the
    /// paths of those that are left.
    async fn warm_up(&self) -> Vec<String> {
        let api = &self.gateway.api;
        let collection = api.collection().await;
        let mut paths = Vec::new();
        for _ in 0..=TIMES {
            let made = api.stub(&collection, json!({})).await;
            paths.push(format!("/source-connections/{}", text(&made, "id")));
        }
        api.get(&paths[0]).await.ok();
        api.get("/source-connections").await.ok();
        api.delete(&paths.remove(0)).await.ok();
        paths
    }

    /// The round trips since the last look.
    fn since(&self) -> Vec<RoundTrip> {
        let trips = self.proxy.round_trips();
        self.proxy.reset();
        trips
    }
}

#[track_caller]
fn assert_costs(what: &str, trips: &[RoundTrip], expected: usize) {
    let listed: Vec<String> = trips.iter().map(ToString::to_string).collect();
    assert_eq!(trips.len(), expected, "{what} asked:\n{}", listed.join("\n"));
}

#[tokio::test]
async fn get_list_and_delete_make_these_round_trips_and_no_others() {
    let counted = Counted::start().await;
    let paths = counted.warm_up().await;
    let api = &counted.gateway.api;
    counted.proxy.reset();
    for path in &paths {
        api.get(path).await.ok();
        assert_costs("GET", &counted.since(), GET);
        api.get("/source-connections").await.ok();
        assert_costs("LIST", &counted.since(), LIST);
    }
    for path in &paths {
        api.delete(path).await.ok();
        assert_costs("DELETE", &counted.since(), DELETE);
    }
    let held_up = counted.gateway.database.are_relays_held_up().await;
    assert!(held_up, "the relay wasn't held up to the end: perhaps not all that was counted is the requests'");
}
