"""What one API and several have in common: rendering a values file, and how a container is started."""

import argparse
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cortex_async_tools.chart.values_file import ValuesError, check_values, find_chart
from cortex_async_tools.local.emulator import BUCKET, REGION
from cortex_async_tools.local.podman import PODMAN, check_podman, removal_line, run_line
from cortex_async_tools.local.process import Command
from cortex_async_tools.local.rendered_release import Container, Release, render_release

LOOPBACK = "http://127.0.0.1"


def render(args: argparse.Namespace, file: Path) -> Release:
    """Render a values file as local mode runs it; raises ValuesError and RenderError."""
    runs_images = args.runtime == PODMAN
    if runs_images:
        check_podman()
    chart = find_chart(args.chart)
    endpoint = args.endpoint_url or LOOPBACK  # without a port: it is chosen later, apart from the rendered ones
    overlay: dict[str, Any] = {"aws": {"region": REGION, "bucket": BUCKET, "endpointUrl": endpoint}}
    overlay["gateway"] = {"apiKeys": {"secretName": None}}  # there is no Secret, and only this machine can call
    overlay["monitoring"] = {"tracing": {"endpoint": None}}  # what receives spans is in a cluster
    overlay["webhooks"] = {
        "secretName": "local",
        "allowPrivateAddresses": True,
    }  # receivers may be on this machine
    overlay["client"] = {"existingSecret": None}  # which is in a cluster
    overlay["emulator"] = {"enabled": False}  # the chart's emulator runs in a cluster
    if args.endpoint_url is None:
        overlay["queue"] = {"url": None}  # the embedded server does not have the user's queue
    if findings := check_values(file, chart, overlay, args.overlays):
        raise ValuesError(file, findings)
    release = render_release(
        file, chart, overlay, args.settings, dict(args.commands), args.overlays, has_images=runs_images
    )
    for each in release.containers:
        if each.origin is not None:
            origin = f"`{shlex.join(each.argv)}`, from {each.origin.name}"
            print(f"container {each.name} runs {origin}", file=sys.stderr)
    return release


def container_command(
    container: Container,
    env: Mapping[str, str],
    folder: Path,
    scratch: Path,
    admin_port: int,
    runtime: str,
    api: str = "",
) -> Command:
    """Return how to start a container in the folder of its values file; `api` is named where there are several."""
    name = container.name if container.name not in {"emulator", "provision"} else f"container {container.name}"
    title = f"container {container.name}"
    if api:
        name, title = f"{api}/{container.name}", f"{title} of {api}"
    client, mnt = scratch / "cortex" / "client", scratch / "mnt"
    progress = {"CORTEX_PROGRESS_URL": f"{LOOPBACK}:{admin_port}/progress"}
    if runtime == PODMAN:
        mnt.chmod(0o777)  # as an emptyDir is: the image's user may be anybody
        called = f"{scratch.parent.name}-{api}-{container.name}" if api else f"{scratch.name}-{container.name}"
        line = run_line(
            container, called, {**container.env, **progress}, [(mnt, "/mnt"), (client, "/cortex/client")]
        )
        return Command(name, line, env, folder, title, clean_up=removal_line(called))
    own = {**env, **container.env, **progress, "CORTEX_CLI_CONFIG_DIR": str(client), "CORTEX_MNT": str(mnt)}
    own["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), own.get("PATH", os.defpath)])
    return Command(name, container.argv, own, folder, title)
