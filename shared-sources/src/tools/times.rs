//! Times as clients can read them.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Datelike as _, SecondsFormat, Utc};

/// `time`, if RFC 3339 and the calendars of clients can say it: in the years 1 to 9999.
pub(crate) fn sayable(time: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (1..=9999).contains(&time.year()).then_some(time)
}

/// The same of a file's time. Restores and broken clocks make any number of seconds.
pub(crate) fn of_file(time: SystemTime) -> Option<DateTime<Utc>> {
    let (seconds, nanos) = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => (i64::try_from(after.as_secs()).ok()?, after.subsec_nanos()),
        Err(before) => {
            let before = before.duration();
            let seconds = i64::try_from(before.as_secs()).ok()?.checked_neg()?;
            match before.subsec_nanos() {
                0 => (seconds, 0),
                nanos => (seconds.checked_sub(1)?, 1_000_000_000 - nanos),
            }
        }
    };
    sayable(DateTime::from_timestamp(seconds, nanos)?)
}

/// As text, with microseconds, in UTC.
pub(crate) fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_file_s_time_is_told_from_year_1_to_9999() {
        let told = |seconds: i64| {
            let distance = Duration::from_secs(seconds.unsigned_abs());
            let time = if seconds < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
            of_file(time.unwrap()).map(text)
        };
        assert_eq!(told(0).as_deref(), Some("1970-01-01T00:00:00.000000Z"));
        assert_eq!(told(253_402_300_799).as_deref(), Some("9999-12-31T23:59:59.000000Z"));
        assert_eq!(told(-62_135_596_800).as_deref(), Some("0001-01-01T00:00:00.000000Z"));
        for beyond in [253_402_300_800, -62_135_596_801, 9_000_000_000_000, -9_000_000_000_000, i64::MAX] {
            assert_eq!(told(beyond), None, "{beyond}");
        }
    }

    #[test]
    fn a_part_of_a_second_before_1970_is_kept() {
        let time = UNIX_EPOCH - Duration::from_micros(1_500_000);
        assert_eq!(of_file(time).map(text).as_deref(), Some("1969-12-31T23:59:58.500000Z"));
    }
}
