#!/usr/bin/env python3
"""Applies one-line changes to our own code, one after the other, and checks that the named test fails for each.

Run it with `make mutations`: it needs DATABASE_URL, AMQP_URL and RABBITMQ_MANAGEMENT_URL. docs/reliability.md lists the
same changes for readers. A change that no test notices is a promise that nothing keeps. Arguments choose invariants, e.g.
`dev/mutations.py DEL-3`.
"""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Mutation:
    invariant: str
    what: str
    file: str
    old: str
    new: str
    package: str
    test: str
    target: str = "--test main"
    # What the compiler must say; empty where the change compiles, and the test must notice it.
    refusal: str = ""


MUTATIONS = [
    Mutation("DEL-1", "the cleanup's message isn't enqueued with the rows",
             "shared-database/src/deletion/step.rs", "for message in messages {", "for message in messages.into_iter().skip(1) {",
             "shared-database", "del_1_rows_cleanup_and_messages_commit_together"),
    Mutation("DEL-1", "credentials don't go with their connection: the rows can't be deleted",
             "shared-database/migrations/2026-11-29-000002_source_connections/up.sql",
             "UNIQUE REFERENCES source_connection ON DELETE CASCADE", "UNIQUE REFERENCES source_connection ON DELETE RESTRICT",
             "system-tests", "del_1_after_a_delete_no_table_names_the_connection_and_one_cleanup_does"),
    Mutation("DEL-1", "a collection being deleted still takes connections",
             "shared-database/src/connections/write.rs", "AND k.organization_id = $3 AND k.deletion_requested_at IS NULL",
             "AND k.organization_id = $3",
             "api-gateway", "nothing_is_created_in_a_collection_that_is_being_deleted"),
    Mutation("DEL-2", "D3 doesn't wait for a job that is cancelling",
             "shared-database/src/deletion/step.rs", "WHERE status = 'cancelling'\n          AND NOT", "WHERE status = 'running'\n          AND NOT",
             "shared-database", "del_2_nothing_commits_while_a_job_may_write"),
    Mutation("DEL-2", "D1 locks and looks in one statement, whose snapshot is older than the lock",
             "shared-database/src/deletion/lock.rs", "ORDER BY c.id FOR UPDATE OF c FOR NO KEY UPDATE OF s", "ORDER BY c.id",
             "shared-database", "behind_the_lock"),
    Mutation("DEL-2", "a cancelling job's lease can be renewed",
             "shared-database/src/jobs.rs", "WHERE id = $1 AND lease_owner = $2 AND status = 'running'\"", "WHERE id = $1 AND lease_owner = $2\"",
             "shared-database", "del_2_nothing_commits_while_a_job_may_write"),
    Mutation("DEL-2", "a job can be created after D1",
             "shared-database/src/jobs/moves.rs", "WHERE c.id = $2 AND c.deletion_requested_at IS NULL", "WHERE c.id = $2",
             "shared-database", "del_2_a_job_can_be_neither_created_nor_claimed_after_d1"),
    Mutation("DEL-2", "a job follows one that was interrupted while it was told to stop",
             "shared-database/src/jobs/moves.rs", "WHERE $13 IS NOT NULL AND status = 'failed' AND", "WHERE $13 IS NOT NULL AND",
             "shared-database", "del_2_no_job_follows_one_that_was_interrupted_behind_a_deletion"),
    Mutation("DEL-2", "a blob of a run starts after the stop",
             "sync-worker/src/pipeline/writer.rs", "if given_up.is_cancelled() { None } else { lease.start_blocking_write().ok() }", "lease.start_blocking_write().ok()",
             "sync-worker", "del_2_no_blob_of_a_run_starts_after_a_stop", "--lib"),
    Mutation("DEL-7", "a third purge target is forgotten: the code must not compile",
             "shared-models/src/cleanup.rs", "        Arf = \"arf\",\n", "        Arf = \"arf\",\n        /// Entries of a cache.\n        Cache = \"cache\",\n",
             "shared-models", "", "--lib", refusal="`PurgeTarget::Cache` not covered"),
    Mutation("DEL-7", "plain blobs are written before the row says so",
             "sync-worker/src/job/secrets.rs", "database.ready_blob_key(cipher, writer.rows, encryption)", "database.ready_blob_key(cipher, writer.rows, BlobEncryption::On)",
             "sync-worker", "del_7_no_plain_blob_is_written_before_the_row_says_so"),
    Mutation("DEL-7", "a worker that says nothing of blob keys counts as one that encrypts",
             "shared-database/src/deletion/step.rs", "AND NOT j.knows_blob_keys", "AND false",
             "shared-database", "the_key_goes_with_the_rows_and_the_cleanup_says_when"),
    Mutation("shredding", "blobs are written plain, and nobody is told",
             "sync-worker/src/job/secrets.rs", "BlobEncryption::On => BlobForm::Sealed(BlobCipher::new(writer.sync(), &key)),", "BlobEncryption::On => { let _ = BlobCipher::new(writer.sync(), &key); BlobForm::Plain }",
             "system-tests", "after_a_delete_a_copy_of_the_blobs_is_unreadable_with_a_dump_and_every_key_there_is"),
    Mutation("shredding", "a blob's path isn't authenticated",
             "shared-stores/src/arf/seal.rs", 'let path = format!("{}/{relative}", self.sync);', "let path = relative.get(..0).unwrap_or_default();",
             "shared-stores", "what_was_sealed_opens_at_its_place_and_nowhere_else", "--lib"),
    Mutation("shredding", "entities are named by a hash without a key",
             "shared-models/src/blob_key.rs", "        EntityKey(key)\n", "        EntityKey::unkeyed(class, entity_id)\n",
             "sync-worker", "one_job_moves_everything_that_an_older_version_left_and_a_purge_leaves_nothing"),
    Mutation("shredding", "older names aren't looked up",
             "sync-worker/src/pipeline/compare.rs", "if run.has_older_names {", "if run.has_older_names && false {",
             "sync-worker", "one_job_moves_everything_that_an_older_version_left_and_a_purge_leaves_nothing"),
    Mutation("shredding", "a cursor goes on beside older names",
             "sync-worker/src/job.rs", "Some(&self.form()) && !has_older_names;", "Some(&self.form()) && (!has_older_names || true);",
             "sync-worker", "a_cursor_does_not_keep_older_names_alive"),
    Mutation("shredding", "an entity that is refused under its new name counts as vanished under its older one",
             "sync-worker/src/pipeline/make_way.rs", "if !older.is_empty() {", "if !older.is_empty() && false {",
             "sync-worker", "an_entity_that_is_refused_keeps_its_older_documents"),
    Mutation("shredding", "what an entity had under its older name is left",
             "sync-worker/src/pipeline/retire.rs", "if !older.is_empty() {", "if !older.is_empty() && false {",
             "sync-worker", "one_job_moves_everything_that_an_older_version_left_and_a_purge_leaves_nothing"),
    Mutation("DEL-2", "a schedule fires after D1",
             "shared-database/src/schedules/fire.rs", "c.next_run_at <= statement_timestamp() AND c.deletion_requested_at IS NULL", "c.next_run_at <= statement_timestamp()",
             "shared-database", "del_2_no_schedule_fires_after_d1"),
    Mutation("DEL-2", "a write may start with less than the store timeout left of the lease",
             "sync-worker/src/lease/state.rs", "if self.ends_at.saturating_sub(now) <= self.times.store_timeout {", "if self.ends_at <= now {",
             "sync-worker", "lease", "--lib"),
    Mutation("DEL-2", "a worker that finds a late write of its own says nothing",
             "sync-worker/src/job.rs", "if self.lease.has_ended_late() {", "if self.lease.has_ended_late() && false {",
             "sync-worker", "a_worker_that_wakes_with_a_late_write_reopens_the_cleanup"),
    Mutation("DEL-3", "search doesn't ask whether a connection is being deleted",
             "shared-database/src/search.rs", "c.deletion_requested_at IS NULL AND k.deletion_requested_at IS NULL", "k.deletion_requested_at IS NULL",
             "system-tests", "del_3_a_search_during_the_wait_finds_nothing_of_the_connection"),
    Mutation("DEL-4", "the purge of blobs takes the whole store for the sync's prefix",
             "shared-stores/src/arf/local.rs", "        self.raw.join(sync.to_string())", "        { let _ = sync; self.raw.clone() }",
             "system-tests", "del_4_other_connections_keep_every_document_blob_and_row"),
    Mutation("DEL-4", "the guard lets a live sync be purged",
             "cleanup-worker/src/work/held.rs", "if !is_live {", "if !is_live || true {",
             "cleanup-worker", "a_live_sync_is_refused"),
    Mutation("DEL-4", "the purge of blobs goes where links lead",
             "shared-stores/src/arf/local.rs", "let kind = match fs::symlink_metadata(path) {", "let kind = match fs::metadata(path) {",
             "system-tests", "del_4_and_7_no_receipt_for_a_store_with_leftovers_and_nothing_foreign_touched"),
    Mutation("DEL-4", "a list that names what wasn't asked for is believed",
             "shared-stores/src/arf/bucket/listing.rs", "if page.is_below(prefix, delimiter) {", "if page.is_below(prefix, delimiter) || true {",
             "shared-stores", "del_4_"),
    Mutation("DEL-5", "documents with their sync's id in capital letters hold up its purge",
             "shared-stores/src/vespa/id.rs", "sync != spelled && sync.eq_ignore_ascii_case(spelled)", "sync != spelled && sync == spelled",
             "system-tests", "del_4_and_7_no_receipt_for_a_store_with_leftovers_and_nothing_foreign_touched"),
    Mutation("DEL-5", "the finisher finishes nothing",
             "api-gateway/src/deletion/finisher.rs", "if requested_ago < times.age {", "if requested_ago < times.age || true {",
             "system-tests", "del_5_a_gateway_killed_between_d1_and_d3_is_finished_by_the_next_one"),
    Mutation("DEL-5", "the relay forgets a message whose publishing failed",
             "api-gateway/src/relay.rs", "    None\n}\n", "    Some(due.id)\n}\n",
             "system-tests", "del_5_twenty_deletes_without_a_broker_answer_200_and_are_purged_when_it_is_back"),
    Mutation("DEL-5", "cleanup-workers look only when a message wakes them",
             "cleanup-worker/src/looks.rs", "Periodic::every(TASK, poll).woken_by(bell), move |_| looks.clone().run());",
             "Periodic::every(TASK, poll * 100_000).woken_by(bell), move |_| {\n"
             "        let look = looks.clone().run();\n        async move { look.await.map(drop) }\n    });",
             "system-tests", "del_5_with_the_brokers_data_wiped_every_open_cleanup_and_every_pending_job_still_ends"),
    Mutation("DEL-5", "a cleanup that becomes due between two looks waits for the poll",
             "shared-database/src/cleanups/due.rs", "(SELECT extract(epoch FROM at - statement_timestamp())::float8 FROM later) AS next",
             "NULL::float8 AS next",
             "cleanup-worker", "a_message_is_a_bell_that_is_acknowledged_at_once"),
    Mutation("DEL-5", "a store that fails in mid-purge holds up the other one",
             "cleanup-worker/src/work/purge.rs", "self.failure.get_or_insert(failure);", "return Err(failure.into());",
             "cleanup-worker", "other_store"),
    Mutation("DEL-5", "a panic in a purge leaves its claim to run out",
             "cleanup-worker/src/work/purge.rs", 'caught("purge", self.run()).await.unwrap_or(Err(AttemptError::Internal))', "self.run().await",
             "cleanup-worker", "panics"),
    Mutation("DEL-5", "removals that don't stay are headway for ever",
             "cleanup-worker/src/machine.rs", "removed > 0 && self.of(target).round.without_decline < MAX_ROUNDS_WITHOUT_DECLINE", "removed > 0",
             "cleanup-worker", "a_bucket_that_brings_back_what_was_removed_shows_as_failing_until_it_stops"),
    Mutation("DEL-5", "a list that goes in a circle is followed",
             "shared-stores/src/arf/bucket/walk.rs", "if !self.been.insert(self.hasher.hash_one(next)) {", "if !self.been.insert(self.hasher.hash_one(next)) && false {",
             "shared-stores", "a_list_that_goes_in_a_circle_is_an_error_at_once"),
    Mutation("DEL-6", "every DELETE takes itself for the one that asked",
             "shared-database/src/deletion.rs", "let is_owner = locked.requested_by.is_none();", "let is_owner = true;",
             "system-tests", "del_6_two_deletes_and_the_finisher_at_once_make_one_cleanup_one_200_and_one_404"),
    Mutation("DEL-7", "a cleanup settles without a verification",
             "cleanup-worker/src/machine.rs", "(Some(target), _) => Step::Look(*target),", "(Some(_), _) => Step::Settle,",
             "cleanup-worker", "machine", "--lib"),
    Mutation("DEL-7", "a claim that was taken over may still finish",
             "shared-database/src/cleanups/moves.rs", "id = $1 AND claim = $2 AND", "id = $1 AND $2::bigint IS NOT NULL AND",
             "cleanup-worker", "a_claim_that_was_taken_over_can_do_nothing"),
    Mutation("DEL-7", "a bucket that is gone is taken for one without blobs",
             "shared-stores/src/object_stores/failure.rs", "object_store::Error::NotFound { .. }) && !is_bucket_missing(error)", "object_store::Error::NotFound { .. })",
             "shared-stores", "a_bucket_that_is_gone_is_never_an_empty_one"),
    Mutation("DEL-7", "any answer of a bucket is taken for a list",
             "shared-stores/src/arf/bucket/s3/list.rs", "list.name != kind.root() || ", "",
             "shared-stores", "del_7_whatever_is_no_list_of"),
    Mutation("DEL-7", "a list that doesn't say whether it is cut off is taken for all",
             "shared-stores/src/arf/bucket/s3/list.rs", 'list.text_of("IsTruncated")?.ok_or(Unreadable)?.trim()', 'list.text_of("IsTruncated")?.unwrap_or("false").trim()',
             "shared-stores", "del_7_whatever_is_no_list_of"),
    Mutation("DEL-7", "what an answer doesn't name counts as removed",
             "shared-stores/src/arf/bucket/s3/removal.rs", "Outcome::Removed => removal.removed.push(object.clone()),", "Outcome::Removed | Outcome::Unsaid => removal.removed.push(object.clone()),",
             "shared-stores", "del_7_an_answer_that_names_no_key_is_no_removal"),
    Mutation("DEL-7", "what a bucket refuses to remove is overlooked",
             "shared-stores/src/arf/bucket/purge.rs", ".filter(|_| reached_end || is_in_vain)", ".filter(|_| false)",
             "shared-stores", "blobs_that_are_held_keep_nothing_else_but_the_manifest_and_are_told"),
    Mutation("DEL-7", "versions count as gone where only objects were listed",
             "shared-stores/src/arf/store.rs", "Backend::Cloud(bucket) if bucket.has_all_versions() =>", "Backend::Cloud(bucket) if bucket.has_all_versions() || true =>",
             "shared-stores", "an_ordinary_purge_leaves_versions_which_nobody_can_read_without_the_key"),
    Mutation("DEL-8", "no job is ever known to be silent by the clock",
             "api-gateway/src/deletion/commit.rs", "if since.elapsed() >= self.times.silence_after() {", "if since.elapsed() >= self.times.silence_after() && false {",
             "system-tests", "del_8_a_worker_killed_in_mid_write_is_waited_out_within_15_s_and_nothing_stays"),
    Mutation("DEL-10", "a ledger that has shrunk is overlooked",
             "shared-database/src/history.rs", "if found >= seen {", "if found >= seen || true {",
             "shared-database", "a_smaller_ledger_than_before_the_statement_stops_the_process", "--lib"),
    Mutation("DEL-10", "a connection that a restore brought back stays",
             "shared-database/src/ledger/recover/deletions.rs", "for connection in &restored {", "for connection in restored.iter().skip(1) {",
             "cleanup-worker", "del_10_what_a_restore_brought_back_goes_again_and_its_cleanup_is_open"),
    Mutation("DEL-10", "whoever starts behind the store recovers by itself",
             "shared-ledger/src/watch.rs", "if !matches!(self.history().lost(), Some(LostHistory::Shrunk { .. })) {", "if self.history().lost().is_none() {",
             "cleanup-worker", "del_10_whoever_starts_behind_waits_for_a_person"),
    Mutation("DEL-10", "what lies beyond an older checkpoint isn't looked for",
             "shared-ledger/src/stored.rs", "Ok((end.size() > from).then_some(end))", "Ok((end.size() > from && false).then_some(end))",
             "cleanup-worker", "del_10_what_is_signed_beyond_an_older_checkpoint_counts_as_published"),
    Mutation("DEL-10", "a checkpoint is believed without a key that is known",
             "shared-ledger/src/stored.rs", "match read_checkpoint(&note, keys).map(|signed| signed.checkpoint) {", "match read_checkpoint(&note, keys).map(|signed| signed.checkpoint).or_else(|_| read_unverified_checkpoint(&note)) {",
             "cleanup-worker", "del_10_a_forged_checkpoint_blinds_nobody_to_a_restore"),
    Mutation("DEL-11", "an entry that was altered in PostgreSQL is published",
             "cleanup-worker/src/ledger/publication.rs", "if leaf_hash(&text) != entry.leaf_hash {", "if leaf_hash(&text) != entry.leaf_hash && false {",
             "cleanup-worker", "del_11_an_entry_that_was_altered_in_postgresql_is_never_published"),
    Mutation("DEL-11", "a recovery believes entries that don't lead to the signed root",
             "shared-ledger/src/recover/missing.rs", "if log.root() != missing.end.checkpoint.root || log.size() != size {", "if log.size() != size {",
             "cleanup-worker", "del_11_a_recovery_from_a_store_that_somebody_altered_is_refused_and_changes_nothing"),
    Mutation("DEL-9", "D1 doesn't ask whose connection it is",
             "shared-database/src/deletion/lock.rs", "AND ($2 IS NULL OR c.organization_id = $2)", "AND ($2 IS NULL OR $2 IS NOT NULL)",
             "shared-database", "del_9_another_organization_deletes_nothing"),
]


def run(command: list[str]) -> tuple[int, str]:
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def verdict(mutation: Mutation) -> tuple[bool, str]:
    """Whether the test noticed the change, and what happened."""
    # Tests of the shared crates start no service.
    built = ["--package", mutation.package] if mutation.package.startswith("shared-") else ["--workspace", "--bins"]
    code, output = run(["cargo", "build", "--quiet", *(["--workspace"] if mutation.refusal else built)])
    if mutation.refusal:
        places = re.findall(re.escape(mutation.refusal) + r"\s+--> (\S+)", output)
        return bool(places), "refused by the compiler: " + ", ".join(places) if places else "IT COMPILES"
    if code != 0:
        return False, "doesn't compile: it proves nothing\n" + output[-2000:]
    code, output = run(["cargo", "test", "--quiet", "--package", mutation.package, *mutation.target.split(), "--", mutation.test])
    if "test result: FAILED" in output:
        return True, "noticed"
    if code == 0:
        ran = any(int(count) > 0 for count in re.findall(r"test result: ok\. (\d+) passed", output))
        return False, "NOT NOTICED" if ran else "there is no such test"
    return False, "the test did not run\n" + output[-2000:]


def main() -> int:
    if run(["git", "diff", "--quiet", "--", "*.rs", "*.sql"])[0] != 0:
        print("Commit or stash your changes first: this edits the code and puts it back.", file=sys.stderr)
        return 2
    chosen = [m for m in MUTATIONS if len(sys.argv) == 1 or m.invariant in sys.argv[1:]]
    passed = failed = 0
    for mutation in chosen:
        path = ROOT / mutation.file
        original = path.read_text()
        print(f"{mutation.invariant}: {mutation.what} ... ", end="", flush=True)
        if original.count(mutation.old) != 1:
            noticed, text = False, f"{mutation.file} doesn't have the line exactly once any more"
        else:
            try:
                path.write_text(original.replace(mutation.old, mutation.new))
                noticed, text = verdict(mutation)
            finally:
                path.write_text(original)
        passed, failed = passed + noticed, failed + (not noticed)
        print(text, flush=True)
    run(["cargo", "build", "--quiet", "--workspace", "--bins"])
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
