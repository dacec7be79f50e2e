//! What a test runner says of itself in JUnit's XML: pytest and schemathesis both write it.

use std::path::Path;

/// The counts of a run.
#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    /// All tests.
    pub tests: u64,
    /// Tests that failed.
    pub failures: u64,
    /// Tests that broke before they could fail.
    pub errors: u64,
    /// Tests that didn't run.
    pub skipped: u64,
}

impl Report {
    /// Reads the counts of a file's only suite.
    ///
    /// # Errors
    /// There is no such file, or it isn't complete; the text names it.
    pub fn read(file: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        Self::parse(&text).ok_or_else(|| format!("{}: no complete report: {text}", file.display()))
    }

    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once("<testsuite ")?;
        let (attributes, _) = rest.split_once('>')?;
        let count = |name: &str| {
            let (_, value) = attributes.split_once(&format!(" {name}=\""))?;
            value.split_once('"')?.0.parse().ok()
        };
        text.contains("</testsuites>").then_some(Self {
            tests: count("tests")?,
            failures: count("failures")?,
            errors: count("errors")?,
            skipped: count("skipped")?,
        })
    }
}

#[test]
fn a_report_is_read_whole_or_not_at_all() {
    let text = r#"<?xml version="1.0"?><testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="40" time="1.5"><testcase name="a" /></testsuite></testsuites>"#;
    assert_eq!(Report::parse(text), Some(Report { tests: 40, failures: 2, errors: 1, skipped: 3 }));
    assert_eq!(Report::parse(&text.replace("</testsuites>", "")), None);
    assert_eq!(Report::parse(&text.replace("skipped", "missed")), None);
}
