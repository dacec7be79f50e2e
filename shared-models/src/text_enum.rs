//! Enums that are stored, sent and shown by one lower-case name.

/// The text is not one of the names that this version knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {kind} '{text}'")]
pub struct UnknownName {
    /// What was expected, e.g. `job status`.
    pub kind: &'static str,
    /// What was found.
    pub text: String,
}

/// Defines an enum whose variants have one spelling in SQL, JSON, metrics and logs. `as` gives it another name in the
/// OpenAPI document, where the public contract knows it by that.
macro_rules! text_enum {
    (
        $(#[doc = $doc:literal])+
        $name:ident $(as $public:literal)?, $kind:literal,
        { $($(#[doc = $vdoc:literal])+ $variant:ident = $text:literal),+ $(,)? }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "diesel", derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow))]
        #[cfg_attr(feature = "diesel", diesel(sql_type = diesel::sql_types::Text))]
        pub enum $name {
            $($(#[doc = $vdoc])+ #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Every variant, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The names of all of them, in the same order.
            pub const NAMES: &'static [&'static str] = &[$($text,)+];

            /// The one spelling used in SQL, JSON, metrics and logs.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::text_enum::UnknownName;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    other => Err($crate::text_enum::UnknownName { kind: $kind, text: other.to_owned() }),
                }
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                let variants = [$(($text, concat!($($vdoc),+)),)+];
                $crate::text_enum::described(concat!($($doc),+), &variants)
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                let public: &[&str] = &[$($public,)? stringify!($name)];
                std::borrow::Cow::Borrowed(public.first().copied().unwrap_or_default())
            }
        }

        #[cfg(feature = "diesel")]
        impl diesel::serialize::ToSql<diesel::sql_types::Text, diesel::pg::Pg> for $name {
            fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, diesel::pg::Pg>) -> diesel::serialize::Result {
                <str as diesel::serialize::ToSql<diesel::sql_types::Text, diesel::pg::Pg>>::to_sql(self.as_str(), out)
            }
        }

        #[cfg(feature = "diesel")]
        impl diesel::deserialize::FromSql<diesel::sql_types::Text, diesel::pg::Pg> for $name {
            fn from_sql(bytes: diesel::pg::PgValue<'_>) -> diesel::deserialize::Result<Self> {
                let text = <String as diesel::deserialize::FromSql<diesel::sql_types::Text, diesel::pg::Pg>>::from_sql(bytes)?;
                Ok(text.parse::<Self>()?)
            }
        }
    };
}

pub(crate) use text_enum;

/// The schema of an enum: its names, and in the description what each means. Doc texts begin with a blank.
#[cfg(feature = "openapi")]
pub(crate) fn described(
    doc: &str,
    variants: &[(&'static str, &str)],
) -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    let meanings = variants.iter().map(|(text, meaning)| format!("\n- `{text}`:{meaning}"));
    let description = format!("{}\n{}", doc.trim(), meanings.collect::<String>());
    utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::schema::Type::String)
        .enum_values(Some(variants.iter().map(|(text, _)| *text)))
        .description(Some(description))
        .into()
}
