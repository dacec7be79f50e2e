//! What each kind of request made the store do. What a real cluster would have to do is judged by these counts, never
//! by a ratio of times against ourselves.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};

/// The kinds of request that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A document written whole.
    Put,
    /// A document read by id.
    Get,
    /// A document removed by id.
    Remove,
    /// Fields of a document changed.
    Update,
    /// A walk over the corpus that reads.
    Visit,
    /// A walk over the corpus that removes.
    BulkDelete,
    /// A search.
    Query,
}

/// The counters of one kind.
#[derive(Debug, Default)]
pub struct Counter {
    requests: AtomicU64,
    operations: AtomicU64,
    documents_examined: AtomicU64,
    bytes_read: AtomicU64,
}

impl Counter {
    /// One request has come in.
    pub fn request(&self) {
        self.requests.fetch_add(1, Relaxed);
    }

    /// `count` documents were written, removed or given out.
    pub fn operations(&self, count: u64) {
        self.operations.fetch_add(count, Relaxed);
    }

    /// A number of documents was looked at, and so many bytes of them were read.
    pub fn examined(&self, documents: u64, bytes: u64) {
        self.documents_examined.fetch_add(documents, Relaxed);
        self.bytes_read.fetch_add(bytes, Relaxed);
    }

    fn snapshot(&self) -> Count {
        Count {
            requests: self.requests.load(Relaxed),
            operations: self.operations.load(Relaxed),
            documents_examined: self.documents_examined.load(Relaxed),
            bytes_read: self.bytes_read.load(Relaxed),
        }
    }

    fn reset(&self) {
        for counter in [&self.requests, &self.operations, &self.documents_examined, &self.bytes_read] {
            counter.store(0, Relaxed);
        }
    }
}

/// All counters of a server.
#[derive(Debug, Default)]
pub struct Counters {
    put: Counter,
    get: Counter,
    remove: Counter,
    update: Counter,
    visit: Counter,
    bulk_delete: Counter,
    query: Counter,
}

/// The counts of one kind of request, as the admin endpoint shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Requests received.
    pub requests: u64,
    /// Documents written, removed or given out.
    pub operations: u64,
    /// Documents looked at to decide or to answer.
    pub documents_examined: u64,
    /// Bytes of ids, attributes and bodies read for that.
    pub bytes_read: u64,
}

/// All counts, as the admin endpoint shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// `POST` of a document
    pub put: Count,
    /// `GET` of a document
    pub get: Count,
    /// `DELETE` of a document
    pub remove: Count,
    /// `PUT` of a document
    pub update: Count,
    /// `GET` of a selection
    pub visit: Count,
    /// `DELETE` of a selection
    pub bulk_delete: Count,
    /// `/search/`
    pub query: Count,
}

impl Counters {
    /// The counters of one kind.
    pub fn of(&self, kind: Kind) -> &Counter {
        match kind {
            Kind::Put => &self.put,
            Kind::Get => &self.get,
            Kind::Remove => &self.remove,
            Kind::Update => &self.update,
            Kind::Visit => &self.visit,
            Kind::BulkDelete => &self.bulk_delete,
            Kind::Query => &self.query,
        }
    }

    /// The counts now.
    pub fn snapshot(&self) -> Counts {
        Counts {
            put: self.put.snapshot(),
            get: self.get.snapshot(),
            remove: self.remove.snapshot(),
            update: self.update.snapshot(),
            visit: self.visit.snapshot(),
            bulk_delete: self.bulk_delete.snapshot(),
            query: self.query.snapshot(),
        }
    }

    /// Back to zero.
    pub fn reset(&self) {
        for kind in [Kind::Put, Kind::Get, Kind::Remove, Kind::Update, Kind::Visit, Kind::BulkDelete, Kind::Query] {
            self.of(kind).reset();
        }
    }
}
