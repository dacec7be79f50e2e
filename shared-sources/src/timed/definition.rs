//! What `timed` is and what it asks for.

use crate::definition::build::{field, integer};
use crate::definition::{FieldDefault, FieldKind, SourceDefinition};
use crate::testing::{LABELS, key, seed};

/// Yields entities spread evenly over a time.
pub(super) const DEFINITION: SourceDefinition = SourceDefinition {
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
