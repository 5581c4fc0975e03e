"""Draws lines over time as SVG, with nothing but text."""

from collections.abc import Mapping, Sequence

WIDTH, HEIGHT, MARGIN = 760, 150, 40
_LINES = (("need", "#bbbbbb"), ("original", "#d95f02"), ("KEDA and HPA", "#1b9e77"))
Series = tuple[Sequence[float], ...]


def draw(charts: Mapping[str, Series]) -> str:
    """One chart below the other: what is needed, the original's replicas, KEDA's."""
    total = (HEIGHT + MARGIN) * len(charts) + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + 2 * MARGIN} {total}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
    ]
    for index, (name, color) in enumerate(_LINES):
        parts.append(f'<text x="{MARGIN + 150 * index}" y="20" fill="{color}">{name}</text>')
    for index, (name, series) in enumerate(charts.items()):
        parts += _chart(name, series, MARGIN + index * (HEIGHT + MARGIN))
    return "\n".join([*parts, "</svg>", ""])


def _chart(name: str, series: Series, top: int) -> list[str]:
    highest = max(max(line) for line in series)
    bottom = top + HEIGHT
    seconds = len(series[0])
    parts = [
        f'<path d="M{MARGIN} {top}V{bottom}H{MARGIN + WIDTH}" fill="none" stroke="#888888"/>',
        f'<text x="{MARGIN + 6}" y="{top + 12}">{name}</text>',
        f'<text x="{MARGIN - 6}" y="{top + 10}" text-anchor="end">{highest:g}</text>',
        f'<text x="{MARGIN + WIDTH}" y="{bottom + 14}" text-anchor="end">{seconds // 60} min</text>',
    ]
    for line, (_, color) in zip(series, _LINES, strict=True):
        points = [
            f"{MARGIN + WIDTH * second / seconds:.0f},{bottom - HEIGHT * line[second] / highest:.0f}"
            for second in range(0, seconds, 20)
        ]
        parts.append(f'<polyline points="{" ".join(points)}" fill="none" stroke="{color}" stroke-width="1.5"/>')
    return parts
