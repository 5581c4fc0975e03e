"""The gateway answers as schemas/openapi.yaml says, whatever it is asked: fuzzed by schemathesis."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import openapi_spec_validator
import pytest
import schemathesis
import yaml
from hypothesis import Phase, given, settings
from jsonschema import Draft202012Validator, FormatChecker
from schemathesis.generation import GenerationMode

from support.processes import Emulator
from support.stack import Client, Stack
from support.webhook_receiver import new_secret

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "schemas"
GATEWAY = ROOT / "glue" / "cortex_async" / "gateway"
CONNECTION = ROOT / "glue" / "cortex_async" / "http" / "connection.py"
EXAMPLES = 60


@pytest.fixture(scope="module")
def stack(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    secrets = tmp_path_factory.mktemp("secrets")
    (secrets / "one").write_text(new_secret())
    webhooks: dict[str, Any] = {
        "url": None,
        "folder": str(secrets),
        "allowedHosts": [],
        "allowPrivateAddresses": False,
    }
    told = {"queueName": f"webhooks-{uuid4().hex[:8]}", "events": ["completed"], "everyRequest": False}
    offered = {"gateway": {"list": True, "uploads": True, "webhooks": webhooks}, "webhooks": told}
    running = Stack(emulator, tmp_path_factory.mktemp("openapi"), offered)
    running.all()
    yield running
    running.stop()


def description(stack: Stack) -> dict[str, Any]:
    """The description of one API: its endpoint in the place of the parameter."""
    document: dict[str, Any] = yaml.safe_load((SCHEMAS / "openapi.yaml").read_text())
    failed = document["components"]["schemas"]["failed"]["properties"]
    failed["error"] = yaml.safe_load((SCHEMAS / "failure.schema.json").read_text())
    for item in document["paths"].values():
        item["parameters"] = [each for each in item["parameters"] if not each.get("$ref", "").endswith("/api")]
    document["paths"] = {path.replace("{api}", stack.name): item for path, item in document["paths"].items()}
    document["servers"] = [{"url": f"http://127.0.0.1:{stack.gateway_port}"}]
    return document


# A submission cannot be wrong by its form: any body is a payload, any query and header goes with it.
@pytest.mark.parametrize(
    ("path", "label", "mode"),
    [
        ("", "POST", GenerationMode.POSITIVE),
        ("", "GET", GenerationMode.POSITIVE),
        ("", "GET", GenerationMode.NEGATIVE),
        ("/uploads", "POST", GenerationMode.POSITIVE),
        ("/uploads", "POST", GenerationMode.NEGATIVE),
        ("/{id}", "GET", GenerationMode.POSITIVE),
        ("/{id}", "GET", GenerationMode.NEGATIVE),
        ("/{id}", "DELETE", GenerationMode.POSITIVE),
        ("/{id}/result", "GET", GenerationMode.POSITIVE),
        ("/{id}/result", "GET", GenerationMode.NEGATIVE),
        ("/{id}/webhook", "POST", GenerationMode.POSITIVE),
        ("/{id}/webhook", "POST", GenerationMode.NEGATIVE),
    ],
)
def test_gateway_answers_as_described_whatever_it_is_asked(
    stack: Stack, path: str, label: str, mode: GenerationMode
) -> None:
    operation = schemathesis.openapi.from_dict(description(stack))[f"/{stack.name}{path}"][label]

    most = stack.document["gateway"]["maxPayloadMiB"] * 2**20

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, phases=[Phase.explicit, Phase.generate])
    def answers_as_described(case: schemathesis.Case[Any]) -> None:
        if "Idempotency-Key" in (case.headers or {}):  # one that was used before is refused for another content
            case.headers["Idempotency-Key"] = uuid4().hex
        # there is no such upload and no such object, and no webhook goes to a host that is made up
        for name in ("X-Cortex-Upload-ID", "X-Cortex-Payload-Ref", "X-Callback-Url"):
            if case.headers:
                case.headers.pop(name, None)
        if "X-Cortex-Delay-Seconds" in (case.headers or {}):  # its end would be waited for in vain
            case.headers.pop("Prefer", None)
        if isinstance(case.body, dict) and isinstance(size := case.body.get("size"), int | float):
            case.body["size"] = min(size, most)  # within what this API takes
        case.call_and_validate(base_url=f"http://127.0.0.1:{stack.gateway_port}")

    answers_as_described()


@pytest.mark.parametrize(
    ("query", "statuses"),
    [
        ("", {"in_queue", "in_progress", "completed"}),
        ("?sleep=1", {"in_queue", "in_progress", "completed"}),
        ("?answer=[1,null]", {"in_queue", "in_progress", "completed"}),
        ("?status=418", {"in_queue", "in_progress", "failed"}),
        ("?answer=no", {"in_queue", "in_progress", "failed"}),
    ],
)
async def test_every_status_of_a_request_is_as_described(
    stack: Stack, http: aiohttp.ClientSession, query: str, statuses: set[str]
) -> None:
    operation = schemathesis.openapi.from_dict(description(stack))[f"/{stack.name}/{{id}}"]["GET"]
    schema = operation.definition.raw["responses"]["200"]["content"]["application/json"]["schema"]
    components = description(stack)["components"]
    validator = Draft202012Validator({**schema, "components": components}, format_checker=FormatChecker())
    client = Client(stack, http)
    request_id = await client.submit(b"x", query=query)
    seen: set[str] = set()
    while not seen & {"completed", "failed"}:
        _, document = await client.get(request_id)
        validator.validate(document)
        seen.add(document["status"])
    assert seen <= statuses


def test_description_is_valid_openapi() -> None:
    file = SCHEMAS / "openapi.yaml"
    openapi_spec_validator.validate(yaml.safe_load(file.read_text()), base_uri=file.as_uri())


def test_errors_that_the_description_names_are_those_that_the_gateway_has() -> None:
    text = (SCHEMAS / "openapi.yaml").read_text()
    named = set(re.findall(r"\(`([a-z0-9_]+)`\)", text))
    code = (
        "".join(
            file.read_text()
            for file in [*GATEWAY.glob("*.py"), *GATEWAY.glob("webhooks/*.py")]
            if file.name != "admin.py"
        )
        + CONNECTION.read_text()
    )
    raised = set(re.findall(r"(?:Rejected|error_document)\(\s*(?:\d+|status), \"([a-z0-9_]+)\"", code))
    assert named == raised | {"not_found", "method_not_allowed"}  # these two by aiohttp's reason
