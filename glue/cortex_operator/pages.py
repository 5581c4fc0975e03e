"""How pages are made: by templates without JavaScript, under headers that let a browser only show them."""

from collections.abc import Mapping
from typing import Any

import jinja2
from aiohttp import web

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("cortex_operator"), autoescape=True, undefined=jinja2.StrictUndefined
)
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
