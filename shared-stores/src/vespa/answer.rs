//! Answers of the query API, and the checks that decide whether one may be believed.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use shared_models::DocumentType;

use super::VespaError;
use super::error::scrub;

/// The part of an answer that all queries share, with hits or groups of one form. They are read as they stand in the
/// body: a tree of JSON values would take several times the memory.
#[derive(Debug, Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
pub(super) struct Answer<T> {
    root: Root<T>,
}

#[derive(Debug, Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Root<T> {
    fields: Option<RootFields>,
    coverage: Option<Coverage>,
    #[serde(default)]
    errors: Vec<Value>,
    #[serde(default = "Vec::new")]
    children: Vec<T>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RootFields {
    total_count: Option<u64>,
}

/// How much of the corpus was looked at. `coverage.coverage` is rounded to whole per cent and therefore not read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Coverage {
    full: bool,
    degraded: Option<Value>,
    results: u64,
    results_full: u64,
}

impl<T: DeserializeOwned> Answer<T> {
    /// Reads the body of a 200. An answer with errors is refused here: Vespa sends 200 as soon as one hit is there.
    pub(super) fn read(body: &[u8]) -> Result<Self, VespaError> {
        let answer: Self = serde_json::from_slice(body)
            .map_err(|error| VespaError::Malformed(format!("query answer, {:?} error", error.classify())))?;
        match answer.root.errors.first() {
            None => Ok(answer),
            Some(error) => {
                let code = error.get("code").and_then(Value::as_i64).unwrap_or_default();
                let summary = error.get("summary").and_then(Value::as_str).unwrap_or("no summary");
                Err(VespaError::Untrustworthy(format!("error {code}: {}", scrub(summary))))
            }
        }
    }

    /// How many documents match, as far as was looked.
    pub(super) fn total(&self) -> Result<u64, VespaError> {
        let total = self.root.fields.as_ref().and_then(|fields| fields.total_count);
        total.ok_or_else(|| VespaError::Malformed("no totalCount".to_owned()))
    }

    /// `Ok` if every document of all `types` asked types was looked at: no zero means anything otherwise (DEL-7).
    pub(super) fn check_complete(&self, types: usize) -> Result<(), VespaError> {
        let Some(coverage) = &self.root.coverage else {
            return Err(VespaError::Untrustworthy("no coverage given".to_owned()));
        };
        let asked = u64::try_from(types).unwrap_or(u64::MAX);
        let Coverage { full, degraded, results, results_full } = coverage;
        if !full || degraded.is_some() {
            return Err(VespaError::Untrustworthy("coverage is degraded".to_owned()));
        }
        if *results != asked || *results_full != asked {
            let text = format!("{results} results, {results_full} of them full, for {asked} document types");
            return Err(VespaError::Untrustworthy(text));
        }
        Ok(())
    }

    /// The hits or group lists.
    pub(super) fn children(&self) -> &[T] {
        &self.root.children
    }

    /// The same, for good.
    pub(super) fn into_children(self) -> Vec<T> {
        self.root.children
    }
}

/// Hits and groups that nobody looks at.
#[derive(Debug, Deserialize)]
pub(super) struct Unread {}

/// The five types, named: a parent never includes its children.
pub(super) fn all_types() -> String {
    DocumentType::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ")
}
