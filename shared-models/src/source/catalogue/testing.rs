//! The sources for tests.

use super::{field, free_text, integer, secret};
use crate::source::exception_stub::{AuthProviderKind, ExceptionType};
use crate::source::{Field, FieldDefault, FieldKind, SourceDefinition};

const LABELS: &[&str] = &["Internal", "Testing"];

const COUNT: &str = "How many entities there are, the container included.";
const SEED: &str = "Everything that is made up follows from this number: the same seed gives the same entities.";

const fn seed() -> Field {
    integer("seed", "Random Seed", SEED, 42, i64::MIN, i64::MAX)
}

const fn weight(name: &'static str, title: &'static str, description: &'static str, default: i64) -> Field {
    Field { kind: FieldKind::Weight { max: 100 }, ..integer(name, title, description, default, 0, 100) }
}

/// A credential that must be there in form only.
const fn key(name: &'static str, title: &'static str, default: &'static str) -> Field {
    secret(free_text(name, title, "Any text: nothing is protected by it.", FieldDefault::Text(default)))
}

const STUB_AUTH: &[Field] = &[key("stub_key", "Stub Key", "stub")];

/// Yields entities spread evenly over a time.
pub const TIMED: SourceDefinition = SourceDefinition {
    short_name: "timed",
    name: "Timed",
    description: "Made-up entities, spread evenly over a time. For tests of running syncs.",
    class_name: "TimedSource",
    entity_classes: &["TimedContainerEntity", "TimedEntity"],
    labels: LABELS,
    supports_continuous: false,
    is_internal: true,
    auth_fields: &[key("timed_key", "Timed Key", "timed")],
    config_fields: &[
        integer("entity_count", "Entity Count", "How many entities there are beside the container.", 100, 1, 10_000),
        field(
            "duration_seconds",
            "Duration (seconds)",
            "Time over which the entities are spread, in seconds.",
            FieldKind::Float { min: 0.1, max: 600.0 },
            FieldDefault::Float(10.0),
        ),
        seed(),
    ],
};

/// Yields entities of many kinds, chosen by a seed.
pub const STUB: SourceDefinition = SourceDefinition {
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

/// Yields more entities when its config says so, from a cursor on.
pub const INCREMENTAL_STUB: SourceDefinition = SourceDefinition {
    short_name: "incremental_stub",
    name: "Incremental Stub",
    description: "Made-up entities that become more; each sync goes on where the last one ended. For tests of cursors.",
    class_name: "IncrementalStubSource",
    entity_classes: &["StubContainerEntity", "SmallStubEntity"],
    labels: LABELS,
    supports_continuous: true,
    is_internal: true,
    auth_fields: STUB_AUTH,
    config_fields: &[
        integer(
            "entity_count",
            "Entity Count",
            "How many entities there are beside the container. A greater number later adds entities.",
            5,
            1,
            100_000,
        ),
        seed(),
    ],
};

/// Fails in a chosen way.
pub const EXCEPTION_STUB: SourceDefinition = SourceDefinition {
    short_name: "exception_stub",
    name: "Exception Stub",
    description: "Made-up entities, and a failure of a chosen kind in their midst. For tests of failing syncs.",
    class_name: "ExceptionStubSource",
    entity_classes: &["StubContainerEntity", "SmallStubEntity"],
    labels: LABELS,
    supports_continuous: false,
    is_internal: true,
    auth_fields: STUB_AUTH,
    config_fields: &[
        integer("entity_count", "Entity Count", COUNT, 10, 1, 1_000),
        seed(),
        field(
            "exception_type",
            "Exception Type",
            "What goes wrong.",
            FieldKind::Choice(ExceptionType::NAMES),
            FieldDefault::Text(ExceptionType::RuntimeError.as_str()),
        ),
        field(
            "auth_provider_kind",
            "Auth Provider Kind",
            "Where refused credentials are said to come from; decides the error category.",
            FieldKind::Choice(AuthProviderKind::NAMES),
            FieldDefault::Text(AuthProviderKind::Oauth.as_str()),
        ),
        integer(
            "trigger_after",
            "Trigger After N Entities",
            "It goes wrong after this number of entities beside the container. 0 is at once, -1 after the last entity; \
             with entity_count or more nothing goes wrong.",
            5,
            -1,
            i64::MAX,
        ),
        free_text(
            "error_message",
            "Custom Error Message",
            "What the failure says; a text that names the exception type if not given.",
            FieldDefault::Null,
        ),
        field(
            "fail_on_validate",
            "Fail on Validate",
            "Whether it goes wrong when the connection is created already.",
            FieldKind::Boolean,
            FieldDefault::Boolean(false),
        ),
    ],
};
