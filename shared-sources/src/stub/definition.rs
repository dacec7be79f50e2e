//! What `stub` is and what it asks for.

use crate::definition::build::{field, free_text, integer};
use crate::definition::{Field, FieldDefault, FieldKind, SourceDefinition};
use crate::testing::{COUNT, LABELS, STUB_AUTH, seed};

const fn weight(name: &'static str, title: &'static str, description: &'static str, default: i64) -> Field {
    Field { kind: FieldKind::Weight { max: 100 }, ..integer(name, title, description, default, 0, 100) }
}

/// Yields entities of many kinds, chosen by a seed.
pub(super) const DEFINITION: SourceDefinition = SourceDefinition {
    short_name: "stub",
    name: "Stub",
    description: "Made-up entities and files of several kinds and sizes. For tests.",
    class_name: "StubSource",
    entity_classes: &[
        "StubContainerEntity",
        "SmallStubEntity",
        "MediumStubEntity",
        "LargeStubEntity",
        "SmallStubFileEntity",
        "LargeStubFileEntity",
        "CodeStubFileEntity",
    ],
    labels: LABELS,
    supports_continuous: false,
    is_internal: true,
    auth_fields: STUB_AUTH,
    config_fields: &[
        integer("entity_count", "Entity Count", COUNT, 10, 1, 100_000),
        seed(),
        integer(
            "generation_delay_ms",
            "Generation Delay (ms)",
            "Pause before each entity, in milliseconds; 0 is none.",
            0,
            0,
            10_000,
        ),
        weight("small_entity_weight", "Small Entity Weight", "Share of entities of 100 to 200 characters.", 30),
        weight("medium_entity_weight", "Medium Entity Weight", "Share of entities of 500 to 1000 characters.", 30),
        weight("large_entity_weight", "Large Entity Weight", "Share of entities of 3000 to 5000 characters.", 10),
        weight("small_file_weight", "Small File Weight", "Share of files of 200 to 500 characters.", 15),
        weight("large_file_weight", "Large File Weight", "Share of files of 5000 to 10000 characters.", 5),
        weight("code_file_weight", "Code File Weight", "Share of files with source code.", 10),
        field(
            "inject_special_tokens",
            "Inject Special Tokens",
            "Puts special tokens of language models, such as <|endoftext|>, into the texts.",
            FieldKind::Boolean,
            FieldDefault::Boolean(false),
        ),
        free_text(
            "custom_content_prefix",
            "Custom Content Prefix",
            "Text before the text of every entity, to search for.",
            FieldDefault::Null,
        ),
        integer(
            "fail_after",
            "Fail After",
            "The sync fails after this number of entities beside the container; -1 is never.",
            -1,
            -1,
            100_000,
        ),
    ],
};
