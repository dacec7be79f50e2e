"""Waiting on facts, never on a guessed time."""

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

Fact = TypeVar("Fact")

BOUND = 60.0
"""The longest that anything may take, in seconds."""

_POLL = 0.05


def wait_until(what: str, fact: Callable[[], Fact], bound: float = BOUND) -> Fact:
    """Asks `fact` until it answers something true, and answers that; fails after `bound` seconds."""
    deadline = time.monotonic() + bound
    while True:
        found = fact()
        if found:
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {bound:.0f} s; the last look gave {found!r}")
        time.sleep(_POLL)
