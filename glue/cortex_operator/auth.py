"""Who may call what: a bearer token, or a call of STS that the caller has signed.

The signed call proves to whom its keys belong without showing them: the operator sends it on, and STS answers with
the account.
"""

import base64
import binascii
import hmac
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp

from cortex_async.errors import ConfigError
from cortex_operator.config import OperatorConfig, StsConfig
from cortex_operator.errors import NotAllowed, Refused

SIGNED_HEADER = "X-Cortex-Authorization"
_STS_HOST = re.compile(r"sts(-fips)?(\.[a-z0-9-]+)?\.amazonaws\.com(\.cn)?")
_ACCOUNT = re.compile(r"<Account>(\d{12})</Account>")
_ACTION = {"Action": ["GetCallerIdentity"], "Version": ["2011-06-15"]}
_REMEMBERED_SECONDS = 60.0
_REMEMBERED = 1_000
_STS_SECONDS = 10.0
_PASSED_ON = re.compile(r"(authorization|content-type|user-agent|x-amz-[a-z0-9-]+)", re.IGNORECASE)


@dataclass(frozen=True)
class SignedCall:
    """A call of sts:GetCallerIdentity, signed by its caller."""

    url: str
    headers: Mapping[str, str]
    body: str


class Guard:
    """Decides who may call what."""

    def __init__(self, config: OperatorConfig, session: aiohttp.ClientSession) -> None:
        self._anonymous = config.anonymous
        self._token_file = config.token_file
        self._sts = config.sts
        self._session = session
        self._accounts: dict[bytes, tuple[float, str]] = {}

    async def check(self, headers: Mapping[str, str], right: str) -> None:
        """Return when a caller with these headers has the right; raises NotAllowed, and Refused (400).

        What a caller shows is checked, also where nothing would be needed: a wrong token is no anonymous caller.
        """
        if signed := headers.get(SIGNED_HEADER):
            if not self._sts.accounts:  # every command of the original signs, so it says nothing here
                return self._check_anonymous(right)
            if await self._account(signed) not in self._sts.accounts:
                raise NotAllowed("this AWS account may not use this cluster's operator", "auth.other_account")
        elif (shown := headers.get("Authorization")) is not None:
            self._check_token(shown)
        else:
            self._check_anonymous(right)

    def _check_anonymous(self, right: str) -> None:
        if right not in self._anonymous:
            raise NotAllowed(f"this call ({right}) needs a token: {self._how()}")

    def _how(self) -> str:
        ways = ["set CORTEX_OPERATOR_TOKEN"] if self._token_file else []
        ways += ["sign it with keys of an allowed AWS account"] if self._sts.accounts else []
        return " or ".join(ways) or "but this operator has none; its values can name a Secret (auth.tokenSecret)"

    def _check_token(self, shown: str) -> None:
        scheme, _, token = shown.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise NotAllowed("Authorization must be: Bearer TOKEN")
        known = False
        for each in self._tokens():
            known |= hmac.compare_digest(each.encode(), token.strip().encode())
        if not known:
            raise NotAllowed("the bearer token is not known to this operator")

    def _tokens(self) -> list[str]:
        """Read the tokens anew, since the Secret may have changed."""
        if self._token_file is None:
            return []
        try:
            return [line.strip() for line in self._token_file.read_text().splitlines() if line.strip()]
        except OSError as error:
            raise ConfigError(f"{self._token_file} cannot be read: {error.strerror}") from error

    async def _account(self, signed: str) -> str:
        key = signed.encode()
        moment, account = self._accounts.get(key, (0.0, ""))
        if account and time.monotonic() - moment < _REMEMBERED_SECONDS:
            return account
        account = await _ask(self._session, read_signed_call(signed, self._sts))
        if len(self._accounts) >= _REMEMBERED:
            self._accounts.clear()
        self._accounts[key] = (time.monotonic(), account)
        return account


def read_signed_call(text: str, sts: StsConfig) -> SignedCall:
    """Read the header; raises Refused for what is not a call of sts:GetCallerIdentity to AWS itself."""
    try:
        document: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        url, host = urlsplit(str(document["URL"])), str(document.get("Host") or "")
        headers = {name: ",".join(values) for name, values in document["Header"].items()}
        body, method = str(document["Body"]), document["Method"]
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused("auth.header_malformed", f"{SIGNED_HEADER} is no signed request") from error
    host = host or url.netloc
    if not (url.scheme == "https" and host == url.netloc and _STS_HOST.fullmatch(host)):
        raise Refused("auth.header_malformed", f"{SIGNED_HEADER} is a call of {host!r}, not of AWS STS")
    if method != "POST" or url.query or parse_qs(body) != _ACTION:
        raise Refused("auth.header_malformed", f"{SIGNED_HEADER} is no call of GetCallerIdentity")
    passed_on = {name: value for name, value in headers.items() if _PASSED_ON.fullmatch(name)} | {"Host": host}
    return SignedCall(sts.endpoint_url or f"https://{host}/", passed_on, body)


async def _ask(session: aiohttp.ClientSession, signed: SignedCall) -> str:
    """Send the call to STS, and return the account that it names; raises NotAllowed and Refused."""
    timeout = aiohttp.ClientTimeout(total=_STS_SECONDS)
    try:
        async with session.post(
            signed.url, data=signed.body, headers=signed.headers, timeout=timeout, allow_redirects=False
        ) as answer:
            text = await answer.text(errors="replace")
    except (aiohttp.ClientError, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        raise Refused("auth.api_error", f"STS cannot be asked who signed: {reason}", 502) from error
    found = _ACCOUNT.search(text) if answer.status == 200 else None
    if found is None:
        raise NotAllowed("AWS does not accept the signed request: are the keys valid, and the clock right?")
    return found[1]
