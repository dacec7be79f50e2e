//! What is really there, read beside our own code: PostgreSQL by SQL, Vespa by the stand-in's own look at its corpus,
//! ARF by walking its folder.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// What PostgreSQL, Vespa and ARF hold of one sync. Two that are equal mean that nothing was touched in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holdings {
    pub(super) documents: u64,
    documents_checksum: String,
    pub(super) blobs: u64,
    blobs_checksum: String,
    pub(super) rows: i64,
    rows_checksum: String,
}

#[derive(Deserialize)]
struct Checksum {
    documents: u64,
    sha256: String,
}

/// The tables below a connection.
const TABLES: [&str; 6] = ["source_connection", "credential", "sync", "sync_job", "entity", "entity_count"];

pub(super) struct Facts {
    database: tokio_postgres::Client,
    http: reqwest::Client,
    vespa: String,
    arf: PathBuf,
}

/// Connects to PostgreSQL.
pub(super) async fn connect(url: &str) -> Result<tokio_postgres::Client> {
    let (client, connection) =
        tokio_postgres::connect(url, tokio_postgres::NoTls).await.context("connect to PostgreSQL")?;
    let mut driver = tokio::task::JoinSet::new();
    driver.spawn(connection);
    driver.detach_all();
    Ok(client)
}

impl Facts {
    pub(super) async fn new(database_url: &str, vespa: &str, arf_url: &str) -> Result<Self> {
        let arf = url::Url::parse(arf_url).ok().and_then(|url| url.to_file_path().ok());
        Ok(Self {
            database: connect(database_url).await?,
            http: reqwest::Client::builder().no_proxy().build().context("set up the HTTP client")?,
            vespa: vespa.to_owned(),
            arf: arf.context("the demo needs ARF in a local folder")?,
        })
    }

    /// Everything that a sync holds.
    pub(super) async fn holdings(&self, sync: &str) -> Result<Holdings> {
        let documents: Checksum = self
            .http
            .get(format!("{}/standin/v1/checksum?field=airweave_system_metadata_sync_id&value={sync}", self.vespa))
            .send()
            .await
            .context("ask the stand-in")?
            .error_for_status()?
            .json()
            .await?;
        let mut blobs = Vec::new();
        list(&self.arf.join("raw").join(sync), &mut blobs)?;
        blobs.sort();
        let row = self
            .database
            .query_one(
                "SELECT count(*), coalesce(md5(string_agg(e::text, ',' ORDER BY entity_key)), '')
                 FROM entity e WHERE sync_id::text = $1",
                &[&sync],
            )
            .await?;
        Ok(Holdings {
            documents: documents.documents,
            documents_checksum: documents.sha256,
            blobs: u64::try_from(blobs.len())?,
            blobs_checksum: checksum(&blobs)?,
            rows: row.get(0),
            rows_checksum: row.get(1),
        })
    }

    /// Rows of a connection in every table, by table.
    pub(super) async fn rows_by_table(&self, connection: &str, sync: &str) -> Result<Vec<(&'static str, i64)>> {
        let mut rows = Vec::new();
        for table in TABLES {
            let query = format!(
                "SELECT count(*) FROM {table} t WHERE t::text LIKE '%' || $1 || '%' OR t::text LIKE '%' || $2 || '%'"
            );
            rows.push((table, self.database.query_one(&query, &[&connection, &sync]).await?.get(0)));
        }
        Ok(rows)
    }
}

fn list(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("list {}", folder.display())),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() { list(&entry.path(), found)? } else { found.push(entry.path()) }
    }
    Ok(())
}

fn checksum(files: &[PathBuf]) -> Result<String> {
    use std::hash::Hasher as _;
    // Not against forgers: two looks at the same folder by the same program.
    let mut hasher = std::collections::hash_map::DefaultHasher::new();
    for file in files {
        hasher.write(file.to_string_lossy().as_bytes());
        match std::fs::read(file) {
            Ok(bytes) => hasher.write(&bytes),
            // Removed since it was listed.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("read {}", file.display())),
        }
    }
    Ok(format!("{:016x}", hasher.finish()))
}
