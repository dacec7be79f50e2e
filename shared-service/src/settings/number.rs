//! Whole numbers within bounds, and what is said of others.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A text is no whole number within the bounds of its setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from {least} to {most}, not '{given}'")]
pub(super) struct NoSuchNumber {
    least: String,
    most: String,
    given: String,
}

/// A clap value parser for whole numbers within `bounds`. What it says of others names the bounds.
pub fn whole_number<T>(
    bounds: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, Box<dyn std::error::Error + Send + Sync>> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text| {
        let number = text.trim().parse().ok().filter(|number| bounds.contains(number));
        number.ok_or_else(|| {
            let (least, most) = (bounds.start().to_string(), bounds.end().to_string());
            Box::from(NoSuchNumber { least, most, given: text.to_owned() })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_within_the_bounds_is_told_them() {
        let parse = whole_number(1_u16..=1_000);
        for (text, number) in [("1", 1), (" 20 ", 20), ("1000", 1_000)] {
            assert_eq!(parse(text).unwrap(), number);
        }
        for text in ["0", "1001", "abc", "-1", "1.5", "", "99999999999999999999"] {
            let told = format!("must be a whole number from 1 to 1000, not '{text}'");
            assert_eq!(parse(text).unwrap_err().to_string(), told);
        }
    }
}
