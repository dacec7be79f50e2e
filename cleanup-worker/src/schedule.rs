//! Reads when purges may run. The hours are compared with PostgreSQL's clock, in the claim and before each slice.

use std::time::Duration;

use shared_database::cleanups::DailyWindow;
use shared_service::settings::{NoSuchTime, time};

const DAY_SECONDS: u32 = 24 * 60 * 60;

/// Not a list of daily windows: which of them isn't one, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadHours {
    /// Nothing stands between two commas, or at all.
    #[error("a window is empty: windows are written as 22:00-06:00,12:00-13:00, and 'always' is no limit")]
    Empty,
    /// It has no two ends.
    #[error("'{0}' is no window such as 22:00-06:00")]
    NoWindow(String),
    /// One of its ends is no time.
    #[error("in the window '{window}' '{end}' is no time of the day such as 09:00, of two digits each")]
    NoTime {
        /// Which window.
        window: String,
        /// Which end.
        end: String,
    },
    /// It begins when it ends.
    #[error("the window '{0}' ends when it begins: 00:00-24:00, or 'always', is the whole day")]
    Nothing(String),
}

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
    let windows: Result<Vec<DailyWindow>, BadHours> = text.split(',').map(|part| parse_window(part.trim())).collect();
    windows.map(Windows)
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
        duration => match time(duration) {
            Ok(age) => Ok(Deadline(Some(age))),
            Err(error @ NoSuchTime::TooLong) => Err(format!("{error}; 'none' is for ever")),
            Err(error @ NoSuchTime::NoTime) => Err(format!("{error}, nor 'none'")),
        },
    }
}

fn parse_window(text: &str) -> Result<DailyWindow, BadHours> {
    if text.is_empty() {
        return Err(BadHours::Empty);
    }
    let (from, to) = text.split_once('-').ok_or_else(|| BadHours::NoWindow(text.to_owned()))?;
    let end = |end: &str| {
        let (window, end) = (text.to_owned(), end.trim().to_owned());
        parse_time(&end).ok_or(BadHours::NoTime { window, end })
    };
    let window = DailyWindow { from: end(from)?, to: end(to)? };
    if window.from == window.to { Err(BadHours::Nothing(text.to_owned())) } else { Ok(window) }
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

    #[test]
    fn it_is_told_which_window_is_wrong_and_why() {
        let time = |window: &str, end: &str| BadHours::NoTime { window: window.to_owned(), end: end.to_owned() };
        for (text, why) in [
            ("22:00-06:00,12:00-12:00", BadHours::Nothing("12:00-12:00".to_owned())),
            ("9:00-17:00", time("9:00-17:00", "9:00")),
            ("22:00-06:00, 12:00-1:00", time("12:00-1:00", "1:00")),
            ("22:00-25:00", time("22:00-25:00", "25:00")),
            ("22:00-06:00,", BadHours::Empty),
            ("22:00-06:00,,12:00-13:00", BadHours::Empty),
            ("", BadHours::Empty),
            ("22:00-06:00,noon", BadHours::NoWindow("noon".to_owned())),
        ] {
            assert_eq!(parse_allowed_hours(text), Err(why), "{text}");
        }
    }
}
