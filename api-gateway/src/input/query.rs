//! Query parameters.

use std::ops::RangeInclusive;

use actix_web::HttpRequest;
use shared_models::wire::problem::FieldProblem;

use super::fields::{boolean, within};
use super::{MAX_FAULTS, problem, shortened};
use crate::problem::Problem;

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Items to leave out.
    pub skip: i64,
    /// Most items to return.
    pub limit: i64,
}

/// The query parameters of a request; collects what is wrong with them.
#[derive(Debug)]
pub struct Query {
    given: Vec<(String, String)>,
    problems: Vec<FieldProblem>,
}

impl Query {
    /// The request's parameters.
    #[must_use]
    pub fn of(request: &HttpRequest) -> Self {
        Self::parse(request.query_string())
    }

    fn parse(query: &str) -> Self {
        let given: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let with_null = given.iter().filter(|(name, value)| name.contains('\0') || value.contains('\0'));
        let msg = "Value error, text must not contain null characters";
        let name = |name: &str| shortened(&name.replace('\0', ""));
        let problems = with_null.map(|(given, _)| problem(&["query", &name(given)], msg, "value_error"));
        Self { problems: problems.take(MAX_FAULTS).collect(), given }
    }

    /// The last value of a parameter.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.given.iter().rev().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// A whole number within bounds.
    pub fn integer(&mut self, name: &str, default: i64, bounds: RangeInclusive<i64>) -> i64 {
        let Some(text) = self.text(name) else { return default };
        let Ok(number) = text.trim().parse::<i64>() else {
            let msg = "Input should be a valid integer, unable to parse string as an integer";
            self.refuse(name, msg, "int_parsing");
            return default;
        };
        if let Err((msg, kind)) = within(number, &bounds) {
            self.refuse(name, &msg, kind);
        }
        number
    }

    /// true or false, or none.
    pub fn boolean(&mut self, name: &str) -> Option<bool> {
        let text = self.text(name)?;
        let flag = boolean(text);
        if flag.is_none() {
            self.refuse(name, "Input should be a valid boolean, unable to interpret input", "bool_parsing");
        }
        flag
    }

    /// `skip` and `limit` as every list takes them.
    ///
    /// # Errors
    /// 422.
    pub fn page(&mut self) -> Result<Page, Problem> {
        let page = Page { skip: self.integer("skip", 0, 0..=i64::MAX), limit: self.limit() };
        self.check()?;
        Ok(page)
    }

    /// `limit` as every list takes it.
    pub fn limit(&mut self) -> i64 {
        self.integer("limit", 100, 1..=1000)
    }

    /// Adds a fault of a parameter.
    pub fn refuse(&mut self, name: &str, msg: &str, kind: &str) {
        if self.problems.len() < MAX_FAULTS {
            self.problems.push(problem(&["query", name], msg, kind));
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// 422 with everything that is wrong.
    pub fn check(&mut self) -> Result<(), Problem> {
        let problems = std::mem::take(&mut self.problems);
        if problems.is_empty() { Ok(()) } else { Err(Problem::Unprocessable(problems)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(query: &str) -> String {
        Query::parse(query).page().unwrap_err().to_string()
    }

    #[test]
    fn pages_have_bounds() {
        assert_eq!(Query::parse("").page().unwrap(), Page { skip: 0, limit: 100 });
        assert_eq!(Query::parse("skip=3&limit=1000").page().unwrap(), Page { skip: 3, limit: 1000 });
        assert_eq!(fault("limit=0"), "query.limit: Input should be greater than or equal to 1");
        assert_eq!(fault("limit=1001"), "query.limit: Input should be less than or equal to 1000");
        assert_eq!(fault("skip=-1"), "query.skip: Input should be greater than or equal to 0");
        assert!(fault("limit=abc").starts_with("query.limit: Input should be a valid integer"));
        assert!(fault("skip=99999999999999999999").starts_with("query.skip: Input should be a valid integer"));
    }

    #[test]
    fn null_characters_never_reach_the_database() {
        assert!(fault("collection=a%00b").starts_with("query.collection: "));
        assert!(fault(&"%00x&".repeat(10_000)).len() < 10_000, "not all are told");
        assert!(fault(&format!("{}=%00", "x".repeat(10_000))).len() < 200, "nor the whole of a name");
    }
}
