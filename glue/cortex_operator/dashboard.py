"""`/dashboard`: APIs and their replicas, a restart, and a form that submits a request and follows it.

A browser proves who it is by a token in a cookie that no script and no other site can use; each form carries a
second cookie's value, so that no other site can send it.
"""

import asyncio
import hmac
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import aiohttp
from aiohttp import web

from cortex_operator import dead_letters
from cortex_operator.apis import Api
from cortex_operator.auth import Guard
from cortex_operator.catalogue import Catalogue
from cortex_operator.deploying import Deployer
from cortex_operator.errors import NotAllowed, Refused
from cortex_operator.measures import Measured, Measures
from cortex_operator.pages import page

_TOKEN, _CSRF = "cortex_token", "cortex_csrf"
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_SHOWN_BYTES = 65_536
_GATEWAY_SECONDS = 20.0
_LOOK_AGAIN_SECONDS = 10
_FOLLOW_SECONDS = 2
_MEASURED_APIS = 100
"""With more APIs their list shows no measures, since all of their pods would be asked."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Form = Mapping[str, Any]


class Dashboard:
    """The pages."""

    def __init__(
        self,
        catalogue: Catalogue,
        deployer: Deployer,
        guard: Guard,
        session: aiohttp.ClientSession,
        measures: Measures,
        *,
        dead_letters: bool = False,
    ) -> None:
        self._dead_letters = dead_letters
        self._measures = measures
        self._catalogue = catalogue
        self._deployer = deployer
        self._guard = guard
        self._session = session

    def add_routes(self, app: web.Application) -> None:
        """Add the pages to an application."""
        app.router.add_get("/dashboard", self._shown(self._apis))
        app.router.add_get("/dashboard/{name}", self._shown(self._api))
        app.router.add_get("/dashboard/{name}/requests/{id}", self._shown(self._request))
        app.router.add_post("/dashboard/sign-in", self._shown(self._sign_in))
        if self._dead_letters:
            app.router.add_get("/dashboard/{name}/dead-letters", self._shown(self._list_dead_letters))
            app.router.add_post("/dashboard/{name}/dead-letters/redrive", self._shown(self._redrive))
            app.router.add_post("/dashboard/{name}/dead-letters/purge", self._shown(self._purge))
        app.router.add_post("/dashboard/{name}/refresh", self._shown(self._refresh))
        app.router.add_post("/dashboard/{name}/submit", self._shown(self._submit))

    def _shown(self, handler: Handler) -> Handler:
        """Return a handler that shows what is refused as a page, and sets the cookie of the forms."""

        async def shown(request: web.Request) -> web.StreamResponse:
            request["csrf"] = request.cookies.get(_CSRF) or secrets.token_urlsafe(32)
            try:
                answer = await handler(request)
            except Refused as error:
                answer = _page(request, "refused", error.status, message=str(error))
            if _CSRF not in request.cookies:
                _set_cookie(request, answer, _CSRF, request["csrf"])
            return answer

        return shown

    async def _apis(self, request: web.Request) -> web.Response:
        await self._check(request, "read")
        found = await self._catalogue.all()
        measured = await self._measures.read() if len(found) <= _MEASURED_APIS else {}
        apis = [
            (each, _moment(each.last_updated), measured.get((each.namespace, each.name), Measured()))
            for each in found
        ]
        return _page(request, "apis", apis=apis, refresh=_LOOK_AGAIN_SECONDS)

    async def _api(self, request: web.Request) -> web.Response:
        await self._check(request, "read")
        name = request.match_info["name"]
        document = await self._catalogue.document(name, "")
        description = await self._catalogue.description(name, "", datetime.now(UTC))
        counts = {key: number for key, number in description["status"]["replica_counts"].items() if number}
        versions = [(each["api_id"], _moment(each["last_updated"])) for each in document["api_versions"]]
        api = await self._catalogue.find(name)
        measured = (await self._measures.read(api)).get((api.namespace, name), Measured())
        return _page(
            request,
            "api",
            api=document,
            counts=counts,
            versions=versions,
            measured=measured,
            dead_letters=self._dead_letters,
            requests=await self._recent(request, api, str(document["endpoint"])),
            refresh=_LOOK_AGAIN_SECONDS if "refresh" in request.query else None,
        )

    async def _recent(self, request: web.Request, api: Api, endpoint: str) -> list[Mapping[str, Any]] | None:
        """Return the requests that were submitted last, or None for who may not submit: an id shows a result."""
        try:
            await self._check(request, "submit")
        except NotAllowed:
            return None
        ids = [each for each in await self._measures.recent(api) if _ID.fullmatch(each)]
        answers = await asyncio.gather(*(self._status(f"{endpoint}/{each}") for each in ids))
        return [{"id": each, **answer} for each, answer in zip(ids, answers, strict=True)]

    async def _status(self, url: str) -> Mapping[str, Any]:
        """Return what a gateway says of a request, without its result."""
        try:
            answer = await self._call("GET", url)
        except Refused:
            return {"status": "unknown"}
        kept = ("status", "created_at", "started_at", "completed_at", "attempts")
        return {name: answer[name] for name in kept if name in answer}

    async def _sign_in(self, request: web.Request) -> web.StreamResponse:
        form = await _form(request)
        token = str(form.get("token", "")).strip()
        if token:
            await self._guard.check({"Authorization": f"Bearer {token}"}, "refresh")
        answer = _to("/dashboard")
        _set_cookie(request, answer, _TOKEN, token)
        return answer

    async def _refresh(self, request: web.Request) -> web.StreamResponse:
        form = await _form(request)
        await self._check(request, "refresh")
        name = request.match_info["name"]
        if form.get("confirmed") != "yes":
            raise Refused("dashboard.not_confirmed", f"nothing was done: tick the box to restart {name}")
        await self._deployer.refresh(name, force=False)
        return _to(f"/dashboard/{name}")

    async def _submit(self, request: web.Request) -> web.StreamResponse:
        form = await _form(request)
        await self._check(request, "submit")
        name = request.match_info["name"]
        headers = {"Content-Type": str(form.get("content_type") or "application/json")}
        payload = str(form.get("payload", "")).encode()
        answer = await self._call("POST", await self._endpoint(name), payload, headers)
        if not _ID.fullmatch(str(answer.get("id"))):
            raise Refused("dashboard.not_accepted", f"the gateway did not take the request: {json.dumps(answer)}")
        return _to(f"/dashboard/{name}/requests/{answer['id']}")

    async def _list_dead_letters(self, request: web.Request) -> web.Response:
        await self._check(request, "dead-letters")
        name = request.match_info["name"]
        found = await dead_letters.listed(await self._api_json(name))
        shown = [(each, _moment(each.submitted.timestamp()) if each.submitted else "") for each in found]
        return _page(request, "dead_letters", api=name, letters=shown)

    async def _redrive(self, request: web.Request) -> web.StreamResponse:
        form = await _form(request)
        await self._check(request, "dead-letters")
        name = request.match_info["name"]
        one = str(form.get("id", ""))
        if not one and form.get("confirmed") != "yes":
            raise Refused("dashboard.not_confirmed", f"nothing was done: tick the box to send all of {name} again")
        await dead_letters.redrive(await self._api_json(name), [one] if one else [])
        return _to(f"/dashboard/{name}/dead-letters")

    async def _purge(self, request: web.Request) -> web.StreamResponse:
        form = await _form(request)
        await self._check(request, "dead-letters")
        name = request.match_info["name"]
        if form.get("confirmed") != name:
            raise Refused(
                "dashboard.not_confirmed", f"nothing was done: write {name} into the field to throw all away"
            )
        await dead_letters.purge(await self._api_json(name))
        return _to(f"/dashboard/{name}/dead-letters")

    async def _api_json(self, name: str) -> Mapping[str, Any]:
        return await self._catalogue.api_json(await self._catalogue.find(name))

    async def _request(self, request: web.Request) -> web.Response:
        await self._check(request, "submit")
        name, request_id = request.match_info["name"], request.match_info["id"]
        if not _ID.fullmatch(request_id):
            raise Refused("dashboard.no_id", f"{request_id!r} is no id of a request")
        answer = await self._call("GET", f"{await self._endpoint(name)}/{request_id}")
        status = str(answer.get("status", "unknown"))
        text = json.dumps(answer, indent=2, ensure_ascii=False)
        waits = status.startswith("in_")
        refresh = _FOLLOW_SECONDS if waits else None
        return _page(request, "request", api=name, id=request_id, state=status, text=text, refresh=refresh)

    async def _check(self, request: web.Request, right: str) -> None:
        token = request.cookies.get(_TOKEN)
        await self._guard.check({"Authorization": f"Bearer {token}"} if token else {}, right)

    async def _endpoint(self, name: str) -> str:
        return str((await self._catalogue.document(name, ""))["endpoint"])

    async def _call(
        self, method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Call a gateway, and return what it says; a long result is cut, and then shown as text."""
        timeout = aiohttp.ClientTimeout(total=_GATEWAY_SECONDS)
        try:
            async with self._session.request(method, url, data=body, headers=headers, timeout=timeout) as answer:
                text = (await answer.content.read(_SHOWN_BYTES)).decode(errors="replace")
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise Refused(
                "dashboard.gateway_away", f"the gateway at {url} does not answer: {reason}", 502
            ) from error
        try:
            return dict(json.loads(text))
        except (ValueError, TypeError):
            return {"status": "completed", "cut": text}


async def _form(request: web.Request) -> Form:
    """Return the fields of a form; raises NotAllowed for one that did not come from our page."""
    form = await request.post()
    sent, cookie = str(form.get("csrf", "")), request.cookies.get(_CSRF, "")
    if not cookie or not hmac.compare_digest(sent.encode(), cookie.encode()):
        raise NotAllowed("the form is too old, or comes from another site: open the page again", "dashboard.csrf")
    return form


def _page(request: web.Request, template: str, http_status: int = 200, **values: Any) -> web.Response:
    return page(template, {"csrf": request["csrf"], "refresh": None, **values}, http_status)


def _to(path: str) -> web.Response:
    return web.Response(status=303, headers={"Location": path})


def _set_cookie(request: web.Request, answer: web.StreamResponse, name: str, value: str) -> None:
    answer.set_cookie(name, value, path="/dashboard", httponly=True, samesite="Strict", secure=request.secure)


def _moment(epoch_seconds: float) -> str:
    return datetime.fromtimestamp(epoch_seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
