//! Counts of entities by class, kept and not counted: `entity_count` changes in the same statement as the rows that it
//! counts, so the two agree in every snapshot, whoever dies.
//!
//! What a statement adds or takes away is worked out from the rows that it really inserted, changed or deleted (each as
//! it was under the statement's own lock), never from what its caller believes: the same statement sent twice, even
//! twice at once, counts once. Batches of a job touch different entities and the same counts, which are therefore
//! changed last and in the order of their classes: no two statements wait for each other in a circle.

/// Adds `changes (class, entities, documents, files)`, a part of the statement before this one, to the counts of the
/// sync `$3`. One row a class.
pub(super) const KEEP_COUNTS: &str = "
    INSERT INTO entity_count AS kept (sync_id, entity_class, entities, documents, files, last_updated_at)
    SELECT $3, class, entities, documents, files, clock_timestamp() FROM changes ORDER BY class
    ON CONFLICT (sync_id, entity_class) DO UPDATE
    SET entities = kept.entities + EXCLUDED.entities, documents = kept.documents + EXCLUDED.documents,
        files = kept.files + EXCLUDED.files,
        last_updated_at = greatest(kept.last_updated_at, EXCLUDED.last_updated_at)";
