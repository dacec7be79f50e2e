//! Headers of answers, described once and referred to.

use serde_json::Value;
use shared_models::wire::search::RetrievalStrategy;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::openapi::{KnownFormat, Ref, RefOr, Response, SchemaFormat};

/// On every answer.
pub const REQUEST_ID: &str = "X-Request-ID";
/// On every answer to a known caller.
pub const RATE_LIMIT: [&str; 3] = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"];
/// On answers that say: not now.
pub const RETRY_AFTER: &str = "Retry-After";

/// Every header, by its name.
pub fn all() -> impl Iterator<Item = (&'static str, Header)> {
    let [limit, remaining, reset] = RATE_LIMIT;
    let uuid = SchemaFormat::KnownFormat(KnownFormat::Uuid);
    [
        (
            REQUEST_ID,
            always(header(text().format(Some(uuid.clone())), "The request's id, as logs and receipts know it.")),
        ),
        (
            limit,
            header(count(), "Requests a minute that the organization's plan allows; 9999 if it doesn't count them."),
        ),
        (remaining, header(count(), "How many of them are left.")),
        (reset, header(count(), "When there will be more, in seconds since 1970.")),
        (RETRY_AFTER, header(count().minimum(Some(1)), "After how many seconds to try again.")),
        ("Link", header(text(), "Where to watch the removal of the data (`</cleanups/…>; rel=\"monitor\"`), or the next page of a list (`rel=\"next\"`).")),
        ("X-Cleanup-Id", header(text().format(Some(uuid)), "The cleanup that removes the connection's data.")),
        (
            "X-Retrieval-Strategy",
            header(
                text().enum_values(Some(RetrievalStrategy::NAMES.iter().copied())),
                "How hits were really found and ranked.",
            ),
        ),
        (
            "X-Search-Incomplete",
            header(
                text(),
                "What the answer leaves out, separated by commas: `strategy` (not the one asked for), `coverage` (not \
                 every document was looked at), `ranking` (the page reaches beyond what is ranked), `question` (cut \
                 before it was embedded), `size` (fewer hits than asked for), `fields` (hits without their \
                 `raw_source_fields`). Absent if nothing is left out.",
            ),
        ),
        (
            "X-Search-Cut-After",
            header(
                count().minimum(Some(1)),
                "With `size` in `X-Search-Incomplete`: for how many hits there was room. The next page begins at \
                 `offset` plus this.",
            ),
        ),
        ("X-API-Deprecation", header(text(), "`true`, if the request's form is deprecated.")),
        ("X-API-Deprecation-Message", header(text(), "What to use instead.")),
        ("X-Feature-Removed", header(text(), "What the request asks for and isn't done any more.")),
        ("X-Feature-Removed-Message", header(text(), "What that means.")),
    ]
    .into_iter()
}

/// Says that an answer has the header.
pub fn add(response: &mut Response, name: &str) {
    response.headers.insert(name.to_owned(), RefOr::Ref(Ref::new(format!("#/components/headers/{name}"))));
}

fn header(schema: ObjectBuilder, description: &str) -> Header {
    let schema: Object = schema.build();
    HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build()
}

/// The library knows no field `required` of headers.
fn always(mut header: Header) -> Header {
    header.extensions = Some(Extensions::from_iter([("required", Value::Bool(true))]));
    header
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn count() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0))
}
