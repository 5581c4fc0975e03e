"""JSON schemas of the custom resources that the chart renders: HTTPRoute (Gateway API) and VirtualService (Istio).

They follow the published v1 schemas, but have only the fields that the chart uses and refuse all others. Nothing
else checks these objects before they reach a cluster.
"""

from collections.abc import Sequence
from typing import Any

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME = {"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", "maxLength": 253}
_HOST = {"type": "string", "pattern": rf"^(\*\.)?{_LABEL}(\.{_LABEL})*$"}
_PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
_PATH = {"type": "string", "pattern": r"^(/[^/?#]+)+/?$", "maxLength": 1024}


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

SCHEMAS = {
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): _resource(_HTTP_ROUTE),
    ("networking.istio.io/v1", "VirtualService"): _resource(_VIRTUAL_SERVICE),
}
"""By apiVersion and kind."""
