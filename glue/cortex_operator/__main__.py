"""`python -m cortex_operator --config FILE`: serve until SIGTERM."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

import aiohttp
from aiohttp import web

from cortex_async import logs
from cortex_async.errors import CortexError
from cortex_operator import __version__, config
from cortex_operator.app import Operator
from cortex_operator.auth import Guard
from cortex_operator.catalogue import Catalogue
from cortex_operator.config import OperatorConfig
from cortex_operator.dashboard import Dashboard
from cortex_operator.deploying import Deployer
from cortex_operator.helm import Helm
from cortex_operator.kubernetes import Cluster, Kubernetes, find_cluster
from cortex_operator.measures import Measures

_SHUTDOWN_SECONDS = 10.0


async def serve(settings: OperatorConfig, cluster: Cluster) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Kubernetes.open(cluster) as kubernetes, aiohttp.ClientSession() as session:
        catalogue = Catalogue(settings, kubernetes)
        helm = Helm(settings.helm, settings.chart, settings.deploy.timeout_seconds)
        deployer = Deployer(settings.deploy, catalogue, kubernetes, helm)
        guard = Guard(settings, session)
        measures = Measures(settings, kubernetes, session)
        dashboard = Dashboard(catalogue, deployer, guard, session, measures, dead_letters=settings.dead_letters)
        operator = Operator(settings, catalogue, deployer, guard, kubernetes, dashboard)
        runner = web.AppRunner(
            operator.application(),
            handle_signals=False,
            access_log=None,
            handler_cancellation=True,  # so that a log is followed no longer than somebody reads it
            shutdown_timeout=_SHUTDOWN_SECONDS,
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, None, settings.port).start()
            await stop.wait()
        except OSError as error:
            raise CortexError(f"cannot listen on port {settings.port}: {error.strerror}") from error
        finally:
            await runner.cleanup()
            await deployer.finish()


def main() -> int:
    """Run the operator: 0 told to stop, 1 failed for a reason that it printed."""
    parser = argparse.ArgumentParser(prog="python -m cortex_operator", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="operator.json, from the chart")
    try:
        settings = config.load(parser.parse_args().config)
        logs.configure("operator", settings.cluster_name)
        asyncio.run(serve(settings, find_cluster()))
    except CortexError as error:
        print(f"operator: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
