"""How pages are made: by templates without JavaScript, under headers that let a browser only show them."""

from collections.abc import Mapping
from typing import Any

import jinja2
from aiohttp import web

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("cortex_operator"), autoescape=True, undefined=jinja2.StrictUndefined
)
_UNKNOWN = "\N{EN DASH}"


def _is_known(value: object) -> bool:
    return value is not None and not isinstance(value, jinja2.Undefined)


def _number(value: Any) -> str:
    """Show a count."""
    return f"{value:,.0f}" if _is_known(value) else _UNKNOWN


def _seconds(value: Any) -> str:
    """Show a duration."""
    if not _is_known(value):
        return _UNKNOWN
    minutes, seconds = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _rate(value: Any) -> str:
    """Show a rate."""
    return f"{value:.2f}/s" if _is_known(value) else _UNKNOWN


def _clock(value: Any) -> str:
    """Show a moment (RFC 3339)."""
    return str(value)[:19].replace("T", " ") if _is_known(value) else _UNKNOWN


_ENVIRONMENT.filters |= {"number": _number, "seconds": _seconds, "rate": _rate, "clock": _clock}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def page(template: str, values: Mapping[str, Any], http_status: int = 200) -> web.Response:
    """Return a page."""
    text = _ENVIRONMENT.get_template(f"{template}.html").render(values)
    return web.Response(text=text, status=http_status, content_type="text/html", headers=_HEADERS)
