//! The sources that this version knows.

use super::{Field, FieldDefault, FieldKind, SourceDefinition};

/// Every source, internal ones included.
#[must_use]
pub fn all() -> &'static [SourceDefinition] {
    &[FILES, POSTGRESQL, TIMED, STUB, INCREMENTAL_STUB]
}

/// The source of that name, internal ones included.
#[must_use]
pub fn find(short_name: &str) -> Option<&'static SourceDefinition> {
    all().iter().find(|source| source.short_name == short_name)
}

const fn field(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    kind: FieldKind,
    default: FieldDefault,
) -> Field {
    Field { name, title, description, kind, default, is_secret: false }
}

const fn integer(name: &'static str, title: &'static str, default: i64, min: i64, max: i64) -> Field {
    field(name, title, "", FieldKind::Integer { min, max }, FieldDefault::Integer(default))
}

const TEXT: FieldKind = FieldKind::Text { max_chars: 1024 };

/// A folder on the worker's machine.
pub const FILES: SourceDefinition = SourceDefinition {
    short_name: "files",
    name: "Files",
    description: "Files below a folder that the operator allowed.",
    class_name: "FilesSource",
    entity_classes: &["FileEntity", "CodeFileEntity"],
    labels: &["Files"],
    supports_continuous: false,
    is_internal: false,
    auth_fields: &[field(
        "root",
        "Root",
        "Name of an allowed root; the operator maps it to a folder, so no path travels.",
        FieldKind::Text { max_chars: 64 },
        FieldDefault::Required,
    )],
    config_fields: &[
        field("path", "Path", "Folder below the root; the whole root if not given.", TEXT, FieldDefault::Null),
        field(
            "include",
            "Include",
            "Glob patterns, relative to the path, of files to take; all files if empty.",
            FieldKind::TextList,
            FieldDefault::EmptyList,
        ),
        field(
            "exclude",
            "Exclude",
            "Glob patterns of files to leave out.",
            FieldKind::TextList,
            FieldDefault::EmptyList,
        ),
    ],
};

/// Tables of a PostgreSQL database, row by row.
pub const POSTGRESQL: SourceDefinition = SourceDefinition {
    short_name: "postgresql",
    name: "PostgreSQL",
    description: "Tables of a PostgreSQL database, row by row.",
    class_name: "PostgreSQLSource",
    entity_classes: &["PostgreSQLTableEntity", "PostgreSQLRowEntity"],
    labels: &["Database"],
    supports_continuous: false,
    is_internal: false,
    auth_fields: &[
        field("host", "Host", "Host name or address.", TEXT, FieldDefault::Required),
        field("port", "Port", "TCP port.", FieldKind::Integer { min: 1, max: 65_535 }, FieldDefault::Integer(5432)),
        field("database", "Database", "Database name.", TEXT, FieldDefault::Required),
        field("user", "User", "Role that may read the tables.", TEXT, FieldDefault::Required),
        Field { is_secret: true, ..field("password", "Password", "The role's password.", TEXT, FieldDefault::Null) },
        field(
            "sslmode",
            "TLS",
            "disable, or require: a verified TLS connection.",
            FieldKind::Choice(&["disable", "require"]),
            FieldDefault::Text("disable"),
        ),
    ],
    config_fields: &[
        field("schema", "Schema", "Schema of the tables.", TEXT, FieldDefault::Text("public")),
        field(
            "tables",
            "Tables",
            "Tables to read; all of the schema if empty.",
            FieldKind::TextList,
            FieldDefault::EmptyList,
        ),
    ],
};

/// Yields entities spread evenly over a time.
pub const TIMED: SourceDefinition = SourceDefinition {
    short_name: "timed",
    name: "Timed",
    description: "Generates entities spread over a duration; for tests.",
    class_name: "TimedSource",
    entity_classes: &["TimedContainerEntity", "TimedEntity"],
    labels: &["Internal", "Testing"],
    supports_continuous: false,
    is_internal: true,
    auth_fields: &[Field {
        is_secret: true,
        ..field("timed_key", "Timed key", "Any text.", TEXT, FieldDefault::Text("timed"))
    }],
    config_fields: &[
        integer("entity_count", "Entity count", 100, 1, 10_000),
        field(
            "duration_seconds",
            "Duration (seconds)",
            "",
            FieldKind::Float { min: 0.1, max: 600.0 },
            FieldDefault::Float(10.0),
        ),
        integer("seed", "Seed", 42, i64::MIN, i64::MAX),
    ],
};

/// Yields entities of many kinds, chosen by a seed.
pub const STUB: SourceDefinition = SourceDefinition {
    short_name: "stub",
    name: "Stub",
    description: "Generates deterministic entities of several kinds; for tests.",
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
    labels: &["Internal", "Testing"],
    supports_continuous: false,
    is_internal: true,
    auth_fields: &[Field {
        is_secret: true,
        ..field("stub_key", "Stub key", "Any text.", TEXT, FieldDefault::Text("stub"))
    }],
    config_fields: &[
        integer("entity_count", "Entity count", 10, 1, 100_000),
        integer("seed", "Seed", 42, i64::MIN, i64::MAX),
        integer("generation_delay_ms", "Generation delay (ms)", 0, 0, 10_000),
        integer("small_entity_weight", "Small entity weight", 30, 0, 100),
        integer("medium_entity_weight", "Medium entity weight", 30, 0, 100),
        integer("large_entity_weight", "Large entity weight", 10, 0, 100),
        integer("small_file_weight", "Small file weight", 15, 0, 100),
        integer("large_file_weight", "Large file weight", 5, 0, 100),
        integer("code_file_weight", "Code file weight", 10, 0, 100),
        field("inject_special_tokens", "Inject special tokens", "", FieldKind::Boolean, FieldDefault::Boolean(false)),
        field("custom_content_prefix", "Custom content prefix", "", TEXT, FieldDefault::Null),
        integer("fail_after", "Fail after", -1, -1, 100_000),
    ],
};

/// Yields more entities when its config says so, from a cursor on.
pub const INCREMENTAL_STUB: SourceDefinition = SourceDefinition {
    short_name: "incremental_stub",
    name: "Incremental Stub",
    description: "Generates deterministic entities and goes on from a cursor; for tests.",
    class_name: "IncrementalStubSource",
    entity_classes: &["StubContainerEntity", "SmallStubEntity"],
    labels: &["Internal", "Testing"],
    supports_continuous: true,
    is_internal: true,
    auth_fields: STUB.auth_fields,
    config_fields: &[
        integer("entity_count", "Entity count", 5, 1, 100_000),
        integer("seed", "Seed", 42, i64::MIN, i64::MAX),
    ],
};
