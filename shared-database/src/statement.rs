//! SQL of our own, prepared once a session.
//!
//! Diesel prepares every text of [`diesel::sql_query`] anew, since it may have been put together with values in it: a
//! round trip more for each statement. Here texts are constants or one of a few, and values are bound, so each is kept
//! prepared by its text.

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, BoxedSqlQuery, Query, QueryFragment, QueryId, SqlQuery};
use diesel::serialize::ToSql;
use diesel::sql_types::{HasSqlType, Untyped};

/// A statement with its binds. Made by [`sql_query`].
pub(crate) struct Statement<'f>(BoxedSqlQuery<'f, Pg, SqlQuery>);

/// Like [`diesel::sql_query`], and kept prepared. The text must hold no values:
/// each text stays in the session's memory.
pub(crate) fn sql_query<'f>(text: impl Into<String>) -> Statement<'f> {
    Statement(diesel::sql_query(text).into_boxed())
}

impl<'f> Statement<'f> {
    /// Binds the next value: the first to `$1`.
    pub(crate) fn bind<ST, Value>(self, value: Value) -> Self
    where
        Pg: HasSqlType<ST>,
        Value: ToSql<ST, Pg> + Send + 'f,
        ST: Send + 'f,
    {
        Self(self.0.bind::<ST, Value>(value))
    }
}

impl QueryId for Statement<'_> {
    type QueryId = ();
    // Kept by its text, not by its type.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Statement<'_> {
    type SqlType = Untyped;
}

impl QueryFragment<Pg> for Statement<'_> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }

    fn is_safe_to_cache_prepared(&self, _: &Pg) -> QueryResult<bool> {
        Ok(true)
    }
}
