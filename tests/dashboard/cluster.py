"""What a cluster's own exporters tell, for a stack of processes: kubelet, kube-state-metrics, NVIDIA's exporter.

CPU and memory are those of the processes; requests, replicas and the GPU are made up.
"""

import math
import os
import time
from collections.abc import Iterator

from aiohttp import web

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
CPU_REQUEST = 0.1
MEMORY_REQUEST = 100 * 2**20


class Exporters:
    """Serves all of it under one /metrics; `containers` maps pod and container to the process that it is."""

    def __init__(self, namespace: str, deployment: str) -> None:
        self.containers: dict[tuple[str, str], int] = {}
        self._namespace = namespace
        self._deployment = deployment

    async def metrics(self, _: web.Request) -> web.Response:
        return web.Response(text="".join(f"{line}\n" for line in self._lines()))

    def _lines(self) -> Iterator[str]:
        space = f'namespace="{self._namespace}"'
        pods = {pod for pod, _ in self.containers}
        yield f'kube_deployment_spec_replicas{{{space},deployment="{self._deployment}"}} {len(pods)}'
        for (pod, name), pid in self.containers.items():
            labels = f'{space},pod="{pod}",container="{name}"'
            try:
                seconds, memory = _used(pid)
            except OSError:
                continue
            yield f"container_cpu_usage_seconds_total{{{labels}}} {seconds}"
            yield f"container_memory_working_set_bytes{{{labels}}} {memory}"
            for resource, amount in (("cpu", CPU_REQUEST), ("memory", MEMORY_REQUEST)):
                yield f'kube_pod_container_resource_requests{{{labels},resource="{resource}"}} {amount}'
        for number, pod in enumerate(sorted(pods)):
            used = 50 + 40 * math.sin(time.time() / 10 + number)
            yield f'DCGM_FI_DEV_GPU_UTIL{{{space},pod="{pod}"}} {used:.1f}'


def _used(pid: int) -> tuple[float, int]:
    """CPU seconds and resident bytes of a process; raises OSError when it is gone."""
    with open(f"/proc/{pid}/stat") as file:
        words = file.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / _TICKS, int(words[21]) * _PAGE
