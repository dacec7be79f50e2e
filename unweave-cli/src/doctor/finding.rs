//! One thing that was looked at.

use serde_json::{Value, json};

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Well,
    /// Not looked at.
    Skipped,
    /// Somebody should look.
    Look,
    /// It doesn't work.
    Failed,
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Well => "ok",
            Self::Skipped => "skipped",
            Self::Look => "look",
            Self::Failed => "FAILED",
        }
    }
}

/// One thing that was looked at, and what to do about it.
#[derive(Debug)]
pub struct Finding {
    /// What came of it.
    pub verdict: Verdict,
    what: &'static str,
    found: String,
    advice: Option<String>,
}

impl Finding {
    /// As it should be.
    pub fn well(what: &'static str, found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Well, what, found: found.into(), advice: None }
    }

    /// Not looked at, since a setting isn't there.
    pub fn skipped(what: &'static str, setting: &str) -> Self {
        Self { verdict: Verdict::Skipped, what, found: format!("{setting} is not set"), advice: None }
    }

    /// Somebody should look.
    pub fn look(what: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Look, what, found: found.into(), advice: Some(advice.into()) }
    }

    /// It doesn't work.
    pub fn failed(what: &'static str, found: impl ToString, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Failed, what, found: found.to_string(), advice: Some(advice.into()) }
    }

    /// As it should be, or failed.
    pub fn of<E: ToString>(what: &'static str, outcome: Result<String, E>, advice: &str) -> Self {
        match outcome {
            Ok(found) => Self::well(what, found),
            Err(error) => Self::failed(what, error, advice),
        }
    }

    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{:<7}  {:<16} {}", self.verdict.as_str(), self.what, self.found)];
        lines.extend(self.advice.iter().map(|advice| format!("{:<7}  {:<16} -> {advice}", "", "")));
        lines
    }

    /// For programs.
    pub fn described(&self) -> Value {
        let verdict = self.verdict.as_str().to_lowercase();
        json!({ "verdict": verdict, "what": self.what, "found": self.found, "advice": self.advice })
    }
}
