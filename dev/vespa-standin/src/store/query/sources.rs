//! Where the documents to examine come from: a set that certainly holds every match. Of a range of the purge key and
//! the documents of some syncs it is the smaller one, type by type, as each of Vespa's schemas takes the smaller of two
//! posting lists and looks the rest up.

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params_from_iter};

use crate::schema::DocType;
use crate::store::StoreError;

/// What the parts of a filter that must all hold say of where its matches are.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// Uncased sync ids, as a JSON array.
    pub syncs: Option<String>,
    /// Purge keys, both ends included.
    pub range: Option<(i64, i64)>,
    /// What the full-text index gave, serials as a JSON array.
    pub serials: Option<String>,
}

/// Some documents, by a condition that an index answers.
#[derive(Debug)]
pub(super) struct Source {
    /// In SQL.
    pub condition: &'static str,
    /// What it refers to.
    pub parameters: Vec<Sql>,
}

impl Candidates {
    /// Together they hold all matches of these types.
    pub(super) fn sources(&self, connection: &Connection, types: &[DocType]) -> Result<Vec<Source>, StoreError> {
        if let Some(range) = self.range {
            return types.iter().map(|doc_type| self.in_range(connection, *doc_type, range)).collect();
        }
        let listed = |condition, values: &String| Source { condition, parameters: vec![Sql::Text(values.clone())] };
        // A search in some syncs costs what those have, whatever else it asks for.
        let source = match (&self.syncs, &self.serials) {
            (Some(syncs), _) => listed("sync_key IN (SELECT value FROM json_each(?))", syncs),
            (None, Some(serials)) => listed("serial IN (SELECT value FROM json_each(?))", serials),
            (None, None) => Source { condition: "true", parameters: vec![] },
        };
        Ok(vec![source])
    }

    fn in_range(
        &self,
        connection: &Connection,
        doc_type: DocType,
        (low, high): (i64, i64),
    ) -> Result<Source, StoreError> {
        let code = Sql::Integer(i64::from(doc_type.code()));
        let in_range = Source {
            condition: "type = ? AND airweave_system_metadata_purge_key BETWEEN ? AND ?",
            parameters: vec![code.clone(), Sql::Integer(low), Sql::Integer(high)],
        };
        let Some(syncs) = &self.syncs else { return Ok(in_range) };
        let of_syncs = Source {
            condition: "type = ? AND sync_key IN (SELECT value FROM json_each(?))",
            parameters: vec![code, Sql::Text(syncs.clone())],
        };
        smaller(connection, in_range, of_syncs)
    }
}

/// The one with fewer documents, for which neither is counted much further than that one goes.
fn smaller(connection: &Connection, left: Source, right: Source) -> Result<Source, StoreError> {
    let mut bound = 1024;
    loop {
        let (of_left, of_right) = (left.count_to(connection, bound)?, right.count_to(connection, bound)?);
        if of_left.min(of_right) < bound {
            return Ok(if of_left <= of_right { left } else { right });
        }
        bound *= 8;
    }
}

impl Source {
    fn count_to(&self, connection: &Connection, bound: i64) -> Result<i64, StoreError> {
        let sql = format!("SELECT count(*) FROM (SELECT 1 FROM document WHERE {} LIMIT ?)", self.condition);
        let parameters = self.parameters.iter().cloned().chain([Sql::Integer(bound)]);
        Ok(connection.prepare_cached(&sql)?.query_row(params_from_iter(parameters), |row| row.get(0))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tables;

    /// At two million documents the difference between an index and a walk is that between milliseconds and minutes.
    #[test]
    fn every_source_is_answered_by_its_index() {
        let folder = tempfile::tempdir().unwrap();
        let connection = tables::open(&folder.path().join("documents.sqlite")).unwrap();
        tables::create(&connection).unwrap();
        let syncs = Some("[\"a\", \"b\"]".to_owned());
        let range = Candidates { range: Some((0, 5)), ..Candidates::default() };
        let by_sync = Candidates { syncs: syncs.clone(), ..Candidates::default() };
        let both = Candidates { syncs, ..range };
        let plan = |source: &Source| {
            let sql = format!("EXPLAIN QUERY PLAN SELECT * FROM document WHERE {}", source.condition);
            let mut statement = connection.prepare(&sql).unwrap();
            let rows =
                statement.query_map(params_from_iter(&source.parameters), |row| row.get::<_, String>(3)).unwrap();
            rows.map(Result::unwrap).collect::<Vec<_>>().join("; ")
        };
        let range = Candidates { range: Some((0, 5)), ..Candidates::default() };
        for (candidates, index) in [
            (&range, "INDEX document_by_purge_key (type=? AND airweave_system_metadata_purge_key>?"),
            (&by_sync, "INDEX document_by_sync (sync_key=?)"),
            (&both, "INDEX document_by_purge_key"),
        ] {
            for source in candidates.sources(&connection, &DocType::ALL).unwrap() {
                let plan = plan(&source);
                assert!(plan.contains(index) && !plan.contains("SCAN document"), "{plan}");
            }
        }
        let of_syncs = "type = ? AND sync_key IN (SELECT value FROM json_each(?))";
        let parameters = vec![Sql::Integer(1), Sql::Text("[]".to_owned())];
        let plan = plan(&Source { condition: of_syncs, parameters });
        assert!(plan.contains("INDEX document_by_sync (sync_key=? AND type=?)"), "{plan}");
    }
}
