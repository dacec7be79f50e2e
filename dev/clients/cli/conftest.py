"""The command with a home of its own for each test, a collection, and the SDK for waiting on what the command did."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from airweave.types import Collection

from support import steps
from support.cli import Cli
from support.sdk import Checked, Connection


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command, told by its environment where to go."""
    return Cli(tmp_path)


@pytest.fixture
def client() -> Iterator[Checked]:
    """The SDK."""
    connection = Connection(kind="sync")
    yield connection.client
    connection.close()


@pytest.fixture
def collection(client: Checked) -> Iterator[Collection]:
    """A collection of the test's own, deleted after it with everything in it."""
    made = steps.new_collection(client)
    yield made
    client.collections.delete(made.readable_id)


@pytest.fixture
def filled(client: Checked, collection: Collection) -> str:
    """The readable id of a collection with eleven entities of source `timed`."""
    made = steps.connect(client, collection.readable_id, "timed", config={"entity_count": 10, "duration_seconds": 0.1})
    steps.wait_for_end(client, made.id)
    return collection.readable_id
