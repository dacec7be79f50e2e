"""What several tests do with the SDK on their way."""

import uuid
from typing import Any

import pytest
from airweave import DirectAuthentication, ScheduleConfig
from airweave.types import Collection, SourceConnection, SourceConnectionJob

from support.sdk import Checked
from support.wait import wait_until

UNSCHEDULED = ScheduleConfig(cron=None)
ENDED = {"completed", "failed", "cancelled"}
FILLED = 30
"""How many entities a filled collection has, beside their container."""


def unique(text: str) -> str:
    """A name that no other test uses, of at most 42 characters."""
    return f"{text} {uuid.uuid4().hex[:12]}"


def new_collection(client: Checked, name: str = "Client test") -> Collection:
    """A collection with a name of its own."""
    return client.collections.create(name=unique(name))


def connect(client: Checked, collection: str, source: str, **options: Any) -> SourceConnection:
    """A connection of one of the test sources, synced at once and without a schedule unless `options` say otherwise."""
    options.setdefault("schedule", UNSCHEDULED)
    credentials = {"timed": "timed_key"}.get(source, "stub_key")
    options.setdefault("authentication", DirectAuthentication(credentials={credentials: "secret of the test"}))
    return client.source_connections.create(short_name=source, readable_collection_id=collection, **options)


def connect_long(client: Checked, collection: str) -> SourceConnection:
    """A connection whose sync lasts longer than any test."""
    return connect(client, collection, "timed", config={"entity_count": 6000, "duration_seconds": 600})


def last_job(client: Checked, connection: str) -> SourceConnectionJob:
    """The newest job of a connection."""
    (job,) = client.source_connections.get_source_connection_jobs(connection, limit=1)
    return job


def wait_for_end(client: Checked, connection: str, status: str = "completed") -> SourceConnectionJob:
    """Waits until the newest job of a connection has ended, and as it should."""

    def ended() -> SourceConnectionJob | None:
        job = last_job(client, connection)
        return job if job.status in ENDED else None

    job = wait_until(f"the job of {connection} has ended", ended)
    if job.status != status:
        pytest.fail(f"the job ended as {job.status}, not {status}: {job}")
    return job


def find(client: Checked, collection: str, query: str, **options: Any) -> list[Any]:
    """The hits of a keyword search."""
    found = client.collections.search.instant(collection, query=query, retrieval_strategy="keyword", **options)
    return found.results


def hits_of(client: Checked, connection: SourceConnection, query: str = "timed") -> list[Any]:
    """The hits of a keyword search that come from this connection."""
    hits = find(client, connection.readable_collection_id, query, limit=1000)
    return [hit for hit in hits if hit.airweave_system_metadata.sync_id == connection.sync_id]


def wait_until_writing(client: Checked, connection: SourceConnection) -> SourceConnectionJob:
    """Waits until the newest job of a `timed` connection runs and its first entities are found."""

    def writing() -> SourceConnectionJob | None:
        job = last_job(client, connection.id)
        assert job.status not in ENDED, job
        return job if job.status == "running" and hits_of(client, connection) else None

    return wait_until(f"the job of {connection.id} writes", writing)
