//! What Airweave does to forget a connection: a removal by selection for each type of document, one after the other,
//! each repeated while there is a continuation.

use std::time::{Duration, Instant};

use reqwest::{Client, Url};
use serde_json::Value;
use system_tests::corpus::COLLECTION;
use uuid::Uuid;

const TYPES: [&str; 5] = ["base_entity", "file_entity", "code_file_entity", "email_entity", "web_entity"];
const TIMEOUT: Duration = Duration::from_secs(120);

/// Removes a sync's documents. Returns the seconds that it took.
pub async fn remove(vespa_url: &str, sync: Uuid) -> f64 {
    test_support::install_tls_provider();
    let client = Client::builder().no_proxy().timeout(TIMEOUT).build().unwrap();
    let began = Instant::now();
    for kind in TYPES {
        let selection = format!(
            "{kind}.airweave_system_metadata_sync_id=='{sync}' and \
             {kind}.airweave_system_metadata_collection_id=='{COLLECTION}'"
        );
        let mut url = Url::parse(&format!("{vespa_url}/document/v1/airweave/{kind}/docid")).unwrap();
        url.query_pairs_mut().append_pair("selection", &selection).append_pair("cluster", "airweave");
        let mut continuation: Option<String> = None;
        loop {
            let mut url = url.clone();
            if let Some(continuation) = &continuation {
                url.query_pairs_mut().append_pair("continuation", continuation);
            }
            let answer = client.delete(url).send().await.unwrap().error_for_status().unwrap();
            let answer: Value = answer.json().await.unwrap();
            continuation = answer["continuation"].as_str().map(str::to_owned);
            if continuation.is_none() {
                break;
            }
        }
    }
    began.elapsed().as_secs_f64()
}
