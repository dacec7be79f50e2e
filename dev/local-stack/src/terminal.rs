//! What people see: spinners on a terminal, plain lines elsewhere, JSON lines from a supervisor to the `up` that waits.
#![expect(clippy::print_stderr, reason = "talks to people")]

use std::io::{IsTerminal as _, Write as _};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use owo_colors::OwoColorize as _;
use serde::{Deserialize, Serialize};

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Spinners and colours on standard error.
    Terminal,
    /// A line per finished step on standard error.
    Lines,
    /// A JSON line per event on standard output, for the process that waits for us.
    Events,
}

/// What a supervisor tells the `up` that waits for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A step begins.
    Begun {
        /// What is being done.
        step: String,
    },
    /// A step is done.
    Done {
        /// What has been done.
        step: String,
        /// Where or how, for people.
        detail: String,
    },
    /// The stack is ready.
    Ready,
    /// The stack could not start.
    Failed {
        /// Why, for people.
        reason: String,
    },
}

/// All spinners of this process.
static SPINNERS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

impl Progress {
    /// Spinners if somebody watches.
    #[must_use]
    pub fn detect() -> Self {
        if std::io::stderr().is_terminal() { Self::Terminal } else { Self::Lines }
    }

    /// Begins a step.
    #[must_use]
    pub fn begin(self, step: &str) -> Step {
        let bar = match self {
            Self::Terminal => {
                // Added before it is drawn, so that steps at the same time don't write over each other.
                let bar = SPINNERS.add(ProgressBar::new_spinner().with_message(step.to_owned()));
                if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}") {
                    bar.set_style(style);
                }
                bar.enable_steady_tick(Duration::from_millis(100));
                Some(bar)
            }
            Self::Lines => None,
            Self::Events => {
                self.send(&Event::Begun { step: step.to_owned() });
                None
            }
        };
        Step { progress: self, name: step.to_owned(), begun: Instant::now(), bar }
    }

    /// Sends an event to the waiting `up`. That it is gone is no reason to stop.
    pub fn send(self, event: &Event) {
        if self != Self::Events {
            return;
        }
        if let Ok(line) = serde_json::to_string(event) {
            let mut out = std::io::stdout();
            let _gone = writeln!(out, "{line}").and_then(|()| out.flush());
        }
    }
}

/// A step that is under way.
#[derive(Debug)]
pub struct Step {
    progress: Progress,
    name: String,
    begun: Instant,
    bar: Option<ProgressBar>,
}

impl Step {
    /// Ends the step well.
    pub fn done(self, detail: &str) {
        let seconds = self.begun.elapsed().as_secs_f32();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        match self.progress {
            Progress::Terminal => {
                let line = format!("{} {} {}", "✓".green(), self.name, format!("{detail} ({seconds:.1} s)").dimmed());
                SPINNERS.suspend(|| eprintln!("{line}"));
            }
            Progress::Lines => eprintln!("local-stack: {} {detail} ({seconds:.1} s)", self.name),
            Progress::Events => {
                self.progress.send(&Event::Done { step: self.name.clone(), detail: detail.to_owned() });
            }
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// An answer for people, on standard output.
pub fn say(text: &str) {
    // A reader that has seen enough, such as head, is no fault.
    let _closed = writeln!(std::io::stdout(), "{text}");
}

/// A remark for people, on standard error.
pub fn remark(text: &str) {
    eprintln!("local-stack: {text}");
}
