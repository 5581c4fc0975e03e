"""Draws the panels of the dashboard as SVG, with nothing but text, from what Prometheus answered."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.prometheus import Series

_WIDTH, _HEIGHT, _GAP, _COLUMNS = 400, 110, 54, 2
_COLORS = ("#1b9e77", "#d95f02", "#7570b3", "#e7298a", "#66a61e", "#e6ab02", "#a6761d", "#666666")
_LETTER = 4.9
_ROWS_OF_LEGENDS = 3
_UNITS = {"s": " s", "reqps": "/s", "percentunit": " %", "bytes": " MiB", "percent": " %"}


@dataclass(frozen=True)
class Panel:
    """A panel: its title, Grafana's unit, and its lines with their legends."""

    title: str
    unit: str
    lines: Sequence[tuple[str, Series]]


def draw(panels: Sequence[Panel], start: float, end: float) -> str:
    """Two panels beside each other, as the dashboard has them."""
    rows = math.ceil(len(panels) / _COLUMNS)
    width, height = _COLUMNS * (_WIDTH + _GAP) + _GAP, rows * (_HEIGHT + _GAP) + _GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="9" stroke-width="1.2"><rect width="100%" height="100%" fill="white"/>'
    ]
    for number, panel in enumerate(panels):
        left = _GAP + number % _COLUMNS * (_WIDTH + _GAP)
        parts += _panel(panel, left, 24 + number // _COLUMNS * (_HEIGHT + _GAP), start, end)
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, left: int, top: int, start: float, end: float) -> list[str]:
    bottom = top + _HEIGHT
    scale = 2**20 if panel.unit == "bytes" else 0.01 if panel.unit == "percentunit" else 1
    values = [value / scale for _, line in panel.lines for _, value in line.points if math.isfinite(value)]
    highest = max([*values, 1e-9]) * 1.05
    parts = [
        f'<text x="{left}" y="{top - 6}" font-size="11" font-weight="bold">{html.escape(panel.title)}</text>',
        f'<path d="M{left} {top}V{bottom}H{left + _WIDTH}" fill="none" stroke="#999"/>',
        f'<text x="{left - 3}" y="{top + 8}" text-anchor="end">{highest / 1.05:.3g}</text>',
        f'<text x="{left - 3}" y="{top + 18}" text-anchor="end">{_UNITS.get(panel.unit, "")}</text>',
        f'<text x="{left + _WIDTH}" y="{top - 6}" text-anchor="end">{end - start:.0f} s</text>',
    ]
    x, row = float(left), 0
    for number, (legend, line) in enumerate(panel.lines):
        color = _COLORS[number % len(_COLORS)]
        points = [
            f"{left + _WIDTH * (at - start) / (end - start):.0f},{bottom - _HEIGHT * value / scale / highest:.0f}"
            for at, value in line.points
            if math.isfinite(value)
        ]
        parts.append(f'<polyline points="{" ".join(points)}" fill="none" stroke="{color}"/>')
        if x > left and x + _LETTER * len(legend) > left + _WIDTH:
            x, row = left, row + 1
        if row < _ROWS_OF_LEGENDS:
            text = html.escape(legend)
            parts.append(f'<text x="{x:.0f}" y="{bottom + 10 + 10 * row}" fill="{color}">{text}</text>')
        x += _LETTER * (len(legend) + 2)
    return parts
