//! What `files` is and what it asks for.

use crate::definition::build::field;
use crate::definition::{FieldDefault, FieldKind, SourceDefinition};

/// A folder on the worker's machine.
pub(super) const DEFINITION: SourceDefinition = SourceDefinition {
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
            FieldKind::Text { max_chars: 1024 },
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
