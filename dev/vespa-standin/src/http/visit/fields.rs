//! `fieldSet`: which fields of a document are shown.

use std::borrow::Cow;

use serde_json::Value;

use crate::document::Fields;
use crate::http::params::Params;
use crate::schema::DocType;

/// What to show of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) enum FieldSet {
    /// `[id]`, `[none]`
    Nothing,
    /// `[document]`, `[all]`, `type:[document]`
    Everything,
    /// `type:field,field`; documents of other types show nothing.
    Named(DocType, Vec<String>),
}

impl FieldSet {
    pub(in crate::http) fn parse(params: &Params) -> Result<Self, String> {
        if params.text("format.tensors")?.is_some_and(|format| format != "short") {
            return Err("'format.tensors' other than 'short' is not spoken by this stand-in".into());
        }
        let Some(text) = params.text("fieldSet")? else { return Ok(Self::Everything) };
        let Some((doc_type, fields)) = text.split_once(':') else {
            return match text {
                "[id]" | "[none]" => Ok(Self::Nothing),
                "[document]" | "[all]" => Ok(Self::Everything),
                other => Err(format!("Unknown field set '{other}'")),
            };
        };
        let doc_type = DocType::parse(doc_type).ok_or_else(|| format!("Unknown document type {doc_type}"))?;
        match fields {
            "[document]" => Ok(Self::Everything),
            "[id]" => Ok(Self::Nothing),
            fields => {
                let fields: Vec<String> = fields.split(',').map(|field| field.trim().to_owned()).collect();
                match fields.iter().find(|field| doc_type.field(field).is_none()) {
                    Some(field) => Err(format!("No such field {field} in document type {}", doc_type.name())),
                    None => Ok(Self::Named(doc_type, fields)),
                }
            }
        }
    }

    /// Whether bodies have to be read at all.
    pub(super) fn needs_bodies(&self) -> bool {
        *self != Self::Nothing
    }

    /// What is shown of a body.
    pub(in crate::http) fn apply(&self, doc_type: DocType, body: String) -> Cow<'static, str> {
        match self {
            Self::Nothing => "{}".into(),
            Self::Everything => body.into(),
            Self::Named(named, _) if *named != doc_type => "{}".into(),
            Self::Named(_, names) => match body.parse() {
                Ok(Value::Object(fields)) => {
                    let kept: Fields = fields.into_iter().filter(|(name, _)| names.contains(name)).collect();
                    Value::Object(kept).to_string().into()
                }
                _ => "{}".into(),
            },
        }
    }
}
