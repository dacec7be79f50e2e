//! What a command found out: for people, and for programs.

use serde_json::Value;

/// What a command found out.
#[derive(Debug)]
pub struct Answer {
    /// For people.
    pub lines: Vec<String>,
    /// For programs.
    pub json: Value,
}
