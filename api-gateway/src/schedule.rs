//! Schedules: five-field cron expressions in UTC.

use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Timelike as _, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use shared_models::source::SourceDefinition;

use crate::input::{GivenSchedule, ScheduleInput};
use crate::problem::Problem;

static PARSER: LazyLock<CronParser> =
    LazyLock::new(|| CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build());

/// The schedule of a new connection: what was given, or daily from now on.
///
/// # Errors
/// 422 for what is no cron expression, 400 for one that the source is too slow for.
pub fn for_new(source: &SourceDefinition, given: GivenSchedule, now: DateTime<Utc>) -> Result<ScheduleInput, Problem> {
    match given {
        GivenSchedule::Absent | GivenSchedule::Null => {
            let cron = if source.supports_continuous {
                "*/5 * * * *".to_owned()
            } else {
                format!("{} {} * * *", now.minute(), now.hour())
            };
            Ok(ScheduleInput { cron: Some(cron), ..ScheduleInput::default() })
        }
        GivenSchedule::Given(schedule) => checked(source, schedule),
    }
}

/// A changed schedule; `None` if the request doesn't speak of it. Without cron it is removed.
///
/// # Errors
/// As [`for_new`].
pub fn for_change(source: &SourceDefinition, given: GivenSchedule) -> Result<Option<ScheduleInput>, Problem> {
    match given {
        GivenSchedule::Absent => Ok(None),
        GivenSchedule::Null => Ok(Some(ScheduleInput::default())),
        GivenSchedule::Given(schedule) if schedule.cron.is_none() => Ok(Some(ScheduleInput::default())),
        GivenSchedule::Given(schedule) => checked(source, schedule).map(Some),
    }
}

fn checked(source: &SourceDefinition, schedule: ScheduleInput) -> Result<ScheduleInput, Problem> {
    let Some(text) = &schedule.cron else { return Ok(schedule) };
    let invalid = || Problem::InvalidCron(text.clone());
    let cron = PARSER.parse(text).map_err(|_| invalid())?;
    let is_sub_hourly = is_sub_hourly(&cron).ok_or_else(invalid)?;
    if is_sub_hourly && !source.supports_continuous {
        return Err(Problem::TooFrequent(source.short_name.to_owned()));
    }
    Ok(schedule)
}

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

/// When a cron expression is due next.
#[must_use]
pub fn next_run(cron: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    PARSER.parse(cron).ok()?.find_next_occurrence(&now, false).ok()
}

#[cfg(test)]
mod tests {
    use shared_models::source::STUB;

    use super::*;

    fn given(cron: &str) -> GivenSchedule {
        GivenSchedule::Given(ScheduleInput { cron: Some(cron.to_owned()), ..ScheduleInput::default() })
    }

    fn now() -> DateTime<Utc> {
        "2026-11-24T09:30:12Z".parse().unwrap()
    }

    #[test]
    fn a_new_connection_runs_daily_at_the_current_minute() {
        let schedule = for_new(&STUB, GivenSchedule::Absent, now()).unwrap();
        assert_eq!(schedule.cron.as_deref(), Some("30 9 * * *"));
        let continuous = shared_models::source::SourceDefinition { supports_continuous: true, ..STUB };
        let schedule = for_new(&continuous, GivenSchedule::Absent, now()).unwrap();
        assert_eq!(schedule.cron.as_deref(), Some("*/5 * * * *"));
    }

    #[test]
    fn a_schedule_without_cron_is_none() {
        let none = GivenSchedule::Given(ScheduleInput::default());
        assert_eq!(for_new(&STUB, none.clone(), now()).unwrap().cron, None);
        assert_eq!(for_change(&STUB, none).unwrap(), Some(ScheduleInput::default()));
        assert_eq!(for_change(&STUB, GivenSchedule::Null).unwrap(), Some(ScheduleInput::default()));
        assert_eq!(for_change(&STUB, GivenSchedule::Absent).unwrap(), None);
    }

    #[test]
    fn more_than_hourly_is_for_continuous_sources() {
        for cron in ["* * * * *", "*/30 * * * *", "0,59 * * * *", "5-6 3 * * *", "59,0 0,23 * * *"] {
            let text = for_new(&STUB, given(cron), now()).unwrap_err().to_string();
            assert!(text.contains("1 hour"), "{cron}: {text}");
        }
        for cron in ["0 * * * *", "30 9 * * *", "0 0 29 2 *", "15 */2 * * 1-5"] {
            assert!(for_new(&STUB, given(cron), now()).is_ok(), "{cron}");
        }
        let continuous = shared_models::source::SourceDefinition { supports_continuous: true, ..STUB };
        assert!(for_new(&continuous, given("* * * * *"), now()).is_ok());
    }

    #[test]
    fn what_is_no_cron_expression_is_refused() {
        for cron in ["", "x", "* * * *", "60 * * * *", "* * * * * *", "0 0 31 2 *"] {
            assert!(matches!(for_new(&STUB, given(cron), now()), Err(Problem::InvalidCron(_))), "{cron}");
        }
    }

    #[test]
    fn the_next_run_is_later_than_now() {
        assert_eq!(next_run("30 9 * * *", now()), Some("2026-11-25T09:30:00Z".parse().unwrap()));
        assert_eq!(next_run("nonsense", now()), None);
    }
}
