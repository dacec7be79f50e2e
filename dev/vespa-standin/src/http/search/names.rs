//! Looking up the names that a query uses: sources, and fields that the searched types declare.

use super::answer::Failure;
use crate::schema::{Access, DocType, Field};
use crate::store::Order;
use crate::yql::Filter;

/// The types to search. Naming a parent doesn't bring in its children.
pub(super) fn sources(names: Option<&[String]>) -> Result<Vec<DocType>, Failure> {
    let Some(names) = names else { return Ok(DocType::ALL.to_vec()) };
    let mut types = Vec::new();
    for name in names {
        let all = name == crate::schema::CLUSTER;
        let named = match DocType::parse(name) {
            Some(doc_type) => vec![doc_type],
            None if all => DocType::ALL.to_vec(),
            None => return Err(Failure::parameter(&format!("Could not resolve source ref '{name}'."))),
        };
        for doc_type in named {
            if !types.contains(&doc_type) {
                types.push(doc_type);
            }
        }
    }
    Ok(types)
}

/// Refuses a filter that uses a field of none of the types.
pub(super) fn check(filter: &Filter, types: &[DocType]) -> Result<(), Failure> {
    match filter {
        Filter::Constant(_) => Ok(()),
        Filter::And(parts) | Filter::Or(parts) => parts.iter().try_for_each(|part| check(part, types)),
        Filter::Not(part) => check(part, types),
        Filter::AnyOf(name, _) | Filter::Number(name, ..) => searchable(name, types).map(|_| ()),
        Filter::Words { index, .. } if index == "default" => Ok(()),
        Filter::Words { index, .. } => searchable(index, types).map(|_| ()),
    }
}

fn searchable(name: &str, types: &[DocType]) -> Result<&'static Field, Failure> {
    match types.iter().find_map(|doc_type| doc_type.field(name)) {
        Some(field) if field.access != Access::Summary => Ok(field),
        _ => {
            let message = format!("Could not create query from YQL: Field '{name}' does not exist.");
            Err(Failure::parameter(&message))
        }
    }
}

/// The attribute to group or order by.
pub(super) fn attribute(name: &str, types: &[DocType]) -> Result<&'static Field, Failure> {
    let field = searchable(name, types)?;
    if field.access.is_attribute() {
        return Ok(field);
    }
    Err(Failure::parameter(&format!("'{name}' is not an attribute")))
}

/// What to order by.
pub(super) fn order(order: &[(String, bool)], types: &[DocType]) -> Result<Vec<Order>, Failure> {
    order
        .iter()
        .map(|(name, descending)| Ok(Order { field: attribute(name, types)?, descending: *descending }))
        .collect()
}
