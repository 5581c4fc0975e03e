"""`api.json`: the loader is as strict as its schema."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis_jsonschema import from_schema

from cortex_async import config
from cortex_async.errors import ConfigError
from support.api_document import api_document

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "api.schema.json").read_text())


def test_document_becomes_the_configuration() -> None:
    api = config.parse(api_document({"queue": {"retryOn": [500]}}))
    assert (api.cluster_name, api.queue.retry_on, api.gateway.max_payload_mib) == ("test", (500,), 64)
    assert api.probes[0].type == "http_get"


@given(from_schema(SCHEMA, allow_x00=False, codec="ascii"))
@settings(max_examples=20)
def test_what_the_schema_accepts_is_accepted(document: Any) -> None:
    config.parse(document)


def changed(path: str, value: Any) -> dict[str, Any]:
    document = api_document()
    *parents, key = path.split(".")
    part: Any = document
    for parent in parents:
        part = part[int(parent) if parent.isdecimal() else parent]
    if value is ...:
        del part[key]
    else:
        part[key] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("name", ..., "name is missing"),
        ("name", 3, "name must be a string, not int 3"),
        ("queue.maxAttempts", "3", "queue.maxAttempts must be an integer, not str '3'"),
        ("queue.maxAttempts", True, "queue.maxAttempts must be an integer, not bool True"),
        ("queue.unknown", 1, "queue.unknown is not a known key"),
        ("queue.retryOn", {}, "queue.retryOn must be a list"),
        ("aws", None, "aws must be an object, not null"),
        ("probes.0.type", "exec", "probes[0].type must be one of 'http_get', 'tcp_socket', not 'exec'"),
        ("gateway.sensitiveHeaders", "maybe", "gateway.sensitiveHeaders must be one of"),
        ("probes", [], "probes must have at least one"),
    ],
)
def test_what_the_schema_refuses_is_refused_by_name(path: str, value: Any, told: str) -> None:
    document = changed(path, value)
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(document)
    with pytest.raises(ConfigError) as caught:
        config.parse(document)
    assert told in str(caught.value)


def test_file_that_is_missing_or_no_json_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--config"):
        config.load(tmp_path / "absent.json")
    file = tmp_path / "api.json"
    file.write_text("name: yaml")
    with pytest.raises(ConfigError, match="not JSON"):
        config.load(file)
