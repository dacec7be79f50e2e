//! Parses a query by recursive descent, to a bounded depth.

use std::time::Duration;

use super::lexer::{Token, split};
use super::{Comparison, Filter, Grammar, Grouping, Parameters, Query, YqlError, duration};

const MAX_DEPTH: usize = 100;

/// Parses a query; `@name` is looked up in the parameters.
pub fn parse(query: &str, parameters: &Parameters) -> Result<Query, YqlError> {
    let mut parser = Parser { tokens: split(query)?, at: 0, parameters };
    let parsed = parser.query()?;
    parser.sign(";");
    match parser.peek() {
        None => Ok(parsed),
        Some(_) => Err(parser.unexpected("the end")),
    }
}

struct Parser<'a> {
    tokens: Vec<(usize, Token)>,
    at: usize,
    parameters: &'a Parameters,
}

type Result<T, E = YqlError> = std::result::Result<T, E>;

impl Parser<'_> {
    fn query(&mut self) -> Result<Query> {
        self.expect_word("select")?;
        let fields = if self.sign("*") { None } else { Some(self.names()?) };
        self.expect_word("from")?;
        let sources = if self.word("sources") {
            if self.sign("*") { None } else { Some(self.names()?) }
        } else {
            Some(vec![self.name()?])
        };
        let filter = if self.word("where") { self.or(0)? } else { Filter::Constant(true) };
        let mut query =
            Query { fields, sources, filter, order: vec![], limit: None, offset: None, timeout: None, grouping: None };
        loop {
            if self.word("limit") {
                query.limit = Some(self.count()?);
            } else if self.word("offset") {
                query.offset = Some(self.count()?);
            } else if self.word("timeout") {
                query.timeout = Some(self.timeout()?);
            } else if self.word("order") {
                self.expect_word("by")?;
                query.order = self.order()?;
            } else if self.sign("|") {
                query.grouping = Some(self.grouping()?);
            } else {
                return Ok(query);
            }
        }
    }

    fn order(&mut self) -> Result<Vec<(String, bool)>> {
        let mut order = Vec::new();
        loop {
            let field = self.name()?;
            let descending = self.word("desc");
            if !descending {
                self.word("asc");
            }
            order.push((field, descending));
            if !self.sign(",") {
                return Ok(order);
            }
        }
    }

    fn or(&mut self, depth: usize) -> Result<Filter> {
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
            return self.annotated();
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
            "userInput" | "userQuery" => return self.user(&name, Annotations::default()),
            "range" => return self.range(),
            _ => {}
        }
        self.comparison(name)
    }

    fn comparison(&mut self, field: String) -> Result<Filter> {
        if self.word("contains") {
            let value = self.text()?;
            return Ok(Filter::AnyOf(field, vec![value]));
        }
        if self.word("in") {
            return self.among(field);
        }
        let comparison = match self.peek() {
            Some(Token::Sign("=")) => Comparison::Equal,
            Some(Token::Sign("!=")) => Comparison::NotEqual,
            Some(Token::Sign("<")) => Comparison::Less,
            Some(Token::Sign("<=")) => Comparison::LessOrEqual,
            Some(Token::Sign(">")) => Comparison::Greater,
            Some(Token::Sign(">=")) => Comparison::GreaterOrEqual,
            _ => return Err(self.unexpected("'contains', 'in' or a comparison")),
        };
        self.at += 1;
        let number = self.number()?;
        Ok(Filter::Number(field, comparison, number))
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
            self.at += 1;
            if !self.sign(",") {
                break;
            }
        }
        self.expect_sign(")")?;
        if numbers.is_empty() {
            return Ok(Filter::AnyOf(field, texts));
        }
        if !texts.is_empty() {
            return Err(YqlError("The in operator takes strings or integers, not both".into()));
        }
        let parts = numbers.into_iter().map(|n| Filter::Number(field.clone(), Comparison::Equal, n)).collect();
        Ok(one_or(parts, Filter::Or))
    }

    /// `range(field, from, to)`, both ends included, `Infinity` for an open end.
    fn range(&mut self) -> Result<Filter> {
        self.expect_sign("(")?;
        let field = self.name()?;
        let mut parts = Vec::new();
        for comparison in [Comparison::GreaterOrEqual, Comparison::LessOrEqual] {
            self.expect_sign(",")?;
            let open = match self.peek() {
                Some(Token::Word(word)) => word == "Infinity",
                Some(Token::Amount(word)) => word == "-Infinity",
                _ => false,
            };
            if open {
                self.at += 1;
            } else {
                parts.push(Filter::Number(field.clone(), comparison, self.number()?));
            }
        }
        self.expect_sign(")")?;
        Ok(Filter::And(parts))
    }

    fn annotated(&mut self) -> Result<Filter> {
        let annotations = self.annotations()?;
        let name = self.name()?;
        if name == "userInput" || name == "userQuery" {
            return self.user(&name, annotations);
        }
        Err(YqlError(format!("annotations on '{name}' are not spoken by this stand-in")))
    }

    fn annotations(&mut self) -> Result<Annotations> {
        let listed = self.sign("[");
        self.expect_sign("{")?;
        let mut annotations = Annotations::default();
        while !self.sign("}") {
            let key = match self.peek().cloned() {
                Some(Token::Word(key) | Token::Text(key)) => key,
                _ => return Err(self.unexpected("the name of an annotation")),
            };
            self.at += 1;
            self.expect_sign(":")?;
            let value = self.peek().cloned();
            self.at += 1;
            match (key.as_str(), value) {
                ("grammar", Some(Token::Text(grammar))) => annotations.grammar = Some(grammar),
                ("defaultIndex", Some(Token::Text(index))) => annotations.index = Some(index),
                // These weigh or hint; they don't decide what matches.
                (
                    "targetHits" | "targetNumHits" | "language" | "allowEmpty" | "weight" | "ranked" | "label",
                    Some(_),
                ) => {}
                (key, _) => return Err(YqlError(format!("the annotation '{key}' is not spoken by this stand-in"))),
            }
            self.sign(",");
        }
        if listed {
            self.expect_sign("]")?;
        }
        Ok(annotations)
    }

    fn user(&mut self, function: &str, annotations: Annotations) -> Result<Filter> {
        self.expect_sign("(")?;
        let (text, given) = if function == "userQuery" {
            (
                self.parameter("query")?,
                self.parameters.get("type").or_else(|| self.parameters.get("model.type")).cloned(),
            )
        } else {
            (self.text()?, None)
        };
        self.expect_sign(")")?;
        let grammar = match annotations.grammar.or(given).as_deref() {
            None | Some("weakAnd" | "any" | "linguistics") => Grammar::Any,
            Some("all" | "web") => Grammar::All,
            Some(other) => return Err(YqlError(format!("No query type '{other}'"))),
        };
        Ok(Filter::Words { text, grammar, index: annotations.index.unwrap_or_else(|| "default".to_owned()) })
    }

    fn grouping(&mut self) -> Result<Grouping> {
        let mut grouping = Grouping { field: String::new(), max: None };
        self.expect_word("all")?;
        self.expect_sign("(")?;
        while !self.sign(")") {
            if self.word("group") {
                self.expect_sign("(")?;
                grouping.field = self.name()?;
                self.expect_sign(")")?;
            } else if self.word("max") {
                self.expect_sign("(")?;
                let inf = self.word("inf");
                grouping.max = if inf { None } else { Some(self.count()?) };
                if inf {
                    return Err(YqlError(
                        "Cannot return unbounded number of groups when 'grouping.globalMaxGroups' is enabled".into(),
                    ));
                }
                self.expect_sign(")")?;
            } else {
                for (word, open) in [("each", true), ("output", true), ("count", true)] {
                    self.expect_word(word)?;
                    if open {
                        self.expect_sign("(")?;
                    }
                }
                for _ in 0..3 {
                    self.expect_sign(")")?;
                }
            }
        }
        if grouping.field.is_empty() {
            return Err(YqlError("the grouping has no group(…)".into()));
        }
        Ok(grouping)
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(found);
        found
    }

    fn expect_sign(&mut self, sign: &str) -> Result<()> {
        if self.sign(sign) { Ok(()) } else { Err(self.unexpected(&format!("'{sign}'"))) }
    }

    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    fn expect_word(&mut self, word: &str) -> Result<()> {
        if self.word(word) { Ok(()) } else { Err(self.unexpected(&format!("'{word}'"))) }
    }

    fn name(&mut self) -> Result<String> {
        let Some(Token::Word(name)) = self.peek().cloned() else { return Err(self.unexpected("a name")) };
        self.at += 1;
        Ok(name)
    }

    fn names(&mut self) -> Result<Vec<String>> {
        let mut names = vec![self.name()?];
        while self.sign(",") {
            names.push(self.name()?);
        }
        Ok(names)
    }

    fn text(&mut self) -> Result<String> {
        let text = match self.peek().cloned() {
            Some(Token::Text(text)) => text,
            Some(Token::Parameter(name)) => self.parameter(&name)?,
            _ => return Err(self.unexpected("a string")),
        };
        self.at += 1;
        Ok(text)
    }

    fn number(&mut self) -> Result<i64> {
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

    fn count(&mut self) -> Result<u64> {
        let number = self.number()?;
        u64::try_from(number).map_err(|_| YqlError(format!("{number} is negative")))
    }

    fn timeout(&mut self) -> Result<Duration> {
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

    fn parameter(&self, name: &str) -> Result<String> {
        self.parameters
            .get(name)
            .cloned()
            .ok_or_else(|| YqlError(format!("Reference to a parameter '{name}' that the request doesn't have")))
    }

    fn unexpected(&self, expected: &str) -> YqlError {
        match self.tokens.get(self.at) {
            Some((at, token)) => {
                YqlError(format!("query:L1:{at} no viable alternative at {token:?}, expected {expected}"))
            }
            None => YqlError(format!("query:L1 no viable alternative at the end, expected {expected}")),
        }
    }
}

#[derive(Debug, Default)]
struct Annotations {
    grammar: Option<String>,
    index: Option<String>,
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
