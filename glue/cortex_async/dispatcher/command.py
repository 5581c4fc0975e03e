"""Feed queued requests to the pod's web server, and keep its answers: the sidecar of every pod."""

import argparse
import asyncio

from cortex_async import config, logs
from cortex_async.dispatcher.service import serve


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    config.add_config_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT."""
    api = config.load(args.config)
    logs.configure("dispatcher", api.name)
    asyncio.run(serve(api))
    return 0
