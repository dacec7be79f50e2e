//! Functions that are conditions of their own, and the annotations in front of them.

use super::lexer::Token;
use super::tokens::{Parser, Result};
use super::user_input::{Grammar, user_input};
use super::{Filter, Nearest, YqlError};

/// The fieldset that `userInput` searches if it isn't told another.
const DEFAULT_INDEX: &str = "default";

/// What stands in `{…}` before a function.
#[derive(Debug, Default)]
struct Annotations {
    grammar: Option<String>,
    index: Option<String>,
    target_hits: Option<i64>,
}

impl Parser<'_> {
    pub(super) fn annotated(&mut self, depth: usize) -> Result<Filter> {
        let annotations = self.annotations()?;
        let name = self.name()?;
        self.call(&name, annotations, depth)
    }

    pub(super) fn function(&mut self, name: &str, depth: usize) -> Result<Filter> {
        self.call(name, Annotations::default(), depth)
    }

    fn call(&mut self, name: &str, annotations: Annotations, depth: usize) -> Result<Filter> {
        if self.element_of.is_some() {
            return Err(YqlError(format!("SameElementItem cannot contain '{name}'")));
        }
        match name {
            "userInput" | "userQuery" => self.user(name, annotations),
            "nearestNeighbor" => self.nearest_neighbor(&annotations),
            "nonEmpty" => self.non_empty(depth),
            other => Err(YqlError(format!("'{other}' is not spoken by this stand-in"))),
        }
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
            self.skip();
            self.expect_sign(":")?;
            let value = self.peek().cloned();
            self.skip();
            match (key.as_str(), value) {
                ("grammar", Some(Token::Text(grammar))) => annotations.grammar = Some(grammar),
                ("defaultIndex", Some(Token::Text(index))) => annotations.index = Some(index),
                ("targetHits" | "targetNumHits" | "totalTargetHits", Some(Token::Int(hits))) => {
                    annotations.target_hits = Some(hits);
                }
                // These weigh or hint; they don't decide what matches. Nearest neighbours are always exact here.
                (
                    "language" | "weight" | "ranked" | "label" | "approximate" | "hnsw.exploreAdditionalHits",
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
            None | Some("weakAnd") => Grammar::WeakAnd,
            Some("all") => Grammar::All,
            Some("tokenize") => Grammar::Tokenize,
            Some(other) => {
                return Err(YqlError(format!("the query type '{other}' is not spoken by this stand-in")));
            }
        };
        let index = annotations.index.as_deref().unwrap_or(DEFAULT_INDEX);
        user_input(&text, grammar, index)
            .ok_or_else(|| YqlError(format!("Parsing '{text}' only resulted in NullItem.")))
    }

    /// `nonEmpty(…)`: refuses what has nothing to look for, instead of leaving it out.
    fn non_empty(&mut self, depth: usize) -> Result<Filter> {
        self.expect_sign("(")?;
        let inner = self.or(depth + 1)?;
        self.expect_sign(")")?;
        if inner.has_empty_terms() {
            return Err(YqlError("Empty composite operator (WEAKAND) inside nonEmpty()".to_owned()));
        }
        Ok(inner)
    }

    /// `nearestNeighbor(field, input)`; whether both exist is looked up later.
    fn nearest_neighbor(&mut self, annotations: &Annotations) -> Result<Filter> {
        self.expect_sign("(")?;
        let field = self.name()?;
        self.expect_sign(",")?;
        let input = match self.peek().cloned() {
            Some(Token::Word(input) | Token::Text(input)) => input,
            _ => return Err(self.unexpected("the name of a query tensor")),
        };
        self.skip();
        self.expect_sign(")")?;
        Ok(Filter::Nearest(Nearest { field, input, target_hits: annotations.target_hits }))
    }
}
