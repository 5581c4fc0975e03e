"""boto3 clients, for the commands that run once: they need operations that `cortex_async.aws` has not."""

import os
from typing import Any

import boto3
from botocore.config import Config

from cortex_async import limits
from cortex_async.config import ApiConfig


def client(api: ApiConfig, service: str, *, tries: int = 5) -> Any:
    """Return a client of `service` ("s3", "sqs") where the API's queue and bucket are.

    `tries` is how often it sends a call that gets no usable answer; the pauses between them grow to seconds.
    """
    endpoint = api.aws.endpoint_url
    style = "path" if endpoint or os.environ.get("AWS_ENDPOINT_URL") else "auto"
    settings = Config(
        retries={"mode": "standard", "total_max_attempts": tries},
        s3={"addressing_style": style},
        connect_timeout=limits.AWS_CONNECT_SECONDS,  # botocore's own is a minute, five times over
        read_timeout=limits.S3_READ_SECONDS,
    )
    return boto3.client(service, region_name=api.aws.region, endpoint_url=endpoint, config=settings)
