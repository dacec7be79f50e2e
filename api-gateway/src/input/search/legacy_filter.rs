//! Filters as older clients write them: groups `must`, `should`, `must_not` of conditions on keys, nested at will.
//!
//! All of `must`, at least one of `should` and none of `must_not` have to hold. What has no counterpart here is
//! refused: a condition that is left out could only widen the search.

use serde_json::{Map, Value};
use shared_models::wire::requests::{FilterOperator, FilterableField};
use shared_stores::vespa::{BreadcrumbField, Filter, TextField, TextTest};

use super::condition::{At, condition};
use super::groups::object;
use super::place::{Faults, Place};
use super::value::Reader;
use crate::input::shortened;

const GROUPS: [&str; 3] = ["must", "should", "must_not"];
/// Groups in each other: Vespa parses a query on a small stack.
const MAX_LEVELS: usize = 8;

/// Reads the filter; `None` if it says nothing, or something is wrong with it, which `faults` says.
pub fn legacy_filter(value: &Value, at: &Place, faults: &mut Faults) -> Option<Filter> {
    let given = object(value, at, faults)?;
    if given.is_empty() {
        return None;
    }
    LegacyFilter { reader: Reader::default(), faults }.group(given, at, 0)
}

struct LegacyFilter<'f> {
    reader: Reader,
    faults: &'f mut Faults,
}

impl LegacyFilter<'_> {
    fn group(&mut self, given: &Map<String, Value>, at: &Place, depth: usize) -> Option<Filter> {
        if depth >= MAX_LEVELS {
            return self.refuse(at, "a filter can have at most 8 levels of 'must', 'should' and 'must_not'");
        }
        if let Some(name) =
            given.keys().find(|name| !GROUPS.contains(&name.as_str()) && *name != "minimum_should_match")
        {
            let why = format!(
                "a filter is made of lists of conditions named 'must', 'should' and 'must_not', not '{}'",
                shortened(name)
            );
            return self.refuse(&at.field(name), &why);
        }
        if given.get("minimum_should_match").is_some_and(|least| !least.is_null() && least.as_i64() != Some(1)) {
            let why = "a filter's 'minimum_should_match' must be 1";
            return self.refuse(&at.field("minimum_should_match"), why);
        }
        let must = self.conditions(given, "must", at, depth);
        let should = self.conditions(given, "should", at, depth);
        let must_not = self.conditions(given, "must_not", at, depth);
        let mut parts = must?;
        let should = should?;
        if !should.is_empty() {
            parts.push(Filter::Any(should));
        }
        parts.extend(must_not?.into_iter().map(|filter| Filter::Not(Box::new(filter))));
        Some(Filter::All(parts))
    }

    fn conditions(&mut self, given: &Map<String, Value>, name: &str, at: &Place, depth: usize) -> Option<Vec<Filter>> {
        let at = at.field(name);
        match given.get(name) {
            None | Some(Value::Null) => Some(Vec::new()),
            Some(Value::Array(conditions)) => {
                if !self.reader.has_parts(conditions, &at, self.faults) {
                    return None;
                }
                let read = |(index, given)| self.condition(given, &at.item(index), depth);
                let read: Vec<Option<Filter>> = conditions.iter().enumerate().map(read).collect();
                read.into_iter().collect()
            }
            Some(_) => {
                self.faults.add(&at, "Input should be a valid list", "list_type");
                None
            }
        }
    }

    fn condition(&mut self, given: &Value, at: &Place, depth: usize) -> Option<Filter> {
        let given = object(given, at, self.faults)?;
        if GROUPS.iter().any(|name| given.contains_key(*name)) {
            return self.group(given, at, depth + 1);
        }
        let known: &[&str] = match given {
            given if given.contains_key("has_id") => &["has_id"],
            given if given.contains_key("nested") => &["nested"],
            _ => &["key", "match", "range"],
        };
        if let Some(name) = given.keys().find(|name| !known.contains(&name.as_str())) {
            return self.not_supported(&at.field(name), name);
        }
        if let Some(ids) = given.get("has_id") {
            let ids = self.reader.texts(ids, &at.field("has_id"), self.faults)?;
            return Some(Filter::OneOf(TextField::EntityId, ids));
        }
        if let Some(nested) = given.get("nested") {
            return self.nested(nested, &at.field("nested"));
        }
        self.on_key(given, at)
    }

    /// `{"key": …, "match": …}` or `{"key": …, "range": …}`.
    fn on_key(&mut self, given: &Map<String, Value>, at: &Place) -> Option<Filter> {
        let key_at = at.field("key");
        let Some(key) = given.get("key").and_then(Value::as_str) else {
            self.faults.add(&key_at, "Field required", "missing");
            return None;
        };
        let Some(field) = field(key) else {
            return self.refuse(&key_at, &format!("this server can't filter by '{}'", shortened(key)));
        };
        let mut parts = Vec::new();
        if let Some(matched) = given.get("match").filter(|matched| !matched.is_null()) {
            parts.push(self.matched(field, matched, &at.field("match"))?);
        }
        if let Some(range) = given.get("range").filter(|range| !range.is_null()) {
            parts.push(self.range(field, range, &at.field("range"))?);
        }
        if parts.is_empty() {
            return self.refuse(at, "a filter's condition must have 'match' or 'range' beside its 'key'");
        }
        Some(Filter::All(parts))
    }

    fn matched(&mut self, field: FilterableField, matched: &Value, at: &Place) -> Option<Filter> {
        let Value::Object(matched) = matched else {
            return self.compare(field, FilterOperator::Equals, matched, at);
        };
        let Some((name, value)) = only_entry(matched) else {
            return self.refuse(at, "'match' has one of 'value', 'any', 'except' and 'text'");
        };
        let at = at.field(name);
        match name {
            "value" => self.compare(field, FilterOperator::Equals, value, &at),
            "any" => self.compare(field, FilterOperator::In, value, &at),
            "except" => self.compare(field, FilterOperator::NotIn, value, &at),
            "text" => self.compare(field, FilterOperator::Contains, value, &at),
            _ => self.not_supported(&at, name),
        }
    }

    fn range(&mut self, field: FilterableField, range: &Value, at: &Place) -> Option<Filter> {
        let range = object(range, at, self.faults)?;
        let mut parts = Vec::new();
        for (name, value) in range.iter().filter(|(_, value)| !value.is_null()) {
            let at = at.field(name);
            let operator = match name.as_str() {
                "gt" => FilterOperator::GreaterThan,
                "gte" => FilterOperator::GreaterThanOrEqual,
                "lt" => FilterOperator::LessThan,
                "lte" => FilterOperator::LessThanOrEqual,
                _ => return self.not_supported(&at, name),
            };
            parts.push(self.compare(field, operator, value, &at)?);
        }
        Some(Filter::All(parts))
    }

    fn compare(
        &mut self,
        field: FilterableField,
        operator: FilterOperator,
        value: &Value,
        at: &Place,
    ) -> Option<Filter> {
        let at = At { operator: at.clone(), value: at.clone() };
        condition(field, operator, value, &at, &mut self.reader, self.faults)
    }

    /// `{"key": "breadcrumbs", "filter": {"must": [{"key": "name", "match": {"value": …}}]}}`: all in one breadcrumb.
    fn nested(&mut self, nested: &Value, at: &Place) -> Option<Filter> {
        let nested = object(nested, at, self.faults)?;
        let filter = nested.get("filter").and_then(Value::as_object).filter(|filter| filter.len() == 1);
        let conditions = filter.filter(|_| nested.len() == 2).and_then(|filter| filter.get("must"));
        let conditions = conditions.and_then(Value::as_array);
        let (Some("breadcrumbs"), Some(conditions)) = (nested.get("key").and_then(Value::as_str), conditions) else {
            return self.refuse(at, "a nested filter must have the key 'breadcrumbs' and a filter of 'must' alone");
        };
        let at = at.field("filter").field("must");
        if !self.reader.has_parts(conditions, &at, self.faults) {
            return None;
        }
        let mut tests = Vec::new();
        for (index, condition) in conditions.iter().enumerate() {
            tests.push(self.crumb(condition, &at.item(index))?);
        }
        Some(Filter::Breadcrumb(tests))
    }

    fn crumb(&mut self, condition: &Value, at: &Place) -> Option<(BreadcrumbField, TextTest)> {
        let field = match condition.get("key").and_then(Value::as_str) {
            Some("entity_id") => BreadcrumbField::EntityId,
            Some("name") => BreadcrumbField::Name,
            Some("entity_type") => BreadcrumbField::EntityType,
            Some(_) | None => {
                self.faults.senseless(&at.field("key"), "a breadcrumb has 'entity_id', 'name' and 'entity_type'");
                return None;
            }
        };
        let matched = condition.get("match").filter(|_| condition.as_object().is_some_and(|given| given.len() == 2));
        let at = at.field("match");
        let (value, contains) = match matched.and_then(Value::as_object).and_then(only_entry) {
            Some(("value", value)) => (value, false),
            Some(("text", value)) => (value, true),
            Some(_) | None => {
                self.faults.senseless(&at, "a breadcrumb's filter must have 'match' with 'value' or 'text' alone");
                return None;
            }
        };
        if contains {
            let text = self.reader.pattern(value, &at.field("text"), self.faults)?;
            return Some((field, TextTest::Contains(text)));
        }
        self.reader.text(value, &at.field("value"), self.faults).map(|text| (field, TextTest::Is(text)))
    }

    fn not_supported(&mut self, at: &Place, name: &str) -> Option<Filter> {
        let why = format!(
            "'{}' is not supported in a filter; a condition must have 'key' with 'match' or 'range', or 'has_id', or \
             'nested', or 'must', 'should' and 'must_not' again",
            shortened(name)
        );
        self.refuse(at, &why)
    }

    fn refuse(&mut self, at: &Place, why: &str) -> Option<Filter> {
        self.faults.senseless(at, why);
        None
    }
}

fn only_entry(given: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut entries = given.iter();
    let first = entries.next()?;
    entries.next().is_none().then_some((first.0.as_str(), first.1))
}

/// Keys may name what the contract's fields name, with and without the part before the dot.
fn field(key: &str) -> Option<FilterableField> {
    let bare = key.strip_prefix("airweave_system_metadata.").or_else(|| key.strip_prefix("system_metadata."));
    let bare = bare.unwrap_or(key);
    let mut fields = FilterableField::ALL.iter().copied();
    fields.find(|field| match field.as_str().strip_prefix("airweave_system_metadata.") {
        Some(name) => name == bare,
        None => field.as_str() == key,
    })
}
