"""JSON schemas of the custom resources that the chart renders, of the Gateway API, Istio, KEDA and the Prometheus
operator.

They follow the published schemas, but have only the fields that the chart uses and refuse all others. Nothing
else checks these objects before they reach a cluster.
"""

from collections.abc import Sequence
from typing import Any

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME = {"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", "maxLength": 253}
_HOST = {"type": "string", "pattern": rf"^(\*\.)?{_LABEL}(\.{_LABEL})*$"}
_PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
_PATH = {"type": "string", "pattern": r"^/$|^(/[^/?#]+)+/?$", "maxLength": 1024}


def _closed(required: Sequence[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": properties}


def _list(item: dict[str, Any], **limits: int) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "items": item, **limits}


def _resource(spec: dict[str, Any]) -> dict[str, Any]:
    texts = {"type": "object", "additionalProperties": {"type": "string"}}
    metadata = _closed(["name"], name=_NAME, namespace=_NAME, labels=texts, annotations=texts)
    text = {"type": "string"}
    required = ["apiVersion", "kind", "metadata", "spec"]
    return _closed(required, apiVersion=text, kind=text, metadata=metadata, spec=spec)


_HTTP_ROUTE = _closed(
    ["parentRefs", "rules"],
    parentRefs=_list(_closed(["name"], name=_NAME, namespace=_NAME, sectionName=_NAME, port=_PORT), maxItems=32),
    hostnames=_list(_HOST, maxItems=16),
    rules=_list(
        _closed(
            ["matches", "backendRefs"],
            matches=_list(
                _closed(["path"], path=_closed(["type", "value"], type={"const": "PathPrefix"}, value=_PATH))
            ),
            backendRefs=_list(_closed(["name", "port"], name=_NAME, port=_PORT)),
        )
    ),
)

_VIRTUAL_SERVICE = _closed(
    ["gateways", "hosts", "http"],
    gateways=_list({"type": "string", "pattern": rf"^({_LABEL}/)?{_LABEL}(\.{_LABEL})*$"}),
    hosts=_list({"type": "string", "pattern": rf"^(\*|(\*\.)?{_LABEL}(\.{_LABEL})*)$"}),
    http=_list(
        _closed(
            ["match", "route"],
            match=_list(
                _closed(
                    ["uri"],
                    uri=_closed([], exact=_PATH, prefix=_PATH) | {"minProperties": 1, "maxProperties": 1},
                )
            ),
            route=_list(
                _closed(
                    ["destination"],
                    destination=_closed(["host"], host=_NAME, port=_closed(["number"], number=_PORT)),
                )
            ),
        )
    ),
)

_TEXT = {"type": "string"}
_SECONDS = {"type": "integer", "minimum": 0}
_COUNT = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
_HPA_RULES = _closed(
    ["stabilizationWindowSeconds", "selectPolicy", "policies"],
    stabilizationWindowSeconds=_SECONDS | {"maximum": 3600},
    selectPolicy={"enum": ["Max", "Min", "Disabled"]},
    policies=_list(
        _closed(
            ["type", "value", "periodSeconds"],
            type={"enum": ["Pods", "Percent"]},
            value={"type": "integer", "minimum": 1},
            periodSeconds={"type": "integer", "minimum": 1, "maximum": 1800},
        )
    ),
    tolerance={"type": "string", "pattern": r"^[0-9]+[mu]?$"},
)
_BEHAVIOR = _closed(["scaleUp", "scaleDown"], scaleUp=_HPA_RULES, scaleDown=_HPA_RULES)
_SCALED_OBJECT = _closed(
    ["scaleTargetRef", "triggers"],
    scaleTargetRef=_closed(["name"], name=_NAME),
    minReplicaCount=_COUNT,
    maxReplicaCount=_COUNT | {"minimum": 1},
    pollingInterval=_SECONDS,
    cooldownPeriod=_SECONDS,
    initialCooldownPeriod=_SECONDS,
    fallback=_closed(
        ["failureThreshold", "replicas"],
        failureThreshold=_COUNT,
        replicas=_COUNT,
        behavior={"enum": ["static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"]},
    ),
    advanced=_closed([], horizontalPodAutoscalerConfig=_closed([], behavior=_BEHAVIOR)),
    triggers=_list(
        _closed(
            ["type", "metadata"],
            type={"enum": ["metrics-api", "aws-sqs-queue"]},
            metadata={"type": "object", "additionalProperties": _TEXT},
            authenticationRef=_closed(["name"], name=_NAME),
        )
    ),
)
_TRIGGER_AUTHENTICATION = _closed(
    [],
    podIdentity=_closed(["provider"], provider={"const": "aws"}),
    secretTargetRef=_list(_closed(["parameter", "name", "key"], parameter=_TEXT, name=_NAME, key=_TEXT)),
)
_DURATION = {"type": "string", "pattern": r"^([0-9]+[hms])+$"}
_POD_MONITOR = _closed(
    ["selector", "podMetricsEndpoints"],
    selector=_closed(["matchLabels"], matchLabels={"type": "object", "additionalProperties": _TEXT}),
    podMetricsEndpoints=_list(
        _closed(
            ["port"],
            port=_TEXT,
            path=_PATH,
            interval=_DURATION,
            honorLabels={"type": "boolean"},
            relabelings=_list(_closed(["targetLabel"], sourceLabels=_list(_TEXT), targetLabel=_TEXT)),
        )
    ),
)
_PROMETHEUS_RULE = _closed(
    ["groups"],
    groups=_list(
        _closed(
            ["name", "rules"],
            name=_TEXT,
            rules=_list(
                _closed(
                    ["alert", "expr", "for"],
                    alert=_TEXT,
                    expr=_TEXT,
                    labels={"type": "object", "additionalProperties": _TEXT},
                    annotations={"type": "object", "additionalProperties": _TEXT},
                    **{"for": _DURATION},
                )
            ),
        )
    ),
)

SCHEMAS = {
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): _resource(_HTTP_ROUTE),
    ("networking.istio.io/v1", "VirtualService"): _resource(_VIRTUAL_SERVICE),
    ("keda.sh/v1alpha1", "ScaledObject"): _resource(_SCALED_OBJECT),
    ("keda.sh/v1alpha1", "TriggerAuthentication"): _resource(_TRIGGER_AUTHENTICATION),
    ("monitoring.coreos.com/v1", "PodMonitor"): _resource(_POD_MONITOR),
    ("monitoring.coreos.com/v1", "PrometheusRule"): _resource(_PROMETHEUS_RULE),
}
"""By apiVersion and kind."""
