//! Which table the rows of children by `INHERITS` belong to.
//!
//! A table shows the rows of its children, wherever they are and however far below. A child that is read as a table of
//! its own shows them with all of its columns; those of every other child are read as rows of the table above, so that
//! each row is found once.

use std::collections::{HashMap, HashSet};

use super::table::{Child, Table};

/// Who inherits from whom, below the given tables. Partitions are no children: their keys are one with their parent's.
/// Nor are temporary tables: they are another session's, which alone sees their rows.
pub(super) const LINKS: &str = "
    WITH RECURSIVE tree(oid) AS (
        SELECT c.oid FROM pg_class c WHERE c.oid = ANY ($1) AND c.relkind <> 'p'
        UNION
        SELECT i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid
    ), keyed(oid, key) AS (
        SELECT i.indrelid, array_agg(a.attname ORDER BY a.attname)
        FROM pg_index i
        CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
        WHERE i.indisprimary AND i.indisvalid AND k.place <= i.indnkeyatts
        GROUP BY i.indrelid
    )
    SELECT i.inhparent, i.inhrelid, {n.nspname::text}, {c.relname::text}, COALESCE(p.key = k.key, false)
    FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid
    JOIN pg_class c ON c.oid = i.inhrelid AND c.relpersistence <> 't'
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN keyed p ON p.oid = i.inhparent LEFT JOIN keyed k ON k.oid = i.inhrelid
    ORDER BY i.inhparent, i.inhrelid";

/// That a table inherits from another one.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) parent: u32,
    pub(super) child: u32,
    /// The child's id, as if it were read itself.
    pub(super) id: String,
    /// Whether the child has a primary key of the same columns as its parent's. A parent's key says nothing of the rows
    /// of its children.
    pub(super) has_the_key: bool,
}

/// Leaves in `tables` those that are read themselves, and tells each which children's rows are its own.
pub(super) fn share_out(links: &[Link], tables: &mut Vec<Table>) {
    let mut below: HashMap<u32, Vec<&Link>> = HashMap::new();
    for link in links {
        below.entry(link.parent).or_default().push(link);
    }
    let nothing = HashSet::new();
    let mut inherited = HashSet::new();
    let mut limited = HashSet::new();
    for table in &*tables {
        let all = descendants(&below, table.oid, &nothing).into_iter().map(|link| link.child);
        if table.is_limited { limited.extend(all) } else { inherited.extend(all) }
    }
    // A child's own policies might hide what its parent shows. And where the role may not read the whole parent, the
    // server doesn't say which child a row is from.
    let belongs_to_another =
        |table: &Table| limited.contains(&table.oid) || table.is_secured && inherited.contains(&table.oid);
    tables.retain(|table| !belongs_to_another(table));
    let read: HashSet<u32> = tables.iter().map(|table| table.oid).collect();
    for table in tables {
        let children = descendants(&below, table.oid, &read);
        if table.is_limited && !children.is_empty() || !children.iter().all(|link| link.has_the_key) {
            table.key.clear();
        }
        table.children = children.into_iter().map(|link| Child { oid: link.child, id: link.id.clone() }).collect();
    }
}

/// All below a table, each once, but those in `but` and what is below these.
fn descendants<'a>(below: &HashMap<u32, Vec<&'a Link>>, table: u32, but: &HashSet<u32>) -> Vec<&'a Link> {
    let mut found: Vec<&Link> = Vec::new();
    let mut known = HashSet::from([table]);
    let mut parents = vec![table];
    while let Some(parent) = parents.pop() {
        for link in below.get(&parent).into_iter().flatten() {
            if !but.contains(&link.child) && known.insert(link.child) {
                found.push(link);
                parents.push(link.child);
            }
        }
    }
    found
}
