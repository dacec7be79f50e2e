//! Request parameters: the last of several counts, and what can't be read is refused with Vespa's text.

use std::collections::HashMap;
use std::time::Duration;

/// The parameters of a request.
#[derive(Debug, Default)]
pub(super) struct Params(pub HashMap<String, String>);

impl Params {
    pub(super) fn from_query(query: &str) -> Self {
        Self(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// A text; given, it may not be empty.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, String> {
        match self.0.get(name).map(String::as_str) {
            Some("") => Err(format!("Expected non-empty value for request property '{name}'")),
            value => Ok(value),
        }
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, String> {
        self.text(name)?
            .map(|value| value.parse().map_err(|_| format!("Failed parsing '{value}': For input string: \"{value}\"")))
            .transpose()
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, String> {
        match self.text(name)? {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => {
                Err(format!("Failed parsing '{other}': Value for boolean parameter must be 'true' or 'false'"))
            }
        }
    }

    pub(super) fn duration(&self, name: &str) -> Result<Option<Duration>, String> {
        let Some(value) = self.text(name)? else { return Ok(None) };
        let units = [("ks", 1000.0), ("ms", 0.001), ("µs", 0.000_001), ("s", 1.0), ("", 1.0)];
        let (number, factor) = units
            .into_iter()
            .find_map(|(unit, factor)| Some((value.strip_suffix(unit)?, factor)))
            .unwrap_or((value, 1.0));
        number
            .trim()
            .parse::<f64>()
            .ok()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds * factor).ok())
            .map(Some)
            .ok_or_else(|| format!("Failed parsing '{value}': Error parsing '{value}': Invalid number '{number}'"))
    }
}
