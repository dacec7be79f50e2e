"""What schemathesis must not do: saw off the branch that it sits on."""

from typing import Any

import schemathesis

from gateway import call

# Keys that were there before: one of them is the one that all requests are sent with.
_KEYS = {key["id"] for key in call("GET", "/api-keys")[1]}
_NOBODYS = "00000000-0000-4000-8000-000000000000"


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: schemathesis.Case, _kwargs: dict[str, Any]) -> None:
    """Lets requests that would delete or rotate such a key name one that isn't there."""
    if "/api-keys" not in case.operation.path or case.method not in ("DELETE", "POST"):
        return
    for parameters in (case.path_parameters, case.query):
        # Anything may stand there: a list, a number, nothing.
        if parameters and str(parameters.get("id")) in _KEYS:
            parameters["id"] = _NOBODYS
