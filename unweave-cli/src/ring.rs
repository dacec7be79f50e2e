//! Commands about CREDENTIALS_KEYS, the key ring that encrypts source credentials and wraps the keys of blobs.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use shared_database::RowCipher;
use shared_database::rewrap::{Rewrapped, RingKeyUse, RingRows};
use shared_service::settings::{BadKey, KeyRing};

use crate::confirm::Confirmation;
use crate::failure::Failure;
use crate::output::{Answer, Output, checked, told};
use crate::postgres::Postgres;
use crate::progress::Progress;
use crate::table;

const STATUS: &str = "Example, with the environment of a gateway:
    unweave keys status

It tells the keys of the ring apart that still are needed, that aren't any more, and those that rows need and the ring
lacks: what those encrypt can't be read.";

const REWRAP: &str =
    "Example, with the environment of a gateway, after a new key was put first in CREDENTIALS_KEYS and all
gateways and sync-workers have been started with it:
    unweave keys rewrap

What the old keys encrypt is encrypted with the first one. Blobs stay as they are: only their keys are wrapped anew. If
it is interrupted, run it again. Then an old key may be taken out of the ring: unweave keys status says which.";

/// Rows that are read at a time.
const PAGE: i64 = 200;

/// What is done with the ring.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Says which keys of the ring are needed, and for how much
    Status(Status),
    /// Encrypts credentials and blob keys with the ring's first key, so that the others can be taken away
    Rewrap(Rewrap),
}

/// The ring.
#[derive(Debug, Args)]
struct Ring {
    /// The services' setting: id:base64-of-32-bytes[,id2:…], the first encrypts; a secret
    #[arg(long, env = "CREDENTIALS_KEYS", value_name = "ID:KEY,…", hide_env_values = true)]
    credentials_keys: SecretString,
}

impl Ring {
    /// Read here: what clap says of a value that it can't read quotes it.
    fn read(&self) -> Result<KeyRing, Failure> {
        let ring = self.credentials_keys.expose_secret().parse();
        ring.map_err(|error: BadKey| Failure::Usage(format!("CREDENTIALS_KEYS: {error}")))
    }
}

/// What `keys status` is given.
#[derive(Debug, Args)]
#[command(after_help = STATUS)]
pub struct Status {
    #[command(flatten)]
    ring: Ring,
    #[command(flatten)]
    postgres: Postgres,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// What `keys rewrap` is given.
#[derive(Debug, Args)]
#[command(after_help = REWRAP)]
pub struct Rewrap {
    #[command(flatten)]
    ring: Ring,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    postgres: Postgres,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

impl Command {
    /// How the answer is written.
    pub const fn output(&self) -> Output {
        match self {
            Self::Status(asked) => asked.output,
            Self::Rewrap(asked) => asked.output,
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// Why it couldn't be done.
    pub async fn run(&self) -> Result<Answer, Failure> {
        match self {
            Self::Status(asked) => {
                let ring = asked.ring.read()?;
                Ok(status(&ring, &asked.postgres.open()?.ring_use().await?))
            }
            Self::Rewrap(asked) => asked.run().await,
        }
    }
}

/// Each key once: those of the ring in their order, then those that it lacks.
fn status(ring: &KeyRing, used: &[RingKeyUse]) -> Answer {
    let ids: Vec<String> = ring.secrets().map(|(id, _)| id).collect();
    let by_id: BTreeMap<&str, &RingKeyUse> = used.iter().map(|used| (used.key_id.as_str(), used)).collect();
    let missing = used.iter().filter(|used| !ids.contains(&used.key_id));
    let all = ids.iter().map(String::as_str).chain(missing.map(|used| used.key_id.as_str()));
    let (mut rows, mut keys) = (Vec::new(), Vec::new());
    for (at, id) in all.enumerate() {
        let (credentials, blob_keys) = by_id.get(id).map_or((0, 0), |used| (used.credentials, used.blob_keys));
        let standing = match (at, at < ids.len(), credentials + blob_keys) {
            (0, ..) => "encrypts",
            (_, true, 0) => "not needed: it may be taken away",
            (_, true, _) => "needed: keys rewrap",
            (_, false, _) => "missing in the ring: what it encrypts can't be read",
        };
        keys.push(json!({
            "id": id,
            "is_first": at == 0,
            "is_in_ring": at < ids.len(),
            "credentials": credentials,
            "blob_keys": blob_keys,
        }));
        rows.push([id.to_owned(), credentials.to_string(), blob_keys.to_string(), standing.to_owned()]);
    }
    let lines = table::lines(["key", "credentials", "blob keys", "standing"], rows);
    Answer { lines, json: Value::Array(keys) }
}

impl Rewrap {
    async fn run(&self) -> Result<Answer, Failure> {
        let ring = self.ring.read()?;
        let first = ring.secrets().next().map(|(id, _)| id).unwrap_or_default();
        let no_key = || Failure::Usage("CREDENTIALS_KEYS: there is no key".to_owned());
        let cipher = RowCipher::new(ring.secrets()).ok_or_else(no_key)?;
        let database = self.postgres.open()?;
        let used = database.ring_use().await?;
        let others: i64 =
            used.iter().filter(|used| used.key_id != first).map(|used| used.credentials + used.blob_keys).sum();
        if others == 0 {
            let lines = vec![checked("rewrapped", format!("nothing: everything is by key '{first}'"))];
            return Ok(Answer { lines, json: described(&first, &Rewrapped::default()) });
        }
        let what =
            format!("{others} rows are encrypted with key '{first}'; every gateway and sync-worker must have it.");
        self.confirmation.ask(&[what], "Encrypt them?")?;
        // Before the first row: whatever becomes of this process, the ledger says that somebody did it.
        database.tell_rewrapped().await?;
        let bar = Progress::new("rows", u64::try_from(others).unwrap_or_default());
        let mut done = Rewrapped::default();
        for rows in RingRows::ALL {
            let mut after = None;
            while let Some((last, more)) = database.rewrap(&cipher, rows, after, PAGE).await? {
                after = Some(last);
                done += more;
                bar.at(done.rewrapped + done.changed + u64::try_from(done.failed.len()).unwrap_or_default());
            }
        }
        drop(bar);
        outcome(&first, &done)
    }
}

fn outcome(first: &str, done: &Rewrapped) -> Result<Answer, Failure> {
    if let Some((connection, why)) = done.failed.first() {
        let count = done.failed.len();
        let text = format!(
            "{} rows are by key '{first}' now; {count} can't be decrypted, the first of source connection {connection}: {why}",
            done.rewrapped
        );
        return Err(Failure::refused("undecryptable", text));
    }
    let mut lines = vec![checked("rewrapped", format!("{} rows are by key '{first}' now", done.rewrapped))];
    if done.changed > 0 {
        lines.push(told("changed", format!("{} rows meanwhile by somebody else", done.changed)));
    }
    lines.push(told("next", "unweave keys status says which keys may be taken out of the ring"));
    Ok(Answer { lines, json: described(first, done) })
}

fn described(first: &str, done: &Rewrapped) -> Value {
    json!({ "key": first, "rewrapped": done.rewrapped, "changed_meanwhile": done.changed })
}
