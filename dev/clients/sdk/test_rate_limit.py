"""Rate limits: what each answer says of them, and what the SDK makes of a refusal.

The limited organization can be exhausted once in a minute, so one test does it, with both clients.
"""

import re
import time
from collections.abc import Callable

import pytest
from airweave import DirectAuthentication
from airweave.core.api_error import ApiError
from airweave.errors import NotFoundError, TooManyRequestsError, UnprocessableEntityError

from support import environment
from support.sdk import Checked, Connection

LIMIT = 10
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def kind() -> str:
    """The client that uses the limit up."""
    return "sync"


def quota(headers: dict[str, str]) -> tuple[int, int]:
    """Limit and what remains of it, until at most a window from now."""
    # Whole seconds, rounded up; and an answer may be looked at some seconds after it was given.
    assert -10 <= int(headers["ratelimit-reset"]) - int(time.time()) <= 61
    return int(headers["ratelimit-limit"]), int(headers["ratelimit-remaining"])


def calls_of(client: Checked) -> list[Callable[[], object]]:
    """Every call whose refusal the SDK has a class for."""
    collections, connections, sources = client.collections, client.source_connections, client.sources
    direct = DirectAuthentication(credentials={"stub_key": "k"})
    return [
        lambda: collections.list(),
        lambda: collections.create(name="Not made"),
        lambda: collections.get("c"),
        lambda: collections.update("c", name="Not changed"),
        lambda: collections.delete("c"),
        lambda: sources.list(),
        lambda: sources.get("files"),
        lambda: connections.list(),
        lambda: connections.create(short_name="stub", readable_collection_id="c", authentication=direct),
        lambda: connections.get(UNKNOWN),
        lambda: connections.update(UNKNOWN, name="Not changed"),
        lambda: connections.delete(UNKNOWN),
        lambda: connections.run(UNKNOWN),
        lambda: connections.get_source_connection_jobs(UNKNOWN),
        lambda: connections.cancel_job(UNKNOWN, UNKNOWN),
    ]


def use_up(connection: Connection) -> None:
    """Sends as many requests as the plan has: answers, and refusals for other reasons."""
    calls = connection.client.collections
    with pytest.raises(NotFoundError) as missing:
        calls.get("no-such-collection")
    assert quota(missing.value.headers) == (LIMIT, LIMIT - 1)
    with pytest.raises(UnprocessableEntityError) as invalid:
        calls.list(limit=0)
    assert quota(invalid.value.headers) == (LIMIT, LIMIT - 2)
    for remaining in reversed(range(LIMIT - 2)):
        assert quota(calls.with_raw_response.list().headers) == (LIMIT, remaining)


def test_over_the_limit_every_call_is_refused_until_the_time_given(
    connect: Callable[..., Connection], connection: Connection, refused: Callable[..., ApiError]
) -> None:
    limited = connect(api_key=environment.limited_api_key())
    use_up(limited)
    later = Connection(kind="async", api_key=environment.limited_api_key())
    for client in (limited.client, later.client):
        for call in calls_of(client):
            with pytest.raises(TooManyRequestsError) as caught:
                call()
            seconds = int(caught.value.headers["retry-after"])
            assert 1 <= seconds <= 60
            assert caught.value.body.detail == f"Rate limit exceeded. Try again in {seconds} seconds."
            assert quota(caught.value.headers) == (LIMIT, 0)
        # Its contract doesn't name the status for searches.
        text = refused(429, client.collections.search.instant, "c", query="timed").body["detail"]
        assert re.fullmatch(r"Rate limit exceeded\. Try again in \d+ seconds\.", text)

    limited.responses.clear()
    # One retry: this version of the SDK counts from two.
    with pytest.raises(TooManyRequestsError):
        limited.client.collections.list(request_options={"max_retries": 3})
    assert [response.status_code for response in limited.responses] == [429, 429]
    later.close()
    assert connection.client.collections.list(limit=1) is not None, "nobody else is slowed down"


def test_without_a_limit_the_headers_say_so(connection: Connection) -> None:
    answer = connection.client.collections.with_raw_response.list(limit=1)
    assert quota(answer.headers) == (9999, 9999)
