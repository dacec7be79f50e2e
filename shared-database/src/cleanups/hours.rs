//! The hours in which purges may run: asked of PostgreSQL's clock and of its time zones, and so right at every change
//! to summer time and back.

/// A part of each day, in seconds since midnight; it may span midnight. `from` is in it, `to` isn't.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DailyWindow {
    /// Its first second.
    pub from: u32,
    /// The first second after it.
    pub to: u32,
}

/// When purges may run. No window means always.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHours {
    /// The windows, by the clock on the wall.
    pub windows: Vec<DailyWindow>,
    /// Where that wall is: a name of the IANA time zone database, such as `Europe/Berlin`.
    pub time_zone: String,
}

impl Default for AllowedHours {
    fn default() -> Self {
        Self { windows: Vec::new(), time_zone: "UTC".to_owned() }
    }
}

impl AllowedHours {
    pub(super) fn bounds(&self) -> (Vec<i32>, Vec<i32>) {
        let second = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
        self.windows.iter().map(|window| (second(window.from), second(window.to))).unzip()
    }
}

/// SQL that tells whether the time `at` is in one of `windows`, by the clock of `time_zone`, or there is none.
///
/// An hour that the clock leaves out is nobody's; one that it shows twice is twice as long.
pub(super) fn open_at(at: &str, windows: &str, time_zone: &str) -> String {
    format!(
        "(SELECT count(*) = 0 OR count(*) FILTER (
                WHERE CASE WHEN first < last THEN of_day >= first AND of_day < last
                           ELSE of_day >= first OR of_day < last END) > 0
          FROM {windows} AS allowed (first, last),
               (SELECT extract(epoch FROM ({at} AT TIME ZONE {time_zone})::time) AS of_day) AS now)"
    )
}

#[cfg(test)]
mod tests;
