"""Credentials, found where botocore finds them: environment, profile, IRSA, Pod Identity, instance."""

import asyncio
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cortex_async import limits
from cortex_async.aws.signing import Keys
from cortex_async.errors import CredentialsError


@dataclass(frozen=True, slots=True)
class _FrozenKeys:
    """One set of keys, and until when it is valid (seconds since the epoch)."""

    keys: Keys
    expires_at: float
    refresh_needed: Callable[[], bool]


class Credentials:
    """The current credentials.

    What botocore does over the network runs in a thread, once at a time, and while the keys at hand are valid
    nobody waits for it: a slow STS must not hold up the event loop, nor the calls.
    """

    def __init__(self) -> None:
        self._found: Any = None  # botocore's, which refreshes itself whenever it is asked: in the thread only
        self._keys: _FrozenKeys | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self._problem = ""  # why there are no keys
        self._failed_at = -math.inf  # when the last refresh brought nothing new, by the loop's clock

    async def current(self, give_up: float | None = None) -> Keys:
        """Return credentials that have not expired.

        Raises CredentialsError when there are none, or not by `give_up` (by the loop's clock; None: no limit).
        """
        frozen = self._valid()
        if frozen is None:
            return await self._refreshed(give_up)
        if frozen.refresh_needed():
            self._begin_refresh(limits.CREDENTIALS_PAUSE_SECONDS)
        return frozen.keys

    def expired(self, keys: Keys) -> None:
        """Say that AWS called `keys` expired: unless there are newer ones, the next call looks them up anew."""
        if self._keys is not None and self._keys.keys is keys:
            self._found = self._keys = None

    def _valid(self) -> _FrozenKeys | None:
        frozen = self._keys
        return frozen if frozen is not None and time.time() < frozen.expires_at else None

    def _begin_refresh(self, pause: float) -> None:
        if self._refreshing is None and asyncio.get_running_loop().time() >= self._failed_at + pause:
            self._refreshing = asyncio.create_task(self._refresh())

    async def _refreshed(self, give_up: float | None) -> Keys:
        self._begin_refresh(limits.NO_CREDENTIALS_PAUSE_SECONDS if self._problem else 0)
        if self._refreshing is not None:
            left = None if give_up is None else max(0.0, give_up - asyncio.get_running_loop().time())
            await asyncio.wait((self._refreshing,), timeout=left)  # unlike wait_for, it leaves the task alone
        frozen = self._valid()
        if frozen is None:
            raise CredentialsError(self._problem or "cannot refresh the AWS credentials: no answer in time")
        return frozen.keys

    async def _refresh(self) -> None:
        has_failed = True
        try:
            self._found, frozen = await asyncio.to_thread(_load, self._found)
            self._keys, self._problem = frozen, ""
            has_failed = frozen.refresh_needed()  # botocore keeps quiet as long as the old keys are valid
        except CredentialsError as error:
            self._problem = str(error)
        finally:
            self._refreshing = None
            self._failed_at = asyncio.get_running_loop().time() if has_failed else -math.inf


def _never() -> bool:
    return False


@dataclass(slots=True)
class _EnvironmentKeys:
    access_key: str
    secret_key: str
    token: str | None


def _of_environment() -> Keys | None:
    """Return the keys that the environment holds, which botocore would take first; None for what expires."""
    access_key, secret_key = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if not access_key or not secret_key or "AWS_CREDENTIAL_EXPIRATION" in os.environ:
        return None
    token = os.environ.get("AWS_SESSION_TOKEN") or os.environ.get("AWS_SECURITY_TOKEN")
    return _EnvironmentKeys(access_key, secret_key, token or None)


def _load(found: Any) -> tuple[Any, _FrozenKeys]:
    if found is None and (static := _of_environment()) is not None:
        return None, _FrozenKeys(static, math.inf, _never)
    import botocore.session  # noqa: PLC0415 - 10 MB, and a third of the start-up time: only where it is needed

    try:
        found = found or botocore.session.Session().get_credentials()
        keys = found and found.get_frozen_credentials()
        expiry = getattr(found, "_expiry_time", None)  # what botocore tells of it in public goes by refreshes
        expires_at = expiry.timestamp() if expiry else math.inf
    except Exception as error:  # botocore's are of many kinds, a RuntimeError among them, and a plug-in's of any
        reason = str(error) or type(error).__name__
        raise CredentialsError(f"cannot refresh the AWS credentials: {reason}") from error
    if keys is None:
        raise CredentialsError(
            "no AWS credentials found: give the service account a role (EKS Pod Identity, or the annotation "
            "eks.amazonaws.com/role-arn by serviceAccount.annotations or gateway.serviceAccount.annotations), "
            "name a Secret by aws.credentialsSecret, or give keys by aws.extraEnv; outside a cluster set "
            "AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_ROLE_ARN and "
            "AWS_WEB_IDENTITY_TOKEN_FILE"
        )
    return found, _FrozenKeys(keys, expires_at, getattr(found, "refresh_needed", _never))
