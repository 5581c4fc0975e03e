"""Record the arrivals at a gateway: `python -m simulation.record http://127.0.0.1:15001/metrics SECONDS > FILE`.

One number for every 10 s, the requests that were accepted in them, read from the gateway's metrics. With several
gateways record each, and add the numbers up.
"""

import sys
import time
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from simulation.settings import TICK_SECONDS


def accepted(url: str) -> float:
    """How many requests the gateway has accepted since it began."""
    with urllib.request.urlopen(url, timeout=5) as response:
        families = text_string_to_metric_families(response.read().decode())
    samples = [sample for family in families for sample in family.samples]
    return sum(each.value for each in samples if each.name == "cortex_async_submitted_total")


def record(url: str, seconds: float) -> None:
    """Print the numbers as they come."""
    began, before = time.monotonic(), accepted(url)
    for tick in range(1, round(seconds / TICK_SECONDS) + 1):
        time.sleep(max(0.0, began + tick * TICK_SECONDS - time.monotonic()))
        now = accepted(url)
        print(f"{now - before:g}", flush=True)
        before = now


if __name__ == "__main__":
    record(sys.argv[1], float(sys.argv[2]))
