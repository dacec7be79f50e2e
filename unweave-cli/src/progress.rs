//! A bar on the terminal of somebody who waits; nothing anywhere else.

use indicatif::{ProgressBar, ProgressStyle};

/// Shown from the first step until it is dropped.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// Of so many steps. `indicatif` draws nothing if standard error is no terminal.
    pub fn new(what: &'static str, steps: u64) -> Self {
        let bar = ProgressBar::new(steps).with_message(what);
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {eta}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// What is done now.
    pub fn says(&self, what: &'static str) {
        self.0.set_message(what);
    }

    /// So many are done.
    pub fn at(&self, done: u64) {
        self.0.set_position(done);
    }

    /// There are so many, as is known by now.
    pub fn of(&self, steps: u64) {
        self.0.set_length(steps);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A count of what has no end that is known.
#[derive(Debug)]
pub struct Watched(ProgressBar);

impl Watched {
    /// Of nothing yet.
    pub fn new(what: &'static str) -> Self {
        let bar = ProgressBar::new_spinner().with_message(what);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {human_pos} {msg}, {elapsed}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// So many by now.
    pub fn at(&self, count: u64) {
        self.0.set_position(count);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
