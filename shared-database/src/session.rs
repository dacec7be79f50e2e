//! A session with PostgreSQL: how it is opened, and whose errors carry the SQLSTATE.
//!
//! Diesel hands on the texts of PostgreSQL's errors, which are in the server's language, and the SQLSTATE of a few
//! only. So a session also reads the SQLSTATE where it arrives, in the bytes that the server sends ([`sql_state`]), and
//! every error that it answers with carries it ([`StatedError`]).

use diesel::connection::{CacheSize, Instrumentation};
use diesel::query_builder::{AsQuery, QueryFragment, QueryId};
use diesel::{ConnectionResult, QueryResult};
use diesel_async::pooled_connection::PoolableConnection;
use diesel_async::{
    AnsiTransactionManager, AsyncConnection, AsyncConnectionCore, AsyncPgConnection, SimpleAsyncConnection,
};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _, TryFutureExt as _};

mod open;
mod sql_state;
mod wire;

pub(crate) use open::{CONNECT_TIMEOUT, open};
use sql_state::LastError;
pub(crate) use sql_state::{SqlState, StatedError};

/// A session with PostgreSQL. Not to be shared: one statement after the other.
pub struct Session {
    diesel: AsyncPgConnection,
    last_error: LastError,
}

impl Session {
    fn new(diesel: AsyncPgConnection, last_error: LastError) -> Self {
        Self { diesel, last_error }
    }

    /// The same session for what needs Diesel's own type; its errors carry no SQLSTATE.
    pub(crate) fn into_diesel(self) -> AsyncPgConnection {
        self.diesel
    }
}

impl SimpleAsyncConnection for Session {
    async fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        self.last_error.forget();
        let done = self.diesel.batch_execute(query).await;
        done.map_err(|error| self.last_error.tell(error))
    }
}

impl AsyncConnectionCore for Session {
    type LoadFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<Self::Stream<'conn, 'query>>>;
    type ExecuteFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<usize>>;
    type Stream<'conn, 'query> = BoxStream<'static, QueryResult<Self::Row<'conn, 'query>>>;
    type Row<'conn, 'query> = <AsyncPgConnection as AsyncConnectionCore>::Row<'conn, 'query>;
    type Backend = diesel::pg::Pg;

    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> Self::LoadFuture<'conn, 'query>
    where
        T: AsQuery + 'query,
        T::Query: QueryFragment<Self::Backend> + QueryId + 'query,
    {
        self.last_error.forget();
        let (of_start, of_rows) = (self.last_error.clone(), self.last_error.clone());
        let rows = AsyncConnectionCore::load(&mut self.diesel, source);
        rows.map_ok(move |rows| rows.map(move |row| row.map_err(|error| of_rows.tell(error))).boxed())
            .map_err(move |error| of_start.tell(error))
            .boxed()
    }

    fn execute_returning_count<'conn, 'query, T>(&'conn mut self, source: T) -> Self::ExecuteFuture<'conn, 'query>
    where
        T: QueryFragment<Self::Backend> + QueryId + 'query,
    {
        self.last_error.forget();
        let last_error = self.last_error.clone();
        let done = self.diesel.execute_returning_count(source);
        done.map_err(move |error| last_error.tell(error)).boxed()
    }
}

impl AsyncConnection for Session {
    type TransactionManager = AnsiTransactionManager;

    async fn establish(url: &str) -> ConnectionResult<Self> {
        open(url).await
    }

    fn transaction_state(&mut self) -> &mut AnsiTransactionManager {
        self.diesel.transaction_state()
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        self.diesel.instrumentation()
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.diesel.set_instrumentation(instrumentation);
    }

    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        self.diesel.set_prepared_statement_cache_size(size);
    }
}

impl PoolableConnection for Session {
    fn is_broken(&mut self) -> bool {
        self.diesel.is_broken()
    }
}
