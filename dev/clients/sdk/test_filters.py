"""Filters of a search, made of the SDK's own models: each finds exactly the hits that it describes."""

from collections.abc import Callable
from typing import Any

import pytest
from airweave.errors import UnprocessableEntityError
from airweave.types import Collection, FilterCondition, FilterGroup, SearchResult

from support import steps
from support.sdk import Checked

META = "airweave_system_metadata"


def group(*conditions: tuple[str, str, Any]) -> FilterGroup:
    """Conditions that must all hold."""
    made = [FilterCondition(field=field, operator=operator, value=value) for field, operator, value in conditions]
    return FilterGroup(conditions=made)


def number(hit: SearchResult) -> int:
    """The number at the end of an entity's id."""
    return int(hit.airweave_system_metadata.original_entity_id.rsplit("-", 1)[1])


def is_entity(hit: SearchResult) -> bool:
    """Not the container."""
    return hit.airweave_system_metadata.entity_type == "TimedEntity"


FILTERS: dict[str, tuple[list[FilterGroup], Callable[[SearchResult], bool]]] = {
    "type": ([group((f"{META}.entity_type", "equals", "TimedEntity"))], is_entity),
    "not-type": ([group((f"{META}.entity_type", "not_equals", "TimedEntity"))], lambda hit: not is_entity(hit)),
    "in": (
        [group((f"{META}.original_entity_id", "in", ["timed-42-3", "timed-42-5", "missing"]))],
        lambda hit: number(hit) in (3, 5),
    ),
    "not-in": (
        [group((f"{META}.original_entity_id", "not_in", ["timed-42-3", "timed-container-42"]))],
        lambda hit: is_entity(hit) and number(hit) != 3,
    ),
    "name-contains": ([group(("name", "contains", "#1"))], lambda hit: "#1" in hit.name),
    "breadcrumb": ([group(("breadcrumbs.entity_id", "equals", "timed-container-42"))], is_entity),
    "breadcrumb-type": ([group(("breadcrumbs.entity_type", "equals", "TimedContainerEntity"))], is_entity),
    "and": (
        [group((f"{META}.entity_type", "equals", "TimedEntity"), (f"{META}.original_entity_id", "contains", "-2"))],
        lambda hit: is_entity(hit) and "-2" in hit.airweave_system_metadata.original_entity_id,
    ),
    "or": (
        [
            group((f"{META}.original_entity_id", "equals", "timed-42-7")),
            group((f"{META}.entity_type", "equals", "TimedContainerEntity")),
        ],
        lambda hit: not is_entity(hit) or number(hit) == 7,
    ),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_finds_what_it_describes(client: Checked, filled: str, name: str) -> None:
    groups, describes = FILTERS[name]
    everything = steps.find(client, filled, "timed", limit=1000)
    expected = {hit.entity_id for hit in everything if describes(hit)}
    assert 0 < len(expected) < len(everything), "the filter decides something"
    assert {hit.entity_id for hit in steps.find(client, filled, "timed", limit=1000, filter=groups)} == expected
    classic = client.collections.search.classic(filled, query="timed", limit=1000, filter=groups)
    assert {hit.entity_id for hit in classic.results} == expected


def test_a_filter_on_times_splits_the_hits(client: Checked, filled: str) -> None:
    future, past = "2999-01-01T00:00:00Z", "2000-01-01T00:00:00Z"
    for field in ("created_at", "updated_at"):
        dated = [hit for hit in steps.find(client, filled, "timed", limit=1000) if getattr(hit, field)]
        for operator, value, matches in [
            ("greater_than", past, True),
            ("greater_than_or_equal", future, False),
            ("less_than", future, True),
            ("less_than_or_equal", past, False),
        ]:
            hits = steps.find(client, filled, "timed", limit=1000, filter=[group((field, operator, value))])
            assert len(hits) == (len(dated) if matches else 0), (field, operator)


def test_a_filter_never_reaches_beyond_its_collection(client: Checked, filled: str) -> None:
    other = steps.new_collection(client)
    sync = client.source_connections.get(client.source_connections.list(collection=filled)[0].id).sync_id
    for operator in ("equals", "not_equals"):
        groups = [group((f"{META}.sync_id", operator, sync))]
        assert steps.find(client, other.readable_id, "timed", filter=groups) == []
    client.collections.delete(other.readable_id)


@pytest.mark.parametrize(
    "condition",
    [
        ("no_such_field", "equals", "x"),
        ("name", "resembles", "x"),
        (f"{META}.chunk_index", "contains", "1"),
        ("name", "greater_than", "a"),
        ("created_at", "greater_than", "yesterday"),
    ],
)
def test_a_filter_that_means_nothing_is_refused_with_its_place(
    client: Checked, collection: Collection, condition: tuple[str, str, Any]
) -> None:
    with pytest.raises(UnprocessableEntityError) as caught:
        steps.find(client, collection.readable_id, "timed", filter=[group(("name", "equals", "x"), condition)])
    detail = caught.value.body["detail"][0]
    assert detail["loc"][:5] == ["body", "filter", 0, "conditions", 1], detail
