"""What a webhook tells: the type of the event, when it was, and the request's status as a GET answers it."""

import json
from contextlib import aclosing
from typing import Any

from cortex_async import limits
from cortex_async.config import ApiConfig, WebhooksConfig
from cortex_async.gateway.result import Results, closed, ended, rfc3339
from cortex_async.queue.event import START, Event
from cortex_async.storage.memory_budget import MemoryBudget
from cortex_async.storage.protocol import Status, Store
from cortex_async.storage.request_memory import AnswerMemory


def webhook_id(request_id: str, kind: str) -> str:
    """Return the id of a webhook: the same however often it is sent; `kind` is the type of the event."""
    return f"{request_id}-{kind}"


class Documents:
    """Makes the bodies of one API's webhooks."""

    def __init__(
        self, config: ApiConfig, events: WebhooksConfig, results: Results, store: Store, budget: MemoryBudget
    ) -> None:
        self._endpoint = config.gateway.endpoint
        self._events = events.events
        self._results = results
        self._store = store
        self._budget = budget

    def memory(self) -> AnswerMemory:
        """What a body holds, to be kept while it is sent."""
        return AnswerMemory(self._budget)

    async def of(self, event: Event, memory: AnswerMemory) -> tuple[str, bytes] | None:
        """Return the type and the body of an event; None when there is nothing (any more) to tell.

        Raises NoMemory, AwsError and DamagedResult.
        """
        data = self._results.about(event.request_id)
        if event.kind == START:
            data |= {"status": Status.IN_PROGRESS.value, "started_at": rfc3339(event.at)}
            return START, _body(START, data["started_at"], data)
        return await self._of_end(data, memory)

    async def _of_end(self, data: dict[str, Any], memory: AnswerMemory) -> tuple[str, bytes] | None:
        request_id = data["id"]
        found = await self._store.open_result(request_id)
        if found is None:
            return None
        metadata, size, pieces = found
        kind = metadata.status.value
        data |= ended(metadata)
        is_whole = not metadata.content_type and size <= limits.WEBHOOK_RESULT_BYTES
        if kind not in self._events or not is_whole:
            await closed(pieces)
        if kind not in self._events:
            return None
        if not is_whole:
            data |= {"result": None, "result_url": f"{self._endpoint}/{request_id}/result"}
            data |= {"content_type": metadata.content_type} if metadata.content_type else {}
            return kind, _body(kind, data["timestamp"], data)
        async with aclosing(pieces):  # type: ignore[type-var]
            await memory.wait_for(2 * size)
            stored = b"".join([piece async for piece in pieces])
        name = "result" if metadata.status is Status.COMPLETED else "error"
        head = _body(kind, data["timestamp"], data)[:-2]
        return kind, b'%b, "%b": %b}}' % (head, name.encode(), stored)


def _body(kind: str, timestamp: str, data: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "timestamp": timestamp, "data": data}).encode()
