"""The page of an API's dead letters: what `cortex-async dead-letters` does, in a thread, since it is boto3's."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from cortex_operator.errors import Refused

_SHOWN = 200
_T = TypeVar("_T")


@dataclass(frozen=True)
class Shown:
    """A dead letter as the page shows it; `request_id` is None when it is no request of the API."""

    request_id: str | None
    submitted: datetime | None
    receives: int
    result: str


async def listed(api_json: Mapping[str, Any]) -> Sequence[Shown]:
    """Return the first of them; looking counts as a receive. Raises Refused."""

    def look(letters: Any) -> list[Shown]:
        taken: list[Any] = []
        for batch in letters.receive():
            taken += batch
            if len(taken) >= _SHOWN:
                break
        letters.release(taken)
        return [
            Shown(
                each.request_id,
                each.submitted,
                each.receive_count,
                letters.status(each.request_id) if each.request_id else "not of this API",
            )
            for each in taken
        ]

    return await _with(api_json, look)


async def redrive(api_json: Mapping[str, Any], ids: Sequence[str]) -> int:
    """Send those of some ids again, or all without any; return how many. Raises Refused."""
    return await _with(api_json, lambda letters: len(letters.redrive(ids).sent))


async def purge(api_json: Mapping[str, Any]) -> None:
    """Throw all away; raises Refused."""
    await _with(api_json, lambda letters: letters.purge())


async def _with(api_json: Mapping[str, Any], use: Callable[[Any], _T]) -> _T:
    def work() -> _T:
        # boto3 takes 40 MB and half a second, which an operator without that page does not pay
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        from cortex_async.dead_letters import DeadLetters  # noqa: PLC0415

        try:
            return use(DeadLetters.of(api_json))
        except (BotoCoreError, ClientError) as error:
            message = f"AWS does not let the operator at the dead letters: {error}"
            raise Refused("dashboard.dead_letters", message, 502) from error

    return await asyncio.to_thread(work)
