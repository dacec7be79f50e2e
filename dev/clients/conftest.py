"""For every suite."""

import os

import pytest


def pytest_configure() -> None:
    """Says at once what whoever starts a suite by hand has forgotten."""
    for name in ("UNWEAVE_URL", "UNWEAVE_API_KEY"):
        if not os.environ.get(name):
            raise pytest.UsageError(
                f"{name} isn't set: run `make test`, or `make up` and `set -a; source .local/stack.env; set +a`"
            )
