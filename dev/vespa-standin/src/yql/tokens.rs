//! Taking tokens one after the other, and what is said when another one was expected.

use std::time::Duration;

use super::lexer::{Token, split};
use super::{Parameters, YqlError, duration};

pub(super) type Result<T, E = YqlError> = std::result::Result<T, E>;

pub(super) struct Parser<'a> {
    tokens: Vec<(usize, Token)>,
    at: usize,
    pub(super) parameters: &'a Parameters,
    /// The field whose elements the conditions are about: inside `sameElement`.
    pub(super) element_of: Option<String>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(query: &str, parameters: &'a Parameters) -> Result<Self> {
        Ok(Self { tokens: split(query)?, at: 0, parameters, element_of: None })
    }

    /// Goes on to the next token.
    pub(super) fn skip(&mut self) {
        self.at += 1;
    }

    pub(super) fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    pub(super) fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect_sign(&mut self, sign: &str) -> Result<()> {
        if self.sign(sign) { Ok(()) } else { Err(self.unexpected(&format!("'{sign}'"))) }
    }

    pub(super) fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect_word(&mut self, word: &str) -> Result<()> {
        if self.word(word) { Ok(()) } else { Err(self.unexpected(&format!("'{word}'"))) }
    }

    pub(super) fn name(&mut self) -> Result<String> {
        let Some(Token::Word(name)) = self.peek().cloned() else { return Err(self.unexpected("a name")) };
        self.at += 1;
        Ok(name)
    }

    pub(super) fn names(&mut self) -> Result<Vec<String>> {
        let mut names = vec![self.name()?];
        while self.sign(",") {
            names.push(self.name()?);
        }
        Ok(names)
    }

    pub(super) fn text(&mut self) -> Result<String> {
        let text = match self.peek().cloned() {
            Some(Token::Text(text)) => text,
            Some(Token::Parameter(name)) => self.parameter(&name)?,
            _ => return Err(self.unexpected("a string")),
        };
        self.at += 1;
        Ok(text)
    }

    pub(super) fn number(&mut self) -> Result<i64> {
        let number = match self.peek().cloned() {
            Some(Token::Int(number)) => Some(number),
            Some(Token::Word(word)) if word == "true" || word == "false" => Some(i64::from(word == "true")),
            Some(Token::Parameter(name)) => self.parameter(&name)?.parse().ok(),
            _ => None,
        };
        let number = number.ok_or_else(|| self.unexpected("a whole number"))?;
        self.at += 1;
        Ok(number)
    }

    pub(super) fn count(&mut self) -> Result<u64> {
        let number = self.number()?;
        u64::try_from(number).map_err(|_| YqlError(format!("{number} is negative")))
    }

    pub(super) fn timeout(&mut self) -> Result<Duration> {
        let duration = match self.peek() {
            // In YQL a bare number is milliseconds.
            Some(Token::Int(number)) => u64::try_from(*number).ok().map(Duration::from_millis),
            Some(Token::Amount(amount)) => duration(amount),
            _ => None,
        };
        let duration = duration.ok_or_else(|| self.unexpected("a duration"))?;
        self.at += 1;
        Ok(duration)
    }

    pub(super) fn parameter(&self, name: &str) -> Result<String> {
        self.parameters
            .get(name)
            .cloned()
            .ok_or_else(|| YqlError(format!("Reference to a parameter '{name}' that the request doesn't have")))
    }

    pub(super) fn unexpected(&self, expected: &str) -> YqlError {
        match self.tokens.get(self.at) {
            Some((at, token)) => {
                YqlError(format!("query:L1:{at} no viable alternative at {token:?}, expected {expected}"))
            }
            None => YqlError(format!("query:L1 no viable alternative at the end, expected {expected}")),
        }
    }
}
