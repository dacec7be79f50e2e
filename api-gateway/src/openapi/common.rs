//! What holds for every operation: who may call it, which answers it may give besides its own, and their headers.

use serde_json::json;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Components, KnownFormat, OpenApi, PathItem, Ref, RefOr, Required, Response, ResponseBuilder, SchemaFormat,
};

use super::{headers, tags};

const API_KEY: &str = "ApiKeyAuth";
const BEARER: &str = "BearerAuth";
const ORGANIZATION: &str = "X-Organization-ID";

/// Answers that any request with a key may get: status, name, description.
const ANY: [(&str, &str, &str); 6] = [
    ("401", "NotAuthenticated", "No key was given."),
    ("403", "Forbidden", "The key is unknown or expired, or belongs to another organization than `X-Organization-ID`."),
    ("429", "TooManyRequests", "The organization's rate limit is used up."),
    ("500", "Failed", "A fault of the server; its log has the request's id."),
    ("503", "Unavailable", "Something that the server needs doesn't answer."),
    ("504", "TookTooLong", "The answer wasn't ready in time."),
];
/// Answers that a request with a body may get besides.
const WITH_BODY: [(&str, &str, &str); 2] = [
    ("408", "BodyTooSlow", "The body wasn't received in time."),
    ("413", "BodyTooLarge", "The body is larger than 10 MiB."),
];
const UNPROCESSABLE: (&str, &str, &str) =
    ("422", "Unprocessable", "The request isn't of the form that is described here.");

/// Completes the document.
pub fn finish(document: &mut OpenApi) {
    document.security = Some(vec![requirement(API_KEY), requirement(BEARER)]);
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            complete(operation);
        }
    }
    describe(document.components.get_or_insert_default());
}

/// The operations of a path.
pub fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete, &mut item.put].into_iter().flatten()
}

fn complete(operation: &mut Operation) {
    // An operation that names no key itself is one for everybody.
    let is_open = operation.security.is_some() || operation.tags.iter().flatten().any(|tag| tag == tags::HEALTH);
    let responses = &mut operation.responses.responses;
    if is_open {
        operation.security = Some(Vec::new());
    } else {
        let parameters = operation.parameters.get_or_insert_default();
        parameters.push(RefOr::Ref(Ref::new(format!("#/components/parameters/{ORGANIZATION}"))));
        let with_body = WITH_BODY.iter().filter(|_| operation.request_body.is_some());
        for (status, name, _) in ANY.iter().chain(with_body).chain([&UNPROCESSABLE]) {
            let shared = || RefOr::Ref(Ref::new(format!("#/components/responses/{name}")));
            responses.entry((*status).to_owned()).or_insert_with(shared);
        }
    }
    for (status, response) in responses {
        if let RefOr::T(response) = response {
            complete_response(response, status, is_open);
        }
    }
}

/// Gives an answer the headers that it has, and the body that its status has unless it was given one.
fn complete_response(response: &mut Response, status: &str, is_open: bool) {
    // Those that the operation names have their one description too.
    let own: Vec<String> = response.headers.keys().cloned().collect();
    own.iter().for_each(|name| headers::add(response, name));
    headers::add(response, headers::REQUEST_ID);
    if !is_open && !matches!(status, "401" | "403") {
        headers::RATE_LIMIT.iter().for_each(|name| headers::add(response, name));
    }
    if !is_open && matches!(status, "429" | "503") {
        headers::add(response, headers::RETRY_AFTER);
    }
    if !matches!(status, "200" | "204") && response.content.is_empty() {
        let body = match status {
            "404" => "NotFoundErrorResponse",
            "409" => "ConflictErrorResponse",
            "422" => "ValidationErrorResponse",
            "429" => "RateLimitErrorResponse",
            _ => "ErrorResponse",
        };
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(body))).build();
        response.content.insert("application/json".to_owned(), RefOr::T(content));
    }
}

fn describe(components: &mut Components) {
    for (status, name, description) in ANY.iter().chain(&WITH_BODY).chain([&UNPROCESSABLE]) {
        let mut response = ResponseBuilder::new().description(*description).build();
        complete_response(&mut response, status, false);
        components.responses.insert((*name).to_owned(), RefOr::T(response));
    }
    for (name, header) in headers::all() {
        components.headers.insert(name.to_owned(), RefOr::T(header));
    }
    components.parameters.insert(ORGANIZATION.to_owned(), RefOr::T(organization()));
    let key = ApiKeyValue::with_description("x-api-key", "An API key of the organization.");
    components.add_security_scheme(API_KEY, SecurityScheme::ApiKey(ApiKey::Header(key)));
    let bearer =
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("The same API key, as a bearer token."));
    components.add_security_scheme(BEARER, SecurityScheme::Http(bearer.build()));
}

fn organization() -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
        .examples([json!("3f0e2a54-5b0e-4f5b-9d3c-2f6a8f0f7c11")]);
    ParameterBuilder::new()
        .name(ORGANIZATION)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("The organization to act for; none but the key's own is allowed."))
        .schema(Some(schema))
        .build()
}

fn requirement(scheme: &str) -> SecurityRequirement {
    SecurityRequirement::new(scheme, Vec::<String>::new())
}
