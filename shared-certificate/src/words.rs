//! How times, counts and names are written for people.

use chrono::{DateTime, Utc};
use shared_models::ledger::SupersededReason;
use shared_models::{PurgeTarget, Verification, WriterEnd};

/// A time, such as "1 March 2026, 10:00:05". The page says once of what time zone they are.
pub fn moment(at: DateTime<Utc>) -> String {
    at.format("%-d %B %Y, %H:%M:%S").to_string()
}

/// A count with its noun, with blanks between thousands.
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { one } else { many })
}

/// A number with thin blanks between thousands.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push('\u{202f}');
        }
        shown.push(digit);
    }
    shown
}

/// A span of seconds.
pub fn seconds(seconds: u64) -> String {
    if seconds >= 120 && seconds.is_multiple_of(60) {
        return count(seconds / 60, "minute", "minutes");
    }
    count(seconds, "second", "seconds")
}

/// What a target is.
pub const fn place(target: PurgeTarget) -> &'static str {
    match target {
        PurgeTarget::Vespa => "Search index",
        PurgeTarget::Arf => "File storage",
    }
}

/// What a target holds.
pub fn removed(target: PurgeTarget, number: u64) -> String {
    match target {
        PurgeTarget::Vespa => count(number, "document", "documents"),
        PurgeTarget::Arf => count(number, "file", "files"),
    }
}

/// How it was seen to be empty.
pub const fn verified(by: Verification) -> &'static str {
    match by {
        Verification::ZeroCount => "a count of all documents of every kind, which was zero",
        Verification::EmptyListing => "a complete list of its files, which was empty",
        Verification::EmptyVersionListing => {
            "a complete list of its files and of all their earlier versions, which was empty"
        }
    }
}

/// How whoever copied the data came to an end.
pub const fn writer_end(end: WriterEnd) -> &'static str {
    match end {
        WriterEnd::Acknowledged => "Nothing was copying it any more: whoever did had stopped and said so.",
        WriterEnd::Lease => "Whoever may have been copying it had lost the right to write by then.",
    }
}

/// Why a receipt holds no longer.
pub const fn superseded(reason: SupersededReason) -> &'static str {
    match reason {
        SupersededReason::Restored => "a backup of the database was restored, and with it the data may have come back",
        SupersededReason::LateWrite => "something may have been written after all",
        SupersededReason::LaterCheck => "the check that was announced is being made",
        SupersededReason::FoundAgain => "something was found again where there was nothing",
        SupersededReason::Reopened => "the removal was begun once more",
    }
}
