"""What lies below the calls: keys, organizations, retries, sizes, and what this service doesn't have."""

from collections.abc import Callable

import pytest
from airweave import AirweaveSDK
from airweave.core.api_error import ApiError
from airweave.errors import NotFoundError, UnprocessableEntityError
from airweave.types import Collection

from support import environment
from support.sdk import Checked, Connection


def test_the_sdk_works_as_it_comes() -> None:
    client = AirweaveSDK(base_url=environment.url(), api_key=environment.api_key())
    assert client.sources.get("files").short_name == "files"


@pytest.mark.parametrize(
    ("key", "status", "text"),
    [
        ("", 401, "No valid authentication provided"),
        ("A" * 43, 403, "Invalid or expired API key"),
        ("no key at all", 403, "Invalid or expired API key"),
    ],
)
def test_without_a_good_key_nothing_is_answered(
    connect: Callable[..., Connection], refused: Callable[..., ApiError], key: str, status: int, text: str
) -> None:
    client = connect(api_key=key).client
    for call, options in [
        (client.collections.list, {}),
        (client.sources.list, {}),
        (client.source_connections.list, {}),
        (client.collections.create, {"name": "Not made"}),
    ]:
        assert refused(status, call, **options).body == {"detail": text}


def test_a_named_organization_must_be_the_keys_own(
    connect: Callable[..., Connection], collection: Collection, refused: Callable[..., ApiError]
) -> None:
    def client(organization: str) -> Checked:
        return connect(headers={"X-Organization-ID": organization}).client

    own = client(collection.organization_id)
    assert own.collections.get(collection.readable_id).id == collection.id
    refused(403, client("00000000-0000-4000-8000-000000000000").collections.get, collection.readable_id)
    with pytest.raises(UnprocessableEntityError):
        client("no-uuid").collections.get(collection.readable_id)


def test_the_sdk_tries_again_after_a_503_if_it_may(
    connection: Connection, collection: Collection, refused: Callable[..., ApiError]
) -> None:
    agentic = connection.client.collections.search.agentic
    # This version of the SDK counts from two: three is one retry.
    for most, tries in [(0, 1), (3, 2)]:
        connection.responses.clear()
        refused(503, agentic, collection.readable_id, query="x", request_options={"max_retries": most})
        assert [response.status_code for response in connection.responses] == [503] * tries


def test_the_sdk_tries_no_request_again_that_is_wrong(connection: Connection) -> None:
    with pytest.raises(NotFoundError):
        connection.client.collections.get("no-such-collection", request_options={"max_retries": 5})
    assert len(connection.responses) == 1


def test_a_body_that_is_too_large_is_refused_and_the_next_call_works(
    client: Checked, collection: Collection, refused: Callable[..., ApiError]
) -> None:
    large = "x" * (11 << 20)
    error = refused(413, client.collections.search.instant, collection.readable_id, query=large)
    assert "too large" in error.body["detail"]
    assert client.collections.get(collection.readable_id).id == collection.id


def test_webhooks_arent_there(client: Checked) -> None:
    with pytest.raises(ApiError) as caught:
        client.webhooks.get_subscriptions()
    assert (caught.value.status_code, caught.value.body) == (404, {"detail": "Not Found"})
    with pytest.raises(NotFoundError):
        client.webhooks.get_subscription("00000000-0000-4000-8000-000000000000")


def test_additional_headers_queries_and_fields_of_a_call_do_no_harm(client: Checked) -> None:
    options = {
        "additional_headers": {"X-Framework-Name": "test", "X-Airweave-Session-ID": "s"},
        "additional_query_parameters": {"unknown": "1"},
        "additional_body_parameters": {"unknown": {"nested": [None]}},
    }
    made = client.collections.create(name="With extras", request_options=options)
    assert client.collections.delete(made.readable_id, request_options=options).id == made.id
