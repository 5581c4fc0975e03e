"""Print the tables of charts/cortex-async/SCALING.md, and draw its picture: `python -m simulation [FILE.svg]`."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from chart.helm_cli import Helm
from simulation.loads import LOADS, RECORDED
from simulation.plot import draw
from simulation.scalers import KedaAndHpa, Original, replay, serve
from simulation.settings import Settings, render

HELM = "4.3.1"
Both = tuple[list[int], list[int]]
COLUMNS = ["most replicas, original", "KEDA", "largest difference", "replica-hours, original", "KEDA"]


def compare(helm: Helm) -> Mapping[str, Both]:
    """For each load the replicas over time: the original's, and KEDA's with the HPA."""
    found = {}
    for name, load in LOADS.items():
        settings = Settings(min_replicas=0 if name == "to zero" else 1)
        hpa = KedaAndHpa(render(helm, settings), settings.window)
        found[name] = replay(Original(settings), load), replay(hpa, load)
    return found


def compare_recorded(helm: Helm) -> tuple[Both, tuple[list[float], list[float]]]:
    """The same for the recording: the replicas, and the requests in flight."""
    settings = Settings()
    original, flight = serve(Original(settings), RECORDED)
    hpa, hpas_flight = serve(KedaAndHpa(render(helm, settings), settings.window), RECORDED)
    return (original, hpa), (flight, hpas_flight)


def table(found: Mapping[str, Both]) -> str:
    """The figures as Markdown."""
    return _table(["load", *COLUMNS], [[name, *_cells(both)] for name, both in found.items()])


def recorded_table(both: Both, flights: tuple[list[float], list[float]]) -> str:
    """The figures of the recording as Markdown."""
    waiting = [
        f"{max(in_flight - now for in_flight, now in zip(flight, replicas, strict=True)):.0f}"
        for flight, replicas in zip(flights, both, strict=True)
    ]
    return _table([*COLUMNS, "most waiting, original", "KEDA"], [[*_cells(both), *waiting]])


def _cells(both: Both) -> list[str]:
    original, ours = both
    largest = max(abs(a - b) for a, b in zip(original, ours, strict=True))
    hours = (f"{sum(each) / 3600:.2f}" for each in both)
    return [str(max(original)), str(max(ours)), str(largest), *hours]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])


if __name__ == "__main__":
    program = Helm.of_version(HELM)
    compared = compare(program)
    recorded = compare_recorded(program)
    print(table(compared), recorded_table(*recorded), sep="\n\n")
    for argument in sys.argv[1:]:
        series = {name: (LOADS[name], *both) for name, both in compared.items()}
        Path(argument).write_text(draw({**series, "recorded": (RECORDED.need(), *recorded[0])}))
