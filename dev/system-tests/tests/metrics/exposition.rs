//! Prometheus' text format, as far as the services write it.

use std::collections::BTreeMap;

/// The labels of one series.
pub type Labels = BTreeMap<String, String>;

/// What one service shows.
pub struct Exposition {
    /// The help text of each metric.
    pub help: BTreeMap<String, String>,
    series: Vec<(String, Labels)>,
}

impl Exposition {
    pub fn read(text: &str) -> Self {
        let help = text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split_once(' '));
        let help = help.map(|(name, meaning)| (name.to_owned(), meaning.to_owned())).collect();
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self { help, series: lines.map(series).collect() }
    }

    /// The labels of each series of this very name.
    pub fn labels(&self, name: &str) -> Vec<&Labels> {
        self.series.iter().filter(|(of, _)| of == name).map(|(_, labels)| labels).collect()
    }

    /// The labels of each series of a metric, which may be a histogram.
    pub fn of(&self, metric: &str) -> Vec<&Labels> {
        let plain = self.labels(metric);
        if plain.is_empty() { self.labels(&format!("{metric}_count")) } else { plain }
    }
}

/// `name{label="value",…} number`
fn series(line: &str) -> (String, Labels) {
    let (head, _number) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
    let Some((name, labels)) = head.split_once('{') else { return (head.to_owned(), Labels::new()) };
    let labels = labels.strip_suffix('}').unwrap_or_else(|| panic!("{line}"));
    let label = |text: &str| {
        let (name, value) = text.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
        (name.to_owned(), value.trim_end_matches('"').to_owned())
    };
    let labels = labels.split("\",").map(label).filter(|(_, value)| !value.is_empty());
    (name.to_owned(), labels.collect())
}
