//! Times in entries: RFC 3339 with microseconds and `Z`, as PostgreSQL writes them, and nothing else. So one time has
//! one text, and an entry is made again from what it says.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Deserializer, Serializer};

const FORM: &str = "%Y-%m-%dT%H:%M:%S%.6fZ";

/// The text of a time. What is finer than microseconds is cut off, as PostgreSQL has nothing finer.
#[must_use]
pub fn text(time: DateTime<Utc>) -> String {
    time.format(FORM).to_string()
}

fn parse<E: serde::de::Error>(from: &str) -> Result<DateTime<Utc>, E> {
    let time = NaiveDateTime::parse_from_str(from, FORM).map(|time| time.and_utc()).ok();
    time.filter(|time| text(*time) == from)
        .ok_or_else(|| E::custom("a time in an entry is RFC 3339 with microseconds and Z"))
}

/// See the module.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(*time))
}

/// See the module.
///
/// # Errors
/// The text isn't of that form.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    parse(&String::deserialize(deserializer)?)
}

/// The same of a time that may be missing.
pub mod option {
    use super::{DateTime, Deserialize, Deserializer, Serializer, Utc, parse, text};

    /// See the module.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(time: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.serialize_some(&text(*time)),
            None => serializer.serialize_none(),
        }
    }

    /// See the module.
    ///
    /// # Errors
    /// The text isn't of that form.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
        Option::<String>::deserialize(deserializer)?.as_deref().map(parse).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<DateTime<Utc>> {
        parse::<serde_json::Error>(text).ok()
    }

    #[test]
    fn a_time_has_one_text() {
        let time = DateTime::from_timestamp_micros(1_790_000_000_120_000).unwrap();
        assert_eq!(text(time), "2026-09-21T14:13:20.120000Z");
        assert_eq!(read("2026-09-21T14:13:20.120000Z"), Some(time));
        for other in [
            "2026-09-21T14:13:20.12Z",
            "2026-09-21T14:13:20Z",
            "2026-09-21T14:13:20.1200000Z",
            "2026-09-21T14:13:20.120000+00:00",
            "2026-09-21T16:13:20.120000+02:00",
            "2026-09-21 14:13:20.120000Z",
            "2026-09-21T14:13:20.120000z",
            " 2026-09-21T14:13:20.120000Z",
            "2026-9-21T14:13:20.120000Z",
            "2026-09-31T14:13:20.120000Z",
            "+2026-09-21T14:13:20.120000Z",
            "infinity",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
