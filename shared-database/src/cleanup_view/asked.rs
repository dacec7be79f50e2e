//! Who asked for a deletion, and how they called it.

use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use shared_models::{ApiKeyId, RequestId};

use crate::schema::cleanup;

/// Who asked for a deletion.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = cleanup)]
pub struct Asked {
    /// The API key, if there was one.
    pub requested_by: Option<ApiKeyId>,
    /// What that key is called, or was when it was deleted.
    #[diesel(select_expression = sql(KEY_NAME))]
    #[diesel(select_expression_type = SqlLiteral<Nullable<Text>>)]
    pub requested_by_name: Option<String>,
    /// The request.
    pub request_id: Option<RequestId>,
    /// The caller's own name for the deletion.
    pub deletion_reference: Option<String>,
}

/// What the API key is called that asked for a deletion, or was when it was deleted.
pub(crate) const KEY_NAME: &str = "coalesce((SELECT name FROM api_key WHERE api_key.id = cleanup.requested_by),
                                 (SELECT name FROM deleted_api_key WHERE deleted_api_key.id = cleanup.requested_by))";
