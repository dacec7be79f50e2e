//! What a PostgreSQL that was killed leaves in its data folder: backends that still work there, told by their working
//! directory, and a `postmaster.pid` whose process id somebody else may have by now.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use crate::launch::working_in;

/// Kills who still works in the folder, and removes the pid file. An absent folder has neither.
///
/// # Errors
/// When somebody can't be killed, or the file can't be removed.
pub async fn clear(data: &Path) -> Result<()> {
    for attempt in 0..100 {
        let left = working_in(data);
        if left.is_empty() {
            break;
        }
        if attempt == 99 {
            bail!("processes {left:?} still work in {}", data.display());
        }
        for pid in left {
            let _gone_already = rustix::process::kill_process(pid, Signal::KILL);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let pid_file = data.join("postmaster.pid");
    if pid_file.exists() {
        std::fs::remove_file(&pid_file).with_context(|| format!("remove {}", pid_file.display()))?;
    }
    Ok(())
}
