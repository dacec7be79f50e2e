//! What a search takes, whatever is in the rows.

use system_tests::wide::{WideRows, index_bytes};
use system_tests::{System, fast_times};

/// Well below what docker-compose.yml gives a gateway.
const MOST_MIB: u64 = 256;
/// A thousand chunks, and the fields of each row once.
const MOST_ANSWER_BYTES: usize = 8 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn four_of_the_largest_answers_at_once_take_a_bounded_memory_and_the_index_holds_each_field_once() {
    let system = System::new(&fast_times()).await;
    let (gateway, _worker) = (system.gateway().await, system.sync_worker().await);
    let wide = WideRows::sync(&system, &gateway.api, 13).await;
    let index = index_bytes(&system).await;
    assert!(index <= 3 * wide.source_bytes, "{index} bytes in the index for {} of text", wide.source_bytes);
    let (answers, peak) = wide.ask(&gateway, "keyword", 4).await;
    assert!(answers.iter().all(|bytes| *bytes < MOST_ANSWER_BYTES), "{answers:?}");
    assert!(peak < MOST_MIB, "the gateway took {peak} MiB");
}
