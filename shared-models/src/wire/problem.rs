//! Bodies of answers that are not a success.
//!
//! 422 carries both shapes that clients know: the published one in `detail`, the real server's in `errors`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `{"detail": "<text>"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = ErrorResponse))]
pub struct Detail {
    /// What is wrong, for people.
    #[cfg_attr(feature = "openapi", schema(example = "SourceConnection not found"))]
    pub detail: String,
}

/// Where in a request something is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum Location {
    /// A field's name, or `body`, `query`, `path`, `header` as the first.
    Name(String),
    /// A position in a list, or a byte offset.
    Index(usize),
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Index(index) => index.fmt(f),
        }
    }
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = ValidationErrorDetail))]
pub struct FieldProblem {
    /// Where it is.
    pub loc: Vec<Location>,
    /// What is wrong, for people.
    pub msg: String,
    /// What is wrong, for programs.
    #[serde(rename = "type")]
    pub kind: String,
}

impl FieldProblem {
    /// The place with dots, e.g. `body.name`.
    #[must_use]
    pub fn dotted(&self) -> String {
        self.loc.iter().map(Location::to_string).collect::<Vec<_>>().join(".")
    }
}

/// The body of a 422 about a request's form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = ValidationErrorResponse))]
pub struct Unprocessable {
    /// Every fault, with its place, its text and its kind.
    pub detail: Vec<FieldProblem>,
    /// The same, as one object a fault: the place with dots, and the text.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<std::collections::BTreeMap<String, String>>))]
    pub errors: Vec<Map<String, Value>>,
}

impl From<Vec<FieldProblem>> for Unprocessable {
    fn from(detail: Vec<FieldProblem>) -> Self {
        let errors = detail.iter().map(|problem| Map::from_iter([(problem.dotted(), problem.msg.clone().into())]));
        Self { errors: errors.collect(), detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_shapes_say_the_same() {
        let problem = FieldProblem {
            loc: vec![Location::Name("body".to_owned()), Location::Name("name".to_owned())],
            msg: "Field required".to_owned(),
            kind: "missing".to_owned(),
        };
        assert_eq!(
            serde_json::to_value(Unprocessable::from(vec![problem])).unwrap(),
            json!({
                "detail": [{"loc": ["body", "name"], "msg": "Field required", "type": "missing"}],
                "errors": [{"body.name": "Field required"}],
            })
        );
    }
}
