//! What `incremental_stub` is and what it asks for.

use crate::definition::SourceDefinition;
use crate::definition::build::integer;
use crate::testing::{LABELS, STUB_AUTH, seed};

/// Yields more entities when its config says so, from a cursor on.
pub(super) const DEFINITION: SourceDefinition = SourceDefinition {
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
