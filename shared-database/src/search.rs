//! Which syncs a search may show.
//!
//! Keeps DEL-3: a sync is live only while neither its connection nor its collection is being deleted. Both statements
//! go by indexes from what they are asked for, so a search costs what its own collection has,
//! however many connections there are elsewhere. Both return the ledger's size as well (DEL-10): while PostgreSQL's
//! history is lost no sync is live.

use diesel::QueryableByName;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use shared_models::{CollectionId, SourceConnectionId, SyncId};

use crate::error::Result;
use crate::history::ledger_size;
use crate::pool::Database;
use crate::statement::sql_query;

/// What makes a sync live.
macro_rules! live {
    () => {
        "c.deletion_requested_at IS NULL AND k.deletion_requested_at IS NULL"
    };
}

/// The live syncs of a collection, `$1`; those of the connections `$2` if it isn't null.
pub const LIVE_SYNCS: &str = concat!(
    "SELECT ARRAY(SELECT s.id FROM source_connection c
     JOIN collection k ON k.id = c.collection_id
     JOIN sync s ON s.source_connection_id = c.id
     WHERE c.collection_id = $1 AND ($2::uuid[] IS NULL OR c.id = ANY($2)) AND ",
    live!(),
    " ORDER BY s.id) AS ids, ",
    ledger_size!()
);

/// Those of the syncs `$1` that are live.
pub const STILL_LIVE: &str = concat!(
    "SELECT ARRAY(SELECT s.id FROM sync s
     JOIN source_connection c ON c.id = s.source_connection_id
     JOIN collection k ON k.id = c.collection_id
     WHERE s.id = ANY($1) AND ",
    live!(),
    ") AS ids, ",
    ledger_size!()
);

#[derive(QueryableByName)]
struct Live {
    #[diesel(sql_type = sql_types::Array<sql_types::Uuid>)]
    ids: Vec<SyncId>,
    #[diesel(sql_type = sql_types::BigInt)]
    ledger_size: i64,
}

impl Database {
    /// The syncs of a collection that a search may show (DEL-3); those of `only` some connections if it names them.
    ///
    /// # Errors
    /// Any database error; [`DatabaseError::HistoryLost`](crate::DatabaseError::HistoryLost).
    pub async fn live_syncs(
        &self,
        collection: CollectionId,
        only: Option<&[SourceConnectionId]>,
    ) -> Result<Vec<SyncId>> {
        let only = only.map(|only| only.iter().map(|id| id.0).collect::<Vec<_>>());
        self.read(async |db| {
            let before = self.history().before()?;
            let live: Live = sql_query(LIVE_SYNCS)
                .bind::<sql_types::Uuid, _>(collection)
                .bind::<sql_types::Nullable<sql_types::Array<sql_types::Uuid>>, _>(only.as_ref())
                .get_result(db)
                .await?;
            self.history().after(before, live.ledger_size)?;
            Ok(live.ids)
        })
        .await
    }

    /// Those of `syncs` that are still live (DEL-3).
    ///
    /// # Errors
    /// As [`Database::live_syncs`].
    pub async fn still_live(&self, syncs: &[SyncId]) -> Result<Vec<SyncId>> {
        let syncs: Vec<uuid::Uuid> = syncs.iter().map(|id| id.0).collect();
        self.read(async |db| {
            let before = self.history().before()?;
            let live: Live =
                sql_query(STILL_LIVE).bind::<sql_types::Array<sql_types::Uuid>, _>(&syncs).get_result(db).await?;
            self.history().after(before, live.ledger_size)?;
            Ok(live.ids)
        })
        .await
    }
}
