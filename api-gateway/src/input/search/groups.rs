//! Filters as groups of conditions: AND inside a group, OR between groups.

use std::str::FromStr;

use serde_json::{Map, Value};
use shared_models::wire::requests::{FilterOperator, FilterableField};
use shared_stores::vespa::Filter;

use super::condition::{At, condition};
use super::place::{Faults, Place};
use super::value::Reader;
use crate::input::one_of;

/// Reads the filter; `None` if it has no group, or something is wrong with it, which `faults` says.
pub fn groups(value: &Value, at: &Place, faults: &mut Faults) -> Option<Filter> {
    let Value::Array(given) = value else {
        faults.add(at, "Input should be a valid list", "list_type");
        return None;
    };
    let mut reader = Reader::default();
    if !reader.has_parts(given, at, faults) {
        return None;
    }
    let groups = given.iter().enumerate().map(|(index, group)| read_group(group, &at.item(index), &mut reader, faults));
    let groups: Vec<Option<Filter>> = groups.collect();
    if groups.is_empty() {
        return None;
    }
    groups.into_iter().collect::<Option<Vec<_>>>().map(Filter::Any)
}

fn read_group(group: &Value, at: &Place, reader: &mut Reader, faults: &mut Faults) -> Option<Filter> {
    let group = object(group, at, faults)?;
    let at = at.field("conditions");
    let given = match group.get("conditions") {
        None => {
            faults.add(&at, "Field required", "missing");
            return None;
        }
        Some(Value::Array(given)) => given,
        Some(_) => {
            faults.add(&at, "Input should be a valid list", "list_type");
            return None;
        }
    };
    if given.is_empty() {
        faults.add(&at, "List should have at least 1 item after validation, not 0", "too_short");
        return None;
    }
    if !reader.has_parts(given, &at, faults) {
        return None;
    }
    let read = |(index, given)| read_condition(given, &at.item(index), reader, faults);
    let conditions: Vec<Option<Filter>> = given.iter().enumerate().map(read).collect();
    conditions.into_iter().collect::<Option<Vec<_>>>().map(Filter::All)
}

fn read_condition(given: &Value, at: &Place, reader: &mut Reader, faults: &mut Faults) -> Option<Filter> {
    let given = object(given, at, faults)?;
    let field: Option<FilterableField> = choice(given, "field", FilterableField::NAMES, at, faults);
    let operator: Option<FilterOperator> = choice(given, "operator", FilterOperator::NAMES, at, faults);
    let place = at.field("value");
    let Some(value) = given.get("value") else {
        faults.add(&place, "Field required", "missing");
        return None;
    };
    condition(field?, operator?, value, &At { operator: at.field("operator"), value: place }, reader, faults)
}

pub(super) fn object<'v>(value: &'v Value, at: &Place, faults: &mut Faults) -> Option<&'v Map<String, Value>> {
    if value.as_object().is_none() {
        faults.add(at, "Input should be a valid dictionary", "dict_type");
    }
    value.as_object()
}

/// One of these names.
fn choice<T: FromStr>(
    given: &Map<String, Value>,
    name: &str,
    names: &[&str],
    at: &Place,
    faults: &mut Faults,
) -> Option<T> {
    let at = at.field(name);
    let Some(value) = given.get(name) else {
        faults.add(&at, "Field required", "missing");
        return None;
    };
    let chosen = value.as_str().and_then(|text| text.parse().ok());
    if chosen.is_none() {
        faults.add(&at, one_of(names), "enum");
    }
    chosen
}
