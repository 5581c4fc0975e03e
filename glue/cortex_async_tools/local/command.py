"""Run a values file on this machine, without a cluster, Docker or an AWS account.

The chart is rendered by the real helm. The gateway and the dispatcher run as they do in the cluster, against an
embedded S3 and SQS server; each container runs as a plain process: its command and args, in the folder of the
values file, with CORTEX_MNT naming the folder that is /mnt in the cluster. With --runtime podman each runs from
its image instead, in this machine's network.
"""

import argparse
import asyncio
import copy
import os
import re
import shlex
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cortex_async_tools.chart.rendering import add_overlays_argument
from cortex_async_tools.local import several
from cortex_async_tools.local.emulator import CREDENTIALS, emulator, without_aws
from cortex_async_tools.local.once import Outcome, Payload, PayloadError, read_payload
from cortex_async_tools.local.output import Output, format_log_line
from cortex_async_tools.local.podman import PODMAN
from cortex_async_tools.local.ports import check_free, free_ports
from cortex_async_tools.local.preparing import LOOPBACK, container_command, render
from cortex_async_tools.local.process import Command
from cortex_async_tools.local.rendered_release import Release
from cortex_async_tools.local.session import Plan, Session, Stop, write_scratch

_TIMEOUT_SECONDS = 120.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "values",
        nargs="+",
        type=Path,
        metavar="VALUES",
        help="values file of the API; several run beside one another",
    )
    add_overlays_argument(parser)
    parser.add_argument(
        "--operator",
        action="store_true",
        help="run an operator before the APIs too, for the cortex command and cortex.client()",
    )
    parser.add_argument(
        "--once",
        metavar="PAYLOAD",
        help="submit one request (text, @file, or - for stdin), print its result, exit",
    )
    parser.add_argument("--content-type", metavar="TYPE", help="content type of PAYLOAD (default: by what it is)")
    parser.add_argument(
        "--endpoint-url",
        type=_url,
        metavar="URL",
        help="S3 and SQS server to use, with your AWS credentials, instead of the embedded one",
    )
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="K=V",
        help="set a value, as helm --set does",
    )
    parser.add_argument(
        "--command",
        dest="commands",
        action="append",
        type=_command,
        default=[],
        metavar="[CONTAINER=]WORDS",
        help="what the image of a container without a command runs; repeatable",
    )
    parser.add_argument(
        "--runtime",
        choices=["process", PODMAN],
        default="process",
        help="run containers as plain processes, or each from its image by podman (default: %(default)s)",
    )
    parser.add_argument(
        "--port", type=_port, help="port of the gateway; 0 = any free one (default: the chart's, 8888)"
    )
    parser.add_argument(
        "--admin-port", type=_port, help="port of the dispatcher's /readyz; 0 = any free one (default: 15000)"
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=_TIMEOUT_SECONDS,
        metavar="S",
        help="seconds the containers may take to get ready (default: %(default)g)",
    )
    parser.add_argument("--chart", type=Path, metavar="FOLDER", help="chart to render (default: this checkout's)")


def run(args: argparse.Namespace) -> int:
    """Run the values file; return 0, 1 when the request failed, or 128 + the signal that ended it too early."""
    try:
        outcome, signalled = _prepare_and_run(args)
    except KeyboardInterrupt:  # nothing has been started yet
        return 128 + signal.SIGINT
    if outcome is not None:
        print(outcome.document)
        return 0 if outcome.status == "completed" else 1
    return 128 + signalled if signalled else 0


def _prepare_and_run(args: argparse.Namespace) -> tuple[Outcome | None, int]:
    payload = read_payload(args.once, args.content_type) if args.once is not None else None
    if len(args.values) > 1 or args.operator:
        if payload is not None:
            raise PayloadError("--once takes one values file, and no --operator")
        return None, several.run(args)
    release = render(args, args.values[0])
    api, emulator_port = _choose_ports(release.api, args)
    check_free(_ports(api))
    with tempfile.TemporaryDirectory(prefix="cortex-local-", ignore_cleanup_errors=True) as folder:
        scratch = Path(folder)
        write_scratch(scratch, api, release.cli_yaml)
        return asyncio.run(_run(_plan(args, release, api, scratch, emulator_port), payload))


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return int(text)


def _command(text: str) -> tuple[str, list[str]]:
    """Return the container that is named, or "", and the words of its command line."""
    named = re.match(r"([a-z][-a-z0-9]*)=", text)
    try:
        words = shlex.split(text[named.end() :] if named else text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected the words of a command line, got {text!r}: {error}") from error
    if not words:
        raise argparse.ArgumentTypeError("expected the words of a command line, such as 'python server.py'")
    return named[1] if named else "", words


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]+/?", text):
        raise argparse.ArgumentTypeError(f"expected a URL such as http://localhost:4566, got {text!r}")
    return text


def _choose_ports(rendered: Mapping[str, Any], args: argparse.Namespace) -> tuple[dict[str, Any], int | None]:
    """Return the API with its final ports, and the port of the embedded server if there is one."""
    api: dict[str, Any] = copy.deepcopy(dict(rendered))
    if args.port is not None:
        api["gateway"]["port"] = args.port
    if args.admin_port is not None:
        api["dispatcher"]["adminPort"] = args.admin_port
    free = free_ports({port for port, _ in _ports(api)})
    api["gateway"]["port"] = api["gateway"]["port"] or next(free)
    api["dispatcher"]["adminPort"] = api["dispatcher"]["adminPort"] or next(free)
    if args.port is not None or args.admin_port is not None:  # another run may have the usual one
        api["gateway"]["adminPort"] = next(free)
    if args.endpoint_url is not None:
        return api, None
    emulator_port = next(free)
    api["aws"]["endpointUrl"] = f"{LOOPBACK}:{emulator_port}"
    return api, emulator_port


def _ports(api: Mapping[str, Any]) -> list[tuple[int, str]]:
    port = api["pod"]["port"]
    probes = {
        each["port"]: f"what the readiness probe of container {each['container']} looks at"
        for each in api["probes"]
        if each["port"] != port
    }
    return [
        (api["gateway"]["port"], "the gateway (--port N chooses another)"),
        (api["gateway"]["adminPort"], "the gateway's metrics (--port N chooses a free one)"),
        (api["dispatcher"]["adminPort"], "the dispatcher (--admin-port N chooses another)"),
        (port, "the web server (pod.port in the values file, or --set pod.port=N, chooses another)"),
        *probes.items(),
    ]


def _plan(
    args: argparse.Namespace, release: Release, api: Mapping[str, Any], scratch: Path, emulator_port: int | None
) -> Plan:
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    glue_env = {**release.glue_env, **env}  # the user's environment may set CORTEX_LOG_LEVEL
    server = None
    if emulator_port is not None:
        glue_env = {**without_aws(glue_env), **CREDENTIALS}
        server = emulator(emulator_port, env, scratch)

    def glue(name: str) -> Command:
        argv = [sys.executable, "-m", "cortex_async", name, "--config", str(scratch / "api.json")]
        return Command(name, argv, glue_env, scratch, read_line=format_log_line)

    folder = args.values[0].resolve().parent
    return Plan(
        api=api,
        scratch=scratch,
        emulator=server,
        provision=glue("provision"),
        gateway=glue("gateway"),
        dispatcher=glue("dispatcher"),
        containers=[
            container_command(each, env, folder, scratch, api["dispatcher"]["adminPort"], args.runtime)
            for each in release.containers
        ],
        timeout_seconds=args.timeout,
    )


async def _run(plan: Plan, payload: Payload | None) -> tuple[Outcome | None, int]:
    """Return the outcome of `--once` if any, and the signal that ended the run too early, or 0."""
    stop = Stop()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop.ask, number)
    stream = sys.stdout if payload is None else sys.stderr
    session = Session(plan, Output(stream, plan.names, lambda: stop.ask(signal.SIGPIPE)), stop)
    if payload is None:
        got_ready = await session.serve()
        return None, 0 if got_ready else stop.signal
    outcome = await session.once(payload)
    return outcome, 0 if outcome is not None else stop.signal
