//! The enum of all sources, and what it dispatches to.

use std::fmt;

/// No source has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("source '{0}' is unknown")]
pub struct UnknownSource(pub String);

/// Makes the enum, its dispatch and the operator's settings of all sources out of one line for each.
macro_rules! catalogue {
    ($($source:ident in $folder:ident),+ $(,)?) => {
        /// A source that this version knows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Source {
            $(
                #[doc = concat!("See the folder `", stringify!($folder), "`.")]
                $source,
            )+
        }

        impl Source {
            /// Every source, internal ones included, in the order in which clients see them.
            pub const ALL: &'static [Self] = &[$(Self::$source),+];

            /// What it is, and the fields that it asks for.
            #[must_use]
            pub const fn definition(self) -> &'static $crate::SourceDefinition {
                match self {
                    $(Self::$source => &<$folder::$source as $crate::connector::Connector>::DEFINITION,)+
                }
            }

            /// Checks a config and fills its defaults in. Unknown keys that the `stored` config has are dropped.
            ///
            /// # Errors
            /// What doesn't fit, other unknown keys among it.
            pub fn check_config(
                self,
                given: &$crate::catalogue::Fields,
                stored: Option<&$crate::catalogue::Fields>,
            ) -> Result<$crate::ValidatedFields, $crate::InvalidFields> {
                match self {
                    $(Self::$source => $crate::connector::check_config::<$folder::$source>(given, stored),)+
                }
            }

            /// Why a connection with this config, which fits, must not be made, if there is a reason.
            #[must_use]
            pub fn refuse_config(self, config: &$crate::ValidatedFields) -> Option<String> {
                match self {
                    $(Self::$source => $crate::connector::refuse_config::<$folder::$source>(config),)+
                }
            }

            /// Why a connection must not have these credentials, which fit, if there is a reason.
            /// Never quotes a secret.
            #[must_use]
            pub fn refuse_credentials(
                self,
                credentials: &$crate::ValidatedFields,
                settings: &GatewaySourceSettings,
            ) -> Option<String> {
                use $crate::connector::refuse_credentials;
                match self {
                    $(
                        Self::$source => refuse_credentials::<$folder::$source>(credentials, &settings.$folder),
                    )+
                }
            }

            /// Reads the source from its beginning to its end into `sink`.
            ///
            /// `config` and `credentials` are as they were checked. With a `cursor` the source may yield only what came
            /// after it, and then says [`Seen::Changes`]; without one it reads everything.
            ///
            /// # Errors
            /// [`SourceError`]; what was sent until then stays sent.
            pub async fn read(
                self,
                config: &$crate::catalogue::Fields,
                credentials: &$crate::catalogue::Fields,
                access: &$crate::SourceAccess,
                cursor: Option<&serde_json::Value>,
                sink: $crate::EntitySink,
            ) -> Result<$crate::ReadSummary, $crate::SourceError> {
                use $crate::connector::read;
                match self {
                    $(
                        Self::$source => {
                            Box::pin(read::<$folder::$source>(config, credentials, access, cursor, &sink)).await
                        }
                    )+
                }
            }
        }

        /// What the operator sets for sources: what they may reach, and how patient they are. The sync-worker's alone.
        #[derive(Debug, Clone, clap::Args)]
        #[group(skip)]
        pub struct SourceSettings {
            $(
                #[command(flatten)]
                pub(crate) $folder: <$folder::$source as $crate::connector::Connector>::Settings,
            )+
        }

        /// What the operator tells the gateway of sources: names alone, never what they stand for.
        #[derive(Debug, Clone, clap::Args)]
        #[group(skip)]
        pub struct GatewaySourceSettings {
            $(
                #[command(flatten)]
                pub(crate) $folder: <$folder::$source as $crate::connector::Connector>::GatewaySettings,
            )+
        }

        impl shared_service::settings::Validate for SourceSettings {
            fn validate(&self) -> Result<(), String> {
                $(self.$folder.validate()?;)+
                Ok(())
            }
        }
    };
}
pub(crate) use catalogue;

/// A JSON object.
pub(crate) type Fields = serde_json::Map<String, serde_json::Value>;

impl crate::Source {
    /// Its name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.definition().short_name
    }

    /// Checks credentials and fills their defaults in; unknown keys are dropped, if they are no misspelling.
    ///
    /// # Errors
    /// What doesn't fit; a secret's value is never part of it.
    pub fn check_credentials(self, given: &Fields) -> Result<crate::ValidatedFields, crate::InvalidFields> {
        use crate::definition::{Unknown, validate};
        validate(self.definition().auth_fields, given, Unknown::UnlessMisspelled)
    }
}

impl std::str::FromStr for crate::Source {
    type Err = UnknownSource;

    fn from_str(short_name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|source| source.as_str() == short_name);
        found.copied().ok_or_else(|| UnknownSource(short_name.to_owned()))
    }
}

impl fmt::Display for crate::Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::Map;
    use shared_models::wire;

    use crate::Source;

    #[test]
    fn every_source_is_found_by_a_name_of_its_own() {
        let names: HashSet<&str> = Source::ALL.iter().map(|source| source.as_str()).collect();
        assert_eq!(names.len(), Source::ALL.len());
        for source in Source::ALL {
            assert_eq!(source.as_str().parse(), Ok(*source));
            let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
            assert!(source.as_str().chars().all(is_plain), "{source}");
            assert!(source.definition().class_name.ends_with("Source"), "{source}");
            assert_eq!(wire::source::Source::from(source.definition()).short_name, source.as_str());
        }
        assert_eq!("gone".parse::<Source>().unwrap_err().to_string(), "source 'gone' is unknown");
    }

    /// What a form gives with every default is what the reader takes: the config and credentials become its types.
    #[tokio::test]
    async fn every_definition_has_a_reader_that_takes_what_the_definition_accepts() {
        use crate::definition::{FieldDefault, FieldKind};
        for source in Source::ALL {
            let definition = source.definition();
            let given = |fields: &[crate::definition::Field]| {
                let required = fields.iter().filter(|field| matches!(field.default, FieldDefault::Required));
                required
                    .map(|field| {
                        let fits = |text: &&str| match field.kind {
                            FieldKind::Formed { problem, .. } => problem(text).is_none(),
                            _ => true,
                        };
                        let text = ["nothing", "owner/name"].into_iter().find(fits).unwrap();
                        (field.name.to_owned(), text.into())
                    })
                    .collect::<Map<_, _>>()
            };
            let config = source.check_config(&given(definition.config_fields), None).unwrap();
            let credentials = source.check_credentials(&given(definition.auth_fields)).unwrap();
            let (sink, entities) = crate::EntitySink::new(1);
            drop(entities);
            test_support::install_tls_provider();
            let access = crate::SourceAccess::for_tests(|_| {});
            let outcome = source.read(&config, &credentials, &access, None, sink).await;
            let text = outcome.unwrap_err().to_string();
            assert!(!text.contains("not valid"), "{source}: {text}");
        }
    }
}
