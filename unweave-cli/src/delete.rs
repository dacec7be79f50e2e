//! `unweave delete`: deletes a source connection or a collection by the API, waits until its data is gone, and keeps
//! the receipts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use futures::future::try_join_all;
use reqwest::{Method, StatusCode};
use serde_json::json;
use shared_models::receipt::ReceiptFile;
use shared_models::wire::cleanup::Cleanup;
use shared_models::wire::deletion_preview::DeletionPreview;
use shared_models::wire::source_connection::SourceConnectionListItem;
use shared_models::{CleanupId, CleanupState, CollectionId, DeletionReference, SourceConnectionId};
use tokio::time::Instant;

use crate::api::{Api, ApiError, Service, answered};
use crate::cleanups::follow::{Pauses, follow};
use crate::confirm::Confirmation;
use crate::failure::Failure;
use crate::output::{Answer, Output, checked, told};
use crate::progress::Progress;
use crate::table;

const EXAMPLES: &str = "Examples, with UNWEAVE_URL and UNWEAVE_API_KEY:
  Say what would go, ask, delete, and wait until all of it is gone:
    unweave delete 5f0c8a52-6f0e-4b7c-9d43-2f1f0b3c9a11 --wait --reference DSAR-2026-042 --receipts ./receipts
  A collection with all its source connections, by its readable id:
    unweave delete --collection support-tickets-x7k2p9 --wait --receipts ./receipts

Nothing of it is found by a search from the moment the deletion is accepted. Without --wait it ends then, and the rest
goes on by itself. Ending the command stops nothing.";

/// A receipt is in the ledger seconds after its cleanup is done; so long it is waited for.
const PUBLISHED_WITHIN: Duration = Duration::from_secs(30);
/// How often something is asked for that must come soon.
const SOON: Duration = Duration::from_secs(2);
/// What isn't there so many times in a row, and left no cleanup, had nothing to be cleaned up.
const GONE_FOR_SURE: u32 = 3;
/// Connections of a collection that are shown.
const MOST_SHOWN: usize = 20;

/// What `delete` is given.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[group(id = "what", required = true, multiple = false, args = ["id", "collection"])]
pub struct Delete {
    /// The source connection
    #[arg(value_name = "ID")]
    id: Option<SourceConnectionId>,
    /// A collection with all its source connections, by its readable id
    #[arg(long, value_name = "READABLE_ID")]
    collection: Option<String>,
    /// Wait until all of its data is gone and the receipts are there
    #[arg(long)]
    wait: bool,
    /// Your own name for this deletion: it stands in the receipts, and finds them again
    #[arg(long, value_name = "TEXT")]
    reference: Option<DeletionReference>,
    /// The folder that gets a file for each receipt; it is made if it isn't there
    #[arg(long, value_name = "FOLDER", requires = "wait")]
    receipts: Option<PathBuf>,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    service: Service,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// What is deleted.
struct Subject {
    path: [String; 2],
    /// How its cleanups are found.
    filter: (&'static str, String),
    lines: Vec<String>,
}

impl Subject {
    fn path(&self) -> [&str; 2] {
        self.path.each_ref().map(String::as_str)
    }
}

impl Delete {
    /// Does it.
    ///
    /// # Errors
    /// Nothing was deleted, or it isn't known how far it got: then it says so.
    pub async fn run(&self) -> Result<Answer, Failure> {
        if let Some(folder) = &self.receipts {
            std::fs::create_dir_all(folder).map_err(cannot_write(folder))?;
        }
        let api = self.service.open()?;
        let subject = match (&self.id, &self.collection) {
            (Some(id), _) => connection(&api, *id).await?,
            (None, Some(readable_id)) => collection(&api, readable_id).await?,
            (None, None) => return Err(Failure::Usage("neither an id nor --collection is given".to_owned())),
        };
        self.confirmation.ask(&subject.lines, "Delete it? It can't be undone.")?;
        let cleanups = self.delete(&api, &subject).await?;
        let mut lines = vec![checked("deleted", "no search returns it any more")];
        lines.extend(cleanups.iter().map(|id| told("cleanup", id.to_string())));
        if !self.wait {
            lines.push(told("next", "its data is being removed: unweave cleanups watch shows how far it is"));
            return Ok(Answer { lines, json: json!({ "cleanups": cleanups }) });
        }
        let ended = wait(&api, &cleanups).await?;
        let mut receipts = Vec::with_capacity(ended.len());
        for cleanup in &ended {
            let receipt = receipt(&api, cleanup.id).await?;
            lines.push(said(cleanup, &receipt));
            receipts.push(receipt);
        }
        if let Some(folder) = &self.receipts {
            for receipt in &receipts {
                lines.push(told("receipt", keep(folder, receipt)?.display().to_string()));
            }
        }
        Ok(Answer { lines, json: json!({ "cleanups": cleanups, "receipts": receipts }) })
    }

    /// Asks until somebody says that it is deleted; the cleanups that remove its data.
    async fn delete(&self, api: &Api, subject: &Subject) -> Result<Vec<CleanupId>, Failure> {
        let (mut pauses, mut may_be_done, mut gone) = (Pauses::default(), false, 0);
        // A collection's connections may have been deleted before.
        let before = self.found(api, subject).await?;
        // Asked until it is answered: by then the deletion was accepted.
        let new = async || {
            let mut pauses = Pauses::default();
            loop {
                match self.found(api, subject).await {
                    Ok(mut found) => {
                        found.retain(|cleanup| !before.contains(cleanup));
                        return Ok::<Vec<_>, Failure>(found);
                    }
                    Err(error) => pauses.after(error).await?,
                }
            }
        };
        loop {
            match self.ask_once(api, subject).await {
                // The answer to a collection's deletion names none.
                Ok(cleanups) if cleanups.is_empty() => return new().await,
                Ok(cleanups) => return Ok(cleanups),
                // It was accepted: a sync hasn't stopped yet, or an answer to an earlier attempt was lost.
                Err(ApiError::Refused { status: StatusCode::CONFLICT, .. }) => may_be_done = true,
                Err(ApiError::Refused { status: StatusCode::NOT_FOUND, why }) => {
                    if !may_be_done {
                        return Err(Failure::refused("not_found", why));
                    }
                    let cleanups = new().await?;
                    gone += 1;
                    // A collection may have had no connection, and so has no cleanup.
                    if !cleanups.is_empty() || gone >= GONE_FOR_SURE {
                        return Ok(cleanups);
                    }
                }
                Err(error) => {
                    may_be_done = true;
                    pauses.after(error).await?;
                    continue;
                }
            }
            tokio::time::sleep(SOON).await;
        }
    }

    async fn ask_once(&self, api: &Api, subject: &Subject) -> Result<Vec<CleanupId>, ApiError> {
        let mut request = api.request(Method::DELETE, &subject.path())?;
        if let Some(reference) = &self.reference {
            request = request.header("x-deletion-reference", reference.as_str());
        }
        let response = answered(request.send().await?).await?;
        let named = response.headers().get_all("x-cleanup-id").iter();
        Ok(named.filter_map(|id| id.to_str().ok()?.parse().ok()).collect())
    }

    /// The cleanups of what is gone.
    async fn found(&self, api: &Api, subject: &Subject) -> Result<Vec<CleanupId>, ApiError> {
        let (name, value) = &subject.filter;
        let mut found = Vec::new();
        loop {
            let skip = found.len().to_string();
            let parameters = [(*name, value.as_str()), ("limit", "1000"), ("skip", &skip)];
            let request = api.request_with(Method::GET, &["cleanups"], &parameters)?;
            let listed: Vec<Cleanup> = crate::api::read(answered(request.send().await?).await?).await?;
            if listed.is_empty() {
                return Ok(found);
            }
            found.extend(listed.into_iter().map(|cleanup| cleanup.id));
        }
    }
}

async fn connection(api: &Api, id: SourceConnectionId) -> Result<Subject, Failure> {
    let id = id.to_string();
    let preview: DeletionPreview = api.get(&["source-connections", &id, "deletion-preview"]).await?;
    let mut lines = table::described([
        ("source connection", format!("{} ({id})", preview.name)),
        ("collection, which stays", preview.readable_collection_id.clone()),
        ("entities", preview.rows.entities.to_string()),
        ("documents in the index", preview.expected.documents.to_string()),
    ]);
    if preview.active_job.is_some() {
        lines.push(format!("a sync is running: it is stopped first, within {} s", preview.longest_wait_seconds));
    }
    let filter = ("source_connection_id", id.clone());
    Ok(Subject { path: ["source-connections".to_owned(), id], filter, lines })
}

async fn collection(api: &Api, readable_id: &str) -> Result<Subject, Failure> {
    #[derive(serde::Deserialize)]
    struct Collection {
        id: CollectionId,
        name: String,
    }
    let Collection { id, name } = api.get(&["collections", readable_id]).await?;
    let connections: Vec<SourceConnectionListItem> =
        api.get(&["collections", readable_id, "source-connections"]).await?;
    let mut lines = table::described([
        ("collection", format!("{name} ({readable_id})")),
        ("source connections", connections.len().to_string()),
    ]);
    let shown = connections.iter().take(MOST_SHOWN);
    lines.extend(shown.map(|connection| format!("  {} ({})", connection.name, connection.id)));
    if connections.len() > MOST_SHOWN {
        lines.push(format!("  and {} more", connections.len() - MOST_SHOWN));
    }
    let path = ["collections".to_owned(), readable_id.to_owned()];
    Ok(Subject { path, filter: ("collection_id", id.to_string()), lines })
}

/// Until all have ended.
async fn wait(api: &Api, cleanups: &[CleanupId]) -> Result<Vec<Cleanup>, Failure> {
    let bar = Progress::new("documents and blobs removed", 0);
    let counts = std::cell::RefCell::new(vec![(0, 0); cleanups.len()]);
    let followed = cleanups.iter().enumerate().map(|(at, id)| {
        let (bar, counts) = (&bar, &counts);
        follow(api, *id, move |now| {
            let count =
                |of: fn(&shared_models::wire::cleanup::CleanupTarget) -> u64| now.targets.values().map(of).sum();
            let mut counts = counts.borrow_mut();
            if let Some(known) = counts.get_mut(at) {
                *known = (count(|target| target.removed), count(|target| target.found));
            }
            bar.of(counts.iter().map(|(_, found): &(u64, u64)| found).sum());
            bar.at(counts.iter().map(|(removed, _)| removed).sum());
        })
    });
    let ended = try_join_all(followed).await?;
    match ended.iter().find(|cleanup| cleanup.state == CleanupState::Refused) {
        Some(refused) => Err(Failure::refused("refused", table::shown(refused.error_text.as_ref()))),
        None => Ok(ended),
    }
}

/// With its place in the ledger, if it gets one soon.
async fn receipt(api: &Api, cleanup: CleanupId) -> Result<ReceiptFile, Failure> {
    let (id, asked, mut pauses) = (cleanup.to_string(), Instant::now(), Pauses::default());
    loop {
        match api.get::<ReceiptFile>(&["cleanups", &id, "receipt"]).await {
            Ok(receipt) if receipt.ledger.is_some() || asked.elapsed() > PUBLISHED_WITHIN => return Ok(receipt),
            Ok(_) => tokio::time::sleep(SOON).await,
            Err(error) => pauses.after(error).await?,
        }
    }
}

fn said(cleanup: &Cleanup, receipt: &ReceiptFile) -> String {
    let removed: u64 = cleanup.targets.values().map(|target| target.removed).sum();
    let ledger = match &receipt.ledger {
        Some(proof) => format!("entry {} of the ledger", proof.index),
        None => "not in the ledger yet".to_owned(),
    };
    let id = receipt.receipt.get("receipt_id").and_then(|id| id.as_str()).unwrap_or_default();
    checked("gone", format!("{removed} documents and blobs removed, verified empty; receipt {id}, {ledger}"))
}

fn keep(folder: &Path, receipt: &ReceiptFile) -> Result<PathBuf, Failure> {
    let strange = || Failure::Unchecked("the answer isn't understood: a receipt without an id".to_owned());
    let id = receipt.receipt.get("receipt_id").and_then(|id| id.as_str()).ok_or_else(strange)?;
    let id: shared_models::ReceiptId = id.parse().map_err(|_| strange())?;
    let path = folder.join(format!("{id}.json"));
    let text = serde_json::to_vec_pretty(receipt).map_err(|error| Failure::Unchecked(error.to_string()))?;
    std::fs::write(&path, text).map_err(cannot_write(&path))?;
    Ok(path)
}

fn cannot_write(path: &Path) -> impl Fn(std::io::Error) -> Failure {
    move |error| Failure::Unchecked(format!("{}: {error}", path.display()))
}
