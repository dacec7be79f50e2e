//! How many statements a service has sent to PostgreSQL, as a proxy before it saw them.

use std::collections::BTreeMap;

use test_support::{Asked, CountingProxy, Prepared};

/// What went through a proxy since its last reset.
#[derive(Debug, Default)]
pub struct Statements {
    /// Statements run, polls and heartbeats included.
    pub run: u64,
    /// Times that the service waited for PostgreSQL.
    pub round_trips: u64,
    /// By the beginning of their text.
    by_text: BTreeMap<String, u64>,
}

impl Statements {
    pub fn of(proxy: &CountingProxy) -> Self {
        let mut statements = Self::default();
        for trip in proxy.round_trips() {
            statements.round_trips += 1;
            for asked in trip.asked {
                if let Asked::Run(Prepared { text, .. }, _) | Asked::Query(text) = asked {
                    statements.run += 1;
                    *statements.by_text.entry(beginning(&text)).or_default() += 1;
                }
            }
        }
        statements
    }

    /// The most frequent ones.
    pub fn print(&self, whose: &str) {
        println!("\nstatements of the {whose}:");
        let mut sorted: Vec<_> = self.by_text.iter().collect();
        sorted.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (text, count) in sorted.into_iter().take(12) {
            println!("{count:>7} {text}");
        }
    }
}

fn beginning(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(100).collect()
}
