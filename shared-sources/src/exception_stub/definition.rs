//! What `exception_stub` is and what it asks for.

use super::config::{AuthProviderKind, ExceptionType};
use crate::definition::build::{field, free_text, integer};
use crate::definition::{FieldDefault, FieldKind, SourceDefinition};
use crate::testing::{COUNT, LABELS, STUB_AUTH, seed};

/// Fails in a chosen way.
pub(super) const DEFINITION: SourceDefinition = SourceDefinition {
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
