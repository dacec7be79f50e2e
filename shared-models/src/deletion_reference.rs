//! Deletion references: a caller's own name for a deletion, such as the number of a data subject's request.
//!
//! It stands in the cleanup and beside its receipt. The ledger and the signed receipt have only its hash:
//! [`crate::receipt::reference`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest reference, in characters.
pub const LONGEST_REFERENCE: usize = 128;

/// A text that is no reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a deletion reference is 1 to 128 visible ASCII characters, with blanks only between them")]
pub struct NoReference;

/// A caller's own name for a deletion: 1 to 128 visible ASCII characters, and blanks between them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "diesel", derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow))]
#[cfg_attr(feature = "diesel", diesel(sql_type = diesel::sql_types::Text))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeletionReference(String);

impl DeletionReference {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DeletionReference {
    type Err = NoReference;

    fn from_str(text: &str) -> Result<Self, NoReference> {
        let is_visible = text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
        let fits = !text.is_empty() && text.len() <= LONGEST_REFERENCE && text.trim() == text;
        if is_visible && fits { Ok(Self(text.to_owned())) } else { Err(NoReference) }
    }
}

impl TryFrom<String> for DeletionReference {
    type Error = NoReference;

    fn try_from(text: String) -> Result<Self, NoReference> {
        text.parse()
    }
}

impl From<DeletionReference> for String {
    fn from(reference: DeletionReference) -> Self {
        reference.0
    }
}

impl fmt::Display for DeletionReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(feature = "diesel")]
impl diesel::serialize::ToSql<diesel::sql_types::Text, diesel::pg::Pg> for DeletionReference {
    fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, diesel::pg::Pg>) -> diesel::serialize::Result {
        <str as diesel::serialize::ToSql<diesel::sql_types::Text, diesel::pg::Pg>>::to_sql(&self.0, out)
    }
}

#[cfg(feature = "diesel")]
impl diesel::deserialize::FromSql<diesel::sql_types::Text, diesel::pg::Pg> for DeletionReference {
    fn from_sql(bytes: diesel::pg::PgValue<'_>) -> diesel::deserialize::Result<Self> {
        let text = <String as diesel::deserialize::FromSql<diesel::sql_types::Text, diesel::pg::Pg>>::from_sql(bytes)?;
        Ok(text.parse()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_visible_and_short() {
        for good in ["DSAR-2026-042", "x", "case 7 / 2026", &"r".repeat(128)] {
            assert_eq!(good.parse::<DeletionReference>().unwrap().as_str(), good);
        }
        for bad in ["", " ", " x", "x ", "a\tb", "a\nb", "ü", "\u{200b}", &"r".repeat(129)] {
            assert_eq!(bad.parse::<DeletionReference>(), Err(NoReference), "{bad:?}");
        }
    }
}
