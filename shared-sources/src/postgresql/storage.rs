//! Whether what was read of a table is what the run's snapshot holds of it.
//!
//! A snapshot protects from changes of rows, and not from those of whole tables. After TRUNCATE, or after an ALTER
//! TABLE that rewrites the table, an older snapshot finds it empty; a table or child that was dropped and made anew, or
//! a partition that was detached, isn't there for it. None of that means that the rows are gone.

use tokio_postgres::{Client, Error};

use super::table::Table;

/// The catalogue as the snapshot has it, against what the server says of now: `pg_relation_filenode`,
/// `pg_get_partition_constraintdef` and `pg_get_indexdef` know no snapshot. All that was read, whatever view, policy or
/// function named it, is still locked, and what is locked can't change.
///
/// A partition that isn't locked was left out by the planner, which is right as long as it is one. New partitions and
/// indexes take nothing away.
const CHANGED: &str = "
    WITH RECURSIVE expected(oid, is_partition) AS (
        SELECT e.oid, false FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS e(oid)
        UNION
        SELECT i.inhrelid, true
        FROM expected e
        JOIN pg_catalog.pg_class p ON p.oid OPERATOR(pg_catalog.=) e.oid AND p.relkind OPERATOR(pg_catalog.=) 'p'
        JOIN pg_catalog.pg_inherits i ON i.inhparent OPERATOR(pg_catalog.=) e.oid
    ), locked(oid) AS (
        SELECT l.relation FROM pg_catalog.pg_locks l
        WHERE l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND l.granted
          AND l.locktype OPERATOR(pg_catalog.=) 'relation'
          AND l.database OPERATOR(pg_catalog.=) (
              SELECT d.oid FROM pg_catalog.pg_database d
              WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
    )
    SELECT EXISTS (
        SELECT FROM expected e
        WHERE NOT EXISTS (SELECT FROM locked l WHERE l.oid OPERATOR(pg_catalog.=) e.oid)
          AND (NOT e.is_partition OR pg_catalog.pg_get_partition_constraintdef(e.oid) IS NULL)
    ) OR EXISTS (
        SELECT FROM (SELECT e.oid FROM expected e UNION SELECT l.oid FROM locked l) AS r
        LEFT JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) r.oid
        WHERE CASE
            WHEN c.oid IS NULL THEN
                pg_catalog.pg_get_indexdef(r.oid) IS NULL
                AND pg_catalog.pg_get_partition_constraintdef(r.oid) IS NULL
            -- A mapped table of the catalogue has none there.
            WHEN c.relfilenode OPERATOR(pg_catalog.=) 0 THEN false
            ELSE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,m}'::pg_catalog.\"char\"[])
                AND COALESCE(pg_catalog.pg_relation_filenode(r.oid) OPERATOR(pg_catalog.<>) c.relfilenode, true)
        END
    )";

/// Whether the table, or anything that was read for it, was truncated, rewritten or replaced since the run's snapshot.
/// Call it after the rows were read, while all that they were read from is locked.
///
/// # Errors
/// What the server refuses.
pub(super) async fn has_changed(client: &Client, table: &Table) -> Result<bool, Error> {
    let read: Vec<u32> = std::iter::once(table.oid).chain(table.children.iter().map(|child| child.oid)).collect();
    client.query_one(CHANGED, &[&read]).await?.try_get(0)
}
