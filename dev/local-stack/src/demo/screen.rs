//! What the demo shows: steps, remarks, claims with a tick or a cross, progress bars.
#![expect(clippy::print_stdout, reason = "talks to people")]

use std::cell::{Cell, RefCell};
use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use owo_colors::OwoColorize as _;

/// The claims of the demo, and which of them did not hold.
#[derive(Debug, Default)]
pub(super) struct Claims {
    made: Cell<u32>,
    failed: RefCell<Vec<String>>,
}

impl Claims {
    pub(super) fn all_held(&self) -> bool {
        self.failed.borrow().is_empty() && self.made.get() > 0
    }
}

pub(super) struct Screen {
    coloured: bool,
    steps: Cell<u32>,
}

/// A progress bar; on anything but a terminal a line now and then.
pub(super) struct Bar {
    bar: ProgressBar,
    lines: Option<(String, Cell<usize>)>,
    total: usize,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self { coloured: std::io::stdout().is_terminal(), steps: Cell::new(0) }
    }

    pub(super) fn title(&self, text: &str) {
        println!("\n{}\n", self.style(text, |text| text.bold().to_string()));
    }

    /// A step of the story.
    pub(super) fn step(&self, text: &str) {
        self.steps.set(self.steps.get() + 1);
        let number = format!("{}.", self.steps.get());
        println!(
            "\n{} {}",
            self.style(&number, |text| text.cyan().bold().to_string()),
            self.style(text, |text| text.bold().to_string())
        );
    }

    /// A remark below a step.
    pub(super) fn note(&self, text: &str) {
        println!("   {text}");
    }

    /// Something small below a remark.
    pub(super) fn detail(&self, text: &str) {
        println!("     {}", self.style(text, |text| text.dimmed().to_string()));
    }

    /// Something that must be true.
    pub(super) fn claim(&self, claims: &Claims, text: &str, held: bool) {
        claims.made.set(claims.made.get() + 1);
        if held {
            println!("   {} {text}", self.style("✓", |text| text.green().bold().to_string()));
        } else {
            claims.failed.borrow_mut().push(text.to_owned());
            println!("   {} {text}", self.style("✗ NOT TRUE:", |text| text.red().bold().to_string()));
        }
    }

    /// A bar of `total`.
    pub(super) fn bar(&self, text: &str, total: usize) -> Bar {
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(u64::try_from(total).ok(), target).with_message(text.to_owned());
        if let Ok(style) = ProgressStyle::with_template("   {msg} {bar:30.cyan/blue} {pos}/{len} {elapsed:.dim}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Bar { bar, lines: (!terminal).then(|| (text.to_owned(), Cell::new(0))), total }
    }

    /// Runs `work` with a bar.
    pub(super) fn task<T>(
        &self,
        text: &str,
        total: usize,
        work: impl FnOnce(&Bar) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        self.step(&format!("Prepare: {text}"));
        let bar = self.bar("copied", total);
        let outcome = work(&bar);
        bar.end();
        outcome
    }

    pub(super) fn summary(&self, claims: &Claims, logs: &Path) {
        let failed = claims.failed.borrow();
        if failed.is_empty() {
            let text = format!("All {} claims held.", claims.made.get());
            println!("\n{}\n", self.style(&text, |text| text.green().bold().to_string()));
            return;
        }
        let text = format!("{} of {} claims did NOT hold:", failed.len(), claims.made.get());
        println!("\n{}", self.style(&text, |text| text.red().bold().to_string()));
        failed.iter().for_each(|text| println!("  - {text}"));
        println!("The logs are in {}\n", logs.display());
    }

    fn style(&self, text: &str, style: impl FnOnce(&str) -> String) -> String {
        if self.coloured { style(text) } else { text.to_owned() }
    }
}

impl Bar {
    pub(super) fn set(&self, done: usize) {
        let done = done.min(self.total);
        self.bar.set_position(u64::try_from(done).unwrap_or(0));
        if let Some((text, shown)) = &self.lines {
            let quarter = self.total.div_ceil(4).max(1);
            if done / quarter > shown.get() {
                shown.set(done / quarter);
                println!("   {text} {done}/{}", self.total);
            }
        }
    }

    pub(super) fn end(self) {
        self.bar.finish_and_clear();
    }
}
