//! What `postgresql` is and what it asks for.

use crate::definition::build::{TEXT, field, integer, secret};
use crate::definition::{FieldDefault, FieldKind, SourceDefinition};

/// A chain of certificates takes a few KiB.
const PEM: FieldKind = FieldKind::Text { max_chars: 64 * 1024 };

/// Tables of a PostgreSQL database, row by row.
pub(super) const DEFINITION: SourceDefinition = SourceDefinition {
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
