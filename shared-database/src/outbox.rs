//! The outbox: messages that commit with the rows they speak of (DEL-1).
//!
//! The relay claims due rows for a while, publishes them outside of any transaction, and marks them. If it dies between
//! publish and mark, the claim runs out and the row is published again: consumers are idempotent by the rows (DEL-6).

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use shared_models::message::Decoded;
use shared_models::{Envelope, Message, MessageId, RequestId};

use crate::error::{DatabaseError, Result};
use crate::pool::Database;
use crate::session::Session;
use crate::statement::sql_query;

/// A due message, claimed by this relay for a while.
#[derive(Debug, Clone)]
pub struct DueMessage {
    /// The row.
    pub id: i64,
    /// Failed attempts so far.
    pub attempts: i32,
    /// What to publish.
    pub envelope: Envelope,
}

/// How much waits in the outbox.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct Backlog {
    /// Messages not yet published.
    #[diesel(sql_type = sql_types::BigInt)]
    pub messages: i64,
    /// Age of the oldest of them in seconds; 0 if there is none.
    #[diesel(sql_type = sql_types::Double)]
    pub oldest_age_seconds: f64,
}

/// Adds a message to the transaction that `connection` is in.
///
/// # Errors
/// Any database error.
pub async fn enqueue(connection: &mut Session, envelope: &Envelope) -> Result<()> {
    enqueue_all(connection, std::slice::from_ref(envelope)).await
}

/// Adds messages to the transaction that `connection` is in.
///
/// # Errors
/// Any database error.
pub(crate) async fn enqueue_all(connection: &mut Session, envelopes: &[Envelope]) -> Result<()> {
    if envelopes.is_empty() {
        return Ok(());
    }
    let ids: Vec<MessageId> = envelopes.iter().map(|envelope| envelope.message_id).collect();
    let requests: Vec<Option<RequestId>> = envelopes.iter().map(|envelope| envelope.request_id).collect();
    let messages: Vec<serde_json::Value> =
        envelopes.iter().map(|envelope| json(&envelope.message)).collect::<Result<_>>()?;
    sql_query(
        "INSERT INTO outbox (message_id, request_id, message)
         SELECT id, request, message FROM unnest($1, $2, $3) WITH ORDINALITY AS said (id, request, message, place)
         ORDER BY place",
    )
    .bind::<sql_types::Array<sql_types::Uuid>, _>(ids)
    .bind::<sql_types::Array<sql_types::Nullable<sql_types::Uuid>>, _>(requests)
    .bind::<sql_types::Array<sql_types::Jsonb>, _>(messages)
    .execute(connection)
    .await?;
    Ok(())
}

/// A message as the outbox holds it.
pub(crate) fn json(message: &Message) -> Result<serde_json::Value> {
    serde_json::from_slice(&message.encode()).map_err(|error| DatabaseError::Corrupt(error.to_string()))
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = sql_types::BigInt)]
    id: i64,
    #[diesel(sql_type = sql_types::Integer)]
    attempts: i32,
    #[diesel(sql_type = sql_types::Uuid)]
    message_id: MessageId,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Uuid>)]
    request_id: Option<RequestId>,
    #[diesel(sql_type = sql_types::Jsonb)]
    message: serde_json::Value,
}

impl Row {
    fn decode(self) -> Option<DueMessage> {
        let message: Message = match Message::decode(self.message.to_string().as_bytes()) {
            Ok(Decoded::Message(message)) => message,
            Ok(Decoded::UnknownVersion { .. }) | Err(_) => {
                // Written by a newer gateway: left for its relay.
                tracing::warn!(outbox_id = self.id, "outbox row of a form this version doesn't know");
                return None;
            }
        };
        let envelope = Envelope { message_id: self.message_id, request_id: self.request_id, message };
        Some(DueMessage { id: self.id, attempts: self.attempts, envelope })
    }
}

impl Database {
    /// Claims up to `limit` due messages for `visibility`; until then no other relay takes them.
    ///
    /// # Errors
    /// Any database error.
    pub async fn claim_outbox(&self, limit: i64, visibility: Duration) -> Result<Vec<DueMessage>> {
        let rows: Vec<Row> = sql_query(
            "UPDATE outbox SET next_attempt_at = clock_timestamp() + make_interval(secs => $1)
             WHERE id IN (SELECT id FROM outbox WHERE published_at IS NULL AND next_attempt_at <= clock_timestamp()
                          ORDER BY next_attempt_at, id LIMIT $2 FOR UPDATE SKIP LOCKED)
             RETURNING id, attempts, message_id, request_id, message",
        )
        .bind::<sql_types::Double, _>(visibility.as_secs_f64())
        .bind::<sql_types::BigInt, _>(limit)
        .load(&mut self.connection().await?)
        .await?;
        let mut due: Vec<DueMessage> = rows.into_iter().filter_map(Row::decode).collect();
        due.sort_by_key(|message| message.id);
        Ok(due)
    }

    /// Marks messages as published.
    ///
    /// # Errors
    /// Any database error.
    pub async fn mark_published(&self, ids: &[i64]) -> Result<()> {
        sql_query("UPDATE outbox SET published_at = clock_timestamp() WHERE id = ANY($1)")
            .bind::<sql_types::Array<sql_types::BigInt>, _>(ids)
            .execute(&mut self.connection().await?)
            .await?;
        Ok(())
    }

    /// Puts one message off after a failed attempt; the others are not held up by it.
    ///
    /// # Errors
    /// Any database error.
    pub async fn postpone_message(&self, id: i64, delay: Duration) -> Result<()> {
        sql_query(
            "UPDATE outbox SET attempts = attempts + 1, next_attempt_at = clock_timestamp() + make_interval(secs => $1)
             WHERE id = $2",
        )
        .bind::<sql_types::Double, _>(delay.as_secs_f64())
        .bind::<sql_types::BigInt, _>(id)
        .execute(&mut self.connection().await?)
        .await?;
        Ok(())
    }

    /// What waits in the outbox.
    ///
    /// # Errors
    /// Any database error.
    pub async fn outbox_backlog(&self) -> Result<Backlog> {
        let backlog = sql_query(
            "SELECT count(*) AS messages,
                    coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS oldest_age_seconds
             FROM outbox WHERE published_at IS NULL",
        )
        .get_result(&mut self.connection().await?)
        .await?;
        Ok(backlog)
    }

    /// Drops messages published longer than `age` ago; returns how many.
    ///
    /// # Errors
    /// Any database error.
    pub async fn prune_outbox(&self, age: Duration) -> Result<usize> {
        let dropped =
            sql_query("DELETE FROM outbox WHERE published_at < clock_timestamp() - make_interval(secs => $1)")
                .bind::<sql_types::Double, _>(age.as_secs_f64())
                .execute(&mut self.connection().await?)
                .await?;
        Ok(dropped)
    }
}
