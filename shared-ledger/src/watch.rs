//! The watch: looks at the ledger store at the start and every minute, and stops this process while PostgreSQL has
//! less.
//!
//! Keeps DEL-10. A loss that a statement noticed is looked into at once, and ends here, whoever put the entries back. A
//! store that can't be read stops nothing, unless a setting says so: it is told, and a restore meanwhile isn't noticed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use shared_database::{Database, DatabaseError, History};
use shared_models::history::LostHistory;
use shared_models::ledger::{Origin, TrustedKeys};
use shared_service::metrics::{Description, Kind};
use shared_service::periodic::Next;
use shared_service::settings::LedgerStoreSettings;
use shared_service::{Driver, Periodic};
use shared_stores::LedgerStore;

use crate::recover::{Recovery, RecoveryError, is_little, is_small};
use crate::settings::origin;
use crate::standing::{LookError, Standing, standing};
use crate::stored::{Stored, Strange};

/// How often it looks.
const INTERVAL: Duration = Duration::from_secs(60);
/// How often while something is to be waited for.
const WHILE_LOST: Duration = Duration::from_secs(2);
/// The start waits so long for the store.
const FIRST_LOOK: Duration = Duration::from_secs(10);

const STANDING: &str = "unweave_ledger_standing";

/// What the metric means.
pub const DESCRIPTIONS: &[Description] = &[(
    Kind::Gauge,
    STANDING,
    "1 for how PostgreSQL's ledger stands to the ledger store, as this process last saw it; anything but in_order is to \
     be looked at",
)];

/// Makes the gauge exist before the first look, and where there is no ledger store.
pub fn start_at_zero() {
    for seen in Seen::ALL {
        metrics::gauge!(STANDING, "standing" => seen.as_str()).set(0.0);
    }
}

/// What is shown of it: one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    InOrder,
    Shrunk,
    Behind,
    Unread,
    Fork,
    Foreign,
    Unreachable,
}

impl Seen {
    const ALL: [Self; 7] =
        [Self::InOrder, Self::Shrunk, Self::Behind, Self::Unread, Self::Fork, Self::Foreign, Self::Unreachable];

    const fn as_str(self) -> &'static str {
        match self {
            Self::InOrder => "in_order",
            Self::Shrunk => "shrunk",
            Self::Behind => "behind",
            Self::Unread => "unread",
            Self::Fork => "fork",
            Self::Foreign => "foreign",
            Self::Unreachable => "unreachable",
        }
    }

    const fn of_lost(lost: LostHistory) -> Self {
        match lost {
            LostHistory::Shrunk { .. } => Self::Shrunk,
            LostHistory::Behind { .. } => Self::Behind,
            LostHistory::Unread => Self::Unread,
        }
    }

    fn show(self) {
        for seen in Self::ALL {
            metrics::gauge!(STANDING, "standing" => seen.as_str()).set(f64::from(u8::from(seen == self)));
        }
    }
}

/// Watches one ledger store for one process. Cheap to clone.
#[derive(Clone)]
pub struct Watch {
    database: Database,
    store: LedgerStore,
    origin: Origin,
    keys: TrustedKeys,
    is_required: bool,
    recovery: Option<Arc<Recovery>>,
    /// What was told last, so that it is told once; and what readiness says.
    told: Arc<Mutex<Told>>,
    looked_at: Arc<Mutex<Option<Instant>>>,
}

#[derive(Debug, Default)]
struct Told {
    seen: Option<Seen>,
    /// What is wrong without stopping anything: a fork, or a store that isn't ours.
    fault: Option<String>,
    /// What keeps the ledger from being published, and won't end by itself.
    unpublishable: Option<String>,
    /// Why what was lost isn't put back by itself.
    not_put_back: Option<String>,
    /// The size of the store whose missing entries were too old.
    refused: Option<u64>,
    /// The largest log that a checkpoint in the store covered.
    most_signed: u64,
}

impl Watch {
    /// Of a process that only reads the store. With `is_required` nothing starts before the store was read.
    #[must_use]
    pub fn new(database: Database, store: LedgerStore, origin: Origin, is_required: bool) -> Self {
        database.history().watch();
        if is_required {
            database.history().lose(LostHistory::Unread);
        }
        Self {
            database,
            store,
            origin,
            keys: TrustedKeys::default(),
            is_required,
            recovery: None,
            told: Arc::default(),
            looked_at: Arc::default(),
        }
    }

    /// Of a process that only reads the store, by its settings; nothing without LEDGER_URL, which is told.
    ///
    /// # Errors
    /// In one line: the settings can't be used.
    pub fn of(settings: &LedgerStoreSettings, database: &Database) -> Result<Option<Self>, String> {
        let Some(url) = &settings.ledger_url else {
            tracing::info!(
                "LEDGER_URL is not set: a restore of PostgreSQL that brings deleted data back can't be noticed"
            );
            return Ok(None);
        };
        let store = LedgerStore::open_to_read(url).map_err(|error| error.to_string())?;
        Ok(Some(Self::new(database.clone(), store, origin(settings)?, settings.ledger_required)))
    }

    /// Believes checkpoints by these keys, too, and not only by those that PostgreSQL names.
    #[must_use]
    pub fn with_keys(self, keys: TrustedKeys) -> Self {
        Self { keys, ..self }
    }

    /// Puts back by itself what a failover under this process lost, if it is little.
    #[must_use]
    pub fn with_recovery(self, recovery: Recovery) -> Self {
        Self { recovery: Some(Arc::new(recovery)), ..self }
    }

    fn history(&self) -> &History {
        self.database.history()
    }

    /// The first look, before anything starts. It takes 10 s at most.
    pub async fn begin(&self) {
        if tokio::time::timeout(FIRST_LOOK, self.run()).await.is_err() {
            self.go_on_without_store();
            self.unreachable(&format!("no answer within {FIRST_LOOK:?}"));
        }
    }

    /// Looks now and then, until the process stops.
    pub fn start(self, driver: &Driver) {
        // So often that a loss which a statement notices is looked into at once.
        driver.start(Periodic::every("ledger watch", WHILE_LOST), move |_| {
            let watch = self.clone();
            async move { Ok::<_, std::convert::Infallible>(watch.run_if_due().await) }
        });
    }

    /// Why this process stands still, or what else is wrong with the ledger: for readiness.
    ///
    /// # Errors
    /// The reason, with what to do.
    pub fn state(&self) -> Result<(), String> {
        if let Some(lost) = self.history().lost() {
            return Err(format!("{lost}; {}", advice(lost)));
        }
        self.told.lock().fault.clone().map_or(Ok(()), Err)
    }

    /// The last attempt to publish ended with such an error, or with none that somebody must look at.
    pub fn publication(&self, error: Option<&impl ToString>) {
        let error = error.map(ToString::to_string);
        self.told.lock().unpublishable.clone_from(&error);
        if let Some(error) = error {
            self.fault(Seen::Fork, error);
        }
    }

    /// One look, and what follows from it.
    async fn run(&self) {
        match self.look().await {
            Ok(standing) => match self.put_back(&standing).await {
                // Seen by another look, everything goes on.
                Ok(true) => drop(self.look().await),
                Ok(false) => {}
                Err(error) => self.not_put_back(&error),
            },
            // Whatever it is that comes back, it is compared with the store first.
            Err(error @ LookError::Database(_)) => {
                self.history().lose(LostHistory::Unread);
                Seen::Unread.show();
                tracing::info!(%error, "PostgreSQL doesn't answer: it is compared with the ledger store before anything goes on");
            }
            Err(error) => {
                self.go_on_without_store();
                self.unreachable(&error.to_string());
            }
        }
    }

    /// A store that says nothing of this ledger stops nobody, unless it is required.
    fn go_on_without_store(&self) {
        if !self.is_required {
            self.history().was_read();
        }
    }

    /// Looks if it is time, or if there is something to be waited for.
    async fn run_if_due(&self) -> Next {
        let is_due = self.looked_at.lock().is_none_or(|at| at.elapsed() >= INTERVAL);
        if is_due || self.history().lost().is_some() {
            self.run().await;
            *self.looked_at.lock() = Some(Instant::now());
        }
        Next::AtInterval
    }

    /// Looks at the store and at PostgreSQL, and tells and remembers what it finds.
    ///
    /// # Errors
    /// One of them can't be read.
    pub async fn look(&self) -> Result<Standing, LookError> {
        let look = self.history().look();
        let found = standing(&self.database, &self.store, &self.origin, &self.known_keys().await?).await?;
        match &found {
            Standing::InOrder { store, database } => {
                // A store that was set back says nothing of what PostgreSQL lost.
                let has_all = self.most_signed(store) <= *database;
                let ended = if has_all { self.history().is_whole(look, *database) } else { None };
                self.in_order(ended, *database, store.strange.as_ref());
            }
            Standing::Behind { store, database } => {
                self.most_signed(store);
                let (seen, found) = (self.history().seen(), *database);
                self.history().lose(if seen > found {
                    LostHistory::Shrunk { seen, found }
                } else {
                    LostHistory::Behind { store: store.written, database: found }
                });
                self.lost();
            }
            Standing::Fork { store, database, is_signed } => {
                if *is_signed {
                    // There is nothing to be waited for: what the store has can't be put back.
                    self.history().is_whole(look, *database);
                }
                self.history().was_read();
                let fault = format!(
                    "the ledger in LEDGER_URL, of {store} entries, and PostgreSQL's, of {database}, contradict each other"
                );
                self.fault(Seen::Fork, fault);
            }
            Standing::Foreign(why) => {
                self.go_on_without_store();
                self.fault(Seen::Foreign, format!("LEDGER_URL isn't this ledger's: {why}"));
            }
        }
        Ok(found)
    }

    /// Those of this process, and every key that has signed by what PostgreSQL knows: whoever may write there needs no
    /// forged checkpoint.
    async fn known_keys(&self) -> Result<TrustedKeys, DatabaseError> {
        let stored = self.database.ledger_keys().await?;
        let stored = stored.iter().filter_map(|key| key.verifier_key.parse().ok());
        Ok(self.keys.iter().cloned().chain(stored).collect())
    }

    /// The most entries that a checkpoint in the store ever covered.
    fn most_signed(&self, store: &Stored) -> u64 {
        let mut told = self.told.lock();
        told.most_signed = told.most_signed.max(store.size());
        told.most_signed
    }

    /// Recovers if a statement of this process noticed the loss, and little is missing. Whether it did.
    async fn put_back(&self, found: &Standing) -> Result<bool, RecoveryError> {
        let (Some(recovery), Standing::Behind { store, database }) = (&self.recovery, found) else {
            return Ok(false);
        };
        if !matches!(self.history().lost(), Some(LostHistory::Shrunk { .. })) {
            return Ok(false);
        }
        // What was refused is not read again and again.
        let size = store.written;
        if self.told.lock().refused == Some(size) {
            return Ok(false);
        }
        is_little(store.size().saturating_sub(*database))?;
        let Some(missing) = recovery.missing().await? else { return Ok(true) };
        if let Err(error) = is_small(&missing) {
            self.told.lock().refused = Some(size);
            return Err(error);
        }
        let done = recovery.run(&missing, |_| ()).await?;
        tracing::warn!(
            entries = missing.count(),
            connections = done.connections,
            cleanups = done.cleanups,
            receipts = done.receipts,
            "PostgreSQL had lost history, and what was missing was put back by itself"
        );
        Ok(true)
    }

    /// Tells it once; it is tried again while it may help.
    fn not_put_back(&self, error: &RecoveryError) {
        let text = error.to_string();
        let mut told = self.told.lock();
        if told.not_put_back.as_ref() != Some(&text) {
            tracing::error!(error = text, "what PostgreSQL lost isn't put back by itself");
            told.not_put_back = Some(text);
        }
    }

    /// Whether this is news.
    fn is_news(&self, seen: Seen, fault: Option<String>) -> bool {
        seen.show();
        let mut told = self.told.lock();
        let is_news = told.seen != Some(seen) || told.fault != fault;
        told.seen = Some(seen);
        told.fault = fault;
        is_news
    }

    fn in_order(&self, ended: Option<(LostHistory, u64)>, size: u64, strange: Option<&Strange>) {
        // A loss since the look began is the next look's.
        if let Some(lost) = self.history().lost() {
            Seen::of_lost(lost).show();
            return;
        }
        self.told.lock().not_put_back = None;
        let unpublishable = self.told.lock().unpublishable.clone();
        match (unpublishable, strange) {
            (Some(fault), _) => self.fault(Seen::Fork, fault),
            (None, Some(why)) => {
                let why = why.why();
                self.fault(Seen::Foreign, format!("`checkpoint` in LEDGER_URL isn't this ledger's: {why}"));
            }
            (None, None) => drop(self.is_news(Seen::InOrder, None)),
        }
        match ended {
            None => {}
            Some((_, seen)) if seen > size => tracing::error!(
                lost = seen - size,
                size,
                "entries of the ledger that weren't published yet are lost with PostgreSQL's history"
            ),
            Some((LostHistory::Unread, _)) => {
                tracing::info!(size, "PostgreSQL's ledger is as large as the ledger store's")
            }
            Some((LostHistory::Shrunk { .. } | LostHistory::Behind { .. }, _)) => {
                tracing::warn!(size, "PostgreSQL's history is whole again: searches, syncs and purges go on")
            }
        }
    }

    fn lost(&self) {
        let Some(lost) = self.history().lost() else { return };
        if self.is_news(Seen::of_lost(lost), None) {
            tracing::error!(
                case = lost.case(),
                why = %lost,
                advice = advice(lost),
                "PostgreSQL has lost history: nothing is searched, synced or purged"
            );
        }
    }

    fn fault(&self, seen: Seen, fault: String) {
        let is_news = self.is_news(seen, Some(fault.clone()));
        // What makes this process stand still is more than that.
        if let Some(lost) = self.history().lost() {
            Seen::of_lost(lost).show();
        }
        if is_news {
            tracing::error!(
                case = seen.as_str(),
                fault,
                "the ledger store contradicts PostgreSQL or isn't this ledger's: nothing is published"
            );
        }
    }

    fn unreachable(&self, error: &str) {
        let seen = self.history().lost().map_or(Seen::Unreachable, Seen::of_lost);
        let fault = self.told.lock().fault.clone();
        if self.is_news(seen, fault) {
            tracing::warn!(
                error,
                waits = self.is_required,
                "the ledger store can't be read: a restore of PostgreSQL isn't noticed meanwhile"
            );
        }
    }
}

/// What to do.
const fn advice(lost: LostHistory) -> &'static str {
    match lost {
        LostHistory::Shrunk { .. } | LostHistory::Behind { .. } => {
            "see what `unweave ledger recover --dry-run` would put back, unless another installation publishes there"
        }
        LostHistory::Unread => "see that the ledger store can be read",
    }
}
