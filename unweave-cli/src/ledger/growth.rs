//! Whether a ledger only grew between two of its checkpoints.

use shared_models::ledger::Checkpoint;

use crate::failure::Failure;

/// What two checkpoints themselves tell.
///
/// # Errors
/// They are of two logs, or the later one is of a smaller log, or of another one of the same size.
pub fn check(before: &Checkpoint, now: &Checkpoint) -> Result<(), Failure> {
    if before.origin != now.origin {
        let text = format!("the ledger is '{}', the earlier checkpoint one of '{}'", now.origin, before.origin);
        return Err(Failure::refused("other_log", text));
    }
    if now.size < before.size {
        let text =
            format!("the ledger has {} entries, and a checkpoint of {} was signed before", now.size, before.size);
        return Err(Failure::refused("shrunk", text));
    }
    if now.size == before.size && now.root != before.root {
        let text = format!("two checkpoints of {} entries with different roots", now.size);
        return Err(Failure::refused("forked", text));
    }
    Ok(())
}
