//! What bodies may hold besides what their types say: numbers and flags as text, as pydantic takes them.

use serde_json::{Value, json};
use utoipa::openapi::schema::{AnyOfBuilder, Object, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};

/// The words that are read as true and false, in any case.
const FLAGS: [&str; 12] = ["true", "t", "yes", "y", "on", "1", "false", "f", "no", "n", "off", "0"];

/// Lets the fields of a request's object be text where that is read.
pub(super) fn accept_text(object: &mut Object) {
    for property in object.properties.values_mut() {
        let RefOr::T(Schema::Object(field)) = property else { continue };
        let forms = if has_type(field, &Type::Integer) {
            vec![digits(field)]
        } else if has_type(field, &Type::Boolean) {
            vec![words(), zero_or_one()]
        } else {
            continue;
        };
        let any = AnyOfBuilder::new().description(field.description.take()).default(field.default.take());
        let any = forms.into_iter().fold(any.item(field.clone()), AnyOfBuilder::item);
        *property = RefOr::T(any.into());
    }
}

fn has_type(field: &Object, wanted: &Type) -> bool {
    match &field.schema_type {
        SchemaType::Type(one) => one == wanted,
        SchemaType::Array(several) => several.contains(wanted),
        SchemaType::AnyValue => false,
    }
}

/// A number within the field's bounds: all that have fewer digits than the largest.
fn digits(field: &Object) -> Object {
    let maximum = field.maximum.as_ref().and_then(|maximum| serde_json::to_value(maximum).ok()?.as_f64());
    let more = maximum.map_or(8, |maximum| format!("{maximum:.0}").len().saturating_sub(2));
    text().pattern(Some(format!("^[1-9][0-9]{{0,{more}}}$"))).build()
}

fn words() -> Object {
    text().enum_values(Some(FLAGS)).build()
}

fn zero_or_one() -> Object {
    let values: [Value; 2] = [json!(0), json!(1)];
    ObjectBuilder::new().schema_type(Type::Integer).enum_values(Some(values)).build()
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}
