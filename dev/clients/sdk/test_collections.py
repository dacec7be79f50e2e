"""Collections: every call, pages, search by name, status, and each refusal."""

import re
import uuid
from collections.abc import Callable

import pytest
from airweave.core.api_error import ApiError
from airweave.errors import NotFoundError, UnprocessableEntityError
from airweave.types import Collection

from support import steps
from support.sdk import Checked


def test_a_collection_lives_from_create_to_delete(client: Checked) -> None:
    made = client.collections.create(name="Finance & Data 2024!")
    assert made.name == "Finance & Data 2024!"
    assert re.fullmatch(r"finance-data-2024-[a-z0-9]{6}", made.readable_id)
    assert made.status == "NEEDS SOURCE"
    assert str(uuid.UUID(made.id)) == made.id and str(uuid.UUID(made.organization_id)) == made.organization_id
    assert client.collections.get(made.readable_id) == made
    renamed = client.collections.update(made.readable_id, name="Renamed")
    assert (renamed.name, renamed.readable_id, renamed.id) == ("Renamed", made.readable_id, made.id)
    assert renamed.modified_at > made.modified_at and renamed.created_at == made.created_at
    assert client.collections.delete(made.readable_id).id == made.id
    for call in (client.collections.get, client.collections.delete):
        with pytest.raises(NotFoundError) as caught:
            call(made.readable_id)
        assert caught.value.body.detail == "Collection not found"
    with pytest.raises(NotFoundError):
        client.collections.update(made.readable_id, name="Too late")


def test_a_readable_id_of_the_callers_choice_is_taken_once(
    client: Checked, refused: Callable[..., ApiError]
) -> None:
    chosen = f"chosen-{uuid.uuid4().hex[:8]}"
    assert client.collections.create(name="Chosen", readable_id=chosen).readable_id == chosen
    error = refused(400, client.collections.create, name="Again", readable_id=chosen)
    assert chosen in error.body["detail"]
    client.collections.delete(chosen)


def test_pages_hold_each_collection_once_newest_first(client: Checked) -> None:
    mark = uuid.uuid4().hex[:10]
    made = [client.collections.create(name=f"Page {mark} {number}").readable_id for number in range(5)]
    pages = [client.collections.list(search=mark.upper(), skip=skip, limit=2) for skip in (0, 2, 4, 6)]
    assert [len(page) for page in pages] == [2, 2, 1, 0]
    assert [item.readable_id for page in pages for item in page] == made[::-1]
    everything = client.collections.list(limit=1000)
    assert set(made) <= {item.readable_id for item in everything}
    for readable_id in made:
        client.collections.delete(readable_id)
    assert client.collections.list(search=mark) == []


def test_the_list_names_the_connections_of_each(client: Checked, collection: Collection) -> None:
    made = steps.connect(client, collection.readable_id, "stub", name="Named connection", sync_immediately=False)
    (listed,) = client.collections.list(search=collection.readable_id)
    (summary,) = listed.source_connection_summaries
    assert (summary.short_name, summary.name) == ("stub", made.name)


def test_the_status_follows_the_jobs(client: Checked, collection: Collection) -> None:
    def status() -> str:
        return client.collections.get(collection.readable_id).status

    failing = steps.connect(client, collection.readable_id, "stub", config={"entity_count": 5, "fail_after": 1})
    steps.wait_for_end(client, failing.id, "failed")
    assert status() == "ERROR"
    working = steps.connect(client, collection.readable_id, "stub", config={"entity_count": 5})
    steps.wait_for_end(client, working.id)
    assert status() == "ACTIVE"


@pytest.mark.parametrize(
    ("place", "fields"),
    [
        (["body", "name"], {"name": "abc"}),
        (["body", "name"], {"name": "x" * 65}),
        (["body", "readable_id"], {"name": "Good name", "readable_id": "Bad_ID"}),
    ],
)
def test_what_is_no_collection_is_refused(client: Checked, place: list[str], fields: dict[str, str]) -> None:
    with pytest.raises(UnprocessableEntityError) as caught:
        client.collections.create(**fields)
    body = caught.value.body
    (detail,) = body["detail"]
    assert detail["loc"] == place and detail["msg"] and detail["type"]
    assert body["errors"] == [{".".join(place): detail["msg"]}], "both known shapes say the same"


@pytest.mark.parametrize("page", [{"limit": 0}, {"limit": 1001}, {"skip": -1}])
def test_a_page_out_of_bounds_is_refused(client: Checked, page: dict[str, int]) -> None:
    with pytest.raises(UnprocessableEntityError) as caught:
        client.collections.list(**page)
    (name,) = page
    assert caught.value.body["detail"][0]["loc"] == ["query", name]
