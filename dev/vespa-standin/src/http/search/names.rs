//! Looking up the names that a query uses: sources, and fields that the searched types declare.

use super::answer::Failure;
use crate::schema::{Access, DocType, Field, Kind, Searchable};
use crate::store::{Order, check_pattern};
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

/// Refuses a filter that uses a field of none of the types, or one in a way that it can't be used.
pub(super) fn check(filter: &Filter, types: &[DocType]) -> Result<(), Failure> {
    match filter {
        Filter::Constant(_) => Ok(()),
        Filter::And(parts) | Filter::Or(parts) => parts.iter().try_for_each(|part| check(part, types)),
        Filter::Not(part) if !part.nearest().is_empty() => {
            Err(Failure::query("nearestNeighbor inside '!' is not spoken by this stand-in"))
        }
        Filter::Not(part) => check(part, types),
        Filter::Contains(name, _) | Filter::Number(name, ..) | Filter::Range(name, ..) => term(name, types),
        Filter::In(name, _) => {
            if let Searchable::Field(field) = searchable(name, types)? {
                match field.kind {
                    Kind::Text | Kind::TextArray | Kind::Int | Kind::Long => {}
                    Kind::Bool | Kind::Structs(_) | Kind::Tensor => {
                        return Err(not_created(&format!(
                            "The in operator is only supported for integer and string fields. The field {name} is not of \
                         these types"
                        )));
                    }
                }
            }
            Ok(())
        }
        Filter::Matches(name, pattern) => {
            check_pattern(pattern).map_err(|why| not_created(&why))?;
            term(name, types)
        }
        Filter::SameElement(name, conditions) => {
            // The members first, as they are looked up by their full names.
            conditions.iter().try_for_each(|condition| check(condition, types))?;
            searchable(name, types).map(|_| ())
        }
        Filter::Terms(terms) if terms.index == "default" => Ok(()),
        Filter::Terms(terms) => term(&terms.index, types),
        // Looked up where its input is.
        Filter::Nearest(_) => Ok(()),
    }
}

fn not_created(why: &str) -> Failure {
    Failure::parameter(&format!("Could not create query from YQL: {why}"))
}

/// A field that is searched for a term.
fn term(name: &str, types: &[DocType]) -> Result<(), Failure> {
    match searchable(name, types)? {
        Searchable::Field(field) if field.kind == Kind::Tensor => {
            Err(Failure::unspecified(&format!("Failed: Cannot search for terms in '{name}': It is a tensor field")))
        }
        Searchable::Field(_) | Searchable::Member(..) => Ok(()),
    }
}

fn searchable(name: &str, types: &[DocType]) -> Result<Searchable, Failure> {
    types
        .iter()
        .find_map(|doc_type| doc_type.searchable(name))
        .ok_or_else(|| not_created(&format!("Field '{name}' does not exist.")))
}

/// Whether the field is one of vectors; says what else it is.
pub(super) fn tensor(name: &str, types: &[DocType]) -> Result<(), &'static str> {
    match types.iter().find_map(|doc_type| doc_type.searchable(name)) {
        Some(Searchable::Field(field)) if field.access == Access::TensorAttribute => Ok(()),
        Some(Searchable::Field(field)) if field.access.is_attribute() => Err("field is not a tensor"),
        Some(Searchable::Member(..)) => Err("field is not a tensor"),
        Some(Searchable::Field(_)) | None => Err("field is not an attribute"),
    }
}

/// The attribute to group or order by.
pub(super) fn attribute(name: &str, types: &[DocType]) -> Result<&'static Field, Failure> {
    match searchable(name, types)? {
        Searchable::Field(field) if field.access.is_attribute() => Ok(field),
        Searchable::Field(_) | Searchable::Member(..) => {
            Err(Failure::parameter(&format!("'{name}' is not an attribute")))
        }
    }
}

/// What to order by.
pub(super) fn order(order: &[(String, bool)], types: &[DocType]) -> Result<Vec<Order>, Failure> {
    order
        .iter()
        .map(|(name, descending)| Ok(Order { field: attribute(name, types)?, descending: *descending }))
        .collect()
}
