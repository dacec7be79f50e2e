//! Words of what a person typed: `Tokenizer` splits it, and each word is split once more as in documents.
//!
//! The two don't agree on everything: to a query `½` is no word, an apostrophe is part of one, and so are marks that
//! enclose a letter.

use icu_properties::props::GeneralCategory;

use super::{category, documents};

/// A piece of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Letters, with digits and apostrophes among them; or one symbol.
    Word(String),
    /// Digits alone.
    Number(String),
    /// Blanks.
    Space,
    /// A character that a query language may give a meaning.
    Sign(char),
    /// Anything else.
    Noise,
}

/// Splits what was typed.
pub fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let piece = match c {
            c if category(c) == GeneralCategory::OtherSymbol => Piece::Word(c.to_string()),
            c if is_part_of_word(c) => {
                let mut word = c.to_string();
                while let Some(c) = rest.next_if(|c| is_part_of_word(*c)) {
                    word.push(c);
                }
                match word {
                    word if word.chars().all(|c| c == '\'') => Piece::Noise,
                    word if word.chars().all(|c| c.is_ascii_digit()) => Piece::Number(word),
                    word => Piece::Word(word),
                }
            }
            // Java's whitespace leaves out the blanks at which no line may break; they separate words all the same.
            c if c.is_whitespace() || matches!(c, '\u{3001}' | '\u{3002}') => Piece::Space,
            '"' | '\u{201c}'..='\u{201f}' | '\u{ab}' | '\u{bb}' => Piece::Sign('"'),
            c if "-+.,:()*_!^${}".contains(c) => Piece::Sign(c),
            _ => Piece::Noise,
        };
        pieces.push(piece);
    }
    pieces
}

/// The words of a [`Piece::Word`]: all of them are wanted where there are several.
pub fn segments(word: &str) -> Vec<String> {
    let composed = icu_normalizer::ComposingNormalizerBorrowed::new_nfkc().normalize(word);
    documents::words(&composed)
}

fn is_part_of_word(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '\'';
    }
    // Brackets of Chinese and Japanese are letters to a query.
    ('\u{3008}'..='\u{3011}').contains(&c)
        || matches!(
            category(c),
            GeneralCategory::UppercaseLetter
                | GeneralCategory::LowercaseLetter
                | GeneralCategory::TitlecaseLetter
                | GeneralCategory::ModifierLetter
                | GeneralCategory::OtherLetter
                | GeneralCategory::DecimalNumber
                | GeneralCategory::NonspacingMark
                | GeneralCategory::SpacingMark
                | GeneralCategory::EnclosingMark
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_letter_to_rust_may_be_no_word_to_vespa() {
        for text in ["½", "①", "²", "'", "!? -", "\u{200b}"] {
            let words = pieces(text).into_iter().filter(|it| matches!(it, Piece::Word(_) | Piece::Number(_)));
            assert_eq!(words.count(), 0, "{text}");
        }
        assert_eq!(pieces("12"), [Piece::Number("12".to_owned())]);
        assert_eq!(pieces("a1 ☃"), [Piece::Word("a1".to_owned()), Piece::Space, Piece::Word("☃".to_owned())]);
        assert_eq!(segments("Don't"), ["don", "t"]);
        assert_eq!(segments("「"), [""; 0], "a letter to the query, and no word in the end");
    }
}
