//! Spells a five-field expression out as lists of numbers, with the meaning that croniter gives it.
//!
//! Airweave's API asks croniter (PyPI, 6.0.0; `croniter.expand`), which knows forms that other readers refuse or take
//! for something else: a start with a step (`5/15`), ranges over the end of a field (`FRI-MON`, `22-2/2`), and a range
//! from a value to itself, which is the whole field.

use std::collections::BTreeSet;

/// A field's smallest and largest value, and its names.
struct Field {
    min: u32,
    max: u32,
    names: &'static [&'static str],
    /// The number of the first name.
    first_name: u32,
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const fn numbers(min: u32, max: u32) -> Field {
    Field { min, max, names: &[], first_name: 0 }
}

const FIELDS: [Field; 5] = [
    numbers(0, 59),
    numbers(0, 23),
    numbers(1, 31),
    Field { min: 1, max: 12, names: &MONTHS, first_name: 1 },
    Field { min: 0, max: 6, names: &DAYS, first_name: 0 },
];
const DAY_OF_MONTH: usize = 2;
const DAY_OF_WEEK: usize = 4;

/// What a day field may hold besides numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Number(u32),
    /// The last day of the month.
    LastDay,
    /// The last such day of the week in the month.
    Last(u32),
    /// The n-th such day of the week in the month.
    Nth(u32, u32),
}

/// The expression, spelled out; `None` if croniter doesn't know it. Aliases such as `@daily` aren't spelled out here.
pub(super) fn spell_out(text: &str) -> Option<String> {
    let text = text.to_lowercase();
    let texts: [&str; 5] = text.split_whitespace().collect::<Vec<_>>().try_into().ok()?;
    let mut spelled = Vec::with_capacity(FIELDS.len());
    for (place, (field, text)) in FIELDS.iter().zip(texts).enumerate() {
        spelled.push(field.spell_out(place, text, texts)?);
    }
    Some(spelled.join(" "))
}

impl Field {
    fn spell_out(&self, place: usize, text: &str, all: [&str; 5]) -> Option<String> {
        let is_day = place == DAY_OF_MONTH || place == DAY_OF_WEEK;
        if text == "*" || (text == "?" && is_day) {
            return Some("*".to_owned());
        }
        let mut values = BTreeSet::new();
        for part in text.split(',') {
            if part == "*" {
                return Some("*".to_owned());
            }
            self.add(place, part, &mut values)?;
        }
        let numbers = values.iter().filter(|value| matches!(value, Value::Number(_))).count();
        let is_whole = u32::try_from(numbers).ok()? == self.max - self.min + 1;
        if place == DAY_OF_WEEK && numbers > 0 && numbers < values.len() && !is_whole {
            return None;
        }
        // A day field that lists everything restricts nothing only beside one that has a star: otherwise either of both
        // is enough for a day.
        let other = if place == DAY_OF_MONTH { DAY_OF_WEEK } else { DAY_OF_MONTH };
        if is_whole && (!is_day || all.get(other)?.contains('*')) {
            return Some("*".to_owned());
        }
        Some(values.into_iter().map(Value::text).collect::<Vec<_>>().join(","))
    }

    /// Adds what one part of a list says.
    fn add(&self, place: usize, part: &str, values: &mut BTreeSet<Value>) -> Option<()> {
        if place == DAY_OF_WEEK {
            if let Some(day) = part.strip_prefix('l').filter(|day| !day.is_empty()) {
                values.insert(Value::Last(self.value(day, place)?));
                return Some(());
            }
            if let Some((days, nth)) = part.split_once('#') {
                let nth: u32 = nth.parse().ok().filter(|nth| (1..=5).contains(nth))?;
                values.extend(self.range(days, place)?.into_iter().map(|day| Value::Nth(day, nth)));
                return Some(());
            }
        }
        if place == DAY_OF_MONTH && part == "l" {
            values.insert(Value::LastDay);
            return Some(());
        }
        values.extend(self.range(part, place)?.into_iter().map(Value::Number));
        Some(())
    }

    /// The numbers of `5`, `1-5`, `*/2`, `5/2`, `1-5/2`.
    fn range(&self, part: &str, place: usize) -> Option<Vec<u32>> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(number(step).filter(|step| *step > 0)?)),
            None => (part, None),
        };
        let (low, high) = match (range.split_once('-'), step) {
            _ if range == "*" => (self.min, self.max),
            (Some((low, "l")), _) if place == DAY_OF_MONTH => (self.value(low, place)?, self.max),
            (Some((low, high)), _) => (self.value(low, place)?, self.value(high, place)?),
            (None, Some(_)) => (self.value(range, place)?, self.max),
            (None, None) => return Some(vec![self.value(range, place)?]),
        };
        self.steps(low, high, step.unwrap_or(1))
    }

    /// From `low` to `high`, over the end of the field if need be.
    fn steps(&self, low: u32, high: u32, step: u32) -> Option<Vec<u32>> {
        let by = usize::try_from(step).ok()?;
        if low < high {
            return Some((low..=high).step_by(by).collect());
        }
        if low == high {
            return Some((self.min..=self.max).step_by(by).collect());
        }
        let mut numbers: Vec<u32> = (low..=self.max).step_by(by).collect();
        let last = *numbers.last()?;
        // How far croniter goes on beyond the end of the field: not at all where the step ends just there.
        let left = self.max - last;
        let is_beyond = last.checked_add(step)? > self.max + 1;
        let first = if is_beyond && left < step { self.min.checked_add(step - left)? } else { self.min };
        numbers.extend((first..=high).step_by(by));
        Some(numbers)
    }

    /// A number or a name; Sunday is 0 and 7.
    fn value(&self, text: &str, place: usize) -> Option<u32> {
        let named = || self.names.iter().position(|name| *name == text);
        let value = match number(text) {
            Some(7) if place == DAY_OF_WEEK => 0,
            Some(number) => number,
            None => u32::try_from(named()?).ok()?.checked_add(self.first_name)?,
        };
        (self.min..=self.max).contains(&value).then_some(value)
    }
}

impl Value {
    fn text(self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::LastDay => "L".to_owned(),
            Self::Last(day) => format!("{day}L"),
            Self::Nth(day, nth) => format!("{day}#{nth}"),
        }
    }
}

/// A number of digits alone: no sign.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expectations are croniter 6.0.0's own (`croniter.expand`).
    #[test]
    fn forms_are_spelled_out_as_croniter_does() {
        for (text, expected) in [
            ("0 0/6 * * *", "0 0,6,12,18 * * *"),
            ("5/60 * * * *", "5 * * * *"),
            ("7/20 * * * *", "7,27,47 * * * *"),
            ("0 0 * * FRI-MON", "0 0 * * 0,1,5,6"),
            ("0 22-2/2 * * *", "0 0,2,22 * * *"),
            ("0 0 * * 6-1", "0 0 * * 0,1,6"),
            ("0 0 * * SAT-SUN", "0 0 * * 0,6"),
            ("0 0 * * 5-7", "0 0 * * 0,5,6"),
            ("0 0 * nov-feb *", "0 0 * 1,2,11,12 *"),
            ("0 0 * apr-jan/3 *", "0 0 * 1,4,7,10 *"),
            ("50-10/7 * * * *", "5,50,57 * * * *"),
            ("0 23-4/3 * * *", "0 3,23 * * *"),
            ("0 0 28-3 * *", "0 0 1,2,3,28,29,30,31 * *"),
            ("5-5 * * * *", "* * * * *"),
            ("0 0 * * MON/2", "0 0 * * 1,3,5"),
            ("0 0 l * *", "0 0 L * *"),
            ("0 0 28-l * *", "0 0 28,29,30,31 * *"),
            ("0 0 * * l5", "0 0 * * 5L"),
            ("0 0 * * 2#3,fri#1", "0 0 * * 2#3,5#1"),
            ("0 0 ? * ?", "0 0 * * *"),
            ("0-59 * 1-31 * *", "* * * * *"),
            (
                "0 0 1-31 * 1",
                "0 0 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31 * 1",
            ),
            ("0 0 */2 * mon", "0 0 1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31 * 1"),
            ("1,1,3-4 * * * *", "1,3,4 * * * *"),
        ] {
            assert_eq!(spell_out(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_croniter_refuses_is_not_spelled_out() {
        for text in [
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "0 0 0 * *",
            "0 0 * 0 *",
            "0 0 * * 8",
            "-1 * * * *",
            "1- * * * *",
            "a * * * *",
            "0 0 * * mon,2#1",
            "0 0 * * 1#6",
            "*/0 * * * *",
            "1/2/3 * * * *",
            "? * * * *",
            "+1 * * * *",
            "0 0 * * l8",
            "1,,2 * * * *",
        ] {
            assert_eq!(spell_out(text), None, "{text}");
        }
    }
}
