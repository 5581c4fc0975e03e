"""The embedded S3 and SQS server: ministack, on a free loopback port. It stores nothing on disk."""

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from cortex_async.errors import CortexError
from cortex_async_tools.aws_login import HOW_TO_LOG_IN
from cortex_async_tools.local.process import Command

EMULATOR = "emulator"
"""The name of its process."""

REGION = "us-east-1"
BUCKET = "cortex-local"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""The emulator requires a signature but accepts any."""


class EmulatorError(CortexError):
    """The S3 and SQS server cannot be used."""


def emulator(port: int, env: Mapping[str, str], scratch: Path) -> Command:
    """Return the command that starts the server; raises `EmulatorError`."""
    if importlib.util.find_spec("ministack") is None:
        raise EmulatorError(
            "the embedded S3 and SQS server is not installed: pip install 'cortex-async[local]', "
            "or name a server of your own with --endpoint-url"
        )
    own = {
        **without_aws(env),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "LOG_LEVEL": "WARNING",
        "TMPDIR": str(scratch),  # where it writes its pid file
        "S3_PERSIST": "0",
        "PERSIST_STATE": "0",
    }
    return Command(EMULATOR, [sys.executable, "-m", "ministack"], own, scratch)


def without_aws(env: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without variables that point to a real account or another server."""
    return {name: value for name, value in env.items() if not name.startswith(("AWS_", "LOCALSTACK_"))}


def buckets_of(api: Mapping[str, Any], *, is_emulated: bool) -> list[str]:
    """Return the buckets to make for an API: its own, and in an emulator those of its payloads by reference."""
    storage = api["storage"]
    others = [each.split("/")[2] for each in storage["payloadReferences"]] if is_emulated else []
    return [storage["bucket"], *sorted(set(others) - {storage["bucket"]})]


def create_bucket(endpoint_url: str, region: str, bucket: str, env: Mapping[str, str]) -> None:
    """Create the bucket unless it exists; raises `EmulatorError`. Blocking: call it in a thread."""
    keys = {
        "aws_access_key_id": env.get("AWS_ACCESS_KEY_ID"),
        "aws_secret_access_key": env.get("AWS_SECRET_ACCESS_KEY"),
        "aws_session_token": env.get("AWS_SESSION_TOKEN"),
    }
    settings = Config(s3={"addressing_style": "path"}, connect_timeout=5, read_timeout=10)
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        session = boto3.Session(region_name=region, **keys)
        s3 = session.client("s3", endpoint_url=endpoint_url, config=settings)
        s3.create_bucket(Bucket=bucket, **where)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
            raise EmulatorError(f"{endpoint_url} refuses to make the bucket {bucket}: {error}") from error
    except NoCredentialsError as error:
        raise EmulatorError(
            f"no AWS credentials found for {endpoint_url}, where an emulator would take any keys: {HOW_TO_LOG_IN}"
        ) from error
    except BotoCoreError as error:
        raise EmulatorError(f"cannot make the bucket {bucket} at {endpoint_url}: {error}") from error
