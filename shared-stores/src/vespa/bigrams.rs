//! Words in scripts that put no blanks between them.
//!
//! Vespa makes one word of a whole run of Chinese or Japanese characters, and nobody asks for that. So documents have a
//! field with the pairs of characters in such runs, and a question is given its own pairs: who has more of them in
//! common comes first. Pairs need no dictionary, so both sides always agree.

use std::borrow::Cow;
use std::collections::BTreeSet;

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::CodePointMapData;
use icu_properties::props::Script;

/// Most pairs that are added to a question: each is one more word to look up.
const MOST_OF_QUESTION: usize = 256;

/// The first character that may be of these scripts.
const FIRST: char = '\u{e00}';

/// What the index holds of a text: its pairs in their order, then each single character once, so that a word of one
/// character is found as well. Empty for most texts.
#[must_use]
pub fn bigrams(text: &str) -> String {
    let mut written = Written::default();
    let mut singles = BTreeSet::new();
    let text = composed(text);
    for run in runs(&text) {
        pairs(run).for_each(|pair| written.add(pair));
        singles.extend(run.chars());
    }
    let mut buffer = [0; 4];
    singles.into_iter().for_each(|single| written.add(single.encode_utf8(&mut buffer)));
    written.0
}

/// A question with the pairs of its runs behind it; of a run of one character that character is there already.
pub(super) fn with_bigrams(question: &str) -> Cow<'_, str> {
    let text = composed(question);
    let pairs: Vec<&str> = runs(&text).flat_map(pairs).take(MOST_OF_QUESTION).collect();
    // A run that stands beside letters of another script is one word with them.
    let singles = runs(&text).filter(|run| run.chars().nth(1).is_none()).take(MOST_OF_QUESTION);
    let added: Vec<&str> = pairs.into_iter().chain(singles).collect();
    if added.is_empty() { Cow::Borrowed(question) } else { Cow::Owned(format!("{question} {}", added.join(" "))) }
}

/// Words with blanks between them.
#[derive(Default)]
struct Written(String);

impl Written {
    fn add(&mut self, word: &str) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.push_str(word);
    }
}

/// The text with half-width and compatibility forms made usual ones, if there is anything to look for in it.
fn composed(text: &str) -> Cow<'_, str> {
    if text.chars().any(|c| c >= FIRST) { ComposingNormalizerBorrowed::new_nfkc().normalize(text) } else { "".into() }
}

/// The longest stretches of characters of these scripts.
fn runs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_unspaced(c)).filter(|run| !run.is_empty())
}

/// Each two characters that follow each other.
fn pairs(run: &str) -> impl Iterator<Item = &str> {
    let starts = run.char_indices();
    let ends = run.char_indices().skip(2).map(|(at, _)| at).chain(std::iter::once(run.len()));
    let is_pair = run.chars().nth(1).is_some();
    starts.zip(ends).filter_map(move |((start, _), end)| run.get(start..end).filter(|_| is_pair))
}

/// Whether words of the character's script are written without blanks, or with endings that hide them.
fn is_unspaced(c: char) -> bool {
    if c < FIRST {
        return false;
    }
    // The mark of a long vowel is shared by two scripts, and so of none.
    c == '\u{30fc}'
        || matches!(
            CodePointMapData::<Script>::new().get(c),
            Script::Han
                | Script::Hiragana
                | Script::Katakana
                | Script::Bopomofo
                | Script::Hangul
                | Script::Thai
                | Script::Lao
                | Script::Khmer
                | Script::Myanmar
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_become_pairs_and_single_characters() {
        assert_eq!(bigrams("重构比特币，书 iPhone手机"), "重构 构比 比特 特币 手机 书 币 手 机 构 比 特 重");
        assert_eq!(bigrams("plain text, Grüße, 12 ½ 🎉"), "");
        assert_eq!(bigrams(""), "");
    }

    #[test]
    fn forms_of_one_character_are_the_same() {
        assert_eq!(bigrams("ﾃﾞｰﾀ"), bigrams("データ"));
        assert_eq!(with_bigrams("データ").split(' ').skip(1).collect::<Vec<_>>(), ["デー", "ータ"]);
    }

    #[test]
    fn a_question_keeps_its_words_and_gets_its_pairs() {
        assert_eq!(with_bigrams("refund policy"), "refund policy");
        assert_eq!(with_bigrams("比特币 wallet"), "比特币 wallet 比特 特币");
        assert_eq!(with_bigrams("the书 book"), "the书 book 书");
        assert_eq!(with_bigrams(&"比".repeat(5_000)).split(' ').count(), 1 + MOST_OF_QUESTION);
    }

    #[test]
    fn every_part_of_a_text_shares_its_pairs() {
        for (text, word) in
            [("これは日本語のメモです", "日本語"), ("비트코인을샀다", "비트코인"), ("ฉันกินข้าวแล้ว", "ข้าว")]
        {
            let document = bigrams(text);
            let document: Vec<&str> = document.split(' ').collect();
            let question = with_bigrams(word).into_owned();
            assert!(question.split(' ').skip(1).count() > 0, "{word}");
            assert!(question.split(' ').skip(1).all(|pair| document.contains(&pair)), "{word}: {question}");
        }
    }
}
