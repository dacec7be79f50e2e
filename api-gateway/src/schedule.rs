//! Schedules as requests ask for them: what is there by default, and what a source can't follow.

use chrono::{DateTime, Timelike as _, Utc};
use shared_database::connections::ScheduleChange;
use shared_models::schedule::CronExpression;
use shared_sources::SourceDefinition;

use crate::input::{GivenSchedule, ScheduleInput};
use crate::problem::Problem;

/// Every five minutes, for sources that run from a cursor.
const CONTINUOUS: &str = "*/5 * * * *";

/// When a new connection runs: as given, or daily from now on. A schedule without cron is none.
///
/// # Errors
/// 422 for what is no cron expression, 400 for one that the source is too slow for.
pub fn for_new(
    source: &SourceDefinition,
    given: &GivenSchedule,
    now: DateTime<Utc>,
) -> Result<Option<CronExpression>, Problem> {
    let text = match given {
        GivenSchedule::Absent | GivenSchedule::Null if source.supports_continuous => CONTINUOUS.to_owned(),
        GivenSchedule::Absent | GivenSchedule::Null => format!("{} {} * * *", now.minute(), now.hour()),
        GivenSchedule::Given(ScheduleInput { cron: None, .. }) => return Ok(None),
        GivenSchedule::Given(ScheduleInput { cron: Some(text), .. }) => text.clone(),
    };
    checked(source, &text, Problem::TooFrequent).map(Some)
}

/// A changed schedule. Without cron it is removed; what it doesn't speak of stays.
///
/// # Errors
/// As [`for_new`].
pub fn for_change(source: &SourceDefinition, given: GivenSchedule) -> Result<ScheduleChange, Problem> {
    match given {
        GivenSchedule::Absent => Ok(ScheduleChange::default()),
        GivenSchedule::Null => Ok(ScheduleChange { cron: Some(None), ..ScheduleChange::default() }),
        GivenSchedule::Given(ScheduleInput { cron, continuous, cursor_field }) => {
            let cron = cron.map(|text| checked(source, &text, Problem::TooFrequentChange)).transpose()?;
            Ok(ScheduleChange { cron: Some(cron), continuous, cursor_field })
        }
    }
}

fn checked(
    source: &SourceDefinition,
    text: &str,
    too_frequent: fn(String) -> Problem,
) -> Result<CronExpression, Problem> {
    let cron = CronExpression::parse(text).map_err(|invalid| Problem::InvalidCron(invalid.0))?;
    if cron.is_sub_hourly() && !source.supports_continuous {
        return Err(too_frequent(source.short_name.to_owned()));
    }
    Ok(cron)
}

#[cfg(test)]
mod tests {
    use shared_sources::Source;

    use super::*;

    const FAST: &SourceDefinition = Source::IncrementalStub.definition();
    const STUB: &SourceDefinition = Source::Stub.definition();

    fn given(cron: &str) -> GivenSchedule {
        GivenSchedule::Given(ScheduleInput { cron: Some(cron.to_owned()), ..ScheduleInput::default() })
    }

    fn new(source: &SourceDefinition, given: &GivenSchedule) -> Result<Option<String>, Problem> {
        let now = "2026-11-24T09:30:12Z".parse().unwrap();
        Ok(for_new(source, given, now)?.map(|cron| cron.as_str().to_owned()))
    }

    #[test]
    fn without_a_schedule_a_new_connection_runs_daily_at_the_current_minute() {
        for schedule in [GivenSchedule::Absent, GivenSchedule::Null] {
            assert_eq!(new(STUB, &schedule).unwrap().as_deref(), Some("30 9 * * *"));
            assert_eq!(new(FAST, &schedule).unwrap().as_deref(), Some("*/5 * * * *"));
        }
    }

    #[test]
    fn a_schedule_without_cron_is_none() {
        let none = GivenSchedule::Given(ScheduleInput::default());
        assert_eq!(new(STUB, &none).unwrap(), None);
        assert_eq!(for_change(STUB, none).unwrap().cron, Some(None));
        assert_eq!(for_change(STUB, GivenSchedule::Null).unwrap().cron, Some(None));
        assert_eq!(for_change(STUB, GivenSchedule::Absent).unwrap().cron, None);
    }

    #[test]
    fn a_change_of_the_cron_keeps_what_it_does_not_name() {
        let change = for_change(STUB, given("0 * * * *")).unwrap();
        assert_eq!((change.continuous, change.cursor_field), (None, None));
        let named = ScheduleInput { cron: None, continuous: Some(true), cursor_field: Some(None) };
        let change = for_change(STUB, GivenSchedule::Given(named)).unwrap();
        assert_eq!((change.continuous, change.cursor_field), (Some(true), Some(None)));
    }

    #[test]
    fn more_than_hourly_is_for_continuous_sources() {
        for cron in ["* * * * *", "*/30 * * * *", "0,59 * * * *"] {
            let refused = new(STUB, &given(cron)).unwrap_err().to_string();
            assert_eq!(refused, "Source 'stub' does not support continuous syncs. Minimum interval is 1 hour.");
            let refused = for_change(STUB, given(cron)).unwrap_err().to_string();
            assert_eq!(
                refused,
                "Source 'stub' does not support continuous syncs. Minimum schedule interval is 1 hour \
                 (e.g., '0 * * * *' for hourly)."
            );
            assert!(new(FAST, &given(cron)).is_ok() && for_change(FAST, given(cron)).is_ok());
        }
        assert_eq!(new(STUB, &given("@hourly")).unwrap().as_deref(), Some("@hourly"), "kept as it was given");
    }

    #[test]
    fn what_is_no_cron_expression_is_refused() {
        let refused = new(FAST, &given("0 0 31 2 *")).unwrap_err();
        assert!(refused.to_string().starts_with("Invalid CRON expression: 0 0 31 2 *. Send five fields"));
        assert!(matches!(for_change(FAST, given("x")), Err(Problem::InvalidCron(_))));
    }
}
