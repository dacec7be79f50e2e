"""The command behind pipes: JSON out, one line of JSON for an error, exit code 1 if anything failed."""

import json

import pytest
from airweave.types import Collection, SearchV2Response, SourceConnection, SourceConnectionJob, SourceConnectionListItem

from support import steps
from support.cli import Cli
from support.sdk import Checked
from support.wire import check_object

UNKNOWN = "00000000-0000-4000-8000-000000000000"
DIRECT = ["--credentials", '{"stub_key": "k"}']


def test_a_collection_is_created_shown_and_listed(cli: Cli, client: Checked) -> None:
    made = cli.run("collections", "create", "--name", steps.unique("By the command")).json()
    check_object(Collection, made)
    assert cli.run("collections", "get", made["readable_id"]).json() == made
    assert made["id"] in [item["id"] for item in cli.run("collections", "list").json()]
    chosen = made["readable_id"] + "-b"
    another = cli.run("collections", "create", "--name", "Chosen", "--readable-id", chosen).json()
    assert another["readable_id"] == chosen
    for readable_id in (made["readable_id"], chosen):
        client.collections.delete(readable_id)


def test_a_source_is_added_listed_and_synced(cli: Cli, client: Checked, collection: Collection) -> None:
    cli.variables["AIRWEAVE_COLLECTION"] = collection.readable_id
    made = cli.run("sources", "add", "stub", "--name", "Added", *DIRECT, "--config", '{"entity_count": 7}').json()
    check_object(SourceConnection, made)
    assert (made["name"], made["config"]["entity_count"]) == ("Added", 7)
    assert made["sync"]["last_job"]["status"] == "pending"
    assert steps.wait_for_end(client, made["id"]).entities_inserted == 7

    (listed,) = cli.run("sources", "list").json()
    check_object(SourceConnectionListItem, listed)
    assert (listed["id"], listed["entity_count"]) == (made["id"], 7)

    job = cli.run("sources", "sync", made["id"]).json()
    check_object(SourceConnectionJob, job)
    assert job["status"] == "pending"
    assert steps.wait_for_end(client, made["id"]).entities_inserted == 0
    forced = cli.run("sources", "sync", made["id"], "--force").json()
    assert steps.wait_for_end(client, made["id"]).id == forced["id"]


def test_a_source_can_be_added_without_syncing_it(cli: Cli, collection: Collection) -> None:
    added = cli.run("sources", "add", "stub", "-c", collection.readable_id, *DIRECT, "--no-sync").json()
    assert added["sync"] is None


@pytest.mark.parametrize("mode", [[], ["--mode", "classic"], ["--mode", "instant"], ["-m", "instant", "-s", "keyword"]])
def test_a_search_finds_pages_and_limits(cli: Cli, filled: str, mode: list[str]) -> None:
    search = ["search", "timed", "--collection", filled, *mode]
    found = cli.run(*search, "--top-k", "100").json()
    check_object(SearchV2Response, found)
    ids = [hit["entity_id"] for hit in found["results"]]
    assert len(ids) == len(set(ids)) >= 10
    paged = [hit["entity_id"] for hit in cli.run(*search, "-k", "3", "--offset", "4").json()["results"]]
    assert paged == ids[4:7]


def test_a_search_that_finds_nothing_is_no_error(cli: Cli, filled: str) -> None:
    assert cli.run("search", "xylophonequartz", "-c", filled).json() == {"results": []}


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["collections", "create", "--name", "abc"], "create_error", "(422)"),
        (["collections", "get", "no-such-collection"], "fetch_error", "404"),
        (["sources", "list", "-c", "no-such-collection"], "list_error", "404"),
        (["sources", "add", "nothing", "-c", "c", *DIRECT], "create_error", "(404) {\"detail\":\"Source 'nothing'"),
        (["sources", "add", "stub", "-c", "no-such-collection", *DIRECT], "create_error", "Collection not found"),
        (["sources", "add", "stub", "-c", "c"], "create_error", "does not support this authentication method"),
        (["sources", "add", "stub", "-c", "c", "--credentials", "{}"], "create_error", "(422)"),
        (["sources", "add", "stub", "-c", "c", "--credentials", "no JSON"], "invalid_json", "--credentials"),
        (["sources", "sync", UNKNOWN], "sync_error", "404"),
        (["sources", "sync", "no-uuid"], "sync_error", "422"),
        (["search", "timed", "-c", "no-such-collection"], "search_error", "404"),
        (["search", "timed"], "missing_collection", "--collection"),
        # The command offers a strategy that the contract doesn't have.
        (["search", "timed", "-c", "c", "--mode", "instant", "--strategy", "neural"], "search_error", "422"),
    ],
)
def test_what_fails_says_so_in_json(cli: Cli, arguments: list[str], code: str, text: str) -> None:
    error = cli.run(*arguments).error()
    assert error["code"] == code and text in error["message"], error


def test_a_sync_beside_a_running_one_is_refused(cli: Cli, client: Checked, collection: Collection) -> None:
    made = steps.connect_long(client, collection.readable_id)
    error = cli.run("sources", "sync", made.id).error()
    assert error["code"] == "sync_error" and "400" in error["message"]


def test_an_agent_isnt_there_and_the_answer_says_so(cli: Cli, collection: Collection) -> None:
    error = cli.run("search", "timed", "-c", collection.readable_id, "--mode", "agentic", "--thinking").error()
    assert error["code"] == "search_error" and "503" in error["message"]


def test_a_wrong_key_and_a_gateway_that_isnt_there_are_errors(cli: Cli) -> None:
    cli.variables["AIRWEAVE_API_KEY"] = "A" * 43
    error = cli.run("collections", "list").error()
    assert error["code"] == "list_error" and "403" in error["message"]
    # Nothing listens on port 1.
    cli.variables["AIRWEAVE_BASE_URL"] = "http://127.0.0.1:1"
    error = cli.run("collections", "list").error()
    assert error["code"] == "list_error" and "refused" in error["message"]


def test_a_bearer_token_is_taken_with_its_organization(cli: Cli, collection: Collection) -> None:
    cli.config.parent.mkdir()
    config = {"access_token": cli.variables.pop("AIRWEAVE_API_KEY"), "organization_id": collection.organization_id}
    cli.config.write_text(json.dumps(config))
    assert cli.run("collections", "get", collection.readable_id).json()["id"] == collection.id
    cli.config.write_text(json.dumps(config | {"organization_id": UNKNOWN}))
    assert "403" in cli.run("collections", "get", collection.readable_id).error()["message"]
