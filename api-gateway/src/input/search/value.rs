//! The values of conditions: texts, times, numbers, lists of them, all of bounded size.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use serde_json::Value;
use shared_stores::vespa::NumberField;

use super::place::{Faults, Place};

/// Most groups and conditions in one filter.
const MAX_PARTS: usize = 2_000;
/// Most values in one filter, those in lists counted one by one.
const MAX_VALUES: usize = 2_000;
/// Most characters of one text.
const MAX_TEXT_CHARS: usize = 4_096;
/// Most patterns in one filter, and most characters of one. Each is looked for in a field of every document.
const MAX_PATTERNS: usize = 20;
const MAX_PATTERN_CHARS: usize = 256;

/// A point on the line of numbers: a whole number, or somewhere between it and the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    floor: i64,
    is_whole: bool,
}

impl Point {
    /// The number, if it is a whole one.
    pub fn whole(self) -> Option<i64> {
        self.is_whole.then_some(self.floor)
    }

    /// The least whole number above it.
    pub const fn after(self) -> i64 {
        self.floor.saturating_add(1)
    }

    /// The least whole number that isn't below it.
    pub const fn from(self) -> i64 {
        if self.is_whole { self.floor } else { self.after() }
    }

    /// The greatest whole number below it.
    pub const fn before(self) -> i64 {
        if self.is_whole { self.floor.saturating_sub(1) } else { self.floor }
    }

    /// The greatest whole number that isn't above it.
    pub const fn to(self) -> i64 {
        self.floor
    }
}

/// Reads values, as many as a filter may have.
#[derive(Debug, Default)]
pub struct Reader {
    values: usize,
    parts: usize,
    patterns: usize,
}

impl Reader {
    /// Whether there is room for a list of groups or conditions; asked before any of it is looked at.
    pub fn has_parts(&mut self, list: &[Value], at: &Place, faults: &mut Faults) -> bool {
        let was_full = self.parts > MAX_PARTS;
        self.parts = self.parts.saturating_add(list.len());
        if self.parts > MAX_PARTS && !was_full {
            faults.senseless(at, &format!("a filter can have at most {MAX_PARTS} groups and conditions"));
        }
        self.parts <= MAX_PARTS
    }

    /// A single text. Whole numbers are taken for their digits.
    pub fn text(&mut self, value: &Value, at: &Place, faults: &mut Faults) -> Option<String> {
        if self.is_list(value, at, faults) || !self.has_room(at, faults) {
            return None;
        }
        text(value, at, faults)
    }

    /// A single text that is looked for anywhere in others.
    pub fn pattern(&mut self, value: &Value, at: &Place, faults: &mut Faults) -> Option<String> {
        self.patterns += 1;
        if self.patterns > MAX_PATTERNS {
            if self.patterns == MAX_PATTERNS + 1 {
                faults.senseless(at, &format!("a filter can look for at most {MAX_PATTERNS} texts within others"));
            }
            return None;
        }
        let text = self.text(value, at, faults)?;
        if text.chars().count() > MAX_PATTERN_CHARS {
            faults.add(at, format!("String should have at most {MAX_PATTERN_CHARS} characters"), "string_too_long");
            return None;
        }
        Some(text)
    }

    /// A list of texts, or one text.
    pub fn texts(&mut self, value: &Value, at: &Place, faults: &mut Faults) -> Option<Vec<String>> {
        self.list(value, at, faults, text)
    }

    /// A single time or number.
    pub fn point(&mut self, field: NumberField, value: &Value, at: &Place, faults: &mut Faults) -> Option<Point> {
        if self.is_list(value, at, faults) || !self.has_room(at, faults) {
            return None;
        }
        point(field, value, at, faults)
    }

    /// A list of times or numbers, or one as a text.
    pub fn points(&mut self, field: NumberField, value: &Value, at: &Place, faults: &mut Faults) -> Option<Vec<Point>> {
        self.list(value, at, faults, |value, at, faults| point(field, value, at, faults))
    }

    fn list<T>(
        &mut self,
        value: &Value,
        at: &Place,
        faults: &mut Faults,
        read: impl Fn(&Value, &Place, &mut Faults) -> Option<T>,
    ) -> Option<Vec<T>> {
        match value {
            Value::String(text) if text.is_empty() => Some(Vec::new()),
            Value::String(_) => self.has_room(at, faults).then(|| read(value, at, faults))?.map(|one| vec![one]),
            Value::Array(items) => {
                let mut all = Vec::with_capacity(items.len().min(MAX_VALUES));
                let mut is_good = true;
                for (index, item) in items.iter().enumerate() {
                    if !self.has_room(at, faults) {
                        return None;
                    }
                    match read(item, &at.item(index), faults) {
                        Some(one) => all.push(one),
                        None => is_good = false,
                    }
                }
                is_good.then_some(all)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
                faults.add(at, "Input should be a valid list", "list_type");
                None
            }
        }
    }

    fn is_list(&self, value: &Value, at: &Place, faults: &mut Faults) -> bool {
        if value.is_array() {
            faults.senseless(at, "this operator takes a single value; 'in' and 'not_in' take lists");
        }
        value.is_array()
    }

    fn has_room(&mut self, at: &Place, faults: &mut Faults) -> bool {
        self.values += 1;
        if self.values == MAX_VALUES + 1 {
            faults.senseless(at, &format!("a filter can have at most {MAX_VALUES} values"));
        }
        self.values <= MAX_VALUES
    }
}

fn text(value: &Value, at: &Place, faults: &mut Faults) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if !number.is_f64() => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            faults.add(at, "Input should be a valid string", "string_type");
            return None;
        }
    };
    if text.chars().count() > MAX_TEXT_CHARS {
        faults.add(at, format!("String should have at most {MAX_TEXT_CHARS} characters"), "string_too_long");
        return None;
    }
    Some(text)
}

fn point(field: NumberField, value: &Value, at: &Place, faults: &mut Faults) -> Option<Point> {
    let (point, what) = match field {
        NumberField::CreatedAt | NumberField::UpdatedAt => {
            (value.as_str().and_then(time), "a time in ISO 8601, such as 2024-01-15T00:00:00Z")
        }
        NumberField::ChunkIndex => (number(value), "a number"),
    };
    if point.is_none() {
        faults.senseless(at, &format!("this field is compared with {what}"));
    }
    point
}

/// A time, also one in quotes of its own, as language models like to write it. Without a zone it is UTC; a day alone is
/// its midnight.
fn time(text: &str) -> Option<Point> {
    let text = text.trim().trim_matches(['\'', '"']);
    let (date, rest) = text.split_at_checked(10)?;
    let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
    if rest.is_empty() {
        return Some(at_second(date.and_time(NaiveTime::MIN)));
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let zoned = match rest.strip_suffix(['Z', 'z']) {
        Some(rest) => format!("{date}T{rest}+00:00"),
        None => format!("{date}T{rest}"),
    };
    let with_zone = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z"];
    if let Some(time) = with_zone.iter().find_map(|form| DateTime::parse_from_str(&zoned, form).ok()) {
        return Some(at_second(time.naive_utc()));
    }
    let without = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"];
    without.iter().find_map(|form| NaiveDateTime::parse_from_str(&zoned, form).ok()).map(at_second)
}

fn at_second(time: NaiveDateTime) -> Point {
    let time = time.and_utc();
    Point { floor: time.timestamp(), is_whole: time.timestamp_subsec_nanos() == 0 }
}

fn number(value: &Value) -> Option<Point> {
    let (whole, broken) = match value {
        Value::Number(number) => (number.as_i64(), number.as_f64()),
        Value::String(text) => (text.trim().parse().ok(), text.trim().parse().ok()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    if let Some(floor) = whole {
        return Some(Point { floor, is_whole: true });
    }
    let broken: f64 = broken.filter(|number| number.is_finite())?;
    // No chunk has a number beyond these: what is cut off changes nothing.
    let floor = broken.floor().clamp(-1.0, f64::from(u32::MAX));
    let is_whole = floor.total_cmp(&broken).is_eq();
    Some(Point { floor: format!("{floor:.0}").parse().ok()?, is_whole })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn seconds(text: &str) -> Option<(i64, bool)> {
        time(text).map(|point| (point.floor, point.is_whole))
    }

    #[test]
    fn times_are_read_in_every_usual_form() {
        for text in [
            "2024-01-15T12:30:00Z",
            "2024-01-15t12:30:00z",
            "2024-01-15 12:30:00",
            "2024-01-15T12:30",
            "2024-01-15T12:30:00.000",
            "2024-01-15T18:00:00+05:30",
            "2024-01-15T07:30:00-0500",
            "2024-01-15T14:30+02",
            " '2024-01-15T12:30:00Z' ",
        ] {
            assert_eq!(seconds(text), Some((1_705_321_800, true)), "{text}");
        }
        assert_eq!(seconds("2024-01-15"), Some((1_705_276_800, true)));
        assert_eq!(seconds("1969-12-31T23:59:59.5Z"), Some((-1, false)));
        for text in
            ["", "yesterday", "2024", "2024-13-01", "2024-01-15T25:00:00Z", "2024-01-15T12:30:00 Mars", "ü24-01-15"]
        {
            assert_eq!(time(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_whole_or_between_two() {
        let read = |value: Value| number(&value).map(|point| (point.floor, point.is_whole));
        assert_eq!(read(json!(7)), Some((7, true)));
        assert_eq!(read(json!("7")), Some((7, true)));
        assert_eq!(read(json!(7.0)), Some((7, true)));
        assert_eq!(read(json!("7.5")), Some((7, false)));
        assert_eq!(read(json!(1e300)), Some((i64::from(u32::MAX), false)));
        for value in [json!("x"), json!(true), json!(null), json!("NaN"), json!([1])] {
            assert_eq!(read(value.clone()), None, "{value}");
        }
    }

    #[test]
    fn a_point_between_two_numbers_keeps_its_order() {
        let between = Point { floor: 7, is_whole: false };
        assert_eq!((between.after(), between.from(), between.before(), between.to()), (8, 8, 7, 7));
        let whole = Point { floor: 7, is_whole: true };
        assert_eq!((whole.after(), whole.from(), whole.before(), whole.to()), (8, 7, 6, 7));
    }
}
