//! What a person typed, as a condition. `tokenize` takes its words and nothing else; to the other grammars it is
//! written in a query language (Vespa's `AllParser`), so that `-word` excludes, `field:word` looks elsewhere and
//! `word*` is no word.

use super::{Filter, Term, Terms, Wanted};
use crate::linguistics::queries::{Piece, pieces, segments};
use crate::schema::DocType;

/// How a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grammar {
    /// A query language; one of the words must be found.
    WeakAnd,
    /// The same language; all of the words must be found.
    All,
    /// Words alone, one of which must be found.
    Tokenize,
}

/// Brackets in each other; deeper ones mean nothing.
const MAX_DEPTH: usize = 32;

/// The condition; `None` where Vespa's parser has no item at all.
pub(super) fn user_input(text: &str, grammar: Grammar, index: &str) -> Option<Filter> {
    let pieces = pieces(text);
    let wanted = match grammar {
        Grammar::WeakAnd => Wanted::Any,
        Grammar::All => Wanted::All,
        Grammar::Tokenize => {
            let terms = pieces.iter().filter_map(plain_term).collect();
            return Some(Filter::Terms(Terms { index: index.to_owned(), terms, wanted: Wanted::Any }));
        }
    };
    Reader { pieces, at: 0, index, wanted }.whole()
}

/// A word by itself.
fn plain_term(piece: &Piece) -> Option<Term> {
    let words = match piece {
        Piece::Word(word) => segments(word),
        Piece::Number(digits) => vec![digits.clone()],
        Piece::Space | Piece::Sign(_) | Piece::Noise => Vec::new(),
    };
    (!words.is_empty()).then_some(Term::Words(words))
}

struct Reader<'i> {
    pieces: Vec<Piece>,
    at: usize,
    index: &'i str,
    wanted: Wanted,
}

/// A term and the field in which it is looked for, if it names one.
struct Found {
    field: Option<String>,
    term: Term,
}

impl Reader<'_> {
    fn whole(mut self) -> Option<Filter> {
        let (mut positive, mut negative) = (Vec::new(), Vec::new());
        while self.at < self.pieces.len() {
            if let Some(item) = self.negative() {
                negative.push(Filter::Not(Box::new(item)));
            } else if let Some(item) = self.item(0) {
                positive.push(item);
            } else {
                self.at += 1;
            }
        }
        if positive.is_empty() && negative.is_empty() {
            return None;
        }
        let found = if positive.is_empty() { Filter::Constant(true) } else { joined(positive, self.wanted) };
        if negative.is_empty() {
            return Some(found);
        }
        negative.insert(0, found);
        Some(Filter::And(negative))
    }

    /// `-item`, the sign just before it. A number with a sign is a negative number.
    fn negative(&mut self) -> Option<Filter> {
        let start = self.at;
        self.skip_spaces();
        let item = match self.sign('-') && self.peek() != Some(&Piece::Space) {
            true if self.number_end().is_some() => None,
            true => self.item(0),
            false => None,
        };
        if item.is_none() {
            self.at = start;
        }
        item
    }

    /// A term, or a group of them in brackets, of which one must be found.
    fn item(&mut self, depth: usize) -> Option<Filter> {
        let start = self.at;
        self.skip_spaces();
        while self.sign('+') {}
        if let Some(Found { field, term }) = self.term() {
            let index = field.unwrap_or_else(|| self.index.to_owned());
            return Some(Filter::Terms(Terms { index, terms: vec![term], wanted: Wanted::Any }));
        }
        if depth < MAX_DEPTH && self.sign('(') {
            let mut items = Vec::new();
            while let Some(item) = self.item(depth + 1) {
                items.push(item);
            }
            self.skip_spaces();
            self.sign(')');
            if !items.is_empty() {
                return Some(joined(items, Wanted::Any));
            }
        }
        self.at = start;
        None
    }

    fn term(&mut self) -> Option<Found> {
        let start = self.at;
        let field = self.field();
        let term = self.number().or_else(|| self.phrase());
        if term.is_none() {
            self.at = start;
        }
        term.map(|term| Found { field, term })
    }

    /// `field:`, if there is such a field.
    fn field(&mut self) -> Option<String> {
        let start = self.at;
        let mut name = String::new();
        loop {
            match self.peek() {
                Some(Piece::Word(part) | Piece::Number(part)) => name.push_str(part),
                Some(Piece::Sign(sign @ ('_' | '.'))) => name.push(*sign),
                _ => break,
            }
            self.at += 1;
        }
        let is_known = name == "default" || DocType::ALL.iter().any(|doc_type| doc_type.searchable(&name).is_some());
        if self.sign(':') && is_known {
            return Some(name);
        }
        self.at = start;
        None
    }

    /// Digits, with a fraction or not, that end with a blank; a sign makes them a number that no text has.
    fn number(&mut self) -> Option<Term> {
        let is_negative = self.peek() == Some(&Piece::Sign('-'));
        self.at += usize::from(is_negative);
        let Some(end) = self.number_end() else {
            self.at -= usize::from(is_negative);
            return None;
        };
        let digits = match self.peek() {
            Some(Piece::Number(digits)) if end == self.at + 1 && !is_negative => Some(digits.clone()),
            _ => None,
        };
        self.at = end;
        Some(digits.map_or(Term::Unfindable, |digits| Term::Words(vec![digits])))
    }

    fn number_end(&self) -> Option<usize> {
        let is_number = |at: usize| matches!(self.pieces.get(at), Some(Piece::Number(_)));
        let has_fraction = self.pieces.get(self.at + 1) == Some(&Piece::Sign('.')) && is_number(self.at + 2);
        let end = if has_fraction { self.at + 3 } else { self.at + 1 };
        let ends = matches!(self.pieces.get(end), None | Some(Piece::Space | Piece::Sign(')' | '!')));
        (is_number(self.at) && ends).then_some(end)
    }

    /// A word; several that nothing but signs stands between; or what is in quotes.
    fn phrase(&mut self) -> Option<Term> {
        let is_quoted = self.sign('"');
        let starts_with_star = self.sign('*');
        let (mut words, mut count, mut ends_with_star) = (Vec::new(), 0, false);
        while let Some(term) = self.peek().and_then(plain_term) {
            self.at += 1;
            count += 1;
            if let Term::Words(more) = term {
                words.extend(more);
            }
            ends_with_star = self.peek() == Some(&Piece::Sign('*'));
            let next = self.next_of_phrase(is_quoted);
            let Some(next) = next else { break };
            self.at = next;
        }
        if is_quoted {
            while self.peek().is_some_and(|piece| *piece != Piece::Sign('"')) {
                self.at += 1;
            }
            self.sign('"');
        }
        match count {
            0 => None,
            1 if ends_with_star || starts_with_star => Some(Term::Unfindable),
            _ if is_quoted => Some(Term::Phrase(words)),
            _ => Some(Term::Words(words)),
        }
    }

    /// Where the next word of a phrase is.
    fn next_of_phrase(&self, is_quoted: bool) -> Option<usize> {
        let mut at = self.at;
        loop {
            match self.pieces.get(at)? {
                Piece::Word(_) | Piece::Number(_) => return Some(at),
                Piece::Noise | Piece::Sign('.' | ',' | '+' | '-' | '_' | '^' | '$' | '*' | ':' | '{' | '}') => at += 1,
                Piece::Space | Piece::Sign('(' | ')') if is_quoted => at += 1,
                Piece::Space | Piece::Sign(_) => return None,
            }
        }
    }

    fn peek(&self) -> Option<&Piece> {
        self.pieces.get(self.at)
    }

    fn sign(&mut self, sign: char) -> bool {
        let found = self.peek() == Some(&Piece::Sign(sign));
        self.at += usize::from(found);
        found
    }

    fn skip_spaces(&mut self) {
        while self.peek() == Some(&Piece::Space) {
            self.at += 1;
        }
    }
}

/// Terms of one index become one, so that each of their words counts for the rank.
fn joined(items: Vec<Filter>, wanted: Wanted) -> Filter {
    let mut parts: Vec<Filter> = Vec::new();
    for item in items {
        match (parts.last_mut(), item) {
            (Some(Filter::Terms(last)), Filter::Terms(terms))
                if last.index == terms.index
                    && [&*last, &terms].iter().all(|it| it.wanted == wanted || it.terms.len() == 1) =>
            {
                last.wanted = wanted;
                last.terms.extend(terms.terms);
            }
            (_, item) => parts.push(item),
        }
    }
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            parts.extend(last);
            match wanted {
                Wanted::Any => Filter::Or(parts),
                Wanted::All => Filter::And(parts),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Term {
        Term::Words(words.iter().map(|word| (*word).to_owned()).collect())
    }

    fn terms(index: &str, terms: &[Term]) -> Filter {
        Filter::Terms(Terms { index: index.to_owned(), terms: terms.to_vec(), wanted: Wanted::Any })
    }

    fn read(text: &str, grammar: Grammar) -> Option<Filter> {
        user_input(text, grammar, "default")
    }

    /// What `AllParser` and `TokenizeParser` of Vespa 8 make of the same texts.
    #[test]
    fn weak_and_is_a_language_and_tokenize_is_none() {
        let [hello, world] = [words(&["hello"]), words(&["world"])];
        let not = |filter| Filter::Not(Box::new(filter));
        let excluded = not(terms("default", std::slice::from_ref(&world)));
        for (text, weak_and, plain) in [
            ("hello world", terms("default", &[hello.clone(), world.clone()]), vec![hello.clone(), world.clone()]),
            (
                "hello -world",
                Filter::And(vec![terms("default", std::slice::from_ref(&hello)), excluded.clone()]),
                vec![hello.clone(), world.clone()],
            ),
            ("-world", Filter::And(vec![Filter::Constant(true), excluded]), vec![world.clone()]),
            ("name:hello", terms("name", std::slice::from_ref(&hello)), vec![words(&["name"]), hello.clone()]),
            (
                "nothing:hello",
                terms("default", &[words(&["nothing", "hello"])]),
                vec![words(&["nothing"]), hello.clone()],
            ),
            ("hello*", terms("default", &[Term::Unfindable]), vec![hello.clone()]),
            ("12.5", terms("default", &[Term::Unfindable]), vec![words(&["12"]), words(&["5"])]),
            ("-12", terms("default", &[Term::Unfindable]), vec![words(&["12"])]),
            ("hello_world", terms("default", &[words(&["hello", "world"])]), vec![hello.clone(), world.clone()]),
            (
                "\"hello world\"",
                terms("default", &[Term::Phrase(vec!["hello".to_owned(), "world".to_owned()])]),
                vec![hello, world],
            ),
            ("don't", terms("default", &[words(&["don", "t"])]), vec![words(&["don", "t"])]),
        ] {
            assert_eq!(read(text, Grammar::WeakAnd), Some(weak_and), "{text}");
            assert_eq!(read(text, Grammar::Tokenize), Some(terms("default", &plain)), "{text}");
        }
        for text in ["½", "!? -", ""] {
            assert_eq!(read(text, Grammar::WeakAnd), None, "{text}");
            assert_eq!(read(text, Grammar::Tokenize), Some(terms("default", &[])), "{text}");
        }
    }

    #[test]
    fn no_text_makes_the_reader_hang_or_fail() {
        for text in
            ["((((", "\"", "\"a", "a\"", "+-+-", "name:", "a:b:c:", "-(a b)", &"(".repeat(10_000), "*", "-\"", "**a**"]
        {
            read(text, Grammar::WeakAnd);
            read(text, Grammar::All);
        }
    }
}
