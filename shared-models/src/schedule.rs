//! Schedules: five-field cron expressions in UTC, and why a due one may not fire.
//!
//! Gateway and scheduler read expressions here and nowhere else, so what was accepted at create can be fired.

use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use crate::text_enum::text_enum;

mod spelling;

static PARSER: LazyLock<CronParser> =
    LazyLock::new(|| CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build());

/// Longest text that is read, in characters.
const MAX_CHARS: usize = 255;

/// The text is no cron expression, or one that is never due.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a cron expression of five fields that is ever due: '{0}'")]
pub struct InvalidCron(pub String);

/// A cron expression of five fields (minute, hour, day of month, month, day of week) that is due again and again.
///
/// It means what croniter takes it for, which Airweave's API asks (`spelling.rs`); what only croner knows, such as
/// `15W`, is read as well. Names of months and days are known, and `@hourly`, `@daily`, `@midnight`, `@weekly`,
/// `@monthly`, `@yearly`, `@annually`. A day matches if either of the two day fields does when both are restricted, as
/// in every cron.
#[derive(Debug, Clone)]
pub struct CronExpression {
    text: String,
    cron: Cron,
    is_sub_hourly: bool,
}

impl CronExpression {
    /// Reads an expression; its text is kept as it was given.
    ///
    /// # Errors
    /// [`InvalidCron`].
    pub fn parse(text: &str) -> Result<Self, InvalidCron> {
        let invalid = || InvalidCron(text.to_owned());
        if text.chars().count() > MAX_CHARS {
            return Err(invalid());
        }
        let spelled = match spelling::spell_out(text) {
            Some(spelled) => spelled,
            None if text.trim().eq_ignore_ascii_case("@midnight") => "@daily".to_owned(),
            None => text.to_owned(),
        };
        let cron = PARSER.parse(&spelled).map_err(|_| invalid())?;
        let is_sub_hourly = is_sub_hourly(&cron).ok_or_else(invalid)?;
        Ok(Self { text: text.to_owned(), cron, is_sub_hourly })
    }

    /// The text, as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether two runs may be less than an hour apart.
    #[must_use]
    pub const fn is_sub_hourly(&self) -> bool {
        self.is_sub_hourly
    }

    /// The first due time later than `moment`, a whole minute; `None` only at the end of the calendar.
    #[must_use]
    pub fn next_after(&self, moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.cron.find_next_occurrence(&moment, false).ok()
    }
}

impl PartialEq for CronExpression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for CronExpression {}

/// Whether two runs may be less than an hour apart; `None` if it never runs.
///
/// That is so exactly if two minutes of one hour match, and of three runs in a row two are then in one hour.
fn is_sub_hourly(cron: &Cron) -> Option<bool> {
    let first = cron.find_next_occurrence(&DateTime::UNIX_EPOCH, true).ok()?;
    let second = cron.find_next_occurrence(&first, false).ok()?;
    let third = cron.find_next_occurrence(&second, false).ok()?;
    let hour = TimeDelta::hours(1);
    Some(second - first < hour || third - second < hour)
}

text_enum! {
    /// Why a due schedule fired no job.
    SkipReason, "skip reason", {
        /// A job of the sync was active; the next due time is tried again.
        JobActive = "job_active",
        /// The source refused the credentials, and they haven't been replaced since.
        NeedsCredentials = "needs_credentials",
        /// Its cron expression can't be read; it has no next run any more.
        Unreadable = "unreadable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cron(text: &str) -> CronExpression {
        CronExpression::parse(text).unwrap()
    }

    fn next(text: &str, moment: &str) -> String {
        let next = cron(text).next_after(moment.parse().unwrap()).unwrap();
        next.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
    }

    #[test]
    fn the_next_due_time_is_a_later_whole_minute() {
        for (text, moment, expected) in [
            ("30 9 * * *", "2026-11-24T09:29:59.999Z", "2026-11-24T09:30:00Z"),
            ("30 9 * * *", "2026-11-24T09:30:00Z", "2026-11-25T09:30:00Z"),
            ("30 9 * * *", "2026-11-24T09:30:00.000001Z", "2026-11-25T09:30:00Z"),
            ("* * * * *", "2026-12-31T23:59:59.5Z", "2027-01-01T00:00:00Z"),
            ("0 0 29 2 *", "2026-11-24T00:00:00Z", "2028-02-29T00:00:00Z"),
            ("15 3 * * 1", "2026-11-24T09:30:00Z", "2026-11-30T03:15:00Z"),
            ("0 12 1 * sun", "2026-11-24T09:30:00Z", "2026-11-29T12:00:00Z"),
            ("0 12 1 * 7", "2026-11-29T12:00:00Z", "2026-12-01T12:00:00Z"),
            (" @midnight ", "2026-11-24T09:30:00Z", "2026-11-25T00:00:00Z"),
            ("0 0/6 * * *", "2026-11-24T09:30:00Z", "2026-11-24T12:00:00Z"),
            ("0 0 * * FRI-MON", "2026-11-24T09:30:00Z", "2026-11-27T00:00:00Z"),
            ("0 22-2/2 * * *", "2026-11-24T22:00:00Z", "2026-11-25T00:00:00Z"),
            ("0 0 l * *", "2026-02-24T09:30:00Z", "2026-02-28T00:00:00Z"),
            ("0 0 * * l5", "2026-11-24T09:30:00Z", "2026-11-27T00:00:00Z"),
            ("0 0 * * 2#3", "2026-11-24T09:30:00Z", "2026-12-15T00:00:00Z"),
            ("0 0 1-31 * 1", "2026-11-24T09:30:00Z", "2026-11-25T00:00:00Z"),
            ("0 0 15W * *", "2026-11-01T00:00:00Z", "2026-11-16T00:00:00Z"),
        ] {
            assert_eq!(next(text, moment), expected, "{text} after {moment}");
        }
    }

    #[test]
    fn sub_hourly_is_what_may_run_twice_within_an_hour() {
        for text in ["* * * * *", "*/30 * * * *", "0,59 * * * *", "5-6 3 * * *", "59,0 0,23 * * *", "0,1 0 29 2 *"] {
            assert!(cron(text).is_sub_hourly(), "{text}");
        }
        for text in ["0 * * * *", "30 9 * * *", "0 0 29 2 *", "15 */2 * * 1-5", "@hourly", "*/60 * * * *"] {
            assert!(!cron(text).is_sub_hourly(), "{text}");
        }
    }

    #[test]
    fn what_is_no_cron_expression_is_refused() {
        let long = format!("{} * * * *", vec!["1"; 200].join(","));
        for text in ["", " ", "x", "* * * *", "60 * * * *", "* * * * * *", "* 24 * * *", "@often", "0 0 31 2 *", &long]
        {
            assert_eq!(CronExpression::parse(text), Err(InvalidCron(text.to_owned())), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "[*/,0-9a-zA-Z@#?+ LW\u{e9}\u{1f600}-]{0,40}") {
            let _either = CronExpression::parse(&text);
        }

        #[test]
        fn a_due_time_is_never_skipped_or_repeated(minute in 0..60_u32, hour in 0..24_u32, at in 0_i64..4_000_000_000) {
            let daily = cron(&format!("{minute} {hour} * * *"));
            let moment = DateTime::from_timestamp(at, 0).unwrap();
            let next = daily.next_after(moment).unwrap();
            prop_assert!(next > moment && next - moment <= TimeDelta::days(1));
            prop_assert_eq!(daily.next_after(next).unwrap() - next, TimeDelta::days(1));
        }
    }
}
