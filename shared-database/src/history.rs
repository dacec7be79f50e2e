//! Whether PostgreSQL's history is whole, as far as this process knows.
//!
//! Keeps DEL-10. Statements that run anyway return the size of the ledger. A smaller one than was known before the
//! statement was sent means that PostgreSQL went back in time: from then on this process searches, syncs and purges
//! nothing, until whoever watches the ledger store says that the history is whole again. Nothing here reads the store.
//! A process that saw little of the ledger's growth would not notice a loss so: therefore a session with another server
//! than before, or with one that was started since, makes it wait for the next look, too.
//!
//! Without a ledger store nothing could ever end that state, so a loss is then only told.

use std::sync::Arc;

use diesel::{ConnectionError, ConnectionResult, QueryableByName, sql_types};
use diesel_async::RunQueryDsl as _;
use parking_lot::Mutex;
use shared_models::history::LostHistory;

use crate::error::{DatabaseError, Result};
use crate::session::Session;

/// The number of entries that have a place in the ledger, as a column. One look at the end of an index.
macro_rules! ledger_size {
    () => {
        "(SELECT coalesce(max(ledger_index.index) + 1, 0) FROM ledger_index) AS ledger_size"
    };
}
pub(crate) use ledger_size;

/// What a process knows of the ledger's growth. Shared by all its [`Database`](crate::Database)s; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct History(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    is_watched: bool,
    seen: u64,
    lost: Option<LostHistory>,
    /// Grows with each loss, so that a look that began before can't end it.
    losses: u64,
    /// The server and database that the last session was opened with.
    server: Option<String>,
}

/// A look at the ledger store that has begun; what it finds holds only if no history was lost meanwhile.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    losses: u64,
}

/// The size of the ledger that was known before a statement was sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Before(u64);

impl Before {
    /// As a parameter of a statement.
    pub(crate) fn size(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }
}

impl History {
    /// From now on somebody watches a ledger store, and a loss stops this process.
    pub fn watch(&self) {
        self.0.lock().is_watched = true;
    }

    /// How the history was lost, if it was.
    #[must_use]
    pub fn lost(&self) -> Option<LostHistory> {
        self.0.lock().lost
    }

    /// Refuses what may not happen while history is lost.
    ///
    /// # Errors
    /// [`DatabaseError::HistoryLost`].
    pub fn check(&self) -> Result<()> {
        self.lost().map_or(Ok(()), |lost| Err(DatabaseError::HistoryLost(lost)))
    }

    /// Begins a look at the ledger store.
    #[must_use]
    pub fn look(&self) -> Look {
        Look { losses: self.0.lock().losses }
    }

    /// The look found that PostgreSQL's ledger of `size` entries lacks nothing that could be put back. Ends a loss,
    /// unless there was another one since the look began. Returns what it ended, and how large the ledger had been.
    pub fn is_whole(&self, look: Look, size: u64) -> Option<(LostHistory, u64)> {
        let mut known = self.0.lock();
        if known.losses != look.losses {
            return None;
        }
        let (ended, seen) = (known.lost.take(), known.seen);
        known.seen = if ended.is_some() { size } else { seen.max(size) };
        ended.map(|ended| (ended, seen))
    }

    /// The largest ledger that this process saw.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.0.lock().seen
    }

    /// Notes which server a new session is with. Another one than before, or one that was started since, may have lost
    /// what was committed.
    pub(crate) async fn meet(&self, session: &mut Session) -> ConnectionResult<()> {
        #[derive(QueryableByName)]
        struct Server {
            #[diesel(sql_type = sql_types::Text)]
            server: String,
        }
        if !self.0.lock().is_watched {
            return Ok(());
        }
        let server = "SELECT concat(pg_postmaster_start_time(), ' ', (SELECT oid FROM pg_database
                                    WHERE datname = current_database())) AS server";
        let server = diesel::sql_query(server).get_result(session).await;
        let Server { server } = server.map_err(|error| ConnectionError::BadConnection(error.to_string()))?;
        self.met(server);
        Ok(())
    }

    fn met(&self, server: String) {
        let mut known = self.0.lock();
        if known.server.as_ref().is_some_and(|before| *before != server) {
            known.lose(LostHistory::Unread);
        }
        known.server = Some(server);
    }

    /// The store could be read: a start that waited for that goes on, whatever else was found.
    pub fn was_read(&self) {
        let mut known = self.0.lock();
        if known.lost == Some(LostHistory::Unread) {
            known.lost = None;
        }
    }

    /// History is lost, or must be taken for that. What is known already stays: whoever saw a larger ledger knows more.
    /// Whether it is news.
    pub fn lose(&self, how: LostHistory) -> bool {
        self.0.lock().lose(how)
    }

    /// Before a statement that returns the ledger's size.
    ///
    /// # Errors
    /// [`DatabaseError::HistoryLost`]: the statement isn't to be sent.
    pub(crate) fn before(&self) -> Result<Before> {
        let known = self.0.lock();
        known.lost.map_or(Ok(Before(known.seen)), |lost| Err(DatabaseError::HistoryLost(lost)))
    }

    /// After it.
    ///
    /// # Errors
    /// [`DatabaseError::HistoryLost`]: what the statement returned isn't to be used.
    pub(crate) fn after(&self, Before(seen): Before, size: i64) -> Result<()> {
        let found = u64::try_from(size).unwrap_or_default();
        let mut known = self.0.lock();
        if let Some(lost) = known.lost {
            return Err(DatabaseError::HistoryLost(lost));
        }
        if found >= seen {
            known.seen = known.seen.max(found);
            return Ok(());
        }
        let how = LostHistory::Shrunk { seen, found };
        if known.is_watched {
            if known.lose(how) {
                tracing::error!(
                    case = how.case(),
                    seen,
                    found,
                    "PostgreSQL has lost history: nothing is searched, synced or purged"
                );
            }
            return Err(DatabaseError::HistoryLost(known.lost.unwrap_or(how)));
        }
        known.seen = found;
        tracing::error!(
            seen,
            found,
            "PostgreSQL has lost history, and without LEDGER_URL what was deleted since can't be known"
        );
        Ok(())
    }
}

impl Known {
    fn lose(&mut self, how: LostHistory) -> bool {
        let is_news = match (self.lost, how) {
            (Some(LostHistory::Shrunk { .. } | LostHistory::Behind { .. }), LostHistory::Unread) => false,
            (Some(LostHistory::Shrunk { .. }), LostHistory::Behind { .. }) => false,
            (known, how) => known != Some(how),
        };
        if is_news {
            self.losses += 1;
            self.lost = Some(how);
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(size: i64) -> History {
        let history = History::default();
        history.watch();
        history.after(history.before().unwrap(), size).unwrap();
        history
    }

    #[test]
    fn a_smaller_ledger_than_before_the_statement_stops_the_process() {
        let history = watched(7);
        let (early, late) = (history.before().unwrap(), history.before().unwrap());
        history.after(early, 9).unwrap();
        assert!(history.after(late, 8).is_ok(), "it was sent before anybody knew of 9");
        let before = history.before().unwrap();
        let lost = LostHistory::Shrunk { seen: 9, found: 8 };
        assert!(matches!(history.after(before, 8), Err(DatabaseError::HistoryLost(told)) if told == lost));
        assert!(history.before().is_err() && history.check().is_err());
        assert_eq!(history.lost(), Some(lost));
    }

    #[test]
    fn a_loss_is_ended_by_a_look_that_began_after_it_and_by_no_other() {
        let history = watched(9);
        let early = history.look();
        assert!(history.after(history.before().unwrap(), 8).is_err());
        assert_eq!(history.is_whole(early, 9), None);
        assert!(history.lost().is_some());
        assert_eq!(history.is_whole(history.look(), 8), Some((LostHistory::Shrunk { seen: 9, found: 8 }, 9)));
        assert!(history.after(history.before().unwrap(), 8).is_ok(), "the size begins again");
    }

    #[test]
    fn whoever_saw_more_knows_more() {
        let (shrunk, behind) =
            (LostHistory::Shrunk { seen: 9, found: 8 }, LostHistory::Behind { store: 9, database: 8 });
        let history = watched(9);
        assert!(history.lose(LostHistory::Unread) && history.lose(behind) && !history.lose(LostHistory::Unread));
        assert!(history.lose(shrunk) && !history.lose(behind) && !history.lose(shrunk));
        history.was_read();
        assert_eq!(history.lost(), Some(shrunk));
    }

    #[test]
    fn a_start_that_waits_for_the_store_goes_on_once_it_was_read() {
        let history = watched(0);
        assert!(history.lose(LostHistory::Unread) && history.check().is_err());
        history.was_read();
        assert!(history.check().is_ok());
    }

    #[test]
    fn another_server_is_looked_at_before_anything_goes_on() {
        let history = watched(7);
        history.met("one".to_owned());
        history.met("one".to_owned());
        let before = history.before().unwrap();
        history.met("another".to_owned());
        assert_eq!(history.lost(), Some(LostHistory::Unread));
        assert!(history.after(before, 7).is_err(), "what was sent meanwhile isn't used");
        assert!(history.is_whole(history.look(), 6).is_some_and(|(_, seen)| seen == 7));
        assert!(history.check().is_ok());
    }

    #[test]
    fn without_a_ledger_store_a_loss_is_only_told() {
        let history = History::default();
        history.after(history.before().unwrap(), 9).unwrap();
        assert!(history.after(history.before().unwrap(), 8).is_ok() && history.lost().is_none());
    }
}
