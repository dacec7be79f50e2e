//! The keys that have signed, with their periods: what verifiers are told.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;

use crate::error::Result;
use crate::pool::Database;
use crate::statement::sql_query;

/// A key that has signed.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct StoredKey {
    /// The verifier key, in the form of signed notes.
    #[diesel(sql_type = sql_types::Text)]
    pub verifier_key: String,
    /// The operator's name of it.
    #[diesel(sql_type = sql_types::Text)]
    pub name: String,
    /// When a process first signed with it.
    #[diesel(sql_type = sql_types::Timestamptz)]
    pub first_used_at: DateTime<Utc>,
    /// When a process last said that it signs with it.
    #[diesel(sql_type = sql_types::Timestamptz)]
    pub last_used_at: DateTime<Utc>,
}

impl Database {
    /// Notes that this process signs with this key now.
    ///
    /// # Errors
    /// Any database error.
    pub async fn use_ledger_key(&self, verifier_key: &str, name: &str) -> Result<()> {
        sql_query(
            "INSERT INTO ledger_key (verifier_key, name) VALUES ($1, $2)
             ON CONFLICT (verifier_key) DO UPDATE SET last_used_at = clock_timestamp(), name = excluded.name",
        )
        .bind::<sql_types::Text, _>(verifier_key)
        .bind::<sql_types::Text, _>(name)
        .execute(&mut self.connection().await?)
        .await?;
        Ok(())
    }

    /// Every key that has signed, in the order of their first use.
    ///
    /// # Errors
    /// Any database error.
    pub async fn ledger_keys(&self) -> Result<Vec<StoredKey>> {
        self.read(async |db| {
            let keys = "SELECT verifier_key, name, first_used_at, last_used_at FROM ledger_key
                        ORDER BY first_used_at, verifier_key";
            Ok(sql_query(keys).load(db).await?)
        })
        .await
    }
}
