//! What tests wait for.

use test_support::wait_until;

use super::{BOUND, System};
use crate::api::Api;

impl System {
    /// Waits until a connection's newest job is in this state.
    pub async fn wait_for_job(&self, api: &Api, connection: &str, status: &str) {
        if status == "failed" {
            self.expects.event("the job ends early");
        }
        wait_until(&format!("job of {connection} is {status}"), BOUND, async || {
            let job = api.last_job(connection).await;
            assert!(status == "failed" || job["status"] != "failed", "{job}");
            job["status"] == status
        })
        .await;
    }

    /// Waits until a connection's newest job has written something and goes on.
    pub async fn wait_until_writing(&self, api: &Api, connection: &str, sync: &str) {
        wait_until(&format!("job of {connection} is writing"), BOUND, async || {
            let running = api.last_job(connection).await["status"] == "running";
            running && self.holdings(sync).await.documents > 0
        })
        .await;
    }

    /// Waits until the deletion of the one connection that is being deleted has been requested: D1 is committed.
    pub async fn wait_for_request(&self) {
        wait_until("D1 is committed", BOUND, async || {
            self.count("source_connection WHERE deletion_requested_at IS NOT NULL").await == 1
        })
        .await;
    }

    /// Waits until every cleanup is done.
    pub async fn wait_for_cleanups(&self, expected: i64) {
        wait_until(&format!("{expected} cleanups are done"), BOUND, async || {
            self.count("cleanup WHERE state = 'done'").await == expected
        })
        .await;
        assert_eq!(self.count("cleanup").await, expected);
    }
}
