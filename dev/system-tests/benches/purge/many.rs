//! A collection with a thousand small connections, deleted by one DELETE, with every service at its defaults; then the
//! same beside a connection of 200 000 documents whose purge has begun before.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::api::ids_of;
use system_tests::counted::Counted;
use system_tests::{Api, System, corpus};
use test_support::{CountingProxy, Fault};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::purging::LOOK;
use crate::statements::Statements;
use crate::table::{Scale, grouped, head, judged, median, number_as_f64, part, ratio, row};

const CONNECTIONS: u64 = 1_000;
const DOCUMENTS_EACH: u64 = 100;
const BLOBS_EACH: u64 = 3;
const HUGE: u64 = 200_000;
const MOST_QUERIES: f64 = 1.1;
/// Who makes connections at the same time.
const CLIENTS: u64 = 8;
const BOUND: Duration = Duration::from_mins(15);

/// Remembers when each cleanup was verified empty for the first time.
const REMEMBER_SETTLING: &str = "
    CREATE TABLE first_settling (cleanup_id uuid PRIMARY KEY, at timestamptz NOT NULL);
    CREATE FUNCTION remember_settling() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO first_settling VALUES (NEW.id, clock_timestamp()) ON CONFLICT DO NOTHING;
        RETURN NEW;
    END $$;
    CREATE TRIGGER remember_settling AFTER UPDATE ON cleanup FOR EACH ROW
        WHEN (NEW.state = 'settling') EXECUTE FUNCTION remember_settling();";

/// What one run showed.
struct Run {
    answered: f64,
    last_receipt: f64,
    counted: Counted,
    of_worker: Statements,
    of_gateway: Statements,
    /// Seconds from the rows' end to the first empty verification, of each small connection.
    emptied: Vec<f64>,
    /// Documents of the huge one that were left when the last small one was empty.
    huge_left: u64,
}

pub async fn measure(scale: Scale) {
    let connections = scale.of(CONNECTIONS);
    let (alone, beside) = (run(scale, connections, None).await, run(scale, connections, Some(scale.of(HUGE))).await);
    let columns = ["", "alone", "beside a huge one"];
    head(&format!("One DELETE of {} connections of {DOCUMENTS_EACH} documents", grouped(connections)), &columns);
    let both = |name: &str, figure: &dyn Fn(&Run) -> String| {
        row(&[name.to_owned(), figure(&alone), figure(&beside)]);
    };
    let each = |count: u64| format!("{:.1}", ratio(count, connections));
    both("answer of the DELETE, s", &|run| format!("{:.2}", run.answered));
    both("last receipt, s (60 of it the settle delay)", &|run| format!("{:.1}", run.last_receipt));
    let queries = |run: &Run| ratio(run.counted.kind("query").requests, connections);
    row(&[
        "queries for each connection".to_owned(),
        judged(queries(&alone), 3, MOST_QUERIES),
        format!("{:.3}, those of the huge one included", queries(&beside)),
    ]);
    both("removals by id", &|run| grouped(run.counted.kind("remove").requests));
    both("statements of the cleanup-worker for each", &|run| each(run.of_worker.run));
    both("its round trips for each", &|run| each(run.of_worker.round_trips));
    both("statements of the gateway for each", &|run| each(run.of_gateway.run));
    for (name, of_all) in [("first", 0.0), ("median", 0.5), ("95 of 100", 0.95), ("last", 1.0)] {
        both(&format!("from its rows' end to verified empty, s: {name}"), &|run| {
            format!("{:.1}", part(&run.emptied, of_all))
        });
    }
    both("documents of the huge one left then", &|run| grouped(run.huge_left));
    println!("\nmedians: {:.2} times as long beside the huge one", median(&beside.emptied) / median(&alone.emptied));
    alone.of_worker.print("cleanup-worker, alone");
    alone.of_gateway.print("gateway, alone");
}

async fn run(scale: Scale, connections: u64, huge: Option<u64>) -> Run {
    let mut system = System::for_bench(&[]).await;
    // The stand-in is down while it gets its documents.
    system.expects.fault(Fault::VespaAway);
    system.database.execute(REMEMBER_SETTLING).await;
    let (by_gateway, by_worker) =
        (CountingProxy::start(&system.database.url).await, CountingProxy::start(&system.database.url).await);
    let gateway = system.gateway_with(&[("DATABASE_URL", &by_gateway.url)]).await;
    let (small, others) = (gateway.api.create_collection().await, gateway.api.create_collection().await);
    let mut syncs = make(&gateway.api, &small, connections).await;
    let the_huge = match huge {
        Some(documents) => Some((ids_of(&stub(&gateway.api, &others).await), documents)),
        None => None,
    };
    write(&mut system, &mut syncs, the_huge.as_ref().map(|((_, sync), documents)| (sync.parse().unwrap(), *documents)))
        .await;
    let worker = system.cleanup_worker_with(&[("DATABASE_URL", &by_worker.url)]).await;
    let sql = system.sql().await;
    if let Some(((connection, _), _)) = &the_huge {
        assert_eq!(gateway.api.delete(&format!("/source-connections/{connection}")).await.status, 200);
        wait(&sql, "SELECT count(*) FROM cleanup WHERE progress->'vespa'->>'removed' <> '0'", 1).await;
    }
    Counted::reset(&system.vespa.url).await;
    by_gateway.reset();
    by_worker.reset();

    let began = Instant::now();
    let answer = gateway.api.delete(&format!("/collections/{small}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let of_small = format!(
        "FROM cleanup c JOIN first_settling f ON f.cleanup_id = c.id WHERE c.sync_id::text = ANY ('{{{}}}')",
        syncs.iter().map(Uuid::to_string).collect::<Vec<_>>().join(",")
    );
    let all = i64::try_from(connections).unwrap();
    wait(&sql, &format!("SELECT count(*) {of_small}"), all).await;
    let huge_left = match &the_huge {
        Some((ids, _)) => system.holdings(&ids.1).await.documents,
        None => 0,
    };
    wait(&sql, &format!("SELECT count(*) {of_small} AND c.state = 'done'"), all).await;
    let last_receipt = began.elapsed().as_secs_f64();
    let (counted, of_worker, of_gateway) =
        (Counted::of(&system.vespa.url).await, Statements::of(&by_worker), Statements::of(&by_gateway));
    let seconds = format!("SELECT extract(epoch FROM f.at - c.rows_deleted_at)::float8 {of_small}");
    let emptied = sql.query(&seconds, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    for sync in &syncs {
        assert!(system.holdings(&sync.to_string()).await.is_empty());
    }
    drop(worker);
    println!("{connections} connections, scale {}, huge: {huge:?}: {last_receipt:.1} s", scale.0);
    Run { answered: answer.took.as_secs_f64(), last_receipt, counted, of_worker, of_gateway, emptied, huge_left }
}

/// Makes connections by the API. Returns their syncs.
async fn make(api: &Api, collection: &str, connections: u64) -> Vec<Uuid> {
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (api, collection) = (api.clone(), collection.to_owned());
        let share = connections / CLIENTS + u64::from(client < connections % CLIENTS);
        clients.spawn(async move {
            let mut syncs = Vec::new();
            for _ in 0..share {
                syncs.push(ids_of(&stub(&api, &collection).await).1.parse().unwrap());
            }
            syncs
        });
    }
    clients.join_all().await.concat()
}

async fn stub(api: &Api, collection: &str) -> Value {
    let body = json!({
        "short_name": "stub", "readable_collection_id": collection,
        "authentication": {"credentials": {"stub_key": "k"}}, "sync_immediately": false,
    });
    api.post("/source-connections", body).await.ok()
}

/// Documents and blobs of the small ones, documents of the huge one.
async fn write(system: &mut System, syncs: &mut [Uuid], huge: Option<(Uuid, u64)>) {
    let arf = system.arf();
    system.vespa.service().kill();
    let sized = syncs.iter().map(|sync| (*sync, DOCUMENTS_EACH)).chain(huge);
    corpus::fill(&system.vespa.data(), &sized.collect::<Vec<_>>());
    system.vespa.restart().await;
    for sync in syncs {
        let entities = arf.join("raw").join(sync.to_string()).join("entities");
        fs::create_dir_all(&entities).unwrap();
        fs::write(entities.with_file_name("manifest.json"), "{}").unwrap();
        for number in 1..BLOBS_EACH {
            fs::write(entities.join(format!("{number:032x}.json")), "sealed").unwrap();
        }
    }
}

async fn wait(sql: &tokio_postgres::Client, count: &str, least: i64) {
    let began = Instant::now();
    loop {
        let row = sql.query_one(count, &[]).await.unwrap();
        if row.get::<_, i64>(0) >= least {
            return;
        }
        assert!(
            began.elapsed() < BOUND,
            "{} of {least} after {:.0} s",
            row.get::<_, i64>(0),
            number_as_f64(began.elapsed().as_secs())
        );
        tokio::time::sleep(LOOK).await;
    }
}
