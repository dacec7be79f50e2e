//! What `s3` is and what it asks for.

use super::check;
use crate::definition::build::{TEXT, field, secret};
use crate::definition::{FieldDefault, FieldKind, SourceDefinition};

/// The objects of a bucket.
pub(super) const DEFINITION: SourceDefinition = SourceDefinition {
    short_name: "s3",
    name: "S3",
    description: "Text and source code in the objects of a bucket, of Amazon S3 or whatever speaks its API.",
    class_name: "S3Source",
    entity_classes: &["S3ObjectEntity"],
    labels: &["Files"],
    supports_continuous: false,
    is_internal: false,
    auth_fields: &[
        field(
            "endpoint",
            "Endpoint",
            "URL of the service, e.g. https://minio.example.com, or aws for Amazon S3. It must be one that the operator \
             allows; the operator's first one if not given.",
            TEXT,
            FieldDefault::Null,
        ),
        field(
            "region",
            "Region",
            "Region that the bucket is in.",
            FieldKind::Formed { max_chars: 64, problem: check::region_problem },
            FieldDefault::Text("us-east-1"),
        ),
        field(
            "path_style",
            "Path Style",
            "Whether the bucket stands in the path of the URL instead of before the host; most services beside Amazon's \
             want it so.",
            FieldKind::Boolean,
            FieldDefault::Boolean(true),
        ),
        field(
            "access_key_id",
            "Access Key ID",
            "Key that may list the bucket and read its objects; without one the worker's own role is used, for buckets \
             that the operator allows.",
            TEXT,
            FieldDefault::Null,
        ),
        secret(field("secret_access_key", "Secret Access Key", "Secret of the key.", TEXT, FieldDefault::Null)),
    ],
    config_fields: &[
        field(
            "bucket",
            "Bucket",
            "Name of the bucket.",
            FieldKind::Formed { max_chars: 63, problem: check::bucket_problem },
            FieldDefault::Required,
        ),
        field(
            "prefix",
            "Prefix",
            "Beginning of the keys to read, e.g. docs/manuals/; all keys if not given.",
            TEXT,
            FieldDefault::Null,
        ),
        field(
            "include",
            "Include",
            "Glob patterns of objects to take; all objects if empty. *.md matches at any depth, docs/*.md only there.",
            FieldKind::TextList,
            FieldDefault::EmptyList,
        ),
        field(
            "exclude",
            "Exclude",
            "Glob patterns of objects and folders to leave out, e.g. node_modules or *.log.",
            FieldKind::TextList,
            FieldDefault::EmptyList,
        ),
    ],
};
