"""Credentials, found where botocore finds them: environment, profile, IRSA, Pod Identity, instance."""

import asyncio
from typing import Any

from cortex_async.aws.signing import Keys
from cortex_async.errors import CredentialsError


class Credentials:
    """The current credentials; botocore's calls that go over the network run in a thread."""

    def __init__(self) -> None:
        self._found: Any = None
        self._lock = asyncio.Lock()

    async def current(self) -> Keys:
        """Return credentials that have not expired; raises CredentialsError when there are none."""
        found = self._found
        if found is None or getattr(found, "refresh_needed", _never)():
            async with self._lock:
                found = self._found = await asyncio.to_thread(_load, self._found)
        keys: Keys = found.get_frozen_credentials()
        return keys

    def expired(self) -> None:
        """Say that AWS called the credentials expired: the next call looks them up anew."""
        self._found = None


def _never() -> bool:
    return False


def _load(found: Any) -> Any:
    import botocore.exceptions  # noqa: PLC0415 - a third of the start-up time, so only in the commands that sign
    import botocore.session  # noqa: PLC0415

    try:
        found = found or botocore.session.Session().get_credentials()
        if found is not None:
            found.get_frozen_credentials()
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, OSError) as error:
        raise CredentialsError(f"cannot refresh the AWS credentials: {error}") from error
    if found is None:
        raise CredentialsError(
            "no AWS credentials found: give the service account a role (serviceAccount.annotations), "
            "or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    return found
