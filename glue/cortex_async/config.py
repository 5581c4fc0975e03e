"""`api.json`, what the chart tells the glue, as frozen dataclasses (schemas/api.schema.json is the contract).

The loader is strict in the same way as the schema (no unknown key, no missing key, no wrong type), without
the cost of a JSON-schema library in every pod; that both agree is a test.
"""

import argparse
import dataclasses
import json
import re
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from cortex_async.errors import ConfigError


@dataclass(frozen=True)
class AwsConfig:
    """Where S3 and SQS are; `endpoint_url` is None for AWS itself."""

    region: str
    endpoint_url: str | None


@dataclass(frozen=True)
class StorageConfig:
    """The bucket, the key prefix in it, and for how many days objects are kept.

    Payloads may be objects below `payload_references`, each `s3://<bucket>/` and a prefix that ends with a slash.
    """

    bucket: str
    prefix: str
    retention_days: int
    payload_references: tuple[str, ...]


@dataclass(frozen=True)
class QueueConfig:
    """The queue: by `url` when something else made it, else by `name`; limits in seconds and bytes.

    By `fairness_header` clients tell whose a request is; None: SQS does not share the pods out.
    """

    url: str | None
    name: str
    dead_letter_name: str
    max_attempts: int
    visibility_timeout_seconds: int
    inline_limit_bytes: int
    retry_on: tuple[int, ...]
    fairness_header: str | None


@dataclass(frozen=True)
class PodConfig:
    """The web server of the pod; `request_timeout_seconds` is None for no limit.

    It is told of cancelled requests at `cancel_path`, unless that is None. Results may be JSON, or of
    `result_content_types`.
    """

    port: int
    max_concurrency: int
    request_timeout_seconds: int | None
    termination_grace_period_seconds: int
    cancel_path: str | None
    result_content_types: tuple[str, ...]


@dataclass(frozen=True)
class ProbeConfig:
    """One readiness probe, with the meaning Kubernetes gives to each of its fields (seconds, counts)."""

    container: str | None
    type: Literal["http_get", "tcp_socket"]
    port: int
    path: str | None
    initial_delay_seconds: int
    timeout_seconds: int
    period_seconds: int
    success_threshold: int
    failure_threshold: int


@dataclass(frozen=True)
class ApiKeysConfig:
    """Where the API keys are, a file each, and how many calls a second each may make; None: any number."""

    folder: str
    requests_per_second: float | None


@dataclass(frozen=True)
class DeliveryConfig:
    """How webhooks are sent: to `url`, unless a request names another; signed by the secrets in `folder`.

    A request may name `allowed_hosts` alone; none: every host. Private addresses, and http, are refused unless
    `allow_private_addresses`.
    """

    url: str | None
    folder: str
    allowed_hosts: tuple[str, ...]
    allow_private_addresses: bool


@dataclass(frozen=True)
class GatewayConfig:
    """The HTTP front: its ports, the path of the API, and what it accepts.

    `max_queued` requests may wait before submissions are refused; None: any number. Without `api_keys` everyone
    may call. `allowed_origins` are those of web pages that may; "*": all.
    Results over `redirect_over_mib` are read from S3 itself; None: none are. With `uploads`
    clients may put payloads into S3 themselves, with `list` list the requests.
    `request_timeout_seconds` is the longest that a request may ask for; None: the 12 hours of SQS.
    `webhooks` is None where none are sent.
    """

    port: int
    admin_port: int
    endpoint: str
    max_payload_mib: int = dataclasses.field(metadata={"key": "maxPayloadMiB"})
    sensitive_headers: Literal["drop", "forward"]
    max_queued: int | None
    api_keys: ApiKeysConfig | None
    allowed_origins: tuple[str, ...]
    redirect_over_mib: int | None = dataclasses.field(metadata={"key": "redirectOverMiB"})
    uploads: bool
    list: bool
    request_timeout_seconds: int | None
    webhooks: DeliveryConfig | None


@dataclass(frozen=True)
class DispatcherConfig:
    """The sidecar itself."""

    admin_port: int


@dataclass(frozen=True)
class ScalingConfig:
    """What the gateway needs to say how much is in flight: `window_seconds` is averaged over."""

    target_in_flight: float
    window_seconds: int


@dataclass(frozen=True)
class TracingConfig:
    """Where spans are sent by OTLP over HTTP (None: there are none), and the share of new traces that are kept."""

    endpoint: str | None
    sample_ratio: float


@dataclass(frozen=True)
class WebhooksConfig:
    """Of which events webhooks are sent, by which queue: of `every_request`, or of those that name a URL."""

    queue_name: str
    events: tuple[str, ...]
    every_request: bool


@dataclass(frozen=True)
class ApiConfig:
    """The whole document."""

    name: str
    cluster_name: str
    release: str
    aws: AwsConfig
    storage: StorageConfig
    queue: QueueConfig
    pod: PodConfig
    probes: tuple[ProbeConfig, ...]
    gateway: GatewayConfig
    dispatcher: DispatcherConfig
    scaling: ScalingConfig
    tracing: TracingConfig
    webhooks: WebhooksConfig | None


T = TypeVar("T")


def load(path: Path | str) -> ApiConfig:
    """Read and check an `api.json`; raises ConfigError when it is missing or not as its schema says."""
    try:
        document = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise ConfigError(
            f"cannot read the configuration {path}: {error.strerror}; "
            "give the api.json that the chart renders by --config"
        ) from error
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON: {error}") from error
    return parse(document)


def parse(document: object) -> ApiConfig:
    """Build the configuration from the decoded document; raises ConfigError naming the first wrong field."""
    api = _build(ApiConfig, document, "")
    if not api.probes:
        raise ConfigError("api.json: probes must have at least one")
    return api


def add_config_argument(parser: "argparse._ActionsContainer", *, required: bool = True) -> None:
    """Add `--config FILE`, which every command that runs in the cluster takes."""
    parser.add_argument(
        "--config",
        required=required,
        metavar="FILE",
        help="the api.json that the chart renders into ConfigMap api-<name>",
    )


def _build(cls: type[T], value: object, path: str) -> T:
    if not isinstance(value, dict):
        raise ConfigError(f"api.json: {path or 'the document'} must be an object, not {_kind(value)}")
    hints = typing.get_type_hints(cls)
    keys = {field.metadata.get("key") or _camel(field.name): field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in value:
        if key not in keys:
            raise ConfigError(
                f"api.json: {_join(path, key)} is not a known key; chart and glue differ in version?"
            )
    found = {}
    for key, name in keys.items():
        if key not in value:
            raise ConfigError(f"api.json: {_join(path, key)} is missing; chart and glue differ in version?")
        found[name] = _convert(hints[name], value[key], _join(path, key))
    return cls(**found)


def _convert(hint: Any, value: object, path: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        if value in arguments:
            return value
        raise ConfigError(f"api.json: {path} must be one of {', '.join(map(repr, arguments))}, not {value!r}")
    if origin is types.UnionType:
        return None if value is None else _convert(arguments[0], value, path)
    if origin is tuple:
        if not isinstance(value, list):
            raise ConfigError(f"api.json: {path} must be a list, not {_kind(value)}")
        return tuple(_convert(arguments[0], item, f"{path}[{index}]") for index, item in enumerate(value))
    if dataclasses.is_dataclass(hint):
        return _build(typing.cast(type, hint), value, path)
    if hint is float and type(value) is int:  # JSON has one kind of number
        return float(value)
    if type(value) is not hint:
        raise ConfigError(f"api.json: {path} must be {_names[hint]}, not {_kind(value)}")
    return value


_names = {bool: "true or false", str: "a string", int: "an integer", float: "a number"}


def _kind(value: object) -> str:
    return "null" if value is None else f"{type(value).__name__} {value!r}"


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


def _join(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)
