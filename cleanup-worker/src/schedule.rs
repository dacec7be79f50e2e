//! Reads when purges may run. The hours are compared with PostgreSQL's clock, in the claim and before each slice.

use std::time::Duration;

use shared_database::cleanups::DailyWindow;

const DAY_SECONDS: u32 = 24 * 60 * 60;
/// PostgreSQL knows no time that is much longer ago.
pub(crate) const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);

/// Not a list of daily windows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is neither 'always' nor windows such as '22:00-06:00,12:00-13:00'")]
pub(crate) struct BadHours(String);

/// Windows of the day; none means always.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows(pub Vec<DailyWindow>);

/// Reads `always`, or windows such as `22:00-06:00,12:00-13:00`, to the minute or the second.
///
/// # Errors
/// [`BadHours`].
pub(crate) fn parse_allowed_hours(text: &str) -> Result<Windows, BadHours> {
    if text.trim() == "always" {
        return Ok(Windows(Vec::new()));
    }
    let windows: Option<Vec<DailyWindow>> = text.split(',').map(|window| parse_window(window.trim())).collect();
    windows.map(Windows).ok_or_else(|| BadHours(text.to_owned()))
}

/// Reads the name of a time zone of the IANA database, such as `Europe/Berlin`.
///
/// # Errors
/// Why it is none.
pub(crate) fn parse_time_zone(text: &str) -> Result<chrono_tz::Tz, String> {
    let hint = "a name of the IANA time zone database, such as UTC or Europe/Berlin";
    text.trim().parse().map_err(|_| format!("'{text}' isn't {hint}"))
}

/// An age, or `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline(pub Option<Duration>);

/// Reads `none` or a duration such as `24h`.
///
/// # Errors
/// Why it is neither.
pub(crate) fn parse_deadline(text: &str) -> Result<Deadline, String> {
    match text.trim() {
        "none" => Ok(Deadline(None)),
        duration => match humantime::parse_duration(duration) {
            Ok(age) if age <= LONGEST => Ok(Deadline(Some(age))),
            Ok(_) => Err("longer than 100 years; 'none' is for ever".to_owned()),
            Err(error) => Err(format!("neither 'none' nor a duration such as 24h: {error}")),
        },
    }
}

fn parse_window(text: &str) -> Option<DailyWindow> {
    let (from, to) = text.split_once('-')?;
    let window = DailyWindow { from: parse_time(from)?, to: parse_time(to)? };
    (window.from != window.to).then_some(window)
}

/// Seconds since midnight; `24:00` is the end of the day.
fn parse_time(text: &str) -> Option<u32> {
    let mut parts = text.trim().split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next().unwrap_or("00"));
    let two_digits = |part: &str| -> Option<u32> {
        let is_number = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { part.parse().ok() } else { None }
    };
    let (hours, minutes, seconds) = (two_digits(hours)?, two_digits(minutes)?, two_digits(seconds)?);
    let time = hours * 3600 + minutes * 60 + seconds;
    (parts.next().is_none() && minutes < 60 && seconds < 60 && time <= DAY_SECONDS).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_read_and_nonsense_is_refused() {
        assert_eq!(parse_allowed_hours("always").unwrap(), Windows(Vec::new()));
        let two = parse_allowed_hours("22:00-06:00, 12:00-13:30:15").unwrap();
        let expected = [(22 * 3600, 6 * 3600), (12 * 3600, 13 * 3600 + 30 * 60 + 15)];
        assert_eq!(two.0, expected.map(|(from, to)| DailyWindow { from, to }));
        for nonsense in ["", "never", "22:00", "22-06", "25:00-06:00", "10:60-11:00", "10:00-10:00", "+1:00-02:00"] {
            assert!(parse_allowed_hours(nonsense).is_err(), "{nonsense}");
        }
    }
}
