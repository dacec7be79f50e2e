//! What PostgreSQL lost: read once from the store, bundle by bundle, and led to the signed root.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use shared_database::Database;
use shared_database::ledger::{LedgerNodes, RecoveredTo};
use shared_models::ledger::{
    Action, BundleId, Checkpoint, Entry, Frontier, Hash, LedgerSigner, MAX_BUNDLE_BYTES, ReadEntry, SupersededReason,
    TILE_WIDTH, bundles_between, leaf_hash, needed_for_root, read_bundle,
};
use shared_models::{ReceiptId, SyncId};
use shared_service::clock;
use shared_stores::LedgerStore;

use super::RecoveryError;
use crate::files::{AT_ONCE, object};
use crate::stored::{Signed, Stored};

/// More entries aren't put back without a person.
const MOST_BY_ITSELF: u64 = 1_000;
/// Nor older ones.
const OLDEST_BY_ITSELF: TimeDelta = TimeDelta::days(1);

/// Missing entries, by what they say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MissingCounts {
    /// Deletions.
    pub deleted: u64,
    /// Receipts.
    pub receipts: u64,
    /// Receipts that no longer hold.
    pub superseded: u64,
    /// What somebody changed.
    pub audit: u64,
    /// What a later version wrote: it is put back, and nothing else is done about it.
    pub unknown: u64,
}

/// What PostgreSQL lost.
#[derive(Debug, Clone)]
pub struct Missing {
    from: u64,
    /// Where it ends.
    end: Signed,
    /// Entries that lie beyond the end and aren't signed.
    unsigned_beyond: u64,
    is_unsigned: bool,
    /// Of the first missing entry on, for what is read again.
    leaves: Vec<Hash>,
    /// The log as PostgreSQL has it.
    begin: Frontier,
    deleted: Vec<SyncId>,
    pub(super) superseded: BTreeMap<ReceiptId, (DateTime<Utc>, SupersededReason)>,
    counts: MissingCounts,
    changes: BTreeMap<Action, u64>,
    oldest: Option<DateTime<Utc>>,
}

impl Missing {
    /// Reads what the store has beyond the first `from` entries: those that are signed, or if there are none, the rest.
    pub(super) async fn read(
        database: &Database,
        store: &LedgerStore,
        signer: &LedgerSigner,
        from: u64,
        stored: Stored,
    ) -> Result<Self, RecoveryError> {
        let nodes: LedgerNodes = database.ledger_nodes(&needed_for_root(from)?).await?;
        let begin = Frontier::resume(from, &nodes)?;
        let mut log = begin.clone();
        let signed = stored.signed.filter(|signed| signed.checkpoint.size > from);
        let is_unsigned = signed.is_none();
        let end = signed.unwrap_or_else(|| Signed {
            checkpoint: Checkpoint {
                origin: signer.verifier().origin().clone(),
                size: stored.written,
                root: begin.root(),
            },
            note: String::new(),
        });
        let mut missing = Self {
            from,
            unsigned_beyond: stored.written.saturating_sub(end.checkpoint.size),
            end,
            is_unsigned,
            leaves: Vec::new(),
            begin,
            deleted: Vec::new(),
            superseded: BTreeMap::new(),
            counts: MissingCounts::default(),
            changes: BTreeMap::new(),
            oldest: None,
        };
        let size = missing.end.checkpoint.size;
        let bundles = stream::iter(missing.bundles()).map(|range| missing_entries(store, size, range));
        let mut bundles = Box::pin(bundles.buffered(AT_ONCE));
        while let Some((range, entries)) = bundles.try_next().await? {
            for (index, entry) in range.zip(entries) {
                let leaf = leaf_hash(&entry);
                log.append(leaf)?;
                missing.leaves.push(leaf);
                let fact = Entry::read(&entry).map_err(|error| RecoveryError::Entry { index, error })?;
                missing.take(Fact::of(fact));
            }
        }
        if is_unsigned {
            missing.end.checkpoint.root = log.root();
            missing.end.note = signer.sign_checkpoint(&missing.end.checkpoint)?;
        }
        if log.root() != missing.end.checkpoint.root || log.size() != size {
            return Err(RecoveryError::Altered);
        }
        Ok(missing)
    }

    fn take(&mut self, Fact { kind, at }: Fact) {
        self.oldest = [self.oldest, at].into_iter().flatten().min();
        match kind {
            Kind::Deleted(sync) => {
                self.counts.deleted += 1;
                self.deleted.push(sync);
            }
            Kind::Receipt => self.counts.receipts += 1,
            Kind::Superseded(receipt, at, reason) => {
                self.counts.superseded += 1;
                self.superseded.insert(receipt, (at, reason));
            }
            Kind::Audit(action) => {
                self.counts.audit += 1;
                *self.changes.entry(action).or_default() += 1;
            }
            Kind::Unknown => self.counts.unknown += 1,
        }
    }

    /// How many entries are missing.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.end.checkpoint.size.saturating_sub(self.from)
    }

    /// By what they say.
    #[must_use]
    pub const fn counts(&self) -> MissingCounts {
        self.counts
    }

    /// What somebody changed, and how often: the audit entries.
    #[must_use]
    pub const fn changes(&self) -> &BTreeMap<Action, u64> {
        &self.changes
    }

    /// When the oldest of what they say happened.
    #[must_use]
    pub const fn oldest(&self) -> Option<DateTime<Utc>> {
        self.oldest
    }

    /// Entries that PostgreSQL has: the index of the first that is missing.
    #[must_use]
    pub const fn from(&self) -> u64 {
        self.from
    }

    /// The log's size once it is back.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.end.checkpoint.size
    }

    /// Whether no checkpoint covers what is missing: somebody began to publish it and died, or somebody else put it
    /// there.
    #[must_use]
    pub const fn is_unsigned(&self) -> bool {
        self.is_unsigned
    }

    /// Entries that lie in the store beyond these, and aren't signed.
    #[must_use]
    pub const fn unsigned_beyond(&self) -> u64 {
        self.unsigned_beyond
    }

    /// The checkpoint that PostgreSQL gets.
    pub(super) fn end(&self) -> RecoveredTo {
        let Signed { checkpoint, note } = &self.end;
        let note = note.clone();
        RecoveredTo { size: checkpoint.size, root: checkpoint.root, note, is_published: !self.is_unsigned }
    }

    pub(super) fn deleted_syncs(&self) -> &[SyncId] {
        &self.deleted
    }

    /// The hashes of these entries.
    pub(super) fn leaves(&self, range: &Range<u64>) -> &[Hash] {
        let place = |index: u64| usize::try_from(index.saturating_sub(self.from)).unwrap_or(usize::MAX);
        self.leaves.get(place(range.start)..place(range.end)).unwrap_or_default()
    }

    /// The log as PostgreSQL had it when this was read.
    pub(super) fn begin(&self) -> Frontier {
        self.begin.clone()
    }

    /// The missing entries by the bundles that they are in.
    pub(super) fn bundles(&self) -> Vec<Range<u64>> {
        let bundles = bundles_between(self.from, self.size());
        let range = |bundle: BundleId| {
            let first = bundle.first_entry();
            first.max(self.from)..first.saturating_add(bundle.width.into())
        };
        bundles.map(range).collect()
    }
}

/// What is remembered of an entry.
struct Fact {
    kind: Kind,
    at: Option<DateTime<Utc>>,
}

enum Kind {
    Deleted(SyncId),
    Receipt,
    Superseded(ReceiptId, DateTime<Utc>, SupersededReason),
    Audit(Action),
    Unknown,
}

impl Fact {
    fn of(entry: ReadEntry) -> Self {
        let (kind, at) = match entry {
            ReadEntry::Known(Entry::Deleted(deleted)) => {
                (Kind::Deleted(deleted.sync_id), Some(deleted.rows_deleted_at))
            }
            ReadEntry::Known(Entry::Receipt(entry)) => {
                let issued = entry.receipt.get("issued_at").and_then(|at| at.as_str()).and_then(|at| at.parse().ok());
                (Kind::Receipt, issued)
            }
            ReadEntry::Known(Entry::Superseded(ended)) => {
                let at = ended.superseded_at;
                (Kind::Superseded(ended.receipt_id, at, ended.reason), Some(at))
            }
            ReadEntry::Known(Entry::Audit(audit)) => (Kind::Audit(audit.action), Some(audit.at)),
            ReadEntry::Unknown { .. } => (Kind::Unknown, None),
        };
        Self { kind, at }
    }
}

/// The texts of these entries, which are of one bundle of a log of `size` entries.
pub(super) async fn missing_entries(
    store: &LedgerStore,
    size: u64,
    range: Range<u64>,
) -> Result<(Range<u64>, Vec<Vec<u8>>), RecoveryError> {
    let width = u64::from(TILE_WIDTH);
    let index = range.start / width;
    let first = index * width;
    let in_bundle = size.saturating_sub(first).min(width);
    let id = BundleId { index, width: u16::try_from(in_bundle).unwrap_or(TILE_WIDTH) };
    let content = object(store, &id.path(), MAX_BUNDLE_BYTES).await?;
    let entries = read_bundle(&content, id.width)?;
    let skipped = usize::try_from(range.start - first).unwrap_or(usize::MAX);
    Ok((range, entries.into_iter().skip(skipped).map(<[u8]>::to_vec).collect()))
}

/// Whether so few entries are missing that they may be put back without a person.
///
/// # Errors
/// [`RecoveryError::NotByItself`] if not.
pub(crate) fn is_little(count: u64) -> Result<(), RecoveryError> {
    if count > MOST_BY_ITSELF {
        return Err(RecoveryError::NotByItself(format!("{count} entries are missing, more than {MOST_BY_ITSELF}")));
    }
    Ok(())
}

/// Whether so little is missing, and so new, that it is put back without a person.
///
/// # Errors
/// [`RecoveryError::NotByItself`] if not.
pub fn is_small(missing: &Missing) -> Result<(), RecoveryError> {
    is_little(missing.count())?;
    if missing.is_unsigned() {
        return Err(RecoveryError::NotByItself("no checkpoint covers the missing entries".to_owned()));
    }
    let (unknown, oldest) = (missing.counts().unknown, missing.oldest());
    if unknown > 0 {
        return Err(RecoveryError::NotByItself(format!("{unknown} missing entries are of a later version")));
    }
    let is_old = |oldest: DateTime<Utc>| clock::utc_now() - oldest > OLDEST_BY_ITSELF;
    match oldest.filter(|oldest| is_old(*oldest)) {
        Some(oldest) => Err(RecoveryError::NotByItself(format!("an entry of {oldest} is missing, older than a day"))),
        None => Ok(()),
    }
}
