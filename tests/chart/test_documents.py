"""What is made from the schema is fresh; every key is described, and does something."""

import functools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from chart.generated import inlined
from chart.helm_cli import CHART, ROOT, Helm, Object, at, merged

SCHEMA: dict[str, Any] = json.loads((ROOT / "schemas" / "values.schema.json").read_text())
ALL_OPTIONS: dict[str, Any] = yaml.safe_load((ROOT / "values" / "all-options.yaml").read_text())

NEEDS: dict[str, dict[str, Any]] = {
    # keys that do something only beside others
    "autoscaling.window": at("autoscaling.trigger", "metrics-api"),
    "networkPolicy.kedaFrom": at("autoscaling.trigger", "metrics-api"),
    "image.tag": at("image.digest", None),
    "gateway.replicas": at("gateway.autoscaling.enabled", False),
    "accelerators.gpu.tolerations": at("pod.containers", [{"name": "a", "image": "x", "compute": {"gpu": 1}}]),
    "serviceAccount.create": at("serviceAccount.name", None),
    "queue.url": at("queue.deleteOnUninstall", False),
    "gitops.enabled": {"queue": {"deleteOnUninstall": False}, "autoscaling": {"init_replicas": None}},
}
_EMULATOR = {
    "emulator": {"enabled": True},
    "aws": {"endpointUrl": None, "credentialsSecret": None},
    "networking": {name: {"enabled": False} for name in ("istio", "httpRoute", "ingress")},
    "serviceAccount": {"annotations": None},
}
NEEDS |= {key: at("client.existingSecret", None) for key in ("client.environment", "client.operatorEndpoint")}
_UNROUTED = {
    "networking": {name: {"enabled": False} for name in ("httpRoute", "ingress")},
    "gateway": {"apiKeys": {"secretName": None}},
    "webhooks": {"enabled": False},
}
NEEDS["gateway.shared"] = _UNROUTED
NEEDS |= {
    f"gateway.{key}": merged(_UNROUTED, at("gateway.shared", True)) for key in ("sharedName", "sharedNamespace")
}
NEEDS |= {key: _EMULATOR for key in ("emulator.image", "emulator.resources.requests", "emulator.resources.limits")}

OTHERS: dict[str, Any] = {
    # where nothing can be made out of what stands in all-options.yaml
    "name": "other",
    "pod.request_timeout": "5m",
    "pod.containers": [{"name": "other", "image": "x"}],
    "autoscaling.engine": "none",
    "autoscaling.window": "40s",
    "autoscaling.downscale_stabilization_period": "3m",
    "autoscaling.upscale_stabilization_period": "3m",
    "monitoring.podMonitor.interval": "20s",
    "autoscaling.trigger": "metrics-api",
    "autoscaling.init_replicas": 4,
    "safeToEvict": True,
    "networking.endpoint": "other",
    "image.digest": "sha256:" + "1" * 64,
    "aws.region": "us-west-2",
    "aws.endpointUrl": "http://other",
    "monitoring.tracing.endpoint": "http://other:4318",
    "queue.url": "https://sqs.internal/1/other",
    "queue.deleteOnUninstall": False,
    "terminationGracePeriodSeconds": 800,
    "client.operatorEndpoint": "http://other",
    "client.existingSecret": "other",
    "securityContext.level": "restricted",
    "global": {"imageRegistry": "other"},
    "gateway.service.type": "NodePort",
    "logLevel": "error",
    "webhooks.events": ["failed"],
    "webhooks.url": "https://other",
    "image.pullPolicy": "Never",
    "gateway.sensitiveHeaders": "drop",
    "gateway.podDisruptionBudget.maxUnavailable": 5,
    "podDisruptionBudget.maxUnavailable": 5,
    "extraVolumes": [{"name": "models", "emptyDir": {}}, {"name": "scratch", "emptyDir": {}}],
    "networking.httpRoute.parentRefs": [{"name": "other"}],
    "networking.istio.gateways": ["other"],
    "networking.istio.hosts": ["other"],
    "emulator.resources.limits": {"memory": "2Gi"},
    "networkPolicy.egress.awsPorts": [8443],
    "networkPolicy.egress.webhookPorts": [8443],
    "networkPolicy.egress.dnsPorts": [53],
    "update_strategy.max_surge": 5,
    "update_strategy.max_unavailable": 5,
}


def _leaves(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, part in schema.get("properties", {}).items():
        inner = f"{path}.{name}".lstrip(".")
        if part and part.get("properties") and inner != "global" and "patternProperties" not in part:
            if name in {"requests", "limits"}:
                yield inner, part
            else:
                yield from _leaves(part, inner)
        else:
            yield inner, part


LEAVES = dict(_leaves(inlined(SCHEMA)))


def _other(path: str, now: Any) -> Any:
    if path in OTHERS:
        return OTHERS[path]
    if isinstance(now, bool):
        return not now
    if isinstance(now, int):
        return now + 1
    if isinstance(now, float):
        return now * 0.9
    if isinstance(now, str):
        return re.sub(r"^([a-z]+)", r"\1x", now) if now[0].islower() else now + "x"
    if isinstance(now, list):
        return []
    return {"cpu": "777m", "memory": "200Mi"} if path.endswith(("requests", "limits")) else {"other": "x"}


@pytest.mark.parametrize("path", sorted(LEAVES.keys() - {"kind", "enabled", "emulator.enabled"}))
def test_every_key_does_something(helm4: Helm, path: str) -> None:
    base = merged(ALL_OPTIONS, NEEDS.get(path, {}))
    now: Any = base
    for key in path.split("."):
        now = now.get(key) if isinstance(now, dict) else None
    other = _other(path, now)
    changed = merged(base, at(path, other)) if not isinstance(other, dict) else _replaced(base, path, other)
    assert _rendered(helm4, json.dumps(base)) != helm4.template(changed)


@functools.cache
def _rendered(helm: Helm, values: str) -> list[Object]:
    return helm.template(json.loads(values))


def _replaced(base: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    first, _, rest = path.partition(".")
    return {**base, first: _replaced(base[first], rest, value) if rest else value}


def _described(schema: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, part in (schema.get("properties") or {}).items() if isinstance(schema, dict) else ():
        if part is not False:
            yield f"{path}.{name}", part
            yield from _described(part, f"{path}.{name}")
    if isinstance(schema, dict) and isinstance(schema.get("items"), dict):
        yield from _described(schema["items"], f"{path}[]")


def test_every_key_is_described_in_the_schema() -> None:
    parts = dict(_described(SCHEMA))
    for name, definition in SCHEMA["definitions"].items():
        parts |= dict(_described(definition, name))
    for path, part in parts.items():
        text = part.get("description") or SCHEMA["definitions"][part["$ref"].split("/")[-1]].get("description")
        assert text, f"{path} has no description"
        assert text.endswith("."), f"{path}: {text}"


def test_every_object_of_the_schema_is_closed() -> None:
    def objects(part: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
        if isinstance(part, dict):
            if part.get("type") == "object":
                yield path, part
            for key, inner in part.items():
                yield from objects(inner, f"{path}/{key}")

    for path, part in objects(SCHEMA, ""):
        if path != "/properties/global":
            assert part.get("additionalProperties") is False, f"{path} is open"


def test_every_key_of_the_schema_is_in_the_charts_values() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for path in LEAVES:
        now = values
        for key in path.split("."):
            assert key in now, f"{path} is not in values.yaml"
            now = now[key]


def test_what_is_made_from_the_schema_is_fresh() -> None:
    done = subprocess.run([sys.executable, ROOT / "charts" / "generate.py", "--check"], check=False)
    assert done.returncode == 0
    copies = [ROOT / "schemas" / "values.schema.json", CHART / "values.schema.json"]
    assert copies[0].read_bytes() == copies[1].read_bytes()


def test_no_template_outgrows_what_can_be_read() -> None:
    for path in (CHART / "templates").rglob("*"):
        if path.is_file():
            assert len(path.read_text().splitlines()) <= 120, path


def test_templates_take_their_arguments_by_name() -> None:
    for path in (CHART / "templates").rglob("*"):
        if path.is_file():
            text = path.read_text()
            assert not re.search(r'index \. \d|include "[^"]+" \(list', text), path


def test_every_define_is_commented_prefixed_and_used() -> None:
    texts = {path: path.read_text() for path in (CHART / "templates").rglob("*") if path.is_file()}
    everything = "\n".join(texts.values())
    for path, text in texts.items():
        for match in re.finditer(r'\{\{-? define "([^"]+)"', text):
            assert match[1].startswith("cortex-async."), match[1]
            assert "*/}}" in text[: match.start()].rstrip()[-5:], f"{path}: {match[1]} has no comment"
            used = f'"{match[1]}"' in everything.replace(match[0], "") or match[1].startswith(
                "cortex-async.problems."
            )
            assert used, f"{match[1]} is not used"


def test_the_readme_has_every_key() -> None:
    text = (CHART / "README.md").read_text()
    for key in LEAVES:
        assert f"`{key}`" in text or f"`{key}." in text, key
