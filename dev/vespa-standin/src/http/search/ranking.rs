//! What a request says about ranking: the profile, and the query's vector. Refusals come as Vespa gives them.

use super::answer::Failure;
use super::names;
use crate::http::params::Params;
use crate::schema::DocType;
use crate::store::{Near, Ranking};
use crate::tensor::{Dimensions, Vector, shortened};
use crate::yql::{Filter, Nearest};

/// The one input that a rank profile declares: `query(q_embedding)` in `semantic`.
const DECLARED_INPUT: &str = "q_embedding";

/// A request's rank profile by name and by what it does.
pub(super) struct Profile {
    name: String,
    pub ranking: Ranking,
}

/// The profile that was asked for, of the schemas' and the built-in ones.
pub(super) fn profile(params: &Params, types: &[DocType]) -> Result<Profile, Failure> {
    let asked = ["ranking.profile", "ranking"].into_iter().find_map(|name| params.0.get(name));
    let name = asked.map_or("default", String::as_str);
    let ranking = match name {
        "default" | "keyword" => Ranking::Words,
        "semantic" => Ranking::Closeness,
        "unranked" => Ranking::Unranked,
        _ => {
            // An input is looked up in the profile before anything else is done.
            if let Some((feature, value)) = inputs(params).next() {
                let schemas: Vec<&str> = types.iter().map(|doc_type| doc_type.name()).collect();
                let schemas = schemas.join(", ");
                return Err(Failure::query(&format!(
                    "Could not set 'ranking.features.{feature}' to '{}': No profile named '{name}' exists in schemas \
                     [{schemas}]",
                    shortened(value)
                )));
            }
            let schema = types.first().map_or("", |doc_type| doc_type.name());
            let message = format!("schema '{schema}' does not contain requested rank profile '{name}'");
            return Err(Failure::parameter(&message));
        }
    };
    Ok(Profile { name: name.to_owned(), ranking })
}

/// `query(…)` and its value.
fn inputs(params: &Params) -> impl Iterator<Item = (&str, &str)> {
    params.0.iter().filter_map(|(name, value)| {
        let feature = name.strip_prefix("input.").or_else(|| name.strip_prefix("ranking.features."))?;
        feature.starts_with("query(").then_some((feature, value.as_str()))
    })
}

/// The nearest-neighbour condition made ready.
pub(super) fn nearest(
    filter: &Filter,
    params: &Params,
    profile: &Profile,
    types: &[DocType],
    dimensions: Dimensions,
) -> Result<Option<Near>, Failure> {
    let declared = declared_input(params, profile, dimensions)?;
    let conditions = filter.nearest();
    let Some(nearest) = conditions.first() else { return Ok(None) };
    if conditions.len() > 1 {
        return Err(Failure::query("more than one nearestNeighbor is not spoken by this stand-in"));
    }
    let refuse = |why: &str| Failure::query(&format!("{} {why}", described(nearest)));
    let Some(target_hits) = nearest.target_hits else {
        return Err(refuse("must have either targetHits or totalTargetHits set"));
    };
    let target_hits = match usize::try_from(target_hits) {
        Ok(hits) if hits > 0 => hits,
        _ => return Err(refuse(&format!("has invalid targetHits {target_hits}: Must be >= 1"))),
    };
    let feature = format!("query({})", nearest.input);
    let Some((_, given)) = inputs(params).find(|(name, _)| *name == feature) else {
        return Err(refuse(&format!("requires a tensor rank feature named '{feature}' but this is not present")));
    };
    let Some(vector) = declared.filter(|_| nearest.input == DECLARED_INPUT) else {
        return Err(Failure::unspecified(&format!(
            "Failed: Expected '{feature}' to be a tensor, but it is a string. Unless you set this to a string in code, \
             this is because '{feature}' is not defined in the schema for the chosen rank profile ({}), see \
             https://docs.vespa.ai/en/ranking/tensor-user-guide.html#querying-with-tensors. The full string value is \
             '{}'.",
            profile.name,
            shortened(given)
        )));
    };
    names::tensor(&nearest.field, types).map_err(refuse)?;
    Ok(Some(Near { vector, target_hits }))
}

/// The value of the input that the profile declares: read even if nothing in the query uses it.
fn declared_input(params: &Params, profile: &Profile, dimensions: Dimensions) -> Result<Option<Vector>, Failure> {
    if profile.ranking != Ranking::Closeness {
        return Ok(None);
    }
    let declared = format!("query({DECLARED_INPUT})");
    let Some((feature, value)) = inputs(params).find(|(name, _)| *name == declared) else { return Ok(None) };
    Vector::from_input(value, dimensions).map(Some).map_err(|why| {
        Failure::query(&format!("Could not set 'ranking.features.{feature}' to '{}': {why}", shortened(value)))
    })
}

/// The condition as Vespa prints it.
fn described(nearest: &Nearest) -> String {
    let hits = nearest.target_hits.map_or_else(String::new, |hits| format!(",targetHits={hits}"));
    format!("NEAREST_NEIGHBOR {{field={},queryTensorName={}{hits}}}", nearest.field, nearest.input)
}
