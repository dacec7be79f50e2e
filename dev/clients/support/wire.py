"""Strict checks of what came over the wire against the SDK's models.

The SDK is generous: its models take unknown fields, make a field that is missing `None`, turn texts into numbers, and
its enums take any value. So each answer is held against the model once more: every field is there and no other, each
has its type without conversion, each enum a value that the SDK names, and each time says that it is UTC.
"""

import re
import types
import typing
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx
import pydantic

_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")

# The SDK's generator took two schemas of the published contract with one name for one: these fields belong to the
# other of them, and the contract's `entities` has none of them.
_NOT_IN_THE_CONTRACT = {
    "EntitySummary": {"entity_id", "name", "entity_type", "source_name", "relevance_score"},
}


def check(data: Any, response: httpx.Response) -> None:
    """Holds a response's body against the model, or the list of models, that the SDK made of it."""
    body = response.json()
    if isinstance(data, list):
        assert isinstance(body, list) and len(body) == len(data), body
        for item, raw in zip(data, body, strict=True):
            check_object(type(item), raw)
    else:
        check_object(type(data), body)


def check_object(model: type[pydantic.BaseModel], raw: Any) -> None:
    """Holds one JSON value against a model."""
    found = list(_problems(model, raw, model.__name__))
    assert not found, "\n".join(found)
    # In JSON mode strict still takes a text for a time, as it must.
    model.model_validate_json(pydantic.TypeAdapter(Any).dump_json(raw), strict=True)


def _problems(annotation: Any, value: Any, path: str) -> Iterator[str]:
    """What differs; types that aren't looked at here are left to the strict validation."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if value is None:
        return
    if origin in (typing.Union, types.UnionType):
        yield from _union_problems(arguments, value, path)
    elif origin is list and isinstance(value, list):
        for at, item in enumerate(value):
            yield from _problems(arguments[0], item, f"{path}[{at}]")
    elif origin is dict and isinstance(value, dict):
        for key, item in value.items():
            yield from _problems(arguments[1], item, f"{path}[{key!r}]")
    elif annotation is datetime:
        if not (isinstance(value, str) and _UTC.fullmatch(value)):
            yield f"{path}: {value!r} is no time in UTC"
    elif isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        yield from _model_problems(annotation, value, path)


def _union_problems(arguments: tuple[Any, ...], value: Any, path: str) -> Iterator[str]:
    known = [text for argument in arguments for text in _literals(argument)]
    if known:
        # Such a union also has `Any` as a member, for values of a later version.
        if value not in known:
            yield f"{path}: {value!r} is none of {known}"
        return
    others = [argument for argument in arguments if argument is not type(None)]
    if len(others) == 1:
        yield from _problems(others[0], value, path)


def _literals(annotation: Any) -> tuple[Any, ...]:
    return typing.get_args(annotation) if typing.get_origin(annotation) is typing.Literal else ()


def _model_problems(model: type[pydantic.BaseModel], value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: {value!r} is no object"
        return
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    expected = fields.keys() - _NOT_IN_THE_CONTRACT.get(model.__name__, set())
    for name in sorted(expected - value.keys()):
        yield f"{path}.{name} is missing"
    for name in sorted(value.keys() - expected):
        yield f"{path}.{name} is unknown to the SDK"
    for name in expected & value.keys():
        yield from _problems(fields[name].annotation, value[name], f"{path}.{name}")
