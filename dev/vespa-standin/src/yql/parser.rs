//! Parses a query by recursive descent, to a bounded depth.

use super::tokens::{Parser, Result};
use super::{Filter, Parameters, Query};

/// Parses a query; `@name` is looked up in the parameters.
pub fn parse(query: &str, parameters: &Parameters) -> Result<Query> {
    let mut parser = Parser::new(query, parameters)?;
    let parsed = parser.query()?;
    parser.sign(";");
    match parser.peek() {
        None => Ok(parsed),
        Some(_) => Err(parser.unexpected("the end")),
    }
}

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
}
