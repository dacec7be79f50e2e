//! The harness itself: `local-stack exec -- cargo test -p test-support`.
#![expect(clippy::unwrap_used, reason = "tests panic")]

mod log_events;
mod rest;

use std::time::Duration;

use test_support::{
    Asked, CountingProxy, Prepared, Service, StandIn, TestBroker, TestDatabase, free_port, service_binary, wait_until,
};

const BOUND: Duration = Duration::from_secs(20);

#[tokio::test]
async fn every_test_has_a_migrated_database_of_its_own() {
    let (one, other) = tokio::join!(TestDatabase::create(), TestDatabase::create());
    let rows = "SELECT count(*) FROM organization";
    one.execute("INSERT INTO organization (id, name) VALUES (gen_random_uuid(), 'Acme')").await;
    assert_eq!((one.count(rows).await, other.count(rows).await), (1, 0));

    let open = one.client().await;
    let name = one.name().to_owned();
    drop(one);
    let databases = format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'");
    assert_eq!(other.count(&databases).await, 0, "an open connection keeps no database");
    assert!(open.execute("SELECT 1", &[]).await.is_err());
}

#[tokio::test]
async fn a_database_can_be_down_for_one_test_alone() {
    let (down, up) = tokio::join!(TestDatabase::create(), TestDatabase::create());
    let open = down.client().await;
    down.allow_connections(false).await;
    wait_until("its sessions end", BOUND, async || open.execute("SELECT 1", &[]).await.is_err()).await;
    up.execute("SELECT 1").await;
    down.allow_connections(true).await;
    down.execute("SELECT 1").await;
}

#[tokio::test]
async fn every_test_has_a_virtual_host_of_its_own() {
    let (one, other) = tokio::join!(TestBroker::create(), TestBroker::create());
    assert_ne!(one.vhost, other.vhost);
    assert_eq!(one.queue_depth("no.such.queue").await, None);
    assert!(!one.publish_raw("", "no.such.queue", b"{}", &[]).await);
    assert!(one.connections().await.is_empty());
}

#[tokio::test]
async fn a_service_is_frozen_killed_and_terminated_by_its_pid() {
    let mut standin = StandIn::spawn().await;
    let alive = format!("{}/state/v1/health", standin.url);
    standin.service().wait_until_ready(&alive, BOUND).await;
    standin.service().stop();
    standin.service().cont();
    standin.service().wait_until_ready(&alive, BOUND).await;
    standin.restart().await;
    standin.service().wait_until_ready(&alive, BOUND).await;
    standin.service().wait_until_logged("listening", BOUND).await;
    assert!(standin.service().terminate(BOUND).await.success());
    assert!(!standin.service().is_running());
}

#[tokio::test]
async fn a_service_gets_only_its_environment() {
    let mut standin = Service::spawn_with("vespa-standin", &["--help"], [("STANDIN_DATA", "/given")]);
    assert!(standin.exited(BOUND).await.success());
    assert!(standin.log().contains("[env: STANDIN_DATA=/given]"), "{}", standin.tail());
    assert!(service_binary("vespa-standin").is_file() && free_port() > 0);
}

#[tokio::test]
#[should_panic(expected = "pigs fly: not within 50ms")]
async fn waiting_says_what_for() {
    wait_until("pigs fly", Duration::from_millis(50), async || false).await;
}

#[tokio::test]
async fn every_round_trip_is_counted_with_what_it_asks() {
    let database = TestDatabase::create().await;
    let proxy = CountingProxy::start(&database.url).await;
    let client = session(&proxy).await;
    assert!(!proxy.round_trips().is_empty(), "a new session doesn't go unseen");
    proxy.reset();

    client.batch_execute("BEGIN").await.unwrap();
    let statement = client.prepare("SELECT $1::int4 + 1").await.unwrap();
    for _ in 0..2 {
        client.query_one(&statement, &[&6_i32]).await.unwrap();
    }
    let (one, text) =
        tokio::join!(client.query_one(&statement, &[&None::<i32>]), client.simple_query("SELECT 'a\n b'"));
    assert!(one.is_ok() && text.is_ok());
    let sum = Prepared { text: "SELECT $1::int4 + 1".to_owned(), types: Vec::new() };
    let seven = Asked::Run(sum.clone(), vec![Some(6_i32.to_be_bytes().to_vec())]);
    let nothing = Asked::Run(sum.clone(), vec![None]);
    let asked: Vec<Vec<Asked>> = proxy.round_trips().into_iter().map(|trip| trip.asked).collect();
    assert_eq!(
        asked,
        [
            vec![Asked::Query("BEGIN".to_owned())],
            vec![Asked::Prepare(sum)],
            vec![seven.clone()],
            vec![seven],
            vec![nothing],
            vec![Asked::Query("SELECT 'a\n b'".to_owned())],
        ]
    );
    assert_eq!(proxy.round_trips()[5].to_string(), "session 0: SELECT 'a b'");
    assert!(proxy.round_trips()[2].runs("$1::int4") && !proxy.round_trips()[1].runs("$1::int4"));

    proxy.reset();
    session(&proxy).await.execute("SELECT 1", &[]).await.unwrap();
    let trips = proxy.round_trips();
    assert!(trips.iter().all(|trip| trip.session == 1) && trips.iter().any(|trip| trip.runs("SELECT 1")), "{trips:?}");
}

#[expect(clippy::disallowed_methods, reason = "the connection lives as long as its client, outside of any service")]
async fn session(proxy: &CountingProxy) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(&proxy.url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
