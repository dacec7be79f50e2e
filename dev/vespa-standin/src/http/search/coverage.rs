//! How much of the documents an answer rests on, as Vespa says it: one sub-query per schema on one node, whose
//! documents, nodes and results are sums.

use serde_json::{Map, Value, json};

use crate::document_id::BUCKETS;
use crate::faults::{Fault, Looks};
use crate::schema::DocType;
use crate::store::{Store, StoreError};

/// An answer that leaves documents out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Partial {
    /// The documents of so many buckets, the first ones.
    pub hidden_buckets: u16,
    /// What the answer says of that.
    pub looks: Looks,
}

impl Partial {
    pub(super) fn of(fault: Option<&Fault>) -> Option<Self> {
        let Some(Fault::Partial { hides, looks }) = fault else { return None };
        let hidden_buckets = (1..BUCKETS).find(|buckets| f64::from(*buckets) >= hides * f64::from(BUCKETS));
        Some(Self { hidden_buckets: hidden_buckets.unwrap_or(BUCKETS), looks: *looks })
    }
}

pub(super) fn coverage(store: &Store, types: &[DocType], partial: Option<Partial>) -> Result<Value, StoreError> {
    let hidden = partial.map_or(0, |partial| partial.hidden_buckets);
    let mut counts = Vec::new();
    for doc_type in types {
        let all = store.count(*doc_type);
        counts.push((if hidden == 0 { all } else { store.count_from(*doc_type, hidden)? }, all));
    }
    let documents: u64 = counts.iter().map(|(seen, _)| seen).sum();
    let mut all: u64 = counts.iter().map(|(_, all)| all).sum();
    let mut full_results = counts.iter().filter(|(seen, all)| seen >= all).count();
    let looks = partial.map(|partial| partial.looks);
    let is_full = match looks {
        None => true,
        // What isn't active isn't expected either.
        Some(Looks::NonIdealState) => {
            full_results = types.len();
            true
        }
        Some(Looks::Unnoticed) => {
            (all, full_results) = (documents, types.len());
            true
        }
        // Without a document it wouldn't be known what was left out.
        Some(Looks::Timeout) => documents >= all && all > 0,
        Some(Looks::AdaptiveTimeout | Looks::MatchPhase | Looks::Error) => documents >= all,
    };
    let percent = if documents < all { (documents * 200 + all) / (all * 2) } else { 100 };
    let mut coverage = Map::new();
    coverage.insert("coverage".into(), percent.into());
    coverage.insert("documents".into(), documents.into());
    if let Some(degraded) = looks.and_then(|looks| degraded(looks, percent)) {
        coverage.insert("degraded".into(), degraded);
    }
    coverage.insert("full".into(), is_full.into());
    coverage.insert("nodes".into(), types.len().into());
    coverage.insert("results".into(), types.len().into());
    coverage.insert("resultsFull".into(), full_results.into());
    Ok(coverage.into())
}

fn degraded(looks: Looks, percent: u64) -> Option<Value> {
    let is_degraded = match looks {
        Looks::Timeout | Looks::AdaptiveTimeout | Looks::MatchPhase => true,
        // By the percentage, which is rounded.
        Looks::NonIdealState => percent != 100,
        Looks::Error | Looks::Unnoticed => false,
    };
    is_degraded.then(|| {
        json!({
            "match-phase": looks == Looks::MatchPhase,
            "timeout": looks == Looks::Timeout,
            "adaptive-timeout": looks == Looks::AdaptiveTimeout,
            "anntimeout": false,
            "non-ideal-state": looks == Looks::NonIdealState,
        })
    })
}
