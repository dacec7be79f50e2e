//! The `where` clause: conditions joined by `and`, `or` and `!`.

use super::lexer::Token;
use super::tokens::{Parser, Result};
use super::{Comparison, Filter, YqlError};

/// Vespa's own parser, whose threads have 512 KiB, runs out of its stack at about twice as many brackets in each other.
const MAX_DEPTH: usize = 32;

impl Parser<'_> {
    pub(super) fn or(&mut self, depth: usize) -> Result<Filter> {
        let mut parts = vec![self.and(depth)?];
        while self.word("or") {
            parts.push(self.and(depth)?);
        }
        Ok(one_or(parts, Filter::Or))
    }

    fn and(&mut self, depth: usize) -> Result<Filter> {
        let mut parts = vec![self.unary(depth)?];
        while self.word("and") {
            parts.push(self.unary(depth)?);
        }
        Ok(one_or(parts, Filter::And))
    }

    fn unary(&mut self, depth: usize) -> Result<Filter> {
        if depth > MAX_DEPTH {
            return Err(YqlError("the expression is too deeply nested".into()));
        }
        if self.sign("!") {
            self.expect_sign("(")?;
            let inner = self.or(depth + 1)?;
            self.expect_sign(")")?;
            return Ok(Filter::Not(Box::new(inner)));
        }
        if matches!(self.peek(), Some(Token::Sign("{" | "["))) {
            return self.annotated(depth);
        }
        if self.sign("(") {
            let inner = self.or(depth + 1)?;
            self.expect_sign(")")?;
            return Ok(inner);
        }
        let name = self.name()?;
        match name.as_str() {
            "true" => return Ok(Filter::Constant(true)),
            "false" => return Ok(Filter::Constant(false)),
            "range" => return self.range(),
            _ if self.peek() == Some(&Token::Sign("(")) => return self.function(&name, depth),
            _ => {}
        }
        self.condition(name, depth)
    }

    fn condition(&mut self, name: String, depth: usize) -> Result<Filter> {
        if self.word("contains") {
            return self.contains(name, depth);
        }
        let field = self.expanded(name);
        if self.word("matches") {
            let pattern = self.text()?;
            return Ok(Filter::Matches(field, pattern));
        }
        if self.word("in") {
            return self.among(field);
        }
        let comparison = match self.peek() {
            Some(Token::Sign("=")) => Comparison::Equal,
            Some(Token::Sign("<")) => Comparison::Less,
            Some(Token::Sign("<=")) => Comparison::LessOrEqual,
            Some(Token::Sign(">")) => Comparison::Greater,
            Some(Token::Sign(">=")) => Comparison::GreaterOrEqual,
            Some(Token::Sign("!=")) => {
                return Err(YqlError(
                    "Expected AND, OR, EQ, LT, GT, LTEQ, GTEQ, CONTAINS, MATCHES, CALL, LITERAL, NOT or IN, got NEQ."
                        .into(),
                ));
            }
            _ => return Err(self.unexpected("'contains', 'matches', 'in' or a comparison")),
        };
        self.skip();
        let number = self.number()?;
        Ok(Filter::Number(field, comparison, number))
    }

    /// `contains "…"`, `contains phrase("…", "…")`, `contains sameElement(…)`
    fn contains(&mut self, name: String, depth: usize) -> Result<Filter> {
        let Some(Token::Word(function)) = self.peek().cloned() else {
            let text = self.text()?;
            return Ok(Filter::Contains(self.expanded(name), text));
        };
        self.skip();
        self.expect_sign("(")?;
        let filter = match function.as_str() {
            "phrase" => {
                let mut words = vec![self.text()?];
                while self.sign(",") {
                    words.push(self.text()?);
                }
                Filter::Contains(self.expanded(name), words.join(" "))
            }
            "sameElement" if self.element_of.is_some() => {
                return Err(YqlError("SameElementItem cannot contain 'sameElement'".into()));
            }
            "sameElement" => self.same_element(name, depth)?,
            other => return Err(YqlError(format!("'{other}' is not spoken by this stand-in"))),
        };
        self.expect_sign(")")?;
        Ok(filter)
    }

    fn same_element(&mut self, field: String, depth: usize) -> Result<Filter> {
        self.element_of = Some(field.clone());
        let mut conditions = vec![self.or(depth + 1)?];
        while self.sign(",") {
            conditions.push(self.or(depth + 1)?);
        }
        self.element_of = None;
        Ok(Filter::SameElement(field, conditions))
    }

    /// Inside `sameElement` the names are those of members.
    pub(super) fn expanded(&self, name: String) -> String {
        match &self.element_of {
            Some(field) => format!("{field}.{name}"),
            None => name,
        }
    }

    /// `("a", "b")`, `(1, 2)` or `(@list)`, the list separated by commas, its items quoted or not.
    fn among(&mut self, field: String) -> Result<Filter> {
        self.expect_sign("(")?;
        let (mut texts, mut numbers) = (Vec::new(), Vec::new());
        loop {
            match self.peek().cloned() {
                Some(Token::Text(text)) => texts.push(text),
                Some(Token::Int(number)) => numbers.push(number),
                Some(Token::Parameter(name)) => {
                    texts.extend(self.parameter(&name)?.split(',').map(unquoted).filter(|item| !item.is_empty()));
                }
                _ => return Err(self.unexpected("a value")),
            }
            self.skip();
            if !self.sign(",") {
                break;
            }
        }
        self.expect_sign(")")?;
        if numbers.is_empty() {
            return Ok(Filter::In(field, texts));
        }
        if !texts.is_empty() {
            return Err(YqlError("The in operator takes strings or integers, not both".into()));
        }
        let parts = numbers.into_iter().map(|n| Filter::Number(field.clone(), Comparison::Equal, n)).collect();
        Ok(one_or(parts, Filter::Or))
    }
}

fn one_or(mut parts: Vec<Filter>, all: fn(Vec<Filter>) -> Filter) -> Filter {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            all(parts)
        }
        None => all(parts),
    }
}

fn unquoted(item: &str) -> String {
    let item = item.trim();
    ['"', '\''].into_iter().find_map(|quote| item.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(item).to_owned()
}
