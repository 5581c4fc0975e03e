"""Several values files at once: their APIs under one gateway, each at its path, and an operator before them."""

import argparse
import asyncio
import copy
import importlib.util
import json
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cortex_async.errors import ConfigError
from cortex_async_tools.local.cluster import write_kubeconfig
from cortex_async_tools.local.emulator import CREDENTIALS, emulator, without_aws
from cortex_async_tools.local.fleet import Fleet, FleetPlan, LocalApi
from cortex_async_tools.local.output import Output, format_log_line
from cortex_async_tools.local.ports import check_free, free_ports
from cortex_async_tools.local.preparing import LOOPBACK, container_command, render
from cortex_async_tools.local.process import Command
from cortex_async_tools.local.rendered_release import Release
from cortex_async_tools.local.session import Stop, write_scratch

_GATEWAY_PORT = 8888
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class _Ports:
    """Of what all APIs share; `operator` is None without one, `emulator` with another S3 and SQS server."""

    gateway: int
    gateway_admin: int
    cluster: int
    operator: int | None
    emulator: int | None


def run(args: argparse.Namespace) -> int:
    """Run them until asked to stop; return the signal that ended the run before it was ready, or 0."""
    if args.operator and importlib.util.find_spec("jinja2") is None:
        raise ConfigError("--operator needs jinja2, which is not installed: pip install jinja2")
    if args.admin_port:
        raise ConfigError("--admin-port is of one API: with several, or an operator, each has a free port")
    releases = [render(args, file) for file in args.values]
    apis, ports = _choose_ports([each.api for each in releases], args)
    check_free(_needed(apis, ports))
    with tempfile.TemporaryDirectory(prefix="cortex-local-", ignore_cleanup_errors=True) as folder:
        plan = _plan(args, releases, apis, ports, Path(folder))
        return asyncio.run(_run(plan))


def _choose_ports(rendered: Sequence[Mapping[str, Any]], args: argparse.Namespace) -> tuple[list[Any], _Ports]:
    apis = [copy.deepcopy(dict(each)) for each in rendered]
    named = {port for api in apis for port in [api["pod"]["port"], *(each["port"] for each in api["probes"])]}
    free = free_ports(named | {_GATEWAY_PORT, args.port or 0})
    gateway = next(free) if args.port == 0 else args.port or _GATEWAY_PORT
    operator = next(free) if args.operator else None
    server = None if args.endpoint_url is not None else next(free)
    for api in apis:
        api["gateway"]["port"] = gateway
        api["dispatcher"]["adminPort"] = next(free)
        if server is not None:
            api["aws"]["endpointUrl"] = f"{LOOPBACK}:{server}"
    return apis, _Ports(gateway, next(free), next(free), operator, server)


def _needed(apis: Sequence[Mapping[str, Any]], ports: _Ports) -> list[tuple[int, str]]:
    found = [(ports.gateway, "the gateway (--port N chooses another)")]
    names: set[str] = set()
    for api in apis:
        if api["name"] in names:
            raise ConfigError(
                f"two of the values files are of an API {api['name']}: set another name in one of them"
            )
        names.add(api["name"])
        if api["webhooks"]:
            raise ConfigError(
                f"{api['name']} has webhooks, which the gateway that several APIs share does not send: run it "
                "alone and without --operator, or leave them out by --set webhooks.enabled=false"
            )
        what = f"the web server of {api['name']} (pod.port in its values file chooses another)"
        found.append((api["pod"]["port"], what))
        probed = {each["port"] for each in api["probes"]} - {api["pod"]["port"]}
        found += [(port, f"what a readiness probe of {api['name']} looks at") for port in probed]
    return found


def _plan(
    args: argparse.Namespace,
    releases: Sequence[Release],
    apis: Sequence[Mapping[str, Any]],
    ports: _Ports,
    scratch: Path,
) -> FleetPlan:
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    glue_env = {**releases[0].glue_env, **env}
    server = None
    if ports.emulator is not None:
        glue_env = {**without_aws(glue_env), **CREDENTIALS}
        server = emulator(ports.emulator, env, scratch)
    kubernetes = f"{LOOPBACK}:{ports.cluster}"
    argv = [sys.executable, "-m", "cortex_async", "gateway", "--shared", "--port", str(ports.gateway)]
    argv += ["--admin-port", str(ports.gateway_admin), "--server", kubernetes, "--account", str(scratch)]
    return FleetPlan(
        apis=[
            _api(release, api, file, env, glue_env, scratch / api["name"], ports, args.runtime)
            for release, api, file in zip(releases, apis, args.values, strict=True)
        ],
        scratch=scratch,
        emulator=server,
        gateway=Command("gateway", argv, glue_env, scratch, read_line=format_log_line),
        gateway_url=f"{LOOPBACK}:{ports.gateway}",
        gateway_admin_port=ports.gateway_admin,
        operator=_operator(ports, kubernetes, glue_env, scratch),
        operator_url=_operator_url(ports),
        cluster_port=ports.cluster,
        timeout_seconds=args.timeout,
    )


def _operator_url(ports: _Ports) -> str | None:
    return f"{LOOPBACK}:{ports.operator}" if ports.operator is not None else None


def _operator(ports: _Ports, kubernetes: str, env: Mapping[str, str], scratch: Path) -> Command | None:
    if ports.operator is None:
        return None
    write_kubeconfig(scratch / "kubeconfig", kubernetes)
    told = {
        "port": ports.operator,
        "clusterName": "local",
        "anonymous": ["read", "logs", "submit", "dead-letters"],
    }
    told["deadLetters"] = True
    told["gatewayNamespace"] = "default"
    told["endpointUrl"] = f"{LOOPBACK}:{ports.gateway}"
    (scratch / "operator.json").write_text(json.dumps(told))
    argv = [sys.executable, "-m", "cortex_operator", "--config", str(scratch / "operator.json")]
    own = {**env, "KUBECONFIG": str(scratch / "kubeconfig")}
    return Command("operator", argv, own, scratch, read_line=format_log_line)


def _api(
    release: Release,
    api: Mapping[str, Any],
    file: Path,
    env: Mapping[str, str],
    glue_env: Mapping[str, str],
    scratch: Path,
    ports: _Ports,
    runtime: str,
) -> LocalApi:
    scratch.mkdir()
    client = release.cli_yaml
    if url := _operator_url(ports):
        environment = {"name": "default", "operator_endpoint": url}
        client = json.dumps({"default_environment": "default", "environments": [environment]})
    write_scratch(scratch, api, client)

    def glue(name: str) -> Command:
        argv = [sys.executable, "-m", "cortex_async", name, "--config", str(scratch / "api.json")]
        return Command(f"{api['name']}/{name}", argv, glue_env, scratch, read_line=format_log_line)

    folder = file.resolve().parent
    return LocalApi(
        api=api,
        deployment=release.deployment,
        provision=glue("provision"),
        dispatcher=glue("dispatcher"),
        containers=[
            container_command(each, env, folder, scratch, api["dispatcher"]["adminPort"], runtime, api["name"])
            for each in release.containers
        ],
    )


async def _run(plan: FleetPlan) -> int:
    stop = Stop()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop.ask, number)
    output = Output(sys.stdout, plan.names, lambda: stop.ask(signal.SIGPIPE))
    got_ready = await Fleet(plan, output, stop).serve()
    return 0 if got_ready else stop.signal
