//! One condition of a filter: a field, an operator and a value that fit together.
//!
//! A value that doesn't fit is a fault, never left out: a condition that is ignored would show what the client meant to
//! leave out.

use serde_json::Value;
use shared_models::wire::requests::{FilterOperator, FilterableField};
use shared_stores::vespa::{Bounds, BreadcrumbField, Filter, NumberField, TextField, TextTest};

use super::place::{Faults, Place};
use super::value::{Point, Reader};

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub enum Subject {
    /// A text of the document.
    Text(TextField),
    /// A text of one of its breadcrumbs.
    Breadcrumb(BreadcrumbField),
    /// A number or a time.
    Number(NumberField),
}

/// Where the parts of a condition are.
pub struct At {
    /// The operator.
    pub operator: Place,
    /// The value.
    pub value: Place,
}

impl Subject {
    /// What the field of the contract holds.
    pub const fn of(field: FilterableField) -> Self {
        match field {
            FilterableField::EntityId => Self::Text(TextField::EntityId),
            FilterableField::Name => Self::Text(TextField::Name),
            FilterableField::CreatedAt => Self::Number(NumberField::CreatedAt),
            FilterableField::UpdatedAt => Self::Number(NumberField::UpdatedAt),
            FilterableField::BreadcrumbEntityId => Self::Breadcrumb(BreadcrumbField::EntityId),
            FilterableField::BreadcrumbName => Self::Breadcrumb(BreadcrumbField::Name),
            FilterableField::BreadcrumbEntityType => Self::Breadcrumb(BreadcrumbField::EntityType),
            FilterableField::EntityType => Self::Text(TextField::EntityType),
            FilterableField::SourceName => Self::Text(TextField::SourceName),
            FilterableField::OriginalEntityId => Self::Text(TextField::OriginalEntityId),
            FilterableField::ChunkIndex => Self::Number(NumberField::ChunkIndex),
            FilterableField::SyncId => Self::Text(TextField::SyncId),
            FilterableField::SyncJobId => Self::Text(TextField::SyncJobId),
        }
    }
}

/// Reads a condition; `None` if something is wrong with it, which `faults` says.
pub fn condition(
    field: FilterableField,
    operator: FilterOperator,
    value: &Value,
    at: &At,
    reader: &mut Reader,
    faults: &mut Faults,
) -> Option<Filter> {
    match Subject::of(field) {
        Subject::Number(number) => of_number(field, number, operator, value, at, reader, faults),
        subject @ (Subject::Text(_) | Subject::Breadcrumb(_)) => {
            of_text(field, subject, operator, value, at, reader, faults)
        }
    }
}

fn of_text(
    field: FilterableField,
    subject: Subject,
    operator: FilterOperator,
    value: &Value,
    at: &At,
    reader: &mut Reader,
    faults: &mut Faults,
) -> Option<Filter> {
    let mut one = |faults: &mut Faults| reader.text(value, &at.value, faults);
    match operator {
        FilterOperator::Equals => one(faults).map(|text| test(subject, TextTest::Is(text))),
        FilterOperator::NotEquals => one(faults).map(|text| not(test(subject, TextTest::Is(text)))),
        FilterOperator::Contains => {
            reader.pattern(value, &at.value, faults).map(|text| test(subject, TextTest::Contains(text)))
        }
        FilterOperator::In => reader.texts(value, &at.value, faults).map(|texts| one_of(subject, texts)),
        FilterOperator::NotIn => reader.texts(value, &at.value, faults).map(|texts| not(one_of(subject, texts))),
        FilterOperator::GreaterThan
        | FilterOperator::LessThan
        | FilterOperator::GreaterThanOrEqual
        | FilterOperator::LessThanOrEqual => {
            let why = format!("'{operator}' compares times and numbers, and '{field}' is a text");
            faults.senseless(&at.operator, &why);
            None
        }
    }
}

fn of_number(
    field: FilterableField,
    number: NumberField,
    operator: FilterOperator,
    value: &Value,
    at: &At,
    reader: &mut Reader,
    faults: &mut Faults,
) -> Option<Filter> {
    let within = |from, to| Filter::Number(number, Bounds { from, to });
    let any = |points: Vec<Point>| Filter::Any(points.into_iter().map(|point| exactly(number, point)).collect());
    let mut one = |faults: &mut Faults| reader.point(number, value, &at.value, faults);
    match operator {
        FilterOperator::Equals => one(faults).map(|point| exactly(number, point)),
        FilterOperator::NotEquals => one(faults).map(|point| not(exactly(number, point))),
        FilterOperator::GreaterThan => one(faults).map(|point| within(Some(point.after()), None)),
        FilterOperator::GreaterThanOrEqual => one(faults).map(|point| within(Some(point.from()), None)),
        FilterOperator::LessThan => one(faults).map(|point| within(None, Some(point.before()))),
        FilterOperator::LessThanOrEqual => one(faults).map(|point| within(None, Some(point.to()))),
        FilterOperator::In => reader.points(number, value, &at.value, faults).map(any),
        FilterOperator::NotIn => reader.points(number, value, &at.value, faults).map(|points| not(any(points))),
        FilterOperator::Contains => {
            let why = format!("'contains' looks into texts, and '{field}' is a {}", kind(number));
            faults.senseless(&at.operator, &why);
            None
        }
    }
}

const fn kind(number: NumberField) -> &'static str {
    match number {
        NumberField::CreatedAt | NumberField::UpdatedAt => "time",
        NumberField::ChunkIndex => "number",
    }
}

fn test(subject: Subject, test: TextTest) -> Filter {
    match subject {
        Subject::Text(field) => Filter::Text(field, test),
        Subject::Breadcrumb(field) => Filter::Breadcrumb(vec![(field, test)]),
        Subject::Number(_) => Filter::Any(Vec::new()),
    }
}

fn one_of(subject: Subject, texts: Vec<String>) -> Filter {
    match subject {
        Subject::Text(field) => Filter::OneOf(field, texts),
        Subject::Breadcrumb(_) | Subject::Number(_) => {
            Filter::Any(texts.into_iter().map(|text| test(subject, TextTest::Is(text))).collect())
        }
    }
}

fn exactly(number: NumberField, point: Point) -> Filter {
    match point.whole() {
        Some(value) => Filter::Number(number, Bounds { from: Some(value), to: Some(value) }),
        None => Filter::Any(Vec::new()),
    }
}

fn not(filter: Filter) -> Filter {
    Filter::Not(Box::new(filter))
}
