//! Words of documents, as `SimpleTokenizer` splits them.

use icu_properties::props::GeneralCategory;

use super::{category, processed};

/// What a character is to the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Part of a word.
    Word,
    /// A word of its own.
    Symbol,
    /// Between words.
    None,
}

fn part(c: char) -> Part {
    if c.is_ascii() {
        return if c.is_ascii_alphanumeric() { Part::Word } else { Part::None };
    }
    match category(c) {
        GeneralCategory::OtherSymbol => Part::Symbol,
        GeneralCategory::NonspacingMark
        | GeneralCategory::SpacingMark
        | GeneralCategory::LetterNumber
        | GeneralCategory::UppercaseLetter
        | GeneralCategory::LowercaseLetter
        | GeneralCategory::TitlecaseLetter
        | GeneralCategory::ModifierLetter
        | GeneralCategory::OtherLetter
        | GeneralCategory::OtherNumber
        | GeneralCategory::DecimalNumber => Part::Word,
        _ => Part::None,
    }
}

/// The words of a text, in their order.
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut start: Option<usize> = None;
    for (at, c) in text.char_indices() {
        let part = part(c);
        if part == Part::Word {
            start.get_or_insert(at);
            continue;
        }
        words.extend(start.take().and_then(|start| text.get(start..at)).map(processed));
        if part == Part::Symbol {
            words.push(processed(c.encode_utf8(&mut [0; 4])));
        }
    }
    words.extend(start.and_then(|start| text.get(start..)).map(processed));
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_and_digits_and_symbols_stand_alone() {
        assert_eq!(words("Don't foo_bar 12.5 x86-64"), ["don", "t", "foo", "bar", "12", "5", "x86", "64"]);
        assert_eq!(words("Ärger im Café №7"), ["arger", "im", "cafe", "no", "7"]);
        assert_eq!(words("ok🎉🎉 — ½ …"), ["ok", "🎉", "🎉", "1\u{2044}2"]);
        assert_eq!(words("重构比特币，售"), ["重构比特币", "售"], "a run without blanks is one word");
        assert_eq!(words(""), [""; 0]);
    }
}
