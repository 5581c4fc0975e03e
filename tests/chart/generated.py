"""Values made from the schema itself, and mended where they break a rule that the schema cannot say."""

import copy
import ipaddress
import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Any

import jsonschema
from hypothesis import strategies as st
from hypothesis_jsonschema import from_schema

from chart.helm_cli import ROOT, at, merged
from chart.kubernetes import quantity

SCHEMA: dict[str, Any] = json.loads((ROOT / "schemas" / "values.schema.json").read_text())
_WORDS = {"description", "title", "default", "$schema", "definitions"}

Values = dict[str, Any]


def inlined(part: Any) -> Any:
    """The schema with its definitions in place, and without what validates nothing."""
    if isinstance(part, list):
        return [inlined(each) for each in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return inlined(SCHEMA["definitions"][part["$ref"].split("/")[-1]])
    return {key: inlined(value) for key, value in part.items() if key not in _WORDS}


def strategy(part: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What a schema accepts. Closed objects and lists are put together here, which `from_schema` does slowly."""
    if part.get("type") == "array" and not part.get("uniqueItems"):
        least = part.get("minItems", 0)
        return st.lists(strategy(part["items"]), min_size=least, max_size=max(least, 3))
    if "patternProperties" in part:
        pattern, inner = next(each for each in part["patternProperties"].items() if each[1] is not False)
        keys = from_schema({"type": "string", "pattern": pattern}, allow_x00=False, codec="ascii")
        return st.dictionaries(keys, strategy(inner), max_size=3).filter(jsonschema.Draft7Validator(part).is_valid)
    if part.get("additionalProperties") is not False:
        return from_schema(part, allow_x00=False, codec="ascii")
    alternatives = [each["required"][0] for each in part.get("oneOf", [])]
    objects = [_object(part, without=set(alternatives) - {name}, needed=name) for name in alternatives or [None]]
    made = st.one_of(objects)
    return (
        made.filter(jsonschema.Draft7Validator(part).is_valid)
        if {"anyOf", "allOf", "minProperties"} & part.keys()
        else made
    )


def _object(part: dict[str, Any], without: set[str], needed: str | None) -> st.SearchStrategy[Values]:
    required = {*part.get("required", ()), *([needed] if needed else ())}
    inner = {name: strategy(each) for name, each in part["properties"].items() if name not in without}
    return st.fixed_dictionaries(
        {name: each for name, each in inner.items() if name in required},
        optional={name: each for name, each in inner.items() if name not in required},
    )


def _leaves(part: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, inner in part["properties"].items():
        if "properties" in inner and "patternProperties" not in inner:
            yield from _leaves(inner, f"{path}{name}.")
        else:
            yield f"{path}{name}", inner


LEAVES = {path: strategy(part) for path, part in _leaves(inlined(SCHEMA)) if not path.startswith("global")}
"""What each key accepts that has no keys of its own."""

_CONTAINERS = LEAVES.pop("pod.containers")


def values(paths: Iterable[str]) -> st.SearchStrategy[Values]:
    """What the schema accepts: containers, a region and a bucket, and these keys."""
    return st.fixed_dictionaries({path: LEAVES[path] for path in paths} | {"pod.containers": _CONTAINERS}).map(
        _nested
    )


def _nested(flat: Values) -> Values:
    result: Values = {}
    for path, value in flat.items():
        result = merged(result, at(path, value))
    return merged(result, {"aws": {"region": "eu-west-1", "bucket": "results"}})


def mended(given: Values) -> Values:
    """The values with what breaks a rule set to something that does not."""
    result = copy.deepcopy(given)
    _mend_pod(result)
    _mend_scaling(result)
    _mend_extras(result)
    _mend_platform(result)
    _mend_references(result)
    _mend_gitops(result)
    return result


def number(amount: str | float) -> float:
    return quantity(amount) if isinstance(amount, str) else float(amount)


def _mend_devices(containers: list[Values]) -> None:
    kept = None
    for container in containers:
        compute = container.get("compute", {})
        for name in ("gpu", "inf"):
            if compute.get(name):
                kept = kept or name
                if name != kept:
                    del compute[name]


def _mend_pod(result: Values) -> None:
    _mend_devices(result["pod"]["containers"])
    for index, container in enumerate(result["pod"]["containers"]):
        container["name"] = f"{container['name'][:50]}-{index}"
        compute = container.get("compute", {})
        if compute.get("cpu") and number(compute["cpu"]) < 0.02:
            compute["cpu"] = "20m"
        if compute.get("mem") and number(compute["mem"]) < 20 * 2**20:
            compute["mem"] = "20Mi"
        if compute.get("shm") and not 0 < number(compute["shm"]) <= number(compute.get("mem") or 1e15):
            del compute["shm"]
        if compute.get("inf") and not compute.get("mem"):
            compute["cpu"] = "1"
    timeout = result["pod"].get("request_timeout")
    if timeout and not 1 <= seconds(timeout) <= 43200:
        result["pod"]["request_timeout"] = "12h"
    if timeout:
        result.pop("terminationGracePeriodSeconds", None)


def seconds(duration: str) -> int:
    total, digits = 0, ""
    for character in duration:
        if character.isdigit():
            digits += character
        else:
            total += int(digits) * {"h": 3600, "m": 60, "s": 1}[character]
            digits = ""
    return total


def _mend_scaling(result: Values) -> None:
    scaling = result.get("autoscaling", {})
    least = scaling.get("min_replicas", 1)
    most = scaling["max_replicas"] = max(least, scaling.get("max_replicas", 100))
    if scaling.get("init_replicas") is not None:
        scaling["init_replicas"] = min(most, max(least, scaling["init_replicas"]))
    if seconds(scaling.get("window", "60s")) < 10 or seconds(scaling.get("window", "60s")) % 10:
        scaling["window"] = "60s"
    if scaling.get("trigger") == "sqs" and scaling.get("target_in_flight") is not None:
        scaling["target_in_flight"] = max(1, round(scaling["target_in_flight"]))
    strategy = result.get("update_strategy", {})
    if strategy.get("max_unavailable") in {0, "0%"}:
        strategy["max_surge"] = 1
    gateway = result.get("gateway", {}).get("autoscaling", {})
    gateway["maxReplicas"] = max(gateway.get("minReplicas", 2), gateway.get("maxReplicas", 20))


def _mend_references(result: Values) -> None:
    gateway = result.get("gateway", {})
    found = gateway.get("payloadReferences", [])
    gateway["payloadReferences"] = [each for each in found if not each.startswith("s3://results/")]


def _mend_gitops(result: Values) -> None:
    if not result.get("gitops", {}).get("enabled"):
        return
    scaling = result.setdefault("autoscaling", {})
    scaling["engine"] = "keda"
    scaling.pop("init_replicas", None)
    result.get("queue", {}).pop("deleteOnUninstall", None)


def _unique(items: list[Values], *keys: str, taken: Iterable[Any] | None = None) -> list[Values]:
    seen = set(taken or ())
    kept = []
    for each in items:
        mark = tuple(each.get(key, "ScheduleAnyway") for key in keys) if len(keys) > 1 else each[keys[0]]
        if mark not in seen:
            kept.append(each)
        seen.add(mark)
    return kept


def _mend_extras(result: Values) -> None:
    taken = [name for container in result["pod"]["containers"] for name in container.get("env", {})]
    result["extraEnv"] = _unique(result.get("extraEnv", []), "name", taken=taken)
    result["aws"]["extraEnv"] = _unique(result["aws"].get("extraEnv", []), "name")
    result["extraVolumes"] = _unique(result.get("extraVolumes", []), "name")
    names = [each["name"] for each in result["extraVolumes"]]
    mounts = result.get("extraVolumeMounts", []) if names else []
    for index, each in enumerate(mounts):
        each["name"] = names[index % len(names)]
    result["extraVolumeMounts"] = _unique(mounts, "mountPath", taken=["/mnt", "/cortex/client", "/dev/shm"])
    for owner in (result, result.get("gateway", {})):
        spreads = owner.get("topologySpreadConstraints", [])
        owner["topologySpreadConstraints"] = _unique(spreads, "topologyKey", "whenUnsatisfiable")


def _mend_peers(policy: Values) -> None:
    egress = policy.get("egress", {})
    egress["awsPorts"] = egress.get("awsPorts") or [443]  # a proxy may be among aws.extraEnv
    lists = [policy.get(name, []) for name in ("gatewayFrom", "dispatcherFrom", "monitoringFrom", "kedaFrom")]
    lists += [egress.get("dnsTo", []), egress.get("awsTo", [])]
    lists += [rule.get("to", []) for rule in egress.get("podsTo", [])]
    for peer in itertools.chain(*lists):
        if block := peer.get("ipBlock"):
            block["cidr"] = str(ipaddress.ip_network(block["cidr"], strict=False))


_DEFAULT_REQUESTS = {"cpu": "100m", "memory": "128Mi"}


def _mend_limits(part: str, resources: Values) -> None:
    requests = {**_DEFAULT_REQUESTS, **resources.get("requests", {})}
    limits = resources.setdefault("limits", {})
    if part in ("gateway", "dispatcher"):
        limits.setdefault("memory", "256Mi")
    for name in [name for name in limits if number(limits[name]) < number(requests.get(name, 0))]:
        limits[name] = requests[name]


def _mend_webhooks(webhooks: Values, *, is_shared: bool) -> None:
    if is_shared:
        webhooks.pop("enabled", None)
    if webhooks.get("enabled"):
        webhooks["secretName"] = webhooks.get("secretName") or "webhooks"
        if (webhooks.get("url") or "").startswith("http:"):
            webhooks["allowPrivateAddresses"] = True


def _mend_platform(result: Values) -> None:
    result.pop("enabled", None)
    if "repository" in result.get("image", {}):
        result["image"]["repository"] = result["image"]["repository"] or "cortex-async"
    _mend_peers(result.get("networkPolicy", {}))
    for part in ("gateway", "dispatcher", "provision", "emulator"):
        _mend_limits(part, result.get(part, {}).get("resources", {}))
    for part in ("gateway", "provision"):
        result.get(part, {}).get("serviceAccount", {}).pop("name", None)
    if result.get("securityContext", {}).get("runAsUser") == 0:
        result["securityContext"]["level"] = "baseline"
    if result.get("queue", {}).get("url"):
        result["queue"]["deleteOnUninstall"] = False
        result["queue"]["fairnessHeader"] = None
    networking = result.get("networking", {})
    is_shared = result.get("gateway", {}).get("shared")
    if is_shared or not networking.get("httpRoute", {}).get("parentRefs"):
        networking.pop("httpRoute", None)
    networking.pop("ingress" if is_shared else "", None)
    result.get("gateway", {}).pop("apiKeys" if is_shared else "", None)
    _mend_webhooks(result.get("webhooks", {}), is_shared=bool(is_shared))
    if result.get("emulator", {}).get("enabled"):
        result["emulator"].setdefault("image", "emulator:1")
        result["emulator"]["image"] = result["emulator"]["image"] or "emulator:1"
        result["aws"] = {}
        for key in ("networking", "serviceAccount"):
            result.pop(key, None)
        result.get("queue", {}).pop("url", None)
