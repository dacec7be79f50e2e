//! The containers above an entity, as many as every document of it can carry.

use crate::Breadcrumb;

/// Most containers that are told of one entity. Every chunk of its text carries them all.
pub(crate) const MAX_BREADCRUMBS: usize = 32;

/// The breadcrumbs of `containers`, from the outermost inwards. Of too many the outermost and the innermost are told.
pub(crate) fn breadcrumbs<T>(containers: Vec<T>, breadcrumb: impl Fn(T) -> Breadcrumb) -> Vec<Breadcrumb> {
    let left_out = containers.len().saturating_sub(MAX_BREADCRUMBS);
    let told = containers.into_iter().enumerate().filter(|(place, _)| *place == 0 || *place > left_out);
    told.map(|(_, container)| breadcrumb(container)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(count: usize) -> Vec<String> {
        let crumb = |place: usize| Breadcrumb { entity_id: place.to_string(), name: String::new(), entity_type: "" };
        breadcrumbs((0..count).collect(), crumb).into_iter().map(|crumb| crumb.entity_id).collect()
    }

    #[test]
    fn of_too_many_containers_the_outermost_and_the_innermost_are_told() {
        assert_eq!(told(0).len(), 0);
        assert_eq!(told(32), (0..32).map(|place| place.to_string()).collect::<Vec<_>>());
        let deep = told(2_000);
        assert_eq!((deep.len(), &*deep[0], &*deep[1], &*deep[31]), (32, "0", "1969", "1999"));
        assert_eq!(told(33)[..2], ["0", "2"]);
    }
}
