//! What the catalogue says: which tables there are and what they are made of.

use tokio_postgres::{Client, Row};

use super::encoding::{Sent, Texts};
use super::inheritance::{LINKS, Link, share_out};
use super::place::{Place, table_id};
use super::table::{Column, Form, Kind, Table};
use crate::SourceError;

const SCHEMA: &str = "
    SELECT has_schema_privilege(oid, 'USAGE'), getdatabaseencoding()::text
    FROM pg_namespace WHERE nspname = $1::text";

/// Partitions are read through their parents, unless they are named; views and foreign tables only if they are named.
const TABLES: &str = "
    SELECT c.oid, {c.relname::text}, c.relkind::text, {obj_description(c.oid, 'pg_class')},
           has_any_column_privilege(c.oid, 'SELECT'), has_table_privilege(c.oid, 'SELECT'),
           row_security_active(c.oid)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1::text AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND CASE WHEN cardinality($2::text[]) = 0 THEN c.relkind IN ('r', 'p') AND NOT c.relispartition
               ELSE c.relname::text = ANY ($2::text[]) END
    ORDER BY c.relname::text COLLATE \"C\"";

/// Columns that the role may read, with their place in the primary key. A domain counts as the type beneath it.
const COLUMNS: &str = "
    WITH RECURSIVE base(type, beneath) AS (
        SELECT t.oid, t.oid FROM pg_type t JOIN pg_attribute a ON a.atttypid = t.oid WHERE a.attrelid = $1
        UNION
        SELECT b.type, t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.beneath WHERE t.typtype = 'd'
    )
    SELECT {a.attname::text}, {format_type(a.atttypid, a.atttypmod)},
           (SELECT b.beneath FROM base b JOIN pg_type t ON t.oid = b.beneath
            WHERE b.type = a.atttypid AND t.typtype <> 'd'),
           (SELECT k.place FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
            WHERE k.attnum = a.attnum AND k.place <= i.indnkeyatts),
           COALESCE(i.indnkeyatts, 0)::int8
    FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary AND i.indisvalid
    WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
      AND has_column_privilege(a.attrelid, a.attnum, 'SELECT')
    ORDER BY a.attnum";

/// What there is.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) texts: Texts,
    pub(super) tables: Vec<Table>,
    pub(super) unreadable: Vec<Unreadable>,
}

/// A table that can't be read.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) oid: u32,
    pub(super) name: String,
    pub(super) reason: &'static str,
}

/// The tables to read and those that may not be read.
///
/// # Errors
/// [`SourceError::Misconfigured`] if the schema or a table named in `wanted` is missing or may not be read.
pub(super) async fn find_tables(client: &Client, place: &Place, wanted: &[String]) -> Result<Found, SourceError> {
    let Place { schema, .. } = place;
    let texts = find_schema(client, place).await?;
    let sql = sent(TABLES, &texts);
    let rows = place.within("its tables", client.query(&sql, &[schema, &wanted])).await?;
    let mut found = Found { texts, tables: Vec::new(), unreadable: Vec::new() };
    for row in &rows {
        match place.within("a table's columns", read_table(client, place, &found.texts, row)).await? {
            Ok(table) => found.tables.push(table),
            Err(unreadable) => found.unreadable.push(unreadable),
        }
    }
    found.check(place, wanted)?;
    let oids: Vec<u32> = found.tables.iter().map(|table| table.oid).collect();
    let sql = sent(LINKS, &found.texts);
    let rows = place.within("which tables inherit from others", client.query(&sql, &[&oids])).await?;
    let links = rows.iter().map(|row| read_link(&found.texts, row)).collect::<Result<Vec<_>, _>>();
    share_out(&links.map_err(|error| place.read_error(&error))?, &mut found.tables);
    let children = || found.tables.iter().flat_map(|table| &table.children);
    found.unreadable.retain(|unreadable| children().all(|child| child.oid != unreadable.oid));
    Ok(found)
}

/// The schema must be there; says how the database's texts come.
async fn find_schema(client: &Client, place: &Place) -> Result<Texts, SourceError> {
    let Place { database, schema, user, .. } = place;
    let found = place.within("its schema", client.query_opt(SCHEMA, &[schema])).await?;
    let Some(found) = found else {
        return Err(SourceError::Misconfigured(format!("database '{database}' has no schema '{schema}'")));
    };
    let failed = |error: tokio_postgres::Error| place.read_error(&error);
    if !found.try_get::<_, bool>(0).map_err(failed)? {
        return Err(SourceError::Misconfigured(format!("the role '{user}' may not use schema '{schema}'")));
    }
    Ok(Texts::of(found.try_get(1).map_err(failed)?))
}

impl Found {
    /// What was `wanted` must be there, and something must be readable.
    fn check(&self, place: &Place, wanted: &[String]) -> Result<(), SourceError> {
        let Place { database, schema, user, .. } = place;
        let Self { tables, unreadable, .. } = self;
        if let Some(missing) = wanted.iter().find(|name| tables.iter().all(|table| table.name != **name)) {
            return Err(SourceError::Misconfigured(match unreadable.iter().any(|table| table.name == **missing) {
                true => format!("the role '{user}' may not read table '{missing}' of schema '{schema}'"),
                false => format!("schema '{schema}' of database '{database}' has no table '{missing}'"),
            }));
        }
        if tables.is_empty() && !unreadable.is_empty() {
            return Err(SourceError::Misconfigured(format!("the role '{user}' may not read any table of '{schema}'")));
        }
        Ok(())
    }
}

/// `sql` with the texts in braces sent as the database's texts come.
fn sent(sql: &str, texts: &Texts) -> String {
    let mut parts = sql.split('{');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (text, rest) = part.split_once('}').unwrap_or((part, ""));
        whole.push_str(&texts.sent(text));
        whole.push_str(rest);
    }
    whole
}

/// The table of a row of [`TABLES`], unless it can't be read.
async fn read_table(
    client: &Client,
    place: &Place,
    texts: &Texts,
    row: &Row,
) -> Result<Result<Table, Unreadable>, tokio_postgres::Error> {
    let oid: u32 = row.try_get(0)?;
    let name = texts.read(row.try_get(1)?).into_owned();
    // The server speaks of rights as of now, and of none to a table that was dropped meanwhile.
    match row.try_get(4)? {
        Some(true) => {}
        Some(false) => return Ok(Err(Unreadable { oid, name, reason: "the role may not read the table" })),
        None => return Ok(Err(Unreadable { oid, name, reason: "the table was dropped while the sync ran" })),
    }
    let mut columns = Vec::new();
    let mut key: Vec<(i64, String)> = Vec::new();
    let mut key_size = 0_i64;
    for row in client.query(&sent(COLUMNS, texts), &[&oid]).await? {
        let name = texts.read(row.try_get(0)?).into_owned();
        if let Some(at) = row.try_get::<_, Option<i64>>(3)? {
            key.push((at, name.clone()));
        }
        key_size = row.try_get(4)?;
        let type_name = texts.read(row.try_get(1)?).into_owned();
        columns.push(Column { name, type_name, form: Form::of(row.try_get(2)?) });
    }
    key.sort();
    // A key of which a part may not be read doesn't tell rows apart.
    let is_whole = i64::try_from(key.len()).is_ok_and(|size| size == key_size);
    Ok(Ok(Table {
        oid,
        id: place.table_id(&name),
        name,
        kind: Kind::of(row.try_get(2)?),
        comment: row.try_get::<_, Option<Sent<'_>>>(3)?.map(|comment| texts.read(comment).into_owned()),
        columns,
        key: if is_whole { key.into_iter().map(|(_, name)| name).collect() } else { Vec::new() },
        children: Vec::new(),
        is_limited: row.try_get::<_, Option<bool>>(5)? != Some(true),
        is_secured: row.try_get::<_, Option<bool>>(6)? == Some(true),
    }))
}

/// The link of a row of [`LINKS`].
fn read_link(texts: &Texts, row: &Row) -> Result<Link, tokio_postgres::Error> {
    let (schema, name) = (texts.read(row.try_get(2)?), texts.read(row.try_get(3)?));
    Ok(Link {
        parent: row.try_get(0)?,
        child: row.try_get(1)?,
        id: table_id(&schema, &name),
        has_the_key: row.try_get(4)?,
    })
}
