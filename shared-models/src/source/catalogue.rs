//! The sources that this version knows.

use super::{Field, FieldDefault, FieldKind, SourceDefinition};

mod github;
mod testing;

pub use github::GITHUB;
pub use testing::{EXCEPTION_STUB, INCREMENTAL_STUB, STUB, TIMED};

/// Every source, internal ones included.
#[must_use]
pub fn all() -> &'static [SourceDefinition] {
    &[FILES, GITHUB, POSTGRESQL, TIMED, STUB, INCREMENTAL_STUB, EXCEPTION_STUB]
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

const fn integer(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    default: i64,
    min: i64,
    max: i64,
) -> Field {
    field(name, title, description, FieldKind::Integer { min, max }, FieldDefault::Integer(default))
}

const fn free_text(name: &'static str, title: &'static str, description: &'static str, default: FieldDefault) -> Field {
    field(name, title, description, FieldKind::FreeText { max_chars: 10_000 }, default)
}

/// The same field, never shown again once stored.
const fn secret(field: Field) -> Field {
    Field { is_secret: true, ..field }
}

const TEXT: FieldKind = FieldKind::Text { max_chars: 1024 };
/// A chain of certificates takes a few KiB.
const PEM: FieldKind = FieldKind::Text { max_chars: 64 * 1024 };

/// A folder on the worker's machine.
pub const FILES: SourceDefinition = SourceDefinition {
    short_name: "files",
    name: "Files",
    description: "Text and source code in the files below a folder that the operator allowed.",
    class_name: "FilesSource",
    entity_classes: &["FileEntity", "CodeFileEntity"],
    labels: &["Files"],
    supports_continuous: false,
    is_internal: false,
    auth_fields: &[field(
        "root",
        "Root",
        "Name of a folder that the operator allowed. It is a name, not a path.",
        FieldKind::Text { max_chars: 64 },
        FieldDefault::Required,
    )],
    config_fields: &[
        field(
            "path",
            "Path",
            "Folder below the root, e.g. docs/manuals; the whole root if not given.",
            TEXT,
            FieldDefault::Null,
        ),
        field(
            "include",
            "Include",
            "Glob patterns of files to take; all files if empty. *.md matches at any depth, docs/*.md only there.",
            FieldKind::TextList,
            FieldDefault::EmptyList,
        ),
        field(
            "exclude",
            "Exclude",
            "Glob patterns of files and folders to leave out, e.g. node_modules or *.log.",
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
        field("host", "Host", "Host name or address of the server.", TEXT, FieldDefault::Required),
        integer("port", "Port", "TCP port of the server.", 5432, 1, 65_535),
        field("database", "Database", "Name of the database.", TEXT, FieldDefault::Required),
        field("user", "User", "Role that may read the tables; it needs no other right.", TEXT, FieldDefault::Required),
        secret(field("password", "Password", "Password of the role.", TEXT, FieldDefault::Null)),
        field(
            "sslmode",
            "TLS",
            "require is an encrypted connection to a server whose certificate is checked; disable, the default, is a plain one.",
            FieldKind::Choice(&["disable", "require"]),
            FieldDefault::Text("disable"),
        ),
        field(
            "sslrootcert",
            "TLS Root Certificate",
            "Certificate of the authority that the server's certificate must come from, as PEM text; \
             the authorities that the worker trusts if not given. Needs TLS.",
            PEM,
            FieldDefault::Null,
        ),
    ],
    config_fields: &[
        field("schema", "Schema", "Schema that the tables are in.", TEXT, FieldDefault::Text("public")),
        field(
            "tables",
            "Tables",
            "Tables to read; all tables of the schema that may be read if empty. Views and foreign tables must be named.",
            FieldKind::TextList,
            FieldDefault::EmptyList,
        ),
    ],
};
