"""Sources: the list, one, and what a form needs."""

import pytest
from airweave.errors import NotFoundError

from support.sdk import Checked

METHODS = {"direct", "oauth_browser", "oauth_token", "oauth_byoc", "auth_provider"}
FIELD_TYPES = {"string", "number", "boolean", "array"}


def test_each_source_of_the_list_is_the_same_alone(client: Checked) -> None:
    sources = client.sources.list()
    names = [source.short_name for source in sources]
    assert len(set(names)) == len(names)
    assert {"files", "postgresql", "timed", "stub"} <= set(names)
    for source in sources:
        assert client.sources.get(source.short_name) == source


def test_a_form_can_be_built_for_each_source(client: Checked) -> None:
    for source in client.sources.list():
        assert source.name and source.description and source.class_name, source.short_name
        assert source.auth_methods and set(source.auth_methods) <= METHODS
        assert isinstance(source.supported_auth_providers, list)
        assert source.output_entity_definitions, source.short_name
        if "direct" in source.auth_methods:
            assert source.auth_fields.fields, f"{source.short_name} needs credentials"
        for field in source.auth_fields.fields + source.config_fields.fields:
            assert field.name and field.title and field.description, (source.short_name, field)
            assert field.type in FIELD_TYPES, (source.short_name, field)
            assert (field.items_type is not None) == (field.type == "array"), (source.short_name, field)
            assert field.enum_values is None or len(field.enum_values) > 1, (source.short_name, field)


def test_what_must_stay_secret_is_marked(client: Checked) -> None:
    secret = {field.name for field in client.sources.get("postgresql").auth_fields.fields if field.is_secret}
    assert "password" in secret


def test_an_unknown_source_is_not_found(client: Checked) -> None:
    with pytest.raises(NotFoundError) as caught:
        client.sources.get("nothing")
    assert caught.value.body.detail.startswith("Source not found: nothing. There are: files, ")
