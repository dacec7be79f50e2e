//! Query parameters.

use std::ops::RangeInclusive;
use std::str::FromStr;

use actix_web::HttpRequest;
use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use shared_models::DeletionReference;
use shared_models::wire::problem::FieldProblem;
use shared_models::wire::words::either;

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

    /// Refuses every parameter that isn't one of these, or that comes twice: what looks like a filter must not be
    /// passed over.
    pub fn only(&mut self, known: &[&str]) {
        for name in known {
            if self.given.iter().filter(|(given, _)| given == name).count() > 1 {
                self.refuse(name, "Value error, the parameter is given more than once", "value_error");
            }
        }
        let mut unknown: Vec<&str> = self.given.iter().map(|(name, _)| name.as_str()).collect();
        unknown.retain(|name| !known.contains(name));
        unknown.dedup();
        let there_are =
            if known.is_empty() { "none is taken here".to_owned() } else { format!("it is one of {}", either(known)) };
        let problems = unknown.into_iter().take(MAX_FAULTS).map(|name| {
            problem(&["query", &shortened(name)], &format!("Unknown parameter: {there_are}"), "extra_forbidden")
        });
        let problems: Vec<FieldProblem> = problems.collect();
        self.problems.extend(problems);
        self.problems.truncate(MAX_FAULTS);
    }

    /// The value of a parameter that has one of these names.
    pub fn one_of<T: FromStr>(&mut self, name: &str, names: &[&str]) -> Option<T> {
        let read = self.text(name)?.parse().ok();
        if read.is_none() {
            self.refuse(name, &super::one_of(names), "enum");
        }
        read
    }

    /// An id.
    pub fn id<T: FromStr<Err = uuid::Error>>(&mut self, name: &str) -> Option<T> {
        match self.text(name)?.parse() {
            Ok(id) => Some(id),
            Err(why) => {
                self.refuse(name, &format!("Input should be a valid UUID, {why}"), "uuid_parsing");
                None
            }
        }
    }

    /// The caller's own name for a deletion.
    pub fn deletion_reference(&mut self) -> Option<DeletionReference> {
        let name = "deletion_reference";
        match self.text(name)?.trim().parse::<DeletionReference>() {
            Ok(reference) => Some(reference),
            Err(why) => {
                self.refuse(name, &format!("Value error, {why}"), "value_error");
                None
            }
        }
    }

    /// A time, or the beginning of a day, in UTC if it has no zone.
    pub fn time(&mut self, name: &str) -> Option<DateTime<Utc>> {
        // A plus that nobody has escaped stands for a space.
        let text = self.text(name)?.trim().replace(' ', "+");
        let read = time(&text).filter(is_in_the_calendar);
        if read.is_none() {
            let msg = "Input should be a time or a day, such as 2026-11-29T12:00:00Z or 2026-11-29";
            self.refuse(name, msg, "datetime_parsing");
        }
        read
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

/// What PostgreSQL and clients can read: the years 1 to 9999.
pub fn is_in_the_calendar(time: &DateTime<Utc>) -> bool {
    (1..=9999).contains(&time.year())
}

/// A time with its zone, a time in UTC, or a day.
fn time(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    let day = text.parse::<NaiveDate>().ok().map(|day| day.and_time(NaiveTime::MIN));
    day.or_else(|| text.parse::<NaiveDateTime>().ok()).map(|time| time.and_utc())
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
    fn unknown_parameters_are_refused_with_those_that_exist() {
        let refused = |query: &str, known: &[&str]| {
            let mut query = Query::parse(query);
            query.only(known);
            query.check().map_err(|problem| problem.to_string())
        };
        assert_eq!(refused("state=done&since=x", &["state", "since"]), Ok(()));
        let twice = "query.state: Value error, the parameter is given more than once";
        assert_eq!(refused("state=done&state=x", &["state"]).unwrap_err(), twice);
        let told = refused("source_id=1", &["state", "since"]).unwrap_err();
        assert_eq!(told, "query.source_id: Unknown parameter: it is one of 'state' or 'since'");
        assert_eq!(refused("a=1", &[]).unwrap_err(), "query.a: Unknown parameter: none is taken here");
        assert!(refused(&format!("{}=1", "x".repeat(10_000)), &[]).unwrap_err().len() < 200);
    }

    #[test]
    fn times_are_read_as_people_give_them() {
        let read = |text: &str| Query::parse(&format!("since={text}")).time("since").map(|time| time.to_rfc3339());
        let noon = Some("2026-11-29T12:00:00+00:00".to_owned());
        for text in
            ["2026-11-29T12:00:00Z", "2026-11-29T14:00:00+02:00", "2026-11-29T14:00:00%2B02:00", "2026-11-29T12:00:00"]
        {
            assert_eq!(read(text), noon, "{text}");
        }
        assert_eq!(read("2026-11-29").as_deref(), Some("2026-11-29T00:00:00+00:00"));
        let beyond = ["-9999-01-01", "0000-12-31", "%2B10000-01-01", "-5000-01-01T00:00:00"];
        for text in ["", "yesterday", "2026-13-01", "1764417600"].into_iter().chain(beyond) {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn null_characters_never_reach_the_database() {
        assert!(fault("collection=a%00b").starts_with("query.collection: "));
        assert!(fault(&"%00x&".repeat(10_000)).len() < 10_000, "not all are told");
        assert!(fault(&format!("{}=%00", "x".repeat(10_000))).len() < 200, "nor the whole of a name");
    }
}
