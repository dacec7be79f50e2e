//! What every request handler works with.

use shared_database::Database;
use shared_database::RowCipher;
use shared_database::rate_limits::RateLimits;
use shared_messaging::Publisher;
use shared_models::wire::collection::Vectors;
use shared_service::Tasks;
use shared_service::admin::Health;
use shared_sources::{GatewaySourceSettings, Source};
use shared_stores::embedder::{Embedder, EmbedderIdentity};
use shared_stores::vespa::VespaClient;

use crate::cleanup_events::CleanupEvents;
use crate::client_times::ClientTimes;
use crate::deletion::Deletions;
use crate::relay::RelayBell;
use crate::search_memory::SearchMemory;

/// The parts of this gateway that handlers share.
pub struct AppState {
    /// PostgreSQL.
    pub database: Database,
    /// The deletion engine.
    pub deletions: Deletions,
    /// Streams of cleanups' progress.
    pub cleanup_events: CleanupEvents,
    /// Wakes the relay after a transaction that enqueued a message.
    pub relay: RelayBell,
    /// Publishes what needs no outbox.
    pub publisher: Publisher,
    /// Vespa.
    pub vespa: VespaClient,
    /// What searches may take together.
    pub search_memory: SearchMemory,
    /// Makes vectors of questions, if there is one.
    pub embedder: Option<Embedder>,
    /// What is known of the sources that sync-workers can reach.
    pub source_settings: GatewaySourceSettings,
    /// Encrypts credentials.
    pub cipher: RowCipher,
    /// Spawns on the main runtime.
    pub tasks: Tasks,
    /// What `/health/ready` asks.
    pub health: Health,
    /// How long clients may take.
    pub times: ClientTimes,
    /// Whether requests need an API key.
    pub auth_enabled: bool,
    /// Whether requests are counted.
    pub rate_limits: RateLimits,
    /// Whether sources for tests are offered.
    pub offers_internal_sources: bool,
}

impl AppState {
    /// What collections say of their documents' vectors.
    #[must_use]
    pub fn vectors(&self) -> Vectors {
        let Some(embedder) = &self.embedder else { return Vectors::default() };
        let EmbedderIdentity { model, dimensions } = embedder.identity();
        Vectors { size: dimensions, model: model.to_string() }
    }

    /// A source that is offered here.
    #[must_use]
    pub fn source(&self, short_name: &str) -> Option<Source> {
        short_name.parse().ok().filter(|source| self.offers(*source))
    }

    /// Every source that is offered here.
    pub fn sources(&self) -> impl Iterator<Item = Source> {
        Source::ALL.iter().copied().filter(|source| self.offers(*source))
    }

    /// The names of all sources that are offered here.
    #[must_use]
    pub fn source_names(&self) -> Vec<&'static str> {
        self.sources().map(Source::as_str).collect()
    }

    const fn offers(&self, source: Source) -> bool {
        self.offers_internal_sources || !source.definition().is_internal
    }
}
