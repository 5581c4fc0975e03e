"""One signed HTTP call, retried as the policy says."""

import asyncio
import email.utils
import functools
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from cortex_async import limits
from cortex_async.aws.credentials import Credentials
from cortex_async.aws.failures import code_of_head, error_of, refusal
from cortex_async.aws.proxy import proxy_for
from cortex_async.aws.retry import Retry, decide
from cortex_async.aws.signing import Keys, Signer, hash_of
from cortex_async.backoff import Backoff, Health, RetryPolicy
from cortex_async.config import AwsConfig
from cortex_async.errors import AwsRefused, AwsUnavailable, CredentialsError, ObjectExists, ObjectMissing
from cortex_async.http.body import Body, BodyInPieces
from cortex_async.http.client_connection import Connector

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a service; `path` and `query` are percent-encoded, header names lower-case."""

    operation: str
    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] | None = None
    body: Body = b""
    read_seconds: float = limits.S3_READ_SECONDS
    may_fail_late: bool = False  # S3 may begin an answer with 200 and end it with an error
    final_codes: frozenset[str] = frozenset()  # refusals that are raised whatever the policy says
    is_optional: bool = False  # no refusal is tried again, whatever the policy says


@dataclass(frozen=True, slots=True)
class Answer:
    """A success, read to its end."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes


Observe = Callable[[str, str], None]
"""Is told each try of a call: its operation, and "ok", "refused" or "unavailable"."""


def _ignore(_operation: str, _result: str) -> None:
    pass


class AwsSession:
    """The connections and credentials that all services of one process share."""

    def __init__(self, config: AwsConfig, observe: Observe = _ignore, beside: "AwsSession | None" = None) -> None:
        """Open one; with `beside` it uses the connections and credentials of another, and ends with that."""
        self.config = config
        self.observe = observe
        self.clock_offset = 0.0  # seconds to add to this machine's clock, learnt from refusals
        self.credentials: Credentials = beside.credentials if beside else Credentials()
        self.http: aiohttp.ClientSession = beside.http if beside else self._connections()

    @staticmethod
    def _connections() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=Connector(keepalive_seconds=50, dns_seconds=60, is_trusted=True),
            auto_decompress=False,
            read_bufsize=limits.READ_AHEAD_BYTES,
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

    def __init__(self, session: AwsSession, name: str, base_url: str, policy: RetryPolicy) -> None:
        self._session = session
        self._policy = policy
        self.health = Health()
        self._base = base_url
        parts = urlsplit(base_url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._base_path = parts.path
        self._host = parts.netloc
        self._proxy = proxy_for(base_url)
        self._signer = Signer(name, session.config.region)

    async def send(self, call: Call) -> Answer:
        """Send until there is a success.

        Raises AwsRefused, or AwsUnavailable once the policy's time is over, be it in the middle of a try.
        """
        async with await self._retrying(call, read=True) as response:
            return Answer(response.status, response.headers, await response.read())

    async def open(self, call: Call) -> aiohttp.ClientResponse:
        """Like `send`, but the body is left for the caller to read, who closes the response (`async with`).

        The policy's time covers the head of the answer only: how long a body takes depends on its size.
        """
        return await self._retrying(call, read=False)

    async def presigned(self, method: str, path: str, headers: Mapping[str, str], seconds: int) -> str:
        """Return the URL of a call that anybody may make for so many seconds, with these headers.

        Raises AwsUnavailable.
        """
        try:
            keys = await self._session.credentials.current(time.monotonic() + limits.GATEWAY_AWS_SECONDS)
        except CredentialsError as error:
            raise AwsUnavailable("presigned URL", str(error)) from error
        path = self._base_path + path
        now = time.time() + self._session.clock_offset
        query = self._signer.presigned_query(method, path, {"host": self._host, **headers}, keys, now, seconds)
        return f"{self._origin}{path}?{query}"

    async def _retrying(self, call: Call, *, read: bool) -> aiohttp.ClientResponse:
        backoff = Backoff(self._policy.seconds, health=self.health)
        # a single try takes as long as the call's own timeouts allow
        deadline = backoff.give_up_at if self._policy.seconds else None
        refused_pause = limits.REFUSED_FIRST_SECONDS
        while True:
            try:
                keys = await self._session.credentials.current(deadline)
                clock_offset = self._session.clock_offset
                response = await self._once(call, keys, clock_offset, deadline, read=read)
                if response.status < 300 and not (call.may_fail_late and b"<Error>" in await response.read()):
                    self.health.succeeded()
                    self._session.observe(call.operation, "ok")
                    return response
                problem: AwsRefused | AwsUnavailable = await self._examine(call, response, keys, clock_offset)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                problem = AwsUnavailable(call.operation, _describe(error, self._base))
            except CredentialsError as error:
                problem = AwsUnavailable(call.operation, str(error))
            self._session.observe(call.operation, _result_of(problem))
            if isinstance(problem, AwsRefused):
                if not self._is_tried_again(call, problem):
                    raise problem
                facts = {"reason": str(problem), "seconds": refused_pause}
                log.error("AWS refuses a call; it is tried again", extra=facts)
                await asyncio.sleep(refused_pause)
                refused_pause = min(2 * refused_pause, limits.RETRY_LONGEST_SECONDS)
            else:
                self.health.failed()
                await backoff.pause(problem)
                log.info("retrying a call to AWS", extra={"reason": str(problem), "failures": backoff.failures})

    def _is_tried_again(self, call: Call, refusal: AwsRefused) -> bool:
        is_answer = isinstance(refusal, ObjectMissing | ObjectExists) or refusal.code in call.final_codes
        return self._policy.refusals and not is_answer and not call.is_optional

    async def _once(
        self, call: Call, keys: Keys, clock_offset: float, deadline: float | None, *, read: bool
    ) -> aiohttp.ClientResponse:
        async with asyncio.timeout_at(deadline):  # not aiohttp's total timeout: that one goes on in the body
            response = await self._request(call, keys, clock_offset)
            if read or response.status >= 300:
                try:
                    await response.read()
                except BaseException:
                    response.close()
                    raise
        return response

    async def _request(self, call: Call, keys: Keys, clock_offset: float) -> aiohttp.ClientResponse:
        session = self._session
        path = self._base_path + call.path
        is_large = len(call.body) > limits.LARGE_BODY_BYTES
        body_hash = await asyncio.to_thread(hash_of, call.body) if is_large else hash_of(call.body)
        headers = self._signer.sign(
            call.method,
            path,
            call.query,
            {"host": self._host, **(call.headers or {})},
            body_hash,
            keys,
            time.time() + clock_offset,
        )
        url = f"{self._origin}{path}?{call.query}" if call.query else self._origin + path
        return await session.http.request(
            call.method,
            URL(url, encoded=True),
            headers=headers,
            data=BodyInPieces(call.body) if is_large else call.body,
            allow_redirects=False,
            timeout=_timeout(call.read_seconds),
            proxy=self._proxy.url if self._proxy else None,
            proxy_headers=self._proxy.headers if self._proxy else None,
        )

    async def _examine(
        self, call: Call, response: aiohttp.ClientResponse, keys: Keys, clock_offset: float
    ) -> AwsRefused | AwsUnavailable:
        code, message = error_of(await response.read())
        if call.method == "HEAD":
            code = code_of_head(response)
        if call.may_fail_late and code == "ConditionalRequestConflict":  # S3 wants all of the upload anew
            return refusal(call.operation, response.status, code, message)
        match decide(response.status, code):
            case Retry.NEW_CREDENTIALS:
                self._session.credentials.expired(keys)
            case Retry.NEW_CLOCK if not self._mend_clock(response.headers.get("Date"), clock_offset):
                return refusal(call.operation, response.status, code, message)
            case Retry.NEVER if not self._is_skew_of_head(call, response, clock_offset):
                return refusal(call.operation, response.status, code, message)
        if response.status == 404 and isinstance(connector := self._session.http.connector, Connector):
            connector.renew()  # who answered is not AWS: the next try shall not go there again
        return AwsUnavailable(call.operation, f"{code or 'no error code'} (HTTP {response.status}): {message}")

    def _is_skew_of_head(self, call: Call, response: aiohttp.ClientResponse, signed_with: float) -> bool:
        """Whether a 403 is for the clock: the answer to a HEAD has no body to say so. Mends the clock."""
        is_nameless = call.method == "HEAD" and response.status == 403
        return is_nameless and self._mend_clock(response.headers.get("Date"), signed_with)

    def _mend_clock(self, date: str | None, signed_with: float) -> bool:
        """Take the server's time for ours; False when the call was signed with it: the reason is another one."""
        try:
            offset = email.utils.parsedate_to_datetime(date or "").timestamp() - time.time()
        except ValueError:
            return False
        if abs(offset - signed_with) < limits.CLOCK_SKEW_SECONDS:
            return False
        log.warning("this machine's clock differs from that of AWS", extra={"seconds": round(offset)})
        self._session.clock_offset = offset
        return True


@functools.cache  # of the few values that calls have
def _timeout(read_seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_connect=limits.AWS_CONNECT_SECONDS, sock_read=read_seconds)


def _result_of(problem: AwsRefused | AwsUnavailable) -> str:
    if isinstance(problem, ObjectMissing | ObjectExists):
        return "ok"  # an answer like any other
    return "refused" if isinstance(problem, AwsRefused) else "unavailable"


def _describe(error: BaseException, base_url: str) -> str:
    what = str(error) or type(error).__name__
    return f"no answer from {base_url}: {what}"
