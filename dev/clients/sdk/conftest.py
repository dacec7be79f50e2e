"""Clients and collections for each test; every test runs with the blocking client and with the async one."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airweave.core.api_error import ApiError
from airweave.errors import NotFoundError
from airweave.types import Collection

from support import steps
from support.sdk import Checked, Connection


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which of the SDK's two clients the test runs with."""
    return request.param


@pytest.fixture
def connect(kind: str) -> Iterator[Callable[..., Connection]]:
    """Makes further clients: with other keys, with headers, for another thread."""
    made: list[Connection] = []

    def make(**options: Any) -> Connection:
        made.append(Connection(kind=kind, **options))
        return made[-1]

    yield make
    for connection in made:
        connection.close()


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    """The test's client with what came over its wire."""
    return connect()


@pytest.fixture
def client(connection: Connection) -> Checked:
    """The test's client."""
    return connection.client


@pytest.fixture
def collection(client: Checked) -> Iterator[Collection]:
    """A collection of the test's own, deleted after it with everything in it."""
    made = steps.new_collection(client)
    yield made
    try:
        client.collections.delete(made.readable_id)
    except NotFoundError:
        pass


@pytest.fixture
def filled(client: Checked, collection: Collection) -> str:
    """The readable id of a collection with a container and `steps.FILLED` entities of one `timed` connection."""
    config = {"entity_count": steps.FILLED, "duration_seconds": 0.1}
    made = steps.connect(client, collection.readable_id, "timed", config=config)
    steps.wait_for_end(client, made.id)
    return collection.readable_id


@pytest.fixture
def refused() -> Callable[..., ApiError]:
    """Calls something that must be refused with a status that the SDK has no error class for; answers the error."""

    def call(status: int, call: Callable[..., Any], *args: Any, **kwargs: Any) -> ApiError:
        with pytest.raises(ApiError) as caught:
            call(*args, **kwargs)
        assert type(caught.value) is ApiError, f"the SDK has a class for it: {caught.value!r}"
        assert caught.value.status_code == status, caught.value
        return caught.value

    return call
