//! The story: connect, sync, search; change, sync again, delete in mid-sync; nothing is found; everything is gone.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use reqwest::Method;
use serde_json::{Value, json};
use shared_models::Facts as _;
use shared_models::invariant::facts::{Bounded, Fenced};
use shared_models::ledger::{Expectation, TrustedKeys, verify_receipt};
use shared_models::receipt::ReceiptFile;
use shared_models::wire::ledger::LedgerKey;

use super::PATIENCE;
use super::client::{Client, Connection, number, text};
use super::data::{self, DemoData};
use super::facts::{Facts, Holdings};
use super::screen::{Claims, Screen};
use crate::stack::Stack;

const LEDGER_KEYS: &str = "/.well-known/unweave-ledger/keys";
/// A word of the demo's files and of its table.
const QUERY: &str = "serde crate";

struct Demo<'a> {
    screen: &'a Screen,
    claims: Claims,
    client: Client,
    facts: Facts,
    data: &'a DemoData,
    metrics: String,
}

/// Tells the story; answers which claims held.
pub(super) async fn tell(screen: &Screen, stack: &Stack, data: &DemoData) -> Result<Claims> {
    let urls = stack.urls();
    let services = urls.services.as_ref().context("the services don't run")?;
    let gateway_admin = services.admin.iter().find(|(name, _)| *name == crate::services::GATEWAY);
    let demo = Demo {
        screen,
        claims: Claims::default(),
        client: Client::new(&services.gateway, &services.api_key)?,
        facts: Facts::new(&urls.database, &services.vespa, &services.arf).await?,
        data,
        metrics: format!("{}/metrics", gateway_admin.context("the gateway has no metrics")?.1),
    };
    demo.tell(&urls.database).await?;
    Ok(demo.claims)
}

impl Demo<'_> {
    async fn tell(&self, database_url: &str) -> Result<()> {
        let (collection, files, database) = self.connect(database_url).await?;
        let spared = self.facts.holdings(&database.sync).await?;
        let before = self.facts.holdings(&files.sync).await?;
        let cleanup = self.delete_in_mid_sync(&files).await?;
        self.look_at_once(&collection, &files, &before).await?;
        self.watch_cleanup(&cleanup).await?;
        self.look_at_the_end(&collection, &files, &database, &spared, &cleanup).await
    }

    async fn connect(&self, database_url: &str) -> Result<(String, Connection, Connection)> {
        let count = self.data.files.len();
        self.screen.step(&format!(
            "Connect two real sources to a collection: {count} files, and a database of their metadata"
        ));
        data::fill_database(database_url, self.data).await?;
        let collection = text(&self.client.post("/collections", json!({"name": "Demo"})).await?, "readable_id")?;
        self.screen.detail(&format!("collection {collection}"));
        let files = self.client.connect(&collection, "files", "Crate sources", json!({"root": "demo"})).await?;
        self.screen.detail(&format!("source connection {} (files)", files.id));
        let database =
            self.client.connect(&collection, "postgresql", "File metadata", database_credentials(database_url)?);
        let database = database.await?;
        self.screen.detail(&format!("source connection {} (postgresql)", database.id));

        self.screen.step("Sync both: read, compare, chunk, write to Vespa, ARF and PostgreSQL");
        for (name, connection) in [("files", &files), ("postgresql", &database)] {
            let took = self.sync_to_the_end(name, connection, count).await?;
            let held = self.facts.holdings(&connection.sync).await?;
            self.screen.note(&format!(
                "{name}: {} documents in Vespa, {} blobs in ARF, {} entity rows, in {:.1} s",
                held.documents, held.blobs, held.rows, took
            ));
            let everything = held.documents > 0 && held.blobs > 0 && usize::try_from(held.rows)? >= count;
            self.screen.claim(&self.claims, &format!("{name}: everything is in all three stores"), everything);
        }
        self.screen.step(&format!("Search for “{QUERY}”"));
        let hits = self.client.search(&collection, QUERY).await?;
        self.show_hits(&hits);
        for source in ["files", "postgresql"] {
            let found = hits.iter().any(|(of, _)| of == source);
            self.screen.claim(&self.claims, &format!("hits from {source}"), found);
        }
        Ok((collection, files, database))
    }

    fn show_hits(&self, hits: &[(String, String)]) {
        for source in ["files", "postgresql"] {
            let names: Vec<&str> =
                hits.iter().filter(|(of, _)| of == source).map(|(_, name)| name.as_str()).take(3).collect();
            let count = hits.iter().filter(|(of, _)| of == source).count();
            let names = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
            self.screen.detail(&format!("{count} hits from {source}{names}"));
        }
    }

    async fn sync_to_the_end(&self, name: &str, connection: &Connection, total: usize) -> Result<f64> {
        let bar = self.screen.bar(name, total);
        let began = Instant::now();
        loop {
            let job = self.client.last_job(connection).await?;
            bar.set(usize::try_from(number(&job, "entities_inserted")?)?);
            match text(&job, "status")?.as_str() {
                "completed" => {
                    bar.end();
                    return job.get("duration_seconds").and_then(Value::as_f64).context("no duration");
                }
                "failed" | "cancelled" => bail!("the sync of {name} ended: {job}"),
                _ if began.elapsed() > PATIENCE => bail!("the sync of {name} takes too long"),
                _ => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }

    async fn delete_in_mid_sync(&self, files: &Connection) -> Result<String> {
        self.screen.step("Change every file, start another sync of it, and delete the connection while it is running");
        data::change(self.data)?;
        self.client.post(&format!("/source-connections/{}/run", files.id), json!({})).await?;
        let updated = self.wait_until_writing(files).await?;
        self.screen.note(&format!("the sync is writing: {updated} entities updated so far. DELETE now"));
        let deleted = self.client.send(Method::DELETE, &format!("/source-connections/{}", files.id), None).await?;
        let acknowledged = self.stop_acknowledgement().await?;
        self.screen.note(&format!(
            "the answer: {} after {} ms; the worker acknowledged its stop after {:.0} ms",
            deleted.status,
            deleted.took.as_millis(),
            acknowledged.unwrap_or(0.0) * 1000.0
        ));
        let was_syncing = deleted.body.get("status").and_then(Value::as_str) == Some("syncing");
        self.screen.claim(
            &self.claims,
            "it answered 200, with the connection as it was: syncing",
            deleted.status == 200 && was_syncing,
        );
        self.screen.claim(&self.claims, "the worker acknowledged that it had stopped writing", acknowledged.is_some());
        self.screen.claim(
            &self.claims,
            "well within the 15 s that the contract allows",
            Bounded { waited: deleted.took, bound: Duration::from_secs(15) }.check().is_ok(),
        );
        deleted.cleanup.context("the answer names no cleanup")
    }

    async fn wait_until_writing(&self, files: &Connection) -> Result<u64> {
        let began = Instant::now();
        loop {
            let job = self.client.last_job(files).await?;
            let updated = number(&job, "entities_updated")?;
            match text(&job, "status")?.as_str() {
                "running" if updated > 0 => return Ok(updated),
                "pending" | "running" if began.elapsed() < PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(20)).await
                }
                _ => bail!("the second sync was not caught running: {job}"),
            }
        }
    }

    /// Seconds from D1 to the stop acknowledgement, as the gateway measured them.
    async fn stop_acknowledgement(&self) -> Result<Option<f64>> {
        let metrics = reqwest::get(&self.metrics).await.context("ask for metrics")?.text().await?;
        let value = metrics.lines().find_map(|line| line.strip_prefix("unweave_deletion_wait_seconds_sum"));
        Ok(value.and_then(|rest| rest.rsplit(' ').next()).and_then(|number| number.parse().ok()))
    }

    async fn look_at_once(&self, collection: &str, files: &Connection, before: &Holdings) -> Result<()> {
        self.screen.step("At once: it is gone for every reader, while the purge has hardly begun");
        let left = self.facts.holdings(&files.sync).await?;
        let hits = self.client.search(collection, QUERY).await?;
        let gone = self.client.send(Method::GET, &format!("/source-connections/{}", files.id), None).await?;
        self.show_hits(&hits);
        self.screen.note(&format!(
            "Vespa still holds {} of its documents, ARF {} of its blobs (before the second sync {} and {})",
            left.documents, left.blobs, before.documents, before.blobs
        ));
        let found = hits.iter().filter(|(source, _)| source == "files").count();
        self.screen.claim(&self.claims, "the same search returns nothing of it", found == 0 && !hits.is_empty());
        let still_there = left.documents > 0 && left.blobs > 0;
        self.screen.claim(&self.claims, "although the stores still hold its data", still_there);
        self.screen.claim(&self.claims, "GET answers 404", gone.status == 404);
        let rows = self.facts.rows_by_table(&files.id, &files.sync).await?;
        let shown: Vec<String> = rows.iter().map(|(table, count)| format!("{table} {count}")).collect();
        self.screen.detail(&format!("rows of it: {}", shown.join(", ")));
        self.screen.claim(
            &self.claims,
            "every table has 0 rows of it, credentials included",
            rows.iter().all(|(_, count)| *count == 0),
        );
        Ok(())
    }

    async fn watch_cleanup(&self, cleanup: &str) -> Result<()> {
        self.screen.step("Behind it, the cleanup removes documents and blobs, verifies, waits, verifies again");
        self.screen.detail(&format!(
            "here at most {} documents a second, and a settle delay of {} (default 60 s)",
            super::DOCUMENTS_PER_SECOND,
            super::SETTLE_DELAY
        ));
        let began = Instant::now();
        let mut bar = None;
        let mut last = String::new();
        loop {
            let now = self.client.get(&format!("/cleanups/{cleanup}")).await?;
            let state = text(&now, "state")?;
            let told = told(&state, &text(&now, "status")?, now.get("waiting_for").and_then(Value::as_str));
            let sum = |field: &str| -> u64 {
                let targets = now.get("targets").and_then(Value::as_object);
                targets.into_iter().flatten().filter_map(|(_, target)| target.get(field).and_then(Value::as_u64)).sum()
            };
            let (found, removed) = (usize::try_from(sum("found"))?, usize::try_from(sum("removed"))?);
            if told != last {
                bar.take().into_iter().for_each(super::screen::Bar::end);
                self.screen.note(&format!("{:>5.1} s  {told}", began.elapsed().as_secs_f64()));
                last = told;
            }
            if found > 0 && state == "purging" {
                bar.get_or_insert_with(|| self.screen.bar("removed", found)).set(removed);
            }
            match state.as_str() {
                "done" => break,
                "refused" => bail!("the cleanup was refused: {now}"),
                _ if began.elapsed() > PATIENCE => bail!("the cleanup takes too long: {now}"),
                _ => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
        bar.into_iter().for_each(super::screen::Bar::end);
        Ok(())
    }

    /// The receipt, once it is in the ledger.
    async fn published_receipt(&self, cleanup: &str) -> Result<serde_json::Value> {
        let began = Instant::now();
        loop {
            let receipt = self.client.get(&format!("/cleanups/{cleanup}/receipt")).await?;
            if receipt.get("ledger").is_some_and(|proof| !proof.is_null()) || began.elapsed() > PATIENCE {
                return Ok(receipt);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn look_at_the_end(
        &self,
        collection: &str,
        files: &Connection,
        database: &Connection,
        spared: &Holdings,
        cleanup: &str,
    ) -> Result<()> {
        self.screen.step("The receipt, and what is left");
        let receipt = self.published_receipt(cleanup).await?;
        for line in serde_json::to_string_pretty(&receipt)?.lines() {
            self.screen.detail(line);
        }
        let keys: Vec<LedgerKey> = serde_json::from_value(self.client.get(LEDGER_KEYS).await?)?;
        let keys: Result<TrustedKeys, _> = keys.iter().map(|key| key.verifier_key.parse()).collect();
        let file: ReceiptFile = serde_json::from_value(receipt)?;
        let verified = verify_receipt(&file, &keys?, Expectation::Cleanup(cleanup.parse()?), None);
        let is_in_ledger = verified.as_ref().is_ok_and(|verified| verified.in_ledger.is_some());
        self.screen.claim(
            &self.claims,
            "the receipt is signed by the ledger's key, and of this deletion",
            verified.is_ok(),
        );
        self.screen.claim(&self.claims, "the ledger's signed root proves that the receipt is in it", is_in_ledger);
        let left = self.facts.holdings(&files.sync).await?;
        self.screen.note(&format!("Vespa holds {} documents of it, ARF {} blobs", left.documents, left.blobs));
        self.screen.claim(
            &self.claims,
            "nothing of it is left in Vespa and ARF",
            Fenced { is_committed: true, is_done: true, active_jobs: 0, held: left.documents + left.blobs }
                .check()
                .is_ok(),
        );
        let after = self.facts.holdings(&database.sync).await?;
        self.screen.note(&format!(
            "the other connection: {} documents, {} blobs, {} entity rows",
            after.documents, after.blobs, after.rows
        ));
        self.screen.claim(
            &self.claims,
            "the other connection is exactly what it was (counts and checksums)",
            after == *spared,
        );
        let hits = self.client.search(collection, QUERY).await?;
        self.screen.claim(&self.claims, "and is still found", hits.iter().any(|(source, _)| source == "postgresql"));
        Ok(())
    }
}

/// The step that a cleanup has reached, and how it stands, if that says more.
fn told(state: &str, status: &str, waiting_for: Option<&str>) -> String {
    match waiting_for {
        Some(what) => format!("{state}, waiting for its {}", what.replace('_', " ")),
        None if status == "working" || status == state => state.to_owned(),
        None => format!("{state}, {status}"),
    }
}

/// How the source finds the demo's database: the stack's own server.
fn database_credentials(admin_url: &str) -> Result<Value> {
    let url = url::Url::parse(admin_url).context("read the database's URL")?;
    Ok(json!({
        "host": url.host_str().context("no host")?,
        "port": url.port().unwrap_or(5432),
        "database": data::DATABASE,
        "user": url.username(),
        "password": url.password(),
    }))
}
