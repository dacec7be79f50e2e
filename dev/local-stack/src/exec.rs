//! `exec`: PostgreSQL and RabbitMQ for as long as one command runs.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal};
use tokio::signal::unix::{SignalKind, signal};

use crate::launch::{DeathSignal, Identity};
use crate::stack::Stack;

/// How long a command that was asked to end may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Brings the stack up, runs the command with its addresses, stops the stack, gives the command's exit code.
///
/// # Errors
/// When the stack does not come up or the command cannot be started.
pub async fn exec(mut stack: Stack, command: &[OsString]) -> Result<u8> {
    let mut terminated = signal(SignalKind::terminate()).context("listen for signals")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("listen for signals")?;
    let brought_up = tokio::select! {
        result = stack.bring_up() => Some(result),
        _ = terminated.recv() => None,
        _ = interrupted.recv() => None,
    };
    let code = match brought_up {
        None => Ok(130),
        Some(Err(error)) => Err(error),
        Some(Ok(())) => {
            let stopping = async {
                tokio::select! {
                    _ = terminated.recv() => Signal::TERM,
                    _ = interrupted.recv() => Signal::INT,
                }
            };
            run(&stack, command, stopping).await
        }
    };
    stack.stop().await;
    code
}

async fn run(stack: &Stack, command: &[OsString], stopping: impl Future<Output = Signal>) -> Result<u8> {
    let (program, arguments) = command.split_first().context("no command was given")?;
    let urls = stack.urls();
    let mut child = stack.run().command(program, Identity::Same, DeathSignal::Kill);
    child.args(arguments).stdin(std::process::Stdio::inherit());
    child.env("DATABASE_URL", &urls.database).env("AMQP_URL", &urls.amqp);
    if let Some(management) = &urls.management {
        child.env("RABBITMQ_MANAGEMENT_URL", management);
    }
    let mut child = child.spawn().context("start the command")?;
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    let status = tokio::select! {
        status = child.wait() => status,
        signal = stopping => {
            if let Some(pid) = pid {
                let _gone_already = rustix::process::kill_process(pid, signal);
            }
            match tokio::time::timeout(PATIENCE, child.wait()).await {
                Ok(status) => status,
                Err(_too_slow) => {
                    let _gone_already = child.kill().await;
                    child.wait().await
                }
            }
        }
    };
    Ok(exit_code(status.context("wait for the command")?))
}

/// As a shell would say it: 128 and the signal for a command that was killed.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| signal.saturating_add(128)));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
