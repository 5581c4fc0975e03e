"""Who is to blame when the container breaks with several requests in it.

Nobody knows at first, so all that were in it become suspects: it costs them no attempt. Suspects go in one at a
time, others beside them, so that a second break points at one. From then on that one goes in alone. So what fails
at its last attempt was alone in the container when that broke.

| under whom it broke           | counts as an attempt | goes in again                      |
|-------------------------------|----------------------|------------------------------------|
| one among others, no suspect  | no                   | beside others that are no suspects |
| a suspect                     | yes                  | alone                              |
| one that was alone            | yes                  | alone                              |

When the whole pod dies, the in_progress object tells who was in it (`Progress`).
"""

from dataclasses import dataclass

from cortex_async.storage.protocol import Progress


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a request stands before an attempt: its number, from 1 on, and whether it is a suspect."""

    attempt: int
    is_suspect: bool


def on_return(progress: Progress | None) -> Standing:
    """Decide about a message that was received before, and whose last attempt has left only its object."""
    if progress is None:
        return Standing(1, is_suspect=False)
    if progress.is_shared:  # the pod died with all that were in it
        return Standing(progress.attempt, is_suspect=True)
    return Standing(progress.attempt + 1, progress.is_suspect)


def is_own_fault(*, is_suspect: bool, had_company: bool) -> bool:
    """Whether a broken connection counts as an attempt of this request."""
    return is_suspect or not had_company


def goes_alone(attempt: int, maximum: int, *, is_suspect: bool) -> bool:
    """Whether an attempt is made with no other request in the container."""
    return is_suspect and (attempt > 1 or attempt >= maximum)
