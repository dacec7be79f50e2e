//! `status`: what runs, for people and, by the exit code, for scripts.

use anyhow::Result;

use super::children::{Child, Children, Now};
use super::env_file::admin_urls;
use super::{running, summary};
use crate::http::Http;
use crate::layout::Layout;

/// What runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// In a word.
    pub state: State,
    /// For people.
    pub text: String,
}

/// What runs, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// All of it.
    Whole,
    /// Some of it: the rest is down, starts or stops.
    Partial,
    /// Nothing.
    Absent,
}

impl State {
    /// The exit code that says it: 3 is what `systemctl status` and `pg_ctl status` say of what doesn't run.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Whole => 0,
            Self::Partial => 1,
            Self::Absent => 3,
        }
    }
}

/// What runs here, and what of it isn't ready though it runs: a frozen server keeps those waiting that need it.
///
/// # Errors
/// When the files cannot be read.
pub async fn status(layout: &Layout) -> Result<Status> {
    let mut status = of_processes(layout)?;
    if status.state == State::Whole {
        let http = Http::new()?;
        for (service, url) in admin_urls(&layout.env_file())? {
            if let Some(why) = http.not_ready(&format!("{url}/health/ready")).await {
                status.state = State::Partial;
                status.text.push_str(&format!("\n{service} ISN'T READY: {why}."));
            }
        }
    }
    Ok(status)
}

fn of_processes(layout: &Layout) -> Result<Status> {
    let Some(pid) = running(layout)? else {
        let text = "No stack runs here; `make up` starts one.".to_owned();
        return Ok(Status { state: State::Absent, text });
    };
    if !layout.env_file().exists() {
        let text = format!("The stack is starting or stopping (supervisor {pid}).");
        return Ok(Status { state: State::Partial, text });
    }
    let children = Children::read(layout)?;
    let is_whole = children.iter().all(|(_, child)| child.now == Now::Serves && child.is_alive());
    let (state, but) = if is_whole {
        (State::Whole, String::new())
    } else {
        (State::Partial, format!(", but not all of it; the logs are in {}", layout.logs.display()))
    };
    let mut lines = vec![format!("The stack runs (supervisor {pid}){but}.")];
    lines.extend(children.iter().map(|(name, child)| line(name, child)));
    lines.push(summary(layout)?);
    Ok(Status { state, text: lines.join("\n") })
}

fn line(name: &str, child: &Child) -> String {
    let now = match child.now {
        Now::Waits(next) => format!("IS DOWN; the next start is at {}", next.format("%T UTC")),
        _ if !child.is_alive() => "IS DOWN: it has just ended".to_owned(),
        Now::Serves => format!("runs ({})", child.pid),
        Now::Starts => format!("IS STARTING ({})", child.pid),
    };
    let restarts = match child.restarts {
        0 => String::new(),
        1 => "; started again once".to_owned(),
        times => format!("; started again {times} times"),
    };
    let end = child.last_end.as_ref();
    let end = end.map_or_else(String::new, |end| format!("; last ended at {} ({})", end.at.format("%T UTC"), end.how));
    format!("  {name:<14} {now}{restarts}{end}")
}

#[cfg(test)]
mod tests {
    use super::super::children::End;
    use super::*;

    #[test]
    fn a_line_tells_what_a_child_does_how_often_it_was_started_again_and_how_it_ended() {
        let own = std::process::id();
        let at = "2026-01-02T03:04:05Z".parse().unwrap();
        let mut child = Child { pid: own, now: Now::Serves, restarts: 0, last_end: None };
        assert_eq!(line("sync-worker", &child), format!("  sync-worker    runs ({own})"));

        child.last_end = Some(End { how: "signal 9".to_owned(), at });
        child.now = Now::Waits("2026-01-02T03:04:07Z".parse().unwrap());
        let told = "IS DOWN; the next start is at 03:04:07 UTC; last ended at 03:04:05 UTC (signal 9)";
        assert_eq!(line("sync-worker", &child), format!("  sync-worker    {told}"));

        (child.restarts, child.now) = (1, Now::Starts);
        let told = format!("IS STARTING ({own}); started again once; last ended at 03:04:05 UTC (signal 9)");
        assert_eq!(line("sync-worker", &child), format!("  sync-worker    {told}"));

        (child.restarts, child.now) = (2, Now::Serves);
        let told = format!("runs ({own}); started again 2 times; last ended at 03:04:05 UTC (signal 9)");
        assert_eq!(line("sync-worker", &child), format!("  sync-worker    {told}"));
    }

    #[test]
    fn a_child_that_is_dead_is_down_before_its_supervisor_has_noticed() {
        let mut command = std::process::Command::new("true").spawn().unwrap();
        command.wait().unwrap();
        let child = Child { pid: command.id(), now: Now::Serves, restarts: 0, last_end: None };
        assert_eq!(line("postgres", &child), "  postgres       IS DOWN: it has just ended");
    }
}
