"""Makes what the fuzzer can't make by chance, and what the document's examples name.

Prints schemathesis.toml with the ids of what it has made: schemathesis itself knows no variables in dictionaries.
"""

from pathlib import Path
from string import Template

from gateway import call

# The examples' collections, and some that may be deleted.
COLLECTIONS = ["customer-support-x7k9m2", "old-support-p3q8zn", *(f"fuzzed-{number}" for number in range(4))]
CONNECTIONS = 30
CLEANUPS = 2


def main() -> None:
    """Prepares the organization that the API key opens."""
    for readable_id in COLLECTIONS:
        status, answer = call("POST", "/collections", {"name": "Fuzzed collection", "readable_id": readable_id})
        # 400: it is there from an earlier run.
        assert status in (200, 400), (status, answer)
    # In a collection that nothing names, so that they aren't all deleted at once.
    status, own = call("POST", "/collections", {"name": "Connections to fuzz"})
    assert status == 200, (status, own)
    ids = [connection(own["readable_id"]) for _ in range(CONNECTIONS + CLEANUPS)]
    status, keys = call("GET", "/api-keys")
    assert status == 200, (status, keys)
    made = {
        "ORGANIZATION": keys[0]["organization_id"],
        "CONNECTIONS": toml(ids[:CONNECTIONS]),
        "CLEANUPS": toml([delete(connection_id) for connection_id in ids[CONNECTIONS:]]),
    }
    print(Template(Path(__file__).with_name("schemathesis.toml").read_text()).safe_substitute(made))


def connection(collection: str) -> str:
    """Makes a connection that brings a few entities when it runs; its id."""
    body = {
        "short_name": "stub",
        "readable_collection_id": collection,
        "authentication": {"credentials": {"stub_key": "any"}},
        "sync_immediately": False,
    }
    status, made = call("POST", "/source-connections", body)
    assert status == 200, (status, made, "the fuzzer needs ENABLE_INTERNAL_SOURCES=true")
    return str(made["id"])


def delete(connection_id: str) -> str:
    """Deletes a connection; the id of its cleanup."""
    status, answer = call("DELETE", f"/source-connections/{connection_id}")
    assert status == 200, (status, answer)
    status, cleanups = call("GET", "/cleanups")
    assert status == 200, (status, cleanups)
    return next(str(one["id"]) for one in cleanups if one["source_connection_id"] == connection_id)


def toml(values: list[str]) -> str:
    """A list, as TOML writes it."""
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"


main()
