//! Whose key it is, and whether its organization may send one more request: one statement at the start of each request.
//!
//! A true sliding window: the times of the requests admitted in the last 60 s are kept, so that no 60 s ever hold more
//! than the limit, and the moment from which the next request is admitted is known exactly. (Two weighted fixed windows
//! are cheaper in space, but admit nearly twice the limit around a window's end, and after a burst refuse for longer
//! than 60 s.) At most as many times are kept as the largest limit.
//!
//! Every replica counts in the same row under its lock, on PostgreSQL's clock. Only admitted requests count: whoever
//! asks too often is admitted as soon as one that asks seldom. A refusal that was seen without the lock writes nothing,
//! so a flood of them holds up nobody. A crash of PostgreSQL empties the table: counting begins anew.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types;
use diesel_async::RunQueryDsl as _;
use shared_models::{ApiKeyId, OrganizationId, Plan};

use crate::error::Result;
use crate::pool::Database;
use shared_models::api_key::KeyHash;

/// Whether requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateLimits {
    /// As the organization's plan has it.
    ByPlan,
    /// Not at all.
    Off,
}

/// What a request's key turned out to be.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it")]
pub struct FoundKey {
    pub id: ApiKeyId,
    pub organization_id: OrganizationId,
    /// The stored hash, for the caller to compare in constant time.
    pub key_hash: Vec<u8>,
    pub is_expired: bool,
    /// Whether the use of the key should be recorded again.
    pub is_use_stale: bool,
    /// What was decided; none if the request doesn't count: no limit, an expired key, another organization named.
    pub decision: Option<Decision>,
}

/// Whether a request is admitted, on PostgreSQL's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Most requests in any 60 s.
    pub limit: u32,
    /// Requests admitted in the last 60 s, this one included if it is.
    pub admitted: u32,
    /// Whether this one is.
    pub is_admitted: bool,
    /// When this was decided.
    pub decided_at: DateTime<Utc>,
    /// When the next of the counted requests stops counting. For a request that wasn't admitted:
    /// from when on one is, if nobody else asks.
    pub frees_at: DateTime<Utc>,
}

impl Database {
    /// The key with that hash, by index, and whether its organization may send a request. Expiry goes by PostgreSQL's
    /// clock. A request that names another organization than the key's isn't counted.
    ///
    /// # Errors
    /// Any database error.
    pub async fn admit(
        &self,
        hash: KeyHash,
        named: Option<OrganizationId>,
        limits: RateLimits,
    ) -> Result<Option<FoundKey>> {
        // Sent again if the session was gone: at worst the request counts twice.
        self.read(async |db| {
            let row: Option<Row> = Admit::new(hash, named, limits).get_result(db).await.optional()?;
            Ok(row.map(FoundKey::from))
        })
        .await
    }
}

/// The times of `r` that lie in the 60 s before `n.now`. Later ones are of a clock that has been set back since.
macro_rules! recent {
    () => {
        "(SELECT r.admitted_at[width_bucket(n.now - interval '60 s', r.admitted_at) + 1 :
                               width_bucket(n.now, r.admitted_at)] AS recent)"
    };
}

/// The statement. Diesel prepares one with a type of its own once a session: no round trip for parsing.
#[derive(Debug, QueryId)]
struct Admit {
    hash: Vec<u8>,
    named: Option<OrganizationId>,
    plans: Vec<&'static str>,
    limits: Vec<i32>,
}

impl Admit {
    fn new(hash: KeyHash, named: Option<OrganizationId>, limits: RateLimits) -> Self {
        let counted = |plan: &Plan| Some((plan.as_str(), i32::try_from(plan.requests_per_minute()?).ok()?));
        let (plans, limits) = match limits {
            RateLimits::ByPlan => Plan::ALL.iter().filter_map(counted).unzip(),
            RateLimits::Off => (Vec::new(), Vec::new()),
        };
        Self { hash: hash.0.to_vec(), named, plans, limits }
    }
}

impl Query for Admit {
    type SqlType = (
        sql_types::Uuid,
        sql_types::Uuid,
        sql_types::Bytea,
        sql_types::Bool,
        sql_types::Bool,
        sql_types::Nullable<sql_types::Integer>,
        sql_types::Nullable<sql_types::Integer>,
        sql_types::Nullable<sql_types::Bool>,
        sql_types::Nullable<sql_types::Timestamptz>,
        sql_types::Nullable<sql_types::Timestamptz>,
    );
}

// The clock is read once for each decision, and under the lock: a time that was read before waiting for it would be
// earlier than those of the requests that were waited for.

/// The key, up to the plans that are counted.
const KEY: &str = "
    WITH key AS MATERIALIZED (
        SELECT k.id, k.organization_id, k.key_hash,
               coalesce(k.expires_at <= clock_timestamp(), false) AS is_expired,
               coalesce(k.last_used_at < clock_timestamp() - interval '1 minute', true) AS is_use_stale,
               (SELECT p.most FROM unnest(";

/// Between the plans' limits and the hash.
const KEY_OF_HASH: &str = ") AS p (plan, most) WHERE p.plan = o.plan) AS most
        FROM api_key k JOIN organization o ON o.id = k.organization_id
        WHERE k.key_hash = ";

/// Whether the request counts, up to the organization that it names.
const COUNTS: &str = "
    ), counts AS MATERIALIZED (
        SELECT organization_id, most FROM key
        WHERE most IS NOT NULL AND NOT is_expired AND organization_id = coalesce(";

/// A refusal that is seen without the lock; else the decision under it; and what became of the request.
const DECISION: &str = concat!(
    ", organization_id)
    ), refused AS MATERIALIZED (
        SELECT w.recent AS admitted_at, false AS is_admitted, n.now AS decided_at
        FROM counts c JOIN rate_limit r USING (organization_id), (SELECT clock_timestamp() AS now) n,
             LATERAL ",
    recent!(),
    " w
        WHERE cardinality(w.recent) >= c.most
    ), decided AS (
        INSERT INTO rate_limit AS r (organization_id, admitted_at, is_admitted, decided_at)
        SELECT organization_id, ARRAY[n.now], true, n.now
        FROM counts, (SELECT clock_timestamp() AS now) n
        WHERE NOT EXISTS (SELECT FROM refused)
        ON CONFLICT (organization_id) DO UPDATE SET (admitted_at, is_admitted, decided_at) = (
            SELECT CASE WHEN cardinality(w.recent) < c.most THEN w.recent || n.now ELSE w.recent END,
                   cardinality(w.recent) < c.most, n.now
            FROM counts c, (SELECT clock_timestamp() AS now) n, LATERAL ",
    recent!(),
    " w)
        RETURNING r.admitted_at, r.is_admitted, r.decided_at
    )
    SELECT key.id, key.organization_id, key.key_hash, key.is_expired, key.is_use_stale, key.most,
           cardinality(d.admitted_at), d.is_admitted, d.decided_at,
           d.admitted_at[greatest(cardinality(d.admitted_at) - key.most + 1, 1)] + interval '60 s'
    FROM key LEFT JOIN (SELECT * FROM refused UNION ALL SELECT * FROM decided) d ON true"
);

impl QueryFragment<Pg> for Admit {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(KEY);
        out.push_bind_param::<sql_types::Array<sql_types::Text>, _>(&self.plans)?;
        out.push_sql(", ");
        out.push_bind_param::<sql_types::Array<sql_types::Integer>, _>(&self.limits)?;
        out.push_sql(KEY_OF_HASH);
        out.push_bind_param::<sql_types::Bytea, _>(&self.hash)?;
        out.push_sql(COUNTS);
        out.push_bind_param::<sql_types::Nullable<sql_types::Uuid>, _>(&self.named)?;
        out.push_sql(DECISION);
        Ok(())
    }
}

#[derive(Queryable)]
struct Row {
    id: ApiKeyId,
    organization_id: OrganizationId,
    key_hash: Vec<u8>,
    is_expired: bool,
    is_use_stale: bool,
    limit: Option<i32>,
    admitted: Option<i32>,
    is_admitted: Option<bool>,
    decided_at: Option<DateTime<Utc>>,
    frees_at: Option<DateTime<Utc>>,
}

impl Row {
    fn decision(&self) -> Option<Decision> {
        Some(Decision {
            limit: u32::try_from(self.limit?).unwrap_or_default(),
            admitted: u32::try_from(self.admitted?).unwrap_or_default(),
            is_admitted: self.is_admitted?,
            decided_at: self.decided_at?,
            frees_at: self.frees_at?,
        })
    }
}

impl From<Row> for FoundKey {
    fn from(row: Row) -> Self {
        let decision = row.decision();
        let Row { id, organization_id, key_hash, is_expired, is_use_stale, .. } = row;
        Self { id, organization_id, key_hash, is_expired, is_use_stale, decision }
    }
}
