//! What is behind an error.

use std::error::Error;

/// `text` and the errors behind `error`, each after a colon.
pub(crate) fn with_reasons(text: String, error: &dyn Error) -> String {
    std::iter::successors(error.source(), |&inner| inner.source()).fold(text, |text, inner| format!("{text}: {inner}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Outer(&'static str, #[source] Option<Box<Self>>);

    #[test]
    fn every_error_behind_is_told() {
        let error = Outer("a", Some(Outer("b", Some(Outer("c", None).into())).into()));
        assert_eq!(with_reasons("failed".to_owned(), &error), "failed: b: c");
        assert_eq!(with_reasons(error.to_string(), &Outer("alone", None)), "a");
    }
}
