"""An event: what happened to a request, as it travels from the dispatcher to the gateway that sends the webhook.

The message tells of which request; how that ended is in the bucket. `end` stands for whichever end it was.
"""

import json
from dataclasses import dataclass

from cortex_async.queue.message import NotOurs

VERSION = 1
START = "start"
END = "end"


@dataclass(frozen=True, slots=True)
class Event:
    """The start or the end of a request; `at` is when this was queued, in seconds since the epoch.

    `url` is where the request wants to be told of; None: where all of the API are.
    """

    request_id: str
    kind: str
    at: float
    url: str | None = None

    def encode(self) -> str:
        """Return the message body."""
        document = {"version": VERSION, "id": self.request_id, "event": self.kind, "at": round(self.at, 3)}
        return json.dumps(document if self.url is None else document | {"url": self.url})


def decode(body: str) -> Event:
    """Read a message body; raises NotOurs, with a reason that does not quote the body."""
    try:
        document = json.loads(body)
        if document["version"] != VERSION or document["event"] not in (START, END):
            raise ValueError
        request_id, at, url = document["id"], float(document["at"]), document.get("url")
        if not isinstance(request_id, str) or not isinstance(url, str | None):
            raise TypeError
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise NotOurs(f"the message is no event of version {VERSION}: {type(error).__name__}") from error
    return Event(request_id, document["event"], at, url)
