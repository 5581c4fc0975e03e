"""What all clients of one gateway may take together."""

from cortex_async import limits
from cortex_async.http.guard import Guard, connections_within_descriptors
from cortex_async.storage.memory_budget import MemoryBudget
from cortex_async.storage.request_memory import budget_within, container_limit


def within_limits() -> tuple[MemoryBudget, Guard]:
    """Return the memory for requests, and the guard of the server, by what the container is given."""
    memory_limit = container_limit()
    budget = budget_within(memory_limit)
    most = connections_within_descriptors()
    if memory_limit is not None:
        most = min(most, budget.size // limits.CONNECTION_BYTES)
    return budget, Guard(most, budget)
