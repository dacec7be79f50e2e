//! Readable ids of collections: the name, made fit for a URL, and six random characters.

use rand::RngExt as _;

/// What a readable id looks like.
pub const PATTERN: &str = "^[a-z0-9]+(-[a-z0-9]+)*$";

const SUFFIX_CHARS: usize = 6;
const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// Whether the text matches [`PATTERN`].
#[must_use]
pub fn is_well_formed(id: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    id.split('-').all(is_word)
}

/// A readable id for a collection of that name; another one each time.
#[must_use]
pub fn generate(name: &str) -> String {
    let kept: String = name.to_lowercase().chars().filter(|c| c.is_ascii_alphanumeric() || c.is_whitespace()).collect();
    let mut words: Vec<String> = kept.split_whitespace().map(str::to_owned).collect();
    words.push(suffix());
    words.join("-")
}

fn suffix() -> String {
    let mut rng = rand::rng();
    std::iter::repeat_with(|| rng.random_range(0..ALPHABET.len()))
        .filter_map(|at| ALPHABET.get(at).copied().map(char::from))
        .take(SUFFIX_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The part before the suffix, which is checked.
    fn stem(name: &str) -> String {
        let id = generate(name);
        assert!(is_well_formed(&id), "{id}");
        let (stem, suffix) = id.rsplit_once('-').unwrap_or(("", &id));
        assert_eq!(suffix.len(), SUFFIX_CHARS);
        stem.to_owned()
    }

    #[test]
    fn a_name_becomes_lower_case_with_hyphens() {
        assert_eq!(stem("Finance & Data 2024!"), "finance-data-2024");
        assert_eq!(stem("  Über -- alles  "), "ber-alles");
        assert_eq!(stem("a_b-c"), "abc");
    }

    #[test]
    fn a_name_without_letters_becomes_the_suffix_alone() {
        assert_eq!(stem("!!!!"), "");
    }

    #[test]
    fn only_words_joined_by_hyphens_are_well_formed() {
        for good in ["a", "finance-data-2024", "0-0"] {
            assert!(is_well_formed(good), "{good}");
        }
        for bad in ["", "-", "a-", "-a", "a--b", "Bad_ID", "ä", "a b", "a/b"] {
            assert!(!is_well_formed(bad), "{bad}");
        }
    }
}
