"""Print the table of charts/cortex-async/SCALING.md, and draw its picture: `python -m simulation [FILE.svg]`."""

import sys
from collections.abc import Mapping
from pathlib import Path

from chart.helm_cli import Helm
from simulation.loads import LOADS
from simulation.plot import draw
from simulation.scalers import KedaAndHpa, Original, replay
from simulation.settings import Settings, render

HELM = "4.3.1"


def compare(helm: Helm) -> Mapping[str, tuple[list[int], list[int]]]:
    """For each load the replicas over time: the original's, and KEDA's with the HPA."""
    found = {}
    for name, load in LOADS.items():
        settings = Settings(min_replicas=0 if name == "to zero" else 1)
        hpa = KedaAndHpa(render(helm, settings), settings.window)
        found[name] = replay(Original(settings), load), replay(hpa, load)
    return found


def table(found: Mapping[str, tuple[list[int], list[int]]]) -> str:
    """The figures as Markdown."""
    lines = [
        "| load | most replicas, original | KEDA | largest difference | replica-hours, original | KEDA |",
        "|---|---|---|---|---|---|",
    ]
    for name, (original, ours) in found.items():
        largest = max(abs(a - b) for a, b in zip(original, ours, strict=True))
        hours = (f"{sum(each) / 3600:.2f}" for each in (original, ours))
        lines.append(f"| {name} | {max(original)} | {max(ours)} | {largest} | {' | '.join(hours)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    compared = compare(Helm.of_version(HELM))
    print(table(compared))
    for argument in sys.argv[1:]:
        Path(argument).write_text(draw({name: (LOADS[name], *both) for name, both in compared.items()}))
