"""Requests to the gateway before the fuzzing starts."""

import json
import os
import urllib.error
import urllib.request
from typing import Any


def call(method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    """Sends a request; status and body of its answer."""
    request = urllib.request.Request(
        os.environ["UNWEAVE_URL"] + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"x-api-key": os.environ["UNWEAVE_API_KEY"], "content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
