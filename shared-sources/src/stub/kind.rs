//! The kinds of entity that the stub yields and the choice among them by weight.

use shared_models::DocumentType;

use super::config::Config;
use crate::testing::content;
use crate::testing::random::Random;

/// What an entity of the stub is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Small,
    Medium,
    Large,
    SmallFile,
    LargeFile,
    CodeFile,
}

impl Kind {
    /// Every kind, in the order in which weights are laid out.
    pub(super) const ALL: [Self; 6] =
        [Self::Small, Self::Medium, Self::Large, Self::SmallFile, Self::LargeFile, Self::CodeFile];

    /// Chooses by the config's weights; all zero means all equal.
    pub(super) fn choose(config: &Config, random: &mut Random) -> Self {
        let all_zero = Self::ALL.iter().all(|kind| kind.weight(config) == 0);
        let weight = |kind: Self| if all_zero { 1 } else { u64::from(kind.weight(config)) };
        let mut left = random.below(Self::ALL.into_iter().map(weight).sum());
        for kind in Self::ALL {
            match left.checked_sub(weight(kind)) {
                Some(rest) => left = rest,
                None => return kind,
            }
        }
        Self::Small
    }

    const fn weight(self, config: &Config) -> u32 {
        match self {
            Self::Small => config.small_entity_weight,
            Self::Medium => config.medium_entity_weight,
            Self::Large => config.large_entity_weight,
            Self::SmallFile => config.small_file_weight,
            Self::LargeFile => config.large_file_weight,
            Self::CodeFile => config.code_file_weight,
        }
    }

    /// Entity class.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Small => "SmallStubEntity",
            Self::Medium => "MediumStubEntity",
            Self::Large => "LargeStubEntity",
            Self::SmallFile => "SmallStubFileEntity",
            Self::LargeFile => "LargeStubFileEntity",
            Self::CodeFile => "CodeStubFileEntity",
        }
    }

    /// The part that names the kind in ids.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
            Self::SmallFile => "small-file",
            Self::LargeFile => "large-file",
            Self::CodeFile => "code-file",
        }
    }

    /// Type of its documents.
    pub(super) const fn document_type(self) -> DocumentType {
        match self {
            Self::Small | Self::Medium | Self::Large => DocumentType::Base,
            Self::SmallFile | Self::LargeFile => DocumentType::File,
            Self::CodeFile => DocumentType::CodeFile,
        }
    }

    /// Its text and, for a file, its extension.
    pub(super) fn content(self, random: &mut Random) -> (String, Option<&'static str>) {
        match self {
            Self::Small => (content::prose(random, 100, 200), None),
            Self::Medium => (content::prose(random, 500, 1_000), None),
            Self::Large => (content::prose(random, 3_000, 5_000), None),
            Self::SmallFile => (content::prose(random, 200, 500), Some("txt")),
            Self::LargeFile => (content::prose(random, 5_000, 10_000), Some("txt")),
            Self::CodeFile if random.below(2) == 0 => (content::python(random), Some("py")),
            Self::CodeFile => (content::javascript(random), Some("js")),
        }
    }
}
