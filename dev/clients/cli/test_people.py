"""The command at a terminal: tables, panels and prompts instead of JSON."""

import json
import stat

from airweave.types import Collection

from support import environment, steps
from support.cli import Cli
from support.sdk import Checked


def test_collections_are_shown_as_a_table(cli: Cli, client: Checked, collection: Collection) -> None:
    own = f"{collection.readable_id}-p"
    made = cli.at_terminal("collections", "create", "--name", "For people", "--readable-id", own)
    assert made.code == 0 and f"Created: For people ({own})" in made.stdout
    listed = cli.at_terminal("collections", "list")
    (row,) = [line for line in listed.stdout.splitlines() if collection.readable_id + " " in line]
    assert collection.name in row and "NEEDS SOURCE" in row
    assert collection.created_at.strftime("%Y-%m-%dT%H:%M") in row
    one = cli.at_terminal("collections", "get", collection.readable_id)
    assert collection.id in one.stdout
    assert f"{collection.vector_size}d ({collection.embedding_model_name})" in one.stdout
    client.collections.delete(own)


def test_a_source_is_added_listed_and_synced(cli: Cli, client: Checked, collection: Collection) -> None:
    at = ["--collection", collection.readable_id]
    added = cli.at_terminal("sources", "add", "stub", *at, "--credentials", '{"stub_key": "k"}')
    assert added.code == 0 and "Added: Stub Connection (stub)" in added.stdout and "Status: active" in added.stdout
    (connection,) = client.source_connections.list(collection=collection.readable_id)
    steps.wait_for_end(client, connection.id)
    listed = cli.at_terminal("sources", "list", *at)
    (row,) = [line for line in listed.stdout.splitlines() if connection.id in line]
    assert "Stub Connection" in row and "active" in row
    synced = cli.at_terminal("sources", "sync", connection.id)
    assert synced.code == 0
    assert f"Job ID: {steps.last_job(client, connection.id).id}  Status: pending" in synced.stdout


def test_hits_are_shown_as_panels_and_none_as_such(cli: Cli, filled: str) -> None:
    found = cli.at_terminal("search", "timed", "-c", filled, "-k", "3")
    assert found.code == 0 and "Search complete" in found.stdout
    for number in (1, 2, 3):
        assert f"#{number}  timed" in found.stdout
    assert "score=" in found.stdout and "#4  timed" not in found.stdout
    nothing = cli.at_terminal("search", "xylophonequartz", "-c", filled)
    assert nothing.code == 0 and "No results found." in nothing.stdout


def test_an_error_is_a_sentence(cli: Cli) -> None:
    failed = cli.at_terminal("collections", "get", "no-such-collection")
    assert failed.code == 1 and "Failed to fetch collection" in failed.stdout
    assert "Error: Client error '404 Not Found'" in failed.stdout


def test_json_can_be_had_at_a_terminal_too(cli: Cli, collection: Collection) -> None:
    for flag in ("--json", "--quiet"):
        shown = cli.at_terminal(flag, "collections", "get", collection.readable_id).stdout
        assert json.loads(shown[shown.index("{") :])["id"] == collection.id


def test_a_log_in_is_checked_kept_and_forgotten(cli: Cli, collection: Collection) -> None:
    cli.variables.clear()
    assert cli.run("collections", "list").error()["code"] == "no_credentials"

    def log_in(key: str) -> tuple[int, str]:
        answers = [("API key", key), ("Base URL", environment.url()), ("collection", collection.readable_id)]
        outcome = cli.at_terminal("auth", "login", "--api-key", answers=answers)
        return outcome.code, outcome.stdout

    code, text = log_in("A" * 43)
    assert code == 1 and "Authentication failed" in text and "Invalid or expired API key" in text
    assert not cli.config.exists()

    code, text = log_in(environment.api_key())
    assert code == 0 and "Config saved" in text, text
    assert stat.S_IMODE(cli.config.parent.stat().st_mode) == 0o700
    assert cli.run("sources", "list").json() == [], "key, URL and collection are known now"
    status = cli.run("auth", "status").json()
    assert (status["auth_source"], status["base_url"]) == ("config (API key)", environment.url())

    forgotten = cli.at_terminal("auth", "logout", answers=[("log out?", "y")])
    assert "Logged out" in forgotten.stdout and not cli.config.exists()
