//! Sixth stage: what an entity has under the name of an older version goes, now that it is there under its new one. A
//! search finds both of them for as long as this takes a batch.
//!
//! Until then both rows cover what is in the stores. Whoever dies in between leaves the new row dirty and the older one
//! as it is: the next job finds both, and goes on.

use shared_database::entities::StoredEntity;
use shared_models::EntityKey;

use super::error::JobError;
use super::remove::remove;
use super::run::Run;
use super::write::Written;

/// Removes what is left under older names of entities that were written. If a removal is refused, its entity isn't
/// settled.
///
/// # Errors
/// [`JobError`]; no write is under way then.
pub async fn retire(run: &Run, written: Written) -> Result<Written, JobError> {
    let Written { changes, mut refusals } = written;
    let complete = changes.iter().filter(|change| refusals.is_complete(change.entity.key()));
    let renamed = complete.filter_map(|change| Some((change.entity.key(), change.older.clone()?)));
    let (names, older): (Vec<EntityKey>, Vec<StoredEntity>) = renamed.unzip();
    if !older.is_empty() {
        let refused = remove(&run.writer, &older).await?;
        for (name, older) in names.into_iter().zip(older) {
            refusals.pass_on(&refused, older.key, name);
        }
    }
    Ok(Written { changes, refusals })
}
