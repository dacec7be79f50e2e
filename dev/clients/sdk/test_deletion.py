"""Deletion as the SDK sees it: in mid-sync, beside other calls, by somebody in a hurry, and by a stranger."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

import httpx
import pytest
from airweave.core.api_error import ApiError
from airweave.errors import ConflictError, NotFoundError
from airweave.types import Collection

from support import environment, steps
from support.sdk import Checked, Connection
from support.wait import wait_until


@pytest.fixture
def frozen_worker() -> Callable[[], AbstractContextManager[None]]:
    """Freezes the sync-worker for a while, so that a deletion has to wait for it."""
    pid = environment.sync_worker_pid()

    @contextmanager
    def freeze() -> Iterator[None]:
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    return freeze


def test_a_delete_in_mid_sync_leaves_nothing_to_find(connection: Connection, collection: Collection) -> None:
    client, readable_id = connection.client, collection.readable_id
    spared = steps.connect(client, readable_id, "stub", config={"entity_count": 10})
    steps.wait_for_end(client, spared.id)
    made = steps.connect_long(client, readable_id)
    steps.wait_until_writing(client, made)

    answer = client.source_connections.with_raw_response.delete(made.id)
    deleted = answer.data
    assert (deleted.id, deleted.name, deleted.sync_id) == (made.id, made.name, made.sync_id)
    assert (deleted.status, deleted.sync.last_job.status) == ("syncing", "running"), "the connection as it was"

    assert steps.hits_of(client, made) == []
    assert steps.hits_of(client, spared, "stub"), "nothing else is touched"
    calls = client.source_connections
    for call in (calls.get, calls.delete, calls.run, calls.get_source_connection_jobs):
        with pytest.raises(NotFoundError) as caught:
            call(made.id)
        assert caught.value.body.detail == "SourceConnection not found"
    assert [item.id for item in calls.list(collection=readable_id)] == [spared.id]

    path = re.fullmatch(r'<(/cleanups/[0-9a-f-]{36})>; rel="monitor"', answer.headers["link"])
    # Beside `make up` it settles for a minute.
    wait_until("the cleanup is done", lambda: connection.get(path[1])["state"] == "done", bound=150)


def test_what_is_being_deleted_cant_be_run(
    client: Checked,
    collection: Collection,
    connect: Callable[..., Connection],
    frozen_worker: Callable[[], AbstractContextManager[None]],
) -> None:
    made = steps.connect_long(client, collection.readable_id)
    steps.wait_until_writing(client, made)
    beside = connect().client

    def conflict() -> ConflictError | None:
        try:
            client.source_connections.run(made.id)
        except ConflictError as error:
            return error
        except ApiError as error:
            assert error.status_code == 400, "the job runs, and the deletion hasn't been requested yet"
        return None

    with ThreadPoolExecutor() as threads:
        with frozen_worker():
            deleting = threads.submit(beside.source_connections.delete, made.id)
            error = wait_until("the deletion has been requested", conflict)
            assert not deleting.done(), "it waits for the writer"
        assert error.body.detail == "Source connection is being deleted"
        assert deleting.result().id == made.id


def test_a_client_that_gives_up_doesnt_stop_the_deletion(
    client: Checked, collection: Collection, frozen_worker: Callable[[], AbstractContextManager[None]]
) -> None:
    made = steps.connect_long(client, collection.readable_id)
    steps.wait_until_writing(client, made)
    with frozen_worker(), pytest.raises(httpx.ReadTimeout):
        client.source_connections.delete(made.id, request_options={"timeout_in_seconds": 2})

    def gone() -> bool:
        try:
            client.source_connections.run(made.id)
        except ConflictError:
            return False
        except NotFoundError:
            return True
        pytest.fail("a connection that is being deleted was run")

    wait_until("the deletion has been finished", gone)


def test_a_collection_is_deleted_with_its_running_connections(client: Checked, collection: Collection) -> None:
    readable_id = collection.readable_id
    made = [steps.connect_long(client, readable_id) for _ in range(2)]
    for connection in made:
        wait_until("it runs", lambda at=connection.id: steps.last_job(client, at).status == "running")
    assert client.collections.delete(readable_id).id == collection.id
    for connection in made:
        with pytest.raises(NotFoundError):
            client.source_connections.get(connection.id)
    with pytest.raises(ApiError) as caught:
        steps.find(client, readable_id, "timed")
    assert caught.value.status_code == 404


def test_a_stranger_sees_runs_changes_and_deletes_nothing(
    client: Checked, collection: Collection, connect: Callable[..., Connection]
) -> None:
    readable_id = collection.readable_id
    made = steps.connect_long(client, readable_id)
    job = steps.wait_until_writing(client, made)
    stranger = connect(api_key=environment.stranger_api_key()).client
    calls = stranger.source_connections
    for call, arguments, options in [
        (stranger.collections.get, [readable_id], {}),
        (stranger.collections.update, [readable_id], {"name": "Mine now"}),
        (stranger.collections.delete, [readable_id], {}),
        (calls.get, [made.id], {}),
        (calls.update, [made.id], {"name": "Mine now"}),
        (calls.delete, [made.id], {}),
        (calls.run, [made.id], {}),
        (calls.get_source_connection_jobs, [made.id], {}),
        (calls.cancel_job, [made.id, job.id], {}),
    ]:
        with pytest.raises(NotFoundError):
            call(*arguments, **options)
    assert stranger.collections.list(search=readable_id) == []
    assert calls.list(collection=readable_id) == []
    with pytest.raises(ApiError) as caught:
        steps.find(stranger, readable_id, "timed")
    assert caught.value.status_code == 404
    assert steps.last_job(client, made.id).status == "running"
