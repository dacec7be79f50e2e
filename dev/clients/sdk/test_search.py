"""Search: every call and strategy, pages, and each refusal."""

from collections.abc import Callable
from typing import Any

import pytest
from airweave.core.api_error import ApiError
from airweave.errors import UnprocessableEntityError
from airweave.types import Collection

from support import steps
from support.sdk import Checked, Connection

def test_a_hit_says_where_it_comes_from(client: Checked, filled: str) -> None:
    (connection,) = client.source_connections.list(collection=filled)
    job = steps.last_job(client, connection.id)
    hits = steps.find(client, filled, "timed", limit=1000)
    assert len({hit.entity_id for hit in hits}) == len(hits)
    scores = [hit.relevance_score for hit in hits]
    assert scores == sorted(scores, reverse=True) and scores[0] > 0
    entities = [hit for hit in hits if hit.airweave_system_metadata.entity_type == "TimedEntity"]
    assert len(entities) == steps.FILLED
    hit = entities[0]
    assert hit.name and hit.textual_representation and hit.web_url
    meta = hit.airweave_system_metadata
    assert (meta.source_name, meta.sync_job_id, meta.chunk_index) == ("timed", job.id, 0)
    assert meta.sync_id == client.source_connections.get(connection.id).sync_id
    assert meta.original_entity_id.startswith("timed-42-")
    (breadcrumb,) = hit.breadcrumbs
    assert (breadcrumb.entity_id, breadcrumb.entity_type) == ("timed-container-42", "TimedContainerEntity")


@pytest.mark.parametrize("strategy", ["keyword", "semantic", "hybrid", None])
def test_each_strategy_answers_and_says_which_it_was(connection: Connection, filled: str, strategy: str | None) -> None:
    options: dict[str, Any] = {} if strategy is None else {"retrieval_strategy": strategy}
    answer = connection.client.collections.search.with_raw_response.instant(filled, query="timed", **options)
    assert answer.data.results
    # Without an embedder there are no vectors.
    assert answer.headers["x-retrieval-strategy"] == "keyword"


def test_classic_answers_like_instant(client: Checked, filled: str) -> None:
    search = client.collections.search
    classic = search.classic(filled, query="timed project", limit=5, offset=2)
    assert classic == search.instant(filled, query="timed project", limit=5, offset=2)
    assert len(classic.results) == 5


def test_pages_hold_each_hit_once(client: Checked, filled: str) -> None:
    everything = [hit.entity_id for hit in steps.find(client, filled, "timed", limit=1000)]
    paged: list[str] = []
    for offset in range(0, len(everything) + 10, 10):
        paged += [hit.entity_id for hit in steps.find(client, filled, "timed", limit=10, offset=offset)]
    assert paged == everything


def test_a_word_that_nothing_has_finds_nothing(client: Checked, filled: str) -> None:
    assert steps.find(client, filled, "xylophonequartz") == []


def test_an_agent_isnt_there_and_the_answer_says_so(
    connection: Connection, filled: str, refused: Callable[..., ApiError]
) -> None:
    error = refused(503, connection.client.collections.search.agentic, filled, query="timed", thinking=True)
    assert "language model" in error.body["detail"]

    def stream() -> None:
        events = connection.sdk.collections.search.stream_agentic(filled, query="timed", limit=3)
        next(events) if connection.kind == "sync" else connection.finish(anext(events))

    assert refused(503, stream).body == error.body


@pytest.mark.parametrize("options", [{"query": "  "}, {"limit": 0}, {"limit": 1001}, {"offset": -1}])
def test_what_is_no_search_is_refused(client: Checked, collection: Collection, options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(UnprocessableEntityError) as caught:
        client.collections.search.instant(collection.readable_id, **({"query": "timed"} | options))
    assert caught.value.body["detail"][0]["loc"] == ["body", name]


def test_an_unknown_collection_isnt_searched(client: Checked, refused: Callable[..., ApiError]) -> None:
    search = client.collections.search
    for call in (search.instant, search.classic, search.agentic):
        error = refused(404, call, "no-such-collection", query="anything")
        assert error.body == {"detail": "Collection 'no-such-collection' not found"}
