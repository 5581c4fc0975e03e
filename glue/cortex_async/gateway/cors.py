"""CORS (Fetch Standard): web pages of the allowed origins may call the API from a browser."""

from collections.abc import Collection

from aiohttp import web

from cortex_async import limits
from cortex_async.http.headers import REQUEST_ID


class Cors:
    """Answers preflights, and marks all other responses."""

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = frozenset(origins)

    def add_to(self, app: web.Application, *paths: str) -> None:
        """Let browsers call the routes of `app` at these paths."""
        app.on_response_prepare.append(self._mark)
        for path in paths:
            app.router.add_options(path, self._preflight)

    async def _preflight(self, request: web.Request) -> web.Response:
        asked = request.headers.get("Access-Control-Request-Headers", "")
        headers = {
            "Access-Control-Allow-Methods": "GET, POST, DELETE",
            "Access-Control-Max-Age": str(limits.PREFLIGHT_SECONDS),
        }
        if asked and self._is_allowed(request):
            headers["Access-Control-Allow-Headers"] = asked
        return web.Response(status=204, headers=headers)

    async def _mark(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Vary"] = "Origin"
        if self._is_allowed(request):
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response.headers["Access-Control-Expose-Headers"] = f"Location, Retry-After, {REQUEST_ID}"

    def _is_allowed(self, request: web.Request) -> bool:
        origin = request.headers.get("Origin")
        return origin is not None and ("*" in self._origins or origin in self._origins)
