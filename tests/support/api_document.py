"""An `api.json` as the chart renders it, for tests to change."""

import copy
from collections.abc import Mapping
from typing import Any

_DOCUMENT: dict[str, Any] = {
    "name": "hello",
    "clusterName": "test",
    "release": "default/hello",
    "aws": {"region": "us-west-2", "endpointUrl": None},
    "storage": {"bucket": "bucket", "prefix": "test", "retentionDays": 7, "payloadReferences": []},
    "queue": {
        "url": None,
        "name": "test-hello",
        "deadLetterName": "test-hello-dead-letter",
        "maxAttempts": 3,
        "visibilityTimeoutSeconds": 60,
        "inlineLimitBytes": 262144,
        "retryOn": [],
        "fairnessHeader": None,
    },
    "pod": {
        "port": 8080,
        "maxConcurrency": 4,
        "requestTimeoutSeconds": None,
        "terminationGracePeriodSeconds": 60,
        "cancelPath": None,
        "resultContentTypes": [],
    },
    "probes": [
        {
            "container": "web",
            "type": "http_get",
            "port": 8080,
            "path": "/healthz",
            "initialDelaySeconds": 0,
            "timeoutSeconds": 1,
            "periodSeconds": 1,
            "successThreshold": 1,
            "failureThreshold": 3,
        }
    ],
    "gateway": {
        "port": 8888,
        "adminPort": 15001,
        "endpoint": "/hello",
        "maxPayloadMiB": 64,
        "sensitiveHeaders": "drop",
        "maxQueued": None,
        "apiKeys": None,
        "allowedOrigins": [],
        "redirectOverMiB": None,
        "uploads": False,
        "list": False,
        "requestTimeoutSeconds": None,
        "webhooks": None,
    },
    "dispatcher": {"adminPort": 15000},
    "scaling": {"targetInFlight": 4, "windowSeconds": 60},
    "tracing": {"endpoint": None, "sampleRatio": 1},
    "webhooks": None,
}


def api_document(*changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document of its own with the changes laid over it, objects merged."""
    document = copy.deepcopy(_DOCUMENT)
    for change in changes:
        _merge(document, change)
    return document


def _merge(base: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, Mapping) and base[key] is not None:
            _merge(base[key], value)
        else:
            base[key] = value
