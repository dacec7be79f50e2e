//! One job, from its claim to its acknowledged end.
//!
//! Keeps DEL-2: the job ends only when none of its writes is open, and its end clears the lease in the same statement.
//! After a stop nothing slow comes between the last answered write and the acknowledgement: the waiting DELETE wakes on
//! it. If PostgreSQL is away at the end, the lease runs out and the reaper of any worker ends the job.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use shared_database::entities::EntityWriter;
use shared_database::jobs::{ClaimedJob, Cursor, JobCounts, JobOutcome};
use shared_models::{Envelope, JobStatus, Message};
use shared_sources::UnknownSource;
use tokio_util::sync::CancellationToken;

use crate::late_write;
use crate::lease::{self, Lease, Stop};
use crate::pipeline::{self, Counts, JobError, Reading, Refused, Run, Writer};
use crate::sources::{Source, SourceError};

mod secrets;
mod tools;

use secrets::Secrets;
pub use tools::{JobTools, LeaseHolder, ReadingTools};

/// How often progress is recorded.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);
/// Longest time for one statement around a job's end.
const END_TIMEOUT: Duration = Duration::from_secs(2);
const END_PAUSE: Duration = Duration::from_millis(200);

/// A claimed job.
pub(crate) struct JobRun {
    tools: Arc<JobTools>,
    job: Arc<ClaimedJob>,
    lease: Arc<Lease>,
    counts: Arc<Counts>,
}

impl JobRun {
    /// A job that was claimed under `lease`.
    pub(crate) fn new(tools: Arc<JobTools>, job: ClaimedJob, lease: Arc<Lease>) -> Self {
        Self { tools, job: Arc::new(job), lease, counts: Arc::default() }
    }

    /// Runs the job and ends it.
    pub(crate) async fn run(self) {
        tracing::info!(source = self.job.short_name, "the job starts");
        let outcome = self.run_under_lease().await;
        let counts = self.counts.now();
        if let Some(status) = self.end(outcome, counts).await {
            self.announce(status, counts).await;
        }
        if self.lease.has_ended_late() {
            late_write::reopen_cleanup(self.job.sync_id, &self.tools.holder.control, &self.tools.tasks);
        }
    }

    /// Works until the job is over and none of its writes is open, renewing the lease meanwhile.
    async fn run_under_lease(&self) -> JobOutcome {
        let holder = &self.tools.holder;
        let renew = || holder.control.renew_lease(self.job.job_id, holder.owner, holder.times.lease_ttl);
        let renewing = async {
            lease::keep(&self.lease, renew).await;
            std::future::pending().await
        };
        let reporting = async {
            self.report().await;
            std::future::pending().await
        };
        tokio::select! {
            outcome = Box::pin(self.work()) => outcome,
            never = renewing => never,
            never = reporting => never,
        }
    }

    async fn work(&self) -> JobOutcome {
        let outcome = {
            let mut pipeline = Box::pin(self.pipeline());
            // The pipeline is polled on while its writes are waited for: it carries them to their end.
            let stopped = async {
                self.lease.stopped().await;
                self.lease.all_writes_closed().await;
            };
            tokio::select! {
                biased;
                outcome = &mut pipeline => outcome,
                () = stopped => Err(self.stop_reason().into()),
            }
        };
        self.lease.stop(Stop::Over);
        self.lease.all_writes_closed().await;
        match outcome {
            Ok(cursor) => {
                let form = self.form();
                JobOutcome::Completed { cursor: cursor.map(|value| Cursor { value, form }) }
            }
            Err(error) => {
                if error.is_asked_for() {
                    tracing::info!(code = error.code(), "the job was told to stop");
                } else {
                    // Its text may name what is only its owner's; the job's row has it.
                    tracing::warn!(code = error.code(), reason = error.reason(), "the job ends early");
                }
                error.outcome(self.stop_reason())
            }
        }
    }

    /// Returns the source's new cursor, if it has one.
    async fn pipeline(&self) -> Result<Option<Value>, JobError> {
        let tools = &self.tools;
        let writer = Writer {
            lease: self.lease.clone(),
            rows: EntityWriter { sync: self.job.sync_id, job: self.job.job_id, owner: tools.holder.owner },
            database: tools.database.clone(),
            stores: tools.stores.clone(),
            given_up: CancellationToken::new(),
            refused_in_a_row: 0.into(),
        };
        let has_older_names = writer.read_rows(|| tools.database.has_unkeyed_entities(self.job.sync_id)).await?;
        let reading = self.reading(&writer, has_older_names).await?;
        let secrets = Secrets::ready(&writer, &tools.reading.cipher, tools.blob_encryption).await?;
        let run = Run {
            job: self.job.clone(),
            writer,
            counts: self.counts.clone(),
            refused: Refused::default(),
            max_blob_bytes: tools.reading.access.max_blob_bytes(),
            embedding: tools.embedding.clone(),
            entity_keys: secrets.entity_keys,
            blob_form: secrets.blob_form,
            has_older_names,
        };
        Box::pin(pipeline::run(&run, reading, &tools.tasks)).await
    }

    async fn reading(&self, writer: &Writer, has_older_names: bool) -> Result<Reading, JobError> {
        let (database, tools) = (&self.tools.database, &self.tools.reading);
        let source: Source = self
            .job
            .short_name
            .parse()
            .map_err(|unknown: UnknownSource| SourceError::Misconfigured(unknown.to_string()))?;
        if source.definition().is_internal && !tools.has_internal_sources {
            return Err(JobError::SourceDisabled(self.job.short_name.clone()));
        }
        let config = match &self.job.config {
            Value::Object(config) => config.clone(),
            _ => return Err(SourceError::Misconfigured("config is not an object".to_owned()).into()),
        };
        let connection = self.job.source_connection_id;
        let credentials = writer.read_rows(|| database.credentials(&tools.cipher, connection)).await?;
        // What lies before a cursor of another form would never be written in this one, nor get its new name.
        let is_of_this_form = self.job.cursor_form.as_ref() == Some(&self.form()) && !has_older_names;
        let goes_on = !self.job.force_full_sync && is_of_this_form;
        let cursor = self.job.cursor.clone().filter(|_| goes_on);
        if self.job.cursor.is_some() && cursor.is_none() {
            writer.change_rows(|| database.forget_cursor(writer.rows)).await?;
        }
        let credentials = credentials.unwrap_or_default();
        Ok(Reading { source, config, credentials, access: tools.access.clone(), cursor })
    }

    /// In which form the entities are written.
    fn form(&self) -> String {
        let embedder = self.tools.embedding.as_ref().map(|embedding| embedding.embedder.identity());
        pipeline::form(embedder.as_ref())
    }

    fn stop_reason(&self) -> Stop {
        self.lease.stop_reason().map_or(Stop::Over, |(stop, _)| stop)
    }

    /// Records progress, best effort.
    async fn report(&self) {
        let (holder, mut reported) = (&self.tools.holder, JobCounts::default());
        loop {
            tokio::time::sleep(PROGRESS_INTERVAL).await;
            let counts = self.counts.now();
            if counts == reported {
                continue;
            }
            match holder.control.record_progress(self.job.job_id, holder.owner, counts).await {
                Ok(()) => reported = counts,
                Err(error) => tracing::debug!(%error, "progress could not be recorded"),
            }
        }
    }

    /// Ends the job in its row; `None` if it was reaped, is gone, or PostgreSQL stays away past lease and guard.
    async fn end(&self, outcome: JobOutcome, counts: JobCounts) -> Option<JobStatus> {
        let holder = &self.tools.holder;
        loop {
            let ending = holder.control.end_job(self.job.job_id, holder.owner, outcome.clone(), counts);
            match tokio::time::timeout(END_TIMEOUT, ending).await {
                Ok(Ok(Some(status))) => return Some(status),
                Ok(Ok(None)) => {
                    tracing::info!("the job's row was taken away before its end");
                    return None;
                }
                Ok(Err(error)) if !error.is_retryable() => {
                    tracing::error!(%error, "the job could not be ended; the reaper will");
                    return None;
                }
                Ok(Err(error)) => tracing::warn!(%error, "the job could not be ended yet"),
                Err(_) => tracing::warn!("the end of the job was not answered in time"),
            }
            if holder.clock.now() > self.lease.ends_at() + holder.times.lease_guard {
                tracing::warn!("the job is left to the reaper");
                return None;
            }
            tokio::time::sleep(END_PAUSE).await;
        }
    }

    /// Tells the gateways that the job has ended.
    async fn announce(&self, status: JobStatus, counts: JobCounts) {
        let stopped = Envelope::new(Message::JobStopped { job_id: self.job.job_id }, self.job.request_id);
        if let Err(error) = self.tools.publisher.publish(&stopped).await {
            tracing::debug!(%error, "the end of the job was not announced; whoever waits polls");
        }
        if let Some((Stop::Cancelled | Stop::Refused, since)) = self.lease.stop_reason() {
            metrics::histogram!("unweave_stop_acknowledgement_seconds").record(since.as_secs_f64());
        }
        metrics::counter!("unweave_sync_jobs_total", "outcome" => status.as_str()).increment(1);
        let JobCounts { inserted, updated, deleted, kept, failed } = counts;
        tracing::info!(%status, inserted, updated, deleted, kept, failed, "the job has ended");
    }
}
