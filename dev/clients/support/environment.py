"""What whoever starts a suite must say: where the gateway is, and whose keys there are.

The names are those of `.local/stack.env`, so that a suite also runs by hand beside `make up`. What that file
doesn't have is optional: tests that need it are skipped, and the system tests count a skipped test as a failure.
"""

import os

import pytest


def url() -> str:
    """Base URL of the gateway, without a slash at its end."""
    return os.environ["UNWEAVE_URL"]


def api_key() -> str:
    """An API key of the organization that the tests work in."""
    return os.environ["UNWEAVE_API_KEY"]


def stranger_api_key() -> str:
    """An API key of another organization."""
    return _optional("STRANGER_API_KEY")


def limited_api_key() -> str:
    """An API key of an organization with plan `developer`, which nothing else uses: ten requests a minute."""
    return _optional("LIMITED_API_KEY")


def sync_worker_pid() -> int:
    """Process id of the only sync-worker."""
    return int(_optional("SYNC_WORKER_PID"))


def _optional(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        pytest.skip(f"{name} isn't set: `make test` sets it")
    return value
