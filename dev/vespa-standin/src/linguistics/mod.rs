//! How Vespa makes words of a text, in documents ([`documents`]) and in queries ([`queries`]): the rules of its simple
//! linguistics, which its default component uses where it neither stems nor segments Chinese.

pub mod documents;
pub mod queries;

use icu_properties::CodePointMapData;
use icu_properties::props::GeneralCategory;

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

/// A word as the index holds it and as a query looks it up: compatibility forms made one, lower case, without accents.
fn processed(word: &str) -> String {
    if word.is_ascii() {
        return word.to_ascii_lowercase();
    }
    let composed = icu_normalizer::ComposingNormalizerBorrowed::new_nfkc().normalize(word);
    let lower = composed.to_lowercase();
    let decomposed = icu_normalizer::DecomposingNormalizerBorrowed::new_nfd().normalize(&lower);
    // Blanks and signs that a compatibility form may have in it can't be looked up in the full-text index.
    decomposed.chars().filter(|c| !is_accent(*c) && (!c.is_ascii() || c.is_ascii_alphanumeric())).collect()
}

/// Java's `InCombiningDiacriticalMarks`.
fn is_accent(c: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&c)
}
