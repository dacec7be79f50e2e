//! What people and programs are told: lines on standard output, or one JSON value. Never a colour, and never what a
//! stranger's file would do to a terminal.

use std::io::Write as _;

use clap::ValueEnum;
use serde_json::{Value, json};

pub use crate::answer::Answer;
use crate::failure::Failure;

/// How an answer is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Lines and tables for people
    #[default]
    #[value(alias = "text")]
    Table,
    /// One JSON value for programs
    Json,
}

/// What a command says before its end, such as each change of what it watches.
pub fn say_meanwhile(output: Output, answer: &Answer) {
    match output {
        Output::Table => print(answer.lines.iter().map(|line| one_line(line))),
        Output::Json => print([plain_json(&answer.json, false)]),
    }
}

/// A line that says what was checked, and what came of it.
pub fn checked(what: &str, found: impl AsRef<str>) -> String {
    format!("ok  {what:<12} {}", found.as_ref())
}

/// A line that says what is worth knowing, though nothing is wrong.
pub fn told(what: &str, found: impl AsRef<str>) -> String {
    format!("--  {what:<12} {}", found.as_ref())
}

/// Says what came of a command. A verdict is an answer, too, and goes to standard output; what kept a command from
/// giving one goes to standard error.
#[expect(clippy::print_stderr, reason = "talks to people")]
pub fn say(output: Output, outcome: &Result<Answer, Failure>) {
    match (output, outcome) {
        (Output::Table, Ok(answer) | Err(Failure::Found(answer))) => {
            print(answer.lines.iter().map(|line| one_line(line)));
        }
        (Output::Table, Err(refused @ Failure::Refused { .. })) => print([one_line(&refused.to_string())]),
        (Output::Table, Err(failure)) => eprintln!("unweave: {}", one_line(&failure.to_string())),
        // All has been said meanwhile.
        (Output::Json, Ok(Answer { json: Value::Null, .. })) => {}
        (Output::Json, Ok(answer) | Err(Failure::Found(answer))) => print_json(&answer.json),
        (Output::Json, Err(failure)) => print_json(&match failure {
            Failure::Found(answer) => answer.json.clone(),
            Failure::Refused { reason, text } => json!({ "verdict": "refused", "reason": reason, "text": text }),
            Failure::Usage(text) => json!({ "verdict": "unchecked", "reason": "usage", "text": text }),
            Failure::Unchecked(text) => json!({ "verdict": "unchecked", "reason": "unreadable", "text": text }),
        }),
    }
}

/// A reader that has seen enough, such as `head`, is no fault.
fn print(lines: impl IntoIterator<Item = String>) {
    let mut out = std::io::stdout().lock();
    let _closed = lines.into_iter().try_for_each(|line| writeln!(out, "{line}"));
}

/// Everything beyond ASCII is escaped: so no terminal does anything that a stranger's text asks for.
fn print_json(json: &Value) {
    print([plain_json(json, true)]);
}

fn plain_json(json: &Value, is_laid_out: bool) -> String {
    let mut text = String::new();
    let written = if is_laid_out { format!("{json:#}") } else { json.to_string() };
    for letter in written.chars() {
        match letter.is_ascii() {
            true => text.push(letter),
            false => text.extend(letter.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}"))),
        }
    }
    text
}

/// In one line, and without what moves a terminal's cursor, clears it, or turns the direction of what is read.
pub fn one_line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        let turns = matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
        if letter.is_control() || turns || matches!(letter, '\u{61c}' | '\u{feff}') {
            shown.extend(letter.escape_unicode());
        } else {
            shown.push(letter);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_a_terminal_or_begins_a_line() {
        assert_eq!(one_line("a\u{1b}[2J\r\u{9b}b\nc\u{202e}é🔒"), "a\\u{1b}[2J\\u{d}\\u{9b}b\\u{a}c\\u{202e}é🔒");
    }
}
