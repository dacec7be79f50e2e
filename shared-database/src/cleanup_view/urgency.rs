//! How a cleanup stands against its deadline, by the schedule that workers have stored.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Nullable, Timestamptz};

use crate::cleanups::{DEADLINE_AS_STORED, IS_PAUSED, hurries_as_stored, is_overdue_as_stored};

/// How it stood when it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = cleanup)]
pub struct Urgency {
    /// By when it is to be done; `None` without a deadline, and once no work is left.
    #[diesel(select_expression = sql(DEADLINE_AS_STORED))]
    #[diesel(select_expression_type = SqlLiteral<Nullable<Timestamptz>>)]
    pub deadline_at: Option<DateTime<Utc>>,
    /// Whether it ignores allowed hours and rate, since its deadline is near or has passed. A pause wins over that.
    #[diesel(select_expression = sql(&hurries_unless_paused()))]
    #[diesel(select_expression_type = SqlLiteral<Bool>)]
    pub hurries: bool,
    /// Whether work is left though its deadline has passed.
    #[diesel(select_expression = sql(&is_overdue_as_stored()))]
    #[diesel(select_expression_type = SqlLiteral<Bool>)]
    pub is_overdue: bool,
}

fn hurries_unless_paused() -> String {
    let hurries = hurries_as_stored();
    format!("(state IN ('scheduled', 'purging', 'settling') AND {hurries} AND NOT {IS_PAUSED})")
}
