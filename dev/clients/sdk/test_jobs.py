"""Jobs: run, list, cancel, fail."""

from collections.abc import Callable

import pytest
from airweave.core.api_error import ApiError
from airweave.errors import NotFoundError, UnprocessableEntityError
from airweave.types import Collection

from support import steps
from support.sdk import Checked
from support.wait import wait_until

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def test_a_second_run_of_unchanged_data_changes_nothing(client: Checked, collection: Collection) -> None:
    made = steps.connect(client, collection.readable_id, "stub", config={"entity_count": 12})
    first = steps.wait_for_end(client, made.id)
    assert (first.entities_inserted, first.entities_updated, first.entities_deleted) == (12, 0, 0)
    assert first.completed_at > first.started_at and first.duration_seconds > 0
    assert (first.error, first.error_category, first.entities_failed) == (None, None, 0)
    again = client.source_connections.run(made.id)
    assert (again.status, again.source_connection_id) == ("pending", made.id)
    second = steps.wait_for_end(client, made.id)
    assert second.id == again.id
    assert (second.entities_inserted, second.entities_updated, second.entities_deleted) == (0, 0, 0)
    forced = client.source_connections.run(made.id, force_full_sync=True)
    steps.wait_for_end(client, made.id)
    jobs = client.source_connections.get_source_connection_jobs(made.id)
    assert [job.id for job in jobs] == [forced.id, second.id, first.id], "newest first"
    newest = client.source_connections.get_source_connection_jobs(made.id, limit=2)
    assert [job.id for job in newest] == [forced.id, second.id]
    now = client.source_connections.get(made.id)
    assert (now.sync.total_runs, now.sync.successful_runs) == (3, 3)


def test_a_running_job_is_cancelled_and_what_it_wrote_stays(
    client: Checked, collection: Collection, refused: Callable[..., ApiError]
) -> None:
    made = steps.connect_long(client, collection.readable_id)
    job = steps.wait_until_writing(client, made)
    assert client.source_connections.get(made.id).status == "syncing"
    busy = refused(400, client.source_connections.run, made.id)
    assert busy.body["detail"] == "Cannot start new sync: a sync job is already running"

    cancelled = client.source_connections.cancel_job(made.id, job.id)
    assert (cancelled.id, cancelled.status) == (job.id, "cancelling")
    ended = steps.wait_for_end(client, made.id, "cancelled")
    assert ended.completed_at is not None and ended.error is None
    assert steps.find(client, collection.readable_id, "timed"), "nothing is removed"
    again = refused(400, client.source_connections.cancel_job, made.id, job.id)
    assert again.body["detail"] == "Cannot cancel job in cancelled state"
    # A connection whose job was cancelled syncs again.
    assert client.source_connections.run(made.id).status == "pending"


def test_a_job_that_has_ended_or_belongs_elsewhere_cant_be_cancelled(
    client: Checked, collection: Collection, refused: Callable[..., ApiError]
) -> None:
    one = steps.connect(client, collection.readable_id, "stub", config={"entity_count": 2})
    other = steps.connect(client, collection.readable_id, "stub", sync_immediately=False)
    job = steps.wait_for_end(client, one.id)
    error = refused(400, client.source_connections.cancel_job, one.id, job.id)
    assert error.body["detail"] == "Cannot cancel job in completed state"
    for connection_id, job_id in [(one.id, UNKNOWN), (other.id, job.id)]:
        with pytest.raises(NotFoundError) as caught:
            client.source_connections.cancel_job(connection_id, job_id)
        assert caught.value.body.detail == "Sync job not found"
    with pytest.raises(NotFoundError):
        client.source_connections.cancel_job(UNKNOWN, job.id)
    with pytest.raises(UnprocessableEntityError):
        client.source_connections.cancel_job(one.id, "no-uuid")


def test_a_failed_job_says_why(client: Checked, collection: Collection) -> None:
    made = steps.connect(client, collection.readable_id, "stub", config={"entity_count": 20, "fail_after": 3})
    job = steps.wait_for_end(client, made.id, "failed")
    assert "simulated failure after 3 entities" in job.error
    now = client.source_connections.get(made.id)
    assert (now.status, now.error_category) == ("error", None)
    assert (now.sync.total_runs, now.sync.successful_runs, now.sync.failed_runs) == (1, 0, 1)
    assert now.sync.last_job.error == job.error
    (listed,) = client.source_connections.list(collection=collection.readable_id)
    assert listed.status == "error"


def test_a_job_shows_what_it_has_done_so_far(client: Checked, collection: Collection) -> None:
    made = steps.connect_long(client, collection.readable_id)
    steps.wait_until_writing(client, made)
    wait_until("the job counts", lambda: steps.last_job(client, made.id).entities_inserted > 0)
    running = steps.last_job(client, made.id)
    assert running.completed_at is None and running.started_at is not None


@pytest.mark.parametrize("limit", [0, 1001])
def test_a_page_of_jobs_out_of_bounds_is_refused(client: Checked, collection: Collection, limit: int) -> None:
    made = steps.connect(client, collection.readable_id, "stub", sync_immediately=False)
    with pytest.raises(UnprocessableEntityError):
        client.source_connections.get_source_connection_jobs(made.id, limit=limit)


@pytest.mark.parametrize(
    ("kind_of_credentials", "category"),
    [
        ("oauth", "oauth_credentials_expired"),
        ("static", "api_key_invalid"),
        ("auth_provider", "auth_provider_credentials_invalid"),
    ],
)
def test_refused_credentials_ask_for_new_ones(
    client: Checked, collection: Collection, kind_of_credentials: str, category: str
) -> None:
    config = {"exception_type": "source_auth_error", "auth_provider_kind": kind_of_credentials, "trigger_after": 0}
    made = steps.connect(client, collection.readable_id, "exception_stub", config=config)
    job = steps.wait_for_end(client, made.id, "failed")
    assert job.error and job.error_category == category
    now = client.source_connections.get(made.id)
    assert (now.status, now.error_category, now.sync.last_job.error_category) == ("needs_reauth", category, category)
    assert now.error_message


def test_a_source_with_a_cursor_goes_on_where_it_stopped(client: Checked, collection: Collection) -> None:
    made = steps.connect(client, collection.readable_id, "incremental_stub", config={"entity_count": 3})
    assert steps.wait_for_end(client, made.id).entities_inserted > 0
    client.source_connections.update(made.id, config={"entity_count": 5})
    client.source_connections.run(made.id)
    more = steps.wait_for_end(client, made.id)
    assert (more.entities_inserted, more.entities_updated, more.entities_deleted) == (2, 1, 0), "the container counts"
    client.source_connections.update(made.id, config={"entity_count": 2})
    client.source_connections.run(made.id, force_full_sync=True)
    fewer = steps.wait_for_end(client, made.id)
    assert (fewer.entities_inserted, fewer.entities_updated, fewer.entities_deleted) == (0, 1, 3)
