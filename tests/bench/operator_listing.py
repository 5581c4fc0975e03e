"""How long the operator takes to list many APIs, and what memory it has then.

`PYTHONPATH=tests python -m bench.operator_listing` puts 500 APIs with 2,000 pods behind the API server of the
tests, and prints the medians of a real operator's answers. That server is a process of
its own, and part of what is measured.
"""

import argparse
import http.client
import multiprocessing
import statistics
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from support.kubernetes_api import ApiServer, Serving, serving
from support.operator_process import RunningOperator, add_api

_MANAGED_FIELDS = [
    {"manager": "kubelet", "time": "2026-01-01T00:00:00Z", "fieldsV1": {f"f:{n}": {} for n in range(150)}}
]


def serve(apis: int, pods: int, folder: Path, pipe: Connection) -> None:
    """Serve a cluster of that size until the pipe says so."""
    server = ApiServer()
    for number in range(apis):
        add_api(server, f"api-{number:04}", replicas=pods // apis)
    for key, each in server.objects.items():
        if key[1] == "pods":
            each["metadata"]["managedFields"] = _MANAGED_FIELDS  # a real pod has some 5 KiB of them
    with serving(server, folder) as running:
        pipe.send(running.url)
        pipe.recv()


def measure(operator: RunningOperator, path: str, rounds: int) -> float:
    """Return the median time of a call, in seconds."""
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", operator.port, timeout=60)
        connection.request("GET", path, headers={"CortexAPIVersion": "0.1.0"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        connection.close()
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--apis", type=int, default=500)
    parser.add_argument("--pods", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours, theirs = multiprocessing.Pipe()
        server = multiprocessing.Process(target=serve, args=(args.apis, args.pods, folder, theirs))
        server.start()
        url = ours.recv()
        operator = RunningOperator(Serving(ApiServer(), int(url.rsplit(":", 1)[1]), folder), folder)
        try:
            for path in ("/get", "/get/api-0007", "/describe/api-0007", "/info"):
                print(f"{path:<20} {measure(operator, path, args.rounds):.3f} s")
            status = Path(f"/proc/{operator.process.pid}/status").read_text()
            peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
            print(f"peak memory          {int(peak.split()[1]) / 1024:.0f} MiB")
        finally:
            operator.process.stop()
            ours.send("end")
            server.join()


if __name__ == "__main__":
    main()
