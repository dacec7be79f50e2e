//! `unweave organizations delete`: an organization goes with everything, and one signed summary says by which receipts
//! that is shown.
//!
//! Every step may be repeated: interrupted anywhere, the same command goes on where the rows say that it is.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use shared_database::Database;
use shared_database::deletion::{Commit, Requested, Requester, Subject, Watched};
use shared_database::organizations::{OrganizationDeletion, OrganizationSummary};
use shared_database::receipts::{ListedReceipt, ReceiptFilter};
use shared_models::ledger::{LedgerSigner, stamp};
use shared_models::receipt::{DeletionSummary, ReceiptError, SUMMARY_FORM, SummarizedReceipt};
use shared_models::{CollectionId, DeletionReference, OrganizationId, ProtocolTimes, RequestId};
use shared_service::clock;
use shared_service::settings::{ProtocolSettings, Validate as _};
use tokio::time::Instant;

use super::unknown;
use crate::confirm::Confirmation;
use crate::failure::Failure;
use crate::ledger::Signing;
use crate::output::{Answer, Output, checked, told};
use crate::postgres::Postgres;
use crate::progress::Progress;
use crate::stores::Remembered;
use crate::table;

const EXAMPLES: &str = "Example, with the environment of a cleanup-worker:
    unweave organizations delete 0f0e0d0c-0b0a-4908-8706-050403020100 --summary acme.json
    unweave receipt export --organization 0f0e0d0c-0b0a-4908-8706-050403020100 --format zip --to acme.zip

First every API key goes, so nobody makes anything new. Then every collection with its source connections, as DELETE of
the API does it: running syncs are stopped, and nothing of it is found by a search any more. Then the organization. Last
the cleanup-workers remove the data from the stores, which is waited for. The summary names each receipt.

If it is interrupted, run it again: it goes on. A pause of this organization's cleanups ends with it; a pause of all
doesn't.";

/// How often something is looked at.
const INTERVAL: Duration = Duration::from_millis(500);
/// Receipts that are read at a time.
const PAGE: i64 = 500;

/// What `organizations delete` is given.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Delete {
    /// Which
    #[arg(value_name = "ID")]
    organization: OrganizationId,
    /// Your own name for this deletion: it stands in every receipt, and finds them again
    #[arg(long, value_name = "TEXT")]
    reference: Option<DeletionReference>,
    /// The file that gets the signed summary; it must not be there yet. Without it the summary is printed
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    signing: Signing,
    #[command(flatten)]
    remembered: Remembered,
    /// The services' times
    #[command(flatten)]
    protocol: ProtocolSettings,
    #[command(flatten)]
    postgres: Postgres,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

impl Delete {
    pub(super) async fn run(&self) -> Result<Answer, Failure> {
        self.protocol.validate().map_err(Failure::Usage)?;
        if let Some(path) = self.summary.as_ref().filter(|path| path.exists()) {
            return Err(Failure::Usage(format!("{} is there already", path.display())));
        }
        let signer = self.signing.signer(self.remembered.origin())?;
        let database = self.postgres.open()?;
        self.remembered.compare_with(&database).await?;
        let found = database.organization(self.organization).await?;
        let begun = database.organization_deletion(self.organization).await?;
        match (&found, begun) {
            (Some(found), _) => {
                self.confirmation.ask(&plan(found), "Delete it with everything? It can't be undone.")?;
                self.delete_rows(&database).await?;
            }
            // Its rows are gone: what is left is to be waited for.
            (None, Some(_)) => {}
            (None, None) => return Err(unknown(self.organization)),
        }
        let deletion = database.organization_deletion(self.organization).await?;
        let Some(OrganizationDeletion { requested_at, deleted_at: Some(deleted_at) }) = deletion else {
            return Err(Failure::Unchecked("the organization isn't gone: run it again".to_owned()));
        };
        let receipts = self.receipts(&database).await?;
        let summary = DeletionSummary {
            form: SUMMARY_FORM,
            organization_id: self.organization,
            deletion_requested_at: requested_at,
            organization_deleted_at: deleted_at,
            receipts,
            issued_at: clock::utc_now(),
        };
        self.answer(&summary, &signer)
    }

    /// Keys, collections, and the organization itself.
    async fn delete_rows(&self, database: &Database) -> Result<(), Failure> {
        let request = RequestId::random();
        loop {
            // What a request made that was under way when its key went is seen by the next round.
            if !database.begin_organization_deletion(self.organization).await? {
                return Ok(());
            }
            let collections = database.collections_of(self.organization).await?;
            self.delete_collections(database, collections, request).await?;
            if database.finish_organization_deletion(self.organization).await? {
                return Ok(());
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// D1 of each, and D3 once nothing can write any more.
    async fn delete_collections(
        &self,
        database: &Database,
        collections: Vec<CollectionId>,
        request: RequestId,
    ) -> Result<(), Failure> {
        let bar = Progress::new("collections", u64::try_from(collections.len()).unwrap_or(u64::MAX));
        let mut waiting = Vec::new();
        let mut gone = 0;
        for collection in collections {
            let subject = Subject::Collection(collection);
            let requester = Requester { api_key: None, request, reference: self.reference.clone() };
            match database.request(self.organization, subject, requester).await? {
                Requested::NotFound | Requested::Committed { .. } => gone += 1,
                // On this process's own clock, from after D1.
                Requested::Waiting { .. } => waiting.push((subject, Instant::now())),
            }
            bar.at(gone);
        }
        let times = self.protocol.times();
        while !waiting.is_empty() {
            bar.says("collections; syncs are being stopped");
            let mut left = Vec::new();
            for (subject, since) in waiting {
                match database.try_commit(subject, watched(since, &times)).await? {
                    Commit::NotYet => left.push((subject, since)),
                    Commit::Done(_) | Commit::AlreadyGone => gone += 1,
                }
                bar.at(gone);
            }
            waiting = left;
            tokio::time::sleep(INTERVAL).await;
        }
        Ok(())
    }

    /// Waits until every cleanup has a receipt that holds.
    async fn receipts(&self, database: &Database) -> Result<Vec<SummarizedReceipt>, Failure> {
        let bar = Progress::new("cleanups", 0);
        loop {
            let left = database.cleanups_left(self.organization).await?;
            if left.refused > 0 {
                let text = format!("{} cleanups are refused: unweave cleanups list --status refused", left.refused);
                return Err(Failure::refused("refused", text));
            }
            bar.of(u64::try_from(left.all).unwrap_or_default());
            bar.at(u64::try_from(left.all - left.open).unwrap_or_default());
            bar.says(if left.failing > 0 { "cleanups, some are failing: unweave cleanups list" } else { "cleanups" });
            if left.open == 0 {
                let receipts = self.holding(database).await?;
                // One may have been opened again meanwhile.
                if i64::try_from(receipts.len()) == Ok(left.all) {
                    return Ok(receipts);
                }
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    async fn holding(&self, database: &Database) -> Result<Vec<SummarizedReceipt>, Failure> {
        let filter = ReceiptFilter { organization: Some(self.organization), ..ReceiptFilter::default() };
        let (mut receipts, mut after) = (Vec::new(), None);
        loop {
            let page = database.list_receipts(&filter, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(receipts) };
            after = Some(last.place());
            let holding = page.iter().filter(|listed| listed.receipt.superseded.is_none());
            for listed in holding {
                receipts.push(summarized(listed)?);
            }
        }
    }

    fn answer(&self, summary: &DeletionSummary, signer: &LedgerSigner) -> Result<Answer, Failure> {
        let file = signer.sign_summary(summary).map_err(unsigned)?;
        let json = json!(file);
        let mut lines = vec![
            checked(
                "deleted",
                format!("organization {} at {}", self.organization, stamp::text(summary.organization_deleted_at)),
            ),
            checked("gone", format!("{} source connections, each with a receipt that holds", summary.receipts.len())),
        ];
        let due = summary.receipts.iter().filter_map(|receipt| receipt.later_check_at).max();
        if let Some(due) = due {
            lines.push(told("checked again", format!("some of them, until {}", table::moment(due))));
        }
        match &self.summary {
            Some(path) => {
                let cannot = |error: std::io::Error| Failure::Unchecked(format!("{}: {error}", path.display()));
                std::fs::write(path, format!("{json:#}\n")).map_err(cannot)?;
                lines.push(told("summary", format!("{}, signed by {}", path.display(), file.signature.key_id)));
            }
            None => lines.extend(format!("{json:#}").lines().map(str::to_owned)),
        }
        Ok(Answer { lines, json })
    }
}

fn plan(found: &OrganizationSummary) -> Vec<String> {
    let mut lines = table::described([
        ("organization", format!("{} ({})", found.name, found.id)),
        ("API keys", found.keys.to_string()),
        ("collections", found.collections.to_string()),
        ("source connections", found.connections.to_string()),
    ]);
    lines.push("all of it is deleted, with what the stores have of it".to_owned());
    lines
}

/// Whether every lease has run out since.
fn watched(since: Instant, times: &ProtocolTimes) -> Watched {
    if since.elapsed() >= times.silence_after() {
        Watched::PastEveryLease { guard: times.lease_guard }
    } else {
        Watched::Briefly
    }
}

fn summarized(listed: &ListedReceipt) -> Result<SummarizedReceipt, Failure> {
    let receipt = listed.receipt.signed.get("receipt").ok_or(ReceiptError::Malformed("receipt")).map_err(unsigned)?;
    SummarizedReceipt::of(receipt).map_err(unsigned)
}

fn unsigned(error: ReceiptError) -> Failure {
    Failure::Unchecked(error.to_string())
}
