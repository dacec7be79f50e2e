//! `unweave receipt export`: all receipts of a period, for those who keep them elsewhere and for auditors.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use futures::TryStreamExt as _;
use serde_json::json;
use shared_database::receipts::ReceiptFilter;
use shared_models::{CollectionId, DeletionReference, OrganizationId, SourceConnectionId};
use shared_receipts::{Export, ExportError, Format};

use crate::failure::Failure;
use crate::output::{Answer, Output, told};
use crate::postgres::Postgres;
use crate::progress::Watched;

const EXAMPLES: &str = "Examples:
  What one customer asked for under a reference, as an archive with keys, proofs and a reader's guide:
    unweave receipt export --reference DSAR-2026-042 --format zip --to dsar-2026-042.zip
  Half a year of one organization, as a table:
    unweave receipt export --organization 0f0e0d0c-0b0a-4908-8706-050403020100 \\
      --since 2026-01-01T00:00:00Z --until 2026-07-01T00:00:00Z --format csv --to receipts.csv
  Everything, as lines, to somewhere else:
    unweave receipt export | gzip > receipts.ndjson.gz

A file that is there already is left alone. What is written into a file has its name only once it is whole.";

/// What `receipt export` is given.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ExportReceipts {
    /// Only those of this organization
    #[arg(long, value_name = "ID")]
    organization: Option<OrganizationId>,
    /// Only those of connections that were in this collection
    #[arg(long, value_name = "ID")]
    collection: Option<CollectionId>,
    /// Only those of this source connection
    #[arg(long, value_name = "ID")]
    connection: Option<SourceConnectionId>,
    /// Only those whose deletion the caller called so
    #[arg(long, value_name = "TEXT")]
    reference: Option<DeletionReference>,
    /// Only those issued at this time or later, such as 2026-03-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
    /// Only those issued before this time
    #[arg(long, value_name = "TIME")]
    until: Option<DateTime<Utc>>,
    /// ndjson: a line of JSON each; csv: a table, which proves nothing; zip: an archive with all that a verifier needs
    #[arg(long, value_name = "FORMAT", default_value = "ndjson", value_parser = format())]
    format: Format,
    /// The file that is written; - is standard output
    #[arg(long, value_name = "FILE|-", default_value = "-")]
    to: PathBuf,
    #[command(flatten)]
    postgres: Postgres,
    /// How the answer is written; what is exported has its own --format
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

fn format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::NAMES).try_map(|name| name.parse::<Format>())
}

impl ExportReceipts {
    pub(super) async fn run(&self) -> Result<Answer, Failure> {
        let filter = ReceiptFilter {
            organization: self.organization,
            collection: self.collection,
            connection: self.connection,
            reference: self.reference.clone(),
            since: self.since,
            until: self.until,
        };
        let export = Export { database: self.postgres.open()?, filter, format: self.format };
        if self.to.as_os_str() == "-" {
            write(export, &mut std::io::stdout().lock()).await?;
            return Ok(Answer { lines: Vec::new(), json: json!(null) });
        }
        let bytes = into_file(export, &self.to).await?;
        let lines = vec![told("written", format!("{bytes} bytes into {}", self.to.display()))];
        Ok(Answer { lines, json: json!({ "file": self.to, "format": self.format.as_str(), "bytes": bytes }) })
    }
}

/// Into a file beside it first, which gets the name at the end.
async fn into_file(export: Export, path: &Path) -> Result<u64, Failure> {
    let cannot = |error: std::io::Error| Failure::Unchecked(format!("{}: {error}", path.display()));
    if path.exists() {
        return Err(Failure::Usage(format!("{} is there already", path.display())));
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    let mut file = std::fs::File::create(&part).map_err(cannot)?;
    let written = write(export, &mut file).await;
    let written = written.and_then(|bytes| file.sync_all().map(|()| bytes).map_err(cannot));
    let written = written.and_then(|bytes| std::fs::rename(&part, path).map(|()| bytes).map_err(cannot));
    if written.is_err() {
        let _gone_before = std::fs::remove_file(&part);
    }
    written
}

async fn write(export: Export, to: &mut impl std::io::Write) -> Result<u64, Failure> {
    let cannot = |error: std::io::Error| Failure::Unchecked(format!("write: {error}"));
    let (mut pages, mut bytes) = (Box::pin(export.stream()), 0);
    let watched = Watched::new("bytes written");
    while let Some(page) = pages.try_next().await? {
        to.write_all(&page).map_err(cannot)?;
        bytes += u64::try_from(page.len()).unwrap_or_default();
        watched.at(bytes);
    }
    to.flush().map_err(cannot)?;
    Ok(bytes)
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Database(error) => error.into(),
            error => Self::Unchecked(error.to_string()),
        }
    }
}
