//! `range(field, from, to)`: both ends included, `Infinity` for an open one.
//!
//! Vespa sends a range as two integers only if each is one as a double, too: beside an open end, or one of the last 512
//! numbers below 2^63, the other end is rounded to 53 bits. And it turns a range round whose ends, as doubles, are in
//! the wrong order.

use super::lexer::Token;
use super::tokens::{Parser, Result};
use super::{Filter, YqlError};

/// An end as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Number(i64),
    /// Below all numbers.
    Lowest,
    /// Above all numbers.
    Highest,
}

impl Parser<'_> {
    pub(super) fn range(&mut self) -> Result<Filter> {
        self.expect_sign("(")?;
        let name = self.name()?;
        let field = self.expanded(name);
        self.expect_sign(",")?;
        let from = self.end()?;
        self.expect_sign(",")?;
        let to = self.end()?;
        self.expect_sign(")")?;
        let (from, to) = as_sent(from, to);
        Ok(Filter::Range(field, from, to))
    }

    fn end(&mut self) -> Result<End> {
        let end = match self.peek() {
            Some(Token::Int(number)) => End::Number(*number),
            Some(Token::Word(word)) if word == "Infinity" => End::Highest,
            Some(Token::Amount(word)) if word == "-Infinity" => End::Lowest,
            Some(Token::Word(word) | Token::Parameter(word)) => {
                let text = format!("Expected a numerical argument (or 'Infinity') to range but got '{word}'");
                return Err(YqlError(text));
            }
            _ => return Err(self.unexpected("a whole number")),
        };
        self.skip();
        Ok(end)
    }
}

/// The range that arrives where the documents are.
fn as_sent(from: End, to: End) -> (i64, i64) {
    let (from, to) = if from.double() > to.double() { (to, from) } else { (from, to) };
    match (from, to) {
        (End::Number(low), End::Number(high)) if from.is_sent_exactly() && to.is_sent_exactly() => (low, high),
        _ => (clamped(from.double()), clamped(to.double())),
    }
}

impl End {
    fn double(self) -> i128 {
        match self {
            Self::Number(number) => nearest_double(number),
            Self::Lowest => i128::MIN,
            Self::Highest => i128::MAX,
        }
    }

    fn is_sent_exactly(self) -> bool {
        i64::try_from(self.double()).is_ok()
    }
}

/// The whole number that is left of another one when it has become a double: 53 bits, ties to even.
fn nearest_double(number: i64) -> i128 {
    let magnitude = u128::from(number.unsigned_abs());
    let excess = (u128::BITS - magnitude.leading_zeros()).saturating_sub(53);
    let (kept, step) = (magnitude >> excess, 1 << excess);
    let rest = magnitude - (kept << excess);
    let rounds_up = rest * 2 > step || rest * 2 == step && kept % 2 == 1;
    let rounded = (kept + u128::from(rounds_up)) << excess;
    let rounded = i128::try_from(rounded).unwrap_or(i128::MAX);
    if number < 0 { -rounded } else { rounded }
}

fn clamped(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAST: i64 = i64::MAX;

    fn sent(from: i64, to: i64) -> (i64, i64) {
        as_sent(End::Number(from), End::Number(to))
    }

    #[test]
    #[expect(clippy::as_conversions, reason = "what is held against it is the machine's own rounding")]
    fn doubles_are_rounded_as_the_machine_does() {
        let edges = [0, 1, 53, 54, 62].map(|bits| 1_i64 << bits);
        let near = edges.iter().flat_map(|edge| (-1030..1030).map(move |by| edge.saturating_add(by)));
        for number in near.chain([LAST, LAST - 511, LAST - 512, i64::MIN, i64::MIN + 1, 0x1234_5678_9abc_def1]) {
            for number in [number, -(number.max(-LAST))] {
                assert_eq!(nearest_double(number), number as f64 as i128, "{number}");
            }
        }
    }

    #[test]
    fn two_integers_arrive_as_they_are() {
        let slot = (0x0123_4567_89ab << 15) + 1;
        for (from, to) in [(0, 0), (0, 32_767), (slot, slot + 1), (slot, slot), (-5, 5), (0, LAST - 512)] {
            assert_eq!(sent(from, to), (from, to));
        }
        assert_eq!(sent(slot, slot - 1), (slot, slot - 1), "the same as doubles, so not turned round");
    }

    #[test]
    fn beside_an_open_end_the_other_is_rounded() {
        let slot = 1_i64 << 62;
        assert_eq!(as_sent(End::Number(slot + 513), End::Highest), (slot + 1024, LAST));
        assert_eq!(as_sent(End::Lowest, End::Number(slot + 511)), (i64::MIN, slot));
        assert_eq!(sent(slot + 513, LAST), (slot + 1024, LAST), "the last numbers are none that a double holds");
        assert_eq!(sent(slot + 513, LAST - 511), (slot + 1024, LAST));
        assert_eq!(as_sent(End::Lowest, End::Highest), (i64::MIN, LAST));
    }

    #[test]
    fn ends_in_the_wrong_order_are_turned_round() {
        assert_eq!(sent(9, 4), (4, 9));
        assert_eq!(as_sent(End::Highest, End::Number(7)), (7, LAST));
    }
}
