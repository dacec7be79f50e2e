//! What an answer leaves out, for its header `X-Search-Incomplete`: the contract's body has no place for it.

/// In which ways an answer isn't all that was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Incomplete {
    /// Hits were found and ranked in another way than asked for.
    pub strategy: bool,
    /// Vespa didn't look at every document.
    pub coverage: bool,
    /// The page reaches beyond what is looked at of each ranking.
    pub ranking: bool,
    /// The question was cut before it was embedded.
    pub question: bool,
    /// There are fewer hits than asked for, because more would be too large: so many were asked for in the end.
    pub size: Option<u32>,
    /// Hits have no `raw_source_fields`, though there are some: another hit of the entity has them, or they are too
    /// large.
    pub fields: bool,
}

impl Incomplete {
    /// What can be left out, as the header names it.
    pub const NAMES: [&'static str; 6] = ["strategy", "coverage", "ranking", "question", "size", "fields"];

    /// What either leaves out.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self {
            strategy: self.strategy || other.strategy,
            coverage: self.coverage || other.coverage,
            ranking: self.ranking || other.ranking,
            question: self.question || other.question,
            size: match (self.size, other.size) {
                (Some(one), Some(two)) => Some(if one < two { one } else { two }),
                (one, None) => one,
                (None, two) => two,
            },
            fields: self.fields || other.fields,
        }
    }

    /// The header's value; `None` if nothing is left out.
    #[must_use]
    pub fn header(self) -> Option<String> {
        let Self { strategy, coverage, ranking, question, size, fields } = self;
        let named = Self::NAMES.into_iter().zip([strategy, coverage, ranking, question, size.is_some(), fields]);
        let left_out: Vec<&str> = named.filter_map(|(name, is_left_out)| is_left_out.then_some(name)).collect();
        (!left_out.is_empty()).then(|| left_out.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_names_what_is_left_out_and_is_absent_where_nothing_is() {
        assert_eq!(Incomplete::default().header(), None);
        let one = Incomplete { coverage: true, ..Incomplete::default() };
        let other = Incomplete { fields: true, ..Incomplete::default() };
        assert_eq!(one.or(other).header().as_deref(), Some("coverage, fields"));
    }
}
