//! Measures the stand-in over one HTTP/2 connection: puts with full text, counts, a page of ids, removal by id, a walk.
//!
//! `cargo run -p vespa-standin --release --example feed -- [documents] [in flight]`. Client and server share the
//! process and the machine's cores, so the figures are what the whole can do, not what the server could.
#![expect(clippy::print_stdout, reason = "prints its figures")]

use std::time::Instant;

use anyhow::{Context, ensure};
use futures::stream::{self, StreamExt, TryStreamExt};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use vespa_standin::http::Server;
use vespa_standin::tensor::Dimensions;

const SYNCS: usize = 20;
const WORDS: [&str; 16] = [
    "ledger", "signal", "harbour", "granite", "window", "policy", "invoice", "meadow", "engine", "courier", "lantern",
    "protocol", "orchard", "cipher", "valley", "summit",
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>());
    let documents = arguments.next().transpose()?.unwrap_or(40_000);
    let in_flight = arguments.next().transpose()?.unwrap_or(256);
    let folder = tempfile::tempdir()?;
    let server = Server::start(([127, 0, 0, 1], 0).into(), folder.path(), Dimensions::DEFAULT).await?;
    let base = format!("http://{}", server.address());
    // The client wants a provider of TLS even where there is none.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().http2_prior_knowledge().build()?;
    println!(
        "{documents} documents, {in_flight} in flight, {}",
        if cfg!(debug_assertions) { "dev" } else { "release" }
    );

    let paths: Vec<String> = (0..documents)
        .map(|number| format!("{base}/document/v1/airweave/file_entity/docid/{}.{number}.0", number % SYNCS))
        .collect();
    let bodies: Vec<String> = (0..documents).map(body).collect();
    let size = bodies.iter().map(String::len).sum::<usize>() / documents.max(1);
    rate(&format!("put ({size} bytes each)"), documents, async {
        let puts = paths.iter().zip(&bodies).map(|(path, body)| client.post(path).body(body.clone()));
        all(puts, in_flight).await
    })
    .await?;
    rate("put the same again", documents / 4, async {
        let puts = paths.iter().zip(&bodies).take(documents / 4);
        all(puts.map(|(path, body)| client.post(path).body(body.clone())), in_flight).await
    })
    .await?;
    rate("get", documents / 4, async {
        all(paths.iter().take(documents / 4).map(|path| client.get(path)), in_flight).await
    })
    .await?;

    let select = |what: &str| format!("select documentid from sources * where {what}");
    let sync = "airweave_system_metadata_sync_id contains \"sync-3\"";
    let ask = async |yql: String, hits: &str| -> anyhow::Result<Value> {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("yql", yql.as_str()), ("hits", hits)])
            .finish();
        Ok(client.get(format!("{base}/search/?{query}")).send().await?.error_for_status()?.json().await?)
    };
    rate("count of a sync", 1, async { ask(select(sync), "0").await.map(drop) }).await?;
    rate("page of 10 000 ids", 1, async { ask(select(sync), "10000").await.map(drop) }).await?;
    let words = select("({grammar:\"all\"}userInput(\"ledger harbour\"))");
    rate("search for two words", 1, async { ask(words, "10").await.map(drop) }).await?;

    let of_sync = |sync: &str| {
        let selection = ["base_entity", "file_entity", "code_file_entity", "email_entity", "web_entity"]
            .map(|doc_type| format!("{doc_type}.airweave_system_metadata_sync_id=='{sync}'"))
            .join(" or ");
        url::form_urlencoded::byte_serialize(selection.as_bytes()).collect::<String>()
    };
    let walk =
        format!("{base}/document/v1/?cluster=airweave&stream=true&fieldSet=%5Bid%5D&selection={}", of_sync("none"));
    rate("walk that finds nothing", documents, async {
        client.get(&walk).send().await?.error_for_status()?.text().await?;
        Ok(())
    })
    .await?;
    let bulk = format!("{base}/document/v1/?cluster=airweave&selection={}", of_sync("sync-3"));
    rate("removal of a sync by selection", documents / SYNCS, async {
        let answer: Value = client.delete(&bulk).send().await?.error_for_status()?.json().await?;
        ensure!(answer.get("continuation").is_none(), "more than a minute: {answer}");
        Ok(())
    })
    .await?;
    rate("remove by id", documents, async {
        all(paths.iter().map(|path| client.request(Method::DELETE, path)), in_flight).await
    })
    .await?;
    server.stop().await;
    Ok(())
}

fn body(number: usize) -> String {
    // About 150 words, in a fixed but scattered order.
    let text: Vec<String> = (0..150)
        .filter_map(|word| {
            let chosen = WORDS.get((number * 31 + word * word * 7) % WORDS.len())?;
            Some(if word % 5 == 0 { format!("{chosen}{}", (number + word) % 5000) } else { (*chosen).to_owned() })
        })
        .collect();
    json!({"fields": {
        "entity_id": format!("entity-{number}"),
        "name": format!("Document {number}"),
        "textual_representation": text.join(" "),
        "mime_type": "text/plain",
        "size": 1000 + number,
        "airweave_system_metadata_sync_id": format!("sync-{}", number % SYNCS),
        "airweave_system_metadata_collection_id": "collection",
        "airweave_system_metadata_original_entity_id": format!("original-{number}"),
        "airweave_system_metadata_source_name": "stub",
        "airweave_system_metadata_chunk_index": 0,
    }})
    .to_string()
}

async fn all(requests: impl Iterator<Item = reqwest::RequestBuilder>, in_flight: usize) -> anyhow::Result<()> {
    stream::iter(requests)
        .map(|request| async move {
            request.send().await?.error_for_status()?.bytes().await?;
            Ok::<_, reqwest::Error>(())
        })
        .buffer_unordered(in_flight)
        .try_collect::<()>()
        .await
        .context("request")
}

async fn rate(what: &str, count: usize, work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let started = Instant::now();
    work.await.with_context(|| what.to_owned())?;
    let seconds = started.elapsed().as_secs_f64();
    let per_second = f64::from(u32::try_from(count)?) / seconds;
    println!("{what:<32} {:>9.1} ms {per_second:>10.0}/s", seconds * 1000.0);
    Ok(())
}
