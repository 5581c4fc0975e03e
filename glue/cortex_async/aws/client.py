"""One signed HTTP call, retried until it succeeds, is refused, or the caller's patience ends."""

import asyncio
import email.utils
import json
import logging
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDictProxy
from yarl import URL

from cortex_async.aws.credentials import Credentials
from cortex_async.aws.proxy import proxy_for
from cortex_async.aws.retry import Retry, decide, delay_seconds
from cortex_async.aws.signing import Keys, Signer
from cortex_async.config import AwsConfig
from cortex_async.errors import AwsRefused, AwsUnavailable, CredentialsError, ObjectExists, ObjectMissing

log = logging.getLogger(__name__)

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 30.0
_WRITTEN_AT_ONCE = 2**16
_SKEW_WORTH_MENDING_SECONDS = 60.0


Body = bytes | memoryview


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a service; `path` and `query` are percent-encoded, header names lower-case."""

    operation: str
    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] | None = None
    body: Body = b""
    read_seconds: float = _READ_SECONDS
    may_fail_late: bool = False  # S3 may begin an answer with 200 and end it with an error


@dataclass(frozen=True, slots=True)
class Answer:
    """A success, read to its end."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes


class _InPieces(aiohttp.Payload):
    """A body that is neither copied nor written in one go, which would hold up the event loop."""

    _autoclose = True

    def __init__(self, body: Body) -> None:
        super().__init__(memoryview(body))
        self._size = len(body)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return str(self._value, encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        for start in range(0, len(self._value), _WRITTEN_AT_ONCE):
            await writer.write(self._value[start : start + _WRITTEN_AT_ONCE])
            await asyncio.sleep(0)


class AwsSession:
    """The connections and credentials that all services of one process share."""

    def __init__(self, config: AwsConfig) -> None:
        self.config = config
        self.credentials = Credentials()
        self.clock_offset = 0.0  # seconds to add to this machine's clock, learnt from refusals
        self.http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60, keepalive_timeout=50),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.close()

    def endpoint(self, service: str) -> str | None:
        """The base URL given for `service`, by configuration or AWS's environment variables; None for AWS."""
        variables = (f"AWS_ENDPOINT_URL_{service.upper()}", "AWS_ENDPOINT_URL")
        named = self.config.endpoint_url or next(filter(None, map(os.environ.get, variables)), None)
        return named.rstrip("/") if named else None


class Service:
    """Signs and sends calls to one base URL."""

    def __init__(self, session: AwsSession, name: str, base_url: str) -> None:
        self._session = session
        self._base = base_url
        parts = urlsplit(base_url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._base_path = parts.path
        self._host = parts.netloc
        self._proxy = proxy_for(base_url)
        self._signer = Signer(name, session.config.region)

    async def send(self, call: Call, patience: float | None) -> Answer:
        """Send until there is a success; `patience` is in seconds, None for ever, 0 for a single try.

        Raises AwsRefused, or AwsUnavailable once the patience has ended, be it in the middle of a try.
        """
        async with await self._retrying(call, patience, read=True) as response:
            return Answer(response.status, response.headers, await response.read())

    async def open(self, call: Call, patience: float | None) -> aiohttp.ClientResponse:
        """Like `send`, but the body is left for the caller to read, who closes the response (`async with`).

        The patience goes as far as the head of the answer: how long a body takes depends on its size.
        """
        return await self._retrying(call, patience, read=False)

    async def _retrying(self, call: Call, patience: float | None, *, read: bool) -> aiohttp.ClientResponse:
        loop = asyncio.get_running_loop()
        give_up = None if patience is None else loop.time() + patience
        deadline = give_up if patience else None  # a single try takes as long as the call's own timeouts allow
        failures = 0
        while True:
            try:
                keys = await self._session.credentials.current(deadline)
                response = await self._once(call, keys, deadline, read=read)
                if response.status < 300 and not (call.may_fail_late and b"<Error>" in await response.read()):
                    return response
                problem: AwsRefused | AwsUnavailable = await self._examine(call, response, keys)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                problem = AwsUnavailable(call.operation, _describe(error, self._base))
            except CredentialsError as error:
                problem = AwsUnavailable(call.operation, str(error))
            if isinstance(problem, AwsRefused):
                raise problem
            wait = delay_seconds(failures)
            failures += 1
            if give_up is not None and loop.time() + wait >= give_up:
                raise problem
            log.info("retrying a call to AWS", extra={"reason": str(problem), "failures": failures})
            await asyncio.sleep(wait)

    async def _once(self, call: Call, keys: Keys, deadline: float | None, *, read: bool) -> aiohttp.ClientResponse:
        async with asyncio.timeout_at(deadline):  # not aiohttp's total timeout: that one goes on in the body
            response = await self._request(call, keys)
            if read or response.status >= 300:
                try:
                    await response.read()
                except BaseException:
                    response.close()
                    raise
        return response

    async def _request(self, call: Call, keys: Keys) -> aiohttp.ClientResponse:
        session = self._session
        path = self._base_path + call.path
        headers = self._signer.sign(
            call.method,
            path,
            call.query,
            {"host": self._host, **(call.headers or {})},
            call.body,
            keys,
            time.time() + session.clock_offset,
        )
        url = f"{self._origin}{path}?{call.query}" if call.query else self._origin + path
        return await session.http.request(
            call.method,
            URL(url, encoded=True),
            headers=headers,
            data=call.body if len(call.body) <= _WRITTEN_AT_ONCE else _InPieces(call.body),
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=call.read_seconds),
            proxy=self._proxy.url if self._proxy else None,
            proxy_headers=self._proxy.headers if self._proxy else None,
        )

    async def _examine(
        self, call: Call, response: aiohttp.ClientResponse, keys: Keys
    ) -> AwsRefused | AwsUnavailable:
        code, message = _error_of(await response.read())
        if call.method == "HEAD":
            code = _code_of_head(response)
        if call.may_fail_late and code == "ConditionalRequestConflict":  # S3 wants all of the upload anew
            return _refusal(call, response.status, code, message)
        match decide(response.status, code):
            case Retry.NEW_CREDENTIALS:
                self._session.credentials.expired(keys)
            case Retry.NEW_CLOCK if not self._mend_clock(response.headers.get("Date")):
                return _refusal(call, response.status, code, message)
            case Retry.NEVER:
                return _refusal(call, response.status, code, message)
        return AwsUnavailable(call.operation, f"{code or 'no error code'} (HTTP {response.status}): {message}")

    def _mend_clock(self, date: str | None) -> bool:
        """Take the server's time for ours; False when it is no news: the refusal has another reason."""
        try:
            offset = email.utils.parsedate_to_datetime(date or "").timestamp() - time.time()
        except ValueError:
            return False
        if abs(offset - self._session.clock_offset) < _SKEW_WORTH_MENDING_SECONDS:
            return False
        log.warning("this machine's clock differs from that of AWS", extra={"seconds": round(offset)})
        self._session.clock_offset = offset
        return True


def _describe(error: BaseException, base_url: str) -> str:
    what = str(error) or type(error).__name__
    return f"no answer from {base_url}: {what}"


def _refusal(call: Call, status: int, code: str, message: str) -> AwsRefused:
    kind = AwsRefused
    if call.operation in ("GetObject", "HeadObject") and code == "NoSuchKey":
        kind = ObjectMissing
    elif status == 412 or code == "PreconditionFailed":  # after a 200 it comes late
        kind = ObjectExists
    elif status == 403 and kind is AwsRefused and call.operation in ("GetObject", "HeadObject"):
        message += " (s3:GetObject is needed, and s3:ListBucket: without it S3 answers 403 for what is not there)"
    return kind(call.operation, status, code or f"HTTP{status}", message)


def _code_of_head(response: aiohttp.ClientResponse) -> str:
    """The error code of an answer to a HEAD, which has no body to hold it."""
    if response.status == 400:
        return "ExpiredToken"  # of all reasons for a 400 only this one passes
    is_of_s3 = any(name.lower().startswith("x-amz") for name in response.headers)
    return "NoSuchKey" if response.status == 404 and is_of_s3 else ""


def _error_of(body: bytes) -> tuple[str, str]:
    """The service's error code and message: JSON from SQS, XML from S3, nothing after a HEAD."""
    text = body.decode("utf-8", "replace")
    if text.startswith("{"):
        try:
            document = json.loads(text)
        except ValueError:
            return "", text[:200]
        code = str(document.get("__type", "")).rpartition("#")[2]
        return code, str(document.get("message") or document.get("Message") or "")
    code_found = re.search(r"<Code>([^<]*)</Code>", text)
    message_found = re.search(r"<Message>([^<]*)</Message>", text)
    return code_found[1] if code_found else "", message_found[1] if message_found else ""
