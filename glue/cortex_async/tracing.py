"""Whether there are spans: the OpenTelemetry SDK is imported only by who sends some."""

from collections.abc import Iterator
from contextlib import contextmanager

from cortex_async.errors import ConfigError


@contextmanager
def needs_sdk() -> Iterator[None]:
    """Say what to do when an import within fails; raises ConfigError."""
    try:
        yield
    except ImportError as error:
        raise ConfigError(
            f"monitoring.tracing.endpoint is set, and there is no OpenTelemetry SDK here ({error}): "
            "build the image of the glue with --target otel, or leave the endpoint out"
        ) from error
