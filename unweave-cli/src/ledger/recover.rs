//! `unweave ledger recover`: puts back what PostgreSQL lost and the ledger store has.
//!
//! Keeps DEL-10. What it would delete is shown before anything is done, and somebody says yes to it: a clone of this
//! installation that publishes into the same store looks like lost history, too.

use std::sync::Arc;

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use shared_database::Database;
use shared_database::ledger::{PutBack, RestoredConnection};
use shared_ledger::recover::{Missing, Progress};
use shared_ledger::{Recovery, RecoveryError};
use shared_models::ledger::{Origin, TrustedKeys, stamp};
use shared_service::settings::{BadKey, KeyRing, ProtocolSettings, Validate as _, object_store_url};
use shared_stores::LedgerStore;

use super::keys::signer;
use crate::confirm::Confirmation;
use crate::failure::Failure;
use crate::output::{Answer, Output, checked, told};
use crate::progress;

const EXAMPLES: &str = "Examples, with the environment of the cleanup-workers:
  What is missing in PostgreSQL, and what would be deleted again:
    unweave ledger recover --dry-run
  Do it; it asks before:
    unweave ledger recover

It reads the entries that LEDGER_URL has and PostgreSQL hasn't. Each deletion among them is done again: a connection that
is there again goes, and its cleanup is scheduled. Receipts are put back, and hold no longer until their cleanup is done
once more. Every connection's next sync reads and writes everything. The services stand still until it has ended, and go
on by themselves then. If it is interrupted, run it again.

A copy of this installation that publishes into the same store looks the same: then don't recover, but give the copy a
ledger store of its own.";

/// Nobody signed what is missing.
const UNSIGNED: &str = "no checkpoint covers the missing entries: a process died while it published them, or somebody \
                        else wrote them; look at them with --dry-run, then use --accept-unsigned";

/// Connections that are listed for people.
const MOST_SHOWN: usize = 20;

/// What `ledger recover` is given.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Recover {
    /// PostgreSQL, as postgres://user:password@host/database; a secret
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: SecretString,
    /// The ledger store: file:///folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix
    #[arg(long, env = "LEDGER_URL", value_name = "URL", hide_env_values = true)]
    ledger_url: SecretString,
    /// The ledger's name
    #[arg(long, env = "LEDGER_ORIGIN", value_name = "NAME")]
    ledger_origin: Origin,
    /// The services' setting: name:base64-of-32-bytes[,name2:…]; a secret
    #[arg(long, env = "LEDGER_KEYS", value_name = "NAME:KEY,…", hide_env_values = true)]
    ledger_keys: SecretString,
    /// The services' times
    #[command(flatten)]
    protocol: ProtocolSettings,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    confirmation: Confirmation,
    /// Don't let the next syncs write everything again: only if Vespa and ARF certainly weren't restored
    #[arg(long)]
    keep_documents: bool,
    /// Also put back entries that no checkpoint covers: a process wrote them and died before it signed them. Look at
    /// them first, for nothing but the rights to write into the store says that they are the ledger's
    #[arg(long)]
    accept_unsigned: bool,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

impl Recover {
    pub(super) async fn run(&self) -> Result<Answer, Failure> {
        let recovery = self.recovery()?;
        let Some(missing) = recovery.missing().await? else {
            let lines = vec![checked("ledger", "PostgreSQL has every entry that the ledger store has")];
            return Ok(Answer { lines, json: json!({ "verdict": "nothing_missing" }) });
        };
        let restored = recovery.restored(&missing).await?;
        let mut lines = plan(&missing, &restored);
        if self.dry_run {
            let accept = if missing.is_unsigned() { " --accept-unsigned" } else { "" };
            lines.push(told("next", format!("nothing was changed: unweave ledger recover{accept}")));
            return Ok(Answer { lines, json: described(&missing, &restored, None) });
        }
        if missing.is_unsigned() && !self.accept_unsigned {
            return Err(Failure::refused("checkpoint", UNSIGNED.to_owned()));
        }
        self.confirmation.ask(&lines, "Put this back, and delete those connections?")?;
        lines.clear();
        let done = run(&recovery, &missing).await?;
        lines.extend(outcome(&missing, done));
        Ok(Answer { lines, json: described(&missing, &restored, Some(done)) })
    }

    fn recovery(&self) -> Result<Recovery, Failure> {
        self.protocol.validate().map_err(Failure::Usage)?;
        let usage = |what: &'static str| move |error: String| Failure::Usage(format!("{what}: {error}"));
        let keys = self.ledger_keys.expose_secret().parse::<KeyRing>();
        let keys = keys.map_err(|error: BadKey| usage("LEDGER_KEYS")(error.to_string()))?;
        let signers = keys.secrets().map(|(name, secret)| signer(&self.ledger_origin, name, &secret));
        let signers = signers.collect::<Result<Vec<_>, _>>()?;
        let trusted: TrustedKeys = signers.iter().map(|signer| signer.verifier().clone()).collect();
        let signs = signers.into_iter().next().ok_or_else(|| usage("LEDGER_KEYS")("there is no key".to_owned()))?;
        let url =
            object_store_url(self.ledger_url.expose_secret()).map_err(|error| usage("LEDGER_URL")(error.to_owned()))?;
        let times = self.protocol.times();
        Ok(Recovery {
            database: Database::new(&self.database_url, 2).map_err(|error| Failure::Unchecked(error.to_string()))?,
            store: LedgerStore::open_to_read(&url)?,
            origin: self.ledger_origin.clone(),
            keys: trusted,
            signer: Arc::new(signs),
            silence_after: times.silence_after(),
            guard: times.lease_guard,
            rewrites: !self.keep_documents,
        })
    }
}

async fn run(recovery: &Recovery, missing: &Missing) -> Result<PutBack, Failure> {
    let bar = progress::Progress::new("entries", missing.count());
    let done = recovery.run(missing, |at| match at {
        Progress::WaitingForJobs => bar.says("waiting until the jobs of deleted connections have stopped"),
        Progress::Syncs(_) => bar.says("syncs are told to write everything again"),
        Progress::Entries(done) => {
            bar.says("entries");
            bar.at(done);
        }
    });
    Ok(done.await?)
}

fn plan(missing: &Missing, restored: &[RestoredConnection]) -> Vec<String> {
    let (counts, size) = (missing.counts(), missing.size());
    let since = missing.oldest().map_or_else(String::new, |oldest| format!(", the oldest of {}", stamp::text(oldest)));
    let mut lines = vec![
        told("missing", format!("{} of {size} entries{since}", missing.count())),
        told(
            "of these",
            format!(
                "{} deletions, {} receipts, {} ended receipts, {} audit entries",
                counts.deleted, counts.receipts, counts.superseded, counts.audit
            ),
        ),
    ];
    if missing.is_unsigned() {
        lines.push(told("unsigned", "no checkpoint covers them: put back only with --accept-unsigned"));
    }
    if missing.unsigned_beyond() > 0 {
        let text = format!("{} entries beyond these: they are asked for afterwards", missing.unsigned_beyond());
        lines.push(told("unsigned", text));
    }
    if counts.unknown > 0 {
        lines.push(told("unknown", format!("{} of a later version: put back, and nothing else", counts.unknown)));
    }
    if counts.audit > 0 {
        let changes: Vec<_> =
            missing.changes().iter().map(|(what, count)| format!("{count} {}", what.as_str())).collect();
        lines.push(told("changes", changes.join(", ")));
        let done_again = "deleted API keys and collections go again; other changes must be made again by hand";
        lines.push(told("of these", done_again));
    }
    let shown = restored.iter().take(MOST_SHOWN);
    lines.extend(shown.map(|connection| {
        let (id, organization) = (connection.id, connection.organization_id);
        told("is deleted", format!("source connection {id} of organization {organization}"))
    }));
    if restored.len() > MOST_SHOWN {
        lines.push(told("is deleted", format!("and {} more; --output json names all", restored.len() - MOST_SHOWN)));
    }
    if restored.is_empty() {
        lines.push(told("is deleted", "nothing: no deleted connection is there again"));
    }
    lines
}

fn described(missing: &Missing, restored: &[RestoredConnection], done: Option<PutBack>) -> Value {
    let counts = missing.counts();
    json!({
        "verdict": if done.is_some() { "recovered" } else { "would_recover" },
        "put_back": done.map(|done| json!({
            "connections_deleted": done.connections,
            "cleanups": done.cleanups,
            "cleanups_reopened": done.reopened,
            "receipts": done.receipts,
        })),
        "missing": {
            "entries": missing.count(),
            "from": missing.from(),
            "to": missing.size(),
            "is_signed": !missing.is_unsigned(),
            "unsigned_beyond": missing.unsigned_beyond(),
            "oldest": missing.oldest().map(stamp::text),
            "deleted": counts.deleted,
            "receipts": counts.receipts,
            "superseded": counts.superseded,
            "audit": counts.audit,
            "changes": missing.changes(),
            "unknown": counts.unknown,
        },
        "connections": restored.iter().map(|connection| json!({
            "source_connection_id": connection.id,
            "organization_id": connection.organization_id,
            "sync_id": connection.sync_id,
        })).collect::<Vec<_>>(),
    })
}

fn outcome(missing: &Missing, done: PutBack) -> Vec<String> {
    let next = if missing.unsigned_beyond() > 0 {
        "entries that nobody signed are left, and the services stand still: unweave ledger recover --dry-run"
    } else {
        "the services notice it within seconds; cleanups purge once more what came back"
    };
    vec![
        checked("put back", format!("{} cleanups, {} receipts", done.cleanups, done.receipts)),
        checked("deleted", format!("{} connections that were there again", done.connections)),
        checked("reopened", format!("{} cleanups that were done", done.reopened)),
        told("next", next),
    ]
}

impl From<RecoveryError> for Failure {
    fn from(error: RecoveryError) -> Self {
        let text = error.to_string();
        match error {
            RecoveryError::Fork { .. } => Self::refused("forked", text),
            RecoveryError::Foreign(_) | RecoveryError::Note(_) | RecoveryError::UnknownKey(_) => {
                Self::refused("checkpoint", text)
            }
            RecoveryError::Altered => Self::refused("root", text),
            RecoveryError::Tree(_) | RecoveryError::Tile(_) => Self::refused("bundle", text),
            RecoveryError::Entry { .. } | RecoveryError::Receipt { .. } => Self::refused("entry", text),
            RecoveryError::File(error) => error.into(),
            RecoveryError::Store(error) => error.into(),
            RecoveryError::Database(_)
            | RecoveryError::Look(_)
            | RecoveryError::Elsewhere { .. }
            | RecoveryError::MayWrite
            | RecoveryError::NotByItself(_) => Self::Unchecked(text),
        }
    }
}
