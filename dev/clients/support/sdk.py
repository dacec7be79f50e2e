"""The SDK's two clients behind one face: what a test calls runs with the blocking and with the async one.

Every answer that a call gives is held against the SDK's models on the way (see `wire`), and every response is kept,
with its headers.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from airweave import AirweaveSDK, AsyncAirweaveSDK

from support import environment, wire

_TIMEOUT = 60.0
"""What the SDK itself takes, in seconds, unless it is given an HTTP client."""


class Connection:
    """One client of the SDK with its HTTP client; to be closed."""

    def __init__(self, *, kind: str, api_key: str | None = None, headers: dict[str, str] | None = None) -> None:
        self.kind = kind
        self.api_key = environment.api_key() if api_key is None else api_key
        self.responses: list[httpx.Response] = []
        self._loop = asyncio.new_event_loop()
        options = {"base_url": environment.url(), "api_key": self.api_key, "headers": headers}
        if kind == "sync":
            self._http: Any = httpx.Client(timeout=_TIMEOUT, event_hooks={"response": [self._record]})
            self.sdk: Any = AirweaveSDK(httpx_client=self._http, **options)
        else:
            self._http = httpx.AsyncClient(timeout=_TIMEOUT, event_hooks={"response": [self._record_later]})
            self.sdk = AsyncAirweaveSDK(httpx_client=self._http, **options)

    @property
    def client(self) -> "Checked":
        """The client that tests call."""
        return Checked(self.sdk, self)

    def get(self, path: str) -> Any:
        """GET of what the SDK doesn't know; the JSON of a 200."""
        headers = {"x-api-key": self.api_key}
        response = self.finish(self._http.get(environment.url() + path, headers=headers))
        assert response.status_code == 200, response.text
        return response.json()

    def finish(self, result: Any) -> Any:
        """The outcome of a call, waited for if it must be."""
        return self._loop.run_until_complete(result) if isinstance(result, Awaitable) else result

    def close(self) -> None:
        """Closes the connections to the gateway."""
        self.finish(self._http.close() if self.kind == "sync" else self._http.aclose())
        self._loop.close()

    def _record(self, response: httpx.Response) -> None:
        response.read()
        self._keep(response)

    async def _record_later(self, response: httpx.Response) -> None:
        await response.aread()
        self._keep(response)

    def _keep(self, response: httpx.Response) -> None:
        self.responses.append(response)
        assert response.headers["x-request-id"], "every answer has a request id"
        assert response.headers["content-type"] == "application/json", response.headers
        assert not response.has_redirect_location, "no path is redirected"
        if response.is_success:
            for name in ("limit", "remaining", "reset"):
                assert response.headers[f"ratelimit-{name}"].isdigit(), response.headers


class Checked:
    """A part of the SDK's client, whose calls block and whose answers are checked."""

    def __init__(self, part: Any, connection: Connection) -> None:
        self._part = part
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        return self._checked(found) if callable(found) else Checked(found, self._connection)

    def _checked(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            result = self._connection.finish(method(*args, **kwargs))
            # A raw response carries the same data, beside its headers.
            wire.check(getattr(result, "data", result), self._connection.responses[-1])
            return result

        return call
