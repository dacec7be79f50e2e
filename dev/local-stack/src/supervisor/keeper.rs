//! Keeps a stack complete: a child that has ended is started again, as an init system would do it.
//!
//! Each child is watched by itself. Between its end and its next start lies a pause, which grows while it ends again
//! and again, and is short again once it has run for a while. Whoever stops the stack drops the keeper first: from then
//! on nothing is started.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use parking_lot::Mutex;
use shared_service::Backoff;
use shared_service::clock::utc_now;

use super::children::{Children, Now};
use super::env_file;
use crate::exit::describe;
use crate::logs;
use crate::secrets::write_private;
use crate::stack::Stack;
use crate::terminal::remark;

/// The pauses before a start, each up to half shorter by chance.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
/// A child that has run for so long begins with the first pause again.
const STEADY: Duration = Duration::from_mins(1);
/// How often the size of the logs is looked at.
const BOUND_LOGS_EVERY: Duration = Duration::from_secs(10);

/// Watches the children of a stack, and writes down how they fare.
pub(super) struct Keeper<'a> {
    stack: &'a Stack,
    children: Mutex<Children>,
}

impl<'a> Keeper<'a> {
    /// Of a stack whose children all serve.
    ///
    /// # Errors
    /// When it can't be written down.
    pub(super) fn new(stack: &'a Stack) -> Result<Self> {
        let keeper = Self { stack, children: Mutex::new(Children::serving(&stack.pids())) };
        keeper.write_down()?;
        Ok(keeper)
    }

    /// Never ends.
    pub(super) async fn keep(&self) {
        let names: Vec<String> = self.stack.pids().into_keys().collect();
        let all = futures::future::join_all(names.iter().map(|name| self.keep_one(name)));
        tokio::join!(all, self.bound_logs());
    }

    async fn keep_one(&self, name: &str) {
        let processes = self.stack.processes();
        let (mut pauses, mut tried) = (Pauses::default(), Instant::now());
        // An error means that the stack is being stopped.
        while let Ok(status) = processes.wait_exit(name).await {
            let pause = pauses.after(tried.elapsed());
            let end = describe(status);
            self.say(name, &format!("has ended ({end}); it is started again in {:.1} s", pause.as_secs_f32()));
            self.note(name, |child| child.ended(end, utc_now(), utc_now() + pause));
            tokio::time::sleep(pause).await;
            tried = Instant::now();
            if let Err(error) = self.start_again(name).await {
                self.say(name, &format!("does not start: {error:#}"));
            }
        }
    }

    async fn start_again(&self, name: &str) -> Result<()> {
        let processes = self.stack.processes();
        processes.start_again(name).await?;
        let began = Instant::now();
        let pid = processes.pids().get(name).copied().unwrap_or_default();
        self.note(name, |child| child.started_again(pid));
        processes.wait_serving(name).await?;
        self.say(name, &format!("serves again (process {pid}, after {:.1} s)", began.elapsed().as_secs_f32()));
        self.note(name, |child| child.now = Now::Serves);
        Ok(())
    }

    fn note(&self, name: &str, change: impl FnOnce(&mut super::children::Child)) {
        self.children.lock().change(name, change);
        if let Err(error) = self.write_down() {
            remark(&format!("{error:#}"));
        }
    }

    /// First how the children fare, then `stack.env`, whose readers take the process ids from there.
    fn write_down(&self) -> Result<()> {
        let layout = &self.stack.options().layout;
        self.children.lock().write(layout)?;
        write_private(&layout.env_file(), &env_file::render(self.stack))
    }

    /// In the supervisor's log, and in the child's own: there it explains why it begins anew.
    fn say(&self, name: &str, what: &str) {
        let line = format!("{} {name} {what}", utc_now().format("%F %T UTC"));
        remark(&line);
        let log = self.stack.processes().log(name);
        if let Some(Err(error)) = log.map(|log| append_line(&log, &line)) {
            remark(&format!("{error:#}"));
        }
    }

    async fn bound_logs(&self) {
        loop {
            if let Err(error) = logs::bound_all(&self.stack.options().layout.logs) {
                remark(&format!("{error:#}"));
            }
            tokio::time::sleep(BOUND_LOGS_EVERY).await;
        }
    }
}

fn append_line(log: &Path, line: &str) -> Result<()> {
    use std::io::Write as _;
    let first_line = line.lines().next().unwrap_or_default();
    Ok(writeln!(logs::append(log)?, "local-stack: {first_line}")?)
}

/// The pauses of one child.
#[derive(Debug, Default)]
struct Pauses {
    in_a_row: u32,
}

impl Pauses {
    /// The pause after a try at running that has lasted so long.
    fn after(&mut self, ran: Duration) -> Duration {
        self.in_a_row = if ran >= STEADY { 1 } else { self.in_a_row.saturating_add(1) };
        BACKOFF.after(self.in_a_row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_while_a_child_keeps_ending_and_begin_anew_once_it_ran() {
        let mut pauses = Pauses::default();
        let mut about = |ran: Duration, seconds: u64| {
            let (pause, full) = (pauses.after(ran), Duration::from_secs(seconds));
            assert!(pause >= full / 2 && pause <= full, "{pause:?} is not about {full:?}");
        };
        about(Duration::from_secs(3600), 1);
        for seconds in [2, 4, 8, 16, 30, 30] {
            about(Duration::from_secs(2), seconds);
        }
        about(STEADY, 1);
        about(Duration::ZERO, 2);
    }
}
