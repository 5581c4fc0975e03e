"""Of a request that is on the queue several times one message begins; the others leave its payload alone."""

from dataclasses import replace
from datetime import UTC, datetime

from cortex_async.queue.protocol import Received
from cortex_async.storage.protocol import ResultMetadata, Status, rfc3339
from support.dispatching import Unanswering, breaking, in_flight, message, processor, taken
from support.memory import MemoryQueue, MemoryStore
from support.virtual_clock import never, on_virtual_clock


@on_virtual_clock
async def test_a_message_whose_request_has_begun_by_another_is_only_deleted() -> None:
    queue, store = MemoryQueue(), MemoryStore()
    requests = in_flight(queue)
    request = taken(requests, store, replace(message(None, 5), is_checked=True))
    store.payloads[request.id] = b"12345"
    store.holders[request.id] = "another message"
    await processor(store, requests, Unanswering(never), MemoryQueue()).process(request)
    assert queue.deleted == ["receipt"]
    assert store.payloads == {request.id: b"12345"}
    assert store.results == {}
    assert len(requests) == 0


@on_virtual_clock
async def test_a_message_whose_request_has_ended_takes_all_payloads_of_it_with_it() -> None:
    """Its own, and one that a submission under the same key may have left, which could not send its message."""
    queue, store = MemoryQueue(), MemoryStore()
    requests = in_flight(queue)
    of = replace(message(None, 5), is_checked=True, payload_id="of this submission")
    request = taken(requests, store, of)
    store.payloads = {"of this submission": b"12345", request.id: b"12345", "of another request": b"1"}
    store.holders[request.id] = "another message"
    store.results[request.id] = (ResultMetadata(Status.COMPLETED, 1, rfc3339(datetime.now(UTC))), b"1")
    await processor(store, requests, Unanswering(never), MemoryQueue()).process(request)
    assert queue.deleted == ["receipt"]
    assert store.payloads.keys() == {"of another request"}


@on_virtual_clock
async def test_the_message_that_has_begun_the_request_goes_on_with_it() -> None:
    """As when its pod was killed, and it comes back."""
    queue, store = MemoryQueue(), MemoryStore()
    requests = in_flight(queue)
    request = taken(requests, store, replace(message(), is_checked=True), receive_count=2)
    store.holders[request.id] = "message"

    async def answers() -> None:
        store.results[request.id] = (ResultMetadata(Status.COMPLETED, 1, rfc3339(datetime.now(UTC))), b"1")
        raise ConnectionResetError

    await processor(store, requests, Unanswering(answers), MemoryQueue()).process(request)
    assert store.marks[0] == 1


@on_virtual_clock
async def test_any_of_the_messages_received_may_be_the_one_that_has_begun_the_request() -> None:
    """Both come back when a pod is drained, and the one that did not begin it may come first."""
    queue, store = MemoryQueue(), MemoryStore()
    requests = in_flight(queue)
    request = taken(requests, store, replace(message(), is_checked=True))
    assert requests.find_duplicate(request.message, Received("the one", "its receipt", "", 2))
    store.holders[request.id] = "the one"
    await processor(store, requests, breaking(), MemoryQueue()).process(request)
    assert queue.deleted == []
    assert sorted(handle for handle, _ in queue.released) == ["its receipt", "receipt"]


@on_virtual_clock
async def test_the_message_that_has_begun_the_request_is_never_deleted_for_another() -> None:
    """It is received after it was found out that the request does not begin by the first one."""

    async def the_one_comes() -> None:
        assert request.is_repeated
        assert requests.find_duplicate(request.message, Received("the one", "its receipt", "", 2))

    queue, store = MemoryQueue(), MemoryStore(before={"has_result": the_one_comes})
    requests = in_flight(queue)
    request = taken(requests, store, replace(message(), is_checked=True))
    store.holders[request.id] = "the one"
    await processor(store, requests, Unanswering(never), MemoryQueue()).process(request)
    assert queue.deleted == ["receipt"]
    assert queue.released == [("its receipt", 0)]
