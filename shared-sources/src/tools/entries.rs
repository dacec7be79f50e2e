//! Lists as operators write them: entries with commas between them.

/// The entries of `text`, without what is blank.
pub(crate) fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_are_no_entries() {
        assert_eq!(entries(" a, b c ,,\td,").collect::<Vec<_>>(), ["a", "b c", "d"]);
        assert_eq!(entries("").count() + entries(" , ").count(), 0);
    }
}
