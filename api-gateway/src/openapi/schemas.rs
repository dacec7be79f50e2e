//! What the derives can't say of schemas.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::schema::{AdditionalProperties, AnyOfBuilder, ArrayItems, Components, Object, Type};
use utoipa::openapi::{OpenApi, RefOr, Schema};

use super::common::operations;
use super::lenient;

/// Values that clients of the public contract know, and that this version doesn't produce.
const RESERVED: [(&str, &[&str]); 2] =
    [("SyncJobStatus", &["created"]), ("SourceConnectionStatus", &["inactive", "pending_sync"])];
/// Names of the public contract for the same body.
const ERRORS: [(&str, &str); 3] = [
    ("NotFoundErrorResponse", "Something that the request names isn't there."),
    ("ConflictErrorResponse", "It can't be done now."),
    ("RateLimitErrorResponse", "Too many requests."),
];
/// The body that must have at least one of its fields.
const NOT_EMPTY: &str = "SourceConnectionUpdate";

/// Fields that receipts of some forms have, and of others don't.
const OF_SOME_FORMS: [(&str, &str); 2] = [("ReceiptSignature", "public_key"), ("TargetReceipt", "verifications")];

/// Unions of which a value may have more than one form.
const OVERLAPPING: [&str; 1] = ["LegacySearchAnswer"];

/// Completes the document's schemas.
pub fn finish(document: &mut OpenApi) {
    let roots = request_schemas(document);
    let Some(components) = &mut document.components else { return };
    name_errors(components);
    for name in OVERLAPPING {
        let _ = components.schemas.entry(name.to_owned()).and_modify(any_of);
    }
    components.schemas.values_mut().for_each(flatten);
    let asked = reachable(components, roots);
    for (name, schema) in &mut components.schemas {
        let RefOr::T(Schema::Object(object)) = schema else { continue };
        if asked.contains(name) {
            lenient::accept_text(object);
        } else {
            // Answers leave no field out: nulls are sent. What was signed stays as it was, without fields of other
            // forms.
            let is_of_all_forms = |field: &&String| !OF_SOME_FORMS.contains(&(name.as_str(), field.as_str()));
            object.required = object.properties.keys().filter(is_of_all_forms).cloned().collect();
        }
        if name == NOT_EMPTY {
            require_one(object);
        }
        if let Some((_, values)) = RESERVED.iter().find(|(reserved, _)| reserved == name) {
            let known = object.enum_values.get_or_insert_default();
            known.extend(values.iter().map(|value| Value::String((*value).to_owned())));
            let names = values.join("`, `");
            object.description = object.description.take().map(|text| format!("{text}\n\n`{names}`: reserved."));
        }
    }
}

fn name_errors(components: &mut Components) {
    let Some(RefOr::T(Schema::Object(error))) = components.schemas.get("ErrorResponse").cloned() else { return };
    for (name, description) in ERRORS {
        let mut named = error.clone();
        named.description = Some(description.to_owned());
        components.schemas.insert(name.to_owned(), RefOr::T(Schema::Object(named)));
    }
}

/// Fields that several schemas share are fields of each; the library would put them into an `allOf`.
fn flatten(schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::AllOf(all)) = schema else { return };
    let mut whole = Object::with_type(Type::Object);
    (whole.description, whole.example) = (all.description.take(), all.example.take());
    // The schema's own fields come last in the list, and are what it is about.
    for mut part in all.items.drain(..).rev() {
        // The fields that are shared stand in such a list themselves, beside what their place says of them.
        flatten(&mut part);
        if let RefOr::T(Schema::Object(part)) = part {
            whole.properties.extend(part.properties);
            whole.required.extend(part.required);
        }
    }
    *schema = RefOr::T(Schema::Object(whole));
}

fn any_of(schema: &mut RefOr<Schema>) {
    if let RefOr::T(Schema::OneOf(one)) = schema {
        let items = std::mem::take(&mut one.items);
        let any = items.into_iter().fold(AnyOfBuilder::new(), AnyOfBuilder::item);
        *schema = RefOr::T(any.description(one.description.take()).into());
    }
}

/// At least one field that is known; the library has no `anyOf` beside `properties`.
fn require_one(object: &mut Object) {
    let one: Vec<Value> = object.properties.keys().map(|name| json!({"required": [name]})).collect();
    object.extensions = Some(Extensions::from_iter([("anyOf", Value::Array(one))]));
}

/// Names of the schemas that request bodies refer to.
fn request_schemas(document: &mut OpenApi) -> Vec<String> {
    let mut names = Vec::new();
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            let Some(RefOr::T(body)) = &operation.request_body else { continue };
            for content in body.content.values() {
                if let RefOr::T(content) = content {
                    content.schema.iter().for_each(|schema| names.extend(references(schema)));
                }
            }
        }
    }
    names
}

/// These schemas, and those that they refer to.
fn reachable(components: &Components, mut open: Vec<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    while let Some(name) = open.pop() {
        if let Some(schema) = components.schemas.get(&name)
            && found.insert(name)
        {
            open.extend(references(schema));
        }
    }
    found
}

fn references(schema: &RefOr<Schema>) -> Vec<String> {
    match schema {
        RefOr::Ref(reference) => reference.ref_location.rsplit('/').next().map(str::to_owned).into_iter().collect(),
        RefOr::T(Schema::Object(object)) => {
            let rest = object.additional_properties.as_deref().and_then(|rest| match rest {
                AdditionalProperties::RefOr(schema) => Some(schema),
                AdditionalProperties::FreeForm(_) => None,
            });
            object.properties.values().chain(rest).flat_map(references).collect()
        }
        RefOr::T(Schema::Array(array)) => match &array.items {
            ArrayItems::RefOrSchema(items) => references(items),
            ArrayItems::False => Vec::new(),
        },
        RefOr::T(Schema::OneOf(any)) => any.items.iter().flat_map(references).collect(),
        RefOr::T(Schema::AnyOf(any)) => any.items.iter().flat_map(references).collect(),
        RefOr::T(Schema::AllOf(all)) => all.items.iter().flat_map(references).collect(),
        RefOr::T(_) => Vec::new(),
    }
}
