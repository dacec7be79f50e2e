"""Source connections: create, read, list, change."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from airweave import DirectAuthentication, ScheduleConfig
from airweave.core.api_error import ApiError
from airweave.errors import NotFoundError, UnprocessableEntityError
from airweave.types import (
    AuthProviderAuthentication,
    Collection,
    OAuthBrowserAuthentication,
    OAuthTokenAuthentication,
)

from support import steps
from support.sdk import Checked, Connection

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def test_a_created_connection_shows_everything_but_its_secrets(connection: Connection, collection: Collection) -> None:
    made = connection.client.source_connections.create(
        short_name="stub",
        readable_collection_id=collection.readable_id,
        name="By the SDK",
        description="Everything given",
        config={"entity_count": 3},
        schedule=ScheduleConfig(cron="15 3 * * *"),
        sync_immediately=True,
        authentication=DirectAuthentication(credentials={"stub_key": "never shown"}),
    )
    assert (made.name, made.description, made.short_name) == ("By the SDK", "Everything given", "stub")
    assert made.readable_collection_id == collection.readable_id
    assert made.organization_id == collection.organization_id
    assert made.status == "active", "also while its first job is pending"
    assert (made.auth.method, made.auth.authenticated) == ("direct", True)
    assert made.config["entity_count"] == 3 and made.config["seed"] == 42, "defaults are filled in"
    assert made.sync.total_runs == 1 and made.sync.last_job.status == "pending"
    assert made.federated_search is False
    assert made.schedule.cron == "15 3 * * *" and made.schedule.continuous is False
    assert (made.schedule.next_run.hour, made.schedule.next_run.minute) == (3, 15)
    assert timedelta(0) < made.schedule.next_run - datetime.now(timezone.utc) <= timedelta(days=1)
    assert "never shown" not in "".join(response.text for response in connection.responses)


def test_what_is_left_out_has_defaults(client: Checked, collection: Collection) -> None:
    made = client.source_connections.create(
        short_name="timed",
        readable_collection_id=collection.readable_id,
        authentication=DirectAuthentication(credentials={"timed_key": "k"}),
        config={"entity_count": 1, "duration_seconds": 0.1},
    )
    assert (made.name, made.description) == ("Timed Connection", None)
    assert made.sync.last_job is not None, "synced at once"
    assert made.schedule.cron.endswith("* * *"), "daily"


def test_without_schedule_and_sync_nothing_runs(client: Checked, collection: Collection) -> None:
    made = steps.connect(client, collection.readable_id, "stub", sync_immediately=False)
    assert made.schedule is None and made.sync is None and made.entities is None
    assert client.source_connections.get_source_connection_jobs(made.id) == []


def test_a_connection_reads_as_it_was_created(client: Checked, collection: Collection) -> None:
    made = steps.connect(client, collection.readable_id, "stub", sync_immediately=False)
    assert client.source_connections.get(made.id) == made


def test_after_a_sync_it_counts_jobs_and_entities(client: Checked, collection: Collection) -> None:
    made = steps.connect(client, collection.readable_id, "timed", config={"entity_count": 20, "duration_seconds": 0.1})
    job = steps.wait_for_end(client, made.id)
    assert (job.entities_inserted, job.source_connection_id) == (21, made.id)
    now = client.source_connections.get(made.id)
    assert (now.sync.total_runs, now.sync.successful_runs, now.sync.failed_runs) == (1, 1, 0)
    assert now.sync.last_job.id == job.id and now.sync.last_job.duration_seconds > 0
    assert now.entities.total_entities == 21
    assert {name: kind.count for name, kind in now.entities.by_type.items()} == {
        "TimedContainerEntity": 1,
        "TimedEntity": 20,
    }
    assert all(kind.last_updated for kind in now.entities.by_type.values())


def test_the_list_is_filtered_and_paged_newest_first(client: Checked, collection: Collection) -> None:
    readable_id = collection.readable_id
    made = [steps.connect(client, readable_id, "stub", sync_immediately=False).id for _ in range(5)]
    pages = [client.source_connections.list(collection=readable_id, skip=skip, limit=2) for skip in (0, 2, 4, 6)]
    assert [len(page) for page in pages] == [2, 2, 1, 0]
    assert [item.id for page in pages for item in page] == made[::-1]
    item = pages[0][0]
    assert (item.short_name, item.auth_method, item.status) == ("stub", "direct", "active")
    assert item.is_authenticated and item.entity_count == 0 and item.federated_search is False
    assert set(made) <= {item.id for item in client.source_connections.list(limit=1000)}
    assert client.source_connections.list(collection="no-such-collection") == []


def test_each_field_can_be_changed_alone(client: Checked, collection: Collection) -> None:
    made = steps.connect(client, collection.readable_id, "stub", config={"seed": 7}, sync_immediately=False)
    calls = client.source_connections
    assert calls.update(made.id, name="Another name").name == "Another name"
    assert calls.update(made.id, description="Why").description == "Why"
    changed = calls.update(made.id, config={"entity_count": 4})
    assert (changed.config["entity_count"], changed.config["seed"]) == (4, 42), "replaced whole, defaults filled"
    assert calls.update(made.id, schedule=ScheduleConfig(cron="0 5 * * *")).schedule.cron == "0 5 * * *"
    assert calls.update(made.id, schedule=ScheduleConfig(cron=None)).schedule is None
    direct = DirectAuthentication(credentials={"stub_key": "another"})
    now = calls.update(made.id, authentication=direct)
    assert (now.name, now.description, now.config) == ("Another name", "Why", changed.config)
    assert now.modified_at > made.modified_at and now.created_at == made.created_at
    with pytest.raises(UnprocessableEntityError):
        calls.update(made.id)


@pytest.mark.parametrize(
    "authentication",
    [
        None,
        OAuthTokenAuthentication(access_token="t"),
        OAuthBrowserAuthentication(redirect_uri="https://example.test/back"),
        OAuthBrowserAuthentication(client_id="c", client_secret="s"),
        OAuthBrowserAuthentication(consumer_key="c", consumer_secret="s"),
        AuthProviderAuthentication(provider_readable_id="composio"),
    ],
    ids=["none", "token", "browser", "own-client", "own-consumer", "provider"],
)
def test_another_method_of_authentication_is_refused_by_name(
    client: Checked, collection: Collection, refused: Callable[..., ApiError], authentication: object
) -> None:
    options = {} if authentication is None else {"authentication": authentication}
    create = client.source_connections.create
    error = refused(400, create, short_name="stub", readable_collection_id=collection.readable_id, **options)
    assert "does not support this authentication method" in error.body["detail"]
    assert "direct" in error.body["detail"], "it says what is supported"


def test_an_unknown_source_collection_or_connection_is_not_found(client: Checked, collection: Collection) -> None:
    direct = DirectAuthentication(credentials={"stub_key": "k"})
    for source, readable_id, text in [
        ("nothing", collection.readable_id, "Source 'nothing' not found. There are: files, github, postgresql, s3, timed, stub, incremental_stub, exception_stub"),
        ("stub", "no-such-collection", "Collection not found"),
    ]:
        # The SDK has no class for a 404 here: its contract doesn't name it.
        with pytest.raises(ApiError) as caught:
            client.source_connections.create(
                short_name=source, readable_collection_id=readable_id, authentication=direct
            )
        assert (caught.value.status_code, caught.value.body) == (404, {"detail": text})
    calls = client.source_connections
    for call in (calls.get, calls.delete, calls.run, calls.get_source_connection_jobs):
        with pytest.raises(NotFoundError) as missing:
            call(UNKNOWN)
        assert missing.value.body.detail == "SourceConnection not found"
    with pytest.raises(NotFoundError):
        calls.update(UNKNOWN, name="Nothing there")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"config": {"entity_count": 0}}, "Invalid config fields: entity_count"),
        ({"config": {"entity_count": "many"}}, "Invalid config fields: entity_count"),
        ({"schedule": ScheduleConfig(cron="whenever")}, "expression: whenever"),
    ],
)
def test_what_a_source_cant_take_is_refused(
    client: Checked, collection: Collection, options: dict[str, object], text: str
) -> None:
    with pytest.raises(UnprocessableEntityError) as caught:
        steps.connect(client, collection.readable_id, "stub", **options)
    assert text in str(caught.value.body["detail"])


def test_bounds_of_a_connection_are_refused_with_their_place(client: Checked, collection: Collection) -> None:
    for name, value in [("name", "abc"), ("name", "x" * 43), ("description", "x" * 256)]:
        with pytest.raises(UnprocessableEntityError) as caught:
            steps.connect(client, collection.readable_id, "stub", **{name: value})
        assert caught.value.body["detail"][0]["loc"] == ["body", name]
    with pytest.raises(UnprocessableEntityError):
        client.source_connections.get("no-uuid")


def test_a_source_that_reads_everything_syncs_once_an_hour_at_most(
    client: Checked, collection: Collection, refused: Callable[..., ApiError]
) -> None:
    often = ScheduleConfig(cron="*/5 * * * *")
    error = refused(400, steps.connect, client, collection.readable_id, "stub", schedule=often)
    assert "1 hour" in error.body["detail"]
    made = steps.connect(client, collection.readable_id, "stub", sync_immediately=False)
    error = refused(400, client.source_connections.update, made.id, schedule=often)
    assert "1 hour" in error.body["detail"]
