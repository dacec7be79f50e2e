//! Times as people write them, within bounds that nothing overflows at.

use std::time::Duration;

/// The longest time that a setting may have: PostgreSQL knows no time that is much longer ago.
pub const LONGEST_TIME: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);

/// A text is no such time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoSuchTime {
    /// It is none at all.
    #[error("not a duration such as 500ms, 30s, 5m or 1h 30m")]
    NoTime,
    /// It is longer than [`LONGEST_TIME`].
    #[error("longer than 100 years")]
    TooLong,
}

/// A clap value parser for times of at most 100 years.
///
/// # Errors
/// [`NoSuchTime`].
pub fn time(text: &str) -> Result<Duration, NoSuchTime> {
    match humantime::parse_duration(text.trim()) {
        Ok(time) if time <= LONGEST_TIME => Ok(time),
        Ok(_) | Err(humantime::DurationError::NumberOverflow) => Err(NoSuchTime::TooLong),
        Err(_) => Err(NoSuchTime::NoTime),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_up_to_100_years() {
        for (text, seconds) in [("0s", 0), (" 1h 30m ", 5_400), ("100y", 3_155_760_000)] {
            assert_eq!(time(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["101y", "10000y", "600000000000y", "99999999999999999999s", "18446744073709551615s"] {
            assert_eq!(time(text), Err(NoSuchTime::TooLong), "{text}");
        }
        for text in ["", "soon", "5", "-1s"] {
            assert_eq!(time(text), Err(NoSuchTime::NoTime), "{text}");
        }
    }
}
