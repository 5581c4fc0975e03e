"""boto3 clients, for the commands that run once: they need operations that `cortex_async.aws` has not."""

import os
from typing import Any

import boto3
from botocore.config import Config

from cortex_async.config import ApiConfig


def client(api: ApiConfig, service: str) -> Any:
    """Return a client of `service` ("s3", "sqs") where the API's queue and bucket are."""
    endpoint = api.aws.endpoint_url
    style = "path" if endpoint or os.environ.get("AWS_ENDPOINT_URL") else "auto"
    settings = Config(retries={"mode": "standard", "max_attempts": 5}, s3={"addressing_style": style})
    return boto3.client(service, region_name=api.aws.region, endpoint_url=endpoint, config=settings)
